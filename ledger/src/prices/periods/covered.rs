//! What commitments cover: usage of covered calls by commitment, month and unit, with its list value.
//! Takes quotes of covered calls as they would be charged without the commitment, in any order, gives
//! a row per unit with its part of what the period costs. It does not know which calls are covered.

use std::collections::BTreeMap;

use spanledger_schemas::Money;

use super::calendar::{Step, period_price};
use super::{PeriodRow, Window, out_of_range};
use crate::prices::history::{scaled, share};
use crate::prices::row::{Kind, Micros, PriceRow};
use crate::prices::{PriceBook, PriceError};
use crate::usage::Unit;

/// Usage by place of the commitment in its book and beginning of the UTC month.
#[derive(Debug, Default)]
pub(super) struct Covered(pub(super) BTreeMap<(usize, Micros), Used>);

/// What one commitment covered in one month.
#[derive(Debug, Default)]
pub(super) struct Used {
    pub(super) calls: i64,
    /// Of them, those of which a part has no list price, in the commitment's currency.
    pub(super) unlisted: i64,
    pub(super) units: BTreeMap<Unit, Quantity>,
}

/// How much of a unit, and what it would have cost, as far as that is known.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Quantity {
    pub(super) quantity: i64,
    pub(super) value: Money,
}

impl Used {
    pub(super) fn add(
        &mut self,
        unit: Unit,
        quantity: i64,
        value: Money,
    ) -> Result<(), PriceError> {
        let sum = self.units.entry(unit).or_default();
        sum.quantity = sum.quantity.checked_add(quantity).ok_or_else(out_of_range)?;
        sum.value = sum.value.checked_add(value).ok_or_else(out_of_range)?;
        Ok(())
    }

    fn value(&self) -> Result<Money, PriceError> {
        let add = |sum: Money, part: &Quantity| sum.checked_add(part.value);
        self.units.values().try_fold(Money::ZERO, add).ok_or_else(out_of_range)
    }
}

impl Covered {
    pub(super) fn merge(&mut self, key: (usize, Micros), other: Used) -> Result<(), PriceError> {
        let sum = self.0.entry(key).or_default();
        sum.calls += other.calls;
        sum.unlisted += other.unlisted;
        other
            .units
            .into_iter()
            .try_for_each(|(unit, part)| sum.add(unit, part.quantity, part.value))
    }

    /// The rows of every commitment of a tenant, month by month.
    pub(super) fn rows(
        &self,
        book: &PriceBook,
        tenant: &str,
        window: &Window,
        rows: &mut Vec<PeriodRow>,
    ) -> Result<(), PriceError> {
        let nothing = Used::default();
        for (place, row) in book.rows().iter().enumerate() {
            if row.kind != Kind::Commitment || &*row.tenant != tenant {
                continue;
            }
            let (from, to) = window.of(row);
            for (from, to) in Step::Month.cut(from, to) {
                let month = Step::Month.start(from).unwrap_or(from);
                let used = self.0.get(&(place, month)).unwrap_or(&nothing);
                let paid = period_price(row, from, to).ok_or_else(out_of_range)?;
                month_rows(row, (from, to), paid, used, rows)?;
                window.check(rows.len())?;
            }
        }
        Ok(())
    }
}

/// The rows of one month: what is paid is spread over the units in proportion to their list value, and
/// what is unused likewise, each with the largest remainders, so that they add up.
fn month_rows(
    row: &PriceRow,
    (from, to): (Micros, Micros),
    paid: Money,
    used: &Used,
    rows: &mut Vec<PeriodRow>,
) -> Result<(), PriceError> {
    let value = used.value()?;
    let whole = used.unlisted == 0;
    let unused = if value < paid { paid - value } else { Money::ZERO };
    let of_period = PeriodRow {
        currency: Some(row.currency.to_string()),
        used_share: (whole && paid > Money::ZERO).then(|| value.0 as f64 / paid.0 as f64),
        calls: used.calls,
        unlisted_calls: used.unlisted,
        ..PeriodRow::of(row, from, to)
    };
    if used.units.is_empty() {
        rows.push(PeriodRow {
            paid: Some(paid),
            list_value: Some(Money::ZERO),
            commitment_unused: whole.then_some(unused),
            ..of_period
        });
        return Ok(());
    }
    let weights: Vec<Money> = used.units.values().map(|part| part.value).collect();
    let (paid, unused) = (spread(paid, &weights), spread(unused, &weights));
    for ((at, (unit, part)), paid) in used.units.iter().enumerate().zip(paid) {
        let per = Money(i128::from(unit.per_quantity()));
        let each = |quantity: i64| scaled(paid, per, i128::from(quantity));
        rows.push(PeriodRow {
            unit: Some(*unit),
            paid: Some(paid),
            list_value: Some(part.value),
            commitment_unused: whole.then(|| unused[at]),
            effective_price: (whole && part.quantity > 0).then(|| each(part.quantity)).flatten(),
            quantity: Some(part.quantity),
            ..of_period.clone()
        });
    }
    Ok(())
}

/// An amount in parts proportional to `weights`, which are not below zero, with largest remainders:
/// the parts add up to it. Without any weight the first part takes all.
fn spread(amount: Money, weights: &[Money]) -> Vec<Money> {
    let all: u128 = weights.iter().map(|w| w.0.unsigned_abs()).sum();
    let mut parts = vec![0u128; weights.len()];
    let mut rests: Vec<(u128, usize)> = Vec::with_capacity(weights.len());
    for (at, weight) in weights.iter().enumerate().filter(|_| all > 0) {
        // A part is within the range of the whole.
        if let Some((part, rest)) = share(amount.0.unsigned_abs(), weight.0.unsigned_abs(), all) {
            parts[at] = part;
            rests.push((rest, at));
        }
    }
    rests.sort_by_key(|(rest, at)| (std::cmp::Reverse(*rest), *at));
    let left = amount.0.unsigned_abs() - parts.iter().sum::<u128>();
    let mut order = rests.iter().map(|(_, at)| *at).chain(std::iter::once(0)).cycle();
    if all == 0 {
        parts.iter_mut().take(1).for_each(|part| *part = left);
    } else {
        // Fewer are left than there are parts.
        (0..left).for_each(|_| {
            if let Some(at) = order.next() {
                parts[at] += 1;
            }
        });
    }
    parts.into_iter().map(|part| Money(i128::try_from(part).unwrap_or(i128::MAX))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_add_up_and_differ_from_their_share_by_less_than_a_unit(
            amount in 0..i64::MAX,
            weights in proptest::collection::vec(0..1_000_000i64, 1..8),
        ) {
            let given: Vec<Money> = weights.iter().map(|w| Money(i128::from(*w))).collect();
            let parts = spread(Money(i128::from(amount)), &given);
            prop_assert_eq!(parts.iter().map(|p| p.0).sum::<i128>(), i128::from(amount));
            let all: i128 = weights.iter().map(|w| i128::from(*w)).sum();
            for (part, weight) in parts.iter().zip(&weights).filter(|_| all > 0) {
                // |part − amount·weight ÷ all| < 1
                let off = part.0 * all - i128::from(amount) * i128::from(*weight);
                prop_assert!(off.abs() < all);
            }
        }
    }
}
