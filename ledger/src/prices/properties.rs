//! What holds of every price, whatever the call: tests with generated usage on the bundled book.

use proptest::prelude::*;
use spanledger_schemas::Money;

use super::{CallFacts, PriceBook, PriceState, Pricer, Quote};
use crate::usage::{Basis, Unit, Usage};

/// Models with flat prices, with bands, and with prices of caches and audio.
const MODELS: [(&str, &str); 4] = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-5.5"),
    ("anthropic", "claude-sonnet-5"),
    ("gcp.gemini", "gemini-2.5-flash"),
];

/// Below every band of these models, so that counts can be added without leaving the band.
const COUNT_MAX: i64 = 25_000;

fn pricer() -> Pricer {
    static BOOK: std::sync::OnceLock<std::sync::Arc<PriceBook>> = std::sync::OnceLock::new();
    Pricer::new(std::sync::Arc::clone(BOOK.get_or_init(|| PriceBook::bundled().unwrap())))
}

fn quote(pricer: &mut Pricer, model: usize, tier: Option<&str>, counts: &[i64; 5]) -> Quote {
    let units =
        [Unit::INPUT, Unit::CACHE_READ, Unit::CACHE_WRITE_5M, Unit::CACHE_WRITE_1H, Unit::OUTPUT];
    let counts: Vec<_> = units.into_iter().zip(counts.iter().copied()).collect();
    let usage = Usage::reported(Basis::Exclusive, &counts).unwrap();
    pricer.quote(&CallFacts {
        tenant: None,
        provider: Some(MODELS[model].0),
        request_model: Some(MODELS[model].1),
        response_model: None,
        service_tier: tier,
        region: None,
        server_address: None,
        at: 1_795_132_800_000_000, // 2026-11-20
        usage: &usage,
    })
}

fn counts() -> impl Strategy<Value = [i64; 5]> {
    prop::array::uniform5(0..COUNT_MAX)
}

fn tier() -> impl Strategy<Value = Option<&'static str>> {
    prop::option::of(prop::sample::select(vec!["batch", "flex", "priority", "standard"]))
}

proptest! {
    #[test]
    fn price_is_the_sum_of_the_prices_of_its_leaves(
        model in 0..MODELS.len(), tier in tier(), counts in counts(),
    ) {
        let mut pricer = pricer();
        let whole = quote(&mut pricer, model, tier, &counts);
        prop_assert_ne!(whole.state, PriceState::Unpriced);
        let lines: Money = whole.lines.iter().map(|line| line.amount).sum();
        prop_assert_eq!(lines, whole.total);
        let apart: Money = (0..5).map(|i| {
            let mut one = [0; 5];
            one[i] = counts[i];
            quote(&mut pricer, model, tier, &one).total
        }).sum();
        prop_assert_eq!(apart, whole.total);
    }

    #[test]
    fn price_grows_with_usage_within_a_band(
        model in 0..MODELS.len(), tier in tier(), counts in counts(), more in counts(),
    ) {
        let mut pricer = pricer();
        let sum: [i64; 5] = std::array::from_fn(|i| counts[i] + more[i]);
        let a = quote(&mut pricer, model, tier, &counts).total;
        let b = quote(&mut pricer, model, tier, &more).total;
        let both = quote(&mut pricer, model, tier, &sum).total;
        prop_assert!(both >= a && both >= b);
        // Two calls cost what one of their usage together costs, to the last digit.
        prop_assert_eq!(both, a + b);
    }

    #[test]
    fn price_does_not_depend_on_the_calls_priced_before(
        calls in prop::collection::vec((0..MODELS.len(), tier(), counts()), 1..20),
    ) {
        let mut forward = pricer();
        let there: Vec<_> =
            calls.iter().map(|(m, t, c)| quote(&mut forward, *m, *t, c)).collect();
        let mut backward = pricer();
        let mut back: Vec<_> =
            calls.iter().rev().map(|(m, t, c)| quote(&mut backward, *m, *t, c)).collect();
        back.reverse();
        prop_assert_eq!(there, back);
    }
}
