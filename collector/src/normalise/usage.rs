//! The one table of which library counts tokens how. Takes reported numbers, scope, version of
//! the conventions and provider; gives how input and output are to be read, with the rule that
//! said so. Proof from the numbers beats every rule; where nothing tells, the answer is `Unknown`,
//! never a guess (I-6). What follows for the leaves is `leaves`' matter.
//!
//! The facts of the table were read off spans against what the provider billed; where the
//! conventions speak (1.40: `gen_ai.usage.input_tokens` includes cached tokens, reasoning is
//! included in output), they are a rule of their own.

use super::leaves::Reported;

/// Whether reported input contains cached tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// It does.
    Inclusive,
    /// It does not: cached tokens stand beside it.
    Exclusive,
    /// Nothing tells.
    Unknown,
    /// The numbers are a guess of the library, not the provider's.
    Estimated,
}

impl Basis {
    /// The word of the column `usage_basis`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Inclusive => "inclusive",
            Self::Exclusive => "exclusive",
            Self::Unknown => "unknown",
            Self::Estimated => "estimated",
        }
    }
}

/// Who reports: what the rules are keyed on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reporter<'a> {
    /// Name of the instrumentation scope.
    pub scope: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Provider in OpenTelemetry's spelling.
    pub provider: Option<&'a str>,
    /// Major and minor version of the semantic conventions the scope says it follows.
    pub conventions: Option<(u32, u32)>,
    /// Whose names are spoken.
    pub dialect: &'a str,
    /// Name of the attribute, or path inside one, that told the input.
    pub input_name: &'a str,
    /// The same of the cached tokens read, else written.
    pub cache_name: &'a str,
    /// Whether the answer was streamed.
    pub streaming: Option<bool>,
    /// Whether it is told why the answer ended.
    pub finished: bool,
}

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
enum Cached {
    /// It does; absent means none.
    Sent,
    /// The versions we met never do; absent means not known, which the reason then says.
    Unsent(&'static str),
}

/// What a library does where the provider's stream told no usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Streams {
    /// It tells none either.
    Counted,
    /// It guesses. The guess is known by the cached tokens it leaves out.
    GuessedWithoutCache(&'static str),
    /// It always guesses the output of a stream, or counts it wrong.
    OutputWrong(&'static str),
    /// Of a stream that did not end it tells what the first event said.
    FirstWhenUnfinished(&'static str),
}

struct Rule {
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
    input: Basis,
    cached: Cached,
    reasoning: Reasoning,
    /// Whether audio and image tokens, too, stand beside input and output.
    parts_beside: bool,
    streams: Streams,
    /// The rule's name in `usage_reason`.
    name: &'static str,
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

use Basis::{Estimated, Exclusive, Inclusive, Unknown};
use Cached::{Sent, Unsent};
use Reasoning::{Beside, BesideUnsent, Inside, InsideUnsent};

/// First match wins.
const RULES: &[Rule] = &[
    Rule {
        scope: "opentelemetry.instrumentation.openai_v2",
        cached: Unsent(
            "library: opentelemetry openai-v2 tells no cached tokens and no reasoning: uncached \
             is an upper bound",
        ),
        name: "library: opentelemetry openai-v2 passes on OpenAI's inclusive counts",
        reasoning: InsideUnsent,
        ..RULE
    },
    Rule {
        scope: "@opentelemetry/instrumentation-openai",
        cached: Unsent(
            "library: opentelemetry-js openai tells no cached tokens and no reasoning: uncached \
             is an upper bound",
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
        cached: Unsent("library: litellm tells no cached tokens: uncached is an upper bound"),
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
        streams: Streams::OutputWrong(
            "library: openllmetry anthropic adds the first count of a stream to the last: output \
             is unknown",
        ),
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
            "library: openllmetry-js openai tells no cached tokens and no reasoning: uncached is an upper \
             bound; \
             counts of a stream are its own guess, which it does not mark",
        ),
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
        cached: Unsent("library: vercel ai tells no cached tokens: uncached is an upper bound"),
        reasoning: Reasoning::Unknown,
        name: "library: vercel ai before 6 passes on Gemini's inclusive counts",
        ..RULE
    },
    Rule {
        scope: "ai",
        cached: Unsent(
            "library: vercel ai tells no cached tokens here: uncached is an upper bound; reasoning \
             only where it is told",
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
             upper bound, output unknown",
        ),
        reasoning: BesideUnsent,
        name: "library: gemini-cli passes on Gemini's counts, thoughts beside output",
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
struct Api {
    providers: &'static [&'static str],
    reasoning: Reasoning,
    name: &'static str,
    /// The reason when the span tells no cached tokens.
    untold: &'static str,
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
                 so uncached may be an upper bound",
    },
    Api {
        providers: &["gcp.gemini", "gcp.vertex_ai", "gcp.gen_ai"],
        reasoning: Reasoning::Unknown,
        name: "provider: the Gemini API counts cached tokens inside input",
        untold: "provider: the Gemini API counts cached tokens inside input; none are told, \
                 so uncached may be an upper bound",
    },
];

const BY_CONVENTION: &str = "conventions: 1.40 and later include cached tokens in input";
pub(super) const PROOF_EXCLUSIVE: &str = "proof: input is less than its cached tokens";
const PROOF_TOTAL: &str = "proof: total is input plus output plus cached tokens";
const PROOF_UNCACHED_INSIDE: &str = "proof: input is uncached plus cached tokens";
const PROOF_UNCACHED_BESIDE: &str = "proof: input is the uncached tokens, cached ones beside";
const NO_CACHE: &str = "agreement: cached tokens are reported as zero";
const NOTHING_TELLS: &str = "no rule: nothing tells whether input contains cached tokens";
const ZEROS: &str = "zero: no call reads and writes nothing: the usage was not told";

/// How the numbers of one item are to be read.
pub(super) struct Decision {
    pub(super) input: Basis,
    /// Whether cached tokens would be there if there were some.
    pub(super) cached_told: bool,
    pub(super) reasoning: Reasoning,
    /// Whether audio and image tokens stand beside input and output.
    pub(super) parts_beside: bool,
    /// Why the output is not to be trusted.
    pub(super) output_wrong: Option<&'static str>,
    /// The rule's name.
    pub(super) name: &'static str,
}

/// How to read what was reported.
pub(super) fn decide(reported: &Reported, who: &Reporter<'_>) -> Decision {
    let known = RULES.iter().find(|r| r.matches(who));
    let api = APIS.iter().find(|api| who.provider.is_some_and(|p| api.providers.contains(&p)));
    let by_convention = who.conventions.is_some_and(|version| version >= (1, 40));
    let told = reported.cache_read.or(reported.all_cache_writes()).is_some();
    let cached_told = told || known.is_none_or(|rule| rule.cached == Sent);
    let streamed = who.streaming == Some(true);
    let output_wrong = match known.map(|rule| rule.streams) {
        Some(Streams::OutputWrong(why)) if streamed => Some(why),
        Some(Streams::FirstWhenUnfinished(why)) if !who.finished => Some(why),
        _ => None,
    };
    let of = |input, name| Decision {
        input,
        cached_told,
        reasoning: Inside,
        parts_beside: known.is_some_and(|rule| rule.parts_beside),
        output_wrong,
        name,
    };
    let decided = if reported.is_zero() {
        of(Unknown, ZEROS)
    } else if let Some(Streams::GuessedWithoutCache(why)) = known.map(|rule| rule.streams)
        && who.streaming != Some(false)
        && reported.output.is_some()
        && !told
    {
        of(Estimated, why)
    } else if let Some((basis, proof)) = proven(reported) {
        of(basis, proof)
    } else if let Some(rule) = known {
        match rule.cached {
            Unsent(reason) if !told => of(rule.input, reason),
            _ => of(rule.input, rule.name),
        }
    } else if by_convention {
        of(Inclusive, BY_CONVENTION)
    } else if let Some(api) = api {
        of(Inclusive, if told { api.name } else { api.untold })
    } else {
        match (reported.cache_read, reported.all_cache_writes()) {
            (Some(0), Some(0)) => of(Inclusive, NO_CACHE),
            _ => of(Unknown, NOTHING_TELLS),
        }
    };
    let by_rule = match known {
        Some(rule) => rule.reasoning,
        None if by_convention => InsideUnsent,
        None => api.map_or(Reasoning::Unknown, |api| api.reasoning),
    };
    let reasoning = reasoning_proven(reported, decided.input).unwrap_or(by_rule);
    Decision { reasoning, ..decided }
}

/// What the numbers alone prove about the input.
fn proven(reported: &Reported) -> Option<(Basis, &'static str)> {
    let input = reported.input?;
    let cached = reported.cache_read.unwrap_or(0) + reported.all_cache_writes().unwrap_or(0);
    if input < cached {
        return Some((Exclusive, PROOF_EXCLUSIVE));
    }
    if cached == 0 {
        return None;
    }
    if let Some(uncached) = reported.uncached {
        if input == uncached + cached {
            return Some((Inclusive, PROOF_UNCACHED_INSIDE));
        }
        if input == uncached {
            return Some((Exclusive, PROOF_UNCACHED_BESIDE));
        }
    }
    let beside = input + reported.output.unwrap_or(0) + cached;
    (reported.total == Some(beside)).then_some((Exclusive, PROOF_TOTAL))
}

/// What the numbers alone prove about reasoning.
fn reasoning_proven(reported: &Reported, basis: Basis) -> Option<Reasoning> {
    let (reasoning, output) = (reported.reasoning?, reported.output?);
    // More reasoning than output: it cannot be inside.
    if reasoning > output {
        return Some(Beside);
    }
    if reasoning == 0 {
        return None;
    }
    if let Some(text) = reported.output_text {
        if output == text + reasoning {
            return Some(Inside);
        }
        if output == text {
            return Some(Beside);
        }
    }
    let cached = reported.cache_read.unwrap_or(0) + reported.all_cache_writes().unwrap_or(0);
    let input = match basis {
        Inclusive => reported.input?,
        Exclusive => reported.input? + cached,
        Unknown | Estimated => return None,
    };
    (reported.total == Some(input + output + reasoning)).then_some(Beside)
}

fn is(pattern: &str, text: &str) -> bool {
    pattern.is_empty() || super::dialects::scope_is(pattern, text)
}

impl Rule {
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
