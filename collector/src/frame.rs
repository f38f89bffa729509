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

impl Signal {
    /// All of them, in the order of OTLP.
    pub const ALL: [Signal; 3] = [Signal::Traces, Signal::Metrics, Signal::Logs];

    /// Its name in paths and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Metrics => "metrics",
            Signal::Logs => "logs",
        }
    }

    /// Its number in the log.
    pub const fn code(self) -> u8 {
        match self {
            Signal::Traces => 1,
            Signal::Metrics => 2,
            Signal::Logs => 3,
        }
    }

    /// The signal of a number in the log.
    pub fn from_code(code: u8) -> Option<Signal> {
        Signal::ALL.into_iter().find(|signal| signal.code() == code)
    }
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
