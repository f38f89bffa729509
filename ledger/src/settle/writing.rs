//! Writing: what the rows of `calls` of traces are, how that differs from what is written, and
//! one commit that makes up for it. Takes traces that are due; it does not know why they are.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{cast, concat_batches, filter_record_batch};
use arrow::datatypes::{DataType, SchemaRef};
use spanledger_schemas::tables::{calls, spans};
use spanledger_schemas::time;
use spanledger_store::{DataFile, Snapshot, StoreError, Txn};

use super::calls::build;
use super::chunk::Rows;
use super::decided::Decided;
use super::gather::Gathered;
use super::job::Rounds;
use super::open::{TraceKey, Written};
use super::trace::{Call, SpanView, settle_trace};
use super::{CallState, SettleError, TXN_APP, chunk, tables};
use crate::limits;

impl Rounds {
    /// What the rows of `calls` of these traces are, and how that differs from what is written.
    pub(super) async fn decide(
        &mut self,
        snapshot: &Snapshot,
        due: &[TraceKey],
        state: CallState,
        now: i64,
    ) -> Result<Decided, SettleError> {
        let before = self.written_before(snapshot, due).await?;
        let elsewhere = self.spans_elsewhere(snapshot, due, state).await?;
        let mut decided: Vec<Call> = Vec::new();
        let mut owners = Vec::new();
        for key in due {
            let Some(trace) = self.open.trace(key) else { continue };
            let spans = elsewhere.spans.get(key).unwrap_or(&trace.spans);
            let trace_calls = settle_trace(spans);
            owners.extend(std::iter::repeat_n(*key, trace_calls.len()));
            decided.extend(trace_calls);
        }
        let open = &self.open;
        let rows = |chunk: u32| open.rows(chunk).or_else(|| elsewhere.rows(chunk));
        let gathered = match Gathered::fetch(snapshot, decided.iter(), rows).await? {
            Ok(gathered) => gathered,
            // Compacted long ago: their traces are read anew, from the files there are.
            Err(gone) => {
                let path = gone.first().cloned().unwrap_or_default();
                for path in &gone {
                    self.open.forget_file(path);
                }
                return Err(StoreError::FileGone { table: spans::TABLE.name, path }.into());
            }
        };
        let Some((_, pricer)) = &mut self.pricer else {
            return Err(SettleError::Invariant("settling before prices are loaded"));
        };
        let rows = if decided.is_empty() {
            RecordBatch::new_empty(calls::TABLE.arrow_schema())
        } else {
            build(&decided, state, &gathered, pricer, now)?
        };
        Decided::against(rows, &owners, due, before, &self.open)
    }

    /// The rows that traces have in `calls`, from memory or from the table.
    pub(super) async fn written_before(
        &mut self,
        snapshot: &Snapshot,
        due: &[TraceKey],
    ) -> Result<HashMap<TraceKey, Vec<Written>>, SettleError> {
        let mut before = HashMap::with_capacity(due.len());
        let mut unknown = HashMap::new();
        for key in due {
            match self.open.trace(key).and_then(|t| t.written.clone()) {
                Some(written) => before.insert(*key, written),
                None => unknown.insert(*key, Vec::new()),
            };
        }
        if !unknown.is_empty() {
            let (traces, day) = self.where_to_look(unknown.keys());
            let table = &calls::TABLE;
            let found = tables::rows_of(&self.session, snapshot, table, None, &traces, day).await?;
            for batch in found {
                self.group_written(&batch, &mut unknown)?;
            }
            before.extend(unknown);
        }
        Ok(before)
    }

    /// All spans of the traces that have some in the table only. A trace that is settled early
    /// makes do with what is in memory.
    pub(super) async fn spans_elsewhere(
        &mut self,
        snapshot: &Snapshot,
        due: &[TraceKey],
        state: CallState,
    ) -> Result<Elsewhere, SettleError> {
        let mut elsewhere = Elsewhere::default();
        if state == CallState::Provisional {
            return Ok(elsewhere);
        }
        let incomplete = |key: &&TraceKey| self.open.trace(key).is_some_and(|t| !t.complete);
        let keys: HashSet<TraceKey> = due.iter().filter(incomplete).copied().collect();
        if keys.is_empty() {
            return Ok(elsewhere);
        }
        let (traces, day) = self.where_to_look(keys.iter());
        let columns = chunk::columns_all();
        let table = &spans::TABLE;
        let found =
            tables::rows_of(&self.session, snapshot, table, Some(&columns), &traces, day).await?;
        elsewhere.first = self.open.next_chunk();
        metrics::counter!("spanledger_settle_traces_read_again_total").increment(keys.len() as u64);
        for batch in found {
            let number = elsewhere.first.wrapping_add(elsewhere.chunks.len() as u32);
            let read = chunk::read(&batch, number)?;
            let tenants: Vec<u32> = read.tenants.iter().map(|t| self.open.tenant(t)).collect();
            for span in read.spans {
                let key = TraceKey { tenant: tenants[span.tenant as usize], trace: span.trace };
                if keys.contains(&key) {
                    elsewhere.spans.entry(key).or_default().push(span.view);
                }
            }
            elsewhere.chunks.push(read.rows);
        }
        Ok(elsewhere)
    }

    /// Ids to look for, and the first day their rows may be on.
    pub(super) fn where_to_look<'a>(
        &self,
        keys: impl Iterator<Item = &'a TraceKey>,
    ) -> (Vec<u128>, i32) {
        let mut start = i64::MAX;
        let mut traces: Vec<u128> = keys
            .inspect(|key| {
                start = start.min(self.open.trace(key).map_or(i64::MAX, |t| t.start));
            })
            .map(|key| key.trace)
            .collect();
        traces.sort_unstable();
        traces.dedup();
        (traces, time::day(start.saturating_mul(1_000)) - limits::LATE_DAYS)
    }

    /// One commit: new rows beside what is there, or in place of files that have outdated rows.
    pub(super) async fn write(
        &mut self,
        snapshot: &Snapshot,
        decided: &Decided,
        state: CallState,
    ) -> Result<(), SettleError> {
        if decided.rows.num_rows() == 0 && decided.outdated.is_empty() {
            return Ok(());
        }
        let mut remove: Vec<DataFile> = Vec::new();
        let mut rows = vec![decided.rows.clone()];
        if !decided.outdated.is_empty() {
            let traces: HashSet<u128> = decided.outdated.iter().map(|k| k.trace).collect();
            let dates = &decided.outdated_dates;
            let files = tables::files_with(&self.session, snapshot, dates, &traces).await?;
            for (file, batches) in files {
                remove.push(file);
                for batch in batches {
                    let keys = self.keys(&batch)?;
                    let stays: Vec<bool> =
                        keys.iter().map(|k| !decided.outdated.contains(k)).collect();
                    rows.push(as_calls(&filter_record_batch(&batch, &stays.into())?)?);
                }
            }
        }
        let rows = concat_batches(&calls::TABLE.arrow_schema(), &rows)?;
        let until = match state {
            CallState::Settled => self.open.settled_until_without(&decided.traces),
            CallState::Provisional => self.open.settled_until(),
        };
        let version = tables::version_for(until.unwrap_or_default(), self.recorded);
        let txn = Txn { app: TXN_APP.to_owned(), version };
        self.store.replace(&calls::TABLE, remove, rows, Some(txn)).await?;
        let found = self.store.txn_version(&calls::TABLE, TXN_APP).await?.unwrap_or_default();
        if found != version {
            return Err(SettleError::NotAlone { expected: version, found });
        }
        self.recorded = Some(version);
        Ok(())
    }
}

/// Spans read from the table, beside those in memory.
#[derive(Default)]
pub(super) struct Elsewhere {
    /// Number of the first chunk.
    first: u32,
    chunks: Vec<Rows>,
    spans: HashMap<TraceKey, Vec<SpanView>>,
}

impl Elsewhere {
    fn rows(&self, chunk: u32) -> Option<&Rows> {
        self.chunks.get(chunk.wrapping_sub(self.first) as usize)
    }
}

/// A batch read from `calls`, in the types it is written with.
fn as_calls(batch: &RecordBatch) -> Result<RecordBatch, SettleError> {
    let schema: SchemaRef = calls::TABLE.arrow_schema();
    let columns = schema.fields().iter().map(|f| {
        let name = || crate::prices::PriceError::Column { column: f.name().clone() };
        let column = batch.column_by_name(f.name()).ok_or_else(name)?;
        let to: &DataType = f.data_type();
        Ok(cast(column, to)?)
    });
    let columns = columns.collect::<Result<Vec<_>, SettleError>>()?;
    Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?)
}
