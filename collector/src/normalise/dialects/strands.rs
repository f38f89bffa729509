//! Strands Agents: GenAI names on agent, cycle and chat spans. The provider's name is the SDK's
//! own, and the time to first token is in milliseconds. Source: Strands documentation, “Traces”.

use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, ServerTtft, openinference, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "strands",
    scopes: &["strands*"],
    prefixes: &["strands.", "event_loop.cycle_id"],
    names: &[NAMES, otel_genai::NAMES, openinference::NAMES],
    server_ttft: ServerTtft::Millis,
    ..PLAIN
};

const NAMES: &[Name] = &[("agent.name", Fact::Agent, 20), ("tool.name", Fact::Tool, 20)];
