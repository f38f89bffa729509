//! Rows of `contents`: prompts, completions and tool payloads, written only when capture is on.

use std::sync::Arc;

use arrow::array::{BooleanBuilder, Date32Builder, Int64Builder, RecordBatch, StringBuilder};
use spanledger_schemas::ids::{SpanId, TraceId};
use spanledger_schemas::{tables, time};

use super::columns::{Instants, batch, cut, done};
use crate::decode::Value;
use crate::normalise::ContentKind;
use crate::redact::Redaction;

/// Whether content is kept, how much of one piece, and what is taken out of it first.
#[derive(Debug, Clone)]
pub struct ContentRules {
    /// Whether rows of `contents` are written at all; off by default.
    pub capture: bool,
    /// Bytes kept of one piece; the rest is cut and the row says so.
    pub body_bytes_max: usize,
    /// Applied to a whole piece, before it is cut.
    pub redaction: Arc<Redaction>,
}

impl Default for ContentRules {
    fn default() -> Self {
        // A megabyte holds a context window of a quarter million tokens.
        Self { capture: false, body_bytes_max: 1024 * 1024, redaction: Arc::default() }
    }
}

/// Where a piece of content belongs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'t> {
    pub(super) tenant: &'t str,
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    pub(super) at_unix_ns: i64,
}

/// Columns of `contents`.
#[derive(Debug, Default)]
pub(super) struct ContentColumns {
    pub(super) rows: usize,
    pub(super) bytes: usize,
    date: Date32Builder,
    tenant: StringBuilder,
    trace_id: StringBuilder,
    span_id: StringBuilder,
    at: Instants,
    kind: StringBuilder,
    field: StringBuilder,
    position: Int64Builder,
    body: StringBuilder,
    body_bytes: Int64Builder,
    truncated: BooleanBuilder,
    redactions: Int64Builder,
}

impl ContentColumns {
    pub(super) fn append(
        &mut self,
        place: &Place<'_>,
        kind: ContentKind,
        field: &str,
        position: i64,
        value: Value<'_>,
        rules: &ContentRules,
    ) {
        let text = value.text().unwrap_or_default();
        // A secret across the cut must be found whole.
        let (kept, redactions) = rules.redaction.apply(field, &text);
        let body = cut(&kept, rules.body_bytes_max);
        self.date.append_value(time::day(place.at_unix_ns));
        self.tenant.append_value(place.tenant);
        self.trace_id.append_value(place.trace_id.to_string());
        self.span_id.append_value(place.span_id.to_string());
        self.at.append_ns(place.at_unix_ns);
        self.kind.append_value(kind.word());
        self.field.append_value(field);
        self.position.append_value(position);
        self.body.append_value(body);
        self.body_bytes.append_value(text.len() as i64);
        self.truncated.append_value(body.len() < kept.len());
        self.redactions.append_option((!rules.redaction.is_empty()).then_some(redactions));
        self.rows += 1;
        self.bytes += 160 + field.len() + body.len();
    }

    pub(super) fn finish(mut self) -> RecordBatch {
        batch(
            &tables::contents::TABLE,
            vec![
                done(&mut self.date),
                done(&mut self.tenant),
                done(&mut self.trace_id),
                done(&mut self.span_id),
                self.at.finish(),
                done(&mut self.kind),
                done(&mut self.field),
                done(&mut self.position),
                done(&mut self.body),
                done(&mut self.body_bytes),
                done(&mut self.truncated),
                done(&mut self.redactions),
            ],
        )
    }
}
