//! Rows of table `calls`, column by column: what the span says, what its owners say, the price.
//! Takes decided calls and the rows they are made of. It decides nothing and writes nothing.

use std::collections::hash_map::Entry;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayBuilder, ArrayRef, AsArray, Date32Array, Float64Array, Int64Array, RecordBatch,
    StringViewArray, StringViewBuilder, TimestampMicrosecondArray, UInt32Builder,
};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{cast, is_not_null, not, nullif, take};
use arrow::datatypes::DataType;
use spanledger_schemas::tables::calls::{MEASURES, TABLE};
use spanledger_schemas::time;

use super::chunk::OWNER_COLUMNS;
use super::gather::{Gathered, Texts};
use super::trace::{Call, Owners};
use super::{CallState, HashMap, SettleError};
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
    let duration = &duration(calls, &facts)?;
    let schema = TABLE.scan_schema();
    let columns = schema.fields().iter().map(|field| -> Result<ArrayRef, SettleError> {
        let array: ArrayRef = match field.name().as_str() {
            "date" => Arc::new(start.iter().map(|ns| ns.map(time::day)).collect::<Date32Array>()),
            "started_at" => named(&facts, "start_at")?,
            "duration_ms" => {
                Arc::new(duration.iter().map(|ns| ns.map(ms)).collect::<Float64Array>())
            }
            "tpot_ms" => Arc::new(tpot(&facts, duration)?),
            "model" => model(&facts)?,
            "owner_sources" => owner_sources(calls, gathered)?,
            "usage_source" => Arc::new(usage_source(calls, &facts)?),
            "state" => {
                Arc::new(StringViewArray::from_iter_values(calls.iter().map(|_| state.word())))
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

/// How long the calls took; unknown where a span is only a part of its call and none tells when
/// that was over.
fn duration(calls: &[Call], facts: &RecordBatch) -> Result<Int64Array, SettleError> {
    let of_span = int(facts, "duration_ns")?;
    let covers = cast(column_of(facts, "covers_call")?, &DataType::Boolean)?;
    let covered = nullif(of_span, &not(covers.as_boolean())?)?;
    if calls.iter().all(|call| call.took_ns.is_none()) {
        return Ok(covered.as_primitive().clone());
    }
    let covered: &Int64Array = covered.as_primitive();
    Ok(calls.iter().zip(covered).map(|(call, covered)| call.took_ns.or(covered)).collect())
}

/// The column of that name.
pub(super) fn named(batch: &RecordBatch, name: &str) -> Result<ArrayRef, SettleError> {
    column_of(batch, name).cloned()
}

/// The same, borrowed.
pub(super) fn column_of<'a>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a ArrayRef, SettleError> {
    let column = batch.column_by_name(name);
    column.ok_or_else(|| crate::prices::PriceError::Column { column: name.to_owned() }.into())
}

/// Where each fact of ownership of a call comes from (I-7): the attribute, as `column_sources` of
/// the span that names it says, and that span where it is another.
fn owner_sources(calls: &[Call], gathered: &Gathered) -> Result<ArrayRef, SettleError> {
    let mut lines = StringViewBuilder::new();
    let mut of_calls = UInt32Builder::with_capacity(calls.len());
    // Calls that own themselves come in few shapes: which facts, of which sources, which are told
    // by where they are, being long. The line of each is there once.
    let mut shapes: HashMap<(u16, usize, usize), Option<u32>> = HashMap::default();
    let mut line = String::new();
    let mut add = |line: &str| {
        let place = (!line.is_empty()).then_some(lines.len() as u32)?;
        lines.append_value(line);
        Some(place)
    };
    let (of_spans, ids) = (gathered.texts("column_sources")?, gathered.texts("span_id")?);
    for call in calls {
        if call.owners.iter().flatten().any(|owner| *owner != call.row) {
            owner_line(call, &of_spans, &ids, &mut line)?;
            of_calls.append_option(add(&line));
            continue;
        }
        let sources = of_spans.at(call.row)?.unwrap_or_default();
        let shape = (named_by(&call.owners), sources.as_ptr().addr(), sources.len());
        of_calls.append_option(match shapes.entry(shape) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                owner_line(call, &of_spans, &ids, &mut line)?;
                *new.insert(add(&line))
            }
        });
    }
    Ok(take(&lines.finish(), &of_calls.finish(), None)?)
}

/// One bit for each fact of ownership that is named.
fn named_by(owners: &Owners) -> u16 {
    (0..).zip(owners).filter(|(_, owner)| owner.is_some()).fold(0, |bits, (i, _)| bits | 1 << i)
}

fn owner_line(
    call: &Call,
    of_spans: &Texts<'_>,
    ids: &Texts<'_>,
    line: &mut String,
) -> Result<(), SettleError> {
    line.clear();
    for (owner, column) in call.owners.iter().zip(OWNER_COLUMNS) {
        let Some(owner) = *owner else { continue };
        let sources = of_spans.at(owner)?.unwrap_or_default();
        let attribute = attribute_of(sources, column).unwrap_or(column);
        let gap = if line.is_empty() { "" } else { "\n" };
        // Writing to a String cannot fail.
        let _ = write!(line, "{gap}{column}={attribute}");
        if owner != call.row {
            let span = ids.at(owner)?.unwrap_or_default();
            let _ = write!(line, "@{span}");
        }
    }
    Ok(())
}

/// What `column_sources` says of a column.
fn attribute_of<'a>(sources: &'a str, column: &str) -> Option<&'a str> {
    let mut pairs = sources.split(['\n', ';', ' ']).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == column).map(|(_, attribute)| attribute)
}

/// Whether a span or a log record tells the usage, two spans of a running sum, or that sum.
fn usage_source(calls: &[Call], facts: &RecordBatch) -> Result<StringViewArray, SettleError> {
    let measures = MEASURES.iter().map(|name| column_of(facts, name));
    let measures = measures.collect::<Result<Vec<_>, _>>()?;
    let source = |(i, call): (usize, &Call)| {
        let told = measures.iter().any(|column| column.is_valid(i));
        told.then_some(match call {
            Call { usage_of_record: true, .. } => "log-record",
            Call { less: Some(_), .. } => "difference",
            Call { sum: true, .. } => "sum",
            Call { .. } => "span",
        })
    };
    Ok(calls.iter().enumerate().map(source).collect())
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
        let took = duration.is_valid(i).then(|| ms(duration.value(i)))?;
        let rest = took - first;
        (rest >= 0.0).then(|| rest / (tokens - 1) as f64)
    };
    Ok((0..facts.num_rows()).map(each).collect())
}

/// The served model, else the one asked for.
fn model(facts: &RecordBatch) -> Result<ArrayRef, SettleError> {
    let (served, asked) = (named(facts, "response_model")?, named(facts, "request_model")?);
    Ok(zip(&is_not_null(&served)?, &served, &asked)?)
}
