//! Counting of OpenInference's instrumentations: the specification, and what older versions of
//! each left out of it. LangChain's is a file of its own.

use super::Basis::{Estimated, Exclusive, Unknown};
use super::Cached::{self, InsideZeroUnsent, Mistaken, Unsent, WriteUnsent};
use super::Reasoning::{Guessed, InsideOrMissing, InsideUnsent};
use super::{MODELS_TOKENS, RULE, Rule, Streams, is_text_of_cohere};

/// First match wins.
pub(super) const RULES: &[Rule] = &[
    // Haystack's client hands on what Cohere bills, the others what its model counts.
    Rule {
        scope: "openinference.instrumentation.haystack",
        only: is_text_of_cohere,
        cached: Unsent(
            "library: haystack tells what Cohere bills, and no cached tokens: uncached is an upper bound \
             [cached-untold]",
        ),
        name: INSIDE,
        ..RULE
    },
    Rule {
        scope: "openinference*",
        only: is_text_of_cohere,
        input: Estimated,
        name: MODELS_TOKENS,
        ..RULE
    },
    Rule {
        scope: "@arizeai/openinference*",
        only: is_text_of_cohere,
        input: Estimated,
        name: MODELS_TOKENS,
        ..RULE
    },
    // An answer in the provider's own words, where nothing else tells of it: Anthropic's, Bedrock's, and
    // those of others.
    Rule {
        scope: "openinference*",
        input_name: "usage.input_tokens",
        cache_name: "usage.cache_",
        input: Exclusive,
        reasoning: InsideUnsent,
        name: "library: openinference shows Anthropic's exclusive counts",
        ..RULE
    },
    Rule {
        scope: "openinference*",
        input_name: "usage.inputTokens",
        input: Exclusive,
        reasoning: InsideUnsent,
        name: "library: openinference shows Bedrock's exclusive counts",
        ..RULE
    },
    // Anthropic's, of which 0.1.14 began to tell cached tokens, 1.0 those of streams, 1.1 why an
    // answer ended.
    Rule {
        scope: "openinference.instrumentation.anthropic*",
        before: Some([0, 1, 14]),
        input: Exclusive,
        cached: Unsent(OLD_ANTHROPIC),
        name: "library: openinference anthropic passes on Anthropic's exclusive counts",
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.anthropic*",
        before: Some([0, 1, 15]),
        only: |who| who.streaming != Some(true),
        cached: Unsent(
            "library: openinference anthropic 0.1.14 adds cached tokens and does not tell them: uncached \
             is an upper bound [cached-untold]",
        ),
        name: INSIDE,
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.anthropic*",
        before: Some([1, 0, 0]),
        // A total is told of streams alone.
        only: |who| who.streaming == Some(true) || (who.streaming.is_none() && who.total_told),
        reasoning: InsideUnsent,
        input: Exclusive,
        cached: Unsent(
            "library: openinference anthropic before 1.0 tells no cached tokens of streams, which \
             stand beside input: only uncached input is known [cached-untold]",
        ),
        name: "library: openinference anthropic passes on Anthropic's exclusive counts",
        ..RULE
    },
    // Streams tell details only where there are some, and 1.0.5 none at all.
    Rule {
        scope: "openinference.instrumentation.anthropic*",
        before: Some([1, 1, 0]),
        only: |who| who.streaming == Some(true),
        cached: Unsent(
            "library: openinference anthropic 1.0 tells no cached tokens of some streams: uncached \
             may be an upper bound [cached-untold]",
        ),
        name: INSIDE,
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.anthropic*",
        before: Some([1, 1, 0]),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    // Thinking it tells since 3.1.
    Rule {
        scope: "openinference.instrumentation.anthropic*",
        before: Some([3, 1, 0]),
        streams: Streams::FirstWhenUnfinished(CUT_ANTHROPIC),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.anthropic*",
        streams: Streams::FirstWhenUnfinished(CUT_ANTHROPIC),
        name: INSIDE,
        ..RULE
    },
    Rule {
        scope: "@arizeai/openinference-instrumentation-anthropic",
        before: Some([0, 2, 0]),
        input: Exclusive,
        cached: Unsent(
            "library: openinference anthropic for node before 0.2 tells no cached tokens, which \
             stand beside input: only uncached input is known [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: openinference anthropic passes on Anthropic's exclusive counts",
        ..RULE
    },
    // Of Anthropic and Bedrock too, but for streams of InvokeModel.
    Rule {
        scope: "traceai_anthropic",
        dialect: "openinference",
        input: Exclusive,
        cached: Cached::ZeroUnsent(TRACEAI_UNTOLD),
        reasoning: InsideUnsent,
        name: "library: traceai passes on Anthropic's exclusive counts",
        ..RULE
    },
    Rule {
        scope: "traceai_bedrock",
        dialect: "openinference",
        only: |who| !who.name.ends_with(INVOKE_STREAM),
        input: Exclusive,
        cached: Unsent(TRACEAI_UNTOLD),
        reasoning: InsideUnsent,
        name: "library: traceai passes on Bedrock's exclusive counts",
        ..RULE
    },
    // OpenInference's instrumentations before they told details.
    Rule {
        scope: "openinference.instrumentation.openai",
        before: Some([0, 1, 23]),
        cached: Unsent(
            "library: openinference openai before 0.1.23 tells no cached tokens: uncached is an \
             upper bound [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.openai",
        before: Some([0, 1, 26]),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    // Haystack passes on what Anthropic counts.
    Rule {
        scope: "openinference.instrumentation.haystack",
        only: |who| who.model.contains("claude"),
        input: Exclusive,
        cached: Unsent(
            "library: openinference haystack tells no cached tokens of Claude, which stand beside input: \
             only uncached input is known [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: openinference haystack passes on Anthropic's exclusive counts",
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.litellm",
        before: Some([0, 1, 16]),
        only: |who| who.model.contains("claude") || who.provider == Some("aws.bedrock"),
        cached: Unsent(
            "library: openinference litellm before 0.1.16 tells no cached tokens, of which older versions of \
             litellm leave some out of input, and what these guess of a stream; which it was is not told \
             [perhaps-estimated] [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.litellm",
        before: Some([0, 1, 16]),
        cached: Unsent(
            "library: openinference litellm before 0.1.16 tells no cached tokens: uncached is an \
             upper bound [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.google_genai",
        before: Some([0, 1, 11]),
        cached: Unsent(
            "library: openinference google-genai before 0.1.11 tells no cached tokens: uncached \
             is an upper bound [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    // `prompt_token_count += cached_content_token_count`, though it is inside.
    Rule {
        scope: "openinference.instrumentation.google_genai",
        before: Some([0, 1, 16]),
        reads_twice: true,
        reasoning: InsideUnsent,
        name: "library: openinference google-genai before 0.1.16 adds cached tokens a second time",
        ..RULE
    },
    // CrewAI's own client of Anthropic, as its listener hears of it: 1.10 to 1.15.9 leave cached tokens out of
    // input, 1.15.18 adds them; what was written is never told, nor the version.
    Rule {
        scope: "openinference.instrumentation.crewai._event_listener",
        only: |who| who.model.contains("claude") && !who.cache_name.is_empty(),
        input: Unknown,
        cached: WriteUnsent(
            "library: crewai 1.15.9 and older leave cached tokens of Claude out of input, and no version tells what \
             was written to a cache; which it was is not told [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.crewai._event_listener",
        only: |who| who.model.contains("claude"),
        cached: WriteUnsent(
            "library: crewai does not tell what of Claude's input was written to a cache, which 1.15.9 and \
             older leave out of it [perhaps-estimated] [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    // Which litellm it instruments is not told: before 1.77 that left out what was written to a
    // cache. These leave out only what is zero.
    Rule {
        scope: "openinference.instrumentation.litellm",
        before: Some([0, 1, 28]),
        only: |who| !who.write_name.is_empty(),
        input: Unknown,
        reasoning: InsideUnsent,
        name: "library: openinference litellm passes on the counts of litellm, whose older versions \
               leave out what was written to a cache; which it was is not told",
        ..RULE
    },
    // Its name for the cached tokens then held the tokens of text.
    Rule {
        scope: "openinference.instrumentation.litellm",
        since: Some([0, 1, 26]),
        before: Some([0, 1, 45]),
        cache_name: "llm.token_count.prompt_details.cache_input",
        cached: Mistaken(
            "library: openinference litellm 0.1.26 to 0.1.44 tells the tokens of text as the cached ones: \
             uncached is an upper bound [cached-untold]",
        ),
        name: "library: openinference litellm passes on the counts of litellm",
        ..RULE
    },
    // Of Claude's thinking some versions of litellm count the text that they are shown.
    Rule {
        scope: "openinference.instrumentation.litellm",
        only: |who| who.model.contains("claude"),
        reasoning: Guessed,
        name: "specification: OpenInference counts details inside prompt and completion; the reasoning \
               of Claude is litellm's guess",
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.litellm",
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.google_genai",
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    // Agno itself adds nothing up: it passes on Claude's `input_tokens`. Seen with agno 3.1 and
    // version 1.0.15 of this.
    Rule {
        scope: "openinference.instrumentation.agno",
        provider: "aws.bedrock",
        input: Exclusive,
        cached: Unsent(
            "library: agno passes on Bedrock's exclusive counts, and does not always tell cached tokens: only \
             uncached input is known [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: agno passes on Bedrock's exclusive counts",
        ..RULE
    },
    // agno adds thoughts until 2.5.0, and not from 2.5.8 on.
    Rule {
        scope: "openinference.instrumentation.agno",
        provider: "gcp*",
        only: |who| super::thinks(who.model),
        cached: Unsent(AGNO_UNTOLD),
        reasoning: InsideOrMissing,
        name: INSIDE,
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.agno",
        provider: "anthropic",
        input: Exclusive,
        reasoning: InsideUnsent,
        name: "library: openinference agno passes on Anthropic's exclusive counts",
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.agno",
        provider: "openai",
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.agno",
        cached: Unsent(AGNO_UNTOLD),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    // Since 0.1.18 it adds cached tokens to the input of streams of InvokeModel, and not to that of
    // others; 0.1.28 adds them everywhere and tells them but for streams.
    Rule {
        scope: "openinference.instrumentation.bedrock*",
        since: Some([0, 1, 18]),
        before: Some([0, 1, 28]),
        cache_name: "usage.",
        only: |who| who.name.ends_with(INVOKE_STREAM),
        reasoning: InsideUnsent,
        name: "library: openinference bedrock before 0.1.28 adds the cached tokens of streams",
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.bedrock*",
        before: Some([0, 1, 28]),
        input: Exclusive,
        cached: Unsent(
            "library: openinference bedrock before 0.1.28 tells no cached tokens, which stand beside \
             input except in streams: uncached is an upper bound [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: openinference bedrock before 0.1.28 passes on Bedrock's exclusive counts",
        ..RULE
    },
    // What Nova answers to InvokeModel it passes on, at first without cached tokens. Seen with 0.1.32;
    // 0.1.61 tells them, be they zero.
    Rule {
        scope: "openinference.instrumentation.bedrock*",
        only: |who| who.name.contains("invoke_model") && who.model.contains("nova"),
        input: Exclusive,
        cached: Unsent(
            "library: openinference bedrock of old tells no cached tokens of Nova, which stand beside \
             input: only uncached input is known [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: openinference bedrock passes on Nova's exclusive counts",
        ..RULE
    },
    // It writes `usage.input_tokens` of InvokeModel and `usage.inputTokens` of Converse as they are,
    // and cached tokens of InvokeModel alone. Source: its `*-response-attributes.ts`, 0.5.1.
    Rule {
        scope: "@arizeai/openinference-instrumentation-bedrock",
        input: Exclusive,
        cached: Unsent(
            "library: openinference bedrock for node tells no cached tokens of Converse, which \
             stand beside input: only uncached input is known [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: openinference bedrock for node passes on Bedrock's exclusive counts",
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.smolagents",
        provider: "aws.bedrock",
        input: Exclusive,
        cached: Unsent(
            "library: smolagents tells no cached tokens of Bedrock, which stand beside input: only \
             uncached input is known [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: smolagents passes on Bedrock's exclusive counts",
        ..RULE
    },
    // Zero of streams, whatever was cached. Seen with the framework's 0.1.83.
    Rule {
        scope: "openinference.instrumentation.beeai",
        cached: InsideZeroUnsent(
            "library: BeeAI tells no cached tokens of streams: where it tells none, uncached is an \
             upper bound [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
];

/// What holds of all that speak so, after the rules of every library.
pub(super) const GENERAL: &[Rule] = &[
    // LiteLLM's form of a name, from a framework that asks through it.
    Rule {
        dialect: "openinference",
        only: |who| who.model.contains("claude") && who.model.contains('/'),
        cached: WriteUnsent(
            "library: LiteLLM before 1.77 leaves out of input what was written to Claude's cache, newer ones \
             do not tell it here, and nothing says which it was [perhaps-estimated] [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    // An answer in the words of OpenAI's API, whoever gave it, has no place for them.
    Rule {
        dialect: "openinference",
        cache_name: "usage.",
        only: |who| who.model.contains("claude"),
        cached: WriteUnsent(
            "library: what of Claude's input was written to a cache is not told in OpenAI's words: \
             uncached is an upper bound [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    // The specification leaves it open whether details are sent, and many send none.
    Rule {
        dialect: "openinference",
        cached: Unsent(
            "specification: OpenInference counts details inside prompt and completion; no cached \
             tokens are told, so uncached may be an upper bound [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
];

/// How the span of a stream of Bedrock's InvokeModel is named.
const INVOKE_STREAM: &str = "invoke_model_with_response_stream";

const TRACEAI_UNTOLD: &str = "library: traceai tells no cached tokens, which stand beside input: only uncached input is known \
     [cached-untold]";

const AGNO_UNTOLD: &str = "library: agno tells the cached tokens of some providers alone: uncached may be an upper bound \
     [cached-untold]";

const CUT_ANTHROPIC: &str = "library: openinference anthropic tells the first count of a stream that was cut: output is unknown";

pub(super) const INSIDE: &str =
    "specification: OpenInference counts details inside prompt and completion";

const OLD_ANTHROPIC: &str = "library: openinference anthropic before 0.1.14 tells no cached tokens, which stand beside \
     input: only uncached input is known [cached-untold]";
