//! Rows of table `calls`, column by column: what the span says, what its owners say, the price,
//! and the hash by which a row that is already written is recognised. Takes decided calls and the
//! chunks their rows are in. It decides nothing and writes nothing.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::{cast, interleave};
use arrow::datatypes::{DataType, Date32Type, SchemaRef};
use arrow::row::{RowConverter, SortField};
use spanledger_schemas::tables::calls::TABLE;
use spanledger_schemas::time;
use xxhash_rust::xxh3::xxh3_64;

use super::chunk::OWNER_COLUMNS;
use super::open::Written;
use super::trace::{Call, RowRef};
use super::{CallState, SettleError, chunk};
use crate::prices::columns::int;
use crate::prices::{Pricer, price_columns};

/// Builds the rows of `calls` for decided calls.
///
/// # Errors
/// When the chunks lack a column.
pub(super) fn build(
    calls: &[(Call, CallState)],
    first_chunk: u32,
    chunks: &[&RecordBatch],
    pricer: &mut Pricer,
    now: i64,
) -> Result<RecordBatch, SettleError> {
    let facts = spans_of(calls, first_chunk, chunks)?;
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
            "state" => {
                let words = calls.iter().map(|(_, state)| Some(state.word()));
                Arc::new(words.collect::<StringArray>())
            }
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

/// The columns of the spans that are calls, with the owner columns of the spans that own them.
fn spans_of(
    calls: &[(Call, CallState)],
    first_chunk: u32,
    chunks: &[&RecordBatch],
) -> Result<RecordBatch, SettleError> {
    // Place 0 is a null for every column; chunk n is at place n + 1.
    let place = |r: RowRef| (r.chunk.wrapping_sub(first_chunk) as usize + 1, r.row as usize);
    let own: Vec<_> = calls.iter().map(|(call, _)| place(call.row)).collect();
    let Some(any) = chunks.first() else {
        return Err(SettleError::Invariant("calls without a chunk their rows are in"));
    };
    let schema: SchemaRef = any.schema();
    let columns = schema.fields().iter().enumerate().map(|(i, field)| {
        let null = new_null_array(field.data_type(), 1);
        let mut arrays: Vec<&dyn Array> = vec![&null];
        arrays.extend(chunks.iter().map(|c| c.column(i).as_ref()));
        let owner = OWNER_COLUMNS.iter().position(|c| c == field.name());
        match owner {
            None => interleave(&arrays, &own),
            Some(fact) => {
                let owners = calls.iter().map(|(c, _)| c.owners[fact].map_or((0, 0), place));
                interleave(&arrays, &owners.collect::<Vec<_>>())
            }
        }
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(schema, columns)?)
}

fn named(batch: &RecordBatch, name: &str) -> Result<ArrayRef, SettleError> {
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

/// What each row of `calls` says, to compare it with what is written. Any batch of the table
/// will do, whatever string types it was read with.
///
/// # Errors
/// When it is not of that table.
pub(super) fn contents(calls: &RecordBatch) -> Result<Vec<Written>, SettleError> {
    let schema = TABLE.arrow_schema();
    let said = schema.fields().iter().filter(|f| f.name() != "settled_at");
    let columns = said
        .map(|f| Ok(cast(&named(calls, f.name())?, f.data_type())?))
        .collect::<Result<Vec<_>, SettleError>>()?;
    let types = columns.iter().map(|c| SortField::new(c.data_type().clone())).collect();
    let rows = RowConverter::new(types)?.convert_columns(&columns)?;
    let span = cast(&named(calls, "span_id")?, &DataType::Utf8)?;
    let date = cast(&named(calls, "date")?, &DataType::Date32)?;
    let (span, date) = (span.as_string::<i32>(), date.as_primitive::<Date32Type>());
    let written = |i: usize| Written {
        span: chunk::span_id(span.value(i)),
        content: xxh3_64(rows.row(i).as_ref()),
        date: date.value(i),
    };
    Ok((0..calls.num_rows()).map(written).collect())
}
