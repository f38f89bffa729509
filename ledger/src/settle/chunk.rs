//! Span rows in memory: from a batch of table `spans` to small views for the rules and, for rows
//! that can become calls or name an owner, the columns that `calls` takes over. It does not know
//! which traces are open.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, Int64Array, RecordBatch, StringViewArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema};
use spanledger_schemas::ids::{SpanId, TraceId};
use spanledger_schemas::tables::{calls, spans};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::SettleError;
use super::trace::{OWNER_FACTS, RowRef, SpanView};
use crate::prices::columns::{instant, int, text};

/// The owner columns, in the order of [`super::trace::Call::owners`].
pub(super) const OWNER_COLUMNS: [&str; OWNER_FACTS] =
    ["team", "user_id", "session_id", "feature", "agent_name"];

/// Columns read only to decide, not taken over.
const DECIDING: [&str; 5] = ["span_role", "duplicate_of", "start_at", "duration_ns", "received_at"];

/// The columns read from table `spans`: those that `calls` has under the same name, and those
/// that decide.
pub(super) fn columns_read() -> impl Iterator<Item = &'static str> {
    let shared = |name: &str| name != "date" && calls::TABLE.column(name).is_some();
    spans::TABLE.columns.iter().map(|c| c.name).filter(move |n| shared(n) || DECIDING.contains(n))
}

/// One span of a batch, with the trace it belongs to.
#[derive(Debug)]
pub(super) struct ReadSpan {
    /// Place of its tenant in [`Chunk::tenants`].
    pub(super) tenant: u32,
    pub(super) trace: u128,
    pub(super) view: SpanView,
    /// Microseconds since the epoch.
    pub(super) start: i64,
}

/// What was read from one batch.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Distinct tenants of the batch.
    pub(super) tenants: Vec<Arc<str>>,
    pub(super) spans: Vec<ReadSpan>,
    /// The columns of [`columns_read`] for the rows that a view points at.
    pub(super) rows: RecordBatch,
    /// Newest `received_at`.
    pub(super) received: i64,
}

/// Reads a batch that has [`columns_read`]; views point at rows of chunk number `chunk`.
///
/// # Errors
/// When a column is missing or of another type.
pub(super) fn read(batch: &RecordBatch, chunk: u32) -> Result<Chunk, SettleError> {
    let tenant = text(batch, "tenant")?;
    let (trace, span) = (text(batch, "trace_id")?, text(batch, "span_id")?);
    let parent = text(batch, "parent_span_id")?;
    let (role, duplicate) = (text(batch, "span_role")?, text(batch, "duplicate_of")?);
    let duration = int(batch, "duration_ns")?;
    let start = int(batch, "start_unix_ns")?;
    let received = instant(batch, "received_at")?;
    let used: Vec<Int64Array> = USAGE.iter().map(|c| int(batch, c)).collect::<Result<_, _>>()?;
    let owners: Vec<StringViewArray> =
        OWNER_COLUMNS.iter().map(|c| text(batch, c)).collect::<Result<_, _>>()?;

    let mut tenants: Vec<Arc<str>> = Vec::new();
    let mut spans = Vec::with_capacity(batch.num_rows());
    let mut keep = Vec::with_capacity(batch.num_rows());
    let mut kept = 0;
    let mut newest = i64::MIN;
    for i in 0..batch.num_rows() {
        let name = tenant.value(i);
        let tenant = match tenants.iter().position(|t| **t == *name) {
            Some(known) => known,
            None => {
                tenants.push(name.into());
                tenants.len() - 1
            }
        };
        let names = (0..).zip(&owners).filter(|(_, c)| c.is_valid(i));
        let names = names.fold(0u8, |bits, (fact, _)| bits | 1 << fact);
        let inference = role.value(i) == "call" && duplicate.is_null(i);
        let row = (inference || names != 0).then_some(RowRef { chunk, row: kept });
        keep.push(row.is_some());
        kept += u32::from(row.is_some());
        newest = newest.max(received.value(i));
        let view = SpanView {
            span: span_id(span.value(i)),
            parent: if parent.is_valid(i) { span_id(parent.value(i)) } else { 0 },
            row,
            inference,
            usage: used.iter().any(|c| c.is_valid(i) && c.value(i) > 0),
            names,
            duration_ns: duration.value(i),
            received: received.value(i),
        };
        spans.push(ReadSpan {
            tenant: tenant as u32,
            trace: trace_id(trace.value(i)),
            view,
            start: start.value(i).div_euclid(1_000),
        });
    }
    let rows = compact(filter_record_batch(batch, &BooleanArray::from(keep))?)?;
    Ok(Chunk { tenants, spans, rows, received: newest })
}

/// Token columns that show a span reports usage.
const USAGE: [&str; 3] = ["input_tokens", "output_tokens", "cache_read_tokens"];

/// Text columns as plain strings: a filtered view would keep the whole batch's text alive.
fn compact(batch: RecordBatch) -> Result<RecordBatch, SettleError> {
    let plain = |t: &DataType| match t {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        other => other.clone(),
    };
    let schema = batch.schema();
    let fields = schema.fields().iter();
    let fields: Vec<Field> =
        fields.map(|f| Field::new(f.name(), plain(f.data_type()), true)).collect();
    let columns = batch.columns().iter().zip(&fields);
    let columns = columns
        .map(|(column, field)| arrow::compute::cast(column, field.data_type()))
        .collect::<Result<_, _>>()?;
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// A trace id as a number. Ids are hex wherever they come from our own collector; any other text
/// still gets a number of its own.
pub(super) fn trace_id(text: &str) -> u128 {
    TraceId::from_hex(text)
        .map_or_else(|_| xxh3_128(text.as_bytes()), |id| u128::from_be_bytes(id.0))
}

/// The same for a span id.
pub(super) fn span_id(text: &str) -> u64 {
    SpanId::from_hex(text).map_or_else(|_| xxh3_64(text.as_bytes()), |id| u64::from_be_bytes(id.0))
}
