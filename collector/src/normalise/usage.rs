//! How the numbers of one item are to be read. Takes reported numbers and who reports them; gives
//! how input and output are to be read, with the rule that said so. Proof from the numbers beats
//! every rule of `rules` but those of libraries whose numbers are not the provider's; where nothing
//! tells, the answer is `Unknown`, never a guess (I-6). What follows for the leaves is `leaves`'
//! matter.

use spanledger_schemas::usage_marks::{CACHED_UNTOLD, PERHAPS_ESTIMATED};

use super::leaves::Reported;
use super::rules::Cached::{
    InsideZeroUnsent, Mistaken, ReadUnsent, Sent, Unsent, WriteUnsent, ZeroUnsent,
};
use super::rules::Reasoning::{Beside, BesideUnsent, Inside, InsideUnsent};
use super::rules::{Reasoning, Rule, Streams, api, reasons_beside, tells_no_reasoning, thinks};

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

/// Bedrock's method that answers in the words of the model's maker, as a stream.
pub(super) const BEDROCK_STREAM: &str = "InvokeModelWithResponseStream";

/// Who reports: what the rules are keyed on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reporter<'a> {
    /// Name of the instrumentation scope.
    pub scope: &'a str,
    /// Its version.
    pub version: &'a str,
    /// The provider whose API counts, in OpenTelemetry's spelling.
    pub provider: Option<&'a str>,
    /// Major and minor version of the semantic conventions the scope says it follows.
    pub conventions: Option<(u32, u32)>,
    /// Whose names are spoken.
    pub dialect: &'a str,
    /// Name of the attribute, or path inside one, that told the input.
    pub input_name: &'a str,
    /// The same of the cached tokens read, else written.
    pub cache_name: &'a str,
    /// The same of the tokens written to a cache.
    pub write_name: &'a str,
    /// Model that served, else the one asked for; empty for none.
    pub model: &'a str,
    /// Whether the answer was streamed.
    pub streaming: Option<bool>,
    /// Whether it is told why the answer ended.
    pub finished: bool,
    /// Whether the call failed.
    pub failed: bool,
    /// Whether the answer, as LangChain writes it, names the client that gave it, as since 1.0.
    pub client_named: bool,
    /// Whether LangChain for node made the call, and another library tells of it.
    pub langchain_for_node: bool,
    /// Whether LiteLLM tells no id of the call, as it does since 1.83.14.
    pub litellm_of_old: bool,
    /// Whether a function was traced as it is, not a call of a framework's own.
    pub traced_function: bool,
    /// Whether the id of the answer is told.
    pub answer_named: bool,
    /// Whether a sum of input and output is told.
    pub total_told: bool,
    /// Versions of LangChain's packages, as it tells them: `{"langchain-aws": "1.7.0"}`; empty for none.
    pub packages: &'a str,
    /// Whether the library says that it guessed.
    pub guessed: bool,
    /// Name of the attribute that told the provider.
    pub provider_name: &'a str,
    /// Name of the span; empty for a record.
    pub name: &'a str,
    /// The kind of the item, in the dialect's word; empty for none.
    pub kind: &'a str,
    /// The operation, in the library's word; empty for none.
    pub operation: &'a str,
    /// Whether something is embedded.
    pub embeds: bool,
    /// The remote method that was called, where it is AWS's; empty for none.
    pub method: &'a str,
}

impl Reporter<'_> {
    /// The version of a package of LangChain's, where that is told.
    pub(super) fn package(&self, name: &str) -> Option<[u32; 3]> {
        let (_, rest) = self.packages.split_once(name)?;
        let version = rest.strip_prefix(['"', '\''])?;
        super::version(version.trim_start_matches([':', ' ', '"', '\'']))
    }
}

use Basis::{Estimated, Exclusive, Inclusive, Unknown};

const SAID_TO_BE_GUESSED: &str = "library: it says that it guessed these counts";
const BY_CONVENTION: &str = "conventions: 1.40 and later include cached tokens in input";
pub(super) const PROOF_EXCLUSIVE: &str = "proof: input is less than its cached tokens";
const PROOF_TOTAL: &str = "proof: total is input plus output plus cached tokens";
const PROOF_UNCACHED_INSIDE: &str = "proof: input is uncached plus cached tokens";
const PROOF_UNCACHED_BESIDE: &str = "proof: input is the uncached tokens, cached ones beside";
const THOUGHTS_UNTOLD: &str =
    "proof: total is more than input and output: thoughts are not told, output is unknown";
const THOUGHTS_AND_CACHED_UNTOLD: &str = "proof: total is more than input and output: thoughts are not told, output is unknown; nor are \
     cached tokens: uncached is an upper bound [cached-untold]";
const PERHAPS_MORE: &str = "provider: the Gemini API counts cached tokens inside input and thoughts beside output; none of \
     these are told of a model that thinks: output is unknown";
const PERHAPS_MORE_AND_CACHED: &str = "provider: the Gemini API counts cached tokens inside input and thoughts beside output; none of \
     either are told of a model that thinks: output is unknown, uncached may be an upper bound \
     [cached-untold]";
const PERHAPS_GUESSED: &str = "library: it guesses the counts of a stream that tells none, without cached tokens; here are none, \
     and nothing says whether it was a stream [perhaps-estimated]";
const CACHED_IN_TOTAL: &str = "proof: total is more than input and output: cached tokens stand beside input, untold: only \
     uncached input is known [cached-untold]";
const MORE_IN_TOTAL: &str =
    "proof: total is more than input and output, and nothing tells of what the rest is";
const CACHED_EXCEED: &str =
    "contradiction: cached tokens are more than the input that contains them by the provider's API";
const BROKE_OFF: &str =
    "failed: the answer broke off, and what is told of its output is what had come";
const BROKE_OFF_AND_CACHED: &str = "failed: the answer broke off, and what is told of its output is what had come; nor are cached \
     tokens told: uncached may be a bound [cached-untold]";
const XAI: &str =
    "provider: xAI counts reasoning beside output, and none is told: output is unknown";
const XAI_AND_CACHED: &str = "provider: xAI counts reasoning beside output, and none is told: output is unknown; nor are cached \
     tokens: uncached may be an upper bound [cached-untold]";
const PARTS_MISSING: &str =
    "contradiction: total is more than the sum of its parts, and cached tokens are among them";
const PARTS_EXCEED: &str = "contradiction: total is less than the sum of its parts";
const PROOF_PARTS_INSIDE: &str =
    "proof: total is input plus output: the other parts are inside them";
const ALL_UNCACHED: &str = "agreement: all input is told to be uncached";
const NO_CACHE: &str = "agreement: cached tokens are reported as zero";
const EMBEDDED: &str = "operation: no input of an embedding is cached";
const NOTHING_TELLS: &str = "no rule: nothing tells whether input contains cached tokens";
const ZEROS: &str = "zero: no call reads and writes nothing: the usage was not told";

/// How the numbers of one item are to be read.
pub(super) struct Decision {
    pub(super) input: Basis,
    /// Whether cached tokens would be there if there were some.
    pub(super) cached_told: bool,
    /// Whether zero written to a cache means none.
    pub(super) no_writes_told: bool,
    pub(super) reasoning: Reasoning,
    /// Whether audio and image tokens stand beside input and output.
    pub(super) parts_beside: bool,
    /// Whether what was written to a cache stands beside input that contains what was read.
    pub(super) writes_beside: bool,
    /// Whether input contains twice what was read from a cache.
    pub(super) reads_twice: bool,
    /// Why the output is not to be trusted.
    pub(super) output_wrong: Option<&'static str>,
    /// The rule's name.
    pub(super) name: &'static str,
}

/// How to read what was reported, by the rule that is known of the reporter.
pub(super) fn decide(
    reported: &Reported,
    who: &Reporter<'_>,
    known: Option<&'static Rule>,
) -> Decision {
    let api = api(who);
    let by_convention = who.conventions.is_some_and(|version| version >= (1, 40));
    let told = reported.cache_read.or(reported.all_cache_writes()).is_some();
    let cached = reported.cache_read.unwrap_or(0) + reported.all_cache_writes().unwrap_or(0);
    let cached_told = match known.map(|rule| rule.cached) {
        None | Some(Sent) => true,
        // No writes are told by some that do not tell reads.
        Some(Unsent(_)) => reported.cache_read.is_some() || cached > 0,
        Some(ReadUnsent(_)) => reported.cache_read.is_some(),
        Some(WriteUnsent(_)) => reported.all_cache_writes().is_some_and(|written| written > 0),
        Some(ZeroUnsent(_) | InsideZeroUnsent(_)) => cached > 0,
        Some(Mistaken(_)) => false,
    };
    // Whether zero proves anything.
    let zero_is_none =
        !known.is_some_and(|rule| matches!(rule.cached, ZeroUnsent(_) | InsideZeroUnsent(_)));
    let no_writes_told = match known.map(|rule| rule.cached) {
        Some(WriteUnsent(_)) => false,
        Some(ZeroUnsent(_) | InsideZeroUnsent(_)) => cached_told,
        _ => true,
    };
    let streamed = who.streaming == Some(true);
    let output_wrong = match known.map(|rule| rule.streams) {
        Some(Streams::OutputWrong { streamed: why, .. }) if streamed => Some(why),
        Some(Streams::FirstWhenUnfinished(why)) if !who.finished => Some(why),
        _ => known.and_then(|rule| rule.output_wrong),
    };
    let of = |input, name| Decision {
        input,
        cached_told,
        no_writes_told,
        reasoning: Inside,
        parts_beside: known.is_some_and(|rule| rule.parts_beside),
        writes_beside: known.is_some_and(|rule| rule.writes_beside),
        reads_twice: known.is_some_and(|rule| rule.reads_twice),
        output_wrong,
        name,
    };
    let decided = if reported.is_zero() {
        of(Unknown, ZEROS)
    } else if who.guessed {
        of(Estimated, SAID_TO_BE_GUESSED)
    } else if let Some(Streams::GuessedWithoutCache(why)) = known.map(|rule| rule.streams)
        && who.streaming != Some(false)
        && reported.output.is_some()
        && !told
    {
        of(Estimated, why)
    } else if let Some(Streams::Guessed { streamed: why, .. }) = known.map(|rule| rule.streams)
        && streamed
    {
        of(Estimated, why)
    } else if let Some(rule) = known.filter(|rule| rule.input == Estimated) {
        of(Estimated, rule.name)
    } else if api.is_some_and(|api| api.input == Inclusive) && cached_exceed(reported, who, known) {
        of(Unknown, CACHED_EXCEED)
    } else if let Some((basis, proof)) = proven(reported).filter(|_| cached > 0 || zero_is_none) {
        // What is missing beside is missing whatever is proven.
        match known.map(|rule| rule.cached) {
            Some(ReadUnsent(why) | WriteUnsent(why)) if !cached_told && basis == Exclusive => {
                of(basis, why)
            }
            _ => of(basis, proof),
        }
    } else if let Some(rule) = known {
        match rule.cached {
            _ if matches!(rule.streams, Streams::GuessedWithoutCache(_))
                && who.streaming.is_none()
                && cached == 0 =>
            {
                of(rule.input, PERHAPS_GUESSED)
            }
            _ if let (None, Some(reason)) = (who.streaming, rule.unsaid()) => {
                of(rule.input, reason)
            }
            _ if let Streams::PerhapsWrong(reason) = rule.streams
                && who.streaming != Some(false) =>
            {
                of(rule.input, reason)
            }
            _ if let Streams::PerhapsGuessedWithoutCache(reason) = rule.streams
                && streamed
                && !told =>
            {
                of(rule.input, reason)
            }
            Unsent(reason)
            | ReadUnsent(reason)
            | WriteUnsent(reason)
            | InsideZeroUnsent(reason)
            | Mistaken(reason)
                if !cached_told =>
            {
                of(rule.input, reason)
            }
            ZeroUnsent(reason) if !cached_told => of(Exclusive, reason),
            _ => of(rule.input, rule.name),
        }
    } else if by_convention {
        of(Inclusive, BY_CONVENTION)
    } else if let (Some(api), false) = (api, told) {
        let beside = api.input == Exclusive;
        Decision { cached_told: cached_told && !beside, ..of(api.input, api.untold) }
    } else if let Some((api, name)) = api.and_then(|api| Some((api, api.name?))) {
        of(api.input, name)
    } else {
        match (reported.cache_read, reported.all_cache_writes()) {
            (None, None) if who.embeds => of(Inclusive, EMBEDDED),
            (Some(0), Some(0)) => of(Inclusive, NO_CACHE),
            _ => of(Unknown, NOTHING_TELLS),
        }
    };
    let of_xai = !by_convention && reasons_beside(who, known);
    let by_rule = match known {
        _ if of_xai => BesideUnsent,
        Some(rule) => rule.reasoning,
        None if by_convention => InsideUnsent,
        None => api.map_or(Reasoning::Unknown, |api| api.reasoning),
    };
    let by_rule = match by_rule {
        Inside if reported.reasoning.is_none() && tells_no_reasoning(who) => InsideUnsent,
        other => other,
    };
    let decided = match reasoning_proven(reported, who, decided.input) {
        Some(reasoning) => Decision { reasoning, ..decided },
        None => Decision { reasoning: by_rule, ..decided },
    };
    // By who serves it alone: a library that is known says what it does with thoughts.
    let by_api = known.is_none() && !by_convention && decided.input == Inclusive;
    let thoughts_told = reported.reasoning.or(reported.total).is_some();
    let decided = match by_api && !thoughts_told && thinks(who.model) {
        true if decided.name.contains(CACHED_UNTOLD) => {
            Decision { reasoning: BesideUnsent, name: PERHAPS_MORE_AND_CACHED, ..decided }
        }
        true => Decision { reasoning: BesideUnsent, name: PERHAPS_MORE, ..decided },
        false => decided,
    };
    let decided = by_total(reported, decided, who.provider.unwrap_or_default());
    // What a library may have wrong says more than what follows.
    if decided.input == Estimated || decided.name.contains(PERHAPS_ESTIMATED) {
        return decided;
    }
    let cached_untold = decided.name.contains(CACHED_UNTOLD);
    let broke_off = who.failed && !who.finished && who.streaming != Some(false);
    if broke_off && decided.output_wrong.is_none() {
        let why = if cached_untold { BROKE_OFF_AND_CACHED } else { BROKE_OFF };
        return Decision { output_wrong: Some(why), ..decided };
    }
    if of_xai && decided.reasoning == BesideUnsent && reported.reasoning.is_none() {
        let name = if cached_untold { XAI_AND_CACHED } else { XAI };
        return Decision { name, ..decided };
    }
    decided
}

/// What a total says of tokens that no name tells. Where it holds more than input and output, the
/// rest are the thoughts of Gemini, which stand beside output, or the cached tokens of Anthropic
/// and Bedrock, which stand beside input; of others nothing tells which. Where it holds no more,
/// no thoughts are missing.
fn by_total(reported: &Reported, decided: Decision, provider: &str) -> Decision {
    let cached = reported.cache_read.unwrap_or(0) + reported.all_cache_writes().unwrap_or(0);
    let input = match decided.input {
        Inclusive => reported.input,
        Exclusive => reported.input.map(|input| input + cached),
        Unknown | Estimated => None,
    };
    let (Some(input), Some(output), Some(total)) = (input, reported.output, reported.total) else {
        return decided;
    };
    if decided.parts_beside {
        let parts = [reported.audio_in, reported.image_in, reported.audio_out, reported.image_out];
        let parts: i64 = parts.iter().flatten().sum();
        let all = input + output + parts + reported.reasoning.unwrap_or(0);
        // LangChain's handler of Langfuse 3 takes what was written to a cache out of input twice.
        if total > all && cached > 0 {
            return Decision { input: Unknown, name: PARTS_MISSING, ..decided };
        }
        if total >= all {
            return decided;
        }
        // Langfuse's client of OpenAI for node lists the parts and leaves them in.
        return match total == reported.input.unwrap_or(0) + output {
            true => Decision {
                input: Inclusive,
                parts_beside: false,
                reasoning: Inside,
                name: PROOF_PARTS_INSIDE,
                ..decided
            },
            false => Decision { input: Unknown, name: PARTS_EXCEED, ..decided },
        };
    }
    if reported.reasoning.is_some() {
        return decided;
    }
    let told = input + output + reported.predicted.unwrap_or(0);
    match (total > told, decided.reasoning) {
        (true, BesideUnsent)
        | (
            false,
            Inside
            | InsideUnsent
            | Beside
            | Reasoning::Guessed
            | Reasoning::Twice
            | Reasoning::InsideOrMissing
            | Reasoning::Unknown,
        ) => decided,
        (false, BesideUnsent) => Decision { reasoning: Inside, ..decided },
        (true, _) if provider.starts_with("gcp") => {
            let name = if decided.name.contains(PERHAPS_ESTIMATED) {
                decided.name
            } else if decided.name.contains(CACHED_UNTOLD) {
                THOUGHTS_AND_CACHED_UNTOLD
            } else {
                THOUGHTS_UNTOLD
            };
            Decision { reasoning: BesideUnsent, name, ..decided }
        }
        (true, _) if cached == 0 && matches!(provider, "anthropic" | "aws.bedrock") => {
            Decision { input: Exclusive, cached_told: false, name: CACHED_IN_TOTAL, ..decided }
        }
        (true, _) => Decision {
            input: Unknown,
            output_wrong: Some(MORE_IN_TOTAL),
            name: MORE_IN_TOTAL,
            ..decided
        },
    }
}

/// Whether cached tokens are more than the input, and the total has no room for them beside it: who
/// told them added up what each chunk of a stream repeats. Of Gemini no library is known that takes
/// them out without a total or the rest to prove it: OpenTelemetry's google-genai tells several
/// answers in one span, the count of the last that told one.
fn cached_exceed(reported: &Reported, who: &Reporter<'_>, known: Option<&Rule>) -> bool {
    let read = reported.cache_read.unwrap_or(0);
    let parts = reported.input.zip(reported.output).map(|(input, output)| input + output);
    let no_room = parts.is_some() && reported.total == parts;
    let inside = known.is_none_or(|rule| rule.input == Inclusive);
    let unproven = reported.total.is_none() && reported.uncached.is_none();
    let gemini = who.model.contains("gemini-") && inside && unproven;
    reported.input.is_some_and(|input| input < read) && (no_room || gemini)
}

/// What the numbers alone prove about the input.
fn proven(reported: &Reported) -> Option<(Basis, &'static str)> {
    let input = reported.input?;
    let cached = reported.cache_read.unwrap_or(0) + reported.all_cache_writes().unwrap_or(0);
    // What was read may be inside although what was written is not; without reads both agree.
    let read = reported.cache_read.unwrap_or(0);
    if input < cached && (input < read || read == 0) {
        return Some((Exclusive, PROOF_EXCLUSIVE));
    }
    if cached == 0 {
        // Both readings agree, where a client that does not know of caches did not make up the rest.
        let told = reported.cache_read.or(reported.all_cache_writes()).is_some();
        let agreed = told && reported.uncached == Some(input);
        return agreed.then_some((Inclusive, ALL_UNCACHED));
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
fn reasoning_proven(reported: &Reported, who: &Reporter<'_>, basis: Basis) -> Option<Reasoning> {
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
    match reported.total? - input - output {
        rest if rest == reasoning => Some(Beside),
        // Before 6 the AI SDK passes on the provider's total, since then it adds up what has it inside.
        0 if who.dialect == "vercel-ai" => Some(Inside),
        _ => None,
    }
}
