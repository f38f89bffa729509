//! The rows that decided calls are made of, fetched from wherever they are: files of table
//! `spans`, each read once for all calls, or chunks in memory. Takes decided calls and where their
//! rows are, gives columns in the calls' order. It decides nothing.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringViewArray, new_null_array,
};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Int64Type, Schema};
use spanledger_schemas::tables::call_facts::tells_usage;
use spanledger_schemas::tables::spans;
use spanledger_schemas::time;
use spanledger_store::{DataFile, Snapshot, StoreError};

use super::HashMap;
use super::SettleError;
use super::calls::column_of;
use super::chunk::{OWNER_COLUMNS, Rows, columns_taken};
use super::trace::Call;
use super::view::RowRef;
use crate::prices::columns::int;

/// Columns that a duplicate may tell where the call itself does not: one library knows the model
/// that served, another the time to the first token.
const FILLED_COLUMNS: [&str; 15] = [
    "operation",
    "provider",
    "request_model",
    "response_model",
    "response_id",
    "service_tier",
    "streaming",
    "finish_reason",
    "ttft_ms",
    "queue_ms",
    "server_address",
    "reported_cost",
    "reported_cost_currency",
    "reported_cost_kind",
    "gateway_cache_hit",
];

/// The rows of some calls and of the spans that own them.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    batches: Vec<RecordBatch>,
    /// By number of the chunk.
    held: HashMap<u32, Held>,
}

/// Where the rows of a chunk are now.
#[derive(Debug, Clone)]
struct Held {
    /// Place in [`Gathered::batches`].
    batch: usize,
    /// Picked rows of a file; `None` when the batch is the whole chunk.
    picked: Option<Arc<Picked>>,
}

/// Rows of a batch by their place in the file.
#[derive(Debug)]
struct Picked {
    first: u32,
    /// The batch's row of each place from `first` on, for those that were picked.
    row: Vec<u32>,
}

impl Picked {
    fn new(places: &[u32]) -> Picked {
        let (first, last) =
            places.first().zip(places.last()).map_or((0, 0), |(first, last)| (*first, *last));
        let mut row = vec![0; (last - first) as usize + 1];
        for (i, place) in (0..).zip(places) {
            row[(place - first) as usize] = i;
        }
        Picked { first, row }
    }
}

impl Gathered {
    /// Fetches the rows. `rows` tells where those of a chunk are.
    ///
    /// # Errors
    /// With the files that are gone, when some are; and when one cannot be read.
    pub(super) async fn fetch<'a>(
        snapshot: &Snapshot,
        calls: impl Iterator<Item = &'a Call>,
        rows: impl Fn(u32) -> Option<&'a Rows>,
    ) -> Result<Result<Gathered, Vec<String>>, SettleError> {
        let mut gathered = Gathered::default();
        let mut files: HashMap<&str, (&DataFile, Vec<RowRef>)> = HashMap::default();
        for of_chunk in pointed_at(calls).chunk_by(|a, b| a.chunk == b.chunk) {
            let Some(chunk) = of_chunk.first().map(|r| r.chunk) else { continue };
            match rows(chunk) {
                Some(Rows::Here(batch)) => gathered.hold(chunk, batch.clone()),
                Some(Rows::InFile(file)) => {
                    let (_, refs) = files.entry(&file.path).or_insert((file, Vec::new()));
                    refs.extend_from_slice(of_chunk);
                }
                None => return Err(SettleError::Invariant("a row of a chunk that was let go")),
            }
        }
        let mut gone = Vec::new();
        for (file, refs) in files.into_values() {
            match gathered.pick(snapshot, file, &refs).await {
                Err(SettleError::Store(StoreError::FileGone { path, .. })) => gone.push(path),
                other => other?,
            }
        }
        Ok(if gone.is_empty() { Ok(gathered) } else { Err(gone) })
    }

    fn hold(&mut self, chunk: u32, batch: RecordBatch) {
        self.held.insert(chunk, Held { batch: self.batches.len(), picked: None });
        self.batches.push(batch);
    }

    async fn pick(
        &mut self,
        snapshot: &Snapshot,
        file: &DataFile,
        refs: &[RowRef],
    ) -> Result<(), SettleError> {
        let mut places: Vec<u32> = refs.iter().map(|r| r.row).collect();
        places.sort_unstable();
        places.dedup();
        let columns: Vec<&str> = columns_taken().collect();
        let batch = snapshot.rows_at(&spans::TABLE, file, &places, &columns).await?;
        let held = Held { batch: self.batches.len(), picked: Some(Arc::new(Picked::new(&places))) };
        self.batches.push(batch);
        self.held.extend(refs.iter().map(|r| (r.chunk, held.clone())));
        Ok(())
    }

    /// The columns of [`columns_taken`] of each call, with the owner columns of the spans that
    /// own it and the usage columns of what tells its usage.
    ///
    /// # Errors
    /// When the batches do not have them.
    pub(super) fn columns(&self, calls: &[Call]) -> Result<RecordBatch, SettleError> {
        let Some(any) = self.batches.first() else {
            return Err(SettleError::Invariant("calls without rows they are made of"));
        };
        let own = calls.iter().map(|call| self.place(call.row)).collect::<Result<Vec<_>, _>>()?;
        let usage =
            calls.iter().map(|call| self.place(call.usage)).collect::<Result<Vec<_>, _>>()?;
        let any_sum = calls.iter().any(|call| call.less.is_some());
        let any_told_twice = calls.iter().any(|call| call.also.is_some());
        // Rows of records lack what every span has.
        let fields = any.schema();
        let fields = fields.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let mut empty: HashMap<&DataType, ArrayRef> = HashMap::default();
        let columns = schema.fields().iter().enumerate().map(|(i, field)| {
            // Most columns are empty in most rounds.
            if self.batches.iter().all(|b| b.column(i).null_count() == b.num_rows()) {
                let nulls = || new_null_array(field.data_type(), calls.len());
                return Ok(Arc::clone(empty.entry(field.data_type()).or_insert_with(nulls)));
            }
            let null = new_null_array(field.data_type(), 1);
            let mut arrays: Vec<&dyn Array> = self.batches.iter().map(|b| &**b.column(i)).collect();
            let nowhere = (arrays.len(), 0);
            arrays.push(&null);
            // From where it is told best.
            if tells_usage(field.name()) {
                let told = interleave(&arrays, &usage)?;
                if !any_sum || *field.data_type() != DataType::Int64 {
                    return Ok(told);
                }
                let before = |call: &Call| call.less.map_or(Ok(nowhere), |row| self.place(row));
                let before = calls.iter().map(before).collect::<Result<Vec<_>, _>>()?;
                return less(&told, &interleave(&arrays, &before)?);
            }
            if any_told_twice && FILLED_COLUMNS.contains(&field.name().as_str()) {
                let told = |(call, own): (&Call, &(usize, usize))| match call.also {
                    Some(also) if self.batches[own.0].column(i).is_null(own.1) => self.place(also),
                    _ => Ok(*own),
                };
                let told = calls.iter().zip(&own).map(told).collect::<Result<Vec<_>, _>>()?;
                return Ok(interleave(&arrays, &told)?);
            }
            let Some(fact) = OWNER_COLUMNS.iter().position(|c| c == field.name()) else {
                return Ok(interleave(&arrays, &own)?);
            };
            let owner = |(call, own): (&Call, &(usize, usize))| match call.owners[fact] {
                None => Ok(nowhere),
                Some(owner) if owner == call.row => Ok(*own),
                Some(owner) => self.place(owner),
            };
            let owners = calls.iter().zip(&own).map(owner).collect::<Result<Vec<_>, _>>()?;
            Ok(interleave(&arrays, &owners)?)
        });
        let columns = columns.collect::<Result<Vec<_>, SettleError>>()?;
        Ok(RecordBatch::try_new(schema, columns)?)
    }

    /// Leaves a call what it tells where one of its counts is less than that of the call before: it is
    /// no running sum then.
    ///
    /// # Errors
    /// When a row was not fetched.
    pub(super) fn keep_true_sums<'c>(
        &self,
        calls: impl Iterator<Item = &'c mut Call>,
    ) -> Result<(), SettleError> {
        for call in calls {
            let Some(before) = call.less else { continue };
            let ((at, row), (other, first)) = (self.place(call.usage)?, self.place(before)?);
            let (told, before) = (&self.batches[at], &self.batches[other]);
            let fields = told.schema();
            let less = fields.fields().iter().enumerate().any(|(i, field)| {
                let counts = tells_usage(field.name()) && *field.data_type() == DataType::Int64;
                let count = |batch: &RecordBatch, row: usize| {
                    let column = batch.column(i).as_primitive_opt::<Int64Type>()?;
                    column.is_valid(row).then(|| column.value(row))
                };
                counts
                    && count(told, row).is_some_and(|n| count(before, first).is_some_and(|b| n < b))
            });
            if less {
                call.less = None;
            }
        }
        Ok(())
    }

    /// A column of text, to be looked into row by row.
    ///
    /// # Errors
    /// When it is not there, or none of text.
    pub(super) fn texts(&self, column: &str) -> Result<Texts<'_>, SettleError> {
        let none = SettleError::Invariant("a column of text that is none");
        let texts = |batch| column_of(batch, column).map(|column| column.as_string_view_opt());
        let arrays = self.batches.iter().map(texts).collect::<Result<Option<_>, _>>()?;
        Ok(Texts { gathered: self, arrays: arrays.ok_or(none)? })
    }

    /// The order of calls in their table, so that their rows need not be copied into it: by day, model
    /// and start. What a duplicate tells of the model is not looked at; the store sorts what is not in
    /// order. Gives the places of the calls.
    ///
    /// # Errors
    /// When a row was not fetched.
    pub(super) fn order<'c>(
        &self,
        calls: impl ExactSizeIterator<Item = &'c Call>,
    ) -> Result<Vec<usize>, SettleError> {
        let (served, asked) = (self.texts("response_model")?, self.texts("request_model")?);
        let starts = self.batches.iter().map(|batch| int(batch, "start_unix_ns"));
        let starts = starts.collect::<Result<Vec<_>, _>>()?;
        let mut keys = Vec::with_capacity(calls.len());
        for call in calls {
            let (batch, at) = self.place(call.row)?;
            let start = starts[batch].value(at);
            let model = served.at(call.row)?.or(asked.at(call.row)?);
            keys.push((time::day(start), model, start.div_euclid(1_000)));
        }
        let mut order: Vec<usize> = (0..keys.len()).collect();
        order.sort_by_key(|place| keys[*place]);
        Ok(order)
    }

    fn place(&self, at: RowRef) -> Result<(usize, usize), SettleError> {
        let place = |held: &Held| {
            let Some(picked) = &held.picked else { return Some((held.batch, at.row as usize)) };
            let row = picked.row.get(at.row.checked_sub(picked.first)? as usize)?;
            Some((held.batch, *row as usize))
        };
        let place = self.held.get(&at.chunk).and_then(place);
        place.ok_or(SettleError::Invariant("a row that was not fetched"))
    }
}

/// The counts of a column less what was told before, where something was.
fn less(told: &ArrayRef, before: &ArrayRef) -> Result<ArrayRef, SettleError> {
    let (told, before) = (told.as_primitive::<Int64Type>(), before.as_primitive::<Int64Type>());
    let own = told.iter().zip(before).map(|(told, before)| Some(told? - before.unwrap_or(0)));
    Ok(Arc::new(own.collect::<Int64Array>()))
}

/// A column of text of what was gathered.
pub(super) struct Texts<'a> {
    gathered: &'a Gathered,
    /// By batch.
    arrays: Vec<&'a StringViewArray>,
}

impl<'a> Texts<'a> {
    /// The text at a row; `None` for null.
    ///
    /// # Errors
    /// When the row was not fetched.
    pub(super) fn at(&self, row: RowRef) -> Result<Option<&'a str>, SettleError> {
        let (batch, row) = self.gathered.place(row)?;
        let array = self.arrays[batch];
        Ok(array.is_valid(row).then(|| array.value(row)))
    }
}

/// The rows that calls point at, each once, by chunk and place.
fn pointed_at<'a>(calls: impl Iterator<Item = &'a Call>) -> Vec<RowRef> {
    let mut refs = Vec::new();
    for call in calls {
        refs.push(call.row);
        refs.extend(call.also);
        refs.extend(call.less);
        if call.usage != call.row {
            refs.push(call.usage);
        }
        refs.extend(call.owners.iter().flatten().filter(|owner| **owner != call.row));
    }
    refs.sort_unstable();
    refs.dedup();
    refs
}
