//! Token usage: from the numbers a span reports to leaves that do not overlap. Takes what was
//! reported and the decision of `usage`; gives leaves and totals. It never clamps: a negative
//! leaf is a contradiction, and then only what was reported is kept (I-6).

use super::rules::Reasoning::{Beside, BesideUnsent, Inside, InsideOrMissing, InsideUnsent, Twice};
use super::rules::{Cached, Reasoning, rule};
use super::usage::Basis::{Estimated, Exclusive, Inclusive, Unknown};
use super::usage::{Basis, Decision, Reporter, decide};

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
    /// Image output.
    pub image_out: Option<i64>,
    /// Input outside any cache, said beside the rest: for proofs only.
    pub uncached: Option<i64>,
    /// Output without reasoning, said beside the rest: for proofs only.
    pub output_text: Option<i64>,
    /// Output of predictions, accepted and not, where it stands beside output.
    pub predicted: Option<i64>,
    /// A usage attribute was there whose value is no whole number.
    pub unreadable: bool,
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
    /// Image output.
    pub image_out: Option<i64>,
}

const UNREADABLE: &str = "unreadable: a usage attribute is no whole number";
const ANSWERS_NOTHING: &str = "zero: no answer comes from nothing: the input was not told";
const NEGATIVE_INPUT: &str = "contradiction: the parts of input are more than input";
const NEGATIVE_OUTPUT: &str = "contradiction: the parts of output are more than output";
const CACHE_PARTS: &str = "contradiction: cache writes by lifetime are more than all cache writes";
const OVERLAP: &str = "no rule: cached and audio or image input may overlap";

impl Reported {
    /// All cache writes: as reported, else the sum of both lifetimes. Zero beside lifetimes is what
    /// LangChain makes of all writes, so that none counts twice.
    pub(super) fn all_cache_writes(&self) -> Option<i64> {
        let by_lifetime = match (self.cache_write_5m, self.cache_write_1h) {
            (None, None) => None,
            (short, long) => Some(short.unwrap_or(0) + long.unwrap_or(0)),
        };
        self.cache_write.filter(|all| *all > 0 || by_lifetime.is_none()).or(by_lifetime)
    }

    /// Whether there is output and no input at all, cached or not: some frameworks write zero for
    /// what a stream did not tell.
    fn answers_nothing(&self) -> bool {
        let cached = self.cache_read.unwrap_or(0) + self.all_cache_writes().unwrap_or(0);
        self.input == Some(0) && cached == 0 && self.output.is_some_and(|output| output > 0)
    }

    /// Whether zeros stand where a call has numbers. An embedding writes nothing, and a call with
    /// everything cached may read nothing beside; none does both.
    pub(super) fn is_zero(&self) -> bool {
        let all = [self.input, self.output, self.total, self.cache_read, self.cache_write];
        self.input.is_some() && all.iter().flatten().all(|n| *n == 0)
    }
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
    let known = rule(who);
    let mistaken = known.is_some_and(|rule| matches!(rule.cached, Cached::Mistaken(_)));
    let reported = &Reported { cache_read: reported.cache_read.filter(|_| !mistaken), ..*reported };
    let decision = decide(reported, who, known);
    usage.basis = Some(decision.input);
    usage.reason = Some(decision.name);
    // What was not told, or guessed, is in no column but the reported ones.
    if decision.input == Estimated || reported.is_zero() {
        return usage;
    }
    if reported.answers_nothing() {
        usage.reason = Some(ANSWERS_NOTHING);
    } else if let Err(why) = input_leaves(reported, &decision, &mut usage) {
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
    let write = reported.all_cache_writes();
    let lifetimes = reported.cache_write_5m.unwrap_or(0) + reported.cache_write_1h.unwrap_or(0);
    if lifetimes > write.unwrap_or(0) {
        return Err(CACHE_PARTS);
    }
    let cached = reported.cache_read.unwrap_or(0) + write.unwrap_or(0);
    let other = reported.audio_in.unwrap_or(0) + reported.image_in.unwrap_or(0);
    let (inside, beside) = if decision.parts_beside { (0, other) } else { (other, 0) };
    if cached > 0 && inside > 0 {
        return Err(OVERLAP);
    }
    let (total, uncached) = match decision.input {
        Inclusive if decision.writes_beside => {
            let read = reported.cache_read.unwrap_or(0);
            (Some(input + write.unwrap_or(0) + beside), input - read - inside)
        }
        Inclusive if decision.reads_twice => {
            let read = reported.cache_read.unwrap_or(0);
            (Some(input - read + beside), input - read - cached - inside)
        }
        Inclusive => (Some(input + beside), input - cached - inside),
        // Without the cached tokens beside it the total is not known, the uncached part is.
        Exclusive if !decision.cached_told => (None, input - inside),
        Exclusive => (Some(input + cached + beside), input - inside),
        Unknown | Estimated => return Ok(()),
    };
    if uncached < 0 {
        return Err(NEGATIVE_INPUT);
    }
    usage.input = total;
    usage.input_uncached = Some(uncached);
    // What is told beside what is not known is no more than a zero.
    usage.cache_read = reported.cache_read.filter(|read| decision.cached_told || *read > 0);
    usage.cache_write = write.filter(|written| decision.no_writes_told || *written > 0);
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
    if let Some(why) = decision.output_wrong {
        return Err(why);
    }
    let reasoning = reported.reasoning.unwrap_or(0);
    let other = reported.audio_out.unwrap_or(0) + reported.image_out.unwrap_or(0);
    let (inside, beside) = if decision.parts_beside { (0, other) } else { (other, 0) };
    let output = output + reported.predicted.unwrap_or(0);
    let (total, text) = match decision.reasoning {
        // Whether some of output is reasoning is not told, but all of it is there; where nothing
        // tells how to read it, most libraries still have it all.
        InsideUnsent | Reasoning::Unknown if reported.reasoning.is_none() => {
            all_output(reported, output + beside, usage);
            return Ok(());
        }
        Reasoning::Guessed => {
            all_output(reported, output + beside, usage);
            return Ok(());
        }
        // What is there may be all of it, or the text alone.
        InsideOrMissing if reported.reasoning.is_none() => return Ok(()),
        Inside | InsideUnsent | InsideOrMissing => {
            (Some(output + beside), output - reasoning - inside)
        }
        Twice => (Some(output + beside - reasoning), output - 2 * reasoning - inside),
        Beside => (Some(output + beside + reasoning), output - inside),
        BesideUnsent if reported.reasoning.is_none() => (None, output - inside),
        BesideUnsent => (Some(output + beside + reasoning), output - inside),
        // Without reasoning tokens both readings agree.
        Reasoning::Unknown if reasoning == 0 => (Some(output + beside), output - inside),
        Reasoning::Unknown => return Ok(()),
    };
    if text < 0 {
        return Err(NEGATIVE_OUTPUT);
    }
    usage.output = total;
    usage.output_text = Some(text);
    usage.reasoning = reported.reasoning;
    usage.audio_out = reported.audio_out;
    usage.image_out = reported.image_out;
    Ok(())
}

/// Output of which it is not known how much is reasoning.
fn all_output(reported: &Reported, output: i64, usage: &mut Usage) {
    usage.output = Some(output);
    usage.audio_out = reported.audio_out;
    usage.image_out = reported.image_out;
}

#[cfg(test)]
mod tests {
    use super::super::usage::PROOF_EXCLUSIVE;
    use super::*;

    fn who<'a>(scope: &'a str, version: &'a str, provider: &'a str) -> Reporter<'a> {
        Reporter { scope, version, provider: Some(provider), ..Reporter::default() }
    }

    fn tokens(input: i64, output: i64, read: Option<i64>, write: Option<i64>) -> Reported {
        Reported {
            input: Some(input),
            output: Some(output),
            cache_read: read,
            cache_write: write,
            ..Reported::default()
        }
    }

    /// Checks basis, input, uncached input and output.
    fn check(
        reported: Reported,
        who: Reporter<'_>,
        basis: Basis,
        expect: (Option<i64>, Option<i64>, Option<i64>),
    ) -> Usage {
        let usage = leaves(&reported, &who);
        let got = (usage.input, usage.input_uncached, usage.output);
        assert_eq!((usage.basis, got), (Some(basis), expect), "{reported:?} {who:?}");
        assert_eq!(usage.reported_input, reported.input);
        usage
    }

    // Anthropic's documentation of prompt caching: total input = cache_read_input_tokens +
    // cache_creation_input_tokens + input_tokens. Bedrock counts the same.
    #[test]
    fn exclusive_input_gets_its_cached_tokens_added() {
        let bedrock =
            who("opentelemetry.instrumentation.botocore.bedrock-runtime", "0.66b2", "aws.bedrock");
        // 11 + 1901 + 0
        let usage = check(
            tokens(11, 35, Some(1901), None),
            bedrock,
            Exclusive,
            (Some(1912), Some(11), Some(35)),
        );
        assert_eq!((usage.cache_read, usage.cache_write), (Some(1901), None));
        // No cached tokens: this library then leaves them out.
        check(tokens(11, 35, None, None), bedrock, Exclusive, (Some(11), Some(11), Some(35)));
        // Before 0.66 it tells none: how much input there was in all is not known.
        let older = Reporter { version: "0.65b0", ..bedrock };
        check(tokens(11, 35, None, None), older, Exclusive, (None, Some(11), Some(35)));
    }

    #[test]
    fn inclusive_input_is_the_total() {
        let anthropic = who("com.anthropic.sdk.python", "2.12.0", "anthropic");
        // 1726 = 11 uncached + 1715 written
        let usage = check(
            tokens(1726, 31, Some(0), Some(1715)),
            anthropic,
            Inclusive,
            (Some(1726), Some(11), Some(31)),
        );
        assert_eq!(usage.cache_write, Some(1715));
    }

    #[test]
    fn input_below_its_cached_tokens_is_proof_whatever_the_rule_says() {
        let usage = check(
            tokens(10, 5, Some(100), Some(20)),
            who("com.anthropic.sdk.python", "9.0.0", "anthropic"),
            Exclusive,
            (Some(130), Some(10), Some(5)),
        );
        assert_eq!(usage.reason, Some(PROOF_EXCLUSIVE));
    }

    #[test]
    fn a_total_that_holds_the_cached_tokens_beside_input_is_proof() {
        // 500 + 50 + 100 = 650
        let reported = Reported { total: Some(650), ..tokens(500, 50, Some(100), None) };
        let unknown = who("my.app", "", "anthropic");
        check(reported, unknown, Exclusive, (Some(600), Some(500), Some(50)));
    }

    #[test]
    fn unclear_input_stays_unknown_and_keeps_what_was_reported() {
        let usage = check(
            tokens(500, 50, Some(100), None),
            who("my.app", "", "anthropic"),
            Unknown,
            (None, None, Some(50)),
        );
        assert_eq!((usage.reported_input, usage.cache_read), (Some(500), None));
        // None told: by the API all of it is uncached, and what was cached stands beside it.
        check(
            tokens(500, 50, None, None),
            who("my.app", "", "anthropic"),
            Exclusive,
            (None, Some(500), Some(50)),
        );
        // Told to be zero: both readings give the same.
        let none = tokens(500, 50, Some(0), Some(0));
        check(none, who("my.app", "", "anthropic"), Inclusive, (Some(500), Some(500), Some(50)));
    }

    // Semantic conventions 1.40: “This value SHOULD include all types of input tokens, including
    // cached tokens”; reasoning “SHOULD be included in gen_ai.usage.output_tokens”.
    #[test]
    fn the_conventions_decide_from_1_40_on() {
        let by =
            |minor| Reporter { conventions: Some((1, minor)), ..who("my.app", "", "anthropic") };
        let reported = tokens(500, 50, Some(100), None);
        check(reported, by(40), Inclusive, (Some(500), Some(400), Some(50)));
        check(reported, by(39), Unknown, (None, None, Some(50)));
    }

    #[test]
    fn reasoning_is_inside_output_for_openai_and_beside_it_for_gemini() {
        let reported = |output, reasoning| Reported {
            reasoning: Some(reasoning),
            ..tokens(20, output, Some(0), None)
        };
        let usage = leaves(&reported(384, 320), &who("my.app", "", "openai"));
        assert_eq!(
            (usage.output, usage.output_text, usage.reasoning),
            (Some(384), Some(64), Some(320))
        );
        // usageMetadata: candidatesTokenCount 16, thoughtsTokenCount 338, billed 354.
        let usage = leaves(&reported(16, 338), &who("my.app", "", "gcp.gemini"));
        assert_eq!(
            (usage.output, usage.output_text, usage.reasoning),
            (Some(354), Some(16), Some(338))
        );
        // The instrumentation since 1.0 adds them: 354 of which 338.
        let adds = who("opentelemetry.instrumentation.google_genai", "1.3b0", "gcp.gemini");
        let usage = leaves(&reported(354, 338), &adds);
        assert_eq!((usage.output, usage.output_text), (Some(354), Some(16)));
        // Before that nothing tells.
        let older = who("opentelemetry.instrumentation.google_genai", "0.6b0", "gcp.gemini");
        assert_eq!(leaves(&reported(354, 338), &older).output, None);
    }

    // usageMetadata of Gemini: total = prompt + candidates + thoughts; usage of Bedrock's Converse:
    // total = input + output + cache reads and writes.
    #[test]
    fn what_a_total_holds_beyond_input_and_output_is_not_told() {
        let reported = |total| Reported { total: Some(total), ..tokens(20, 16, None, None) };
        let app = |provider| who("my.app", "", provider);
        // 20 + 16 + 338 thoughts: how much output there was is not known, its text is.
        let usage = leaves(&reported(374), &app("gcp.gemini"));
        assert_eq!((usage.input, usage.output, usage.output_text), (Some(20), None, Some(16)));
        // 20 + 16 + 1901 read from a cache, of a library that otherwise counts so as to include them.
        let openinference = Reporter { dialect: "openinference", ..app("aws.bedrock") };
        check(reported(1937), openinference, Exclusive, (None, Some(20), Some(16)));
        check(reported(36), openinference, Inclusive, (Some(20), Some(20), Some(16)));
        // Who serves the model is not told, nor then what the rest is.
        let nobody = Reporter { provider: None, ..openinference };
        check(reported(1937), nobody, Unknown, (None, None, None));
        // No thoughts, of a library that does not tell them: all output is there.
        let vercel = who("ai", "", "gcp.gemini");
        let usage = leaves(&reported(36), &vercel);
        assert_eq!((usage.output, usage.output_text), (Some(16), Some(16)));
        let untold = Reported { total: None, ..reported(0) };
        assert_eq!(leaves(&untold, &vercel).output, None);
    }

    // LiteLLM 1.65: prompt_tokens = input_tokens + cache_read_input_tokens of Anthropic's usage,
    // 31,100 + 233,600, beside 13,019 written. Later versions add those too.
    #[test]
    fn what_was_written_may_stand_beside_input_that_contains_what_was_read() {
        let named = |write_name| Reporter {
            write_name,
            dialect: "litellm",
            ..who("litellm", "", "anthropic")
        };
        let reported = tokens(264_700, 5_492, Some(233_600), Some(13_019));
        check(
            reported,
            named("cache_creation_input_tokens"),
            Inclusive,
            (Some(277_719), Some(31_100), Some(5_492)),
        );
        check(
            Reported { input: Some(277_719), ..reported },
            named("prompt_tokens_details.cache_creation_tokens"),
            Inclusive,
            (Some(277_719), Some(31_100), Some(5_492)),
        );
    }

    // langchain-anthropic: `cache_creation` is 0 where the writes are told by lifetime.
    #[test]
    fn zero_writes_beside_those_by_lifetime_are_their_sum() {
        let reported = Reported {
            cache_write_5m: Some(10),
            cache_write_1h: Some(15),
            ..tokens(100, 5, Some(40), Some(0))
        };
        let langsmith = Reporter { dialect: "langsmith", ..who("langsmith", "", "anthropic") };
        // 100 - 40 - 25
        let usage = check(reported, langsmith, Inclusive, (Some(100), Some(35), Some(5)));
        assert_eq!((usage.cache_write, usage.cache_write_1h), (Some(25), Some(15)));
    }

    #[test]
    fn a_negative_leaf_is_a_contradiction_not_zero() {
        let audio = Reported { audio_in: Some(30), ..tokens(20, 5, None, None) };
        let usage = check(audio, who("my.app", "", "openai"), Unknown, (None, None, Some(5)));
        assert_eq!(usage.reason, Some(NEGATIVE_INPUT));
        let parts = Reported {
            cache_write_5m: Some(10),
            cache_write_1h: Some(10),
            ..tokens(100, 5, None, Some(15))
        };
        let usage = check(parts, who("my.app", "", "openai"), Unknown, (None, None, Some(5)));
        assert_eq!(usage.reason, Some(CACHE_PARTS));
        let output =
            Reported { reasoning: Some(4), audio_out: Some(3), ..tokens(9, 5, None, None) };
        let usage = leaves(&output, &who("my.app", "", "openai"));
        assert_eq!((usage.output, usage.reason), (None, Some(NEGATIVE_OUTPUT)));
    }

    #[test]
    fn a_span_without_usage_has_none() {
        assert_eq!(leaves(&Reported::default(), &who("litellm", "", "openai")), Usage::default());
    }

    #[test]
    fn the_leaves_add_up_to_the_totals() {
        let reported = Reported {
            reasoning: Some(7),
            audio_out: Some(2),
            cache_write_5m: Some(30),
            cache_write_1h: Some(10),
            ..tokens(100, 20, Some(50), None)
        };
        for scope in ["com.anthropic.sdk.python", "openlit.instrumentation.anthropic"] {
            let u = leaves(&reported, &who(scope, "2.0", "anthropic"));
            let sum = |parts: &[Option<i64>]| Some(parts.iter().flatten().sum::<i64>());
            assert_eq!(u.input, sum(&[u.input_uncached, u.cache_read, u.cache_write]), "{scope}");
            assert_eq!(u.cache_write, sum(&[u.cache_write_5m, u.cache_write_1h]), "{scope}");
            assert_eq!(u.output, sum(&[u.output_text, u.reasoning, u.audio_out]), "{scope}");
        }
    }

    const REPORTERS: &[(&str, &str, &str)] = &[
        ("com.anthropic.sdk.python", "", "anthropic"),
        ("opentelemetry.instrumentation.botocore.bedrock-runtime", "", "aws.bedrock"),
        ("openlit.instrumentation.openai", "", "openai"),
        ("gemini-cli", "gemini-cli", "gcp.gen_ai"),
        ("langfuse-sdk", "langfuse", "openai"),
        ("mlflow.tracing.provider", "mlflow", "openai"),
        ("my.app", "", "gcp.gemini"),
        ("my.app", "", "somebody"),
    ];

    fn count() -> impl proptest::strategy::Strategy<Value = Option<i64>> {
        proptest::option::of(0..200i64)
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2000))]

        // Whatever is reported by whomever: parts are never negative, and where total and parts are
        // told, they add up. What was reported stays.
        #[test]
        fn leaves_of_any_report_add_up(
            numbers in proptest::collection::vec(count(), 15),
            reporter in proptest::sample::select(REPORTERS),
            input_name in proptest::sample::select(&["input", "prompt_tokens", "input_tokens"]),
            streaming in proptest::option::of(proptest::prelude::any::<bool>()),
        ) {
            let mut next = numbers.into_iter();
            let mut next = || next.next().flatten();
            let reported = Reported {
                input: next(), output: next(), total: next(), uncached: next(),
                cache_read: next(), cache_write: next(), cache_write_5m: next(),
                cache_write_1h: next(), output_text: next(), reasoning: next(),
                predicted: next(), audio_in: next(), audio_out: next(), image_in: next(),
                image_out: next(), unreadable: false,
            };
            let (scope, dialect, provider) = reporter;
            let who = Reporter {
                scope, dialect, provider: Some(provider), input_name, streaming,
                ..Reporter::default()
            };
            let u = leaves(&reported, &who);
            let sum = |parts: &[Option<i64>]| parts.iter().flatten().sum::<i64>();
            let all = [
                u.input, u.output, u.input_uncached, u.cache_read, u.cache_write, u.cache_write_5m,
                u.cache_write_1h, u.output_text, u.reasoning, u.audio_in, u.audio_out, u.image_in,
                u.image_out,
            ];
            proptest::prop_assert!(all.iter().flatten().all(|n| *n >= 0), "{:?}", u);
            if let (Some(input), Some(_)) = (u.input, u.input_uncached) {
                let parts = [u.input_uncached, u.cache_read, u.cache_write, u.audio_in, u.image_in];
                proptest::prop_assert_eq!(input, sum(&parts), "{:?} {:?}", reported, u);
            }
            if let (Some(output), Some(_)) = (u.output, u.output_text) {
                let parts = [u.output_text, u.reasoning, u.audio_out, u.image_out];
                proptest::prop_assert_eq!(output, sum(&parts), "{:?} {:?}", reported, u);
            }
            proptest::prop_assert_eq!(u.reported_input, reported.input);
            let said = reported != Reported::default();
            proptest::prop_assert_eq!(u.basis.is_some() && u.reason.is_some(), said);
        }
    }
}
