//! Haystack's own tracer: a span of each component that ran, with the class of it, and its output
//! with the usage in every reply, where `HAYSTACK_CONTENT_TRACING_ENABLED` is set. The scope is the
//! application's. Source: `haystack.tracing` and the spans of Haystack 2.8; the words of 3.4.

use super::super::inside::Inside;
use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "haystack",
    scopes: &["haystack*"],
    prefixes: &["haystack."],
    names: &[NAMES],
    inside: &[("haystack.component.output", &OUTPUT), ("haystack.agent.step.llm.output", &OUTPUT)],
    kind_is_class: true,
    ..PLAIN
};

/// Of chats each reply tells what all of them used; of texts and embeddings it stands beside.
const OUTPUT: Inside = Inside {
    rank: 70,
    bag: true,
    paths: &[
        ("replies.meta.model", Fact::ResponseModel, 0),
        ("meta.model", Fact::ResponseModel, 1),
        ("replies.meta.finish_reason", Fact::FinishReason, 0),
        ("meta.finish_reason", Fact::FinishReason, 1),
        ("replies.meta.usage.prompt_tokens", Fact::Input, 0),
        ("replies.meta.usage.input_tokens", Fact::Input, 1),
        ("meta.usage.prompt_tokens", Fact::Input, 2),
        ("replies.meta.usage.completion_tokens", Fact::Output, 0),
        ("replies.meta.usage.output_tokens", Fact::Output, 1),
        ("meta.usage.completion_tokens", Fact::Output, 2),
        ("replies.meta.usage.total_tokens", Fact::Total, 0),
        ("meta.usage.total_tokens", Fact::Total, 1),
        // OpenAI's details, chats and responses.
        ("replies.meta.usage.prompt_tokens_details.cached_tokens", Fact::CacheRead, 0),
        ("replies.meta.usage.input_tokens_details.cached_tokens", Fact::CacheRead, 1),
        ("meta.usage.prompt_tokens_details.cached_tokens", Fact::CacheRead, 2),
        // Anthropic's and Bedrock's, and Gemini's.
        ("replies.meta.usage.cache_read_input_tokens", Fact::CacheRead, 3),
        ("replies.meta.usage.cached_content_token_count", Fact::CacheRead, 4),
        ("replies.meta.usage.cache_creation_input_tokens", Fact::CacheWrite, 0),
        ("replies.meta.usage.cache_write_input_tokens", Fact::CacheWrite, 1),
        ("replies.meta.usage.cache_creation.ephemeral_5m_input_tokens", Fact::CacheWrite5m, 0),
        ("replies.meta.usage.cache_creation.ephemeral_1h_input_tokens", Fact::CacheWrite1h, 0),
        ("replies.meta.usage.completion_tokens_details.reasoning_tokens", Fact::Reasoning, 0),
        ("replies.meta.usage.output_tokens_details.reasoning_tokens", Fact::Reasoning, 1),
        ("replies.meta.usage.thoughts_token_count", Fact::Reasoning, 2),
        ("meta.usage.completion_tokens_details.reasoning_tokens", Fact::Reasoning, 3),
    ],
};

const NAMES: &[Name] =
    &[("haystack.component.type", Fact::Kind, 0), ("haystack.tool.name", Fact::Tool, 0)];
