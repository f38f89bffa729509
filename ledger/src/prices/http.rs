//! The HTTP door of the price book: `POST /api/v1/prices/imports` with a file as the body, and
//! `POST /api/v1/prices/reprice`. Takes requests, gives reports as JSON and errors as
//! `application/problem+json`. What is read of prices is read with SQL, at the doors of `query`.
//! Whose a request is, the caller of [`router`] says by its headers (I-10).

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use serde::Deserialize;
use spanledger_schemas::Problem;
use spanledger_store::Store;
use tokio::sync::Semaphore;

use super::{
    DEFAULT_TENANT, FileKind, ImportReport, PriceError, PriceFile, Reprice, Repriced, import_file,
    reprice,
};
use crate::limits::{BOOK_BYTES_MAX, PRICE_WRITES_MAX};

/// From the headers of a request to its tenant; none when it has no valid credential.
type TenantOf = dyn Fn(&HeaderMap) -> Option<Arc<str>> + Send + Sync;

#[derive(Clone)]
struct Door {
    store: Store,
    tenant_of: Arc<TenantOf>,
    seats: Arc<Semaphore>,
}

/// The routes of the price book.
pub fn router(
    store: Store,
    tenant_of: impl Fn(&HeaderMap) -> Option<Arc<str>> + Send + Sync + 'static,
) -> Router {
    let seats = Arc::new(Semaphore::new(PRICE_WRITES_MAX));
    Router::new()
        .route("/api/v1/prices/imports", post(import))
        .route("/api/v1/prices/reprice", post(price_again))
        .layer(DefaultBodyLimit::max(BOOK_BYTES_MAX))
        .with_state(Door { store, tenant_of: Arc::new(tenant_of), seats })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportQuery {
    format: String,
    name: Option<String>,
    #[serde(default)]
    dry_run: bool,
}

async fn import(
    State(door): State<Door>,
    headers: HeaderMap,
    query: Result<Query<ImportQuery>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ImportReport>, Refusal> {
    let tenant = door.tenant(&headers)?;
    let Query(query) = query.map_err(|e| Refusal::wrong(e.body_text()))?;
    let kind = FileKind::named(&query.format).ok_or_else(|| {
        let known = FileKind::ALL.map(|(name, _)| name).join(", ");
        Refusal::wrong(format!("format is `{}`, expected one of {known}", query.format))
    })?;
    if kind == FileKind::GenaiPrices && &*tenant != DEFAULT_TENANT {
        let detail = "a book holds for every tenant; a credential is for one".to_owned();
        let problem = Problem::new(StatusCode::FORBIDDEN, "not yours to change", detail);
        let hint = "bring the book on the data folder: `spanledger prices import --data-dir DIR`";
        return Err(Refusal(problem.with_hint(hint)));
    }
    let bytes = body.map_err(|e| {
        let detail = format!("{}; at most {BOOK_BYTES_MAX} bytes are taken", e.body_text());
        Refusal(Problem { status: e.status(), ..Refusal::wrong(detail).0 })
    })?;
    let _seat = door.seat().await;
    let file = PriceFile {
        kind,
        bytes: &bytes,
        name: query.name.as_deref().unwrap_or("(unnamed)"),
        tenant: &tenant,
        now: jiff::Timestamp::now().as_microsecond(),
        dry_run: query.dry_run,
    };
    Ok(Json(Box::pin(import_file(&door.store, &file)).await?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RepriceQuery {
    from: Option<jiff::Timestamp>,
    to: Option<jiff::Timestamp>,
    #[serde(default)]
    dry_run: bool,
}

async fn price_again(
    State(door): State<Door>,
    headers: HeaderMap,
    query: Result<Query<RepriceQuery>, QueryRejection>,
) -> Result<Json<Repriced>, Refusal> {
    let tenant = door.tenant(&headers)?;
    let Query(query) = query.map_err(|e| Refusal::wrong(e.body_text()))?;
    let _seat = door.seat().await;
    let which = Reprice {
        tenant: Some(tenant.to_string()),
        from: query.from.map(jiff::Timestamp::as_microsecond),
        to: query.to.map(jiff::Timestamp::as_microsecond),
        dry_run: query.dry_run,
    };
    Ok(Json(Box::pin(reprice(&door.store, &which)).await?))
}

impl Door {
    fn tenant(&self, headers: &HeaderMap) -> Result<Arc<str>, Refusal> {
        (self.tenant_of)(headers).ok_or_else(|| {
            let detail = "the request has no token that is known here".to_owned();
            let problem = Problem::new(StatusCode::UNAUTHORIZED, "no valid credential", detail);
            Refusal(problem.with_hint("send `Authorization: Bearer TOKEN`"))
        })
    }

    /// Waits for its turn: imports come rarely, and each rewrites the table.
    async fn seat(&self) -> Option<tokio::sync::OwnedSemaphorePermit> {
        // It is never closed.
        Arc::clone(&self.seats).acquire_owned().await.ok()
    }
}

/// An error as the client sees it.
struct Refusal(Problem);

impl Refusal {
    fn wrong(detail: String) -> Refusal {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "wrong parameters", detail);
        Refusal(problem.with_hint("see `spanledger prices --help`"))
    }
}

impl From<PriceError> for Refusal {
    fn from(error: PriceError) -> Refusal {
        let (status, title, hint) = match &error {
            PriceError::Book { .. }
            | PriceError::Clause { .. }
            | PriceError::Amount { .. }
            | PriceError::Request { .. } => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "prices that cannot be read",
                "mend the file and bring it again; nothing of it was imported",
            ),
            PriceError::Contended { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "store contended", "try again")
            }
            PriceError::Moved { .. } => {
                (StatusCode::CONFLICT, "prices changed", "price the calls again once more")
            }
            PriceError::UnknownUnit { .. }
            | PriceError::Column { .. }
            | PriceError::Arrow(_)
            | PriceError::Read(_)
            | PriceError::Store(_) => {
                tracing::error!(%error, "writing prices failed");
                (StatusCode::INTERNAL_SERVER_ERROR, "store failed", "see the log of the server")
            }
        };
        Refusal(Problem::new(status, title, error.to_string()).with_hint(hint))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.0.response().into_response()
    }
}
