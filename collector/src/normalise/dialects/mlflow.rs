//! MLflow tracing exported by OTLP: every value is JSON, plain texts too; the parameters of the
//! request are attributes without a namespace. Source: MLflow documentation, “Token usage and
//! cost tracking”.

use super::super::inside;
use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "mlflow",
    scopes: &["mlflow*"],
    prefixes: &["mlflow."],
    names: &[NAMES, otel_genai::NAMES],
    inside: &[
        ("mlflow.chat.tokenUsage", &inside::USAGE),
        ("mlflow.llm.cost", &inside::COST),
        ("mlflow.trace.metadata", &inside::METADATA),
        ("metadata", &inside::METADATA),
        ("mlflow.spanOutputs", &ANSWER),
        ("mlflow.spanInputs", &REQUEST),
    ],
    json_values: true,
    answers: &["mlflow.spanOutputs"],
    named_by_class: &["mlflow*"],
    // A module of DSPy, which tells the sum of what it asks.
    no_calls: &[".forward"],
    ..PLAIN
};

/// The answer of the client: what the counts that are made of it leave out, and who answered.
const ANSWER: inside::Inside = inside::Inside {
    rank: 160,
    bag: true,
    paths: &[
        ("usage.input_tokens", Fact::Input, 0),
        ("usage.output_tokens", Fact::Output, 0),
        ("usage.prompt_tokens", Fact::Input, 3),
        ("usage.completion_tokens", Fact::Output, 3),
        ("usage.prompt_tokens_details.cached_tokens", Fact::CacheRead, 0),
        ("usage.input_tokens_details.cached_tokens", Fact::CacheRead, 1),
        ("usage.cache_read_input_tokens", Fact::CacheRead, 2),
        ("usage.cache_creation_input_tokens", Fact::CacheWrite, 0),
        ("usage.cache_creation.ephemeral_5m_input_tokens", Fact::CacheWrite5m, 0),
        ("usage.cache_creation.ephemeral_1h_input_tokens", Fact::CacheWrite1h, 0),
        ("usage.completion_tokens_details.reasoning_tokens", Fact::Reasoning, 0),
        ("usage.output_tokens_details.reasoning_tokens", Fact::Reasoning, 1),
        ("model", Fact::ResponseModel, 0),
        // Of Bedrock: Converse, and the body of what is invoked.
        ("usage.cacheReadInputTokens", Fact::CacheRead, 5),
        ("usage.cacheWriteInputTokens", Fact::CacheWrite, 2),
        ("body.usage.cache_read_input_tokens", Fact::CacheRead, 6),
        ("body.usage.cache_creation_input_tokens", Fact::CacheWrite, 3),
        ("body.usage.cache_creation.ephemeral_5m_input_tokens", Fact::CacheWrite5m, 2),
        ("body.usage.cache_creation.ephemeral_1h_input_tokens", Fact::CacheWrite1h, 2),
        ("body.model", Fact::ResponseModel, 2),
        // Of LangChain, where `mlflow.chat.tokenUsage` is not told yet.
        ("llm_output.token_usage.prompt_tokens", Fact::Input, 1),
        ("llm_output.token_usage.completion_tokens", Fact::Output, 1),
        ("llm_output.token_usage.prompt_tokens_details.cached_tokens", Fact::CacheRead, 3),
        ("llm_output.token_usage.completion_tokens_details.reasoning_tokens", Fact::Reasoning, 2),
        ("llm_output.usage.input_tokens", Fact::Input, 2),
        ("llm_output.usage.output_tokens", Fact::Output, 2),
        ("llm_output.usage.cache_read_input_tokens", Fact::CacheRead, 4),
        ("llm_output.usage.cache_creation_input_tokens", Fact::CacheWrite, 1),
        ("llm_output.usage.cache_creation.ephemeral_5m_input_tokens", Fact::CacheWrite5m, 1),
        ("llm_output.usage.cache_creation.ephemeral_1h_input_tokens", Fact::CacheWrite1h, 1),
        ("llm_output.model_name", Fact::ResponseModel, 1),
    ],
};

/// What it was asked with.
const REQUEST: inside::Inside = inside::Inside {
    rank: 160,
    bag: true,
    paths: &[("model", Fact::RequestModel, 0), ("modelId", Fact::RequestModel, 1)],
};

const NAMES: &[Name] = &[
    ("mlflow.spanType", Fact::Kind, 0),
    ("mlflow.llm.provider", Fact::Provider, 0),
    // The format of the messages is that of the client, as other libraries name the provider.
    ("mlflow.message.format", Fact::Provider, 1),
    ("model", Fact::RequestModel, 0),
    ("mlflow.llm.model", Fact::Model, 0),
    ("stream", Fact::Streaming, 0),
    ("service_tier", Fact::ServiceTier, 0),
    ("user", Fact::User, 20),
    ("mlflow.trace.user", Fact::User, 0),
    ("mlflow.trace.session", Fact::Session, 0),
    ("mlflow.traceName", Fact::Workflow, 0),
];
