//! Codex CLI: log events (`codex.sse_event` of kind `response.completed`), metrics, and the
//! program's inner spans, of which only some tell usage. Counts come as texts and as numbers, and
//! `tool_token_count` is the total. Source: Codex documentation, “Observability and telemetry”.

use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "codex",
    scopes: &["codex*"],
    prefixes: &["codex."],
    names: &[NAMES, otel_genai::NAMES],
    sums: &["codex.turn."],
    // The model is on an ancestor.
    usage_is_call: true,
    // `duration_ms` there is the wait since the event before.
    waits: &["codex.sse_event", "codex.websocket_event"],
    ..PLAIN
};

const NAMES: &[Name] = &[
    ("model", Fact::RequestModel, 20),
    ("provider_name", Fact::Provider, 20),
    ("conversation.id", Fact::Session, 20),
    ("ttft_ms", Fact::TtftMillis, 0),
    ("duration_ms", Fact::DurationMillis, 0),
    ("attempt", Fact::Resends, 0),
    ("input_token_count", Fact::Input, 0),
    ("output_token_count", Fact::Output, 0),
    ("tool_token_count", Fact::Total, 0),
    ("cached_token_count", Fact::CacheRead, 0),
    ("cache_write_token_count", Fact::CacheWrite, 0),
    ("reasoning_token_count", Fact::Reasoning, 0),
    ("codex.usage.total_tokens", Fact::Total, 1),
    ("codex.usage.reasoning_output_tokens", Fact::Reasoning, 1),
    // The sum of a turn.
    ("codex.turn.token_usage.input_tokens", Fact::Input, 10),
    ("codex.turn.token_usage.output_tokens", Fact::Output, 10),
    ("codex.turn.token_usage.total_tokens", Fact::Total, 10),
    ("codex.turn.token_usage.cached_input_tokens", Fact::CacheRead, 10),
    ("codex.turn.token_usage.cache_write_input_tokens", Fact::CacheWrite, 10),
    ("codex.turn.token_usage.non_cached_input_tokens", Fact::Uncached, 10),
    ("codex.turn.token_usage.reasoning_output_tokens", Fact::Reasoning, 10),
    ("tool_name", Fact::Tool, 0),
    ("app.version", Fact::ServiceVersion, 0),
];
