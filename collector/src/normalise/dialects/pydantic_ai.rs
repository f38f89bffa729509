//! Pydantic AI and Logfire: GenAI names. Before 2.0 an agent's span has no operation and repeats
//! `gen_ai.usage.*` of its requests; since then its sums are `gen_ai.aggregated_usage.*`, which are
//! not read. Cost is genai-prices', in US dollars. Source: Pydantic AI documentation, “Logfire”.

use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "pydantic-ai",
    scopes: &["pydantic-ai*", "pydantic_ai*", "logfire*"],
    prefixes: &["pydantic_ai."],
    names: &[NAMES, otel_genai::NAMES],
    inside: otel_genai::INSIDE,
    ..PLAIN
};

const NAMES: &[Name] = &[
    ("operation.cost", Fact::Cost, 0),
    ("agent_name", Fact::Agent, 20),
    ("gen_ai.usage.details.input_audio_tokens", Fact::AudioIn, 0),
    ("gen_ai.usage.details.output_audio_tokens", Fact::AudioOut, 0),
];
