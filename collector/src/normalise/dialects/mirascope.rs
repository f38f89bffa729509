//! Mirascope: OpenTelemetry's names, the details of usage in an object of its own, and models named
//! with the provider before and the API behind: `openai/gpt-5-mini:responses`. Source: spans of
//! Mirascope 2.5.

use super::super::inside::Inside;
use super::super::names::Fact;
use super::{Dialect, PLAIN, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "mirascope",
    scopes: &["mirascope*"],
    prefixes: &["mirascope."],
    names: &[otel_genai::NAMES],
    inside: &[("mirascope.response.usage", &USAGE)],
    provider_in_model: &["mirascope*"],
    model_endings: &[":completions", ":responses"],
    ..PLAIN
};

const USAGE: Inside = Inside {
    rank: 160,
    bag: false,
    paths: &[&[
        ("input_tokens", Fact::Input, 0),
        ("output_tokens", Fact::Output, 0),
        ("total_tokens", Fact::Total, 0),
        ("cache_read_tokens", Fact::CacheRead, 0),
        ("cache_write_tokens", Fact::CacheWrite, 0),
        ("reasoning_tokens", Fact::Reasoning, 0),
    ]],
};
