//! The one table of which library counts tokens how: whether input contains cached tokens, where
//! reasoning is, what is never told, what a library guesses. Keyed on scope, version, dialect,
//! provider and the names that told the numbers. It reads no numbers (that is `usage`).
//!
//! The facts of the table were read off spans against what the provider billed; where the
//! conventions speak (1.40: `gen_ai.usage.input_tokens` includes cached tokens, reasoning is
//! included in output), they are a rule of their own.

use Basis::{Exclusive, Inclusive};
use Cached::{Sent, Unsent};
use Reasoning::{Beside, BesideUnsent, Inside, InsideUnsent};

use super::usage::{Basis, Reporter};

/// Where reasoning tokens are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reasoning {
    /// Inside reported output.
    Inside,
    /// Inside it, and never told: how much of output is text is not known.
    InsideUnsent,
    /// Beside it, under a name of their own.
    Beside,
    /// Beside it, and never sent: output is a lower bound.
    BesideUnsent,
    /// Nothing tells.
    Unknown,
}

/// Whether a library sends cached tokens when there are some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cached {
    /// It does; absent means none.
    Sent,
    /// The versions we met never do; absent means not known, which the reason then says.
    Unsent(&'static str),
}

/// What a library does where the provider's stream told no usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Streams {
    /// It tells none either.
    Counted,
    /// It guesses. The guess is known by the cached tokens it leaves out.
    GuessedWithoutCache(&'static str),
    /// It guesses the usage of every stream, also where it was told.
    Guessed {
        /// The reason where the call is said to be a stream.
        streamed: &'static str,
        /// The reason where nothing says whether it is one.
        unsaid: &'static str,
    },
    /// It counts the output of a stream wrong.
    OutputWrong {
        /// The reason where the call is said to be a stream.
        streamed: &'static str,
        /// The reason where nothing says whether it is one.
        unsaid: &'static str,
    },
    /// Of a stream that did not end it tells what the first event said.
    FirstWhenUnfinished(&'static str),
}

pub(super) struct Rule {
    /// Name of the scope; a trailing `*` matches any ending; empty for all.
    scope: &'static str,
    /// Dialect; empty for all.
    dialect: &'static str,
    /// First version that counts so, as (major, minor); none for all.
    since: Option<(u32, u32)>,
    /// Provider; a trailing `*` matches any ending; empty for all.
    provider: &'static str,
    /// Name of the attribute that told the input; empty for all.
    input_name: &'static str,
    /// Beginning of the name that told the cached tokens; empty for all.
    cache_name: &'static str,
    pub(super) input: Basis,
    pub(super) cached: Cached,
    pub(super) reasoning: Reasoning,
    /// Whether audio and image tokens, too, stand beside input and output.
    pub(super) parts_beside: bool,
    pub(super) streams: Streams,
    /// The rule's name in `usage_reason`.
    pub(super) name: &'static str,
}

/// A rule for everybody; each rule says where it differs.
const RULE: Rule = Rule {
    scope: "",
    dialect: "",
    since: None,
    provider: "",
    input_name: "",
    cache_name: "",
    input: Inclusive,
    cached: Sent,
    reasoning: Inside,
    parts_beside: false,
    streams: Streams::Counted,
    name: "",
};

/// First match wins.
const RULES: &[Rule] = &[
    Rule {
        scope: "opentelemetry.instrumentation.openai_v2",
        cached: Unsent(
            "library: opentelemetry openai-v2 tells no cached tokens and no reasoning: uncached \
             is an upper bound [cached-untold]",
        ),
        name: "library: opentelemetry openai-v2 passes on OpenAI's inclusive counts",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "@opentelemetry/instrumentation-openai",
        cached: Unsent(
            "library: opentelemetry-js openai tells no cached tokens and no reasoning: uncached \
             is an upper bound [cached-untold]",
        ),
        name: "library: opentelemetry-js openai passes on OpenAI's inclusive counts",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.google_genai",
        since: Some((1, 0)),
        name: "library: opentelemetry google-genai 1 adds thoughts to output",
        ..RULE
    },
    Rule {
        scope: "opentelemetry.instrumentation.botocore*",
        input: Exclusive,
        name: "library: opentelemetry botocore passes on Bedrock's exclusive counts, without reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "com.anthropic.sdk*",
        name: "library: anthropic's own spans add cached tokens to input",
        ..RULE
    },
    Rule {
        scope: "com.anthropic.claude_code*",
        input: Exclusive,
        name: "library: claude code tells four disjoint counts, without reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule { scope: "pydantic-ai*", name: "library: pydantic-ai adds cached tokens", ..RULE },
    Rule {
        scope: "strands*",
        name: "library: strands adds cached tokens; it tells no reasoning",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "litellm*",
        cached: Unsent(
            "library: litellm tells no cached tokens: uncached is an upper bound [cached-untold]",
        ),
        name: "library: litellm adds cached tokens and reasoning",
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
    Rule {
        scope: "openlit*",
        provider: "anthropic",
        input: Exclusive,
        streams: Streams::GuessedWithoutCache(OPENLIT_GUESS),
        reasoning: InsideUnsent,
        name: "library: openlit passes on Anthropic's exclusive counts, reasoning now and then",
        ..RULE
    },
    Rule {
        scope: "openlit*",
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
    Rule {
        scope: "opentelemetry.instrumentation.openai.v*",
        name: "library: openllmetry passes on OpenAI's inclusive counts",
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
    Rule {
        scope: "opentelemetry.instrumentation.langchain",
        name: "library: LangChain adds cached tokens",
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
        scope: "@traceloop/instrumentation-openai",
        cached: Unsent(
            "library: openllmetry-js openai tells no cached tokens and no reasoning: uncached is \
             an upper bound [cached-untold]",
        ),
        streams: Streams::Guessed {
            streamed: "library: openllmetry-js openai puts a guess of its own on every stream",
            unsaid: "library: openllmetry-js openai tells no cached tokens and no reasoning: \
                     uncached is an upper bound [cached-untold]; the counts of a stream are its \
                     own guess, and it does not say what was a stream [perhaps-estimated]",
        },
        name: "library: openllmetry-js passes on OpenAI's inclusive counts",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule { scope: "gen_ai", name: "library: vercel ai 7 adds cached tokens", ..RULE },
    // Version 6 tells uncached input beside, which is a proof; 4 and 5 pass on what the API says.
    Rule {
        scope: "ai",
        provider: "anthropic",
        input: Exclusive,
        reasoning: InsideUnsent,
        name: "library: vercel ai before 6 passes on Anthropic's exclusive counts, without reasoning",
        ..RULE
    },
    Rule {
        scope: "ai",
        provider: "aws.bedrock",
        input: Exclusive,
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
        reasoning: Reasoning::Unknown,
        name: "library: vercel ai before 6 passes on Gemini's inclusive counts",
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
    Rule {
        scope: "gcp.vertex.agent",
        cached: Unsent(
            "library: Google ADK tells no cached tokens: uncached is an upper bound \
             [cached-untold]; output is unknown where thoughts are not told",
        ),
        reasoning: BesideUnsent,
        name: "library: Google ADK passes on Gemini's counts, thoughts beside output",
        ..RULE
    },
    Rule { dialect: "langsmith", name: "library: LangChain adds cached tokens", ..RULE },
    Rule {
        dialect: "mlflow",
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
    Rule {
        scope: "openinference.instrumentation.anthropic*",
        streams: Streams::FirstWhenUnfinished(
            "library: openinference anthropic tells the first count of a stream that was cut: \
             output is unknown",
        ),
        name: "specification: OpenInference counts details inside prompt and completion",
        ..RULE
    },
    Rule {
        dialect: "openinference",
        name: "specification: OpenInference counts details inside prompt and completion",
        ..RULE
    },
    Rule { scope: "vllm*", name: "library: vLLM counts cached tokens inside input", ..RULE },
];

const OPENLIT_GUESS: &str =
    "library: openlit guesses the counts of a stream that tells none; a guess lacks cached tokens";

/// How the API of some providers counts, which libraries pass on.
pub(super) struct Api {
    providers: &'static [&'static str],
    pub(super) reasoning: Reasoning,
    pub(super) name: &'static str,
    /// The reason when the span tells no cached tokens.
    pub(super) untold: &'static str,
}

/// Where no library is known. Only providers of which no library was met that counts differently;
/// Anthropic and Bedrock are not among them, because half of the libraries add and half do not.
const APIS: &[Api] = &[
    Api {
        providers: &[
            "openai",
            "azure.ai.openai",
            "openrouter",
            "vllm",
            "deepseek",
            "groq",
            "mistral_ai",
            "x_ai",
            "perplexity",
            "together_ai",
            "fireworks_ai",
            "ollama",
        ],
        reasoning: InsideUnsent,
        name: "provider: the OpenAI API counts cached tokens inside input",
        untold: "provider: the OpenAI API counts cached tokens inside input; none are told, \
                 so uncached may be an upper bound [cached-untold]",
    },
    Api {
        providers: &["gcp.gemini", "gcp.vertex_ai", "gcp.gen_ai"],
        reasoning: Reasoning::Unknown,
        name: "provider: the Gemini API counts cached tokens inside input",
        untold: "provider: the Gemini API counts cached tokens inside input; none are told, \
                 so uncached may be an upper bound [cached-untold]",
    },
];

fn is(pattern: &str, text: &str) -> bool {
    pattern.is_empty() || super::dialects::scope_is(pattern, text)
}

impl Rule {
    /// The reason where nothing says whether a call was streamed, and the counts hang on that.
    pub(super) fn unsaid(&self) -> Option<&'static str> {
        match self.streams {
            Streams::Guessed { unsaid, .. } | Streams::OutputWrong { unsaid, .. } => Some(unsaid),
            _ => None,
        }
    }

    fn matches(&self, who: &Reporter<'_>) -> bool {
        is(self.scope, who.scope)
            && is(self.dialect, who.dialect)
            && (self.provider.is_empty() || who.provider.is_some_and(|p| is(self.provider, p)))
            && is(self.input_name, who.input_name)
            && who.cache_name.starts_with(self.cache_name)
            && self.since.is_none_or(|since| {
                super::version(who.version).is_some_and(|version| version >= since)
            })
    }
}

/// The rule for a reporter, if any.
pub(super) fn rule(who: &Reporter<'_>) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.matches(who))
}

/// How the API of the provider counts, if that is known.
pub(super) fn api(who: &Reporter<'_>) -> Option<&'static Api> {
    APIS.iter().find(|api| who.provider.is_some_and(|p| api.providers.contains(&p)))
}

#[cfg(test)]
mod tests {
    use spanledger_schemas::usage_marks::{CACHED_UNTOLD, PERHAPS_ESTIMATED};

    use super::*;

    /// What reads a call acts upon the marks, so that they must stand wherever they hold.
    #[test]
    fn reasons_carry_the_mark_of_what_is_missing() {
        for rule in RULES {
            let untold = match rule.cached {
                Sent => false,
                Unsent(reason) => {
                    assert!(reason.contains(CACHED_UNTOLD), "{reason}");
                    true
                }
            };
            assert!(!rule.name.contains('['), "{}", rule.name);
            if let Some(unsaid) = rule.unsaid() {
                assert!(unsaid.contains(PERHAPS_ESTIMATED), "{unsaid}");
                assert_eq!(unsaid.contains(CACHED_UNTOLD), untold, "{unsaid}");
            }
        }
        for api in APIS {
            assert!(api.untold.contains(CACHED_UNTOLD) && !api.name.contains('['), "{}", api.name);
        }
    }
}
