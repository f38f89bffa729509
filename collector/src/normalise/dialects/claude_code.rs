//! Claude Code: spans (`claude_code.llm_request`), log events (`claude_code.api_request`) and
//! metrics of the same calls, with attributes that have no namespace. The id it calls the
//! response's is the request's. Source: Claude Code documentation, “Monitoring usage”.

use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "claude-code",
    scopes: &["com.anthropic.claude_code*"],
    prefixes: &[],
    names: &[NAMES, otel_genai::NAMES],
    ..PLAIN
};

const NAMES: &[Name] = &[
    ("span.type", Fact::Kind, 0),
    // firstParty, bedrock, vertex, foundry.
    ("anthropic.provider", Fact::Provider, 0),
    ("model", Fact::Model, 0),
    ("request_id", Fact::ResponseId, 35),
    ("stop_reason", Fact::FinishReason, 0),
    ("error_class", Fact::ErrorType, 0),
    ("status_code", Fact::ErrorType, 10),
    ("ttft_ms", Fact::TtftMillis, 0),
    ("attempt", Fact::Attempt, 0),
    ("duration_ms", Fact::DurationMillis, 0),
    ("input_tokens", Fact::Input, 0),
    ("output_tokens", Fact::Output, 0),
    ("cache_read_tokens", Fact::CacheRead, 0),
    ("cache_creation_tokens", Fact::CacheWrite, 0),
    ("cache_creation_5m_tokens", Fact::CacheWrite5m, 0),
    ("cache_creation_1h_tokens", Fact::CacheWrite1h, 0),
    ("cost_usd", Fact::Cost, 0),
    ("tool_name", Fact::Tool, 0),
    ("app.version", Fact::ServiceVersion, 0),
    ("claude.code.session_id", Fact::Session, 30),
];
