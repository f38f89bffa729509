//! Prices many calls with one book. A call finds its model once per distinct provider, models,
//! tier, region and host; its price list once for the time in which the same prices hold; what is
//! said of it once per shape. Owns the memory of all three, bounded by [`PRICE_MATCHES_MAX`] and
//! [`PRICE_SHAPES_MAX`]. It knows neither spans nor tables.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::answers::Said;
use super::book::{CallFacts, PriceBook};
use super::listed::{Conditions, Listed};
use super::matching::Found;
use super::models::UnitPrice;
use super::quote::{PriceState, Quote};
use super::row::{Micros, PriceRow};
use super::shapes::{Shape, Shapes};
use crate::limits::{PRICE_MATCHES_MAX, PRICE_SHAPES_MAX};
use crate::usage::Unit;

/// A price book with a memory.
#[derive(Debug)]
pub struct Pricer {
    book: Arc<PriceBook>,
    /// Places in `matched`, by the names of the calls.
    names: HashMap<String, usize>,
    matched: Vec<Matched>,
    lists: Vec<Listed>,
    pub(super) shapes: Shapes,
    /// Batches begun.
    batches: u64,
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
    /// Places of the price lists made so far, by the sets they are made of.
    lists: Vec<(Vec<u16>, usize)>,
}

/// The prices that hold for the calls of one match, and how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// Place of the price list.
    pub(super) list: usize,
    /// First instant.
    from: Micros,
    /// First instant after.
    to: Micros,
}

impl Standing {
    /// Whether it is so at an instant.
    #[inline]
    pub(super) fn at(&self, at: Micros) -> bool {
        self.from <= at && at < self.to
    }
}

/// The rows that price one unit of a call.
#[derive(Debug)]
pub struct UnitRows<'a> {
    /// The unit.
    pub unit: Unit,
    /// The input above which each holds, with the row, ascending.
    pub bands: Vec<(Option<i64>, &'a PriceRow)>,
}

impl Pricer {
    /// A pricer of that book.
    pub fn new(book: Arc<PriceBook>) -> Pricer {
        Pricer {
            book,
            names: HashMap::new(),
            matched: Vec::new(),
            lists: Vec::new(),
            shapes: Shapes::default(),
            batches: 0,
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
        self.begin();
        let matched = self.find(facts);
        let list = self.standing(matched, facts.at).list;
        self.quote_by(matched, list, facts, quote);
    }

    /// The prices that hold for a call whatever it used: the rows of each unit with the input
    /// above which each holds, ascending; or why there are none.
    ///
    /// # Errors
    /// Why the book knows no price.
    pub fn prices(&mut self, facts: &CallFacts<'_>) -> Result<Vec<UnitRows<'_>>, String> {
        self.begin();
        let matched = self.find(facts);
        let list = self.standing(matched, facts.at).list;
        self.matched[matched].found.as_ref().map_err(Clone::clone)?;
        let rows = |price: &UnitPrice| UnitRows {
            unit: price.unit,
            bands: price.bands.iter().map(|(from, at)| (*from, self.book.row(*at).0)).collect(),
        };
        Ok(self.lists[list].list.prices().iter().map(rows).collect())
    }

    /// Begins a batch, by whose number what is said in it can be told from what was said before.
    /// Places of matches, lists and shapes are good until the next one begins, which may forget.
    pub(super) fn begin(&mut self) -> u64 {
        if self.matched.len() >= PRICE_MATCHES_MAX || self.shapes.len() >= PRICE_SHAPES_MAX {
            self.names.clear();
            self.matched.clear();
            self.lists.clear();
            self.shapes.clear();
        }
        self.batches += 1;
        self.batches
    }

    /// The place of the match of a call's names. Time and usage do not matter.
    pub(super) fn find(&mut self, facts: &CallFacts<'_>) -> usize {
        let names = [
            facts.tenant,
            facts.provider,
            facts.request_model,
            facts.response_model,
            facts.service_tier,
            facts.region,
            facts.server_address,
        ];
        self.key.clear();
        for name in names.map(Option::unwrap_or_default) {
            // With its length: a name may hold whatever stands between names. Writing to a String
            // cannot fail.
            let _ = write!(self.key, "{}:{name}", name.len());
        }
        if let Some(place) = self.names.get(&self.key) {
            return *place;
        }
        let lower = |text: Option<&str>| text.unwrap_or("").trim().to_lowercase();
        self.matched.push(Matched {
            found: self.book.find(facts),
            tier: lower(facts.service_tier),
            region: lower(facts.region),
            lists: Vec::new(),
        });
        let place = self.matched.len() - 1;
        self.names.insert(self.key.clone(), place);
        place
    }

    /// The prices that hold for the calls of a match at an instant.
    pub(super) fn standing(&mut self, matched: usize, at: Micros) -> Standing {
        let matched = &mut self.matched[matched];
        let found = matched.found.as_ref().ok();
        let sets = || found.into_iter().flat_map(Found::sets);
        let (mut from, mut to) = (Micros::MIN, Micros::MAX);
        self.holding.clear();
        for (place, (_, set)) in (0..).zip(sets()) {
            let (since, until) = set.unchanged_around(at);
            (from, to) = (from.max(since), to.min(until));
            if set.holds_at(at) {
                self.holding.push(place);
            }
        }
        if let Some((_, list)) = matched.lists.iter().find(|(sets, _)| *sets == self.holding) {
            return Standing { list: *list, from, to };
        }
        let holding: Vec<_> = sets().filter(|(_, set)| set.holds_at(at)).collect();
        let conditions = Conditions {
            tier: &matched.tier,
            region: &matched.region,
            resold: found.is_some_and(|found| found.resold),
        };
        self.lists.push(conditions.list(&self.book, &holding));
        let list = self.lists.len() - 1;
        matched.lists.push((self.holding.clone(), list));
        Standing { list, from, to }
    }

    /// The price list of a place.
    #[inline]
    pub(super) fn listed(&self, list: usize) -> &Listed {
        &self.lists[list]
    }

    /// Learns what the quote of a call tells of all of its shape.
    pub(super) fn learn(&mut self, list: usize, shape: Shape, quote: &Quote, said: Said) {
        if let Some(split) = &self.lists[list].split {
            self.shapes.learn(shape, quote, said, split);
        }
    }

    /// The price of one call by its match and the list that holds.
    pub(super) fn quote_by(
        &mut self,
        matched: usize,
        list: usize,
        facts: &CallFacts<'_>,
        quote: &mut Quote,
    ) {
        quote.clear();
        let (matched, listed) = (&self.matched[matched], &self.lists[list]);
        let found = match &matched.found {
            Ok(found) => found,
            Err(reason) => return quote.refuse(format_args!("{reason}")),
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
            return listed.name_needed(facts.usage, quote);
        }
        if let Some(remark) = &found.remark {
            quote.remark(format_args!("{remark}"));
        }
        if let Some(served) = &found.stands_for {
            quote.state = PriceState::PartPriced;
            quote.remark(format_args!(
                "no price for `{served}`, which served: that of the requested model is taken"
            ));
        }
        if !listed.tier_is_priced {
            quote.state = PriceState::PartPriced;
            let tier = &matched.tier;
            quote.remark(format_args!("no price for tier `{tier}`: standard price taken"));
        }
    }
}
