//! Test against the golden cases of genai-prices: real usage objects of providers, and what its
//! own code charges for each provider and API flavour that could have sent them, on 2026-08-21.
//! A part of the cases is bundled; all are read where the shared data lies beside the project.
//!
//! Where the oracle and we differ, each reason is proved on the case: that the published JSON, which is
//! all we have of that day's book, lists no such provider, model or price (the oracle's code had them,
//! and so has the newer book for half of these); or that we find a model behind the last `/` of its name (`models/gemini-2.5-pro`) which the oracle
//! does not, and that by the whole name we would find none either.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use spanledger_schemas::Money;

use super::bundled::BOOKS;
use super::clause::Clause;
use super::{CallFacts, PriceBook, PriceState, Pricer};
use crate::usage::{Basis, Unit, Usage};

/// 2026-08-21T12:00:00Z, the day the answers were computed.
const AT: i64 = 1_787_313_600_000_000;

/// What is charged: input, output, and everything.
type Charge = Option<(Money, Money, Money)>;

/// The older book's extractors: which fields of a usage object make which count.
struct Extractors(BTreeMap<(String, String), Value>);

impl Extractors {
    fn of_the_older_book() -> Extractors {
        let packed = include_bytes!("../../../prices/genai-prices/data_2026-08-21_git.json.gz");
        let mut json = String::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut json).unwrap();
        let book: Value = serde_json::from_str(&json).unwrap();
        let mut all = BTreeMap::new();
        for provider in book.as_array().unwrap() {
            let id = provider["id"].as_str().unwrap();
            for extractor in provider["extractors"].as_array().into_iter().flatten() {
                let flavour = extractor["api_flavor"].as_str().unwrap();
                all.insert((id.to_owned(), flavour.to_owned()), extractor.clone());
            }
        }
        Extractors(all)
    }

    /// The usage a raw response reports, as that provider and flavour mean it.
    fn usage(&self, provider: &str, flavour: &str, body: &Value) -> Option<Usage> {
        let extractor = self.0.get(&(provider.to_owned(), flavour.to_owned()))?;
        let root = reach(body, &extractor["root"])?;
        let mut counts: BTreeMap<Unit, i64> = BTreeMap::new();
        for mapping in extractor["mappings"].as_array().unwrap() {
            match reach(root, &mapping["path"]).and_then(Value::as_i64) {
                Some(count) => {
                    let unit = Unit::named(mapping["dest"].as_str().unwrap()).unwrap();
                    *counts.entry(unit).or_default() += count;
                }
                None => assert_ne!(mapping["required"], true, "{mapping} in {body}"),
            }
        }
        let counts: Vec<_> = counts.into_iter().collect();
        Some(Usage::reported(Basis::Inclusive, &counts).unwrap())
    }
}

/// Follows a path: a key, or a list of keys and of choices `{field, match}` within an array.
fn reach<'a>(json: &'a Value, path: &Value) -> Option<&'a Value> {
    match path {
        Value::String(key) => json.get(key),
        Value::Array(steps) => steps.iter().try_fold(json, |json, step| match step {
            Value::String(key) => json.get(key),
            choice => {
                let field = choice["field"].as_str()?;
                let clause = Clause::from_json(&choice["match"]).ok()?;
                json.as_array()?.iter().find(|item| {
                    item[field].as_str().is_some_and(|v| clause.matches(&v.to_lowercase()))
                })
            }
        }),
        _ => None,
    }
}

fn facts<'a>(provider: &'a str, model: Option<&'a str>, usage: &'a Usage) -> CallFacts<'a> {
    CallFacts {
        tenant: None,
        provider: Some(provider),
        request_model: model,
        response_model: None,
        service_tier: None,
        region: None,
        server_address: None,
        at: AT,
        usage,
    }
}

fn charge(pricer: &mut Pricer, provider: &str, model: Option<&str>, usage: &Usage) -> Charge {
    let quote = pricer.quote(&facts(provider, model, usage));
    (quote.state != PriceState::Unpriced).then_some((quote.input, quote.output, quote.total))
}

/// Whether the usage has a unit that the book has no price of for the model.
fn lacks(
    pricer: &mut Pricer,
    provider: &str,
    model: Option<&str>,
    usage: &Usage,
    unit: Unit,
) -> bool {
    let prices = pricer.prices(&facts(provider, model, usage));
    usage.count(unit) > 0 && prices.is_ok_and(|prices| !prices.iter().any(|p| p.unit == unit))
}

/// Whether the book lists a model under one of these names, at a provider or those it resells.
fn lists(book: &PriceBook, provider: &str, names: &[String]) -> bool {
    let rule = book.rules.iter().find(|rule| *rule.id == *provider);
    let resold = rule.iter().flat_map(|rule| rule.fallback.iter().map(AsRef::as_ref));
    let at = |provider: &str| names.iter().any(|name| book.listed(provider, name).is_some());
    std::iter::once(provider).chain(resold).any(at)
}

/// A model that the oracle does not find and we do, though not by its whole name.
const BEHIND_THE_SLASH: &str = "we look behind the last / of a model";

/// Every difference between the oracle and us, by its reason.
#[derive(Default, Debug)]
struct Outcome {
    cases: usize,
    equal: usize,
    /// Cases that differ in nothing but where we look for a model's name.
    equal_by_whole_names: usize,
    /// Cases in which the newer bundled book has what the older lacks, and charges what the oracle does.
    equal_by_newer_book: usize,
    answers: usize,
    not_in_book: usize,
    priced_answers: usize,
    differences: BTreeMap<String, Vec<String>>,
}

impl Outcome {
    /// One line per reason, with the first case of each.
    fn summary(&self) -> String {
        let Outcome { cases, equal, answers, priced_answers, not_in_book, .. } = self;
        let (by_name, by_newer) = (self.equal_by_whole_names, self.equal_by_newer_book);
        let mut text = format!(
            "{equal} of {cases} golden cases equal to the last digit, {by_name} more by whole names, \
             {by_newer} by the newer book: {answers} answers, {priced_answers} of them prices; \
             {not_in_book} of providers the JSON lacks\n"
        );
        for (reason, cases) in &self.differences {
            text += &format!("  {} × {reason}, such as {}\n", cases.len(), cases[0]);
        }
        text
    }
}

fn compare(lines: &str) -> Outcome {
    let mut pricer = Pricer::new(PriceBook::of(&BOOKS[0]).unwrap());
    let mut newer = Pricer::new(PriceBook::of(&BOOKS[1]).unwrap());
    let extractors = Extractors::of_the_older_book();
    let mut outcome = Outcome::default();
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let model = case["model"].as_str();
        let (mut equal, mut equal_by_whole_names, mut equal_by_newer_book) = (true, true, true);
        for group in case["extracted"].as_array().unwrap() {
            let counts: Vec<_> = group["usage"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(key, count)| (Unit::named(key).unwrap(), count.as_i64().unwrap()))
                .collect();
            let extracted = Usage::reported(Basis::Inclusive, &counts).unwrap();
            for answer in group["extractors"].as_array().unwrap() {
                let provider = answer["provider_id"].as_str().unwrap();
                let flavour = answer["api_flavor"].as_str().unwrap();
                let money = |key: &str| answer[key].as_str().map(|t| Money::parse(t).unwrap());
                let expected = money("input_price").zip(money("output_price")).map(|(i, o)| {
                    let searches = money("total_price").map(|total| total - i - o);
                    (i, o, i + o + searches.unwrap_or_default())
                });
                let key = (provider.to_owned(), flavour.to_owned());
                let in_book = extractors.0.contains_key(&key);
                if expected.is_none() && !in_book {
                    outcome.not_in_book += 1;
                    continue;
                }
                outcome.answers += 1;
                outcome.priced_answers += usize::from(expected.is_some());
                let by_counts = charge(&mut pricer, provider, model, &extracted);
                let raw = extractors.usage(provider, flavour, &case["body"]);
                let by_raw = raw.and_then(|usage| charge(&mut pricer, provider, model, &usage));
                if by_counts == expected && by_raw == expected {
                    continue;
                }
                equal = false;
                let names = super::providers::model_names(model.unwrap_or_default());
                let book = Arc::clone(pricer.book());
                let mut lacks = |unit| lacks(&mut pricer, provider, model, &extracted, unit);
                let reason = match (expected, by_counts) {
                    (None, Some(_)) if !lists(&book, provider, &names[..1]) => BEHIND_THE_SLASH,
                    (Some(_), _) if !book.rules.iter().any(|rule| *rule.id == *provider) => {
                        "the published JSON lacks the provider"
                    }
                    (Some(_), None) if !lists(&book, provider, &names) => {
                        "the published JSON lists no such model"
                    }
                    (Some(e), Some(g)) if (e.0, e.1) == (g.0, g.1) && lacks(Unit::WEB_SEARCHES) => {
                        "the published JSON has no price per search"
                    }
                    (Some(e), Some(g)) if e.0 == g.0 && lacks(Unit::OUTPUT_IMAGE) => {
                        "the published JSON has no image price"
                    }
                    _ => "unexplained",
                };
                let by_newer = charge(&mut newer, provider, model, &extracted);
                equal_by_newer_book &= expected.is_some() && by_newer == expected;
                equal_by_whole_names &= reason == BEHIND_THE_SLASH;
                outcome.differences.entry(reason.to_owned()).or_default().push(format!(
                    "{provider} {flavour} {model:?}: expected {expected:?}, \
                     from counts {by_counts:?}, from the response {by_raw:?}"
                ));
            }
        }
        outcome.cases += 1;
        outcome.equal += usize::from(equal);
        outcome.equal_by_whole_names += usize::from(!equal && equal_by_whole_names);
        outcome.equal_by_newer_book += usize::from(!equal && equal_by_newer_book);
    }
    outcome
}

#[test]
fn bundled_golden_cases_are_charged_to_the_last_digit() {
    let outcome = compare(include_str!("../../tests/fixtures/genai_prices_usages.jsonl"));
    let counts: Vec<_> = outcome.differences.iter().map(|(r, d)| (r.as_str(), d.len())).collect();
    assert_eq!((outcome.cases, outcome.priced_answers), (34, 71), "{}", outcome.summary());
    let expected = [
        ("the published JSON has no image price", 1),
        ("the published JSON has no price per search", 3),
        (BEHIND_THE_SLASH, 4),
    ];
    assert_eq!(counts, expected, "{}", outcome.summary());
}

/// The folder of shared data beside the project, if it is there.
fn shared(path: &str) -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().map(|a| a.join("shared/data").join(path)).find(|p| p.exists())
}

#[test]
fn charges_equal_the_golden_cases_to_the_last_digit() {
    let Some(path) = shared("prices/golden_usages/usages.shared.jsonl.gz") else {
        println!("skipped: no shared/data/prices/golden_usages beside the project");
        return;
    };
    let mut lines = String::new();
    let file = std::fs::File::open(path).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut lines).unwrap();
    let outcome = compare(&lines);
    println!("{}", outcome.summary());
    let counts: Vec<_> = outcome.differences.iter().map(|(r, d)| (r.as_str(), d.len())).collect();
    let expected = [
        ("the published JSON has no image price", 1),
        ("the published JSON has no price per search", 3),
        ("the published JSON lacks the provider", 1),
        ("the published JSON lists no such model", 5),
        (BEHIND_THE_SLASH, 89),
    ];
    assert_eq!(counts, expected, "{}", outcome.summary());
    assert_eq!((outcome.cases, outcome.equal), (821, 784));
    // The other 37: 27 differ in where we look for a name alone, 5 for want of what the newer book has.
    let others = (outcome.equal_by_whole_names, outcome.equal_by_newer_book);
    assert_eq!(others, (27, 5));
}
