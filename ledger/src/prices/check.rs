//! Where two books differ: each price of LiteLLM's map beside the one we take for the same call.
//! Takes our book, the map and what was used, gives the differences, those that move most money
//! first. It says who differs, not who is right.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use spanledger_schemas::Money;

use super::book::{CallFacts, PriceBook};
use super::history::scaled;
use super::litellm::LiteLlmPrice;
use super::row::Micros;
use super::{PriceRow, Pricer};
use crate::usage::{Unit, Usage};

/// What was used of a unit of a model, in the words of table `calls`.
#[derive(Debug, Clone)]
pub struct Used {
    /// Provider.
    pub provider: Option<String>,
    /// Model.
    pub model: String,
    /// Tier it was served in.
    pub service_tier: Option<String>,
    /// The calls had more input tokens than this, and not more than the next band begins with.
    pub context_over: i64,
    /// The unit.
    pub unit: Unit,
    /// How much of it, beyond the parts that are priced apart.
    pub quantity: i64,
}

/// How a price of the other book stands to ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It is another price.
    Differs,
    /// It is a zero that may mean that the other book does not know (I-6).
    PerhapsUnknown,
}

impl Standing {
    /// The one spelling: `differs`, `perhaps-unknown`.
    pub fn word(self) -> &'static str {
        match self {
            Standing::Differs => "differs",
            Standing::PerhapsUnknown => "perhaps-unknown",
        }
    }
}

/// A price on which the books differ, or on which the other may say nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Whether it is a price at all.
    pub standing: Standing,
    /// Our row.
    pub ours: PriceRow,
    /// The other book's key of the model.
    pub model: String,
    /// Its price, of the quantity of our row.
    pub theirs: Money,
    /// How much of it was used; zero when nothing was.
    pub quantity: i64,
    /// What that use would have cost more (less, below zero) by the other book; none where that may
    /// not know.
    pub effect: Option<Money>,
}

/// What came of a comparison.
#[derive(Debug, Default)]
pub struct Checked {
    /// Prices that both books have and agree on.
    pub equal: usize,
    /// Prices on which they differ, the largest effect first, then the largest ratio; then the zeros
    /// that are perhaps unknown, those of what was used most first.
    pub differences: Vec<Difference>,
    /// Prices of models that we list, of a unit or tier that we do not.
    pub only_theirs: usize,
    /// Their models that we do not list.
    pub models_unknown: usize,
}

/// Compares the prices that hold at an instant.
pub fn check(
    book: &Arc<PriceBook>,
    theirs: &[LiteLlmPrice],
    used: &[Used],
    tenant: &str,
    at: Micros,
) -> Checked {
    let mut pricer = Pricer::new(Arc::clone(book));
    let nothing = Usage::default();
    let facts = |provider: Option<&str>, model: &str, tier: Option<&str>| {
        (provider.map(str::to_owned), model.to_owned(), tier.map(str::to_owned))
    };
    let mut rows_of = |key: &(Option<String>, String, Option<String>)| {
        let facts = CallFacts {
            tenant: Some(tenant),
            provider: key.0.as_deref(),
            request_model: Some(&key.1),
            response_model: None,
            service_tier: key.2.as_deref(),
            region: None,
            server_address: None,
            at,
            usage: &nothing,
        };
        let prices = pricer.prices(&facts).ok()?;
        let owned = |p: super::UnitRows<'_>| {
            (p.unit, p.bands.into_iter().map(|(from, row)| (from, row.clone())).collect::<Vec<_>>())
        };
        Some(prices.into_iter().map(owned).collect::<Vec<_>>())
    };
    // The row of a band for calls with so many input tokens.
    fn of_band(bands: &[(Option<i64>, PriceRow)], tokens: i64) -> Option<&PriceRow> {
        let holds = |(from, _): &&(Option<i64>, PriceRow)| from.is_none_or(|f| tokens > f);
        bands.iter().rev().find(holds).map(|(_, row)| row)
    }
    // What was used at each row's price.
    let mut quantities: HashMap<String, i64> = HashMap::new();
    for used in used {
        let key = facts(used.provider.as_deref(), &used.model, used.service_tier.as_deref());
        for (_, bands) in rows_of(&key).into_iter().flatten().filter(|(u, _)| *u == used.unit) {
            if let Some(row) = of_band(&bands, used.context_over + 1) {
                *quantities.entry(row.id()).or_default() += used.quantity;
            }
        }
    }
    let mut by_call: BTreeMap<_, Vec<&LiteLlmPrice>> = BTreeMap::new();
    for price in theirs {
        let key = facts(Some(&price.provider), &price.model, price.service_tier);
        by_call.entry(key).or_default().push(price);
    }
    let mut checked = Checked::default();
    // Their map has one model under several keys.
    let mut compared: HashSet<(String, Money, bool)> = HashSet::new();
    for (key, prices) in by_call {
        // A reseller that we do not know is not compared with the first party whose model it sells.
        let known = key.0.as_deref().is_some_and(|provider| book.knows_provider(provider));
        let Some(ours) = rows_of(&key).filter(|_| known) else {
            checked.models_unknown += usize::from(key.2.is_none());
            continue;
        };
        for price in prices {
            let bands = ours.iter().find(|(unit, _)| *unit == price.unit).map(|(_, bands)| bands);
            let tokens = price.context_from.map_or(0, |from| from + 1);
            let row = bands.and_then(|bands| of_band(bands, tokens));
            let Some(row) = row.filter(|row| row.service_tier.as_deref() == price.service_tier)
            else {
                checked.only_theirs += 1;
                continue;
            };
            let per = Money::from_whole(row.per_quantity);
            let each = Money::from_whole(price.unit.per_quantity());
            let Some(theirs) = scaled(price.amount, per, each.0) else {
                checked.only_theirs += 1;
                continue;
            };
            let id = row.id();
            let quantity = quantities.get(&id).copied().unwrap_or_default();
            if !compared.insert((id, theirs, price.perhaps_unknown)) {
                continue;
            }
            if theirs == row.amount && !price.perhaps_unknown {
                checked.equal += 1;
                continue;
            }
            let more = theirs - row.amount;
            let effect = scaled(more, Money::from_whole(quantity), per.0);
            let model = price.model.clone();
            let standing = match price.perhaps_unknown {
                true => Standing::PerhapsUnknown,
                false => Standing::Differs,
            };
            let effect = effect.filter(|_| standing == Standing::Differs);
            checked.differences.push(Difference {
                standing,
                ours: row.clone(),
                model,
                theirs,
                quantity,
                effect,
            });
        }
    }
    // Dearer tenfold and cheaper tenfold are as odd as each other; a price against none is oddest.
    let ratio = |d: &Difference| {
        let (a, b) = (d.ours.amount.0.max(d.theirs.0), d.ours.amount.0.min(d.theirs.0));
        a.saturating_mul(1_000).checked_div(b).unwrap_or(i128::MAX)
    };
    checked.differences.sort_by_cached_key(|d| {
        let effect = d.effect.map_or(i128::from(d.quantity), |effect| effect.0.abs());
        let order = (d.standing, std::cmp::Reverse(effect), std::cmp::Reverse(ratio(d)));
        (order, d.model.clone(), d.ours.unit)
    });
    checked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn largest_effect_on_real_use_comes_first() {
        // Ours: gpt-4o $2.50 in, $10 out. Theirs: $5 in, $10.01 out.
        // Used 1,000,000 in: (5 − 2.5) × 1 = $2.50; 1,000,000,000 out: 0.01 × 1,000 = $10.
        let book = PriceBook::bundled().unwrap();
        let price = |unit, amount: &str| LiteLlmPrice {
            provider: "openai".to_owned(),
            model: "gpt-4o".to_owned(),
            unit,
            service_tier: None,
            context_from: None,
            amount: Money::parse(amount).unwrap(),
            perhaps_unknown: false,
        };
        let nothing = LiteLlmPrice { perhaps_unknown: true, ..price(Unit::CACHE_READ, "0") };
        let theirs = [
            nothing,
            price(Unit::INPUT, "5"),
            price(Unit::OUTPUT, "10.01"),
            price(Unit::CACHE_READ, "1.25"),
            LiteLlmPrice { provider: "coralbricks".to_owned(), ..price(Unit::INPUT, "9") },
        ];
        let used = |unit, quantity| Used {
            provider: Some("openai".to_owned()),
            model: "gpt-4o-2024-08-06".to_owned(),
            service_tier: None,
            context_over: 0,
            unit,
            quantity,
        };
        let used = [used(Unit::INPUT, 1_000_000), used(Unit::OUTPUT, 1_000_000_000)];
        let at = 1_795_564_800_000_000; // 2026-11-25
        let checked = check(&book, &theirs, &used, "default", at);
        let told =
            checked.differences.iter().map(|d| (d.ours.unit, d.effect.map(|e| e.to_string())));
        let told: Vec<_> = told.collect();
        // A zero that may be unknown moves no money.
        let expected = [
            (Unit::OUTPUT, Some("10".to_owned())),
            (Unit::INPUT, Some("2.5".to_owned())),
            (Unit::CACHE_READ, None),
        ];
        assert_eq!(told, expected, "{checked:?}");
        assert_eq!(checked.differences[2].standing.word(), "perhaps-unknown");
        assert_eq!((checked.equal, checked.models_unknown), (1, 1), "{checked:?}");
    }
}
