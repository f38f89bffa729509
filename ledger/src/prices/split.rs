//! How a price list takes the counts of calls apart: [`Usage::leaves`] for many calls, worked out
//! once for the list. Takes the counts of a call, gives its leaves and its band of context, or
//! says that this call needs the careful way. It decides no price.
//!
//! [`Usage::leaves`]: crate::usage::Usage::leaves

use super::book::PriceBook;
use super::counts::{COUNTS, Counts, Places, USUAL_BITS, place_of};
use super::quote::PriceList;
use crate::usage::Unit;

/// A set of leaves, one bit each.
pub(super) type LeafSet = u16;

/// Most leaves of a list that is taken apart here: the units that have a column, and some that
/// contain them.
pub(super) const LEAVES_MAX: usize = LeafSet::BITS as usize;

/// Disjoint parts of the usage of a call, in the order of the list.
pub(super) type Leaves = [i64; LEAVES_MAX];

/// Prices below 2 to this, in units of 10⁻¹⁸, times a usual count are in the range of money, and
/// so are the sums of sixteen of those (80 + 40 + 4 bits of the 126 that money has): the charges
/// of usual counts cannot fail.
const PRICE_BITS: u32 = 80;

const _: () = assert!(PRICE_BITS + USUAL_BITS + LEAVES_MAX.ilog2() < 126);

/// A price list as seen by counts.
#[derive(Debug)]
pub(super) struct Split {
    parts: Vec<Part>,
    /// Input above which another band begins, ascending.
    bands: Vec<i64>,
    /// Counts of which only a part may have a price: how much decides what is said of the call.
    partly_priced: Places,
}

#[derive(Debug)]
struct Part {
    unit: Unit,
    /// Place in [`COUNTS`].
    count: usize,
    /// Earlier parts that its count contains.
    inside: LeafSet,
}

/// What of the counts of a call, besides the amounts, decides its quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    /// Which band of the list: how many of its limits the input exceeds.
    pub(super) band: u8,
    /// The leaves that are not empty.
    pub(super) charged: LeafSet,
}

impl Split {
    /// The split of a list; none where charges may convert currencies or leave the range of money.
    pub(super) fn of(book: &PriceBook, list: &PriceList) -> Option<Split> {
        let bands = || list.prices().iter().flat_map(|price| &price.bands);
        let rows = || bands().map(|(_, place)| book.row(*place).0);
        let currency = rows().next().map(|row| &row.currency);
        let plain = |row: &super::PriceRow| {
            Some(&row.currency) == currency
                && row.per_quantity > 0
                && row.amount.0.unsigned_abs() >> PRICE_BITS == 0
        };
        if !rows().all(plain) {
            return None;
        }
        let mut parts: Vec<Part> = Vec::new();
        // What is not counted is nothing, unless it contains what is.
        for unit in list.prices().iter().map(|price| price.unit) {
            let inside = |part: &Part| unit.contains(part.unit);
            let inside = (0..).zip(&parts).filter(|(_, part)| inside(part));
            let inside = inside.fold(0, |set: LeafSet, (i, _)| set | 1 << i);
            let count = place_of(unit);
            if count < COUNTS.len() || inside != 0 {
                parts.push(Part { unit, count, inside });
            }
            if parts.len() > LEAVES_MAX {
                return None;
            }
        }
        let mut limits: Vec<i64> = bands().filter_map(|(from, _)| *from).collect();
        limits.sort_unstable();
        limits.dedup();
        let priced = |within: &dyn Fn(Unit) -> bool| list.prices().iter().any(|p| within(p.unit));
        let partly = |unit: Unit| !priced(&|u| u.contains(unit)) && priced(&|u| unit.contains(u));
        let partly_priced = (0..).zip(COUNTS).filter(|(_, (_, unit))| partly(*unit));
        let partly_priced = partly_priced.fold(0, |set: Places, (i, _)| set | 1 << i);
        (limits.len() <= usize::from(u8::MAX)).then_some(Split {
            parts,
            bands: limits,
            partly_priced,
        })
    }

    /// Takes counts apart. None when the counts contradict each other, are not usual, or decide
    /// by their size what is said of the call.
    #[inline]
    pub(super) fn cut(&self, counts: &Counts, leaves: &mut Leaves) -> Option<Cut> {
        if !counts.usual || counts.used & self.partly_priced != 0 {
            return None;
        }
        let mut charged = 0;
        let mut signs = 0;
        for (i, part) in self.parts.iter().enumerate() {
            let mut leaf = counts.of[part.count];
            let mut inside = part.inside;
            while inside != 0 {
                leaf -= leaves[inside.trailing_zeros() as usize];
                inside &= inside - 1;
            }
            leaves[i] = leaf;
            charged |= LeafSet::from(leaf != 0) << i;
            signs |= leaf;
        }
        let input = counts.of[0];
        let band = self.bands.iter().take_while(|limit| input > **limit).count() as u8;
        (signs >= 0).then_some(Cut { band, charged })
    }

    /// The place of a unit among the leaves.
    pub(super) fn leaf_of(&self, unit: Unit) -> Option<u8> {
        (0..).zip(&self.parts).find(|(_, part)| part.unit == unit).map(|(leaf, _)| leaf)
    }
}

// The band is chosen by the first of the counts.
const _: () = assert!(matches!(COUNTS[0].0.as_bytes(), b"input_tokens"));
