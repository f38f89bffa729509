//! Strands Agents: GenAI names on agent, cycle and chat spans. The provider's name is the SDK's
//! own, and the time to first token is in milliseconds. Source: Strands documentation, “Traces”.

use super::super::inside::Inside;
use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, ServerTtft, openinference, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "strands",
    scopes: &["strands*"],
    prefixes: &["strands.", "event_loop.cycle_id"],
    names: &[NAMES, otel_genai::NAMES, openinference::NAMES],
    inside: &[("metadata", &METADATA)],
    server_ttft: ServerTtft::Millis,
    ..PLAIN
};

const NAMES: &[Name] = &[("agent.name", Fact::Agent, 20), ("tool.name", Fact::Tool, 20)];

/// OpenInference's processor renames what Strands told, and puts what it has no name for here.
const METADATA: Inside = Inside {
    rank: 160,
    bag: false,
    paths: &[
        ("gen_ai.usage.cache_read_input_tokens", Fact::CacheRead, 0),
        ("gen_ai.usage.cache_write_input_tokens", Fact::CacheWrite, 0),
    ],
};
