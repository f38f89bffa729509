//! `span_verdicts`: what the whole trace says of spans that are no calls of their own.

use super::{TENANT, date};
use crate::table::Kind::{Instant, Int, Text};
use crate::table::{Column, Table, optional, required};

/// The table.
pub static TABLE: Table = Table {
    name: "span_verdicts",
    row: "one span that its trace shows to be a roll-up or a duplicate; `spans` shows its role and `duplicate_of`",
    written_by: "ledger (settle)",
    columns: COLUMNS,
    sort_by: &["trace_id", "span_id"],
    bloom: &["trace_id"],
    key: &["tenant", "trace_id", "span_id"],
};

const COLUMNS: &[Column] = &[
    date("start of the span"),
    TENANT,
    required("trace_id", Text, "32 hex digits", "trace of the span", "spans"),
    required("span_id", Text, "16 hex digits", "the span", "spans"),
    required("span_role", Text, "", "rollup or duplicate", "settle, over the whole trace"),
    optional(
        "duplicate_of",
        Text,
        "16 hex digits",
        "span of the call it tells of; null for a roll-up",
        "settle",
    ),
    optional(
        "duplicate_of_trace",
        Text,
        "32 hex digits",
        "trace of that span; the same or another",
        "settle",
    ),
    required(
        "rule",
        Text,
        "",
        "same-response-id, same-usage-nested, same-usage-and-moment, same-output-and-moment, stream-not-followed, end-of-stream, part-of-call, around-call, around-calls, repeats-calls, more-than-its-calls or usage-without-call",
        "settle",
    ),
    optional(
        "uncounted_input_tokens",
        Int,
        "tokens",
        "input that a roll-up tells beyond its calls: in no call and no cost",
        "the roll-up's usage less that below it",
    ),
    optional(
        "uncounted_output_tokens",
        Int,
        "tokens",
        "output that a roll-up tells beyond its calls: in no call and no cost",
        "the roll-up's usage less that below it",
    ),
    required("settled_at", Instant, "", "when settle decided the row", "clock of the ledger"),
];
