//! What an import says about itself, as values that the HTTP door and the command line print.
//! Amounts are exact texts (I-4); an amount no row has is absent, not zero (I-6).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use spanledger_schemas::Money;

/// What to import and for whom; the content comes beside it.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    /// Owner of the lines, from the credential.
    pub tenant: String,
    /// Whose bill it is; with the billing period it is what a re-import supersedes. `None`: the
    /// names in the file (see `focus`).
    pub source: Option<String>,
    /// Format of the file.
    pub format: super::Format,
    /// Name that errors and rows carry.
    pub file_name: String,
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    /// The import: a hash over tenant, source, format and content.
    pub import_id: String,
    /// Whether rows were written.
    pub outcome: Outcome,
    /// Whose bill.
    pub source: String,
    /// Format of the file.
    pub format: String,
    /// Version of the format, judged by the columns.
    pub format_version: String,
    /// Name of the file.
    pub file_name: String,
    /// Lines of the file.
    pub rows: u64,
    /// Its billing periods, oldest first.
    pub periods: Vec<PeriodSums>,
    /// Imports that lost lines to this one.
    pub superseded: Vec<String>,
    /// What a careful reader should know.
    pub warnings: Vec<Warning>,
}

/// Whether an import wrote rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The rows are durable.
    Imported,
    /// The same content is the newest already; nothing was written.
    Unchanged,
}

/// One import whose lines stand, as derived from `billing_lines`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportSummary {
    /// The import.
    pub import_id: String,
    /// Whose bill.
    pub source: String,
    /// Name of the file.
    pub file_name: String,
    /// When it was imported.
    pub imported_at: Timestamp,
    /// Lines that stand.
    pub rows: u64,
    /// Their billing periods, oldest first.
    pub periods: Vec<PeriodSums>,
}

/// One billing period of a bill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeriodSums {
    /// First instant.
    pub billing_period_start: Timestamp,
    /// First instant after it.
    pub billing_period_end: Timestamp,
    /// Lines.
    pub rows: u64,
    /// Sums, one per billing currency.
    pub sums: Vec<CurrencySums>,
}

/// Exact sums in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrencySums {
    /// ISO 4217 code.
    pub currency: String,
    /// Sum of BilledCost.
    pub billed_cost: String,
    /// Sum of EffectiveCost over the lines that have one; absent when none has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_cost: Option<String>,
}

/// Something that did not stop the import but that a reader of its numbers should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What it is about, one spelling.
    pub code: String,
    /// How many cells, rows or columns.
    pub count: u64,
    /// In words.
    pub message: String,
}

/// Sums of lines by billing period and currency while they are read.
#[derive(Debug, Default)]
pub(super) struct Totals {
    periods: BTreeMap<i64, Period>,
}

#[derive(Debug, Default)]
struct Period {
    end_us: i64,
    rows: u64,
    currencies: BTreeMap<String, (Money, Option<Money>)>,
}

impl Totals {
    /// Counts one line. `None` when a sum leaves the range of [`Money`].
    pub(super) fn add(
        &mut self,
        (start_us, end_us): (i64, i64),
        currency: &str,
        billed: Money,
        effective: Option<Money>,
    ) -> Option<()> {
        let period = self.periods.entry(start_us).or_default();
        period.end_us = period.end_us.max(end_us);
        period.rows += 1;
        if !period.currencies.contains_key(currency) {
            period.currencies.insert(currency.to_owned(), (Money::ZERO, None));
        }
        let (billed_sum, effective_sum) = period.currencies.get_mut(currency)?;
        *billed_sum = billed_sum.checked_add(billed)?;
        if let Some(effective) = effective {
            *effective_sum = Some(effective_sum.unwrap_or_default().checked_add(effective)?);
        }
        Some(())
    }

    /// Starts of the periods seen, in microseconds since the epoch, oldest first.
    pub(super) fn period_starts(&self) -> impl ExactSizeIterator<Item = i64> + '_ {
        self.periods.keys().copied()
    }

    /// The sums as texts.
    pub(super) fn report(&self) -> Vec<PeriodSums> {
        let instant = |us: i64| Timestamp::from_microsecond(us).unwrap_or_default();
        let sums = |period: &Period| {
            let text = |(currency, (billed, effective)): (&String, &(Money, Option<Money>))| {
                CurrencySums {
                    currency: currency.clone(),
                    billed_cost: billed.to_string(),
                    effective_cost: effective.map(|amount| amount.to_string()),
                }
            };
            period.currencies.iter().map(text).collect()
        };
        let period = |(start_us, period): (&i64, &Period)| PeriodSums {
            billing_period_start: instant(*start_us),
            billing_period_end: instant(period.end_us),
            rows: period.rows,
            sums: sums(period),
        };
        self.periods.iter().map(period).collect()
    }
}
