//! Langfuse SDKs 3 to 5, Python and JS: `langfuse.observation.*`, values as JSON strings. The
//! usage is one object: the provider's own where the SDK wraps its client, else disjoint parts
//! (`input`, `input_cached_tokens`, …). Source: Langfuse documentation, “OpenTelemetry” and
//! “Token and cost tracking”.

use super::super::inside;
use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "langfuse",
    scopes: &["langfuse*"],
    prefixes: &[
        "langfuse.observation.type",
        "langfuse.observation.usage",
        "langfuse.observation.model",
    ],
    names: &[NAMES, otel_genai::NAMES],
    inside: &[
        ("langfuse.observation.usage_details", &inside::USAGE),
        ("langfuse.observation.cost_details", &inside::COST),
        ("langfuse.observation.model.parameters", &inside::PARAMETERS),
        ("langfuse.trace.metadata", &inside::METADATA),
        ("langfuse.observation.metadata", &inside::METADATA),
    ],
    json_values: true,
    ..PLAIN
};

const NAMES: &[Name] = &[
    ("langfuse.observation.type", Fact::Kind, 0),
    ("langfuse.observation.model.name", Fact::Model, 0),
    ("langfuse.observation.completion_start_time", Fact::FirstTokenAt, 0),
    ("langfuse.observation.level", Fact::Level, 0),
    ("langfuse.observation.metadata.finish_reason", Fact::FinishReason, 30),
    ("langfuse.observation.metadata.id", Fact::ResponseId, 30),
    ("langfuse.observation.metadata.service_tier", Fact::ServiceTier, 30),
    ("langfuse.observation.metadata.ls_provider", Fact::Provider, 30),
    ("langfuse.environment", Fact::Environment, 0),
    ("langfuse.release", Fact::ServiceVersion, 0),
    ("langfuse.trace.name", Fact::Workflow, 0),
    ("langfuse.user.id", Fact::User, 1),
    ("langfuse.trace.userId", Fact::User, 2),
    ("langfuse.observation.metadata.langfuse_user_id", Fact::User, 3),
    ("langfuse.session.id", Fact::Session, 1),
    ("langfuse.trace.sessionId", Fact::Session, 2),
    ("langfuse.observation.metadata.langfuse_session_id", Fact::Session, 3),
    ("langfuse.trace.metadata.team", Fact::Team, 0),
    ("langfuse.observation.metadata.team", Fact::Team, 1),
    ("langfuse.trace.metadata.feature", Fact::Feature, 0),
    ("langfuse.observation.metadata.feature", Fact::Feature, 1),
];
