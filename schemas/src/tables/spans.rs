//! `spans`: what was received, normalised. Unit: one span of one OTLP request.

use super::{TENANT, call_facts, date};
use crate::table::Kind::{Bool, Instant, Int, Text, TextMap};
use crate::table::{Column, Table, joined, optional, required};

/// The table.
pub static TABLE: Table = Table {
    name: "spans",
    row: "one received span, normalised, with the attributes that have no column of their own kept",
    written_by: "collector",
    columns: &COLUMNS,
    sort_by: &["service_name", "request_model", "start_unix_ns"],
    bloom: &["trace_id"],
    key: &["tenant", "trace_id", "span_id"],
};

const COLUMNS: [Column; IDENTITY.len() + call_facts::COLUMNS.len() + REST.len()] =
    joined(&[IDENTITY, call_facts::COLUMNS, REST]);

const IDENTITY: &[Column] = &[
    date("start_unix_ns"),
    TENANT,
    required("trace_id", Text, "32 hex digits", "trace of the span", "OTLP trace_id"),
    required("span_id", Text, "16 hex digits", "the span", "OTLP span_id"),
    optional(
        "parent_span_id",
        Text,
        "16 hex digits",
        "parent span; null for a root",
        "OTLP parent_span_id",
    ),
    required("name", Text, "", "span name", "OTLP name"),
    required(
        "kind",
        Text,
        "",
        "unspecified, internal, server, client, producer or consumer",
        "OTLP kind",
    ),
    required("start_at", Instant, "", "start", "OTLP start_time_unix_nano, microseconds"),
    required(
        "start_unix_ns",
        Int,
        "ns since epoch",
        "start, in full precision",
        "OTLP start_time_unix_nano",
    ),
    required("duration_ns", Int, "ns", "end minus start", "OTLP end_time_unix_nano"),
    required("status_code", Text, "", "unset, ok or error", "OTLP status.code"),
    optional("status_message", Text, "", "why it failed", "OTLP status.message"),
    required(
        "received_at",
        Instant,
        "",
        "when the request was acknowledged",
        "clock of the collector",
    ),
    optional("service_name", Text, "", "service that made the span", "service.name"),
    optional("service_version", Text, "", "its version", "service.version"),
    optional("environment", Text, "", "deployment environment", "deployment.environment.name"),
    optional("scope_name", Text, "", "instrumentation library", "OTLP scope.name"),
    optional("scope_version", Text, "", "its version", "OTLP scope.version"),
    required(
        "span_role",
        Text,
        "",
        "call (a model inference with usage of its own), rollup (an agent or workflow span that repeats usage), duplicate or other",
        "operation and dialect, as seen on the span alone; `calls` decides over the whole trace",
    ),
    optional("duplicate_of", Text, "16 hex digits", "span that says the same call", "settle"),
];

const REST: &[Column] = &[
    optional(
        "covers_call",
        Bool,
        "",
        "false where the span is a part of the call that it tells of, which then took longer by an unknown time",
        "dialect; a stream of which nothing is told but that it began",
    ),
    optional(
        "stream_ns",
        Int,
        "ns",
        "how long the stream took that ends with the span, which has no length itself",
        "dialect; Logfire's duration",
    ),
    optional(
        "running_sum",
        Text,
        "",
        "where the usage is that of the call and of those before it below the same span together: goes-on when it asks for tools and another follows, and of such a tool, else ends",
        "dialect; Spring AI",
    ),
    optional(
        "content_bytes",
        Int,
        "bytes",
        "prompts, completions and tool payloads that came with the span and are not kept here",
        "length of content attributes",
    ),
    required(
        "span_attributes",
        TextMap,
        "",
        "attributes that have no column of their own; arrays and maps as JSON",
        "OTLP attributes",
    ),
    required(
        "resource_attributes",
        TextMap,
        "",
        "the same of the resource",
        "OTLP resource.attributes",
    ),
    optional(
        "events",
        Text,
        "JSON",
        "events: list of {name, time_unix_ns, attributes}",
        "OTLP events",
    ),
    optional("links", Text, "JSON", "links: list of {trace_id, span_id, attributes}", "OTLP links"),
    optional(
        "dropped_items",
        Int,
        "",
        "attributes, events and links the client dropped",
        "OTLP dropped_*_count",
    ),
];
