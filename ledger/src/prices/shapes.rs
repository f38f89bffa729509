//! Quotes that differ in their amounts alone. Two calls have the same shape when the same price
//! list holds for them and the same of its units are charged, in one band: then their quotes name
//! the same rows and say the same, and each amount is the same rate times a quantity. The first
//! call of a shape is quoted the careful way, by `quote`; the further ones are multiplied.
//!
//! A rate is exact, or the shape is not learned: a price that does not divide by its quantity into
//! 18 digits is charged the careful way every time, because it is rounded per call. So is a rate
//! beyond 64 bits, nine of the currency for one token.

use std::collections::HashMap;

use ahash::RandomState;
use spanledger_schemas::Money;

use super::answers::{Amounts, Answers, Said};
use super::counts::Counts;
use super::quote::{Line, Quote};
use super::split::{Cut, Leaves, Split};
use crate::usage::{Direction, Unit};

/// What of a call, beside its quantities, decides its quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Shape(u128);

/// What a row says beside its names and counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks {
    /// `usage_basis`.
    pub(super) basis: BasisSaid,
    /// A gateway answered from its own cache.
    pub(super) cache_hit: bool,
}

/// The words of `usage_basis` that matter to pricing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BasisSaid {
    /// What was counted is clear.
    Clear,
    /// Whether input contains cached tokens is not known.
    Unknown,
    /// The library guesses the usage.
    Estimated,
}

impl Shape {
    /// The shape of a call for which the price list of that number holds.
    #[inline]
    pub(super) fn of(list: usize, cut: Cut, counts: &Counts, marks: Marks) -> Shape {
        let said = marks.basis as u64 | u64::from(marks.cache_hit) << 2;
        let said = said | u64::from(cut.band) << 8;
        let sets = u64::from(cut.charged) << 16 | u64::from(counts.used) << 32;
        Shape(u128::from(said | sets) | u128::from(counts.told) << 64 | (list as u128) << 96)
    }
}

/// The quote of every call of a shape.
#[derive(Debug)]
pub(super) struct Known {
    rates: Vec<Rate>,
    /// What is charged once, whatever the quantities: the price of a request.
    fixed: Money,
    said: Said,
    /// Where it is said in the answers of a batch, by the number of the batch.
    place: (u64, u32),
}

/// What one of a leaf costs, in units of 10⁻¹⁸.
#[derive(Debug)]
struct Rate {
    leaf: u8,
    side: Direction,
    each: i64,
}

impl Known {
    /// What a quote tells of all calls of its shape; none when its amounts are not multiples.
    fn of(quote: &Quote, said: Said, split: &Split) -> Option<Known> {
        let mut known = Known { rates: Vec::new(), fixed: Money::ZERO, said, place: (0, 0) };
        for line in &quote.lines {
            let (side, each) = (line.unit.direction(), exact_rate(line));
            if line.unit == Unit::REQUESTS {
                known.fixed += line.amount;
                continue;
            }
            let leaf = split.leaf_of(line.unit)?;
            known.rates.push(Rate { leaf, side, each: each? });
        }
        Some(known)
    }

    /// The amounts of a call of the shape.
    #[inline]
    pub(super) fn amounts(&self, leaves: &Leaves) -> Amounts {
        let mut sums = [0, 0, self.fixed.0];
        for rate in &self.rates {
            let side = match rate.side {
                Direction::Input => 0,
                Direction::Output => 1,
                Direction::Neither => 2,
            };
            sums[side] += i128::from(rate.each) * i128::from(leaves[usize::from(rate.leaf)]);
        }
        let [input, output, neither] = sums;
        Amounts { total: input + output + neither, input, output }
    }

    /// Where the answers of a batch say it.
    #[inline]
    pub(super) fn said(&mut self, batch: u64, answers: &mut Answers) -> u32 {
        if self.place.0 != batch {
            self.place = (batch, answers.say(&self.said));
        }
        self.place.1
    }
}

/// Price ÷ quantity of the price, where that is exact.
fn exact_rate(line: &Line) -> Option<i64> {
    let per = i128::from(line.per_quantity);
    (line.price.0 % per == 0).then(|| i64::try_from(line.price.0 / per).ok())?
}

/// The shapes that were met, by number.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    numbers: HashMap<Shape, usize, RandomState>,
    known: Vec<Known>,
}

impl Shapes {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Forgets them all.
    pub(super) fn clear(&mut self) {
        self.numbers.clear();
        self.known.clear();
    }

    /// The number of a shape, if it is known.
    #[inline]
    pub(super) fn find(&self, shape: Shape) -> Option<usize> {
        self.numbers.get(&shape).copied()
    }

    /// The shape of a number.
    #[inline]
    pub(super) fn known(&mut self, number: usize) -> &mut Known {
        &mut self.known[number]
    }

    /// Learns a shape by the quote of one of its calls.
    pub(super) fn learn(&mut self, shape: Shape, quote: &Quote, said: Said, split: &Split) {
        if let Some(known) = Known::of(quote, said, split) {
            self.numbers.insert(shape, self.known.len());
            self.known.push(known);
        }
    }
}
