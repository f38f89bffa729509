//! Writing: what the rows of traces in `calls` and `span_verdicts` are, how that differs from what
//! is written, and commits that make up for it. Takes traces that are due; it does not know why
//! they are.

use std::sync::Arc;

use ahash::RandomState;
use arrow::array::RecordBatch;
use arrow::compute::{cast, concat_batches, filter_record_batch};
use arrow::datatypes::{DataType, SchemaRef};
use spanledger_schemas::Table;
use spanledger_schemas::tables::{calls, span_verdicts, spans};
use spanledger_store::{DataFile, Snapshot, StoreError, Txn};

use super::calls::build;
use super::decided::Decided;
use super::gather::Gathered;
use super::job::Rounds;
use super::open::{TraceKey, Written, WrittenRows};
use super::together::Together;
use super::trace::Call;
use super::verdict::Verdict;
use super::verdicts::OfTrace;
use super::{CallState, HashMap, HashSet, SettleError, TXN_APP, tables, verdicts};

/// What is to be written of some traces.
pub(super) struct Outcome {
    pub(super) calls: Decided,
    pub(super) verdicts: Decided,
    /// What each trace will have then.
    pub(super) traces: Vec<(TraceKey, WrittenRows)>,
}

impl Rounds {
    /// What the rows of these traces, and of those they are linked to, are, and how that differs
    /// from what is written.
    pub(super) async fn decide(
        &mut self,
        snapshot: &Snapshot,
        due: &[TraceKey],
        state: CallState,
        now: i64,
    ) -> Result<Outcome, SettleError> {
        let quiet_since = now - super::job::micros(self.settings.quiet);
        let together = Box::pin(self.together(snapshot, due, state, quiet_since)).await?;
        let before = self.written_before(snapshot, &together).await?;
        let mut decided: Vec<(TraceKey, Call)> = Vec::new();
        let mut judged: Vec<OfTrace> = Vec::new();
        for (keys, settled) in together.settle(&self.open) {
            for (key, settled) in keys.iter().zip(settled) {
                decided.extend(settled.calls.into_iter().map(|call| (*key, call)));
                judged.extend(settled.judged.into_iter().map(|judged| {
                    let call_trace = match judged.verdict {
                        Verdict::Duplicate(_, of) => keys.get(of.trace).map(|k| k.trace),
                        Verdict::Rollup(_) => None,
                    };
                    OfTrace { trace: *key, call_trace, judged }
                }));
            }
        }
        let (owners, calls) = self.call_rows(snapshot, &together, decided, state, now).await?;
        let verdict_rows = verdicts::build(&judged, |tenant| self.open.tenant_name(tenant), now)?;
        let verdict_owners: Vec<TraceKey> = judged.iter().map(|v| v.trace).collect();
        let (mut calls_before, mut verdicts_before) = (HashMap::default(), HashMap::default());
        for (key, rows) in before {
            calls_before.insert(key, rows.calls);
            verdicts_before.insert(key, rows.verdicts);
        }
        let keys = &together.keys;
        let mut calls = Decided::against(&calls::TABLE, calls, &owners, keys, calls_before)?;
        let table = &span_verdicts::TABLE;
        let mut verdicts =
            Decided::against(table, verdict_rows, &verdict_owners, keys, verdicts_before)?;
        let traces = std::mem::take(&mut calls.traces).into_iter();
        let traces = traces.zip(std::mem::take(&mut verdicts.traces));
        let traces =
            traces.map(|((key, calls), (_, verdicts))| (key, WrittenRows { calls, verdicts }));
        let traces = traces.collect();
        Ok(Outcome { calls, verdicts, traces })
    }

    /// The rows of decided calls in the order of their table, and the trace of each.
    async fn call_rows(
        &mut self,
        snapshot: &Snapshot,
        together: &Together,
        decided: Vec<(TraceKey, Call)>,
        state: CallState,
        now: i64,
    ) -> Result<(Vec<TraceKey>, RecordBatch), SettleError> {
        if decided.is_empty() {
            return Ok((Vec::new(), RecordBatch::new_empty(calls::TABLE.scan_schema())));
        }
        let open = &self.open;
        let rows = |chunk: u32| open.rows(chunk).or_else(|| together.rows(chunk));
        let gathered =
            match Gathered::fetch(snapshot, decided.iter().map(|(_, call)| call), rows).await? {
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
        let decided = gathered.sort(decided, |(_, call)| call)?;
        let (owners, decided): (Vec<_>, Vec<_>) = decided.into_iter().unzip();
        Ok((owners, build(&decided, state, &gathered, pricer, now)?))
    }

    /// The rows that traces have, from memory or from the tables.
    async fn written_before(
        &mut self,
        snapshot: &Snapshot,
        together: &Together,
    ) -> Result<HashMap<TraceKey, WrittenRows>, SettleError> {
        let mut before =
            HashMap::with_capacity_and_hasher(together.keys.len(), RandomState::default());
        let mut unknown = HashMap::default();
        for key in &together.keys {
            match self.open.trace(key).and_then(|t| t.written.clone()) {
                Some(written) => before.insert(*key, written),
                None => unknown.insert(*key, WrittenRows::default()),
            };
        }
        if unknown.is_empty() {
            return Ok(before);
        }
        let (traces, day) = self.where_to_look(together, unknown.keys());
        for table in WRITTEN {
            let found = tables::rows_of(&self.session, snapshot, table, None, &traces, day).await?;
            for batch in found {
                self.group_written(table, &batch, &mut unknown)?;
            }
        }
        before.extend(unknown);
        Ok(before)
    }

    /// Writes what is not written yet: the verdicts first, because it is the commit to `calls`
    /// that says how far settle has come.
    pub(super) async fn write(
        &mut self,
        snapshot: &Snapshot,
        outcome: &Outcome,
        state: CallState,
    ) -> Result<(), SettleError> {
        if !outcome.verdicts.nothing_to_do() {
            let (remove, rows) = self.replacement(snapshot, &outcome.verdicts).await?;
            self.store.replace(&span_verdicts::TABLE, remove, rows, None).await?;
        }
        if outcome.calls.nothing_to_do() {
            return Ok(());
        }
        let (remove, rows) = self.replacement(snapshot, &outcome.calls).await?;
        let until = match state {
            CallState::Settled => self.open.settled_until_without(&outcome.traces),
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

    /// New rows beside what is there, or in place of files that have outdated rows.
    async fn replacement(
        &mut self,
        snapshot: &Snapshot,
        decided: &Decided,
    ) -> Result<(Vec<DataFile>, RecordBatch), SettleError> {
        let table = decided.table;
        let mut remove: Vec<DataFile> = Vec::new();
        let mut rows = vec![decided.rows.clone()];
        if !decided.outdated.is_empty() {
            let traces: HashSet<u128> = decided.outdated.iter().map(|k| k.trace).collect();
            let dates = &decided.outdated_dates;
            let files = tables::files_with(&self.session, snapshot, table, dates, &traces).await?;
            for (file, batches) in files {
                remove.push(file);
                for batch in batches {
                    let keys = self.keys(&batch)?;
                    let stays: Vec<bool> =
                        keys.iter().map(|k| !decided.outdated.contains(k)).collect();
                    rows.push(in_order_of(table, &filter_record_batch(&batch, &stays.into())?)?);
                }
            }
        }
        Ok((remove, concat_batches(&table.scan_schema(), &rows)?))
    }
}

/// The tables that settle writes.
pub(super) const WRITTEN: [&Table; 2] = [&calls::TABLE, &span_verdicts::TABLE];

impl WrittenRows {
    /// The rows in one of [`WRITTEN`].
    pub(super) fn of(&mut self, table: &'static Table) -> &mut Vec<Written> {
        if table.name == span_verdicts::TABLE.name { &mut self.verdicts } else { &mut self.calls }
    }
}

/// A batch read from a table, in the order of its columns.
fn in_order_of(table: &'static Table, batch: &RecordBatch) -> Result<RecordBatch, SettleError> {
    let schema: SchemaRef = table.scan_schema();
    let columns = schema.fields().iter().map(|f| {
        let name = || crate::prices::PriceError::Column { column: f.name().clone() };
        let column = batch.column_by_name(f.name()).ok_or_else(name)?;
        let to: &DataType = f.data_type();
        Ok(cast(column, to)?)
    });
    let columns = columns.collect::<Result<Vec<_>, SettleError>>()?;
    Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?)
}
