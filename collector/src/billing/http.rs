//! The HTTP door of the billing import: `POST /api/v1/billing/imports` with the file as the body,
//! and `GET` for what stands. Takes requests, gives reports as JSON and errors as
//! `application/problem+json`. Owns the spooling of bodies. Whose a request is, the
//! caller of [`router`] says by its headers (I-10).

use std::fs::File;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use futures::StreamExt;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use spanledger_schemas::Problem;
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;

use super::error::ImportError;
use super::limits::{BODY_IDLE_MAX, FILE_BYTES_MAX, REQUESTS_MAX, RETRY_AFTER_S};
use super::{Format, ImportReport, ImportRequest, ImportSummary, Importer};

/// From the headers of a request to its tenant; none when it has no valid credential.
type TenantOf = dyn Fn(&HeaderMap) -> Option<Arc<str>> + Send + Sync;

#[derive(Clone)]
struct Door {
    importer: Importer,
    tenant_of: Arc<TenantOf>,
    seats: Arc<Semaphore>,
}

impl Door {
    fn tenant(&self, headers: &HeaderMap) -> Result<String, Refusal> {
        (self.tenant_of)(headers).map(|tenant| tenant.to_string()).ok_or_else(|| {
            Refusal::new(
                StatusCode::UNAUTHORIZED,
                "no valid credential",
                "the request has no token that is known here".to_owned(),
                "send `Authorization: Bearer TOKEN`".to_owned(),
            )
        })
    }
}

/// The routes of the billing import.
pub fn router(
    importer: Importer,
    tenant_of: impl Fn(&HeaderMap) -> Option<Arc<str>> + Send + Sync + 'static,
) -> Router {
    let seats = Arc::new(Semaphore::new(REQUESTS_MAX));
    let door = Door { importer, tenant_of: Arc::new(tenant_of), seats };
    Router::new()
        .route("/api/v1/billing/imports", post(import).get(list))
        // The body is spooled to disk under its own bound.
        .layer(DefaultBodyLimit::disable())
        .with_state(door)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportQuery {
    format: String,
    source: Option<String>,
    file_name: Option<String>,
}

async fn import(
    State(door): State<Door>,
    headers: HeaderMap,
    query: Result<Query<ImportQuery>, QueryRejection>,
    body: Body,
) -> Result<Json<ImportReport>, Refusal> {
    let tenant = door.tenant(&headers)?;
    let Query(query) = query.map_err(|error| {
        let hint = "give format=focus, and source and file_name if you like".to_owned();
        Refusal::new(StatusCode::BAD_REQUEST, "wrong parameters", error.body_text(), hint)
    })?;
    let file_name = query.file_name.unwrap_or_else(|| "(unnamed)".to_owned());
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.and_then(|bytes| bytes.parse().ok()).is_some_and(|b: u64| b > FILE_BYTES_MAX) {
        return Err(super::input::file_too_large(&file_name).into());
    }
    let format = Format::parse(&query.format).ok_or_else(|| {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "unknown format",
            format!("format is `{}`", query.format),
            format!("known formats: {}", Format::ALL.map(Format::name).join(", ")),
        )
    })?;
    let Ok(_seat) = door.seats.try_acquire() else {
        return Err(Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many imports",
            format!("{REQUESTS_MAX} imports are at work"),
            format!("try again in {RETRY_AFTER_S} s"),
        ));
    };
    let request = ImportRequest { tenant, source: query.source, format, file_name };
    let file = spool(body, &request.file_name).await?;
    Ok(Json(Box::pin(door.importer.import(request, file)).await?))
}

async fn list(
    State(door): State<Door>,
    headers: HeaderMap,
) -> Result<Json<Vec<ImportSummary>>, Refusal> {
    Ok(Json(door.importer.list(&door.tenant(&headers)?).await?))
}

/// Writes a body to an unnamed temporary file, which is gone when it is closed.
async fn spool(body: Body, name: &str) -> Result<File, Refusal> {
    let disk = |cause: std::io::Error| ImportError::Store {
        file: name.to_owned(),
        cause: format!("writing the upload to a temporary file: {cause}"),
    };
    let mut file = tokio::fs::File::from_std(tempfile::tempfile().map_err(disk)?);
    let mut chunks = body.into_data_stream();
    let mut bytes = 0;
    loop {
        let Ok(chunk) = tokio::time::timeout(BODY_IDLE_MAX, chunks.next()).await else {
            return Err(Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                "upload stalled",
                format!("no byte of `{name}` came for {} s", BODY_IDLE_MAX.as_secs()),
                "send it again".to_owned(),
            ));
        };
        let Some(chunk) = chunk else { break };
        let chunk = chunk.map_err(|cause| ImportError::Read {
            file: name.to_owned(),
            cause: format!("the upload broke off: {cause}"),
        })?;
        bytes += chunk.len() as u64;
        if bytes > FILE_BYTES_MAX {
            return Err(super::input::file_too_large(name).into());
        }
        file.write_all(&chunk).await.map_err(disk)?;
    }
    file.flush().await.map_err(disk)?;
    Ok(file.into_std().await)
}

/// An error as the client sees it.
struct Refusal(Problem);

impl Refusal {
    fn new(status: StatusCode, title: &'static str, detail: String, hint: String) -> Refusal {
        let problem = Problem::new(status, title, detail).with_hint(hint);
        Refusal(Problem { retry_after_s: RETRY_AFTER_S, ..problem })
    }
}

impl From<ImportError> for Refusal {
    fn from(error: ImportError) -> Refusal {
        let (status, title) = match &error {
            ImportError::Rejected { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "broken bill"),
            ImportError::Unsupported { .. } => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not a bill of this format")
            }
            ImportError::Request { .. } => (StatusCode::BAD_REQUEST, "incomplete request"),
            ImportError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "bill too large"),
            ImportError::Read { .. } => (StatusCode::BAD_REQUEST, "unreadable file"),
            ImportError::Contended { .. } => (StatusCode::SERVICE_UNAVAILABLE, "store contended"),
            ImportError::Store { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "store failed"),
        };
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(error = %error, "billing import failed");
        }
        let hint = error.hint().to_owned();
        let mut refusal = Refusal::new(status, title, error.to_string(), hint);
        if let ImportError::Rejected { problems, .. } = error {
            let written = |problem| serde_json::to_value(problem).ok();
            refusal.0.errors = problems.into_iter().filter_map(written).collect();
        }
        refusal
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.0.response().into_response()
    }
}
