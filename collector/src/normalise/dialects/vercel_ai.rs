//! Vercel AI SDK: `ai.*` of version 4, 5 and 6 (scope `ai`), and the GenAI names of version 7
//! (scope `gen_ai`). An outer span sums its steps; the steps end in `.doGenerate`, `.doStream` or
//! `.doEmbed`. Version 5 leaves cached tokens to `ai.response.providerMetadata`. Source: AI SDK
//! documentation, “Telemetry”.

use super::super::inside::{VERCEL_METADATA, VERCEL_USAGE_NAMES};
use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "vercel-ai",
    scopes: &["ai", "gen_ai"],
    prefixes: &[
        "ai.operationId",
        "ai.model.",
        "ai.usage.",
        "ai.telemetry.",
        "ai.settings.context.",
    ],
    names: &[NAMES, VERCEL_USAGE_NAMES, otel_genai::NAMES],
    inside: &[("ai.response.providerMetadata", &VERCEL_METADATA)],
    user_agent: Some(("ai.request.headers.user-agent", "ai/")),
    ..PLAIN
};

const NAMES: &[Name] = &[
    ("ai.operationId", Fact::Kind, 0),
    ("ai.model.provider", Fact::Provider, 0),
    ("ai.model.id", Fact::RequestModel, 0),
    ("ai.response.model", Fact::ResponseModel, 0),
    ("ai.response.id", Fact::ResponseId, 0),
    ("ai.response.finishReason", Fact::FinishReason, 0),
    ("ai.finishReason", Fact::FinishReason, 1),
    ("ai.response.msToFirstChunk", Fact::TtftMillis, 0),
    ("ai.stream.msToFirstChunk", Fact::TtftMillis, 1),
    ("ai.toolCall.name", Fact::Tool, 0),
    ("gen_ai.usage.input_tokens", Fact::Input, 0),
    ("gen_ai.usage.output_tokens", Fact::Output, 0),
    ("ai.telemetry.metadata.team", Fact::Team, 0),
    ("ai.telemetry.metadata.teamId", Fact::Team, 1),
    ("ai.settings.context.team", Fact::Team, 2),
    ("ai.settings.context.teamId", Fact::Team, 3),
    ("ai.telemetry.metadata.userId", Fact::User, 0),
    ("ai.telemetry.metadata.user_id", Fact::User, 1),
    ("ai.settings.context.userId", Fact::User, 2),
    ("ai.telemetry.metadata.sessionId", Fact::Session, 0),
    ("ai.telemetry.metadata.session_id", Fact::Session, 1),
    ("ai.settings.context.sessionId", Fact::Session, 2),
    ("ai.telemetry.metadata.feature", Fact::Feature, 0),
    ("ai.telemetry.functionId", Fact::Feature, 10),
    ("ai.settings.context.feature", Fact::Feature, 1),
];
