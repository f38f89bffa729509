//! The dialect of OpenTelemetry's GenAI conventions: current names (1.37 to 1.40 and the drafts
//! of semantic-conventions-genai) and the older ones (`gen_ai.system` before 1.37,
//! `gen_ai.usage.prompt_tokens` before 1.27), with the extensions that libraries write in the same
//! namespace. Most other dialects build upon these names.

use super::super::inside;
use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "otel-genai",
    scopes: &[
        "opentelemetry.instrumentation.openai_v2",
        "opentelemetry.instrumentation.google_genai",
        "opentelemetry.util.genai*",
        "opentelemetry.instrumentation.genai.*",
        "@opentelemetry/instrumentation-openai",
    ],
    prefixes: &["gen_ai."],
    // Google's Agent Development Kit, also where it asks others through LiteLLM.
    one_provider: &["gcp.vertex.agent"],
    names: &[NAMES],
    inside: INSIDE,
    client_functions: true,
    // traceAI's, of Anthropic's counting of tokens.
    no_calls: &["CountTokens"],
    // Spring AI hands tools' results to the model by itself, and adds up what it used for that.
    running_sums: &[("org.springframework.boot", "spring.ai.model.request.tool.names")],
    ..PLAIN
};

/// Usage details that some libraries write as one object.
pub(super) const INSIDE: &[(&str, &inside::Inside)] = &[
    ("gen_ai.usage", &inside::USAGE),
    ("gen_ai.usage_details", &inside::USAGE),
    ("llm.usage", &inside::USAGE),
    ("gcp.vertex.agent.llm_response", &ADK_RESPONSE),
    ("gen_ai.request.parameters", &inside::PARAMETERS),
];

/// The answer of a model in Google's Agent Development Kit, with Gemini's usage as it came, or
/// LiteLLM's in its shape: more than the attributes beside it tell, and all that those of ADK
/// before 1.13 do.
const ADK_RESPONSE: inside::Inside = inside::Inside {
    rank: 40,
    bag: true,
    paths: &[
        &[
            ("usage_metadata.prompt_token_count", Fact::Input, 0),
            ("usage_metadata.candidates_token_count", Fact::Output, 0),
            ("usage_metadata.total_token_count", Fact::Total, 0),
            ("usage_metadata.cached_content_token_count", Fact::CacheRead, 0),
            ("usage_metadata.thoughts_token_count", Fact::Reasoning, 0),
            ("partial", Fact::Partial, 0),
        ],
        // ADK for Java.
        inside::usage_of_gemini!("usageMetadata."),
    ],
};

pub(super) const NAMES: &[Name] = &[
    ("gen_ai.operation.name", Fact::Operation, 0),
    ("ag2.span.type", Fact::Kind, 0),
    ("gen_ai.span.kind", Fact::Kind, 1),
    ("spring.ai.kind", Fact::Kind, 2),
    ("gen_ai.provider.name", Fact::Provider, 0),
    ("gen_ai.system", Fact::Provider, 1),
    ("gen_ai.request.model", Fact::RequestModel, 0),
    ("gen_ai.response.model", Fact::ResponseModel, 0),
    ("gen_ai.response.id", Fact::ResponseId, 0),
    ("openai.response.service_tier", Fact::ServiceTier, 0),
    ("gen_ai.openai.response.service_tier", Fact::ServiceTier, 1),
    ("gen_ai.response.service_tier", Fact::ServiceTier, 2),
    ("anthropic.response.service_tier", Fact::ServiceTier, 3),
    ("openai.request.service_tier", Fact::ServiceTier, 4),
    ("gen_ai.openai.request.service_tier", Fact::ServiceTier, 5),
    ("gen_ai.request.service_tier", Fact::ServiceTier, 6),
    ("gen_ai.request.stream", Fact::Streaming, 0),
    ("gen_ai.is_streaming", Fact::Streaming, 1),
    ("llm.is_streaming", Fact::Streaming, 2),
    ("gen_ai.request.is_stream", Fact::Streaming, 3),
    // AgentOps.
    ("gen_ai.request.streaming", Fact::Streaming, 4),
    ("gen_ai.response.finish_reasons", Fact::FinishReason, 0),
    ("gen_ai.response.finish_reason", Fact::FinishReason, 1),
    ("gen_ai.completion.0.finish_reason", Fact::FinishReason, 2),
    ("anthropic.message.stop_reason", Fact::FinishReason, 3),
    ("llm.response.finish_reason", Fact::FinishReason, 4),
    ("llm.response.stop_reason", Fact::FinishReason, 5),
    // Seconds, as the conventions say.
    ("gen_ai.response.time_to_first_chunk", Fact::TtftSeconds, 0),
    ("gen_ai.client.operation.time_to_first_chunk", Fact::TtftSeconds, 1),
    ("gen_ai.server.time_to_first_token", Fact::TtftSeconds, 2),
    // vLLM's own spans.
    ("gen_ai.latency.time_to_first_token", Fact::TtftSeconds, 3),
    ("gen_ai.latency.time_in_queue", Fact::QueueSeconds, 0),
    ("http.request.resend_count", Fact::Resends, 0),
    ("gen_ai.openai.api_base", Fact::ServerUrl, 0),
    ("url.full", Fact::ServerUrl, 1),
    ("gen_ai.agent.name", Fact::Agent, 0),
    ("gen_ai.workflow.name", Fact::Workflow, 0),
    ("gen_ai.tool.name", Fact::Tool, 0),
    ("spring.ai.tool.definition.name", Fact::Tool, 1),
    ("gen_ai.request.user", Fact::User, 0),
    ("gen_ai.user", Fact::User, 1),
    ("gen_ai.conversation.id", Fact::Session, 20),
    ("gen_ai.usage.input_tokens", Fact::Input, 0),
    ("gen_ai.usage.prompt_tokens", Fact::Input, 1),
    // Previews of Microsoft.Extensions.AI.
    ("gen_ai.response.input_tokens", Fact::Input, 2),
    // Semantic Kernel before 1.23.
    ("gen_ai.response.prompt_tokens", Fact::Input, 3),
    ("gen_ai.response.completion_tokens", Fact::Output, 3),
    ("gen_ai.usage.output_tokens", Fact::Output, 0),
    ("gen_ai.usage.completion_tokens", Fact::Output, 1),
    ("gen_ai.response.output_tokens", Fact::Output, 2),
    ("gen_ai.usage.total_tokens", Fact::Total, 0),
    ("llm.usage.total_tokens", Fact::Total, 1),
    ("ag2.usage.total_tokens", Fact::Total, 2),
    ("gen_ai.usage.cache_read.input_tokens", Fact::CacheRead, 0),
    ("gen_ai.usage.cache_read_input_tokens", Fact::CacheRead, 1),
    ("gen_ai.usage.details.cache_read_tokens", Fact::CacheRead, 2),
    ("gen_ai.usage.details.cache_read_input_tokens", Fact::CacheRead, 3),
    ("gen_ai.usage.details.cached_tokens", Fact::CacheRead, 4),
    ("gen_ai.usage.input_tokens.cached", Fact::CacheRead, 5),
    ("gen_ai.usage.cached_tokens", Fact::CacheRead, 6),
    // Mastra's exporter, before and after its names followed the AI SDK's.
    ("gen_ai.usage.cached_input_tokens", Fact::CacheRead, 7),
    ("gen_ai.usage.cache_read_tokens", Fact::CacheRead, 8),
    // FutureAGI's traceAI.
    ("gen_ai.usage.input_tokens.cache_read", Fact::CacheRead, 9),
    ("gen_ai.usage.cache_creation.input_tokens", Fact::CacheWrite, 0),
    ("gen_ai.usage.cache_write.input_tokens", Fact::CacheWrite, 1),
    ("gen_ai.usage.cache_creation_input_tokens", Fact::CacheWrite, 2),
    ("gen_ai.usage.details.cache_write_tokens", Fact::CacheWrite, 3),
    ("gen_ai.usage.details.cache_creation_input_tokens", Fact::CacheWrite, 4),
    ("gen_ai.usage.cache_write_input_tokens", Fact::CacheWrite, 5),
    ("gen_ai.usage.cache_write_tokens", Fact::CacheWrite, 6),
    ("gen_ai.usage.input_tokens.cache_write", Fact::CacheWrite, 7),
    ("anthropic.usage.cache_creation.ephemeral_5m_input_tokens", Fact::CacheWrite5m, 0),
    ("anthropic.usage.cache_creation.ephemeral_1h_input_tokens", Fact::CacheWrite1h, 0),
    ("gen_ai.usage.reasoning.output_tokens", Fact::Reasoning, 0),
    ("gen_ai.usage.reasoning_tokens", Fact::Reasoning, 1),
    ("gen_ai.usage.details.reasoning_tokens", Fact::Reasoning, 2),
    ("gen_ai.usage.output_tokens.reasoning", Fact::Reasoning, 3),
    ("gen_ai.usage.details.thoughts_tokens", Fact::Reasoning, 4),
    // Google's Agent Development Kit.
    ("gen_ai.usage.experimental.reasoning_tokens", Fact::Reasoning, 5),
    // AG2, of Gemini.
    ("gen_ai.usage.thinking_tokens", Fact::Reasoning, 6),
    ("gen_ai.usage.audio.input_tokens", Fact::AudioIn, 0),
    ("gen_ai.usage.details.input_audio_tokens", Fact::AudioIn, 1),
    ("gen_ai.usage.audio_input_tokens", Fact::AudioIn, 2),
    ("gen_ai.usage.audio_output_tokens", Fact::AudioOut, 2),
    ("gen_ai.usage.audio.output_tokens", Fact::AudioOut, 0),
    ("gen_ai.usage.details.output_audio_tokens", Fact::AudioOut, 1),
    ("gen_ai.usage.image.input_tokens", Fact::ImageIn, 0),
    ("gen_ai.usage.image.output_tokens", Fact::ImageOut, 0),
    ("gen_ai.usage.server_tool_use.web_search_requests", Fact::WebSearches, 0),
    ("gen_ai.usage.details.web_search_requests", Fact::WebSearches, 1),
    ("gen_ai.usage.details.web_searches", Fact::WebSearches, 2),
    // What is used beside tokens has no names in the conventions yet. Langtrace, of Cohere:
    ("gen_ai.usage.search_units", Fact::RerankSearches, 0),
    // LangWatch's gateway; genai-otel-instrument (TraceVerde), which counts images read by
    // `image_count` where none are made.
    ("gen_ai.usage.input_chars", Fact::Characters, 0),
    ("gen_ai.usage.characters", Fact::Characters, 1),
    ("gen_ai.usage.audio_seconds", Fact::InputAudioSeconds, 0),
    ("gen_ai.usage.audio_duration_seconds", Fact::AudioSeconds, 0),
    ("gen_ai.usage.image_count", Fact::ImageCount, 0),
    // Tracy (JetBrains).
    ("gen_ai.response.image.count", Fact::Images, 0),
    // Microsoft.Extensions.DocumentExtraction.
    ("gen_ai.usage.pages_processed", Fact::Pages, 0),
    // Written by Logfire, OpenLIT, OpenRouter's and other exporters, in US dollars.
    ("gen_ai.usage.cost", Fact::Cost, 0),
    ("gen_ai.usage.total_cost", Fact::Cost, 1),
    ("gen_ai.cost.total_cost", Fact::Cost, 2),
    ("operation.cost", Fact::Cost, 3),
    ("gen_ai.usage.input_cost", Fact::CostInput, 0),
    ("gen_ai.usage.output_cost", Fact::CostOutput, 0),
];
