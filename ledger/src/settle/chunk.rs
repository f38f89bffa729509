//! Spans read: from a batch of table `spans` to small views for the rules, and where to find the
//! columns that `calls` takes over, for rows that can become calls or name an owner: in the file
//! they were read from, or in memory. It does not know which traces are open.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, RecordBatch, StringViewArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Schema;
use spanledger_schemas::ids::{SpanId, TraceId};
use spanledger_schemas::tables::{calls, spans};
use spanledger_store::DataFile;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::HashMap;
use super::SettleError;
use super::facts::FactColumns;
use super::view::{Facts, OWNER_FACTS, Role, RowRef, SpanView};
use crate::prices::columns::{instant, int, text};

/// The owner columns, in the order of [`super::trace::Owners`].
pub(super) const OWNER_COLUMNS: [&str; OWNER_FACTS] = [
    "team",
    "user_id",
    "session_id",
    "feature",
    "agent_name",
    "workflow_name",
    "tool_name",
    "environment",
    "region",
];

/// Those that nearly every resource names: a span is not kept for their sake alone.
const ON_EVERY_RESOURCE: u16 = 0b1_1000_0000;

/// Columns that decide what is a call and whose, beside [`OWNER_COLUMNS`] and those of `facts`.
const DECIDING: [&str; 11] = [
    "tenant",
    "trace_id",
    "span_id",
    "parent_span_id",
    "span_role",
    "operation",
    "duplicate_of",
    "start_unix_ns",
    "duration_ns",
    "received_at",
    "column_sources",
];

/// The operation of a span of a tool.
const TOOL: &str = "execute_tool";

/// Columns that rows of `calls` are made of under another name.
const RENAMED: [&str; 4] = ["start_at", "duration_ns", "covers_call", "column_sources"];

/// The columns of table `spans` that decide.
pub(super) fn columns_deciding() -> impl Iterator<Item = &'static str> {
    let deciding = DECIDING.into_iter().chain(OWNER_COLUMNS);
    deciding.chain(super::facts::COLUMNS.into_iter().filter(|c| !OWNER_COLUMNS.contains(c)))
}

/// The columns of table `spans` that rows of `calls` are made of.
pub(super) fn columns_taken() -> impl Iterator<Item = &'static str> {
    let shared = |name: &str| name != "date" && calls::TABLE.column(name).is_some();
    spans::TABLE.columns.iter().map(|c| c.name).filter(move |n| shared(n) || RENAMED.contains(n))
}

/// Both.
pub(super) fn columns_all() -> Vec<&'static str> {
    let taken = columns_taken().collect::<Vec<_>>();
    let deciding = columns_deciding().filter(|c| !taken.contains(c));
    taken.iter().copied().chain(deciding).collect()
}

/// Where the columns are of the rows that views point at.
#[derive(Debug, Clone)]
pub(super) enum Rows {
    /// In this file of table `spans`, each at its place there.
    InFile(DataFile),
    /// Here, with [`columns_taken`].
    Here(RecordBatch),
}

impl Rows {
    /// Memory they take.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Rows::InFile(file) => size_of::<DataFile>() + file.path.len(),
            Rows::Here(rows) => rows.get_array_memory_size(),
        }
    }
}

/// One span of a batch, with the trace it belongs to.
#[derive(Debug)]
pub(super) struct ReadSpan {
    /// Place of its tenant in [`Chunk::tenants`].
    pub(super) tenant: u32,
    pub(super) trace: u128,
    pub(super) view: SpanView,
    /// For an inference, and a roll-up with usage.
    pub(super) facts: Option<Facts>,
    /// Microseconds since the epoch.
    pub(super) start: i64,
}

/// What was read from one batch.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Distinct tenants of the batch.
    pub(super) tenants: Vec<Arc<str>>,
    pub(super) spans: Vec<ReadSpan>,
    /// The rows that a view points at.
    pub(super) rows: Rows,
    /// Newest `received_at`.
    pub(super) received: i64,
}

/// Reads a batch with [`columns_all`] and keeps the rows that views point at. `records`: whether
/// they are log records in the shape of spans.
///
/// # Errors
/// When a column is missing or of another type.
pub(super) fn read(batch: &RecordBatch, chunk: u32, records: bool) -> Result<Chunk, SettleError> {
    let mut keep = Vec::with_capacity(batch.num_rows());
    let mut kept = 0;
    let mut chunk = views(batch, |pointed_at| {
        keep.push(pointed_at);
        kept += u32::from(pointed_at);
        pointed_at.then(|| RowRef { chunk, row: kept - 1 })
    })?;
    let taken = columns_taken().map(|name| batch.schema_ref().index_of(name));
    let taken = batch.project(&taken.collect::<Result<Vec<_>, _>>()?)?;
    let rows = filter_record_batch(&taken, &BooleanArray::from(keep))?;
    chunk.rows = Rows::Here(super::tables::unpinned(&rows)?);
    for facts in chunk.spans.iter_mut().filter_map(|s| s.facts.as_mut()) {
        facts.record = records;
    }
    Ok(chunk)
}

/// Reads a batch with [`columns_deciding`]: the rows of a file from place `first` on.
///
/// # Errors
/// When a column is missing or of another type.
pub(super) fn read_of(
    file: &DataFile,
    first: u32,
    batch: &RecordBatch,
    chunk: u32,
) -> Result<Chunk, SettleError> {
    let mut next = first;
    let mut read = views(batch, |pointed_at| {
        next += 1;
        pointed_at.then(|| RowRef { chunk, row: next - 1 })
    })?;
    read.rows = Rows::InFile(file.clone());
    Ok(read)
}

/// The spans of a batch. `point` is asked for each row in turn, with whether a view has to point
/// at it.
fn views(
    batch: &RecordBatch,
    mut point: impl FnMut(bool) -> Option<RowRef>,
) -> Result<Chunk, SettleError> {
    let tenant = text(batch, "tenant")?;
    let (trace, span) = (text(batch, "trace_id")?, text(batch, "span_id")?);
    let parent = text(batch, "parent_span_id")?;
    let (role, duplicate) = (text(batch, "span_role")?, text(batch, "duplicate_of")?);
    let operation = text(batch, "operation")?;
    let duration = int(batch, "duration_ns")?;
    let start = int(batch, "start_unix_ns")?;
    let received = instant(batch, "received_at")?;
    let sources = text(batch, "column_sources")?;
    let facts = FactColumns::of(batch)?;
    let owners: Vec<StringViewArray> =
        OWNER_COLUMNS.iter().map(|c| text(batch, c)).collect::<Result<_, _>>()?;

    let mut of_resource = OfResource::default();
    let mut tenants: Vec<Arc<str>> = Vec::new();
    let mut spans = Vec::with_capacity(batch.num_rows());
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
        let said = (0..).zip(&owners).filter(|(_, c)| c.is_valid(i));
        let said = said.fold(0u16, |bits, (fact, _)| bits | 1 << fact);
        let resource = match said {
            0 => 0,
            _ => said & of_resource.names(&sources, i),
        };
        let role = match role.value(i) {
            "call" if duplicate.is_null(i) => Role::Inference,
            "rollup" => Role::Rollup,
            _ if operation.is_valid(i) && operation.value(i) == TOOL => Role::Tool,
            _ => Role::Other,
        };
        let names = said & !resource;
        let usage = facts.usage(i);
        let inference = role == Role::Inference;
        let keeps = inference || names != 0 || resource & !ON_EVERY_RESOURCE != 0;
        let row = point(keeps);
        newest = newest.max(received.value(i));
        let view = SpanView {
            span: span_id(span.value(i)),
            parent: if parent.is_valid(i) { span_id(parent.value(i)) } else { 0 },
            row,
            role,
            usage,
            names,
            resource_names: if keeps { resource } else { 0 },
            facts: super::view::NO_FACTS,
            duration_ns: duration.value(i),
            received: received.value(i),
        };
        let told = inference || (role == Role::Rollup && usage) || facts.is_in_a_sum(i);
        spans.push(ReadSpan {
            tenant: tenant as u32,
            trace: trace_id(trace.value(i)),
            view,
            facts: told.then(|| facts.row(i, start.value(i), duration.value(i))),
            start: start.value(i).div_euclid(1_000),
        });
    }
    let rows = Rows::Here(RecordBatch::new_empty(Arc::new(Schema::empty())));
    Ok(Chunk { tenants, spans, rows, received: newest })
}

/// Which facts of ownership come from the resource, by the text of `column_sources`; texts repeat,
/// and one that is there once is told by where it is.
#[derive(Default)]
struct OfResource {
    known: HashMap<u128, u16>,
}

impl OfResource {
    /// Those of a row. Without sources, those that a span seldom names itself.
    fn names(&mut self, of: &StringViewArray, row: usize) -> u16 {
        if of.is_null(row) {
            return ON_EVERY_RESOURCE;
        }
        *self.known.entry(of.views()[row]).or_insert_with(|| {
            let sources = of.value(row);
            let from = |column: &str| sources.contains(&format!("{column}=resource:"));
            let told = |column: &str| sources.contains(&format!("{column}="));
            let facts = (0..).zip(OWNER_COLUMNS).filter(|(fact, column)| {
                from(column) || (ON_EVERY_RESOURCE & 1 << fact != 0 && !told(column))
            });
            facts.fold(0, |bits, (fact, _)| bits | 1 << fact)
        })
    }
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
