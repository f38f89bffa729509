//! Mastra: OpenTelemetry's names with `mastra.*` beside. A generation is the whole loop of an agent
//! over a model, a step in it one request, of which newer versions make an inference. What older
//! ones know of a step is the answer itself, where it was no stream. Source: `@mastra/observability`
//! 1.5 and 1.17, `@mastra/otel-exporter` 1.0 and 1.4.

use super::super::inside::Inside;
use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "mastra",
    scopes: &["@mastra/*"],
    prefixes: &["mastra."],
    names: &[NAMES, otel_genai::NAMES],
    inside: &[("mastra.metadata.body", &ANSWER), ("mastra.metadata.modelMetadata", &MODEL)],
    ..PLAIN
};

/// The provider's answer, as it came.
const ANSWER: Inside = Inside {
    rank: 160,
    bag: true,
    paths: &[
        ("id", Fact::ResponseId, 0),
        ("model", Fact::ResponseModel, 0),
        ("usage.input_tokens", Fact::Input, 0),
        ("usage.prompt_tokens", Fact::Input, 1),
        ("usage.output_tokens", Fact::Output, 0),
        ("usage.completion_tokens", Fact::Output, 1),
        ("usage.total_tokens", Fact::Total, 0),
        ("usage.prompt_tokens_details.cached_tokens", Fact::CacheRead, 0),
        ("usage.input_tokens_details.cached_tokens", Fact::CacheRead, 1),
        ("usage.cache_read_input_tokens", Fact::CacheRead, 2),
        ("usage.cache_creation_input_tokens", Fact::CacheWrite, 0),
        ("usage.cache_creation.ephemeral_5m_input_tokens", Fact::CacheWrite5m, 0),
        ("usage.cache_creation.ephemeral_1h_input_tokens", Fact::CacheWrite1h, 0),
        ("usage.completion_tokens_details.reasoning_tokens", Fact::Reasoning, 0),
        ("usage.output_tokens_details.reasoning_tokens", Fact::Reasoning, 1),
        // Gemini's.
        ("responseId", Fact::ResponseId, 1),
        ("modelVersion", Fact::ResponseModel, 1),
        ("usageMetadata.promptTokenCount", Fact::Input, 2),
        ("usageMetadata.candidatesTokenCount", Fact::Output, 2),
        ("usageMetadata.totalTokenCount", Fact::Total, 1),
        ("usageMetadata.cachedContentTokenCount", Fact::CacheRead, 3),
        ("usageMetadata.thoughtsTokenCount", Fact::Reasoning, 2),
    ],
};

/// Which model was asked.
const MODEL: Inside = Inside {
    rank: 170,
    bag: false,
    paths: &[("modelProvider", Fact::Provider, 0), ("modelId", Fact::RequestModel, 0)],
};

const NAMES: &[Name] = &[("mastra.span.type", Fact::Kind, 0)];
