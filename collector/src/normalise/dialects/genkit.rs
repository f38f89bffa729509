//! Genkit: spans of actions (`genkit:metadata:subtype` says of what: a model, a tool, a flow), whose
//! output holds the usage, in Genkit's words and as the provider said it. The spans around a model's
//! (`generate`) repeat it. The model is the name of the action, after the plugin that brings it.
//! Source: spans of genkit 1.42.

use super::super::inside::Inside;
use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "genkit",
    scopes: &["genkit-tracer"],
    prefixes: &["genkit:"],
    names: &[NAMES],
    inside: &[("genkit:output", &OUTPUT)],
    model_of_calls: Some("genkit:name"),
    ..PLAIN
};

const OUTPUT: Inside = Inside {
    rank: 70,
    bag: true,
    paths: &[&[
        ("usage.inputTokens", Fact::Input, 0),
        ("usage.outputTokens", Fact::Output, 0),
        ("usage.totalTokens", Fact::Total, 0),
        ("usage.cachedContentTokens", Fact::CacheRead, 0),
        ("raw.usage.prompt_tokens_details.cached_tokens", Fact::CacheRead, 1),
        ("raw.usage.input_tokens_details.cached_tokens", Fact::CacheRead, 2),
        ("custom.usageMetadata.cachedContentTokenCount", Fact::CacheRead, 3),
        ("usage.thoughtsTokens", Fact::Reasoning, 0),
        ("raw.usage.completion_tokens_details.reasoning_tokens", Fact::Reasoning, 1),
        ("raw.usage.output_tokens_details.reasoning_tokens", Fact::Reasoning, 2),
        ("custom.usageMetadata.thoughtsTokenCount", Fact::Reasoning, 3),
        ("raw.id", Fact::ResponseId, 0),
        ("custom.responseId", Fact::ResponseId, 1),
        ("raw.model", Fact::ResponseModel, 0),
        ("custom.modelVersion", Fact::ResponseModel, 1),
        ("raw.service_tier", Fact::ServiceTier, 0),
        ("finishReason", Fact::FinishReason, 0),
    ]],
};

const NAMES: &[Name] = &[
    ("genkit:metadata:subtype", Fact::Kind, 0),
    ("genkit:type", Fact::Kind, 1),
    ("genkit:metadata:flow:name", Fact::Workflow, 0),
];
