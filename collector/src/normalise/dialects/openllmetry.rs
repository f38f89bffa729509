//! OpenLLMetry (traceloop), Python and node, old and new. Current versions write OpenTelemetry's
//! names with `traceloop.*` beside; before 0.50 `llm.*` names and `gen_ai.prompt.N.*` messages.
//! Source: opentelemetry-semantic-conventions-ai.

use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "openllmetry",
    scopes: &[
        "traceloop*",
        "@traceloop/*",
        "opentelemetry.instrumentation.openai.v0",
        "opentelemetry.instrumentation.openai.v1",
        "opentelemetry.instrumentation.alephalpha",
        "opentelemetry.instrumentation.anthropic",
        "opentelemetry.instrumentation.bedrock",
        "opentelemetry.instrumentation.cohere",
        "opentelemetry.instrumentation.crewai",
        "opentelemetry.instrumentation.google_generativeai",
        "opentelemetry.instrumentation.groq",
        "opentelemetry.instrumentation.haystack",
        "opentelemetry.instrumentation.langchain",
        "opentelemetry.instrumentation.llamaindex",
        "opentelemetry.instrumentation.mistralai",
        "opentelemetry.instrumentation.ollama",
        "opentelemetry.instrumentation.openai_agents",
        "opentelemetry.instrumentation.replicate",
        "opentelemetry.instrumentation.sagemaker",
        "opentelemetry.instrumentation.together",
        "opentelemetry.instrumentation.vertexai",
        "opentelemetry.instrumentation.voyageai",
        "opentelemetry.instrumentation.watsonx",
    ],
    prefixes: &["traceloop.", "llm.request.type", "llm.usage.", "llm.vendor"],
    names: &[NAMES, otel_genai::NAMES],
    inside: otel_genai::INSIDE,
    only: &[("opentelemetry.instrumentation.bedrock", "aws.bedrock")],
    operations: &[
        // It has one word for both of Anthropic's APIs, of which only messages are left.
        ("opentelemetry.instrumentation.anthropic", "completion", "chat"),
        ("*", "completion", "text_completion"),
    ],
    named_by_class: &[
        "opentelemetry.instrumentation.langchain",
        "opentelemetry.instrumentation.llamaindex",
    ],
    // LlamaIndex's models are workflows and tasks like all else.
    asks_by_operation: &["opentelemetry.instrumentation.llamaindex"],
    // A chat of Google's older client sends its message by what is a span of its own, in a trace of
    // its own.
    no_calls: &["gemini.send_message"],
    ..PLAIN
};

const NAMES: &[Name] = &[
    ("traceloop.span.kind", Fact::Kind, 0),
    ("llm.request.type", Fact::Operation, 35),
    ("llm.vendor", Fact::Provider, 35),
    ("llm.request.model", Fact::RequestModel, 35),
    // VoltAgent, whose other names are these too.
    ("llm.model", Fact::RequestModel, 36),
    ("llm.response.model", Fact::ResponseModel, 35),
    ("llm.usage.prompt_tokens", Fact::Input, 35),
    ("llm.usage.completion_tokens", Fact::Output, 35),
    ("llm.usage.cache_read_input_tokens", Fact::CacheRead, 35),
    ("llm.usage.cache_creation_input_tokens", Fact::CacheWrite, 35),
    ("llm.usage.reasoning_tokens", Fact::Reasoning, 35),
    ("llm.openai.api_base", Fact::ServerUrl, 35),
    ("traceloop.workflow.name", Fact::Workflow, 0),
    ("traceloop.association.properties.team", Fact::Team, 0),
    ("traceloop.association.properties.team_id", Fact::Team, 1),
    ("traceloop.association.properties.user_id", Fact::User, 0),
    ("traceloop.association.properties.session_id", Fact::Session, 0),
    ("traceloop.association.properties.chat_id", Fact::Session, 1),
    ("traceloop.association.properties.feature", Fact::Feature, 0),
    ("traceloop.association.properties.ls_provider", Fact::Provider, 36),
    ("traceloop.association.properties.ls_model_name", Fact::RequestModel, 36),
];
