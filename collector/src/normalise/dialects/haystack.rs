//! Haystack's own tracer: a span of each component that ran, with the class of it, and its output
//! with the usage in every reply, where `HAYSTACK_CONTENT_TRACING_ENABLED` is set. The scope is the
//! application's. Source: `haystack.tracing` and the spans of Haystack 2.8; the words of 3.4.

use super::super::inside::{Inside, counts_of_usage, parts_of_usage};
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
        counts_of_usage!("replies.meta.usage."),
        parts_of_usage!("replies.meta.usage."),
        counts_of_usage!("meta.usage."),
        parts_of_usage!("meta.usage."),
        &[
            ("replies.meta.usage.total_tokens", Fact::Total, 0),
            ("meta.usage.total_tokens", Fact::Total, 1),
            // Gemini's and Bedrock's, as Haystack words them.
            ("replies.meta.usage.cached_content_token_count", Fact::CacheRead, 0),
            ("replies.meta.usage.thoughts_token_count", Fact::Reasoning, 0),
            ("replies.meta.usage.cache_write_input_tokens", Fact::CacheWrite, 0),
            ("replies.meta.model", Fact::ResponseModel, 0),
            ("meta.model", Fact::ResponseModel, 1),
            ("replies.meta.finish_reason", Fact::FinishReason, 0),
            ("meta.finish_reason", Fact::FinishReason, 1),
        ],
    ],
};

const NAMES: &[Name] =
    &[("haystack.component.type", Fact::Kind, 0), ("haystack.tool.name", Fact::Tool, 0)];
