//! One file of calls, priced again: which rows change, and by how much, per model. Takes rows, gives
//! their places and sums, and for rows that change, rows; it reads no table and writes none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::cast;
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::Decimal128Type;
use spanledger_schemas::Money;

use super::{ModelKey, Reprice, RepricedModel, Tally};
use crate::prices::columns::{deciding_columns, int, text};
use crate::prices::{PriceError, PricedColumns, Pricer, price_columns};

/// The columns of `calls` that pricing decides.
const PRICED: [&str; 7] =
    ["cost", "input_cost", "output_cost", "currency", "price_state", "price_reason", "price_ids"];

/// The columns that decide what a call costs, and whether that changes.
pub(super) fn columns_deciding() -> BTreeSet<&'static str> {
    let named = ["tenant", "start_unix_ns", "state", "provider", "model"];
    deciding_columns().chain(PRICED).chain(named).collect()
}

/// What pricing the calls of one file again gives.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) tally: Tally,
    /// Calls that change, by their places in the file.
    pub(super) changed: Vec<u32>,
    /// Rows so far.
    rows: u32,
    models: BTreeMap<ModelKey, RepricedModel>,
}

impl Part {
    /// Adds the next rows of the file, which have [`columns_deciding`].
    pub(super) fn add(
        &mut self,
        batch: &RecordBatch,
        pricer: &mut Pricer,
        which: &Reprice,
    ) -> Result<(), PriceError> {
        let tenant = text(batch, "tenant")?;
        let start = int(batch, "start_unix_ns")?;
        let state = text(batch, "state")?;
        let asked: Vec<bool> = (0..batch.num_rows())
            .map(|i| {
                let at = start.value(i).div_euclid(1_000);
                which.tenant.as_deref().is_none_or(|t| tenant.value(i) == t)
                    && which.from.is_none_or(|from| from <= at)
                    && which.to.is_none_or(|to| at < to)
            })
            .collect();
        let open = |i: usize| state.value(i) != "closed";
        self.tally.calls += asked.iter().filter(|a| **a).count();
        self.tally.closed += (0..asked.len()).filter(|&i| asked[i] && !open(i)).count();
        let priced = price_columns(pricer, batch)?;
        let change = changes(batch, &priced)?;
        let change: BooleanArray =
            (0..asked.len()).map(|i| Some(asked[i] && open(i) && change[i])).collect();
        self.count(batch, &priced, &change)?;
        self.rows += batch.num_rows() as u32;
        Ok(())
    }

    fn count(
        &mut self,
        batch: &RecordBatch,
        priced: &PricedColumns,
        change: &BooleanArray,
    ) -> Result<(), PriceError> {
        let (provider, model) = (text(batch, "provider")?, text(batch, "model")?);
        let currency = text(batch, "currency")?;
        let cost = batch
            .column_by_name("cost")
            .and_then(|c| c.as_primitive_opt::<Decimal128Type>())
            .ok_or_else(|| PriceError::Column { column: "cost".to_owned() })?;
        for i in (0..change.len()).filter(|&i| change.value(i)) {
            self.changed.push(self.rows + i as u32);
            let or = |column: &arrow::array::StringViewArray| match column.is_valid(i) {
                true => column.value(i).to_owned(),
                false => String::new(),
            };
            let now = priced.currency.is_valid(i).then(|| priced.currency.value(i).to_owned());
            let was = or(&currency);
            let changed_currency = now.as_ref().is_some_and(|now| !was.is_empty() && *now != was);
            let currency = match &now {
                // Amounts of two currencies are not taken from each other.
                Some(now) if changed_currency => format!("{was} to {now}"),
                Some(now) => now.clone(),
                None => was,
            };
            let key = (or(&provider), or(&model), currency);
            let entry = self.models.entry(key.clone()).or_insert_with(|| RepricedModel {
                provider: key.0,
                model: key.1,
                currency: key.2,
                calls: 0,
                before: Money::ZERO,
                after: Money::ZERO,
                newly_priced: 0,
                newly_unpriced: 0,
            });
            let (before, after) = (cost.is_valid(i), priced.cost.is_valid(i));
            entry.calls += 1;
            entry.newly_priced += usize::from(after && !before);
            entry.newly_unpriced += usize::from(before && !after);
            if before {
                entry.before += Money(cost.value(i));
            }
            if after {
                entry.after += Money(priced.cost.value(i));
            }
        }
        Ok(())
    }

    /// Adds what changes to the sums of all files.
    pub(super) fn add_to(self, models: &mut BTreeMap<ModelKey, RepricedModel>) {
        for (key, part) in self.models {
            match models.get_mut(&key) {
                Some(sum) => {
                    sum.calls += part.calls;
                    sum.before += part.before;
                    sum.after += part.after;
                    sum.newly_priced += part.newly_priced;
                    sum.newly_unpriced += part.newly_unpriced;
                }
                None => {
                    models.insert(key, part);
                }
            }
        }
    }
}

/// Rows of calls with new prices where that is `meant`.
pub(super) fn with_new_prices(
    batch: &RecordBatch,
    pricer: &mut Pricer,
    meant: &BooleanArray,
) -> Result<RecordBatch, PriceError> {
    let priced = price_columns(pricer, batch)?;
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, old)| {
        let Some(new) = priced.named(field.name()) else { return Ok(Arc::clone(old)) };
        Ok(zip(meant, &cast(&new, field.data_type())?, old)?)
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>, PriceError>>()?;
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// Which rows have another price, or another reason or source of it.
fn changes(batch: &RecordBatch, priced: &PricedColumns) -> Result<Vec<bool>, PriceError> {
    let mut change = vec![false; batch.num_rows()];
    for name in PRICED {
        let wrong = || PriceError::Column { column: name.to_owned() };
        let new = priced.named(name).ok_or_else(wrong)?;
        let old = cast(batch.column_by_name(name).ok_or_else(wrong)?, new.data_type())?;
        let differs = arrow::compute::kernels::cmp::distinct(&old, &new)?;
        for (i, differs) in differs.values().iter().enumerate() {
            change[i] |= differs;
        }
    }
    Ok(change)
}
