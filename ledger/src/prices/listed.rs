//! Which prices of its model hold for a call, unit by unit: the four steps at the top of `book`.
//! Takes the sets of prices that hold at the call's time, gives one price list, and says what of a
//! usage is missing beside it. It charges nothing.
//!
//! What a call must tell for its cost to be known (I-6); what is not told is unknown, not zero:
//! 1. its input tokens and its output tokens, each where it has a price;
//! 2. where neither has one, every priced unit that no other priced unit contains: the images of a
//!    price per image, the seconds of one per hour of audio or of a GPU.
//!
//! A price of zero asks for nothing. Nor do searches and code that tools ran, which are nothing
//! unless they are told, the request, which is one, and, beside tokens, images, seconds and the like:
//! most calls of a model that can make an image make none.

use std::sync::Arc;

use spanledger_schemas::Money;

use super::book::PriceBook;
use super::models::{PriceSet, UnitPrice};
use super::providers::standard_tier;
use super::quote::{PriceList, PriceState, Quote};
use super::split::Split;
use crate::usage::{Unit, Usage};

/// The prices that hold for calls with the same names, for a time.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) list: PriceList,
    /// How the list takes counts apart, where that can be said for all calls.
    pub(super) split: Option<Split>,
    /// The call's tier has prices of its own, or needs none.
    pub(super) tier_is_priced: bool,
    /// Place of the commitment that covers the call.
    pub(super) commitment: Option<usize>,
    /// The units that a call must tell.
    needed: Vec<Unit>,
}

impl Listed {
    /// Of a call that used something and does not tell all that it must, by the rule at the top.
    pub(super) fn note_untold(&self, usage: &Usage, quote: &mut Quote) {
        if quote.state == PriceState::Unpriced || self.commitment.is_some() {
            return;
        }
        for unit in self.needed.iter().filter(|unit| !usage.knows(**unit)) {
            quote.state = PriceState::PartPriced;
            quote.leave_open(*unit);
            quote.remark(format_args!("{unit} are not known"));
        }
        if quote.state == PriceState::PartPriced && quote.lines.is_empty() {
            quote.state = PriceState::Unpriced;
            quote.currency = None;
        }
    }

    /// Of a call of which nothing is charged, what it would have to tell; of tokens that goes without
    /// saying.
    pub(super) fn name_needed(&self, usage: &Usage, quote: &mut Quote) {
        let no_tokens = |unit: &&Unit| !matches!(**unit, Unit::INPUT | Unit::OUTPUT);
        for unit in self.needed.iter().filter(no_tokens).filter(|unit| !usage.knows(**unit)) {
            quote.remark(format_args!("{unit} are not known"));
        }
    }
}

/// The units that a call must tell, by the rule at the top.
fn needed(book: &PriceBook, list: &PriceList) -> Vec<Unit> {
    let costs = |price: &&UnitPrice| {
        price.bands.iter().any(|(_, row)| book.row(*row).0.amount != Money::ZERO)
    };
    let units: Vec<Unit> = list.prices().iter().filter(costs).map(|price| price.unit).collect();
    let of = |wanted: &dyn Fn(Unit) -> bool| -> Vec<Unit> {
        units.iter().copied().filter(|unit| wanted(*unit)).collect()
    };
    let tokens = of(&|unit| matches!(unit, Unit::INPUT | Unit::OUTPUT));
    if !tokens.is_empty() {
        return tokens;
    }
    let within = |unit: Unit| units.iter().any(|around| *around != unit && around.contains(unit));
    of(&|unit| !unit.is_beside_the_call() && !within(unit))
}

/// What of a call chooses between the prices of its model.
pub(super) struct Conditions<'a> {
    /// In lower case.
    pub(super) tier: &'a str,
    pub(super) region: &'a str,
    /// The book's prices are another provider's: its tiers are not the reseller's.
    pub(super) resold: bool,
}

impl Conditions<'_> {
    /// The price list of the sets that hold, which come in the order in which they win, the
    /// user's own (`true`) first: by the four steps at the top of `book`, unit by unit.
    pub(super) fn list(&self, book: &PriceBook, holding: &[(bool, &PriceSet)]) -> Listed {
        let is = |of: &Option<Arc<str>>, call: &str| {
            of.as_deref().is_none_or(|of| of == call || of == "*")
        };
        let fits = |own: bool, set: &PriceSet| {
            let tier = if self.resold && !own { "" } else { self.tier };
            let standard = |tier: &Option<Arc<str>>| tier.as_deref().is_some_and(standard_tier);
            let of_tier = is(&set.tier, tier) || (standard(&set.tier) && standard_tier(tier));
            of_tier && is(&set.region, self.region)
        };
        let special = |set: &PriceSet| set.tier.is_some() || set.region.is_some();
        let covering = holding.iter().filter(|(own, set)| fits(*own, set));
        let commitment = covering.filter_map(|(_, set)| set.commitment).next();
        // The first standard set of the book is its whole standard price list; a contract's
        // standard prices add up.
        let standard = holding.iter().position(|(own, set)| !own && !special(set));
        let step = |place: usize, (own, set): (bool, &PriceSet)| {
            let any_tier = set.tier.as_deref() == Some("*");
            Some(match (own, set.tier.is_some(), set.region.is_some()) {
                (true, true, true) if !any_tier => 1,
                (true, true, _) => 2,
                (false, true, _) => 3,
                (true, false, true) => 4,
                (true, false, false) => 5,
                (false, false, true) => 6,
                (false, false, false) if standard == Some(place) => 7,
                (false, false, false) => return None,
            })
        };
        let all = holding.iter().copied().enumerate().filter(|(_, (own, set))| fits(*own, set));
        let mut steps: Vec<(u8, bool, &PriceSet)> =
            all.filter_map(|(place, set)| Some((step(place, set)?, set.0, set.1))).collect();
        steps.sort_by_key(|(step, ..)| *step);
        let mut tier_is_priced = standard_tier(self.tier);
        // Each price with the set it was taken from, and whether that is the user's own.
        let mut prices: Vec<(UnitPrice, bool, &PriceSet)> = Vec::new();
        for (_, own, set) in steps {
            tier_is_priced |= set.tier.is_some() && set.commitment.is_none();
            for price in &set.prices {
                match prices.iter_mut().find(|(p, ..)| p.unit == price.unit) {
                    Some((won, true, by)) if own && by.is_beside(set) => won.join(price),
                    Some((won, ..)) => won.fill_below(price),
                    None => prices.push((price.clone(), own, set)),
                }
            }
        }
        let list = PriceList::new(prices.into_iter().map(|(price, ..)| price).collect());
        let split = Split::of(book, &list);
        let needed = needed(book, &list);
        Listed { list, split, tier_is_priced, commitment, needed }
    }
}
