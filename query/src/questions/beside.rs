//! What stands beside a sum over calls: the price of periods, which no call costs, and allowances, which
//! leave free what calls are listed at. Takes the contract rows of the answer's snapshot, gives amounts
//! for its coverage and its notes, so that a sum hides nothing.

use std::collections::BTreeMap;

use arrow::record_batch::RecordBatch;
use jiff::Timestamp;
use serde::Serialize;
use spanledger_ledger::prices::{Kind, PriceRow, period_price, read_draft};
use spanledger_schemas::Money;

use super::params::Ask;
use crate::error::QueryError;

/// Commitments in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeriodPrice {
    /// ISO 4217.
    pub currency: String,
    /// What is paid for the window, an exact decimal; none when it has no beginning.
    pub paid: Option<String>,
    /// How many there are.
    pub commitments: usize,
}

/// What the calls of an answer do not say.
#[derive(Debug, Default)]
pub(super) struct Beside {
    pub(super) period_prices: Vec<PeriodPrice>,
    pub(super) allowances: usize,
    pub(super) notes: Vec<String>,
}

/// The contract rows that are believed.
pub(super) fn sql(ask: &Ask) -> String {
    let believed = ask.as_of.map_or_else(
        || "known_to IS NULL".to_owned(),
        |at| {
            let at = format!("TIMESTAMP '{at}'");
            format!("known_from <= {at} AND (known_to IS NULL OR known_to > {at})")
        },
    );
    format!("SELECT * FROM prices WHERE kind IN ('commitment', 'allowance') AND {believed}")
}

/// What they come to in the window of an answer, which begins with its first call when it is open.
pub(super) fn of(
    ask: &Ask,
    contracts: &[RecordBatch],
    first_call: Option<i64>,
    tenant: &str,
) -> Result<Beside, QueryError> {
    let fault = |e: &dyn std::fmt::Display| QueryError::Failed(format!("reading contracts: {e}"));
    let mut rows = Vec::new();
    for batch in contracts {
        rows.extend(PriceRow::of_batch(batch).map_err(|e| fault(&e))?);
    }
    let from = ask.from.map(Timestamp::as_microsecond).or(first_call);
    let to = ask.to.unwrap_or(ask.now).as_microsecond();
    let mut beside = reckoned(&rows, from, to, "")?;
    if let Some(draft) = &ask.draft {
        // It was read once already, to price the calls.
        let draft = read_draft(draft, tenant).map_err(|e| fault(&e))?;
        rows.retain(|row| !draft.replaces(row));
        rows.extend(draft.rows);
        beside.notes.extend(reckoned(&rows, from, to, "under the draft, ")?.notes);
    }
    Ok(beside)
}

fn reckoned(
    rows: &[PriceRow],
    from: Option<i64>,
    to: i64,
    whose: &str,
) -> Result<Beside, QueryError> {
    let mut sums: BTreeMap<&str, (Option<Money>, usize)> = BTreeMap::new();
    let valid = |row: &&PriceRow| {
        row.valid_from.is_none_or(|valid| valid < to)
            && row.valid_to.is_none_or(|valid| from.is_none_or(|from| from < valid))
    };
    for row in rows.iter().filter(|r| r.kind == Kind::Commitment).filter(valid) {
        let paid = from.or(row.valid_from).and_then(|from| period_price(row, from, to));
        let (sum, count) = sums.entry(&row.currency).or_insert((Some(Money::ZERO), 0));
        *sum = sum.zip(paid).and_then(|(sum, paid)| sum.checked_add(paid));
        *count += 1;
    }
    let allowances = rows.iter().filter(|r| r.kind == Kind::Allowance).filter(valid).count();
    let period_prices: Vec<PeriodPrice> = sums
        .into_iter()
        .map(|(currency, (paid, commitments))| PeriodPrice {
            currency: currency.to_owned(),
            paid: paid.map(|paid| paid.to_string()),
            commitments,
        })
        .collect();
    let instant = |us: i64| Timestamp::from_microsecond(us).map(|at| at.to_string());
    let window = match (from.map(instant), instant(to)) {
        (Some(Ok(from)), Ok(to)) => format!("from {from} to {to}"),
        _ => "in this time".to_owned(),
    };
    let mut notes = Vec::new();
    for PeriodPrice { currency, paid, commitments } in &period_prices {
        let paid = paid.as_deref().unwrap_or("an unknown amount of");
        notes.push(format!(
            "{whose}beside these costs {paid} {currency} are paid {window} for {commitments} \
             commitment(s), whichever calls are asked for; the calls they cover cost 0 here: ask \
             commitments"
        ));
    }
    if allowances > 0 {
        notes.push(format!(
            "{whose}{allowances} allowance(s) leave units free that are in these costs at their full \
             price: ask commitments"
        ));
    }
    Ok(Beside { period_prices, allowances, notes })
}
