//! Rows of table `calls`, column by column: what the span says, what its owners say, the price.
//! Takes decided calls and the rows they are made of. It decides nothing and writes nothing.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::cast;
use spanledger_schemas::tables::calls::TABLE;
use spanledger_schemas::time;

use super::gather::Gathered;
use super::trace::Call;
use super::{CallState, SettleError};
use crate::prices::columns::int;
use crate::prices::{Pricer, price_columns};

/// Builds the rows of `calls` for decided calls.
///
/// # Errors
/// When what was gathered lacks a row or a column.
pub(super) fn build(
    calls: &[Call],
    state: CallState,
    gathered: &Gathered,
    pricer: &mut Pricer,
    now: i64,
) -> Result<RecordBatch, SettleError> {
    let facts = gathered.columns(calls)?;
    let prices = price_columns(pricer, &facts)?;
    let start = int(&facts, "start_unix_ns")?;
    let duration = int(&facts, "duration_ns")?;
    let schema = TABLE.arrow_schema();
    let columns = schema.fields().iter().map(|field| -> Result<ArrayRef, SettleError> {
        let array: ArrayRef = match field.name().as_str() {
            "date" => Arc::new(start.iter().map(|ns| ns.map(time::day)).collect::<Date32Array>()),
            "started_at" => named(&facts, "start_at")?,
            "duration_ms" => {
                Arc::new(duration.iter().map(|ns| ns.map(ms)).collect::<Float64Array>())
            }
            "tpot_ms" => Arc::new(tpot(&facts, &duration)?),
            "model" => Arc::new(model(&facts)?),
            "state" => Arc::new(StringArray::from_iter_values(calls.iter().map(|_| state.word()))),
            "settled_at" => Arc::new(
                TimestampMicrosecondArray::from_value(now, calls.len()).with_timezone("UTC"),
            ),
            name => match prices.named(name) {
                Some(price) => price,
                None => named(&facts, name)?,
            },
        };
        Ok(cast(&array, field.data_type())?)
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// The column of that name.
pub(super) fn named(batch: &RecordBatch, name: &str) -> Result<ArrayRef, SettleError> {
    let column = batch.column_by_name(name).cloned();
    column.ok_or_else(|| crate::prices::PriceError::Column { column: name.to_owned() }.into())
}

fn ms(ns: i64) -> f64 {
    ns as f64 / 1e6
}

/// (duration − time to first token) ÷ (output tokens − 1), where that is a number.
fn tpot(facts: &RecordBatch, duration: &Int64Array) -> Result<Float64Array, SettleError> {
    let ttft = named(facts, "ttft_ms")?;
    let ttft = ttft.as_primitive::<arrow::datatypes::Float64Type>();
    let output = int(facts, "output_tokens")?;
    let each = |i: usize| {
        let tokens = output.is_valid(i).then(|| output.value(i)).filter(|n| *n > 1)?;
        let first = ttft.is_valid(i).then(|| ttft.value(i))?;
        let rest = ms(duration.value(i)) - first;
        (rest >= 0.0).then(|| rest / (tokens - 1) as f64)
    };
    Ok((0..facts.num_rows()).map(each).collect())
}

/// The served model, else the one asked for.
fn model(facts: &RecordBatch) -> Result<StringArray, SettleError> {
    let served = named(facts, "response_model")?;
    let asked = named(facts, "request_model")?;
    let (served, asked) = (served.as_string::<i32>(), asked.as_string::<i32>());
    Ok(served.iter().zip(asked).map(|(served, asked)| served.or(asked)).collect())
}
