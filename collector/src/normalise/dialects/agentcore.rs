//! Amazon Bedrock AgentCore: spans of the runtime, its memory, gateway and tools around the
//! agent's own, which speak another dialect. They own no usage; they name agent, session and
//! region. Source: AgentCore documentation, “Observability: provided span data”.

use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "agentcore",
    scopes: &["bedrock-agentcore*", "bedrock_agentcore*", "AWS.Bedrock.AgentCore*"],
    prefixes: &["aws.bedrock.agentcore.", "aws.bedrock_agentcore.", "aws.agent.id", "aws.gateway."],
    names: &[NAMES, otel_genai::NAMES],
    inside: otel_genai::INSIDE,
    ..PLAIN
};

const NAMES: &[Name] = &[
    ("aws.operation.name", Fact::Operation, 0),
    ("aws.agent.name", Fact::Agent, 0),
    ("aws.agent.id", Fact::Agent, 1),
    ("aws.region", Fact::Region, 0),
    ("aws.tool.name", Fact::Tool, 0),
    ("tool.name", Fact::Tool, 1),
    ("actor.id", Fact::User, 30),
    ("latency_ms", Fact::DurationMillis, 0),
    ("error_type", Fact::ErrorType, 0),
];
