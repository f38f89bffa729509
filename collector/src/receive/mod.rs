//! The doors: OTLP over gRPC and HTTP. The only room that knows these wires. Takes connections,
//! authenticates, reads and decompresses within bounds, hands protobuf to the intake, and puts
//! its outcome into the words of the protocol. It does not read what is in a request.

mod auth;
mod body;
mod grpc;
mod http;
mod reply;
mod serve;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName};
use bytes::Bytes;

pub use auth::{Authenticator, Credential, DEFAULT_TENANT};
pub(crate) use grpc::router as grpc_router;
pub(crate) use http::router as http_router;
pub(crate) use serve::serve;

use crate::budget::Hold;
use crate::intake::Intake;
use crate::refusal::Refusal;
use body::Compression;

/// What both doors need.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) intake: Arc<Intake>,
    pub(crate) auth: Authenticator,
}

impl Door {
    /// The body's bytes as they came, and the hold on the memory they take.
    async fn read(&self, body: Body, bytes_max: u64) -> Result<(Bytes, Hold), Refusal> {
        let mut hold = self.intake.in_flight.hold();
        let bytes = body::read(body, &mut hold, bytes_max).await?;
        Ok((bytes, hold))
    }
}

/// The compression that a header names.
fn compression(
    headers: &HeaderMap,
    name: HeaderName,
    what: &'static str,
) -> Result<Compression, Refusal> {
    let value = headers.get(name).map_or("", |value| value.to_str().unwrap_or("(not text)"));
    Compression::from_name(value).ok_or_else(|| Refusal::Unsupported {
        what,
        found: value.to_owned(),
        expected: body::COMPRESSIONS,
    })
}
