//! Prices many calls with one book. A call finds its model once per distinct provider, models,
//! tier, region and host; after that only its instant and its numbers matter. Owns the memory of
//! those matches, bounded by [`PRICE_MATCHES_MAX`]. It knows neither spans nor tables.

use std::collections::HashMap;
use std::sync::Arc;

use super::book::{CallFacts, Found, PriceBook};
use super::models::{PriceSet, UnitPrice};
use super::providers::standard_tier;
use super::quote::{PriceList, PriceState, Quote};
use super::row::PriceRow;
use crate::limits::PRICE_MATCHES_MAX;
use crate::usage::Unit;

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

/// The rows that price one unit of a call.
#[derive(Debug)]
pub struct UnitRows<'a> {
    /// The unit.
    pub unit: Unit,
    /// The input above which each holds, with the row, ascending.
    pub bands: Vec<(Option<i64>, &'a PriceRow)>,
}

#[derive(Debug, Clone)]
struct Listed {
    list: Arc<PriceList>,
    /// The call's tier has prices of its own, or needs none.
    tier_is_priced: bool,
    /// The commitment that covers the call.
    commitment: Option<usize>,
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

    /// The prices that hold for a call whatever it used: the rows of each unit with the input
    /// above which each holds, ascending; or why there are none.
    ///
    /// # Errors
    /// Why the book knows no price.
    pub fn prices(&mut self, facts: &CallFacts<'_>) -> Result<Vec<UnitRows<'_>>, String> {
        self.quote(facts);
        let matched = self.matches.get(&self.key).ok_or_else(|| "not matched".to_owned())?;
        matched.found.as_ref().map_err(Clone::clone)?;
        let listed = matched.lists.iter().find(|(sets, _)| *sets == self.holding);
        let prices = listed.map(|(_, listed)| listed.list.prices()).unwrap_or_default();
        let rows = |price: &UnitPrice| UnitRows {
            unit: price.unit,
            bands: price.bands.iter().map(|(from, at)| (*from, self.book.row(*at).0)).collect(),
        };
        Ok(prices.iter().map(rows).collect())
    }

    /// Like [`Pricer::quote`], into a quote whose memory is used again.
    pub fn quote_into(&mut self, facts: &CallFacts<'_>, quote: &mut Quote) {
        quote.clear();
        self.key.clear();
        let names = [
            facts.tenant,
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
        let sets = || {
            let own = found.own.iter().flat_map(|model| &model.sets).map(|set| (true, set));
            own.chain(found.model.iter().flat_map(|model| &model.sets).map(|set| (false, set)))
        };
        let holds = (0..).zip(sets()).filter(|(_, (_, set))| set.holds_at(facts.at));
        self.holding.extend(holds.map(|(i, _)| i));
        let listed = match matched.lists.iter().find(|(sets, _)| *sets == self.holding) {
            Some((_, listed)) => listed.clone(),
            None => {
                let all: Vec<_> = sets().collect();
                let holding = self.holding.iter().map(|&i: &u16| all[usize::from(i)]).collect();
                let call = Conditions {
                    tier: &matched.tier,
                    region: &matched.region,
                    resold: found.resold,
                };
                let listed = call.list(holding);
                matched.lists.push((self.holding.clone(), listed.clone()));
                listed
            }
        };
        if let Some(commitment) = listed.commitment {
            let (row, _) = self.book.row(commitment);
            quote.currency = Some(Arc::clone(&row.currency));
            quote.free("");
            quote.beside.push(commitment);
            let source = &row.source;
            return quote.remark(format_args!(
                "covered by a commitment of {source}: the period is paid, not the call"
            ));
        }
        quote.price(&self.book, &listed.list, facts, &mut self.leaves);
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

/// What of a call chooses between the prices of its model.
struct Conditions<'a> {
    tier: &'a str,
    region: &'a str,
    /// The book's prices are another provider's: its tiers are not the reseller's.
    resold: bool,
}

impl Conditions<'_> {
    /// The price list of the sets that hold, which come in the order in which they win, the
    /// user's own (`true`) first: by the four steps at the top of `book`, unit by unit.
    fn list(&self, holding: Vec<(bool, &PriceSet)>) -> Listed {
        let is = |of: &Option<Arc<str>>, call: &str| {
            of.as_deref().is_none_or(|of| of == call || of == "*")
        };
        let fits = |own: bool, set: &PriceSet| {
            let tier = if self.resold && !own { "" } else { self.tier };
            is(&set.tier, tier) && is(&set.region, self.region)
        };
        let special = |set: &PriceSet| set.tier.is_some() || set.region.is_some();
        let covering = holding.iter().filter(|(own, set)| fits(*own, set));
        let commitment = covering.filter_map(|(_, set)| set.commitment).next();
        // The first standard set of the book is its whole standard price list; a contract's
        // standard prices add up.
        let standard = holding.iter().position(|(own, set)| !own && !special(set));
        let step = |place: usize, (own, set): (bool, &PriceSet)| {
            Some(match (own, special(set)) {
                (true, true) => 1,
                (false, true) if set.tier.is_some() => 2,
                (true, false) => 3,
                (false, true) => 4,
                (false, false) if standard == Some(place) => 5,
                (false, false) => return None,
            })
        };
        let all = holding.iter().copied().enumerate().filter(|(_, (own, set))| fits(*own, set));
        let mut steps: Vec<(u8, &PriceSet)> =
            all.filter_map(|(place, set)| Some((step(place, set)?, set.1))).collect();
        steps.sort_by_key(|(step, _)| *step);
        let mut tier_is_priced = standard_tier(self.tier);
        let mut prices: Vec<UnitPrice> = Vec::new();
        for (_, set) in steps {
            tier_is_priced |= set.tier.is_some() && set.commitment.is_none();
            for price in &set.prices {
                if !prices.iter().any(|p| p.unit == price.unit) {
                    prices.push(price.clone());
                }
            }
        }
        Listed { list: Arc::new(PriceList::new(prices)), tier_is_priced, commitment }
    }
}
