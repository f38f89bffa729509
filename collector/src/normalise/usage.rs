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
}

impl Basis {
    /// The word of the column `usage_basis`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Inclusive => "inclusive",
            Self::Exclusive => "exclusive",
            Self::Unknown => "unknown",
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
}

/// Where reasoning tokens are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reasoning {
    /// Inside reported output.
    Inside,
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

struct Rule {
    /// Name of the scope; a trailing `*` matches any ending.
    scope: &'static str,
    /// First version that counts so, as (major, minor); none for all.
    since: Option<(u32, u32)>,
    /// Provider; empty for all.
    provider: &'static str,
    input: Basis,
    cached: Cached,
    reasoning: Reasoning,
    /// The rule's name in `usage_reason`.
    name: &'static str,
}

const fn rule(
    scope: &'static str,
    provider: &'static str,
    input: Basis,
    cached: Cached,
    reasoning: Reasoning,
    name: &'static str,
) -> Rule {
    Rule { scope, since: None, provider, input, cached, reasoning, name }
}

use Basis::{Exclusive, Inclusive, Unknown};
use Cached::{Sent, Unsent};
use Reasoning::{Beside, BesideUnsent, Inside};

/// First match wins.
const RULES: &[Rule] = &[
    rule(
        "opentelemetry.instrumentation.openai_v2",
        "",
        Inclusive,
        Unsent(
            "library: opentelemetry openai-v2 tells no cached tokens: uncached is an upper bound",
        ),
        Inside,
        "library: opentelemetry openai-v2 passes on OpenAI's inclusive counts",
    ),
    rule(
        "@opentelemetry/instrumentation-openai",
        "",
        Inclusive,
        Unsent(
            "library: opentelemetry-js openai tells no cached tokens: uncached is an upper bound",
        ),
        Inside,
        "library: opentelemetry-js openai passes on OpenAI's inclusive counts",
    ),
    Rule {
        scope: "opentelemetry.instrumentation.google_genai",
        since: Some((1, 0)),
        provider: "",
        input: Inclusive,
        cached: Sent,
        reasoning: Inside,
        name: "library: opentelemetry google-genai 1 adds thoughts to output",
    },
    rule(
        "opentelemetry.instrumentation.botocore.bedrock-runtime",
        "",
        Exclusive,
        Sent,
        Inside,
        "library: opentelemetry botocore passes on Bedrock's exclusive counts",
    ),
    rule(
        "com.anthropic.sdk.python",
        "",
        Inclusive,
        Sent,
        Inside,
        "library: anthropic's own spans add cached tokens to input",
    ),
    rule("pydantic-ai", "", Inclusive, Sent, Inside, "library: pydantic-ai adds cached tokens"),
    rule("strands.telemetry.tracer", "", Inclusive, Sent, Inside, "library: strands"),
    rule(
        "litellm",
        "",
        Inclusive,
        Unsent("library: litellm tells no cached tokens: uncached is an upper bound"),
        Inside,
        "library: litellm adds cached tokens",
    ),
    rule(
        "openlit.instrumentation.anthropic",
        "",
        Exclusive,
        Sent,
        Inside,
        "library: openlit passes on Anthropic's exclusive counts",
    ),
    rule("openlit.instrumentation.openai", "", Inclusive, Sent, Inside, "library: openlit openai"),
    rule(
        "opentelemetry.instrumentation.openai.v1",
        "",
        Inclusive,
        Sent,
        Inside,
        "library: openllmetry openai",
    ),
    rule(
        "opentelemetry.instrumentation.anthropic",
        "",
        Inclusive,
        Sent,
        Inside,
        "library: openllmetry anthropic adds cached tokens",
    ),
    rule(
        "@traceloop/instrumentation-anthropic",
        "",
        Exclusive,
        Sent,
        Inside,
        "library: openllmetry-js passes on Anthropic's exclusive counts",
    ),
    rule("gen_ai", "", Inclusive, Sent, Inside, "library: vercel ai 7 adds cached tokens"),
    rule("codex*", "", Inclusive, Sent, Inside, "library: codex"),
    rule(
        "gemini-cli",
        "",
        Inclusive,
        Unsent(
            "library: gemini-cli tells neither cached tokens nor thoughts: uncached is an upper \
             bound, output unknown",
        ),
        BesideUnsent,
        "library: gemini-cli leaves thoughts out of output",
    ),
];

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
        reasoning: Inside,
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
const NO_CACHE: &str = "agreement: cached tokens are reported as zero";
const NOTHING_TELLS: &str = "no rule: nothing tells whether input contains cached tokens";

/// How the numbers of one span are to be read.
pub(super) struct Decision {
    pub(super) input: Basis,
    /// Whether cached tokens would be there if there were some.
    pub(super) cached_told: bool,
    pub(super) reasoning: Reasoning,
    /// The rule's name.
    pub(super) name: &'static str,
}

/// How to read what was reported.
pub(super) fn decide(reported: &Reported, who: &Reporter<'_>) -> Decision {
    let known = RULES.iter().find(|r| r.matches(who));
    let api = APIS.iter().find(|api| who.provider.is_some_and(|p| api.providers.contains(&p)));
    let by_convention = who.conventions.is_some_and(|version| version >= (1, 40));
    let reasoning = match (known, reported.reasoning, reported.output) {
        // More reasoning than output: it cannot be inside.
        (_, Some(reasoning), Some(output)) if reasoning > output => Beside,
        (Some(rule), ..) => rule.reasoning,
        _ if by_convention => Inside,
        _ => api.map_or(Reasoning::Unknown, |api| api.reasoning),
    };
    let told = reported.cache_read.or(reported.all_cache_writes()).is_some();
    let cached_told = told || known.is_none_or(|rule| rule.cached == Sent);
    let of = |input, name| Decision { input, cached_told, reasoning, name };
    let read = reported.cache_read.unwrap_or(0);
    let write = reported.all_cache_writes().unwrap_or(0);
    if let Some(input) = reported.input {
        if input < read + write {
            return of(Exclusive, PROOF_EXCLUSIVE);
        }
        let beside = Some(input + reported.output.unwrap_or(0) + read + write);
        if read + write > 0 && reported.total == beside {
            return of(Exclusive, PROOF_TOTAL);
        }
    }
    if let Some(rule) = known {
        return match rule.cached {
            Unsent(reason) if !told => of(rule.input, reason),
            _ => of(rule.input, rule.name),
        };
    }
    if by_convention {
        return of(Inclusive, BY_CONVENTION);
    }
    if let Some(api) = api {
        return of(Inclusive, if told { api.name } else { api.untold });
    }
    match (reported.cache_read, reported.all_cache_writes()) {
        (Some(0), Some(0)) => of(Inclusive, NO_CACHE),
        _ => of(Unknown, NOTHING_TELLS),
    }
}

impl Rule {
    fn matches(&self, who: &Reporter<'_>) -> bool {
        let scope = match self.scope.strip_suffix('*') {
            Some(prefix) => who.scope.starts_with(prefix),
            None => who.scope == self.scope,
        };
        scope
            && (self.provider.is_empty() || who.provider == Some(self.provider))
            && self.since.is_none_or(|since| {
                super::version(who.version).is_some_and(|version| version >= since)
            })
    }
}
