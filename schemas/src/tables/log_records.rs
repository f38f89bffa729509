//! `log_records`: log records and events.

use super::{TENANT, call_facts, date};
use crate::table::Kind::{Float, Instant, Int, Text, TextMap};
use crate::table::{Column, Table, joined, optional, required};

/// The table.
pub static TABLE: Table = Table {
    name: "log_records",
    row: "one log record or event",
    written_by: "collector",
    columns: &COLUMNS,
    sort_by: &["service_name", "event_name", "time_unix_ns"],
    bloom: &["trace_id"],
    key: &[],
};

const COLUMNS: [Column; IDENTITY.len() + call_facts::COLUMNS.len() + REST.len()] =
    joined(&[IDENTITY, call_facts::COLUMNS, REST]);

const IDENTITY: &[Column] = &[
    date("time_unix_ns"),
    TENANT,
    required(
        "at",
        Instant,
        "",
        "time of the record, else when it was observed",
        "OTLP time_unix_nano, observed_time_unix_nano",
    ),
    required(
        "time_unix_ns",
        Int,
        "ns since epoch",
        "the same in full precision",
        "OTLP time_unix_nano",
    ),
    optional("observed_at", Instant, "", "when the client saw it", "OTLP observed_time_unix_nano"),
    required("received_at", Instant, "", "when it was acknowledged", "clock of the collector"),
    optional("severity_number", Int, "1 to 24", "severity", "OTLP severity_number"),
    optional("severity_text", Text, "", "severity as the source names it", "OTLP severity_text"),
    optional("event_name", Text, "", "kind of event", "OTLP event_name, event.name"),
    optional(
        "body",
        Text,
        "",
        "body; JSON where it is no text; null when it is content that is not kept here",
        "OTLP body",
    ),
    optional("trace_id", Text, "32 hex digits", "trace of the record", "OTLP trace_id"),
    optional("span_id", Text, "16 hex digits", "span of the record", "OTLP span_id"),
    optional("service_name", Text, "", "service", "service.name"),
    optional("service_version", Text, "", "its version", "service.version"),
    optional("environment", Text, "", "deployment environment", "deployment.environment.name"),
    optional("scope_name", Text, "", "instrumentation library", "OTLP scope.name"),
    optional("scope_version", Text, "", "its version", "OTLP scope.version"),
    optional(
        "record_role",
        Text,
        "",
        "call (the record tells of one model call) or other",
        "event name and dialect; null in rows written before the column",
    ),
    optional("duration_ms", Float, "ms", "how long the call took", "duration_ms and kin"),
];

const REST: &[Column] = &[
    optional(
        "content_bytes",
        Int,
        "bytes",
        "prompts, completions and tool payloads that are not kept here",
        "length of content fields",
    ),
    required("log_attributes", TextMap, "", "attributes of the record", "OTLP attributes"),
    required(
        "resource_attributes",
        TextMap,
        "",
        "attributes of the resource",
        "OTLP resource.attributes",
    ),
];
