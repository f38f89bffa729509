//! LangSmith's OpenTelemetry exporter: GenAI names with `langsmith.*` beside. `gen_ai.system` is
//! `langchain` on LangChain's runs, the provider is in `langsmith.metadata.ls_provider`; details of
//! usage come as JSON or as Python prints them. Source: LangSmith documentation, “Trace with
//! OpenTelemetry”.

use super::super::inside;
use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "langsmith",
    scopes: &["langsmith*"],
    prefixes: &["langsmith."],
    names: &[NAMES, otel_genai::NAMES],
    inside: &[
        ("langsmith.metadata.usage_metadata", &inside::USAGE),
        ("langsmith.metadata.ls_invocation_params", &inside::PARAMETERS),
        ("gen_ai.usage.input_token_details", &INPUT_DETAILS),
        ("gen_ai.usage.output_token_details", &OUTPUT_DETAILS),
        ("gen_ai.completion", &ANSWER),
    ],
    answers: &["gen_ai.completion"],
    langchain: &["langsmith*"],
    ..PLAIN
};

/// The answer of a wrapped client, where 0.4.14 to 0.4.27 tell nothing beside it.
const ANSWER: inside::Inside = inside::Inside {
    rank: 160,
    bag: true,
    paths: &[&[
        ("message.id", Fact::ResponseId, 0),
        ("message.model", Fact::ResponseModel, 0),
        ("message.usage_metadata.input_token_details.cache_read", Fact::CacheRead, 0),
        ("message.usage_metadata.input_token_details.cache_creation", Fact::CacheWrite, 0),
        ("message.usage_metadata.output_token_details.reasoning", Fact::Reasoning, 0),
    ]],
};

const INPUT_DETAILS: inside::Inside = inside::Inside {
    rank: 70,
    bag: false,
    paths: &[&[
        ("cache_read", Fact::CacheRead, 0),
        ("cache_creation", Fact::CacheWrite, 0),
        ("ephemeral_5m_input_tokens", Fact::CacheWrite5m, 0),
        ("ephemeral_1h_input_tokens", Fact::CacheWrite1h, 0),
        ("audio", Fact::AudioIn, 0),
    ]],
};

const OUTPUT_DETAILS: inside::Inside = inside::Inside {
    rank: 70,
    bag: false,
    paths: &[&[("reasoning", Fact::Reasoning, 0), ("audio", Fact::AudioOut, 0)]],
};

const NAMES: &[Name] = &[
    ("langsmith.span.kind", Fact::Kind, 0),
    ("langsmith.metadata.ls_provider", Fact::Provider, 0),
    ("langsmith.metadata.ls_model_name", Fact::RequestModel, 30),
    ("langsmith.request.streaming", Fact::Streaming, 0),
    ("langsmith.metadata.team", Fact::Team, 0),
    ("langsmith.metadata.team_id", Fact::Team, 1),
    ("langsmith.metadata.user_id", Fact::User, 0),
    ("langsmith.metadata.session_id", Fact::Session, 0),
    ("langsmith.metadata.thread_id", Fact::Session, 1),
    ("langsmith.metadata.conversation_id", Fact::Session, 2),
    ("langsmith.metadata.feature", Fact::Feature, 0),
    ("langsmith.metadata.environment", Fact::Environment, 0),
];
