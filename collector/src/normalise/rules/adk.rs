//! Counting of Google's Agent Development Kit, for Python, Java and Go, and of what it asks through LiteLLM.

use super::Basis::Exclusive;
use super::Cached::{self, Unsent};
use super::Reasoning::{Beside, BesideUnsent, InsideUnsent, Twice};
use super::{RULE, Rule, Streams};

/// First match wins.
pub(super) const RULES: &[Rule] = &[
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
    Rule {
        scope: "gcp.vertex.agent",
        provider: "gcp*",
        input_name: "usageMetadata.promptTokenCount",
        reasoning: Beside,
        name: "library: Google ADK for Java shows Gemini's usage as it came, thoughts beside output",
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
    // LiteLLM counts by itself what came of a stream that broke off; that it did, the reason alone tells
    // which is then not there.
    Rule {
        scope: "gcp.vertex.agent",
        since: Some([1, 19, 0]),
        before: Some([2, 3, 0]),
        only: |who| who.model.contains('/') && !who.finished,
        cached: Unsent(ADK_OTHERS),
        streams: Streams::PerhapsWrong(
            "library: Google ADK tells LiteLLM's usage as it came, which is its own count where a stream \
             broke off, as this may have [perhaps-estimated]; uncached may be an upper bound \
             [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: ADK_LITELLM,
        ..RULE
    },
    Rule {
        scope: "gcp.vertex.agent",
        input_name: ADK_INPUT,
        only: |who| who.model.contains("claude"),
        cached: Cached::WriteUnsent(ADK_CLAUDE),
        reasoning: InsideUnsent,
        name: ADK_LITELLM,
        ..RULE
    },
    Rule {
        scope: "gcp.vertex.agent",
        input_name: ADK_INPUT,
        cached: Unsent(ADK_OTHERS),
        reasoning: InsideUnsent,
        name: ADK_LITELLM,
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
];

/// Where Google's Agent Development Kit repeats the usage of an answer.
const ADK_INPUT: &str = "usage_metadata.prompt_token_count";

const ADK_LITELLM: &str = "library: Google ADK tells LiteLLM's usage as it came";

const ADK_CLAUDE: &str = "library: LiteLLM adds cached tokens; Google ADK does not tell what was written to a cache: uncached is \
     an upper bound [cached-untold]";

const ADK_OTHERS: &str = "library: Google ADK tells no cached tokens of other models here: uncached may be an upper bound \
     [cached-untold]";
