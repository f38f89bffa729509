//! Counting of OpenInference's LangChain, Python and node: what each version of it, and of the clients below, adds
//! up or leaves out.

use super::Basis::{Estimated, Exclusive, Unknown};
use super::Cached::{self, Unsent, WriteUnsent};
use super::Reasoning::{BesideUnsent, InsideUnsent};
use super::openinference::INSIDE;
use super::{LANGCHAIN_COHERE, RULE, Rule, Streams};

/// First match wins.
pub(super) const RULES: &[Rule] = &[
    // A fork of OpenInference's, which passes on Anthropic's own object, without cached tokens.
    Rule {
        scope: "traceai_langchain",
        provider: "anthropic",
        only: |who| !who.total_told,
        input: Exclusive,
        cached: Unsent(
            "library: traceai langchain tells no cached tokens of Claude, which stand beside \
             input: only uncached input is known [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: traceai langchain passes on Anthropic's exclusive counts",
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.langchain",
        provider: "cohere",
        input: Estimated,
        name: LANGCHAIN_COHERE,
        ..RULE
    },
    // langchain-aws passes on what Bedrock counts, or adds; cached tokens that are told this adds where
    // that did not.
    Rule {
        scope: "openinference.instrumentation.langchain",
        provider: "aws.bedrock",
        only: |who| !who.cache_name.is_empty(),
        cached: WriteUnsent(CLAUDES_WRITES),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.langchain",
        provider: "aws.bedrock",
        cached: Cached::ZeroUnsent(
            "library: LangChain passes on Bedrock's exclusive counts; no cached tokens are told, which \
             stand beside input: only uncached input is known [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.langchain",
        before: Some([0, 1, 39]),
        provider: "anthropic",
        input: Unknown,
        streams: Streams::PerhapsWrong(
            "library: openinference langchain before 0.1.39 tells no cached tokens, which older versions of \
             langchain-anthropic leave out of input, but for streams, to whose output they add the first \
             count; which it was is not told [perhaps-estimated]",
        ),
        name: "library: openinference langchain before 0.1.39 tells no cached tokens, which older \
               versions of langchain-anthropic leave out of input, but for streams",
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.langchain",
        before: Some([0, 1, 39]),
        cached: Unsent(
            "library: openinference langchain before 0.1.39 tells no cached tokens: uncached is \
             an upper bound [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    // langchain-google-genai before 3 adds up the cached tokens that each chunk of a stream repeats.
    Rule {
        scope: "openinference.instrumentation.langchain",
        provider: "gcp*",
        only: |who| {
            let streamed = who.streaming != Some(false);
            streamed && !who.cache_name.is_empty() && who.packages.is_empty()
        },
        streams: Streams::PerhapsWrong(
            "library: langchain-google-genai before 3 adds up the cached tokens that each chunk of a \
             stream repeats, and which it was is not told [perhaps-estimated]",
        ),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    // What it tells without a total is Anthropic's own object, which 0.1.55 began to add up.
    Rule {
        scope: "openinference.instrumentation.langchain",
        before: Some([0, 1, 55]),
        provider: "anthropic",
        only: |who| !who.total_told,
        input: Exclusive,
        reasoning: InsideUnsent,
        name: "library: openinference langchain before 0.1.55 passes on Anthropic's exclusive counts, but for streams",
        ..RULE
    },
    // Before 0.3.13 langchain-anthropic adds up what two events of a stream tell.
    Rule {
        scope: "openinference.instrumentation.langchain",
        provider: "anthropic",
        only: |who| who.streaming == Some(true) && !who.client_named && who.packages.is_empty(),
        cached: WriteUnsent(CLAUDES_WRITES),
        streams: Streams::PerhapsWrong(
            "library: LangChain adds cached tokens; before langchain-anthropic 0.3.13 the counts of a \
             stream come twice, and which it was is not told [perhaps-estimated]; nor always what was \
             written to a cache: uncached is an upper bound [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    // What was written to Claude's cache is told of streams since 0.1.70, and by node's not at all.
    Rule {
        scope: "openinference.instrumentation.langchain",
        before: Some([0, 1, 70]),
        provider: "anthropic",
        only: |who| who.streaming != Some(false),
        cached: WriteUnsent(CLAUDES_WRITES),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    Rule {
        scope: "@arizeai/openinference-instrumentation-langchain",
        provider: "aws.bedrock",
        cached: WriteUnsent(CLAUDES_WRITES),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    Rule {
        scope: "@arizeai/openinference-instrumentation-langchain",
        provider: "gcp*",
        only: |who| who.streaming.is_none() && !who.cache_name.is_empty(),
        streams: Streams::PerhapsWrong(
            "library: LangChain for node adds up the cached tokens that each chunk of a stream of \
             Gemini repeats, and nothing says whether it was one [perhaps-estimated]",
        ),
        reasoning: BesideUnsent,
        name: "library: LangChain for node passes on Gemini's counts, thoughts beside output",
        ..RULE
    },
    Rule {
        scope: "@arizeai/openinference-instrumentation-langchain",
        provider: "gcp*",
        only: |who| who.streaming == Some(true) && !who.cache_name.is_empty(),
        input: Estimated,
        reasoning: BesideUnsent,
        name: "library: LangChain for node adds up the cached tokens that each chunk of a stream of \
               Gemini repeats",
        ..RULE
    },
    Rule {
        scope: "@arizeai/openinference-instrumentation-langchain",
        before: Some([4, 0, 0]),
        provider: "anthropic",
        streams: JS_CLAUDE_STREAMS_UNCACHED,
        input: Exclusive,
        cached: Unsent(
            "library: openinference langchain for node before 4 tells no cached tokens of Claude, \
             which LangChain leaves out of input: only uncached input is known [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    // Seen with @langchain/anthropic 0.3.29 and 1.2.1.
    Rule {
        scope: "@arizeai/openinference-instrumentation-langchain",
        provider: "anthropic",
        only: |who| !who.cache_name.is_empty(),
        streams: JS_CLAUDE_STREAMS,
        input: Unknown,
        reasoning: InsideUnsent,
        name: "library: openinference langchain for node passes on LangChain's input, which older \
               versions of @langchain/anthropic do not add cached tokens to; which it was is not told",
        ..RULE
    },
    Rule {
        scope: "@arizeai/openinference-instrumentation-langchain",
        provider: "anthropic",
        streams: JS_CLAUDE_STREAMS_UNCACHED,
        cached: WriteUnsent(CLAUDES_WRITES),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
];

const CLAUDES_WRITES: &str = "library: openinference langchain does not tell what of Claude's input was written to a cache: \
     uncached is an upper bound [cached-untold]";

/// Seen with @langchain/anthropic 1.5.11.
const JS_CLAUDE_STREAMS: Streams = Streams::OutputWrong {
    streamed: "library: LangChain for node adds the first count of a stream of Claude to the last: \
               output is unknown",
    unsaid: "library: LangChain for node adds the first count of a stream of Claude to the last, and \
             nothing says whether it was one [perhaps-estimated]",
};

const JS_CLAUDE_STREAMS_UNCACHED: Streams = Streams::OutputWrong {
    streamed: "library: LangChain for node adds the first count of a stream of Claude to the last: \
               output is unknown; cached tokens are not told of all [cached-untold]",
    unsaid: "library: LangChain for node adds the first count of a stream of Claude to the last, and \
             nothing says whether it was one; cached tokens are not told of all \
             [perhaps-estimated] [cached-untold]",
};
