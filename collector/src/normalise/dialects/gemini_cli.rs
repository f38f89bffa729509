//! Gemini CLI: spans (`llm_call`), log events (`gemini_cli.api_response`, and OpenTelemetry's
//! event of an inference beside it) and metrics. Cached tokens and thoughts are told by
//! `gemini_cli.api_response` alone. Source: Gemini CLI documentation, “Observability”.

use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "gemini-cli",
    scopes: &["gemini-cli*", "gemini_cli*"],
    prefixes: &["gemini_cli."],
    names: &[NAMES, otel_genai::NAMES],
    // As it names it itself where it does.
    provider: Some("gcp.gen_ai"),
    ..PLAIN
};

pub(super) const NAMES: &[Name] = &[
    ("model", Fact::Model, 0),
    ("model_name", Fact::Model, 1),
    ("duration_ms", Fact::DurationMillis, 0),
    ("error_type", Fact::ErrorType, 0),
    ("finish_reasons", Fact::FinishReason, 10),
    ("input_token_count", Fact::Input, 0),
    ("output_token_count", Fact::Output, 0),
    ("total_token_count", Fact::Total, 0),
    ("cached_content_token_count", Fact::CacheRead, 0),
    ("thoughts_token_count", Fact::Reasoning, 0),
    ("function_name", Fact::Tool, 0),
];
