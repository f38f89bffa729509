//! Prices many calls with one book. A call finds its model once per distinct provider, models,
//! tier, region and host; after that only its instant and its numbers matter. Owns the memory of
//! those matches, bounded by [`PRICE_MATCHES_MAX`]. It knows neither spans nor tables.

use std::collections::HashMap;
use std::sync::Arc;

use super::book::{CallFacts, Found, PriceBook, PriceSet, UnitPrice};
use super::providers::standard_tier;
use super::quote::{PriceList, PriceState, Quote};
use crate::limits::PRICE_MATCHES_MAX;

/// A price book with a memory.
#[derive(Debug)]
pub struct Pricer {
    book: Arc<PriceBook>,
    matches: HashMap<String, Matched>,
    /// The key of the call before: calls come in runs of the same model.
    key: String,
    leaves: Vec<i64>,
    holding: Vec<u16>,
}

/// What is known of all calls with the same names.
#[derive(Debug)]
struct Matched {
    found: Result<Found, String>,
    /// In lower case.
    tier: String,
    region: String,
    /// Price lists made so far, by the sets they are made of.
    lists: Vec<(Vec<u16>, Listed)>,
}

#[derive(Debug, Clone)]
struct Listed {
    list: Arc<PriceList>,
    /// The call's tier has prices of its own, or needs none.
    tier_is_priced: bool,
}

impl Pricer {
    /// A pricer of that book.
    pub fn new(book: Arc<PriceBook>) -> Pricer {
        Pricer {
            book,
            matches: HashMap::new(),
            key: String::new(),
            leaves: Vec::new(),
            holding: Vec::new(),
        }
    }

    /// The book it prices with.
    pub fn book(&self) -> &Arc<PriceBook> {
        &self.book
    }

    /// The price of one call.
    pub fn quote(&mut self, facts: &CallFacts<'_>) -> Quote {
        let mut quote = Quote::default();
        self.quote_into(facts, &mut quote);
        quote
    }

    /// Like [`Pricer::quote`], into a quote whose memory is used again.
    pub fn quote_into(&mut self, facts: &CallFacts<'_>, quote: &mut Quote) {
        quote.clear();
        self.key.clear();
        let names = [
            facts.provider,
            facts.request_model,
            facts.response_model,
            facts.service_tier,
            facts.region,
            facts.server_address,
        ];
        for name in names {
            self.key.push_str(name.unwrap_or(""));
            self.key.push('\n');
        }
        if !self.matches.contains_key(&self.key) {
            if self.matches.len() >= PRICE_MATCHES_MAX {
                self.matches.clear();
            }
            let lower = |text: Option<&str>| text.unwrap_or("").trim().to_lowercase();
            let matched = Matched {
                found: self.book.find(facts),
                tier: lower(facts.service_tier),
                region: lower(facts.region),
                lists: Vec::new(),
            };
            self.matches.insert(self.key.clone(), matched);
        }
        let Some(matched) = self.matches.get_mut(&self.key) else { return };
        let found = match &matched.found {
            Ok(found) => found,
            Err(reason) => return quote.refuse(format_args!("{reason}")),
        };
        self.holding.clear();
        let sets = &found.model.sets;
        self.holding.extend((0..).zip(sets).filter(|(_, s)| s.holds_at(facts.at)).map(|(i, _)| i));
        let listed = match matched.lists.iter().find(|(sets, _)| *sets == self.holding) {
            Some((_, listed)) => listed.clone(),
            None => {
                let holding: Vec<&PriceSet> =
                    self.holding.iter().map(|&i| &sets[usize::from(i)]).collect();
                let tier = if found.resold { "" } else { &matched.tier };
                let listed = list(&holding, tier, &matched.tier, &matched.region);
                matched.lists.push((self.holding.clone(), listed.clone()));
                listed
            }
        };
        quote.price(&self.book, &listed.list, facts.usage, &mut self.leaves);
        if quote.state == PriceState::Unpriced {
            return;
        }
        if let Some(remark) = &found.remark {
            quote.remark(format_args!("{remark}"));
        }
        if !listed.tier_is_priced {
            quote.state = PriceState::PartPriced;
            let tier = &matched.tier;
            quote.remark(format_args!("no price for tier `{tier}`: standard price taken"));
        }
    }
}

/// The price list of the sets that hold, which come by rising priority number: the first
/// standard set, overridden unit by unit by the sets of the call's tier and region.
fn list(holding: &[&PriceSet], tier: &str, said_tier: &str, region: &str) -> Listed {
    let is = |of: &Option<Arc<str>>, call: &str| of.as_deref().is_none_or(|o| o == call);
    let special = |s: &&&PriceSet| s.tier.is_some() || s.region.is_some();
    let mut tier_is_priced = standard_tier(said_tier);
    let mut prices: Vec<UnitPrice> = Vec::new();
    let standard = holding.iter().filter(|s| !special(s)).take(1);
    let overrides = holding.iter().filter(special);
    for set in overrides.filter(|s| is(&s.tier, tier) && is(&s.region, region)).chain(standard) {
        tier_is_priced |= set.tier.is_some();
        for price in &set.prices {
            if !prices.iter().any(|p| p.unit == price.unit) {
                prices.push(price.clone());
            }
        }
    }
    Listed { list: Arc::new(PriceList::new(prices)), tier_is_priced }
}
