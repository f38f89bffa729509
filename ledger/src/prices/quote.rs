//! What one call costs. Takes the prices that hold for it and its usage, gives exact amounts,
//! each with the price row it comes from. Pure: it does not look for models and reads no tables.
//!
//! Rules, all of them:
//! - Usage is split into the disjoint leaves of the priced units ([`Usage::leaves`]), so that
//!   every token is priced once.
//! - A unit without a price of its own is priced as the nearest priced unit that contains it:
//!   reasoning as output, a 5-minute cache write as a cache write. Where providers usually price
//!   it apart (cached, audio, image and video tokens, 1-hour writes), the reason says so.
//! - A unit that no priced unit contains has no price: the call is part-priced, or unpriced when
//!   nothing of it could be priced. Zero is a price; no row is none (I-6).
//! - But images, seconds, characters, pages and searches of a reranking measure what tokens (or
//!   another of them) may measure too: where the call is charged by one, another needs no price.
//! - What a call must tell of itself for its cost to be known stands at the top of `listed`.
//! - The charge for input, or for output, is unknown where something of it is and nothing of it is
//!   charged; else it is what is known of it, as the total is (I-6).
//! - A price with bands is a cliff: the input of the call chooses the band for all its tokens. Below
//!   the first band there is no price.
//! - A price per request is charged once for a call that does not say how many it made.
//! - Prices in several currencies: the call's is that of the price that wins first (`book`); the
//!   others are converted at the exchange rate that holds when the call starts, and the row of the
//!   rate is named. Without a rate those units have no price.
//! - Amount = price × quantity ÷ quantity of the price, exact for tokens. Prices per 3,600 seconds
//!   need not divide, nor need conversions end: those amounts are rounded half to even on the 18th
//!   digit, here and nowhere else.

use std::fmt::Write as _;
use std::sync::Arc;

use spanledger_schemas::Money;

use super::book::{CallFacts, PriceBook};
use super::itemise::{charge, converted};
use super::models::UnitPrice;
use crate::usage::{Direction, Unit, Usage, UsageError};

/// The reasons of calls that lack a count, and no price, as a regular expression.
pub const LACKS_USAGE: &str = "^(no usage was reported|usage .*|(how long [^;]*; )?[a-z_]+ are not known\
                               (; [a-z_]+ are not known)*)$";

/// How much of a call has a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PriceState {
    /// All of it.
    Priced,
    /// Some of it; the reason says what is missing.
    PartPriced,
    /// Nothing; the reason says why.
    Unpriced,
}

impl PriceState {
    /// The one spelling: `priced`, `part-priced`, `unpriced`.
    pub fn word(self) -> &'static str {
        match self {
            PriceState::Priced => "priced",
            PriceState::PartPriced => "part-priced",
            PriceState::Unpriced => "unpriced",
        }
    }
}

/// The charge for one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The priced unit.
    pub unit: Unit,
    /// Quantity charged: what was used of the unit beyond the units priced apart.
    pub quantity: i64,
    /// Price of `per_quantity` units.
    pub price: Money,
    /// Quantity the price is for.
    pub per_quantity: i64,
    /// The charge.
    pub amount: Money,
    /// Place of the price row in its book ([`PriceBook::row`]).
    pub row: usize,
}

/// What a call costs, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// How much of it has a price.
    pub state: PriceState,
    /// Charge for input, as far as it is known: see [`Quote::sides`].
    pub input: Money,
    /// Charge for output, as far as it is known.
    pub output: Money,
    /// The whole charge: input, output, and what is neither, such as searches.
    pub total: Money,
    /// ISO 4217; `None` when unpriced.
    pub currency: Option<Arc<str>>,
    /// One line per priced unit that was used.
    pub lines: Vec<Line>,
    /// Places of the rows used beside those of the lines: exchange rates, a commitment.
    pub beside: Vec<usize>,
    /// Remarks, and why there is no (full) price; empty when there is nothing to say.
    pub reason: String,
    /// Whether something of the input, and of the output, has no price or was not told.
    pub(super) open: [bool; 2],
}

impl Default for Quote {
    fn default() -> Self {
        Quote {
            state: PriceState::Unpriced,
            input: Money::ZERO,
            output: Money::ZERO,
            total: Money::ZERO,
            currency: None,
            lines: Vec::new(),
            beside: Vec::new(),
            reason: String::new(),
            open: [false; 2],
        }
    }
}

impl Quote {
    /// The charges for input and for output; `None` for one of which nothing is known, and for both
    /// when the call is unpriced.
    pub fn sides(&self) -> [Option<Money>; 2] {
        let side = |at: usize, direction: Direction, charge: Money| {
            let charged = || self.lines.iter().any(|line| line.unit.direction() == direction);
            let known = self.state != PriceState::Unpriced && (!self.open[at] || charged());
            known.then_some(charge)
        };
        [side(0, Direction::Input, self.input), side(1, Direction::Output, self.output)]
    }

    /// Notes that something of a unit has no price, or was not told.
    pub(super) fn leave_open(&mut self, unit: Unit) {
        match unit.direction() {
            Direction::Input => self.open[0] = true,
            Direction::Output => self.open[1] = true,
            Direction::Neither => {}
        }
    }

    /// Makes it a quote of nothing to pay, whatever the usage. The currency stays that of the
    /// prices that would have held; without any there is none.
    pub(super) fn free(&mut self, reason: &str) {
        let currency = self.currency.take();
        *self = Quote { state: PriceState::Priced, currency, ..Quote::default() };
        reason.clone_into(&mut self.reason);
    }
}

/// The prices that hold for a call, specific units before the general ones that contain them.
#[derive(Debug, Default)]
pub(super) struct PriceList {
    units: Vec<Unit>,
    prices: Vec<UnitPrice>,
    /// Place of the row that wins first, whose currency is the call's.
    first: Option<usize>,
}

impl PriceList {
    pub(super) fn new(mut prices: Vec<UnitPrice>) -> PriceList {
        // Of its bands the highest: those below may be of prices that lose against it.
        let first = prices.first().and_then(|p| p.bands.last()).map(|(_, place)| *place);
        prices.sort_by_key(|p| (std::cmp::Reverse(p.unit.depth()), p.unit));
        PriceList { units: prices.iter().map(|p| p.unit).collect(), prices, first }
    }

    /// The prices, specific units first.
    pub(super) fn prices(&self) -> &[UnitPrice] {
        &self.prices
    }
}

impl Quote {
    /// Empties the quote for the next call; buffers are kept.
    pub(super) fn clear(&mut self) {
        let (mut lines, mut beside, mut reason) = (
            std::mem::take(&mut self.lines),
            std::mem::take(&mut self.beside),
            std::mem::take(&mut self.reason),
        );
        lines.clear();
        beside.clear();
        reason.clear();
        *self = Quote { lines, beside, reason, ..Quote::default() };
    }

    /// Makes it unpriced, for a reason.
    pub(super) fn refuse(&mut self, why: std::fmt::Arguments<'_>) {
        self.clear();
        // Writing to a String cannot fail.
        let _ = self.reason.write_fmt(why);
    }

    /// Adds a remark.
    pub(super) fn remark(&mut self, text: std::fmt::Arguments<'_>) {
        if !self.reason.is_empty() {
            self.reason.push_str("; ");
        }
        let _ = self.reason.write_fmt(text);
    }

    /// Prices `usage` by a list. `leaves` is working memory.
    pub(super) fn price(
        &mut self,
        book: &PriceBook,
        list: &PriceList,
        facts: &CallFacts<'_>,
        leaves: &mut Vec<i64>,
    ) {
        let usage = facts.usage;
        if usage.is_empty() {
            return self.refuse(format_args!("no usage was reported"));
        }
        if let Err(error) = usage.leaves(&list.units, leaves) {
            return self.refuse(format_args!("usage contradicts itself: {error}"));
        }
        for (price, leaf) in list.prices.iter().zip(leaves.iter_mut()) {
            if price.unit == Unit::REQUESTS && !usage.knows(Unit::REQUESTS) {
                *leaf = 1;
            }
        }
        let uncharged = match self.charge(book, list, facts, leaves) {
            Ok(uncharged) => uncharged,
            Err(error) => return self.refuse(format_args!("usage cannot be priced: {error}")),
        };
        let missing = uncharged | self.note_units_without_price(list, usage, leaves);
        self.state = match (missing, self.lines.is_empty()) {
            (false, _) => PriceState::Priced,
            (true, false) => PriceState::PartPriced,
            (true, true) => PriceState::Unpriced,
        };
        if self.state == PriceState::Unpriced {
            self.currency = None;
        }
    }

    /// Adds the lines. Returns whether something of a priced unit has no price: its price begins above
    /// this context, or is in a currency that has no rate.
    fn charge(
        &mut self,
        book: &PriceBook,
        list: &PriceList,
        facts: &CallFacts<'_>,
        leaves: &[i64],
    ) -> Result<bool, UsageError> {
        let context = facts.usage.count(Unit::INPUT);
        let mut uncharged = false;
        let Some(first) = list.first else { return Ok(false) };
        let currency = Arc::clone(&book.row(first).0.currency);
        self.currency = Some(Arc::clone(&currency));
        for (price, &quantity) in list.prices.iter().zip(leaves) {
            let in_band = |(from, _): &&(Option<i64>, usize)| from.is_none_or(|f| context > f);
            if quantity == 0 {
                continue;
            }
            let unit = price.unit;
            let Some(&(_, place)) = price.bands.iter().rev().find(in_band) else {
                uncharged = true;
                self.leave_open(unit);
                let lowest = price.bands.first().and_then(|(from, _)| *from).unwrap_or_default();
                self.remark(format_args!("no price for {unit} up to {lowest} input tokens"));
                continue;
            };
            let (row, _) = book.row(place);
            let too_large = UsageError::TooLarge { unit };
            let mut amount =
                charge(row.amount, quantity, row.per_quantity).ok_or(too_large.clone())?;
            if row.currency != currency {
                let Some(rate) = book.rate(facts.tenant, &row.currency, &currency, facts.at) else {
                    uncharged = true;
                    self.leave_open(unit);
                    let from = &row.currency;
                    self.remark(format_args!(
                        "no price for {unit}: no exchange rate from {from} to {currency} at that time"
                    ));
                    continue;
                };
                amount = converted(amount, book.row(rate).0).ok_or(too_large.clone())?;
                if !self.beside.contains(&rate) {
                    self.beside.push(rate);
                }
            }
            let add = |sum: Money| sum.checked_add(amount).ok_or(too_large.clone());
            self.total = add(self.total)?;
            match unit.direction() {
                Direction::Input => self.input = add(self.input)?,
                Direction::Output => self.output = add(self.output)?,
                Direction::Neither => {}
            }
            self.lines.push(Line {
                unit,
                quantity,
                price: row.amount,
                per_quantity: row.per_quantity,
                amount,
                row: place,
            });
        }
        Ok(uncharged)
    }

    /// Says which used units have no price, and which take that of a unit around them. Returns
    /// whether any has none.
    fn note_units_without_price(
        &mut self,
        list: &PriceList,
        usage: &Usage,
        leaves: &[i64],
    ) -> bool {
        let mut missing = false;
        for unit in usage.used() {
            let around = list.units.iter().find(|u| u.contains(unit));
            match around {
                Some(own) if *own == unit => {
                    // Writes for five minutes and for an hour are two prices of one count.
                    let lifetimes = [Unit::CACHE_WRITE_5M, Unit::CACHE_WRITE_1H];
                    if unit == Unit::CACHE_WRITE
                        && list.units.contains(&Unit::CACHE_WRITE_1H)
                        && !lifetimes.iter().any(|lifetime| usage.knows(*lifetime))
                    {
                        self.remark(format_args!(
                            "how long {unit} live is not told: those of an hour cost more"
                        ));
                    }
                }
                Some(around) => {
                    if unit.usually_has_own_price() {
                        self.remark(format_args!("{unit} at the price of {around}"));
                    }
                }
                None => {
                    let priced = list.units.iter().zip(leaves).filter(|(u, _)| unit.contains(**u));
                    let priced = priced.fold(0i64, |sum, (_, leaf)| sum.saturating_add(*leaf));
                    let within_another = usage.used().any(|u| u != unit && u.contains(unit));
                    if priced >= usage.count(unit) || within_another {
                        continue;
                    }
                    let otherwise = |line: &Line| !line.unit.is_beside_the_call();
                    if unit.measures_the_call() && self.lines.iter().any(otherwise) {
                        self.remark(format_args!("{unit} have no price beside what is charged"));
                        continue;
                    }
                    missing = true;
                    self.leave_open(unit);
                    self.remark(format_args!("no price for {unit} at that time"));
                }
            }
        }
        missing
    }
}
