//! `contents`: what was said, apart from what it cost; written only when capture is on.

use super::{TENANT, date};
use crate::table::Kind::{Bool, Instant, Int, Text};
use crate::table::{Column, Table, optional, required};

/// The table.
pub static TABLE: Table = Table {
    name: "contents",
    row: "one prompt, completion or tool payload of a span or log record; only when `contents.capture` is on",
    written_by: "collector",
    columns: COLUMNS,
    sort_by: &["trace_id", "span_id"],
    bloom: &["trace_id"],
    key: &["tenant", "trace_id", "span_id", "field", "position"],
};

const COLUMNS: &[Column] = &[
    date("at"),
    TENANT,
    required(
        "trace_id",
        Text,
        "32 hex digits",
        "trace of the span; of a log record in none, that of its session in `calls`, else one of its own",
        "OTLP trace_id, or a hash",
    ),
    required(
        "span_id",
        Text,
        "16 hex digits",
        "span the content belongs to; of a log record in none, the record",
        "OTLP span_id, or a hash",
    ),
    required("at", Instant, "", "start of the span, or time of the event", "OTLP"),
    required(
        "kind",
        Text,
        "",
        "system, input, output, tool-definitions, tool-arguments, tool-result or other",
        "the attribute's name",
    ),
    required(
        "field",
        Text,
        "",
        "attribute or event the content came in; `attribute→key` out of the parameters of a request",
        "OTLP key",
    ),
    required("position", Int, "", "running number among the span's contents", "order in the span"),
    required("body", Text, "", "the content; JSON where the attribute was no text", "OTLP value"),
    required("body_bytes", Int, "bytes", "length before redaction and any cut", "OTLP value"),
    required(
        "truncated",
        Bool,
        "",
        "whether the body was cut at the cap",
        "contents.body_bytes_max",
    ),
    optional(
        "redactions",
        Int,
        "",
        "how many times a rule took something out of the body; null when there were no rules",
        "contents.redact",
    ),
];
