//! A frame: one accepted request, the unit of the log. Every stage passes it on unchanged.

use std::sync::Arc;

use bytes::Bytes;
use spanledger_schemas::ids::LogSeq;

/// Which OTLP service a request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// `ExportTraceServiceRequest`
    Traces,
    /// `ExportMetricsServiceRequest`
    Metrics,
    /// `ExportLogsServiceRequest`
    Logs,
}

/// One durable request.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Place in the log.
    pub seq: LogSeq,
    /// Owner, from the credential.
    pub tenant: Arc<str>,
    /// What the body is.
    pub signal: Signal,
    /// When it was received, nanoseconds since the epoch.
    pub received_unix_ns: i64,
    /// The protobuf request, decompressed (OTLP/JSON is turned into protobuf at the door).
    pub body: Bytes,
}
