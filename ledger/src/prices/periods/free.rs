//! What allowances leave free: takes the lines of quotes that an allowance holds for, in any order,
//! and uses the allowances up in the order of the calls. What is free is decided by `allowance`, the
//! same as in quotes; here is only whose turn it is, and what came of it by period.

use std::collections::BTreeMap;
use std::sync::Arc;

use spanledger_schemas::Money;

use super::calendar::Step;
use super::{PeriodRow, Window, out_of_range};
use crate::prices::allowance::{Allowances, charged, quota};
use crate::prices::history::scaled;
use crate::prices::row::{Kind, Micros};
use crate::prices::{PriceBook, PriceError};

/// A line of a call's quote that an allowance holds for. Claims of a call are ordered as `allowance`
/// takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim {
    /// When the call started.
    pub(super) start_unix_ns: i64,
    /// Calls of one instant are ordered by their ids.
    pub(super) trace: u128,
    pub(super) span: u64,
    /// Place among the claims of the call.
    pub(super) order: u16,
    /// Place of the allowance in its book.
    pub(super) allowance: u32,
    /// Place among the lines of the quote.
    pub(super) line: u16,
    pub(super) quantity: i64,
    pub(super) amount: Money,
    /// ISO 4217.
    pub(super) currency: [u8; 3],
}

impl Claim {
    fn call(&self) -> (i64, u128, u64) {
        (self.start_unix_ns, self.trace, self.span)
    }

    fn at(&self) -> Micros {
        self.start_unix_ns.div_euclid(1_000)
    }
}

/// What became of an allowance in one of its periods.
#[derive(Debug, Default)]
struct Taken {
    calls: i64,
    last: Option<(i64, u128, u64)>,
    quantity: i64,
    value: Money,
    free: i64,
    credited: Money,
    exhausted: Option<(Micros, String)>,
    /// `None` once two currencies were met.
    currency: Option<[u8; 3]>,
    mixed: bool,
}

/// The rows of every allowance of a tenant, period by period.
pub(super) fn rows(
    book: &Arc<PriceBook>,
    mut claims: Vec<Claim>,
    tenant: &str,
    window: &Window,
    rows: &mut Vec<PeriodRow>,
) -> Result<(), PriceError> {
    claims.sort_unstable();
    let taken = take(Allowances::new(Arc::clone(book))?, &claims)?;
    let nothing = Taken::default();
    for (place, row) in book.rows().iter().enumerate() {
        if row.kind != Kind::Allowance || &*row.tenant != tenant {
            continue;
        }
        let step = Step::of_allowance(row);
        let (from, to) = window.of(row);
        for (from, to) in step.cut(from, to) {
            let start = step.start(from).unwrap_or(from);
            let used = taken.get(&(place, start)).unwrap_or(&nothing);
            let known = !used.mixed;
            let per = Money(i128::from(row.unit.per_quantity()));
            let each = |paid: Money| scaled(paid, per, i128::from(used.quantity));
            let share = |quota: i64| used.free as f64 / quota as f64;
            let quota = quota(row);
            rows.push(PeriodRow {
                unit: Some(row.unit),
                currency: match (known, used.currency) {
                    (false, _) => Some("mixed".to_owned()),
                    (true, code) => code.map(|code| String::from_utf8_lossy(&code).into_owned()),
                },
                list_value: known.then_some(used.value),
                used_share: (quota > 0).then(|| share(quota)),
                effective_price: (known && used.quantity > 0)
                    .then(|| each(used.value - used.credited))
                    .flatten(),
                calls: used.calls,
                quantity: Some(used.quantity),
                quota: Some(quota),
                free_quantity: Some(used.free),
                left: Some(quota - used.free),
                free_allowance: known.then_some(used.credited),
                exhausted: used.exhausted.clone(),
                ..PeriodRow::of(row, from, to)
            });
            window.check(rows.len())?;
        }
    }
    Ok(())
}

/// Uses the allowances up, claim by claim in their order.
fn take(
    mut allowances: Allowances,
    claims: &[Claim],
) -> Result<BTreeMap<(usize, Micros), Taken>, PriceError> {
    let mut periods: BTreeMap<(usize, Micros), Taken> = BTreeMap::new();
    let mut call = None;
    // What earlier allowances left of the lines of this call.
    let mut rest: Vec<(u16, i64, Money)> = Vec::new();
    for claim in claims {
        if call != Some(claim.call()) {
            call = Some(claim.call());
            rest.clear();
        }
        let at = match rest.iter().position(|(line, ..)| *line == claim.line) {
            Some(at) => at,
            None => {
                rest.push((claim.line, claim.quantity, claim.amount));
                rest.len() - 1
            }
        };
        let (_, quantity, amount) = &mut rest[at];
        let place = claim.allowance as usize;
        let step = Step::of_allowance(allowances.row(place));
        let Some(start) = step.start(claim.at()) else { continue };
        let period = periods.entry((place, start)).or_default();
        if period.last != call {
            period.last = call;
            period.calls += 1;
        }
        period.mixed |= period.currency.is_some_and(|known| known != claim.currency);
        period.currency = Some(claim.currency);
        period.quantity = period.quantity.checked_add(*quantity).ok_or_else(out_of_range)?;
        period.value = period.value.checked_add(*amount).ok_or_else(out_of_range)?;
        let free = allowances.use_up(place, claim.at(), *quantity);
        if free == 0 {
            continue;
        }
        let after = charged(*amount, *quantity, free);
        period.free += free;
        period.credited = period.credited.checked_add(*amount - after).ok_or_else(out_of_range)?;
        (*quantity, *amount) = (*quantity - free, after);
        if allowances.left(place, claim.at()) == 0 {
            let call = format!("{:032x}/{:016x}", claim.trace, claim.span);
            period.exhausted = Some((claim.at(), call));
        }
    }
    Ok(periods)
}
