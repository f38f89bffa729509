//! Counting of gateways and tracing products, which tell of others' clients.

use super::Basis::{Estimated, Exclusive, Unknown};
use super::Cached::{self, Unsent};
use super::Reasoning::{Beside, BesideUnsent, Guessed, InsideUnsent};
use super::{LANGCHAIN_COHERE, MODELS_TOKENS, RULE, Rule, Streams, is_text_of_cohere};

/// First match wins.
pub(super) const RULES: &[Rule] = &[
    // Langtrace, which tells its version by an attribute alone, counts streams by itself: until 2.2.21 all,
    // since then those that tell no usage.
    Rule {
        scope: "langtrace_python_sdk*",
        provider: "anthropic",
        input: Exclusive,
        cached: Unsent(
            "library: langtrace passes on Anthropic's exclusive counts without cached tokens: only \
             uncached input is known [cached-untold]",
        ),
        streams: Streams::OutputWrong {
            streamed: "library: langtrace tells the first output count of a stream of Claude: output is \
                       unknown; nor cached tokens, which stand beside input [cached-untold]",
            unsaid: "library: langtrace tells the first output count of a stream of Claude, and not what was \
                     a stream [perhaps-estimated]; nor cached tokens, which stand beside input \
                     [cached-untold]",
        },
        reasoning: InsideUnsent,
        name: "library: langtrace passes on Anthropic's exclusive counts",
        ..RULE
    },
    Rule {
        scope: "langtrace_python_sdk*",
        only: |who| who.streaming == Some(true),
        input: Estimated,
        name: "library: langtrace counts a stream by itself, also where its usage was sent",
        ..RULE
    },
    // Each count in the provider's own words.
    Rule {
        dialect: "judgeval",
        input_name: "prompt_tokens",
        reasoning: InsideUnsent,
        name: "library: judgeval shows OpenAI's inclusive counts",
        ..RULE
    },
    Rule {
        dialect: "judgeval",
        input_name: "input_tokens",
        cache_name: "input_tokens_details",
        reasoning: InsideUnsent,
        name: "library: judgeval shows OpenAI's inclusive counts",
        ..RULE
    },
    Rule {
        dialect: "judgeval",
        input_name: "input_tokens",
        cache_name: "cache_",
        input: Exclusive,
        reasoning: InsideUnsent,
        name: "library: judgeval shows Anthropic's exclusive counts",
        ..RULE
    },
    Rule {
        dialect: "judgeval",
        input_name: "judgment.usage.*",
        only: |who| !who.model.contains("gemini"),
        input: Exclusive,
        reasoning: InsideUnsent,
        name: "library: judgeval tells disjoint counts of input",
        ..RULE
    },
    // Of LangChain's and LiteLLM's older versions input lacks what Claude's cache held.
    Rule {
        dialect: "langwatch",
        only: |who| who.model.contains("claude"),
        input: Unknown,
        reasoning: InsideUnsent,
        name: "library: langwatch passes on the input of Claude, to which older libraries do not add cached \
               tokens; which it was is not told",
        ..RULE
    },
    Rule {
        dialect: "langwatch",
        cached: Unsent(
            "library: langwatch adds cached tokens and tells none: uncached is an upper bound [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: langwatch adds cached tokens",
        ..RULE
    },
    Rule {
        dialect: "datadog",
        cached: Unsent(
            "library: datadog adds cached tokens; none are told, so uncached may be an upper bound \
             [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: datadog adds cached tokens",
        ..RULE
    },
    // Logfire's own instrumentations of clients: older versions tell the provider's usage as it came.
    Rule {
        scope: "logfire.anthropic",
        input_name: "usage.input_tokens",
        input: Exclusive,
        name: "library: logfire passes on Anthropic's exclusive counts",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "logfire.anthropic",
        before: Some([4, 31, 0]),
        input: Exclusive,
        name: "library: logfire before 4.31 passes on Anthropic's exclusive counts",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "logfire.anthropic",
        name: "library: logfire adds cached tokens",
        reasoning: InsideUnsent,
        ..RULE
    },
    // The name of its scope is a setting (`OTEL_TRACER_NAME`), so that its attributes tell it.
    Rule {
        dialect: "litellm",
        only: |who| who.failed,
        input: Estimated,
        name: "library: litellm counts by itself what had come of a stream that broke off",
        ..RULE
    },
    // By Cohere's second API.
    Rule {
        dialect: "litellm",
        only: is_text_of_cohere,
        input: Estimated,
        name: MODELS_TOKENS,
        ..RULE
    },
    // Older versions do not list what was written to a cache among the details of the input, nor
    // count it in.
    Rule {
        dialect: "litellm",
        only: |who| who.write_name == "cache_creation_input_tokens",
        writes_beside: true,
        reasoning: InsideUnsent,
        streams: LITELLM_STREAMS,
        name: "library: litellm before 1.80 adds what was read from a cache, not what was written",
        ..RULE
    },
    // Before 1.84 it passed on xAI's counts.
    Rule {
        dialect: "litellm",
        only: |who| who.litellm_of_old && super::reasons_beside(who, None),
        reasoning: BesideUnsent,
        name: "library: litellm before 1.84 passes on xAI's counts, reasoning beside output",
        ..RULE
    },
    // Claude does not tell how much of its output is thinking: what is told is LiteLLM's count of
    // the text of it.
    Rule {
        dialect: "litellm",
        // Its proxy names no provider.
        only: |who| who.provider == Some("anthropic") || who.model.starts_with("claude-"),
        cached: Unsent(LITELLM_UNSENT),
        streams: LITELLM_STREAMS,
        reasoning: Guessed,
        name: "library: litellm adds cached tokens, and guesses the reasoning of Claude",
        ..RULE
    },
    Rule {
        dialect: "litellm",
        cached: Unsent(LITELLM_UNSENT),
        streams: LITELLM_STREAMS,
        reasoning: InsideUnsent,
        name: "library: litellm adds cached tokens and reasoning",
        ..RULE
    },
    // Laminar adds up what each chunk of a stream of Gemini tells; its fork of OpenLLMetry's Anthropic adds
    // cached tokens.
    Rule {
        scope: "lmnr.tracer",
        only: |who| who.name.ends_with("generate_content_stream"),
        input: Estimated,
        name: "library: laminar adds up what each chunk of a stream of Gemini tells",
        ..RULE
    },
    Rule {
        scope: "lmnr.opentelemetry_lib.opentelemetry.instrumentation.anthropic",
        reasoning: InsideUnsent,
        name: "library: laminar adds cached tokens",
        ..RULE
    },
    // AgentOps names its scopes after the client's package. Streams read by `messages.stream` it tells
    // right, if they end.
    Rule {
        scope: "anthropic",
        only: |who| who.streaming == Some(true),
        input: Exclusive,
        cached: Unsent(AGENTOPS_STREAMS),
        output_wrong: Some(AGENTOPS_STREAMS),
        reasoning: InsideUnsent,
        name: "library: agentops passes on Anthropic's exclusive counts",
        ..RULE
    },
    Rule {
        dialect: "langsmith",
        provider: "cohere",
        input: Estimated,
        name: LANGCHAIN_COHERE,
        ..RULE
    },
    // 0.4.14 to 0.4.27 tell nothing beside the answer of a wrapped client.
    Rule {
        dialect: "langsmith",
        cache_name: "message.",
        only: |who| who.traced_function && who.model.contains("claude"),
        input: Exclusive,
        cached: Cached::Mistaken(
            "library: langsmith before 0.7 tells what was written to a cache as read from it, both beside input: \
             only uncached input is known [cached-untold]",
        ),
        name: "library: langsmith shows Anthropic's exclusive counts",
        reasoning: InsideUnsent,
        ..RULE
    },
    // The client of Anthropic, wrapped: until 0.7 the details, in which the cached tokens are, get lost.
    Rule {
        dialect: "langsmith",
        provider: "anthropic",
        only: |who| who.traced_function,
        cached: Cached::ZeroUnsent(
            "library: langsmith does not always tell the cached tokens of Anthropic's client, which \
             then stand beside input: only uncached input is known [cached-untold]",
        ),
        name: "library: langsmith adds cached tokens",
        reasoning: InsideUnsent,
        ..RULE
    },
    // LangSmith for node tells the usage of LangChain's calls inside a document.
    Rule {
        dialect: "langsmith",
        provider: "anthropic",
        input_name: "input_tokens",
        // That for Python names no version.
        only: |who| !who.version.is_empty(),
        streams: Streams::OutputWrong {
            streamed: "library: LangChain for node adds the first count of a stream of Claude to \
                       the last: output is unknown",
            unsaid: "library: LangChain for node adds the first count of a stream of Claude to the \
                     last, and nothing says whether it was one [perhaps-estimated]",
        },
        name: "library: LangChain adds cached tokens",
        reasoning: InsideUnsent,
        ..RULE
    },
    // langchain-aws adds cached tokens since 1.4.6, which LangSmith tells if it knows them.
    Rule {
        dialect: "langsmith",
        provider: "aws.bedrock",
        only: |who| who.cache_name.is_empty(),
        input: Unknown,
        name: "library: LangChain adds the cached tokens of Bedrock since langchain-aws 1.4.6; none are \
               told, nor which it was",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        dialect: "langsmith",
        cached: Unsent(
            "library: LangChain adds cached tokens, which older versions of langsmith do not tell: \
             uncached may be an upper bound [cached-untold]",
        ),
        name: "library: LangChain adds cached tokens",
        reasoning: InsideUnsent,
        ..RULE
    },
    // The answer of the client beside the counts that are made of it: where these name no cached
    // tokens, they are the input that Anthropic names beside them.
    // Of its streams the body is not shown.
    Rule {
        dialect: "mlflow",
        only: |who| who.name.starts_with("BedrockRuntime.") && who.cache_name.is_empty(),
        input: Exclusive,
        cached: Unsent(
            "library: mlflow passes on Bedrock's exclusive counts, here without cached tokens: only \
             uncached input is known [cached-untold]",
        ),
        name: "library: mlflow passes on Bedrock's exclusive counts",
        reasoning: InsideUnsent,
        ..RULE
    },
    // What Bedrock answered an invocation.
    Rule {
        dialect: "mlflow",
        cache_name: "body.usage.cache",
        input: Exclusive,
        name: "library: mlflow passes on Anthropic's exclusive counts, as Bedrock answered them",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        dialect: "mlflow",
        cache_name: "usage.cache",
        input: Exclusive,
        name: "library: mlflow shows the exclusive counts of Anthropic or Bedrock",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        dialect: "mlflow",
        input_name: "llm_output.usage.input_tokens",
        input: Exclusive,
        name: "library: older mlflow shows what LangChain was answered: Anthropic's exclusive counts",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        dialect: "mlflow",
        input_name: "llm_output.token_usage.prompt_tokens",
        name: "library: older mlflow shows what LangChain was answered: OpenAI's inclusive counts",
        ..RULE
    },
    // LangChain tells zero beside what was written by lifetime, which mlflow leaves out.
    Rule {
        dialect: "mlflow",
        only: |who| who.name.starts_with("ChatAnthropic") && !who.cache_name.is_empty(),
        cached: Cached::WriteUnsent(
            "library: mlflow does not always tell what LangChain knows to be written to Claude's cache: \
             uncached is an upper bound [cached-untold]",
        ),
        name: "library: mlflow passes on what LangChain added up",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        dialect: "mlflow",
        cached: Unsent(
            "library: mlflow adds cached tokens, which older versions do not tell: uncached may be \
             an upper bound [cached-untold], and of Claude all input a lower one",
        ),
        name: "library: mlflow adds cached tokens; it tells no reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        dialect: "langfuse",
        only: |who| {
            who.langchain_for_node
                && who.streaming == Some(true)
                && who.model.starts_with("claude-")
        },
        input_name: "input",
        input: Exclusive,
        reasoning: Beside,
        parts_beside: true,
        output_wrong: Some(
            "library: LangChain for node adds the first count of a stream of Claude to the last: output \
             is unknown",
        ),
        name: "library: langfuse's parts of usage are disjoint",
        ..RULE
    },
    // Claude's thinking is in the output, and not told.
    Rule {
        dialect: "langfuse",
        input_name: "input",
        only: |who| who.model.contains("claude"),
        input: Exclusive,
        reasoning: InsideUnsent,
        parts_beside: true,
        name: "library: langfuse's parts of usage are disjoint, but for the thinking of Claude",
        ..RULE
    },
    // The usage of Langfuse is an object whose shape tells whose it is.
    Rule {
        dialect: "langfuse",
        input_name: "input",
        input: Exclusive,
        reasoning: Beside,
        parts_beside: true,
        name: "library: langfuse's parts of usage are disjoint",
        ..RULE
    },
    Rule {
        dialect: "langfuse",
        input_name: "prompt_tokens",
        name: "library: langfuse passes on OpenAI's usage",
        ..RULE
    },
    Rule {
        dialect: "langfuse",
        input_name: "input_tokens",
        cache_name: "input_tokens_details",
        name: "library: langfuse passes on OpenAI's usage",
        ..RULE
    },
    Rule {
        dialect: "langfuse",
        input_name: "input_tokens",
        cache_name: "cache_",
        input: Exclusive,
        name: "library: langfuse passes on Anthropic's usage",
        ..RULE
    },
];

const AGENTOPS_STREAMS: &str = "library: agentops tells the first output count of a stream of Claude: output is unknown; nor \
     cached tokens, which stand beside input [cached-untold]";

const LITELLM_UNSENT: &str =
    "library: litellm tells no cached tokens: uncached is an upper bound [cached-untold]";

const LITELLM_STREAMS: Streams = Streams::PerhapsGuessedWithoutCache(
    "library: litellm guesses the counts of a stream that tells none, unmarked; a guess lacks cached \
     tokens, and so does this [perhaps-estimated] [cached-untold]",
);
