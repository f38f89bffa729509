//! The HTTP door: SQL, questions and the description of both. Takes JSON and query strings, gives
//! JSON, CSV, Arrow or Parquet by `Accept`, and problems as RFC 9457 says.

use axum::body::{Body, Bytes};
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use datafusion::common::ParamValues;
use datafusion::scalar::ScalarValue;
use futures::stream::{self, StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use spanledger_schemas::Problem;

use super::openapi;
use crate::error::QueryError;
use crate::explain::Subject;
use crate::limits;
use crate::questions::answer::milliseconds;
use crate::questions::{self, Answer, AskParams};
use crate::render::json::{JsonRows, columns};
use crate::render::{Format, Writer};
use crate::service::{QueryService, Running};

impl QueryService {
    /// The routes under `/api/v1`.
    pub fn http_router(&self) -> Router {
        Router::new()
            .route("/api/v1/sql", post(sql))
            .route("/api/v1/questions", get(list))
            .route("/api/v1/questions/{name}", get(ask))
            .route("/api/v1/explain/{subject}/{*id}", get(explain))
            .route("/api/v1/doctor", get(doctor))
            .route("/api/v1/openapi.json", get(|| async { Json(openapi::document()) }))
            // The text, its parameters, and JSON's escapes around both.
            .layer(DefaultBodyLimit::max(2 * limits::QUERY_TEXT_BYTES_MAX))
            .with_state(self.clone())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SqlRequest {
    query: String,
    #[serde(default)]
    params: Vec<Value>,
}

async fn sql(
    State(service): State<QueryService>,
    headers: HeaderMap,
    request: Result<Json<SqlRequest>, JsonRejection>,
) -> Result<Response, Failure> {
    let format = accepted(&headers)?;
    let Json(request) = request?;
    let params = scalars(&request.params)?;
    let running = service.sql(&service.anyone("http"), &request.query, params).await?;
    match format {
        Format::Json => whole(running, service.inner.settings.result_bytes_max).await,
        format => streamed(running, format).await,
    }
}

async fn list() -> Json<Value> {
    let question = |q: &&questions::Question| {
        let column = |(name, unit): &(&str, &str)| match *unit {
            "" => json!({"name": name}),
            unit => json!({"name": name, "unit": unit}),
        };
        json!({
            "name": q.name,
            "about": q.about,
            "by": q.by,
            "grain": q.grain,
            "columns": q.columns.iter().map(column).collect::<Vec<_>>(),
            "notes": q.notes,
        })
    };
    Json(json!({
        "questions": questions::ALL.iter().map(question).collect::<Vec<_>>(),
        "parameters": AskParams::NAMES,
    }))
}

async fn ask(
    State(service): State<QueryService>,
    Path(name): Path<String>,
    Query(pairs): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let format = accepted(&headers)?;
    let mut params = AskParams::default();
    for (name, value) in &pairs {
        params.set(name, value)?;
    }
    let answer = service.ask(&service.anyone("http"), &name, &params).await?;
    let body = match format {
        Format::Json => answer.to_json()?,
        format => written(&answer, format)?,
    };
    Ok(reply(format, Body::from(body)))
}

async fn explain(
    State(service): State<QueryService>,
    Path((subject, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let form = Page::accepted(&headers, &[Page::Json, Page::Text])?;
    let subject = Subject::named(&subject).ok_or_else(|| QueryError::Parameter {
        what: "what is explained".to_owned(),
        found: subject,
        expected: Subject::ALL.map(Subject::word).join(", "),
    })?;
    let answer = service.explain(&service.anyone("http"), subject, &id).await?;
    Ok(match form {
        Page::Text => form.reply(answer.to_text().into_bytes()),
        _ => Json(answer.to_json()).into_response(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Window {
    from: Option<String>,
    to: Option<String>,
}

async fn doctor(
    State(service): State<QueryService>,
    window: Result<Query<Window>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let form = Page::accepted(&headers, &[Page::Json, Page::Csv, Page::Text])?;
    let Query(window) = window.map_err(|rejection| QueryError::Parameter {
        what: "query string".to_owned(),
        found: rejection.body_text(),
        expected: "parameters from and to".to_owned(),
    })?;
    let caller = service.anyone("http");
    let report = service.doctor(&caller, window.from.as_deref(), window.to.as_deref()).await?;
    Ok(match form {
        Page::Text => form.reply(report.to_text().into_bytes()),
        Page::Csv => form.reply(report.to_csv()?),
        Page::Json => Json(report.to_json()).into_response(),
    })
}

/// The forms of answers that are more than rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    Json,
    Csv,
    Text,
}

impl Page {
    fn media_type(self) -> &'static str {
        match self {
            Page::Json => "application/json",
            Page::Csv => "text/csv",
            Page::Text => "text/plain; charset=utf-8",
        }
    }

    /// The first form of the header that is offered; the first offered for none and for `*/*`.
    fn accepted(headers: &HeaderMap, offered: &[Page]) -> Result<Page, QueryError> {
        let Some(accept) = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()) else {
            return Ok(offered[0]);
        };
        let wanted = accept.split(',').map(|range| range.split(';').next().unwrap_or("").trim());
        let fits = |range: &str| {
            let named = |page: &&Page| {
                let own = page.media_type().split(';').next().unwrap_or_default();
                range.eq_ignore_ascii_case(own)
                    || range == "*/*"
                    || (range == "application/*" && own.starts_with("application/"))
            };
            offered.iter().find(named).copied()
        };
        wanted.into_iter().find_map(fits).ok_or_else(|| QueryError::Page {
            accept: accept.to_owned(),
            offered: offered.iter().map(|page| page.media_type()).collect::<Vec<_>>().join(", "),
        })
    }

    fn reply(self, body: Vec<u8>) -> Response {
        ([(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type()))], body)
            .into_response()
    }
}

/// The answer's rows in a format that has no room for more.
fn written(answer: &Answer, format: Format) -> Result<Vec<u8>, QueryError> {
    let mut writer = Writer::new(format, &answer.schema)?;
    let mut out = Vec::new();
    for batch in &answer.batches {
        out.append(&mut writer.write(batch)?);
    }
    out.append(&mut writer.finish(&answer.schema)?);
    Ok(out)
}

/// The answer as one JSON object, so that a failure half-way is still an honest answer.
async fn whole(mut running: Running, bytes_max: u64) -> Result<Response, Failure> {
    let mut rows = JsonRows::new();
    while let Some(batch) = running.next().await {
        rows.write(&batch?)?;
        if rows.len() as u64 > bytes_max {
            return Err(QueryError::Bytes(bytes_max).into());
        }
    }
    let mut rest = Map::new();
    rest.insert("tables".to_owned(), json!(running.tables));
    rest.insert("elapsed_ms".to_owned(), milliseconds(running.elapsed()));
    let body = rows.into_answer(&columns(&running.schema(), &running.units), &rest)?;
    Ok(reply(Format::Json, Body::from(body)))
}

/// The answer as it comes. A failure before the first rows is a problem; one after them cuts the
/// connection, which a client cannot take for an end.
async fn streamed(mut running: Running, format: Format) -> Result<Response, Failure> {
    let schema = running.schema();
    let mut writer = Writer::new(format, &schema)?;
    let first = match running.next().await {
        Some(batch) => writer.write(&batch?)?,
        None => Vec::new(),
    };
    let rest = stream::try_unfold((running, Some(writer)), move |(mut running, writer)| {
        let schema = schema.clone();
        async move {
            let Some(mut writer) = writer else { return Ok(None) };
            Ok::<_, QueryError>(match running.next().await {
                Some(batch) => Some((writer.write(&batch?)?, (running, Some(writer)))),
                None => Some((writer.finish(&schema)?, (running, None))),
            })
        }
    });
    let chunks = stream::once(async { Ok(first) })
        .chain(rest)
        .try_filter(|chunk| std::future::ready(!chunk.is_empty()))
        .map_ok(Bytes::from)
        .inspect_err(|error| tracing::warn!(%error, "an answer broke off"));
    Ok(reply(format, Body::from_stream(chunks)))
}

fn reply(format: Format, body: Body) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()))], body).into_response()
}

fn accepted(headers: &HeaderMap) -> Result<Format, QueryError> {
    Format::accepted(headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()))
}

/// Positional parameters as values: texts, whole numbers, other numbers, booleans, null.
fn scalars(params: &[Value]) -> Result<Option<ParamValues>, QueryError> {
    if params.len() > limits::PARAMETERS_MAX {
        return Err(QueryError::Parameter {
            what: "number of params".to_owned(),
            found: params.len().to_string(),
            expected: format!("at most {}", limits::PARAMETERS_MAX),
        });
    }
    let scalar = |(i, value): (usize, &Value)| match value {
        Value::Null => Ok(ScalarValue::Null.into()),
        Value::Bool(value) => Ok(ScalarValue::Boolean(Some(*value)).into()),
        Value::String(text) => Ok(ScalarValue::Utf8(Some(text.clone())).into()),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Ok(ScalarValue::Int64(Some(whole)).into()),
            (None, number) => Ok(ScalarValue::Float64(number).into()),
        },
        Value::Array(_) | Value::Object(_) => Err(QueryError::Parameter {
            what: format!("params[{i}]"),
            found: value.to_string(),
            expected: "a text, number, boolean or null".to_owned(),
        }),
    };
    let values = params.iter().enumerate().map(scalar).collect::<Result<Vec<_>, _>>()?;
    Ok((!values.is_empty()).then_some(ParamValues::List(values)))
}

/// A failure as the client sees it.
struct Failure(Problem);

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        if error.status() == 500 {
            tracing::error!(%error, "a query failed");
        }
        let status = StatusCode::from_u16(error.status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let problem = Problem::new(status, error.title(), error.to_string());
        Self(problem.with_hint(error.hint()))
    }
}

impl From<JsonRejection> for Failure {
    fn from(rejection: JsonRejection) -> Self {
        let hint = "send {\"query\": \"SELECT …\", \"params\": [ … ]} as application/json";
        let text = rejection.body_text();
        Self(Problem::new(rejection.status(), "invalid request", text).with_hint(hint))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.0.response().into_response()
    }
}
