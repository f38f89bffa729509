//! LangWatch: a type of its own for each span, the model after its provider, and the counts in one object.
//! Source: spans of its SDK 0.2 and 0.13 for Python.

use super::super::inside::{self, Inside};
use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "langwatch",
    scopes: &["langwatch*"],
    prefixes: &["langwatch.span.type", "langwatch.metrics"],
    names: &[NAMES, otel_genai::NAMES],
    inside: &[("langwatch.metrics", &METRICS), ("langwatch.params", &inside::PARAMETERS)],
    provider_in_model: &["langwatch*"],
    ..PLAIN
};

const METRICS: Inside = Inside {
    rank: 62,
    bag: false,
    paths: &[&[
        ("prompt_tokens", Fact::Input, 0),
        ("completion_tokens", Fact::Output, 0),
        ("reasoning_tokens", Fact::Reasoning, 0),
        ("cost", Fact::Cost, 0),
    ]],
};

const NAMES: &[Name] = &[("langwatch.span.type", Fact::Kind, 0)];
