//! Outcomes in the words of the wire: the only file that knows how an [`Ack`] or a [`Refusal`]
//! looks over HTTP and gRPC. Source: OTLP specification 1.9, "OTLP/gRPC Response" and
//! "OTLP/HTTP Response"; google.rpc.Status and RetryInfo from googleapis.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use prost::Message;
use serde_json::json;
use tonic::{Code, Status};

use crate::frame::Signal;
use crate::intake::Ack;
use crate::refusal::Refusal;

/// The encoding of an OTLP/HTTP request, and so of its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    /// The encoding that a content type names, parameters aside.
    pub(super) fn from_content_type(value: &str) -> Option<Encoding> {
        let essence = value.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/x-protobuf")
            || essence.eq_ignore_ascii_case("application/protobuf")
        {
            return Some(Encoding::Protobuf);
        }
        essence.eq_ignore_ascii_case("application/json").then_some(Encoding::Json)
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Encoding::Protobuf => "application/x-protobuf",
            Encoding::Json => "application/json",
        })
    }
}

/// `Export{Trace,Metrics,Logs}ServiceResponse`: the three have the same fields under the same
/// numbers.
#[derive(Clone, PartialEq, prost::Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

/// `Export…PartialSuccess`.
#[derive(Clone, PartialEq, prost::Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, prost::Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

fn export_response(ack: &Ack) -> ExportResponse {
    let partial = ack.message.as_ref().map(|message| PartialSuccess {
        rejected: i64::try_from(ack.rejected).unwrap_or(i64::MAX),
        error_message: message.clone(),
    });
    ExportResponse { partial_success: partial }
}

/// The OTLP/HTTP response to a request that was taken: always 200, as the specification wants it
/// also for a partial success.
pub(super) fn http_ack(encoding: Encoding, signal: Signal, ack: &Ack) -> Response<Body> {
    let body = match encoding {
        Encoding::Protobuf => export_response(ack).encode_to_vec(),
        Encoding::Json => {
            let rejected = match signal {
                Signal::Traces => "rejectedSpans",
                Signal::Metrics => "rejectedDataPoints",
                Signal::Logs => "rejectedLogRecords",
            };
            let whole = match &ack.message {
                None => json!({}),
                // 64-bit integers are text in protobuf's JSON.
                Some(message) => json!({ "partialSuccess": {
                    rejected: ack.rejected.to_string(),
                    "errorMessage": message,
                }}),
            };
            whole.to_string().into_bytes()
        }
    };
    response(StatusCode::OK, encoding, body)
}

/// The OTLP/HTTP response to a request that was not taken: a `google.rpc.Status` in the encoding
/// of the request, with `Retry-After` where sending it again will help.
pub(super) fn http_refusal(encoding: Encoding, refusal: &Refusal) -> Response<Body> {
    let status = match refusal {
        Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
        Refusal::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::Unsupported { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Refusal::Unauthenticated => StatusCode::UNAUTHORIZED,
        Refusal::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Unavailable(_) | Refusal::Slow => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = http_status(status, encoding, code(refusal), &refusal.to_string());
    let headers = response.headers_mut();
    if let Some(delay) = refusal.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(delay.as_secs().max(1)));
    }
    if *refusal == Refusal::Unauthenticated {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// A response with a `google.rpc.Status` as its body.
pub(super) fn http_status(
    status: StatusCode,
    encoding: Encoding,
    code: Code,
    message: &str,
) -> Response<Body> {
    let code = i32::from(code);
    let body = match encoding {
        Encoding::Protobuf => {
            RpcStatus { code, message: message.to_owned(), details: Vec::new() }.encode_to_vec()
        }
        Encoding::Json => json!({ "code": code, "message": message }).to_string().into_bytes(),
    };
    response(status, encoding, body)
}

fn response(status: StatusCode, encoding: Encoding, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, encoding.content_type());
    response
}

/// The gRPC response to a request that was taken: one message, status 0 in the trailers.
pub(super) fn grpc_ack(ack: &Ack) -> Response<Body> {
    let message = export_response(ack);
    let mut framed = BytesMut::with_capacity(5 + message.encoded_len());
    framed.extend_from_slice(&[0]);
    framed.extend_from_slice(&(message.encoded_len() as u32).to_be_bytes());
    framed.extend_from_slice(&message.encode_to_vec());
    let mut trailers = axum::http::HeaderMap::new();
    trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
    let body = Full::new(framed.freeze()).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body));
    grpc_headers(&mut response);
    response
}

/// The gRPC response to a request that was not taken.
pub(super) fn grpc_refusal(refusal: &Refusal) -> Response<Body> {
    let (code, message) = (code(refusal), refusal.to_string());
    let details = match refusal.retry_after() {
        Some(delay) => retry_details(code, &message, delay),
        None => Bytes::new(),
    };
    let mut response = Status::with_details(code, message, details).into_http();
    grpc_headers(&mut response);
    response
}

/// The gRPC response to a method that is not there.
pub(super) fn grpc_unimplemented(path: &str) -> Response<Body> {
    let message = format!("`{path}` is not a method of this server, which takes OTLP");
    Status::unimplemented(message).into_http()
}

fn grpc_headers(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-accept-encoding", HeaderValue::from_static("identity,gzip,zstd,deflate"));
}

/// A `google.rpc.Status` with RetryInfo: without it clients take `RESOURCE_EXHAUSTED` for final
/// and drop the data.
fn retry_details(code: Code, message: &str, delay: Duration) -> Bytes {
    let delay = Delay {
        seconds: i64::try_from(delay.as_secs()).unwrap_or(i64::MAX),
        nanos: delay.subsec_nanos().cast_signed(),
    };
    let info = RetryInfo { retry_delay: Some(delay) };
    let status = RpcStatus {
        code: i32::from(code),
        message: message.to_owned(),
        details: vec![Any {
            type_url: "type.googleapis.com/google.rpc.RetryInfo".into(),
            value: info.encode_to_vec(),
        }],
    };
    Bytes::from(status.encode_to_vec())
}

fn code(refusal: &Refusal) -> Code {
    match refusal {
        // Too large is final. gRPC libraries answer it with RESOURCE_EXHAUSTED or OUT_OF_RANGE,
        // both of which OTLP clients may retry for ever.
        Refusal::Malformed(_) | Refusal::TooLarge { .. } => Code::InvalidArgument,
        Refusal::Unsupported { .. } => Code::Unimplemented,
        Refusal::Unauthenticated => Code::Unauthenticated,
        Refusal::Busy(_) => Code::ResourceExhausted,
        Refusal::Unavailable(_) | Refusal::Slow => Code::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_read_without_case_and_parameters() {
        for (value, expected) in [
            ("application/x-protobuf", Some(Encoding::Protobuf)),
            ("application/json; charset=utf-8", Some(Encoding::Json)),
            ("Application/JSON", Some(Encoding::Json)),
            ("text/plain", None),
            ("application/jsonl", None),
            ("", None),
        ] {
            assert_eq!(Encoding::from_content_type(value), expected, "{value}");
        }
    }

    #[test]
    fn retry_info_has_the_bytes_of_googleapis() {
        // Status{code=8, message="m", details=[Any{type_url, RetryInfo{Duration{seconds=1}}}]},
        // written out by the protobuf encoding rules.
        let url = b"type.googleapis.com/google.rpc.RetryInfo";
        let mut any = vec![0x0a, url.len() as u8];
        any.extend_from_slice(url);
        any.extend_from_slice(&[0x12, 4, 0x0a, 2, 0x08, 1]);
        let mut expected = vec![0x08, 8, 0x12, 1, b'm', 0x1a, any.len() as u8];
        expected.extend_from_slice(&any);
        assert_eq!(retry_details(Code::ResourceExhausted, "m", Duration::from_secs(1)), expected);
    }
}
