//! What every trace set becomes on its way to OTLP: sessions with an owner, and the model calls
//! in them, placed on the wall clock. Takes nothing from outside; ids are derived from the
//! source's own keys, so that every run of the demo speaks of the same spans.

use spanledger_schemas::ids::{SpanId, TraceId};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// One trace: a root span, which alone knows the owner, and the model calls below it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) trace_id: TraceId,
    /// Name of the root span.
    pub(super) name: String,
    /// The agent, when the session is a run of one: its root then repeats the usage of its calls,
    /// as agent frameworks do.
    pub(super) agent: Option<&'static str>,
    pub(super) owner: Owner,
    pub(super) calls: Vec<Call>,
}

/// Who a session is charged to. None of it is in the sources: the demo adds it.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) team: &'static str,
    pub(super) feature: &'static str,
    pub(super) user: Option<String>,
    pub(super) session: Option<String>,
}

/// One model call with what its source knows about it.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) span_id: SpanId,
    pub(super) start_unix_ns: i64,
    pub(super) end_unix_ns: i64,
    pub(super) operation: &'static str,
    pub(super) provider: &'static str,
    pub(super) model: String,
    pub(super) input_tokens: i64,
    /// None where the source counts something else than tokens.
    pub(super) output_tokens: Option<i64>,
    pub(super) time_to_first_chunk_s: Option<f64>,
    pub(super) finish_reason: Option<String>,
    pub(super) response_id: Option<String>,
    pub(super) failed: bool,
    /// Whole-number columns of the source that have no name in the semantic conventions.
    pub(super) more: Vec<(&'static str, i64)>,
}

impl Session {
    /// From the first start to the last end of its calls.
    pub(super) fn span_of_time(&self) -> (i64, i64) {
        let start = self.calls.iter().map(|c| c.start_unix_ns).min().unwrap_or_default();
        let end = self.calls.iter().map(|c| c.end_unix_ns).max().unwrap_or_default();
        (start, end)
    }

    /// Id of the root span.
    pub(super) fn root_id(&self) -> SpanId {
        span_id(&format!("{} root", self.trace_id))
    }
}

/// The trace of a source's key, such as `claude-code/0003e152…`.
pub(super) fn trace_id(key: &str) -> TraceId {
    TraceId(xxh3_128(key.as_bytes()).to_be_bytes())
}

/// The span of a source's key.
pub(super) fn span_id(key: &str) -> SpanId {
    SpanId(xxh3_64(key.as_bytes()).to_be_bytes())
}

/// Nanoseconds of a number of seconds.
pub(super) fn nanos(seconds: f64) -> i64 {
    (seconds * 1e9).round() as i64
}

/// Puts rows into groups by key, groups in order of first appearance.
pub(super) fn grouped<T, K: PartialEq>(rows: Vec<T>, key: impl Fn(&T) -> K) -> Vec<(K, Vec<T>)> {
    let mut groups: Vec<(K, Vec<T>)> = Vec::new();
    for row in rows {
        let of = key(&row);
        match groups.iter_mut().find(|(k, _)| *k == of) {
            Some((_, group)) => group.push(row),
            None => groups.push((of, vec![row])),
        }
    }
    groups
}
