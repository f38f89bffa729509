//! Counting of frameworks, gateways, coding agents and tracing products.

use super::Basis::{Estimated, Exclusive};
use super::Cached::{self, Unsent};
use super::Reasoning::{Beside, BesideUnsent, Guessed, InsideUnsent, Twice};
use super::{LANGCHAIN_COHERE, RULE, Rule, Streams};

/// First match wins.
pub(super) const RULES: &[Rule] = &[
    // Its function that merges the usage of a stream's events adds until 1.0.85, and replaces in 1.0.90.
    // The scope of its events has the version of the program, that of its spans one of its own.
    Rule {
        scope: "com.anthropic.claude_code.events",
        before: Some([1, 0, 90]),
        input: Estimated,
        reasoning: InsideUnsent,
        name: "library: claude code before 1.0.90 adds up what the events of a stream tell, which \
               repeat input and cached tokens: its counts are not the provider's",
        ..RULE
    },
    Rule {
        scope: "com.anthropic.claude_code*",
        input: Exclusive,
        name: "library: claude code tells four disjoint counts, without reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "pydantic-ai*",
        provider: "anthropic",
        before: Some([1, 0, 0]),
        streams: Streams::Guessed {
            streamed: PYDANTIC_SUMS,
            unsaid: Some(
                "library: pydantic-ai adds cached tokens; before 1 it adds up what the events of a \
                 stream of Claude tell, and does not say what was a stream [perhaps-estimated]",
            ),
        },
        name: "library: pydantic-ai adds cached tokens",
        reasoning: InsideUnsent,
        ..RULE
    },
    // Of Bedrock it passes on input as it came, without cached tokens: 0.4 to 1.30 do, 1.33 adds and
    // tells them.
    Rule {
        scope: "pydantic-ai*",
        provider: "aws.bedrock",
        before: Some([1, 33, 0]),
        only: |who| who.cache_name.is_empty(),
        input: Exclusive,
        cached: Unsent(
            "library: pydantic-ai before 1.33 tells no cached tokens of Bedrock, which stand \
             beside input: only uncached input is known [cached-untold]",
        ),
        name: "library: pydantic-ai before 1.33 passes on Bedrock's exclusive counts",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "pydantic-ai*",
        since: Some([0, 8, 0]),
        before: Some([1, 5, 0]),
        cached: Unsent(
            "library: pydantic-ai 0.8 to 1.4 tells no cached tokens but Claude's: uncached is an \
             upper bound [cached-untold]",
        ),
        name: "library: pydantic-ai adds cached tokens",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "pydantic-ai*",
        name: "library: pydantic-ai adds cached tokens",
        reasoning: InsideUnsent,
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
    // It names no version. The newer ones add cached tokens wherever there are some; the older ones
    // pass on what each provider counts, tell no cached tokens but Bedrock's, beside a total that
    // proves where they are, and name no provider.
    // Until some version after 1.20 it takes Ollama's counts one for the other, whose models alone
    // have a tag of letters.
    Rule {
        scope: "strands*",
        only: |who| is_tagged(who.model),
        input: Estimated,
        name: "library: strands takes Ollama's input for output and output for input, in versions \
               that do not say so",
        reasoning: InsideUnsent,
        ..RULE
    },
    // Of Anthropic's own API it passes on input without cached tokens, or with a zero for them, until
    // some version after 1.20; 1.62 adds them wherever there are some.
    Rule {
        scope: "strands*",
        only: |who| who.model.starts_with("claude-"),
        cached: Cached::ZeroUnsent(
            "library: strands does not always tell the cached tokens of Claude, which then stand \
             beside input: only uncached input is known [cached-untold]",
        ),
        name: "library: strands adds cached tokens; it tells no reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "strands*",
        cached: Unsent(
            "library: strands adds cached tokens, which older versions do not tell: uncached may \
             be an upper bound [cached-untold], and of Claude all input a lower one",
        ),
        name: "library: strands adds cached tokens; it tells no reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    // The name of its scope is a setting (`OTEL_TRACER_NAME`), so that its attributes tell it.
    // Older versions do not list what was written to a cache among the details of the input, nor
    // count it in.
    Rule {
        dialect: "litellm",
        only: |who| who.write_name == "cache_creation_input_tokens",
        writes_beside: true,
        reasoning: InsideUnsent,
        name: "library: litellm before 1.80 adds what was read from a cache, not what was written",
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
    // Its older versions have one scope for all, and tell no cached tokens.
    Rule {
        scope: "openlit.otel*",
        provider: "anthropic",
        input: Exclusive,
        cached: Unsent(OLD_OPENLIT_BESIDE),
        streams: Streams::GuessedWithoutCache(OPENLIT_GUESS),
        reasoning: InsideUnsent,
        name: "library: openlit passes on Anthropic's exclusive counts, reasoning now and then",
        ..RULE
    },
    Rule {
        scope: "openlit.otel*",
        provider: "aws.bedrock",
        input: Exclusive,
        cached: Unsent(OLD_OPENLIT_BESIDE),
        streams: Streams::GuessedWithoutCache(OPENLIT_GUESS),
        reasoning: InsideUnsent,
        name: "library: openlit passes on Bedrock's exclusive counts, reasoning now and then",
        ..RULE
    },
    Rule {
        scope: "openlit.otel*",
        provider: "openai",
        cached: Unsent(
            "library: openlit of one scope for all tells no cached tokens: uncached is an upper \
             bound [cached-untold]",
        ),
        streams: Streams::GuessedWithoutCache(OPENLIT_GUESS),
        reasoning: InsideUnsent,
        name: "library: openlit passes on OpenAI's inclusive counts, reasoning now and then",
        ..RULE
    },
    Rule {
        // Its log events name no provider.
        scope: "openlit.instrumentation.anthropic",
        input: Exclusive,
        reasoning: InsideUnsent,
        streams: Streams::GuessedWithoutCache(OPENLIT_GUESS),
        name: "library: openlit passes on Anthropic's exclusive counts, reasoning now and then",
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
    // OpenLIT for node tells a total until 1.11, and cached tokens since then where there are some.
    Rule {
        scope: "@openlit/instrumentation-anthropic",
        only: |who| who.streaming == Some(true),
        input: Exclusive,
        cached: Unsent(OPENLIT_JS_STREAMS),
        output_wrong: Some(OPENLIT_JS_STREAMS),
        reasoning: InsideUnsent,
        name: "library: openlit passes on Anthropic's exclusive counts, reasoning now and then",
        ..RULE
    },
    Rule {
        scope: "@openlit/instrumentation-anthropic",
        only: |who| who.total_told,
        input: Exclusive,
        cached: Unsent(
            "library: openlit for node before 1.15 tells no cached tokens of Anthropic here, which \
             stand beside input: only uncached input is known [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: openlit passes on Anthropic's exclusive counts, reasoning now and then",
        ..RULE
    },
    Rule {
        dialect: "openlit",
        provider: "anthropic",
        input: Exclusive,
        streams: Streams::GuessedWithoutCache(OPENLIT_GUESS),
        reasoning: InsideUnsent,
        name: "library: openlit passes on Anthropic's exclusive counts, reasoning now and then",
        ..RULE
    },
    Rule {
        dialect: "openlit",
        provider: "aws.bedrock",
        input: Exclusive,
        streams: Streams::GuessedWithoutCache(OPENLIT_GUESS),
        reasoning: InsideUnsent,
        name: "library: openlit passes on Bedrock's exclusive counts, reasoning now and then",
        ..RULE
    },
    Rule {
        scope: "openlit.instrumentation.openai",
        streams: Streams::GuessedWithoutCache(OPENLIT_GUESS),
        reasoning: InsideUnsent,
        name: "library: openlit passes on OpenAI's inclusive counts, reasoning now and then",
        ..RULE
    },
    // Its log events, of one scope for all clients, repeat what the spans tell, and not what was a stream.
    Rule {
        scope: "openlit",
        only: |who| who.model.starts_with("claude-"),
        input: Exclusive,
        cached: Unsent(OPENLIT_JS_STREAMS),
        streams: Streams::OutputWrong {
            streamed: OPENLIT_JS_STREAMS,
            unsaid: "library: openlit for node adds the first count of a stream of Claude to the \
                     last, and nothing says whether it was one [perhaps-estimated]; cached tokens, \
                     which stand beside input, are not told of all [cached-untold]",
        },
        reasoning: InsideUnsent,
        name: "library: openlit passes on Anthropic's exclusive counts, reasoning now and then",
        ..RULE
    },
    Rule {
        scope: "@openlit/*",
        streams: Streams::GuessedWithoutCache(OPENLIT_GUESS),
        reasoning: InsideUnsent,
        name: "library: openlit passes on the provider's counts, reasoning now and then",
        ..RULE
    },
    Rule { scope: "gen_ai", name: "library: vercel ai 7 adds cached tokens", ..RULE },
    // Version 6 tells uncached input beside, which is a proof; 4 and 5 pass on what the API says.
    Rule {
        scope: "ai",
        provider: "anthropic",
        input: Exclusive,
        cached: Unsent(
            "library: vercel ai before 4 tells no cached tokens, which stand beside input: only \
             uncached input is known [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: vercel ai before 6 passes on Anthropic's exclusive counts, without reasoning",
        ..RULE
    },
    Rule {
        scope: "ai",
        provider: "aws.bedrock",
        input: Exclusive,
        cached: Cached::ReadUnsent(
            "library: vercel ai before 6 tells what was read from Bedrock's cache of streams \
             alone, beside input: only uncached input is known [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: vercel ai before 6 passes on Bedrock's exclusive counts, without reasoning",
        ..RULE
    },
    Rule {
        scope: "ai",
        provider: "gcp*",
        cached: Unsent(
            "library: vercel ai tells no cached tokens: uncached is an upper bound [cached-untold]",
        ),
        reasoning: BesideUnsent,
        name: "library: vercel ai before 6 passes on Gemini's counts, thoughts beside output",
        ..RULE
    },
    Rule {
        scope: "ai",
        cached: Unsent(
            "library: vercel ai tells no cached tokens here: uncached is an upper bound \
             [cached-untold]; reasoning only where it is told",
        ),
        reasoning: InsideUnsent,
        name: "library: vercel ai before 6 passes on OpenAI's inclusive counts",
        ..RULE
    },
    Rule { scope: "codex*", name: "library: codex passes on OpenAI's inclusive counts", ..RULE },
    Rule {
        scope: "gemini-cli*",
        cached: Unsent(
            "library: gemini-cli tells neither cached tokens nor thoughts here: uncached is an \
             upper bound [cached-untold], output unknown",
        ),
        reasoning: BesideUnsent,
        name: "library: gemini-cli passes on Gemini's counts, thoughts beside output",
        ..RULE
    },
    // Google's Agent Development Kit, which names its version since it passes on counts. Other models
    // are asked through LiteLLM, whose output contains reasoning.
    Rule {
        scope: "gcp.vertex.agent",
        provider: "gcp*",
        input_name: ADK_INPUT,
        reasoning: Beside,
        name: "library: Google ADK tells Gemini's usage as it came, thoughts beside output",
        ..RULE
    },
    // ADK for Java, which names no version, and alone this operation.
    Rule {
        scope: "gcp.vertex.agent",
        only: |who| who.operation == "call_llm" && who.model.starts_with("claude-"),
        input: Exclusive,
        cached: Unsent(
            "library: Google ADK tells no cached tokens of Claude, which stand beside input: only \
             uncached input is known [cached-untold]",
        ),
        name: "library: Google ADK passes on Anthropic's exclusive counts",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "gcp.vertex.agent",
        only: |who| who.operation == "call_llm" && who.model.starts_with("gemini-"),
        name: "library: Google ADK adds thoughts to output",
        ..RULE
    },
    Rule {
        scope: "gcp.vertex.agent",
        input_name: ADK_INPUT,
        cached: Unsent(ADK_OTHERS),
        reasoning: InsideUnsent,
        name: "library: Google ADK tells LiteLLM's usage as it came",
        ..RULE
    },
    Rule {
        scope: "gcp.vertex.agent",
        only: |who| who.provider.is_some_and(|provider| !provider.starts_with("gcp")),
        since: Some([2, 3, 0]),
        cached: Unsent(ADK_OTHERS),
        reasoning: Twice,
        name: "library: Google ADK since 2.3 adds the reasoning of other models to output a second time",
        ..RULE
    },
    Rule {
        scope: "gcp.vertex.agent",
        only: |who| who.provider.is_some_and(|provider| !provider.starts_with("gcp")),
        cached: Unsent(ADK_OTHERS),
        reasoning: InsideUnsent,
        name: "library: Google ADK passes on the counts of LiteLLM",
        ..RULE
    },
    Rule {
        scope: "gcp.vertex.agent",
        only: |who| who.version.is_empty(),
        cached: Unsent(
            "library: Google ADK before 1.20 tells no cached tokens: uncached is an upper bound \
             [cached-untold]; output is unknown, it may be the total",
        ),
        output_wrong: Some(
            "library: Google ADK before 1.20 tells no cached tokens: uncached is an upper bound \
             [cached-untold]; output is unknown, it may be the total",
        ),
        name: "library: Google ADK before 1.20: output is unknown, it may be the total",
        ..RULE
    },
    // ADK for Go, whose versions are its own: it tells what was cached, be it nothing.
    Rule {
        scope: "gcp.vertex.agent",
        only: |who| !who.cache_name.is_empty(),
        name: "library: Google ADK adds thoughts to output",
        ..RULE
    },
    Rule {
        scope: "gcp.vertex.agent",
        before: Some([2, 3, 0]),
        cached: Unsent(
            "library: Google ADK before 2.3 tells no cached tokens: uncached is an upper bound \
             [cached-untold]; output is unknown where thoughts are not told",
        ),
        reasoning: BesideUnsent,
        name: "library: Google ADK before 2.3 passes on Gemini's counts, thoughts beside output",
        ..RULE
    },
    Rule { scope: "gcp.vertex.agent", name: "library: Google ADK adds thoughts to output", ..RULE },
    Rule {
        dialect: "genkit",
        provider: "gcp*",
        name: "library: genkit passes on Gemini's counts, thoughts beside output",
        reasoning: BesideUnsent,
        ..RULE
    },
    Rule {
        dialect: "genkit",
        provider: "openai",
        cached: Unsent(
            "library: genkit passes on OpenAI's inclusive counts; no cached tokens are told, so \
             uncached may be an upper bound [cached-untold]",
        ),
        name: "library: genkit passes on OpenAI's inclusive counts",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        dialect: "langsmith",
        provider: "cohere",
        input: Estimated,
        name: LANGCHAIN_COHERE,
        ..RULE
    },
    // LangSmith for node alone tells the usage of LangChain's calls inside a document.
    Rule {
        dialect: "langsmith",
        provider: "anthropic",
        input_name: "input_tokens",
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
    Rule {
        dialect: "mlflow",
        cache_name: "usage.cache_",
        input: Exclusive,
        name: "library: older mlflow passes on Anthropic's exclusive counts",
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

/// Where Google's Agent Development Kit repeats the usage of an answer.
const ADK_INPUT: &str = "usage_metadata.prompt_token_count";

/// Whether a model has a tag as Ollama's have: `llama3.1:8b`, not `anthropic.claude-v2:1`.
fn is_tagged(model: &str) -> bool {
    model.rsplit_once(':').is_some_and(|(_, tag)| tag.contains(|c: char| c.is_ascii_alphabetic()))
}

const AGENTOPS_STREAMS: &str = "library: agentops tells the first output count of a stream of Claude: output is unknown; nor \
     cached tokens, which stand beside input [cached-untold]";

const OPENLIT_JS_STREAMS: &str = "library: openlit for node adds the first count of a stream to the last: output is unknown; cached \
     tokens, which stand beside input, are not told of all [cached-untold]";

const LITELLM_UNSENT: &str =
    "library: litellm tells no cached tokens: uncached is an upper bound [cached-untold]";

const LITELLM_STREAMS: Streams = Streams::PerhapsGuessedWithoutCache(
    "library: litellm guesses the counts of a stream that tells none, unmarked; a guess lacks cached \
     tokens, and so does this [perhaps-estimated] [cached-untold]",
);

const ADK_OTHERS: &str = "library: Google ADK tells no cached tokens of other models here: uncached may be an upper bound \
     [cached-untold]";

const PYDANTIC_SUMS: &str =
    "library: pydantic-ai before 1 adds up what the events of a stream of Claude tell";

const OLD_OPENLIT_BESIDE: &str = "library: openlit of one scope for all tells no cached tokens, which stand beside input: only \
     uncached input is known [cached-untold]";

const OPENLIT_GUESS: &str =
    "library: openlit guesses the counts of a stream that tells none; a guess lacks cached tokens";
