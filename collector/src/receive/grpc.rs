//! OTLP/gRPC: the `Export` methods of the three collector services. The bytes of the request are
//! handed on as they are; only the frame around them is read here, so that every byte counts
//! against the limits before it is held. Sources: OTLP specification 1.9, "OTLP/gRPC"; gRPC over
//! HTTP/2 (grpc/grpc doc/PROTOCOL-HTTP2.md).

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Response, StatusCode, Uri, header};
use axum::routing::post;
use bytes::Bytes;

use super::body::Compression;
use super::{Door, body, compression, reply};
use crate::budget::Hold;
use crate::frame::Signal;
use crate::intake::{Ack, refused};
use crate::refusal::Refusal;

/// One byte says whether the message is compressed, four its length, big-endian.
const PREFIX_BYTES: usize = 5;

/// The routes of this door.
pub(crate) fn router(door: Arc<Door>) -> Router {
    let mut router = Router::new();
    for signal in Signal::ALL {
        let door = door.clone();
        let handler = move |request: Request| {
            let door = door.clone();
            async move { export(&door, signal, request).await }
        };
        router = router.route(method(signal), post(handler));
    }
    router.fallback(|uri: Uri| async move { reply::grpc_unimplemented(uri.path()) })
}

/// Path of a signal's method.
fn method(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    }
}

async fn export(door: &Door, signal: Signal, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let content_type = parts.headers.get(header::CONTENT_TYPE);
    let is_grpc = content_type.is_some_and(|value| {
        let value = value.as_bytes();
        value == b"application/grpc"
            || value.starts_with(b"application/grpc+proto")
            || value.starts_with(b"application/grpc;")
    });
    if !is_grpc {
        // What the protocol wants for a client that does not speak gRPC.
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return response;
    }
    match take(door, signal, &parts.headers, body).await {
        Ok(ack) => reply::grpc_ack(&ack),
        Err(refusal) => reply::grpc_refusal(&refusal),
    }
}

async fn take(
    door: &Door,
    signal: Signal,
    headers: &HeaderMap,
    body: Body,
) -> Result<Ack, Refusal> {
    let read = read(door, headers, body).await;
    let (tenant, bytes, _hold) = read.inspect_err(|refusal| refused(signal.name(), refusal))?;
    door.intake.submit(tenant, signal, bytes).await
}

/// Tenant, protobuf bytes and the hold on their memory.
async fn read(
    door: &Door,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Arc<str>, Bytes, Hold), Refusal> {
    let tenant = door.auth.tenant(headers)?;
    let encoding = HeaderName::from_static("grpc-encoding");
    let compression = compression(headers, encoding, "grpc-encoding")?;
    let bytes_max = door.intake.message_bytes_max;
    let (framed, hold) = door.read(body, bytes_max + PREFIX_BYTES as u64).await?;
    let (is_compressed, message) = message(framed)?;
    let compression = if is_compressed { compression } else { Compression::Identity };
    let (bytes, hold) = body::decompress(compression, message, hold, bytes_max).await?;
    Ok((tenant, bytes, hold))
}

/// The one message of a unary call, and whether it is compressed.
fn message(framed: Bytes) -> Result<(bool, Bytes), Refusal> {
    let malformed = |what: String| Refusal::Malformed(format!("gRPC message: {what}"));
    let Some(prefix) = framed.get(..PREFIX_BYTES) else {
        return Err(malformed(format!("{} bytes, expected a prefix of 5", framed.len())));
    };
    let (flag, length) = (prefix[0], &prefix[1..]);
    let length = length.iter().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
    let found = framed.len() - PREFIX_BYTES;
    if length != found {
        return Err(malformed(format!("the prefix states {length} bytes, {found} came")));
    }
    match flag {
        0 | 1 => Ok((flag == 1, framed.slice(PREFIX_BYTES..))),
        other => Err(malformed(format!("compressed flag {other}, expected 0 or 1"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unary_call_has_exactly_one_message() {
        let message = |bytes: &'static [u8]| message(Bytes::from_static(bytes));
        assert_eq!(message(&[0, 0, 0, 0, 0]), Ok((false, Bytes::new())));
        assert_eq!(message(&[1, 0, 0, 0, 2, 7, 8]), Ok((true, Bytes::from_static(&[7, 8]))));
        for broken in
            [&[][..], &[0, 0, 0, 0], &[0, 0, 0, 0, 2, 7], &[0, 0, 0, 0, 0, 7], &[2, 0, 0, 0, 0]]
        {
            assert!(message(broken).is_err(), "{broken:?}");
        }
    }
}
