//! A batch is priced as its calls are one by one, to the last digit and word: generated calls under
//! generated books, with bands, tiers, regions, hours, validity that ends, prices that do not divide,
//! currencies, commitments, contradicting and absurd counts. The oracle is [`Pricer::quote`], with
//! the rules of [`price_columns`]' documentation said once more here.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, StringViewArray};
use proptest::prelude::*;
use proptest::sample::select;
use spanledger_schemas::Money;

use super::counts::COUNTS;
use super::quote::LACKS_USAGE;
use super::{
    CallFacts, Kind, PriceBook, PriceRow, PriceState, Pricer, SHARED_TENANT, price_columns,
};
use crate::usage::{Unit, Usage};

/// 2026-11-20T00:00:00Z
const AT: i64 = 1_795_132_800_000_000;
const MINUTE: i64 = 60_000_000;

/// What calls share, and by what they differ.
#[derive(Debug, Clone)]
struct Names {
    tenant: &'static str,
    provider: Option<&'static str>,
    asked: Option<&'static str>,
    served: Option<&'static str>,
    tier: Option<&'static str>,
    region: Option<&'static str>,
    basis: Option<&'static str>,
    hit: Option<bool>,
    /// Which counts are told.
    told: [bool; COUNTS.len()],
}

#[derive(Debug, Clone)]
struct Call {
    names: Names,
    at: i64,
    counts: [Option<i64>; COUNTS.len()],
}

impl Call {
    /// The counts; all audio is at least what was heard and what was spoken.
    fn counts(&self) -> [Option<i64>; COUNTS.len()] {
        let mut counts = self.counts;
        let sides = counts[16].map(|heard| heard.saturating_add(counts[17].unwrap_or(0)));
        counts[15] = counts[15].max(sides.or(counts[17]));
        counts
    }
}

fn names() -> impl Strategy<Value = Names> {
    let maybe = |of: Vec<&'static str>| prop::option::of(select(of));
    let texts = (
        select(vec!["default", "other"]),
        prop_oneof![4 => Just(Some("openai")), 1 => maybe(vec!["acme", "nobody"])],
        prop_oneof![4 => Just(Some("m1")), 1 => maybe(vec!["m2"])],
        prop_oneof![8 => Just(None), 1 => maybe(vec!["m2", "m3"])],
        prop_oneof![2 => Just(None), 1 => maybe(vec!["batch", " Batch", "standard"])],
        prop_oneof![2 => Just(None), 1 => maybe(vec!["us", "eu"])],
        maybe(vec!["inclusive", "unknown", "estimated"]),
    );
    let hit = prop_oneof![8 => Just(None), 1 => any::<bool>().prop_map(Some)];
    // Input and output nearly always, the others seldom.
    let told: Vec<_> =
        (0..COUNTS.len()).map(|i| prop::bool::weighted(if i < 2 { 0.9 } else { 0.2 })).collect();
    (texts, hit, told).prop_map(
        |((tenant, provider, asked, served, tier, region, basis), hit, told)| {
            let told = std::array::from_fn(|i| told[i]);
            Names { tenant, provider, asked, served, tier, region, basis, hit, told }
        },
    )
}

fn count() -> impl Strategy<Value = i64> {
    prop_oneof![
        20 => 0..3_000i64,
        10 => Just(0),
        4 => 150_000..250_000i64,
        2 => select(vec![-1, i64::MIN, i64::MAX, (1 << 40) - 1, 1 << 40]),
    ]
}

/// Calls in a few groups, most of them with parts that fit into their wholes.
fn calls() -> impl Strategy<Value = Vec<Call>> {
    let of_group = (0..5usize, prop::array::uniform20(count()), 0..2_880i64, any::<bool>(), 0..8);
    (prop::collection::vec(names(), 1..5), prop::collection::vec(of_group, 1..60)).prop_map(
        |(groups, calls)| {
            let call = |generated: (usize, [i64; COUNTS.len()], i64, bool, i32)| {
                let (group, mut counts, minute, same_time, odd) = generated;
                let names = groups[group % groups.len()].clone();
                if odd != 0 {
                    let told = |i: usize| if names.told[i] { counts[i] } else { 0 };
                    let sum =
                        |of: &[usize]| of.iter().fold(0i64, |s, i| s.saturating_add(told(*i)));
                    let (written, input) = (sum(&[3, 4, 5]), sum(&[0, 2, 3, 4, 5, 7, 9]));
                    let (output, audio) = (sum(&[1, 6, 8, 10]), sum(&[15, 16, 17]));
                    (counts[0], counts[1], counts[3]) = (input, output, written);
                    counts[15] = audio;
                }
                let counts = std::array::from_fn(|i| names.told[i].then_some(counts[i]));
                let minute = if same_time { 0 } else { minute };
                Call { names, at: AT + minute * MINUTE, counts }
            };
            calls.into_iter().map(call).collect()
        },
    )
}

fn row() -> impl Strategy<Value = PriceRow> {
    let units = vec![
        "input_tokens",
        "output_tokens",
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "cache_write_5m_tokens",
        "cache_write_1h_tokens",
        "output_reasoning_tokens",
        "input_audio_tokens",
        "input_text_tokens",
        "cache_audio_read_tokens",
        "web_searches",
        "output_images",
        "audio_seconds",
        "input_audio_seconds",
        "input_characters",
        "gpu_seconds",
        "requests",
    ];
    // The last are near the ends of what is multiplied, and of money.
    let amounts = vec!["2.5", "0.000000000001", "-3", "0", "17.123456789012"];
    let large = vec!["1000000", "99999999999999999999"];
    let of_what = (
        prop_oneof![5 => Just("openai"), 1 => Just("acme")],
        prop_oneof![5 => Just("m1"), 1 => Just("m2")],
        select(units),
        prop_oneof![4 => Just(1_000_000i64), 1 => select(vec![1, 7, 3_600])],
        prop_oneof![9 => select(amounts), 1 => select(large)],
        prop_oneof![3 => Just("USD"), 1 => Just("EUR")],
    );
    let windows = vec![("00:30", "16:30"), ("22:00", "06:00")];
    let when = (
        prop_oneof![4 => Just(None), 1 => select(vec![Some(1_000i64), Some(200_000)])],
        prop_oneof![6 => Just(None), 1 => select(windows).prop_map(Some)],
        prop_oneof![6 => Just(None), 1 => Just(Some("batch"))],
        prop_oneof![6 => Just(None), 1 => Just(Some("us"))],
        prop_oneof![6 => Just(None), 1 => (0..2_880i64).prop_map(Some)],
        prop_oneof![6 => Just(None), 1 => (0..2_880i64).prop_map(Some)],
    );
    let whose = (0..3i64, prop::bool::weighted(0.25), 0..20);
    (of_what, when, whose).prop_map(|(what, when, (priority, own, odd))| {
        let (provider, model, unit, per_quantity, amount, currency) = what;
        let (context_from, window, tier, region, from, to) = when;
        let shared = |text: &str| Arc::<str>::from(text);
        let row = PriceRow {
            tenant: shared(if own { "default" } else { SHARED_TENANT }),
            provider: shared(provider),
            model_name: shared(model),
            model_match: shared(&format!(r#"{{"equals":"{model}"}}"#)),
            unit: Unit::named(unit).unwrap(),
            per_quantity,
            amount: Money::parse(amount).unwrap(),
            currency: shared(currency),
            context_from,
            time_window: window.map(|(from, to)| (shared(from), shared(to))),
            service_tier: tier.map(shared),
            region: region.map(shared),
            priority,
            valid_from: from.map(|minute| AT + minute * MINUTE),
            valid_to: to.map(|minute| AT + minute * MINUTE),
            known_from: 0,
            known_to: None,
            kind: Kind::Price,
            source: shared(if own { "contract c" } else { "book" }),
            note: None,
        };
        match odd {
            0 => PriceRow {
                kind: Kind::Commitment,
                unit: Unit::ANY,
                source: shared("contract c"),
                ..row
            },
            1..=4 => PriceRow {
                kind: Kind::ExchangeRate,
                unit: Unit::ANY,
                model_name: shared("EUR"),
                currency: shared("USD"),
                amount: Money::parse("1.0837").unwrap(),
                ..row
            },
            _ => row,
        }
    })
}

fn batch(calls: &[Call], views: bool) -> RecordBatch {
    let texts = |of: &dyn Fn(&Names) -> Option<&'static str>| -> ArrayRef {
        let texts = calls.iter().map(|call| of(&call.names));
        match views {
            true => Arc::new(texts.collect::<StringViewArray>()),
            false => Arc::new(texts.collect::<StringArray>()),
        }
    };
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("tenant", texts(&|n| Some(n.tenant))),
        ("provider", texts(&|n| n.provider)),
        ("request_model", texts(&|n| n.asked)),
        ("response_model", texts(&|n| n.served)),
        ("service_tier", texts(&|n| n.tier)),
        ("region", texts(&|n| n.region)),
        ("server_address", texts(&|_| None)),
        ("usage_basis", texts(&|n| n.basis)),
    ];
    let start: Int64Array = calls.iter().map(|call| Some(call.at * 1_000)).collect();
    columns.push(("start_unix_ns", Arc::new(start)));
    let hit: BooleanArray = calls.iter().map(|call| call.names.hit).collect();
    columns.push(("gateway_cache_hit", Arc::new(hit)));
    for (i, (name, _)) in COUNTS.iter().enumerate() {
        let counts: Int64Array = calls.iter().map(|call| call.counts()[i]).collect();
        columns.push((name, Arc::new(counts)));
    }
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true)))
        .unwrap()
}

/// The cells of a call: cost, its parts, currency, state, reason, ids.
type Cells = [Option<String>; 7];

fn one_by_one(pricer: &mut Pricer, call: &Call) -> Cells {
    let names = &call.names;
    let mut usage = Usage::default();
    for ((_, unit), count) in COUNTS.iter().zip(call.counts()) {
        count.into_iter().for_each(|count| usage.set(*unit, count));
    }
    let facts = CallFacts {
        tenant: Some(names.tenant),
        provider: names.provider,
        request_model: names.asked,
        response_model: names.served,
        service_tier: names.tier,
        region: names.region,
        server_address: None,
        at: call.at,
        usage: &usage,
    };
    let mut quote = pricer.quote(&facts);
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    if names.hit == Some(true) {
        let guessed = usage.is_empty() && names.basis == Some("estimated");
        let currency = if guessed { None } else { quote.currency.as_deref().and_then(text) };
        let reason = "a gateway answered from its own cache: no provider bills the call";
        let zero = || text("0");
        return [zero(), zero(), zero(), currency, text("priced"), text(reason), None];
    }
    if usage.is_empty() && names.basis == Some("estimated") {
        let reason = "usage is the library's own estimate: shown, not priced";
        return [None, None, None, None, text("unpriced"), text(reason), None];
    }
    let cached = usage.count(Unit::CACHE_READ).saturating_add(usage.count(Unit::CACHE_WRITE)) > 0;
    let unclear = quote.state == PriceState::Priced && cached && names.basis == Some("unknown");
    let mut reason = quote.reason.clone();
    if unclear {
        reason += if reason.is_empty() { "" } else { "; " };
        reason += "unknown whether input contains the cached tokens";
    }
    if unclear {
        quote.state = PriceState::PartPriced;
    }
    quote.reason = reason;
    // Which side is not told and costs something is the list's to say; here it is that the shapes
    // keep such calls apart.
    let matched = pricer.find(&facts);
    let list = pricer.standing(matched, call.at).list;
    pricer.listed(list).note_untold(&usage, &mut quote);
    let (state, reason) = (quote.state, quote.reason.as_str());
    let total = (state != PriceState::Unpriced).then(|| quote.total.to_string());
    let [input, output] = quote.sides().map(|side| side.map(|amount| amount.to_string()));
    let rows = quote.lines.iter().map(|line| line.row).chain(quote.beside.iter().copied());
    let ids: Vec<_> = rows.map(|row| pricer.book().row(row).1).collect();
    [
        total,
        input,
        output,
        quote.currency.as_deref().and_then(text),
        text(state.word()),
        text(reason),
        text(&ids.join(",")),
    ]
}

fn in_a_batch(pricer: &mut Pricer, calls: &[Call], views: bool) -> Vec<Cells> {
    let priced = price_columns(pricer, &batch(calls, views)).unwrap();
    let amount = |column: &arrow::array::Decimal128Array, i| {
        let cell = arrow::array::Array::is_valid(column, i).then(|| Money(column.value(i)));
        cell.map(|money| money.to_string())
    };
    let text = |column: &StringViewArray, i| {
        arrow::array::Array::is_valid(column, i).then(|| column.value(i).to_owned())
    };
    let cells = |i| {
        [
            amount(&priced.cost, i),
            amount(&priced.input_cost, i),
            amount(&priced.output_cost, i),
            text(&priced.currency, i),
            text(&priced.price_state, i),
            text(&priced.price_reason, i),
            text(&priced.price_ids, i),
        ]
    };
    (0..calls.len()).map(cells).collect()
}

proptest! {
    #[test]
    fn batch_is_priced_as_its_calls_one_by_one(
        rows in prop::collection::vec(row(), 0..24), calls in calls(), views in any::<bool>(),
    ) {
        let book = PriceBook::believed_at(rows, i64::MAX).unwrap();
        let mut pricer = Pricer::new(Arc::clone(&book));
        let expected: Vec<Cells> =
            calls.iter().map(|call| one_by_one(&mut Pricer::new(Arc::clone(&book)), call)).collect();
        prop_assert_eq!(&in_a_batch(&mut pricer, &calls, views), &expected);
        // Now that it knows every shape, and in another batch.
        prop_assert_eq!(&in_a_batch(&mut pricer, &calls, views), &expected);
    }
}

/// What a call of OpenAI's says, beside its counts.
fn of_openai(model: &'static str, basis: &'static str, hit: Option<bool>) -> Names {
    Names {
        tenant: "default",
        provider: Some("openai"),
        asked: Some(model),
        served: None,
        tier: None,
        region: None,
        basis: Some(basis),
        hit,
        told: [false; COUNTS.len()],
    }
}

#[test]
fn calls_that_differ_in_their_counts_alone_are_quoted_once() {
    // gpt-4o: $2.50 in, $10 out per million. 1,000 × 2.5 / 10^6 + 10 × 10 / 10^6 = 0.0026; the
    // second call has one token more of each: + 0.0000025 + 0.00001 = 0.0026125.
    let counts = |input, output| {
        let mut counts = [None; COUNTS.len()];
        (counts[0], counts[1]) = (Some(input), Some(output));
        counts
    };
    let names = of_openai("gpt-4o", "inclusive", None);
    let call = |input, output| Call { names: names.clone(), at: AT, counts: counts(input, output) };
    let mut pricer = Pricer::new(PriceBook::bundled().unwrap());
    let cells = in_a_batch(&mut pricer, &[call(1_000, 10), call(1_001, 11)], true);
    assert_eq!(cells[0][0].as_deref(), Some("0.0026"));
    assert_eq!(cells[1][0].as_deref(), Some("0.0026125"));
    assert_eq!(cells[0][3..], cells[1][3..]);
    assert_eq!(pricer.shapes.len(), 1);
    // Output alone is another shape.
    in_a_batch(&mut pricer, &[call(0, 10)], true);
    assert_eq!(pricer.shapes.len(), 2);
}

#[test]
fn calls_alike_but_for_basis_or_gateway_are_told_apart() {
    // gpt-4o: 900 × $2.50 + 100 × $1.25 per million = 0.00225 + 0.000125.
    let call = |basis, hit| {
        let mut counts = [None; COUNTS.len()];
        (counts[0], counts[1], counts[2]) = (Some(1_000), Some(0), Some(100));
        let names = of_openai("gpt-4o", basis, Some(hit));
        Call { names, at: AT, counts }
    };
    let calls = [call("inclusive", false), call("unknown", false), call("inclusive", true)];
    let mut pricer = Pricer::new(PriceBook::bundled().unwrap());
    let cells = in_a_batch(&mut pricer, &calls, false);
    let said = |i: usize| (cells[i][0].as_deref().unwrap(), cells[i][4].as_deref().unwrap());
    assert_eq!(said(0), ("0.002375", "priced"));
    assert_eq!(said(1), ("0.002375", "part-priced"));
    assert_eq!(said(2), ("0", "priced"));
}

#[test]
fn a_side_that_is_not_told_is_unknown_and_not_zero() {
    // gpt-4o: 1,000 × $2.50 per million = 0.0025, and 10 × $10 per million = 0.0001.
    // text-embedding-3-small has no price of output: 1,000 × $0.02 per million = 0.00002.
    let call = |model, input, output| {
        let mut counts = [None; COUNTS.len()];
        (counts[0], counts[1]) = (input, output);
        let names = of_openai(model, "inclusive", None);
        Call { names, at: AT, counts }
    };
    let calls = [
        call("gpt-4o", Some(1_000), Some(0)),
        call("gpt-4o", Some(1_000), None),
        call("gpt-4o", None, Some(10)),
        call("text-embedding-3-small", Some(1_000), None),
    ];
    let mut pricer = Pricer::new(PriceBook::bundled().unwrap());
    let cells = in_a_batch(&mut pricer, &calls, false);
    let said = |i: usize| [0, 4, 5].map(|cell: usize| cells[i][cell].as_deref().unwrap_or(""));
    assert_eq!(said(0), ["0.0025", "priced", ""]);
    assert_eq!(said(1), ["0.0025", "part-priced", "output_tokens are not known"]);
    assert_eq!(said(2), ["0.0001", "part-priced", "input_tokens are not known"]);
    assert_eq!(said(3), ["0.00002", "priced", ""]);
}

#[test]
fn reasons_tell_calls_that_lack_a_count_from_those_that_lack_a_price() {
    let lacks = regex::Regex::new(LACKS_USAGE).unwrap();
    let check = |model, told: &[(usize, i64)], expect: bool| {
        let mut counts = [None; COUNTS.len()];
        told.iter().for_each(|(place, count)| counts[*place] = Some(*count));
        let call = Call { names: of_openai(model, "inclusive", None), at: AT, counts };
        let mut pricer = Pricer::new(PriceBook::bundled().unwrap());
        let reason = in_a_batch(&mut pricer, &[call], false)[0][5].clone().unwrap();
        assert_eq!(lacks.is_match(&reason), expect, "{reason}");
    };
    // Input alone, output alone, nothing.
    check("gpt-4o", &[(0, 1_000)], true);
    check("gpt-4o", &[(1, 10)], true);
    check("gpt-4o", &[], true);
    check("no-such-model", &[(0, 1_000), (1, 10)], false);
    check("no-such-model", &[], false);
    // It has no price of searches.
    check("gpt-3.5-turbo", &[(0, 1_000), (1, 10), (11, 3)], false);
}
