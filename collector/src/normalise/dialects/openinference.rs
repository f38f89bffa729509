//! OpenInference (Arize): `llm.*`, `embedding.*`, `openinference.span.kind`. The model's name is
//! often the served one written over the requested one, which then stands among the parameters;
//! the provider's id is only inside the answer. Source: openinference semantic_conventions.md.

use super::super::inside;
use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "openinference",
    scopes: &["openinference*", "@arizeai/openinference*"],
    prefixes: &[
        "openinference.",
        "llm.token_count.",
        "llm.model_name",
        "llm.invocation_parameters",
    ],
    names: &[NAMES, otel_genai::NAMES],
    inside: &[
        ("llm.invocation_parameters", &PARAMETERS),
        ("embedding.invocation_parameters", &PARAMETERS),
        ("metadata", &inside::METADATA),
        ("output.value", &ANSWER),
    ],
    provider_in_model: &[
        "openinference.instrumentation.litellm",
        "openinference.instrumentation.dspy",
        "openinference.instrumentation.crewai",
    ],
    only: &[
        ("openinference.instrumentation.bedrock*", "aws.bedrock"),
        ("openinference.instrumentation.groq", "groq"),
        ("openinference.instrumentation.mistralai", "mistral_ai"),
    ],
    named_by_class: &["openinference.instrumentation.smolagents"],
    answers: &["output.value"],
    langchain: &[
        "openinference.instrumentation.langchain",
        "@arizeai/openinference-instrumentation-langchain",
    ],
    // LlamaIndex wraps the making of a request in a span of its own, Haystack that of a prompt.
    // BeeAI for node has spans of each event of a call, of which the one of success tells it.
    no_calls: &[
        "._prepare_chat_with_tools",
        "PromptBuilder.run",
        ".chat.start-*",
        ".chat.finish-*",
        "beeai-framework-main",
    ],
    ..PLAIN
};

/// The agents' SDK writes the whole answer among the parameters: its id is there, and the model
/// there is then the one that served.
const PARAMETERS: inside::Inside = inside::Inside {
    rank: inside::PARAMETERS.rank,
    bag: true,
    paths: &[&[
        ("model", Fact::RequestModel, 0),
        ("model_name", Fact::RequestModel, 1),
        ("stream", Fact::Streaming, 0),
        // LangChain's setting of a model.
        ("streaming", Fact::Streaming, 1),
        ("service_tier", Fact::ServiceTier, 5),
        ("user", Fact::User, 20),
        ("metadata.user_id", Fact::User, 21),
        ("base_url", Fact::ServerUrl, 5),
        ("id", Fact::ResponseId, 5),
    ]],
};

/// The answer as the provider gave it: what the counts that are made of it leave out.
const ANSWER: inside::Inside = inside::Inside {
    rank: 160,
    bag: true,
    paths: &[
        inside::counts_of_usage!("usage."),
        inside::parts_of_usage!("usage."),
        &[
            // Titan's embeddings.
            ("inputTextTokenCount", Fact::Input, 0),
            // LangChain's, of which it does not pass on the writes by lifetime.
            (
                "generations.message.kwargs.usage_metadata.input_token_details.ephemeral_5m_input_tokens",
                Fact::CacheWrite5m,
                1,
            ),
            (
                "generations.message.kwargs.usage_metadata.input_token_details.ephemeral_1h_input_tokens",
                Fact::CacheWrite1h,
                1,
            ),
        ],
    ],
};

pub(super) const NAMES: &[Name] = &[
    ("openinference.span.kind", Fact::Kind, 0),
    ("llm.provider", Fact::Provider, 0),
    ("llm.system", Fact::Provider, 1),
    ("llm.request.model_name", Fact::RequestModel, 0),
    ("llm.response.model_name", Fact::ResponseModel, 0),
    ("llm.model_name", Fact::Model, 0),
    ("embedding.model_name", Fact::Model, 1),
    ("reranker.model_name", Fact::Model, 2),
    ("llm.response.id", Fact::ResponseId, 0),
    ("llm.finish_reason", Fact::FinishReason, 0),
    ("llm.service_tier", Fact::ServiceTier, 0),
    ("llm.token_count.prompt", Fact::Input, 0),
    ("llm.token_count.completion", Fact::Output, 0),
    ("llm.token_count.total", Fact::Total, 0),
    ("llm.token_count.prompt_details.cache_read", Fact::CacheRead, 0),
    ("llm.token_count.prompt_details.cache_input", Fact::CacheRead, 1),
    ("llm.token_count.prompt_details.cache_write", Fact::CacheWrite, 0),
    // BeeAI's own counts beside.
    ("metadata.usage.cached_prompt_tokens", Fact::CacheRead, 2),
    ("metadata.usage.cached_creation_tokens", Fact::CacheWrite, 1),
    ("llm.token_count.completion_details.reasoning", Fact::Reasoning, 0),
    ("llm.token_count.prompt_details.audio", Fact::AudioIn, 0),
    ("llm.token_count.completion_details.audio", Fact::AudioOut, 0),
    ("llm.token_count.prompt_details.image", Fact::ImageIn, 0),
    ("llm.token_count.completion_details.image", Fact::ImageOut, 0),
    // In US dollars.
    ("llm.cost.total", Fact::Cost, 0),
    ("llm.cost.prompt", Fact::CostInput, 0),
    ("llm.cost.completion", Fact::CostOutput, 0),
    ("agent.name", Fact::Agent, 0),
    ("tool.name", Fact::Tool, 0),
    ("tool_call.function.name", Fact::Tool, 1),
];
