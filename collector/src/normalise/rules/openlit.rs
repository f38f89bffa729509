//! Counting of OpenLIT, for Python and node: of old under one scope for all, now under one for each
//! client.

use super::Basis::{Estimated, Exclusive, Unknown};
use super::Cached::{self, Unsent};
use super::Reasoning::{BesideUnsent, InsideOrMissing, InsideUnsent};
use super::{RULE, Rule, Streams};

/// First match wins.
pub(super) const RULES: &[Rule] = &[
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
        cached: Unsent(OLD_OPENLIT_INSIDE),
        streams: Streams::GuessedWithoutCache(OPENLIT_GUESS),
        reasoning: InsideUnsent,
        name: "library: openlit passes on OpenAI's inclusive counts, reasoning now and then",
        ..RULE
    },
    // Its total is its own sum, so that it shows no thoughts that are missing. Of Google's clients it
    // passes on candidates and thoughts.
    Rule {
        scope: "openlit.otel*",
        provider: "gcp*",
        only: |who| super::thinks(who.model),
        cached: Unsent(OLD_OPENLIT_INSIDE),
        streams: Streams::GuessedWithoutCache(OPENLIT_GUESS),
        reasoning: BesideUnsent,
        name: "library: openlit passes on Gemini's counts, thoughts beside output",
        ..RULE
    },
    Rule {
        scope: "openlit.otel*",
        only: |who| super::thinks(who.model),
        cached: Unsent(OLD_OPENLIT_INSIDE),
        streams: Streams::GuessedWithoutCache(OPENLIT_GUESS),
        reasoning: InsideOrMissing,
        name: "library: openlit passes on Gemini's counts, of old without thoughts",
        ..RULE
    },
    // What LiteLLM tells, whoever serves.
    Rule {
        scope: "openlit.instrumentation.litellm",
        only: |who| who.model.contains("claude"),
        cached: Cached::WriteUnsent(
            "library: LiteLLM adds cached tokens; openlit does not always tell what was written to a \
             cache: uncached is an upper bound [cached-untold]",
        ),
        streams: Streams::GuessedWithoutCache(OPENLIT_GUESS),
        reasoning: InsideUnsent,
        name: "library: openlit passes on LiteLLM's inclusive counts, reasoning now and then",
        ..RULE
    },
    Rule {
        scope: "openlit.instrumentation.litellm",
        streams: Streams::GuessedWithoutCache(OPENLIT_GUESS),
        reasoning: InsideUnsent,
        name: "library: openlit passes on LiteLLM's inclusive counts, reasoning now and then",
        ..RULE
    },
    // Who serves is not named where LiteLLM is asked, which counts as OpenAI does. What was written to
    // Claude's cache it adds since 1.80, and which it was is not told.
    Rule {
        scope: "openlit.otel*",
        only: |who| {
            let unsaid = who.provider.is_none() && who.streaming != Some(true);
            unsaid && who.model.contains("claude")
        },
        input: Unknown,
        reasoning: InsideUnsent,
        name: "library: openlit tells neither who served Claude nor its cached tokens, which some \
               gateways add",
        ..RULE
    },
    Rule {
        scope: "openlit.otel*",
        only: |who| who.provider.is_none(),
        cached: Unsent(OLD_OPENLIT_INSIDE),
        streams: Streams::GuessedWithoutCache(OPENLIT_GUESS),
        reasoning: InsideUnsent,
        name: "library: openlit passes on the counts of a gateway, which adds cached tokens",
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
    // Its log events for node, of one scope for all clients, repeat what the spans tell, and not what was a stream.
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
    // Of the Responses API it does not tell them.
    Rule {
        scope: "@openlit/instrumentation-openai",
        streams: Streams::GuessedWithoutCache(OPENLIT_GUESS),
        cached: Unsent(
            "library: openlit for node does not always tell cached tokens: uncached may be an upper bound \
             [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: openlit passes on OpenAI's inclusive counts, reasoning now and then",
        ..RULE
    },
    Rule {
        scope: "@openlit/instrumentation-ollama",
        only: |who| who.embeds,
        input: Estimated,
        name: "library: openlit for node counts the input of Ollama's embeddings by itself",
        ..RULE
    },
    Rule {
        scope: "@openlit/*",
        streams: Streams::GuessedWithoutCache(OPENLIT_GUESS),
        reasoning: InsideUnsent,
        name: "library: openlit passes on the provider's counts, reasoning now and then",
        ..RULE
    },
];

const OPENLIT_JS_STREAMS: &str = "library: openlit for node adds the first count of a stream to the last: output is unknown; cached \
     tokens, which stand beside input, are not told of all [cached-untold]";

const OLD_OPENLIT_INSIDE: &str = "library: openlit of one scope for all tells no cached tokens: uncached is an upper bound \
     [cached-untold]";

const OLD_OPENLIT_BESIDE: &str = "library: openlit of one scope for all tells no cached tokens, which stand beside input: only \
     uncached input is known [cached-untold]";

const OPENLIT_GUESS: &str =
    "library: openlit guesses the counts of a stream that tells none; a guess lacks cached tokens";
