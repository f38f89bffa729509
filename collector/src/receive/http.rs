//! OTLP/HTTP: `POST /v1/{traces,metrics,logs}`, protobuf or JSON, also below the paths that
//! well-known clients use by themselves. Source: OTLP specification 1.9, "OTLP/HTTP".

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Response, StatusCode, Uri, header};
use axum::routing::post;
use tonic::Code;

use super::reply::{self, Encoding};
use super::{Door, body, compression};
use crate::decode;
use crate::frame::Signal;
use crate::intake::{Ack, offload, refused};
use crate::refusal::Refusal;

/// What stands before `/v1/traces` in the clients that do not ask.
const PREFIXES: [&str; 7] = [
    "",
    // Langfuse SDKs
    "/api/public/otel",
    // LangSmith, Weave, Braintrust
    "/otel",
    // LangWatch
    "/api/otel",
    // Opik
    "/api/v1/private/otel",
    // Grafana Cloud
    "/otlp",
    // Dynatrace
    "/api/v2/otlp",
];

/// The routes of this door.
pub(crate) fn router(door: Arc<Door>) -> Router {
    let mut router = Router::new();
    for signal in Signal::ALL {
        for prefix in PREFIXES {
            let door = door.clone();
            let handler = move |request: Request| {
                let door = door.clone();
                async move { export(&door, signal, request).await }
            };
            router = router.route(&format!("{prefix}/v1/{}", signal.name()), post(handler));
        }
    }
    router.fallback(not_found).method_not_allowed_fallback(not_allowed)
}

async fn export(door: &Door, signal: Signal, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let content_type = parts.headers.get(header::CONTENT_TYPE);
    let content_type = content_type.map_or("", |value| value.to_str().unwrap_or("(not text)"));
    let Some(encoding) = Encoding::from_content_type(content_type) else {
        let refusal = Refusal::Unsupported {
            what: "content type",
            found: content_type.to_owned(),
            expected: "application/x-protobuf or application/json",
        };
        refused(signal.name(), &refusal);
        return reply::http_refusal(Encoding::Json, &refusal);
    };
    match take(door, signal, encoding, &parts.headers, body).await {
        Ok(ack) => reply::http_ack(encoding, signal, &ack),
        Err(refusal) => reply::http_refusal(encoding, &refusal),
    }
}

async fn take(
    door: &Door,
    signal: Signal,
    encoding: Encoding,
    headers: &HeaderMap,
    body: Body,
) -> Result<Ack, Refusal> {
    let read = read(door, signal, encoding, headers, body).await;
    let (tenant, bytes, _hold) = read.inspect_err(|refusal| refused(signal.name(), refusal))?;
    door.intake.submit(tenant, signal, bytes).await
}

/// Tenant, protobuf bytes and the hold on their memory.
async fn read(
    door: &Door,
    signal: Signal,
    encoding: Encoding,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Arc<str>, bytes::Bytes, crate::budget::Hold), Refusal> {
    let tenant = door.auth.tenant(headers)?;
    let compression = compression(headers, header::CONTENT_ENCODING, "content encoding")?;
    let bytes_max = door.intake.message_bytes_max;
    let stated = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    if stated.is_some_and(|stated: u64| stated > bytes_max) {
        return Err(Refusal::TooLarge { bytes_max });
    }
    let (bytes, hold) = door.read(body, bytes_max).await?;
    let (bytes, mut hold) = body::decompress(compression, bytes, hold, bytes_max).await?;
    let bytes = match encoding {
        Encoding::Protobuf => bytes,
        Encoding::Json => {
            // Protobuf is shorter than its JSON.
            body::grow(&mut hold, bytes.len())?;
            offload(bytes.len(), move || decode::json_to_protobuf(signal, &bytes)).await??
        }
    };
    Ok((tenant, bytes, hold))
}

async fn not_found(uri: Uri) -> Response<Body> {
    let message =
        format!("`{}` is not here, expected /v1/traces, /v1/metrics or /v1/logs", uri.path());
    reply::http_status(StatusCode::NOT_FOUND, Encoding::Json, Code::NotFound, &message)
}

async fn not_allowed() -> Response<Body> {
    let message = "OTLP requests are sent with POST";
    reply::http_status(StatusCode::METHOD_NOT_ALLOWED, Encoding::Json, Code::Unimplemented, message)
}
