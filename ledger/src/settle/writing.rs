//! Writing: what the rows of traces in `calls` and `span_verdicts` are, how that differs from what
//! is written, and commits that make up for it. Takes traces that are due; it does not know why
//! they are.

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use spanledger_schemas::Table;
use spanledger_schemas::tables::{calls, span_verdicts, spans};
use spanledger_store::{DataFile, FileRows, Snapshot, StoreError, Txn};

use super::calls::build;
use super::decided::Decided;
use super::gather::Gathered;
use super::job::Rounds;
use super::open::{TraceKey, Written, WrittenRows};
use super::together::Together;
use super::trace::Call;
use super::verdict::Verdict;
use super::verdicts::OfTrace;
use super::{CallState, HashMap, SettleError, TXN_APP, tables, verdicts};
use crate::limits;

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
        let keys = &together.keys;
        let settled = together.settle(&self.open);
        let calls = settled.iter().flat_map(|(_, group)| group).map(|s| s.calls.len()).sum();
        let mut decided: Vec<(usize, Call)> = Vec::with_capacity(calls);
        let (mut judged, mut judged_of) = (Vec::new(), Vec::new());
        for (group, settled) in settled {
            for (&at, settled) in group.iter().zip(settled) {
                decided.extend(settled.calls.into_iter().map(|call| (at, call)));
                for one in settled.judged {
                    let call_trace = match one.verdict {
                        Verdict::Duplicate(_, of) => group.get(of.trace).map(|at| keys[*at].trace),
                        Verdict::Rollup(_) => None,
                    };
                    judged.push(OfTrace { trace: keys[at], call_trace, judged: one });
                    judged_of.push(at);
                }
            }
        }
        let (owners, calls) = self.call_rows(snapshot, &together, decided, state, now).await?;
        let verdict_rows = verdicts::build(&judged, |tenant| self.open.tenant_name(tenant), now)?;
        let (calls_before, verdicts_before) =
            before.into_iter().map(|rows| (rows.calls, rows.verdicts)).unzip();
        let mut calls = Decided::against(&calls::TABLE, calls, &owners, keys, calls_before)?;
        let table = &span_verdicts::TABLE;
        let mut verdicts =
            Decided::against(table, verdict_rows, &judged_of, keys, verdicts_before)?;
        let traces = std::mem::take(&mut calls.traces).into_iter();
        let traces = traces.zip(std::mem::take(&mut verdicts.traces));
        let traces =
            traces.map(|((key, calls), (_, verdicts))| (key, WrittenRows { calls, verdicts }));
        let traces = traces.collect();
        Ok(Outcome { calls, verdicts, traces })
    }

    /// The rows of decided calls in the order of their table, and the place of the trace of each.
    async fn call_rows(
        &mut self,
        snapshot: &Snapshot,
        together: &Together,
        mut decided: Vec<(usize, Call)>,
        state: CallState,
        now: i64,
    ) -> Result<(Vec<usize>, RecordBatch), SettleError> {
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
        gathered.keep_true_sums(decided.iter_mut().map(|(_, call)| call))?;
        let order = gathered.order(decided.iter().map(|(_, call)| call))?;
        let in_order = order.into_iter().map(|place| decided[place]);
        let (owners, decided): (Vec<_>, Vec<_>) = in_order.unzip();
        Ok((owners, build(&decided, state, &gathered, pricer, now)?))
    }

    /// The rows that each of the traces has, from memory or from the tables.
    async fn written_before(
        &mut self,
        snapshot: &Snapshot,
        together: &Together,
    ) -> Result<Vec<WrittenRows>, SettleError> {
        let mut unknown: HashMap<TraceKey, WrittenRows> = HashMap::default();
        let mut before: Vec<Option<WrittenRows>> = Vec::with_capacity(together.keys.len());
        for key in &together.keys {
            let written = self.open.trace(key).and_then(|t| t.written.clone());
            if written.is_none() {
                unknown.insert(*key, WrittenRows::default());
            }
            before.push(written);
        }
        if !unknown.is_empty() {
            let (traces, day) = self.where_to_look(together, unknown.keys());
            for table in WRITTEN {
                let found = tables::rows_of(&self.session, snapshot, table, None, &traces, day);
                for batch in found.await? {
                    self.group_written(table, &batch, &mut unknown)?;
                }
            }
        }
        let rows = together.keys.iter().zip(before);
        Ok(rows
            .map(|(key, known)| known.or_else(|| unknown.remove(key)).unwrap_or_default())
            .collect())
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
            let outdated = self.outdated(snapshot, &outcome.verdicts).await?;
            let rows = outcome.verdicts.rows.clone();
            self.store.replace_rows(&span_verdicts::TABLE, outdated, rows, None).await?;
        }
        if outcome.calls.nothing_to_do() {
            return Ok(());
        }
        let outdated = self.outdated(snapshot, &outcome.calls).await?;
        let until = match state {
            CallState::Settled => self.open.settled_until_without(&outcome.traces),
            CallState::Provisional => self.open.settled_until(),
        };
        let version = tables::version_for(until.unwrap_or_default(), self.recorded);
        let txn = Txn { app: TXN_APP.to_owned(), version };
        let rows = outcome.calls.rows.clone();
        self.store.replace_rows(&calls::TABLE, outdated, rows, Some(txn)).await?;
        let found = self.store.txn_version(&calls::TABLE, TXN_APP).await?.unwrap_or_default();
        if found != version {
            return Err(SettleError::NotAlone { expected: version, found });
        }
        self.recorded = Some(version);
        Ok(())
    }

    /// Where the outdated rows are.
    async fn outdated(
        &mut self,
        snapshot: &Snapshot,
        decided: &Decided,
    ) -> Result<Vec<FileRows>, SettleError> {
        let mut outdated = Vec::new();
        if decided.outdated.is_empty() {
            return Ok(outdated);
        }
        let table = decided.table;
        let traces: Vec<u128> = decided.outdated.iter().map(|key| key.trace).collect();
        let few = traces.len() <= limits::TRACES_PER_LOOKUP;
        let of_days = |file: &&DataFile| decided.outdated_dates.contains(&file.date);
        for file in snapshot.files(table).iter().filter(of_days) {
            if few && !tables::has_traces(&self.session, snapshot, table, file, &traces).await? {
                continue;
            }
            let mut rows = tables::traces_in(&self.session, snapshot, table, file).await?;
            let (mut first, mut places) = (0, Vec::new());
            while let Some(batch) = rows.try_next().await? {
                let keys = (first..).zip(self.keys(&batch)?);
                let theirs = keys.filter(|(_, key)| decided.outdated.contains(key));
                places.extend(theirs.map(|(place, _)| place));
                first += batch.num_rows() as u32;
            }
            if !places.is_empty() {
                outdated.push(FileRows { file: file.clone(), places });
            }
        }
        Ok(outdated)
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
