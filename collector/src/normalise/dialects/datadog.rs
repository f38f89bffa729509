//! Datadog's tracer exporting by OTLP: counts of its LLM Observability on the spans of the clients that it
//! instruments, in scopes without a name. Source: ddtrace 4.10, `llmobs/_constants.py`.

use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "datadog",
    prefixes: &["_dd.llmobs."],
    names: &[NAMES, otel_genai::NAMES],
    ..PLAIN
};

const NAMES: &[Name] = &[
    ("_dd.llmobs.span_kind", Fact::Kind, 0),
    // The other one is `unknown` of a gateway.
    ("openai.request.provider", Fact::Provider, 0),
    ("_dd.llmobs.model_provider", Fact::Provider, 1),
    ("openai.request.model", Fact::RequestModel, 0),
    ("_dd.llmobs.model_name", Fact::ResponseModel, 0),
    ("_dd.llmobs.input_tokens", Fact::Input, 0),
    ("_dd.llmobs.output_tokens", Fact::Output, 0),
    ("_dd.llmobs.total_tokens", Fact::Total, 0),
    ("_dd.llmobs.cache_read_input_tokens", Fact::CacheRead, 0),
    ("_dd.llmobs.cache_write_input_tokens", Fact::CacheWrite, 0),
    ("_dd.llmobs.reasoning_output_tokens", Fact::Reasoning, 0),
];
