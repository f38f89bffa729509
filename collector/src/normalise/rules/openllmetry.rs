//! Counting of OpenLLMetry's instrumentations (traceloop), Python and node: mostly what the API
//! says, with details and streams added version by version.

use super::Basis::{Estimated, Exclusive, Unknown};
use super::Cached::{self, Unsent};
use super::Reasoning::{BesideUnsent, InsideOrMissing, InsideUnsent};
use super::{LANGCHAIN_COHERE, RULE, Rule, Streams};

/// First match wins.
pub(super) const RULES: &[Rule] = &[
    // OpenLLMetry's OpenAI, by what each version began to do; its streams never tell reasoning.
    Rule {
        scope: "opentelemetry.instrumentation.openai.v*",
        before: Some([0, 39, 0]),
        cached: Unsent(
            "library: openllmetry before 0.39 tells no cached tokens and no reasoning: uncached \
             is an upper bound [cached-untold]",
        ),
        streams: OLD_OPENLLMETRY_STREAMS,
        name: "library: openllmetry passes on OpenAI's inclusive counts, without reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.openai.v*",
        before: Some([0, 43, 0]),
        streams: OLD_OPENLLMETRY_STREAMS,
        name: "library: openllmetry passes on OpenAI's inclusive counts, without reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.openai.v*",
        before: Some([0, 44, 0]),
        streams: Streams::GuessedWithoutCache(
            "library: openllmetry before 0.44 guesses the counts of a stream that tells none; a \
             guess lacks cached tokens",
        ),
        name: "library: openllmetry passes on OpenAI's inclusive counts, without reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.openai.v*",
        name: "library: openllmetry passes on OpenAI's inclusive counts, reasoning now and then",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.anthropic",
        before: Some([0, 33, 0]),
        streams: Streams::Guessed {
            streamed: "library: openllmetry anthropic before 0.33 counts the words of a stream",
            unsaid: Some(
                "library: openllmetry anthropic before 0.33 counts the words of a stream, and does \
                 not say of every call whether it was one [perhaps-estimated]",
            ),
        },
        reasoning: InsideUnsent,
        name: "library: openllmetry anthropic adds cached tokens; it tells no reasoning",
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.anthropic",
        before: Some([0, 52, 0]),
        only: |who| who.streaming != Some(false),
        cached: Unsent(
            "library: openllmetry anthropic before 0.52 adds cached tokens and tells none of \
             streams: uncached is an upper bound [cached-untold]",
        ),
        streams: Streams::OutputWrong {
            streamed: "library: openllmetry anthropic adds the first count of a stream to the \
                       last: output is unknown; before 0.52 it tells no cached tokens of streams: \
                       uncached is an upper bound [cached-untold]",
            unsaid: "library: openllmetry anthropic adds cached tokens; it tells no reasoning; \
                     output of a stream has its first count added, and not every stream is said to \
                     be one [perhaps-estimated], nor its cached tokens told [cached-untold]",
        },
        reasoning: InsideUnsent,
        name: "library: openllmetry anthropic adds cached tokens; it tells no reasoning",
        ..RULE
    },
    // With the conventions' package of before March 2026 it cannot tell them; where it can, it tells zero
    // too.
    Rule {
        scope: "opentelemetry.instrumentation.anthropic",
        since: Some([0, 48, 0]),
        before: Some([0, 53, 0]),
        cached: Unsent(
            "library: openllmetry anthropic adds cached tokens and cannot tell them with older conventions: \
             uncached is an upper bound [cached-untold]",
        ),
        streams: Streams::OutputWrong {
            streamed: "library: openllmetry anthropic adds the first count of a stream to the last: output is \
                       unknown; nor are cached tokens told: uncached is an upper bound [cached-untold]",
            unsaid: "library: openllmetry anthropic adds cached tokens, and the first count of a stream to its \
                     output; not every stream is said to be one [perhaps-estimated], nor are cached \
                     tokens told [cached-untold]",
        },
        reasoning: InsideUnsent,
        name: "library: openllmetry anthropic adds cached tokens; it tells no reasoning",
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.anthropic",
        streams: Streams::OutputWrong {
            streamed: "library: openllmetry anthropic adds the first count of a stream to the \
                       last: output is unknown",
            unsaid: "library: openllmetry anthropic adds cached tokens; it tells no reasoning; \
                     output of a stream has its first count added, and not every stream is said to \
                     be one [perhaps-estimated]",
        },
        reasoning: InsideUnsent,
        name: "library: openllmetry anthropic adds cached tokens; it tells no reasoning",
        ..RULE
    },
    // Of streams of Llama by InvokeModel it tells the output of the first chunk. Seen with 0.52 and 0.55.
    Rule {
        scope: "opentelemetry.instrumentation.bedrock",
        since: Some([0, 39, 0]),
        only: |who| who.model.contains("llama"),
        streams: Streams::PerhapsWrong(
            "library: openllmetry bedrock tells the output of the first chunk of a stream of Llama, and not \
             what was a stream [perhaps-estimated]",
        ),
        name: "library: openllmetry passes on the counts of Llama, which has no cache",
        reasoning: InsideUnsent,
        ..RULE
    },
    // OpenLLMetry's Bedrock. Only InvokeModel answers with an id.
    Rule {
        scope: "opentelemetry.instrumentation.bedrock",
        before: Some([0, 62, 0]),
        only: |who| who.answer_named,
        input: Exclusive,
        cached: Unsent(OLD_BEDROCK_CACHED),
        streams: OLD_BEDROCK_STREAMS,
        name: "library: openllmetry passes on Bedrock's exclusive counts, without reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    // Before it told ids it read no other method.
    Rule {
        scope: "opentelemetry.instrumentation.bedrock",
        before: Some([0, 40, 0]),
        only: |who| who.model.contains("claude"),
        input: Exclusive,
        cached: Unsent(OLD_BEDROCK_CACHED),
        streams: OLD_BEDROCK_STREAMS,
        name: "library: openllmetry passes on Bedrock's exclusive counts, without reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.bedrock",
        before: Some([0, 62, 0]),
        input: Exclusive,
        cached: Unsent(OLD_BEDROCK_CACHED),
        name: "library: openllmetry passes on Bedrock's exclusive counts, without reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    // Of Converse it always tells them, be they zero.
    Rule {
        scope: "opentelemetry.instrumentation.bedrock",
        only: |who| who.answer_named || (who.model.contains("nova") && who.cache_name.is_empty()),
        input: Exclusive,
        cached: Unsent(
            "library: openllmetry bedrock tells no cached tokens of InvokeModel, which stand \
             beside input: only uncached input is known [cached-untold]",
        ),
        name: "library: openllmetry passes on Bedrock's exclusive counts, without reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.bedrock",
        input: Exclusive,
        name: "library: openllmetry passes on Bedrock's exclusive counts, without reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    // Of google-generativeai, Google's client before the present one, it reads a stream's usage off the
    // first chunk. Seen with 0.21.5; the code is the same in 0.44. That client alone says `models/`.
    Rule {
        scope: "opentelemetry.instrumentation.google_generativeai",
        only: |who| who.model.starts_with("models/"),
        cached: Unsent(OLD_GOOGLE),
        streams: Streams::OutputWrong {
            streamed: OLD_GOOGLE,
            unsaid: "library: openllmetry tells, of google-generativeai, the output count of a \
                     stream's first chunk, and not what was a stream [perhaps-estimated]; nor cached tokens: \
                     uncached is an upper bound [cached-untold]; thoughts stand beside output",
        },
        name: "library: openllmetry passes on Gemini's counts, thoughts beside output",
        reasoning: BesideUnsent,
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.google_generativeai",
        cached: Unsent(
            "library: openllmetry google tells no cached tokens: uncached is an upper bound \
             [cached-untold]; thoughts stand beside output",
        ),
        name: "library: openllmetry passes on Gemini's counts, thoughts beside output",
        reasoning: BesideUnsent,
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.cohere",
        cached: Unsent(
            "library: openllmetry tells what Cohere bills, and no cached tokens: uncached is an upper bound \
             [cached-untold]",
        ),
        reasoning: InsideUnsent,
        name: "library: openllmetry tells what Cohere bills",
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.langchain",
        provider: "cohere",
        input: Estimated,
        name: LANGCHAIN_COHERE,
        ..RULE
    },
    // LangChain for node tells input with cached tokens of streams, without them of others, and what
    // was a stream is not told.
    Rule {
        scope: "@traceloop/instrumentation-langchain",
        only: |who| who.model.starts_with("claude-"),
        input: Exclusive,
        cached: Unsent(JS_LANGCHAIN_CLAUDE),
        streams: Streams::OutputWrong {
            streamed: JS_LANGCHAIN_CLAUDE,
            unsaid: "library: LangChain for node adds the first count of a stream of Claude to the \
                     last, and nothing says whether it was one [perhaps-estimated]; input is less \
                     its cached tokens [cached-untold], but for streams",
        },
        reasoning: InsideUnsent,
        name: "library: openllmetry-js passes on LangChain's counts of Claude",
        ..RULE
    },
    // langchain-aws tells its version since 1.6, adds cached tokens of Converse since 1.4.6 and of
    // InvokeModel since 1.9; before it passed on what Bedrock counts.
    Rule {
        scope: "opentelemetry.instrumentation.langchain",
        provider: "aws.bedrock",
        only: |who| {
            let told = who.package("langchain-aws");
            told.is_some_and(|v| v >= [1, 9, 0] || who.name.starts_with("ChatBedrockConverse"))
        },
        cached: Cached::WriteUnsent(LANGCHAINS_WRITES),
        name: "library: LangChain adds the cached tokens of Bedrock",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.langchain",
        provider: "aws.bedrock",
        // A run may be named otherwise than after its class.
        only: |who| {
            let which =
                who.package("langchain-aws").is_some() && who.name.starts_with("ChatBedrock.");
            !which && !who.cache_name.is_empty()
        },
        input: Unknown,
        cached: Cached::WriteUnsent(
            "library: LangChain adds the cached tokens of Bedrock since langchain-aws 1.4.6, which it was is not \
             told, nor always what was written to a cache [cached-untold]",
        ),
        name: "library: LangChain adds the cached tokens of Bedrock since langchain-aws 1.4.6, and which it \
               was is not told",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.langchain",
        provider: "aws.bedrock",
        input: Exclusive,
        cached: Cached::WriteUnsent(
            "library: LangChain passes on Bedrock's exclusive counts, and does not always tell cached \
             tokens, which stand beside input: only uncached input is known [cached-untold]",
        ),
        name: "library: LangChain passes on Bedrock's exclusive counts",
        reasoning: InsideUnsent,
        ..RULE
    },
    // langchain-google-genai before 2.1.4 leaves thoughts out.
    Rule {
        scope: "opentelemetry.instrumentation.langchain",
        only: |who| super::thinks(who.model) && who.packages.is_empty(),
        cached: Unsent(
            "library: LangChain adds cached tokens; openllmetry does not always tell them: uncached is \
             an upper bound [cached-untold]; nor thoughts, which some versions leave out of output",
        ),
        name: "library: LangChain adds cached tokens",
        reasoning: InsideOrMissing,
        ..RULE
    },
    // What tells its packages is newer than what follows.
    Rule {
        scope: "opentelemetry.instrumentation.langchain",
        only: |who| {
            let claude = who.provider == Some("anthropic") || who.model.starts_with("claude-");
            claude && !who.packages.is_empty()
        },
        cached: Cached::WriteUnsent(LANGCHAINS_WRITES),
        name: "library: LangChain adds cached tokens",
        reasoning: InsideUnsent,
        ..RULE
    },
    // Before 0.3.13 langchain-anthropic adds up what two events of a stream tell. LangChain tells writes
    // by lifetime, which this does not read, and then none in all.
    Rule {
        scope: "opentelemetry.instrumentation.langchain",
        only: |who| who.provider == Some("anthropic") || who.model.starts_with("claude-"),
        cached: Cached::WriteUnsent(LANGCHAINS_WRITES),
        streams: Streams::PerhapsWrong(
            "library: LangChain adds cached tokens; before langchain-anthropic 0.3.13 the counts of a \
             stream come twice, and neither that nor what was a stream is told [perhaps-estimated]; nor \
             always what was written to a cache: uncached is an upper bound [cached-untold]",
        ),
        name: "library: LangChain adds cached tokens",
        reasoning: InsideUnsent,
        ..RULE
    },
    // It tells zero where LangChain tells nothing: of some providers in 2024, of others for longer.
    Rule {
        scope: "opentelemetry.instrumentation.langchain",
        before: Some([0, 62, 0]),
        only: |who| {
            let details = |p: &str| matches!(p, "openai" | "anthropic") || p.starts_with("gcp");
            let old = super::super::version(who.version).is_none_or(|v| v < [0, 45, 0]);
            who.provider.is_some_and(|p| old || !details(p))
        },
        cached: Cached::InsideZeroUnsent(
            "library: LangChain adds cached tokens, of which openllmetry says none where it is told none: \
             uncached may be an upper bound [cached-untold]",
        ),
        name: "library: LangChain adds cached tokens",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.langchain",
        only: |who| who.provider.is_some(),
        cached: Unsent(
            "library: LangChain adds cached tokens, which openllmetry of old does not tell: uncached \
             may be an upper bound [cached-untold]",
        ),
        name: "library: LangChain adds cached tokens",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.langchain",
        cached: Cached::WriteUnsent(LANGCHAINS_WRITES),
        name: "library: LangChain adds cached tokens",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "@traceloop/instrumentation-anthropic",
        before: Some([0, 25, 0]),
        input: Exclusive,
        cached: Unsent(
            "library: openllmetry-js before 0.25 tells no cached tokens of Anthropic, which stand \
             beside input: only uncached input is known [cached-untold]",
        ),
        name: "library: openllmetry-js passes on Anthropic's exclusive counts, without reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "@traceloop/instrumentation-anthropic",
        input: Exclusive,
        name: "library: openllmetry-js passes on Anthropic's exclusive counts, without reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "@traceloop/instrumentation-vertexai",
        only: |who| super::thinks(who.model),
        cached: Unsent(JS_VERTEX),
        output_wrong: Some(JS_VERTEX),
        name: "library: openllmetry-js passes on Gemini's counts without thoughts",
        ..RULE
    },
    Rule {
        scope: "@traceloop/instrumentation-openai",
        cached: Unsent(
            "library: openllmetry-js openai tells no cached tokens and no reasoning: uncached is \
             an upper bound [cached-untold]",
        ),
        streams: Streams::Guessed {
            streamed: "library: openllmetry-js openai puts a guess of its own on every stream",
            unsaid: Some(
                "library: openllmetry-js openai tells no cached tokens and no reasoning: \
                 uncached is an upper bound [cached-untold]; the counts of a stream are its own \
                 guess, and it does not say what was a stream [perhaps-estimated]",
            ),
        },
        name: "library: openllmetry-js passes on OpenAI's inclusive counts",
        reasoning: InsideUnsent,
        ..RULE
    },
];

const LANGCHAINS_WRITES: &str = "library: LangChain adds cached tokens; openllmetry does not always tell what was written to a \
     cache: uncached is an upper bound [cached-untold]";

const JS_VERTEX: &str = "library: openllmetry-js vertexai tells neither thoughts, which are missing in the output, nor cached \
     tokens: output is unknown, uncached an upper bound [cached-untold]";

const OLD_OPENLLMETRY_STREAMS: Streams = Streams::Guessed {
    streamed: "library: openllmetry before 0.43 puts a guess of its own on every stream",
    unsaid: None,
};

const OLD_GOOGLE: &str = "library: openllmetry tells, of google-generativeai, the output count of a stream's first chunk: \
     output is unknown; nor cached tokens: uncached is an upper bound [cached-untold]";

const OLD_BEDROCK_CACHED: &str = "library: openllmetry bedrock before 0.62 tells no cached tokens, which stand beside input: \
     only uncached input is known [cached-untold]";

const OLD_BEDROCK_STREAMS: Streams = Streams::OutputWrong {
    streamed: "library: openllmetry bedrock before 0.62 tells the first output count of a \
                       stream of InvokeModel: output is unknown; nor cached tokens, \
                       which stand beside input [cached-untold]",
    unsaid: "library: openllmetry bedrock before 0.62 tells the first output count of a \
                     stream of InvokeModel, not what was a stream [perhaps-estimated], and no \
                     cached tokens, which stand beside input [cached-untold]",
};

const JS_LANGCHAIN_CLAUDE: &str = "library: LangChain for node adds the first count of a stream of Claude \
     to the last: output is unknown; nor are cached tokens told [cached-untold]";
