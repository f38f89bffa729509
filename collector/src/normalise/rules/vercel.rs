//! Counting of the AI SDK, and of Mastra, which is built upon it.

use super::Basis::{Estimated, Exclusive, Unknown};
use super::Cached::{self, Unsent};
use super::Reasoning::{Beside, BesideUnsent, InsideOrMissing, InsideUnsent};
use super::{MODELS_TOKENS, RULE, Rule, is_text_of_cohere};

/// First match wins.
pub(super) const RULES: &[Rule] = &[
    Rule {
        scope: "gen_ai",
        only: is_text_of_cohere,
        input: Estimated,
        name: MODELS_TOKENS,
        ..RULE
    },
    // Of objects it tells no writes, beside reads.
    Rule {
        scope: "gen_ai",
        only: |who| {
            matches!(who.provider, Some("anthropic" | "aws.bedrock"))
                && who.write_name.is_empty()
                && !who.cache_name.is_empty()
        },
        cached: Cached::WriteUnsent(
            "library: vercel ai 7 adds cached tokens, and tells of objects not what was written to a \
             cache: uncached is an upper bound [cached-untold]",
        ),
        name: "library: vercel ai 7 adds cached tokens",
        ..RULE
    },
    // What clients of others' APIs do not find they tell as zero.
    Rule {
        scope: "gen_ai",
        only: |who| !tells_zero_cached(who.provider),
        cached: Cached::InsideZeroUnsent(
            "library: vercel ai 7 adds cached tokens, of which some clients tell none where they find none: \
             uncached may be an upper bound [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: vercel ai 7 adds cached tokens",
        ..RULE
    },
    Rule {
        scope: "gen_ai",
        reasoning: InsideUnsent,
        name: "library: vercel ai 7 adds cached tokens",
        ..RULE
    },
    Rule { scope: "ai", only: is_text_of_cohere, input: Estimated, name: MODELS_TOKENS, ..RULE },
    // xAI counts reasoning beside output, which newer versions of its client add. The older tell both in
    // metadata, as they came.
    Rule {
        scope: "ai",
        provider: "x_ai",
        cache_name: "xai.",
        reasoning: Beside,
        name: "library: vercel ai passes on xAI's counts, reasoning beside output",
        ..RULE
    },
    Rule {
        scope: "ai",
        provider: "x_ai",
        cached: Unsent(
            "library: vercel ai tells no cached tokens here: uncached is an upper bound \
             [cached-untold]; nor reasoning, which some versions leave out of output",
        ),
        reasoning: InsideOrMissing,
        name: "library: vercel ai passes on xAI's counts",
        ..RULE
    },
    // Version 6 adds; later ones tell uncached input beside, which is a proof.
    // Its metadata holds what was written.
    Rule {
        scope: "ai",
        since: Some([6, 0, 0]),
        provider: "aws.bedrock",
        cached: Cached::ReadUnsent(
            "library: vercel ai 6 adds cached tokens; it does not tell here what was read from a \
             cache: uncached is an upper bound [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: vercel ai 6 adds cached tokens",
        ..RULE
    },
    Rule {
        scope: "ai",
        since: Some([6, 0, 0]),
        provider: "anthropic",
        cached: Cached::WriteUnsent(
            "library: vercel ai 6 adds cached tokens; it does not tell here what was written to a \
             cache: uncached is an upper bound [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: vercel ai 6 adds cached tokens",
        ..RULE
    },
    Rule {
        scope: "ai",
        since: Some([6, 0, 0]),
        only: |who| !tells_zero_cached(who.provider),
        cached: Cached::InsideZeroUnsent(
            "library: vercel ai 6 adds cached tokens, of which some clients tell none where they find none: \
             uncached may be an upper bound [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: vercel ai 6 adds cached tokens and reasoning",
        ..RULE
    },
    Rule {
        scope: "ai",
        since: Some([6, 0, 0]),
        cached: Unsent(
            "library: vercel ai 6 adds cached tokens; none are told, so uncached may be an upper \
             bound [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: vercel ai 6 adds cached tokens and reasoning",
        ..RULE
    },
    // Streams do not show the version.
    Rule {
        scope: "ai",
        provider: "aws.bedrock",
        cache_name: "ai.usage.cachedInputTokens",
        only: |who| who.version.is_empty(),
        input: Unknown,
        reasoning: InsideUnsent,
        name: "library: vercel ai adds the cached tokens of Bedrock since 6, and does not tell its version \
               of streams",
        ..RULE
    },
    // 4 and 5 pass on what the API says.
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
        only: |who| !tells_zero_cached(who.provider),
        cached: Cached::InsideZeroUnsent(
            "library: vercel ai tells no cached tokens here, or none where a client finds none: uncached is \
             an upper bound [cached-untold]; reasoning only where it is told",
        ),
        reasoning: InsideUnsent,
        name: "library: vercel ai before 6 passes on OpenAI's inclusive counts",
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
    // The answer of a step, as it came.
    Rule {
        dialect: "mastra",
        input_name: "usage.input_tokens",
        cache_name: "usage.cache_",
        input: Exclusive,
        reasoning: InsideUnsent,
        name: "library: mastra shows Anthropic's exclusive counts",
        ..RULE
    },
    Rule {
        dialect: "mastra",
        input_name: "usage.*",
        reasoning: InsideUnsent,
        name: "library: mastra shows OpenAI's inclusive counts",
        ..RULE
    },
    Rule {
        dialect: "mastra",
        input_name: "usageMetadata.*",
        reasoning: Beside,
        name: "library: mastra shows Gemini's counts, thoughts beside output",
        ..RULE
    },
    // Its observability before 1.7.3 added them whether or not the AI SDK's client, whose version decides, had done so.
    Rule {
        scope: "@mastra/otel-exporter",
        only: |who| {
            who.kind == "model_generation"
                && (who.provider == Some("anthropic") || who.model.contains("claude"))
                && !(who.cache_name.is_empty() && who.write_name.is_empty())
        },
        input: Unknown,
        reasoning: InsideUnsent,
        name: "library: mastra adds the cached tokens of Claude once or twice, and nothing tells which",
        ..RULE
    },
    Rule {
        scope: "@mastra/otel-exporter",
        reasoning: InsideUnsent,
        name: "library: mastra adds cached tokens",
        ..RULE
    },
    Rule {
        scope: "@mastra/otel",
        only: |who| who.provider == Some("anthropic") || who.model.contains("claude"),
        input: Exclusive,
        cached: Cached::WriteUnsent(
            "library: mastra does not tell what was written to a cache, which stands beside input: \
             only uncached input is known [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: mastra passes on Anthropic's exclusive counts",
        ..RULE
    },
];

/// Whether the AI SDK's client of a provider finds its cached tokens wherever there are some.
fn tells_zero_cached(provider: Option<&str>) -> bool {
    let known = ["openai", "azure.ai.openai", "anthropic", "aws.bedrock", "x_ai", "deepseek"];
    provider.is_some_and(|p| p.starts_with("gcp") || known.contains(&p))
}
