//! Facts inside the value of one attribute: usage objects of every provider's API, parameters of a
//! request, metadata. Takes the text of the value, gives facts with the path they came from. The
//! tables hold what the APIs document; which attribute holds such an object is its dialect's matter.

use std::borrow::Cow;

use super::loose::{self, Scalar};
use super::names::{Fact, Name};
use crate::limits::{BAG_BYTES_MAX, INSIDE_BYTES_MAX};

/// What lies in the value of an attribute.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Inside {
    /// Path to fact, a table for each place in the value, best first; the ranks continue those of the
    /// attributes beside it.
    pub(super) paths: &'static [&'static [Name]],
    /// Rank of the first: below 60 is better than an attribute of the dialect, above is worse.
    pub(super) rank: u8,
    /// Whether content may stand between the facts, so that they begin anywhere.
    pub(super) bag: bool,
}

/// One fact found inside a value.
#[derive(Debug)]
pub(super) struct Found<'a> {
    /// The attribute.
    pub(super) attribute: usize,
    /// The path inside.
    pub(super) path: &'static str,
    /// Number of the path in its table, for the key of the sources.
    pub(super) number: u16,
    /// What stands there.
    pub(super) value: Scalar<'a>,
}

/// Reads the value and notes what the table knows. A text inside may be JSON again.
pub(super) fn read<'a>(
    inside: &'static Inside,
    attribute: usize,
    text: &'a str,
    mut note: impl FnMut(Fact, u8, Found<'a>),
) {
    let bytes_max = if inside.bag { BAG_BYTES_MAX } else { INSIDE_BYTES_MAX };
    loose::leaves(text, bytes_max, |path, value| {
        let tables = (0u8..).zip(inside.paths);
        let names = tables.flat_map(|(place, table)| table.iter().map(move |name| (place, name)));
        if let Some((number, (place, (path, fact, rank)))) =
            (0u16..).zip(names).find(|(_, (_, (p, ..)))| *p == path)
        {
            let rank = rank.saturating_add(place.saturating_mul(RANKS_OF_A_TABLE));
            let found = Found { attribute, path, number, value };
            note(*fact, inside.rank.saturating_add(rank), found);
        }
    });
}

/// By how much what the next table finds is worse.
const RANKS_OF_A_TABLE: u8 = 8;

impl<'a> Scalar<'a> {
    /// As text of a column; none for what is empty.
    pub(super) fn text(&self) -> Option<Cow<'a, str>> {
        let text = match self {
            Scalar::Text(text) => text.clone(),
            Scalar::Number(number) => Cow::Borrowed(*number),
            Scalar::Bool(true) => Cow::Borrowed("true"),
            Scalar::Bool(false) => Cow::Borrowed("false"),
        };
        Some(text).filter(|t| !t.is_empty())
    }
}

use Fact::{
    AudioIn, AudioOut, CacheRead, CacheWrite, CacheWrite1h, CacheWrite5m, Characters, ImageIn,
    ImageOut, Input, InputAudioSeconds, InputImages, Mispredicted, Output, OutputText, Pages,
    Predicted, ProviderCost, Reasoning, RerankSearches, ToolCalls, Total, Uncached, WebSearches,
};

/// Input and output of a usage object as OpenAI (chats, responses), Anthropic and Bedrock word it, under
/// a path that ends in a point.
macro_rules! counts_of_usage {
    ($under:literal) => {
        &[
            (concat!($under, "prompt_tokens"), Fact::Input, 0),
            (concat!($under, "input_tokens"), Fact::Input, 1),
            (concat!($under, "inputTokens"), Fact::Input, 2),
            (concat!($under, "completion_tokens"), Fact::Output, 0),
            (concat!($under, "output_tokens"), Fact::Output, 1),
            (concat!($under, "outputTokens"), Fact::Output, 2),
        ]
    };
}

/// What of such a usage object lies inside or beside input and output.
macro_rules! parts_of_usage {
    ($under:literal) => {
        &[
            (concat!($under, "prompt_tokens_details.cached_tokens"), Fact::CacheRead, 0),
            (concat!($under, "input_tokens_details.cached_tokens"), Fact::CacheRead, 1),
            (concat!($under, "cache_read_input_tokens"), Fact::CacheRead, 2),
            (concat!($under, "cacheReadInputTokens"), Fact::CacheRead, 3),
            (concat!($under, "cache_creation_input_tokens"), Fact::CacheWrite, 0),
            (concat!($under, "cacheWriteInputTokens"), Fact::CacheWrite, 1),
            (concat!($under, "cache_creation.ephemeral_5m_input_tokens"), Fact::CacheWrite5m, 0),
            (concat!($under, "cache_creation.ephemeral_1h_input_tokens"), Fact::CacheWrite1h, 0),
            (concat!($under, "completion_tokens_details.reasoning_tokens"), Fact::Reasoning, 0),
            (concat!($under, "output_tokens_details.reasoning_tokens"), Fact::Reasoning, 1),
            (concat!($under, "output_tokens_details.thinking_tokens"), Fact::Reasoning, 2),
        ]
    };
}

/// A usage object as Gemini words it, under a path that ends in a point.
macro_rules! usage_of_gemini {
    ($under:literal) => {
        &[
            (concat!($under, "promptTokenCount"), Fact::Input, 0),
            (concat!($under, "candidatesTokenCount"), Fact::Output, 0),
            (concat!($under, "totalTokenCount"), Fact::Total, 0),
            (concat!($under, "cachedContentTokenCount"), Fact::CacheRead, 0),
            (concat!($under, "thoughtsTokenCount"), Fact::Reasoning, 0),
        ]
    };
}

pub(super) use {counts_of_usage, parts_of_usage, usage_of_gemini};

/// A usage object of any API: OpenAI chat and responses, Anthropic messages, Bedrock Converse,
/// Gemini, and the objects of LangChain, MLflow and Langfuse that are made of these.
pub(super) const USAGE: Inside = Inside {
    rank: 62,
    bag: false,
    paths: &[&[
        ("input_tokens", Input, 0),
        ("prompt_tokens", Input, 1),
        ("inputTokens", Input, 2),
        ("promptTokens", Input, 3),
        ("promptTokenCount", Input, 4),
        ("input", Input, 5),
        ("output_tokens", Output, 0),
        ("completion_tokens", Output, 1),
        ("outputTokens", Output, 2),
        ("completionTokens", Output, 3),
        ("candidatesTokenCount", Output, 4),
        ("output", Output, 5),
        ("total_tokens", Total, 0),
        ("totalTokens", Total, 1),
        ("totalTokenCount", Total, 2),
        ("total", Total, 3),
        ("input_tokens_details.cached_tokens", CacheRead, 0),
        ("prompt_tokens_details.cached_tokens", CacheRead, 1),
        ("input_token_details.cache_read", CacheRead, 2),
        ("cache_read_input_tokens", CacheRead, 3),
        ("cacheReadInputTokens", CacheRead, 4),
        ("cachedContentTokenCount", CacheRead, 5),
        ("input_cached_tokens", CacheRead, 6),
        ("input_cache_read", CacheRead, 7),
        ("cached_tokens", CacheRead, 8),
        ("cachedInputTokens", CacheRead, 9),
        // LiteLLM, LangChain, DeepSeek.
        ("prompt_cache_hit_tokens", CacheRead, 10),
        ("input_tokens_details.cache_write_tokens", CacheWrite, 0),
        ("prompt_tokens_details.cache_write_tokens", CacheWrite, 1),
        ("prompt_tokens_details.cache_creation_tokens", CacheWrite, 2),
        ("input_token_details.cache_creation", CacheWrite, 3),
        ("cache_creation_input_tokens", CacheWrite, 4),
        ("cacheWriteInputTokens", CacheWrite, 5),
        ("input_cache_write_tokens", CacheWrite, 6),
        ("input_cache_creation", CacheWrite, 7),
        ("cache_creation.ephemeral_5m_input_tokens", CacheWrite5m, 0),
        ("input_token_details.ephemeral_5m_input_tokens", CacheWrite5m, 1),
        (
            "prompt_tokens_details.cache_creation_token_details.ephemeral_5m_input_tokens",
            CacheWrite5m,
            2,
        ),
        ("cache_creation.ephemeral_1h_input_tokens", CacheWrite1h, 0),
        ("input_token_details.ephemeral_1h_input_tokens", CacheWrite1h, 1),
        (
            "prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens",
            CacheWrite1h,
            2,
        ),
        ("cache_creation_input_tokens_above_1hr", CacheWrite1h, 3),
        ("output_tokens_details.reasoning_tokens", Reasoning, 0),
        ("completion_tokens_details.reasoning_tokens", Reasoning, 1),
        ("output_token_details.reasoning", Reasoning, 2),
        ("thoughtsTokenCount", Reasoning, 3),
        ("output_reasoning_tokens", Reasoning, 4),
        ("output_reasoning", Reasoning, 5),
        ("reasoning_tokens", Reasoning, 6),
        ("reasoningTokens", Reasoning, 7),
        ("output_accepted_prediction_tokens", Predicted, 0),
        ("output_rejected_prediction_tokens", Mispredicted, 0),
        ("input_tokens_details.audio_tokens", AudioIn, 0),
        ("prompt_tokens_details.audio_tokens", AudioIn, 1),
        ("input_token_details.audio", AudioIn, 2),
        ("input_audio_tokens", AudioIn, 3),
        ("input_audio", AudioIn, 4),
        ("output_tokens_details.audio_tokens", AudioOut, 0),
        ("completion_tokens_details.audio_tokens", AudioOut, 1),
        ("output_token_details.audio", AudioOut, 2),
        ("output_audio_tokens", AudioOut, 3),
        ("output_audio", AudioOut, 4),
        ("input_tokens_details.image_tokens", ImageIn, 0),
        ("prompt_tokens_details.image_tokens", ImageIn, 1),
        ("input_image_tokens", ImageIn, 2),
        ("output_tokens_details.image_tokens", ImageOut, 0),
        ("completion_tokens_details.image_tokens", ImageOut, 1),
        ("output_image_tokens", ImageOut, 2),
        ("server_tool_use.web_search_requests", WebSearches, 0),
        ("num_search_queries", WebSearches, 1),
        // LiteLLM, of Gemini.
        ("prompt_tokens_details.web_search_requests", WebSearches, 2),
        ("server_tool_use.web_fetch_requests", ToolCalls, 0),
        // Cohere.
        ("billed_units.search_units", RerankSearches, 0),
        ("search_units", RerankSearches, 1),
        // LiteLLM, of Vertex AI's multimodal embeddings.
        ("prompt_tokens_details.image_count", InputImages, 0),
        ("prompt_tokens_details.character_count", Characters, 0),
        // Mistral; OpenAI of a transcription that is billed by its length.
        ("prompt_audio_seconds", InputAudioSeconds, 0),
        ("seconds", InputAudioSeconds, 1),
        // Mistral's OCR.
        ("pages_processed", Pages, 0),
        // OpenRouter says what the call cost in its usage.
        ("cost", ProviderCost, 1),
    ]],
};

/// `providerMetadata` of the Vercel AI SDK: what its usage leaves out, as each provider said it.
pub(super) const VERCEL_METADATA: Inside = Inside {
    rank: 80,
    bag: false,
    paths: &[&[
        // As the providers count, by which what the library made of it shows.
        ("anthropic.usage.input_tokens", Uncached, 0),
        ("google.usageMetadata.candidatesTokenCount", OutputText, 0),
        ("anthropic.usage.cache_read_input_tokens", CacheRead, 0),
        ("anthropic.cacheReadInputTokens", CacheRead, 1),
        ("bedrock.usage.cacheReadInputTokens", CacheRead, 2),
        ("openai.cachedPromptTokens", CacheRead, 3),
        ("google.usageMetadata.cachedContentTokenCount", CacheRead, 4),
        ("deepseek.promptCacheHitTokens", CacheRead, 5),
        ("xai.cachedPromptTokens", CacheRead, 7),
        ("deepseek.cachedPromptTokens", CacheRead, 8),
        ("openrouter.usage.promptTokensDetails.cachedTokens", CacheRead, 6),
        ("anthropic.usage.cache_creation_input_tokens", CacheWrite, 0),
        ("anthropic.cacheCreationInputTokens", CacheWrite, 1),
        ("bedrock.usage.cacheWriteInputTokens", CacheWrite, 2),
        ("openai.usage.cacheWriteTokens", CacheWrite, 3),
        ("anthropic.usage.cache_creation.ephemeral_5m_input_tokens", CacheWrite5m, 0),
        ("anthropic.usage.cache_creation.ephemeral_1h_input_tokens", CacheWrite1h, 0),
        ("anthropic.usage.server_tool_use.web_search_requests", WebSearches, 0),
        ("openai.reasoningTokens", Reasoning, 0),
        ("xai.reasoningTokens", Reasoning, 2),
        ("deepseek.reasoningTokens", Reasoning, 3),
        ("anthropic.usage.output_tokens_details.thinking_tokens", Reasoning, 4),
        ("google.usageMetadata.thoughtsTokenCount", Reasoning, 1),
        ("google.usageMetadata.totalTokenCount", Total, 0),
        ("openai.serviceTier", Fact::ServiceTier, 0),
        ("anthropic.usage.service_tier", Fact::ServiceTier, 1),
        ("openai.responseId", Fact::ResponseId, 10),
        ("openrouter.usage.cost", ProviderCost, 0),
        ("gateway.cost", Fact::GatewayCost, 0),
    ]],
};

/// Parameters of a request as libraries repeat them: `llm.invocation_parameters` of OpenInference,
/// `langfuse.observation.model.parameters`.
pub(super) const PARAMETERS: Inside = Inside {
    rank: 90,
    bag: true,
    paths: &[&[
        ("model", Fact::RequestModel, 0),
        ("model_name", Fact::RequestModel, 1),
        ("model_id", Fact::RequestModel, 2),
        ("modelId", Fact::RequestModel, 3),
        ("stream", Fact::Streaming, 0),
        ("service_tier", Fact::ServiceTier, 5),
        ("user", Fact::User, 20),
        ("metadata.user_id", Fact::User, 21),
        ("base_url", Fact::ServerUrl, 5),
    ]],
};

/// Metadata that an application hangs on a span as JSON: OpenInference `metadata`, MLflow's
/// trace metadata, LiteLLM's `requester_metadata`.
pub(super) const METADATA: Inside = Inside {
    rank: 200,
    bag: false,
    paths: &[&[
        ("team", Fact::Team, 0),
        ("team_id", Fact::Team, 1),
        ("team_alias", Fact::Team, 2),
        ("teamId", Fact::Team, 3),
        ("user_id", Fact::User, 0),
        ("userId", Fact::User, 1),
        ("user", Fact::User, 2),
        ("session_id", Fact::Session, 0),
        ("sessionId", Fact::Session, 1),
        ("thread_id", Fact::Session, 2),
        ("conversation_id", Fact::Session, 3),
        ("feature", Fact::Feature, 0),
        ("feature_name", Fact::Feature, 1),
        ("agent_name", Fact::Agent, 0),
        ("workflow_name", Fact::Workflow, 0),
        ("environment", Fact::Environment, 0),
        ("ls_provider", Fact::Provider, 0),
        ("ls_model_name", Fact::RequestModel, 0),
    ]],
};

/// Cost by part, in US dollars: `langfuse.observation.cost_details`, `mlflow.llm.cost`.
pub(super) const COST: Inside = Inside {
    rank: 90,
    bag: false,
    paths: &[&[
        ("total", Fact::Cost, 0),
        ("total_cost", Fact::Cost, 1),
        ("input", Fact::CostInput, 0),
        ("input_cost", Fact::CostInput, 1),
        ("output", Fact::CostOutput, 0),
        ("output_cost", Fact::CostOutput, 1),
    ]],
};

/// `hidden_params` of LiteLLM.
pub(super) const LITELLM_HIDDEN: Inside = Inside {
    rank: 90,
    bag: false,
    paths: &[&[
        ("api_base", Fact::ServerUrl, 0),
        ("response_cost", Fact::Cost, 5),
        ("cache_hit", Fact::CacheHit, 0),
        ("litellm_model_name", Fact::RequestModel, 5),
    ]],
};

/// The parts that only some usage objects of the Vercel AI SDK have.
pub(super) const VERCEL_USAGE_NAMES: &[Name] = &[
    ("ai.usage.inputTokens", Input, 2),
    ("ai.usage.promptTokens", Input, 3),
    ("ai.usage.tokens", Input, 4),
    ("ai.usage.outputTokens", Output, 2),
    ("ai.usage.completionTokens", Output, 3),
    ("ai.usage.totalTokens", Total, 0),
    ("ai.usage.inputTokenDetails.noCacheTokens", Uncached, 0),
    ("ai.usage.inputTokenDetails.cacheReadTokens", CacheRead, 0),
    ("ai.usage.cachedInputTokens", CacheRead, 1),
    ("ai.usage.inputTokenDetails.cacheWriteTokens", CacheWrite, 0),
    ("ai.usage.outputTokenDetails.textTokens", OutputText, 0),
    ("ai.usage.outputTokenDetails.reasoningTokens", Reasoning, 0),
    ("ai.usage.reasoningTokens", Reasoning, 1),
];
