//! Judgment Labs' tracer of clients: the provider's own usage beside names of its own, whose input is
//! without cached tokens where the provider tells them apart. Source: spans of judgeval 0.24.

use super::super::inside;
use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "judgeval",
    scopes: &["judgeval"],
    prefixes: &["judgment.usage.", "judgment.llm.", "judgment.span_kind"],
    names: &[NAMES, otel_genai::NAMES],
    inside: &[("judgment.usage.metadata", &inside::USAGE)],
    ..PLAIN
};

/// The counts rank behind the provider's own.
const NAMES: &[Name] = &[
    ("judgment.span_kind", Fact::Kind, 0),
    ("judgment.llm.provider", Fact::Provider, 0),
    ("judgment.llm.model", Fact::ResponseModel, 0),
    ("judgment.usage.non_cached_input_tokens", Fact::Input, 29),
    ("judgment.usage.output_tokens", Fact::Output, 29),
    ("judgment.usage.cache_read_input_tokens", Fact::CacheRead, 29),
    ("judgment.usage.cache_creation_input_tokens", Fact::CacheWrite, 29),
];
