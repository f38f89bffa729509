//! Counting of OpenInference's instrumentations: the specification, and what older versions of
//! each left out of it.

use super::Basis::Exclusive;
use super::Cached::Unsent;
use super::Reasoning::InsideUnsent;
use super::{RULE, Rule, Streams};

/// First match wins.
pub(super) const RULES: &[Rule] = &[
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
        before: Some([1, 0, 0]),
        only: |who| who.streaming == Some(true),
        input: Exclusive,
        cached: Unsent(
            "library: openinference anthropic before 1.0 tells no cached tokens of streams, which \
             stand beside input: only uncached input is known [cached-untold]",
        ),
        name: "library: openinference anthropic passes on Anthropic's exclusive counts",
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.anthropic*",
        before: Some([1, 1, 0]),
        name: INSIDE,
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.anthropic*",
        streams: Streams::FirstWhenUnfinished(
            "library: openinference anthropic tells the first count of a stream that was cut: \
             output is unknown",
        ),
        name: INSIDE,
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
        before: Some([0, 1, 13]),
        cached: Unsent(
            "library: openinference google-genai before 0.1.13 tells no cached tokens: uncached \
             is an upper bound [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: INSIDE,
        ..RULE
    },
    // These leave out only what is zero.
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
        provider: "anthropic",
        input: Exclusive,
        reasoning: InsideUnsent,
        name: "library: openinference agno passes on Anthropic's exclusive counts",
        ..RULE
    },
    Rule {
        scope: "openinference.instrumentation.agno",
        reasoning: InsideUnsent,
        name: INSIDE,
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

const INSIDE: &str = "specification: OpenInference counts details inside prompt and completion";

const OLD_ANTHROPIC: &str = "library: openinference anthropic before 0.1.14 tells no cached tokens, which stand beside \
     input: only uncached input is known [cached-untold]";
