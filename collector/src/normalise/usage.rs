//! Token usage: from the numbers a span reports to leaves that do not overlap. The one table of
//! which library counts how; it takes reported numbers, scope, version of the conventions and
//! provider, and gives leaves with the rule that chose them. It never guesses and never clamps:
//! unclear is `unknown`, a negative leaf is a contradiction, and both keep only what was reported
//! (I-6).
//!
//! The facts of the table were read off spans against what the provider billed; where the
//! conventions speak (1.40: `gen_ai.usage.input_tokens` includes cached tokens, reasoning is
//! included in output), they are a rule of their own.

/// The numbers of one span, as they came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reported {
    /// Input.
    pub input: Option<i64>,
    /// Output.
    pub output: Option<i64>,
    /// Sum of both as the library has it.
    pub total: Option<i64>,
    /// Input read from a cache.
    pub cache_read: Option<i64>,
    /// Input written to a cache.
    pub cache_write: Option<i64>,
    /// Part of it that lives five minutes.
    pub cache_write_5m: Option<i64>,
    /// Part of it that lives an hour.
    pub cache_write_1h: Option<i64>,
    /// Reasoning output.
    pub reasoning: Option<i64>,
    /// Audio input.
    pub audio_in: Option<i64>,
    /// Audio output.
    pub audio_out: Option<i64>,
    /// Image input.
    pub image_in: Option<i64>,
    /// A usage attribute was there whose value is no whole number.
    pub unreadable: bool,
}

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

/// What the columns of usage hold. Nothing is set without a usage attribute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Whether the reported input contains cached tokens.
    pub basis: Option<Basis>,
    /// The rule that decided, or what contradicts.
    pub reason: Option<&'static str>,
    /// Input as reported.
    pub reported_input: Option<i64>,
    /// Output as reported.
    pub reported_output: Option<i64>,
    /// All input.
    pub input: Option<i64>,
    /// All output.
    pub output: Option<i64>,
    /// Text input outside any cache.
    pub input_uncached: Option<i64>,
    /// Input read from a cache.
    pub cache_read: Option<i64>,
    /// Input written to a cache, all lifetimes.
    pub cache_write: Option<i64>,
    /// Part with a lifetime of five minutes.
    pub cache_write_5m: Option<i64>,
    /// Part with a lifetime of an hour.
    pub cache_write_1h: Option<i64>,
    /// Output without reasoning and audio.
    pub output_text: Option<i64>,
    /// Reasoning output.
    pub reasoning: Option<i64>,
    /// Audio input.
    pub audio_in: Option<i64>,
    /// Audio output.
    pub audio_out: Option<i64>,
    /// Image input.
    pub image_in: Option<i64>,
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
enum Reasoning {
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
    rule("codex*", "openai", Inclusive, Sent, Inside, "library: codex"),
    rule(
        "gemini-cli",
        "",
        Inclusive,
        Unsent(
            "library: gemini-cli tells neither cached tokens nor thoughts: uncached is an upper bound, output unknown",
        ),
        BesideUnsent,
        "library: gemini-cli leaves thoughts out of output",
    ),
];

/// Where no library is known: how the provider's own API counts, which libraries pass on. Only
/// providers of which no library was met that counts differently.
const APIS: &[(&[&str], Reasoning, &str)] = &[
    (
        &[
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
        Inside,
        "provider: the OpenAI API counts cached tokens inside input",
    ),
    (
        &["gcp.gemini", "gcp.vertex_ai", "gcp.gen_ai"],
        Reasoning::Unknown,
        "provider: the Gemini API counts cached tokens inside input",
    ),
];

const BY_CONVENTION: &str = "conventions: 1.40 and later include cached tokens in input";
const PROOF_EXCLUSIVE: &str = "proof: input is less than its cached tokens";
const PROOF_TOTAL: &str = "proof: total is input plus output plus cached tokens";
const NO_CACHE: &str = "agreement: cached tokens are reported as zero";
const NOTHING_TELLS: &str = "no rule: nothing tells whether input contains cached tokens";
const UNREADABLE: &str = "unreadable: a usage attribute is no whole number";
const NEGATIVE_INPUT: &str = "contradiction: the parts of input are more than input";
const NEGATIVE_OUTPUT: &str = "contradiction: the parts of output are more than output";
const CACHE_PARTS: &str = "contradiction: cache writes by lifetime are more than all cache writes";
const OVERLAP: &str = "no rule: cached and audio or image input may overlap";

struct Decision {
    input: Basis,
    /// Whether cached tokens would be there if there were some.
    cached_told: bool,
    reasoning: Reasoning,
    name: &'static str,
}

fn decide(reported: &Reported, who: &Reporter<'_>) -> Decision {
    let known = RULES.iter().find(|r| r.matches(who));
    let api =
        APIS.iter().find(|(providers, ..)| who.provider.is_some_and(|p| providers.contains(&p)));
    let by_convention = who.conventions.is_some_and(|version| version >= (1, 40));
    let reasoning = match (known, reported.reasoning, reported.output) {
        // More reasoning than output: it cannot be inside.
        (_, Some(reasoning), Some(output)) if reasoning > output => Beside,
        (Some(rule), ..) => rule.reasoning,
        _ if by_convention => Inside,
        _ => api.map_or(Reasoning::Unknown, |(_, reasoning, _)| *reasoning),
    };
    let told = reported.cache_read.or(cache_write(reported)).is_some();
    let cached_told = told || known.is_none_or(|rule| rule.cached == Sent);
    let of = |input, name| Decision { input, cached_told, reasoning, name };
    let read = reported.cache_read.unwrap_or(0);
    let write = cache_write(reported).unwrap_or(0);
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
    if let Some((_, _, name)) = api {
        return of(Inclusive, name);
    }
    match (reported.cache_read, cache_write(reported)) {
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

/// All cache writes: as reported, else the sum of both lifetimes.
fn cache_write(reported: &Reported) -> Option<i64> {
    reported.cache_write.or(match (reported.cache_write_5m, reported.cache_write_1h) {
        (None, None) => None,
        (short, long) => Some(short.unwrap_or(0) + long.unwrap_or(0)),
    })
}

/// Disjoint leaves for what was reported.
pub fn leaves(reported: &Reported, who: &Reporter<'_>) -> Usage {
    if *reported == Reported::default() {
        return Usage::default();
    }
    let mut usage = Usage {
        reported_input: reported.input,
        reported_output: reported.output,
        ..Usage::default()
    };
    if reported.unreadable {
        usage.basis = Some(Unknown);
        usage.reason = Some(UNREADABLE);
        return usage;
    }
    let decision = decide(reported, who);
    usage.basis = Some(decision.input);
    usage.reason = Some(decision.name);
    if let Err(why) = input_leaves(reported, &decision, &mut usage) {
        usage.basis = Some(Unknown);
        usage.reason = Some(why);
    }
    if let Err(why) = output_leaves(reported, &decision, &mut usage) {
        usage.reason = Some(why);
    }
    usage
}

fn input_leaves(
    reported: &Reported,
    decision: &Decision,
    usage: &mut Usage,
) -> Result<(), &'static str> {
    let Some(input) = reported.input else { return Ok(()) };
    let write = cache_write(reported);
    let lifetimes = reported.cache_write_5m.unwrap_or(0) + reported.cache_write_1h.unwrap_or(0);
    if lifetimes > write.unwrap_or(0) {
        return Err(CACHE_PARTS);
    }
    let cached = reported.cache_read.unwrap_or(0) + write.unwrap_or(0);
    let other = reported.audio_in.unwrap_or(0) + reported.image_in.unwrap_or(0);
    if cached > 0 && other > 0 {
        return Err(OVERLAP);
    }
    let (total, uncached) = match decision.input {
        Inclusive => (Some(input), input - cached - other),
        // Without the cached tokens beside it the total is not known, the uncached part is.
        Exclusive if !decision.cached_told => (None, input - other),
        Exclusive => (Some(input + cached), input - other),
        Unknown => return Ok(()),
    };
    if uncached < 0 {
        return Err(NEGATIVE_INPUT);
    }
    usage.input = total;
    usage.input_uncached = Some(uncached);
    usage.cache_read = reported.cache_read;
    usage.cache_write = write;
    usage.cache_write_5m = reported.cache_write_5m;
    usage.cache_write_1h = reported.cache_write_1h;
    usage.audio_in = reported.audio_in;
    usage.image_in = reported.image_in;
    Ok(())
}

fn output_leaves(
    reported: &Reported,
    decision: &Decision,
    usage: &mut Usage,
) -> Result<(), &'static str> {
    let Some(output) = reported.output else { return Ok(()) };
    let reasoning = reported.reasoning.unwrap_or(0);
    let audio = reported.audio_out.unwrap_or(0);
    let (total, text) = match decision.reasoning {
        Inside => (Some(output), output - reasoning - audio),
        Beside => (Some(output + reasoning), output - audio),
        BesideUnsent if reported.reasoning.is_none() => (None, output - audio),
        BesideUnsent => (Some(output + reasoning), output - audio),
        // Without reasoning tokens both readings agree.
        Reasoning::Unknown if reasoning == 0 => (Some(output), output - audio),
        Reasoning::Unknown => return Ok(()),
    };
    if text < 0 {
        return Err(NEGATIVE_OUTPUT);
    }
    usage.output = total;
    usage.output_text = Some(text);
    usage.reasoning = reported.reasoning;
    usage.audio_out = reported.audio_out;
    Ok(())
}
