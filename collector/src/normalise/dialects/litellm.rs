//! LiteLLM's `otel` callback, of the SDK and of the proxy: GenAI names, `llm.*`, and `metadata.*`
//! of the key that was used. The counts in full are in `metadata.usage_object`, as Python prints
//! them. Each call has a second span below it that repeats the raw request; nothing is read from
//! it. Source: LiteLLM documentation, “OpenTelemetry”.

use super::super::inside;
use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, openinference, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "litellm",
    scopes: &["litellm*"],
    prefixes: &["litellm.", "metadata.user_api_key", "metadata.usage_object", "hidden_params"],
    // Its callbacks for Arize and Langfuse tell the same by OpenInference's names.
    names: &[NAMES, otel_genai::NAMES, openinference::NAMES],
    inside: &[
        ("metadata.usage_object", &inside::USAGE),
        ("hidden_params", &inside::LITELLM_HIDDEN),
        ("metadata.requester_metadata", &inside::METADATA),
        ("metadata.spend_logs_metadata", &inside::METADATA),
    ],
    operations: &[("*", "completion", "chat")],
    ..PLAIN
};

const NAMES: &[Name] = &[
    ("gen_ai.cost.total_cost", Fact::Cost, 0),
    ("metadata.user_api_key_hash", Fact::GatewayKey, 0),
    ("metadata.cache_hit", Fact::CacheHit, 0),
    ("metadata.user_api_key_team_alias", Fact::Team, 0),
    ("metadata.team_alias", Fact::Team, 1),
    ("metadata.user_api_key_team_id", Fact::Team, 2),
    ("metadata.team_id", Fact::Team, 3),
    ("metadata.user_api_key_end_user_id", Fact::User, 0),
    ("llm.user", Fact::User, 1),
    ("metadata.user_api_key_user_id", Fact::User, 2),
    ("metadata.session_id", Fact::Session, 0),
    ("metadata.litellm_session_id", Fact::Session, 1),
    ("metadata.attempted_retries", Fact::Resends, 0),
    ("llm.response.id", Fact::ResponseId, 5),
    ("llm.response.model", Fact::ResponseModel, 5),
    ("llm.is_streaming", Fact::Streaming, 5),
];
