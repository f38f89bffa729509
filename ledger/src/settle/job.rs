//! The job: follows table `spans`, settles traces that have been quiet, writes `calls`. Takes a
//! store and instants, gives commits and a status. The rules are in `trace`, the restart rule in
//! the module's header; here is only the order of things.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, concat_batches, filter_record_batch};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use spanledger_schemas::tables::{calls, prices, spans};
use spanledger_schemas::time;
use spanledger_store::{DataFile, Snapshot, Store, StoreError, Txn};
use tokio::sync::watch;

use super::calls::build;
use super::chunk::{Chunk, Rows};
use super::content::contents;
use super::decided::Decided;
use super::gather::Gathered;
use super::open::{OpenTraces, TraceKey, Written};
use super::trace::{Call, SpanView, settle_trace};
use super::{CallState, SettleError, SettleSettings, SettleStatus, TXN_APP, chunk, tables};
use crate::limits;
use crate::prices::columns::text;
use crate::prices::{Pricer, load};

/// What one round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// Spans read.
    pub spans: usize,
    /// Traces settled, again or for the first time.
    pub traces: usize,
    /// Rows of `calls` written.
    pub written: usize,
    /// Rows of `calls` taken out or replaced.
    pub replaced: usize,
}

/// Where the time comes from: [`jiff::Timestamp::now`], or a test's own.
pub type Clock = fn() -> jiff::Timestamp;

/// Settles the traces of one store. Rounds run one after another; the status can be asked at any
/// time.
pub struct Settler {
    rounds: tokio::sync::Mutex<Rounds>,
    every: std::time::Duration,
    clock: Clock,
    status: watch::Sender<SettleStatus>,
}

/// What the rounds work on.
struct Rounds {
    store: Store,
    settings: SettleSettings,
    session: SessionContext,
    open: OpenTraces,
    pricer: Option<(i64, Pricer)>,
    /// Version of `spans` read to its end; `None` before the first round.
    spans_version: Option<i64>,
    /// Last version recorded in `calls`.
    recorded: Option<i64>,
    /// Models that have a label of their own in the metric of unpriced calls.
    models_labelled: HashSet<String>,
}

impl Settler {
    /// A settler of that store. It reads nothing before its first round.
    pub fn new(store: Store, settings: SettleSettings, clock: Clock) -> Settler {
        let every = settings.every;
        let rounds = Rounds {
            store,
            settings,
            session: tables::session(),
            open: OpenTraces::default(),
            pricer: None,
            spans_version: None,
            recorded: None,
            models_labelled: HashSet::new(),
        };
        let status = watch::Sender::new(SettleStatus::default());
        Settler { rounds: tokio::sync::Mutex::new(rounds), every, clock, status }
    }

    /// How far it has come.
    pub fn status(&self) -> SettleStatus {
        self.status.borrow().clone()
    }

    /// The status as it changes, for answers that show their coverage and for health.
    pub fn watch(&self) -> watch::Receiver<SettleStatus> {
        self.status.subscribe()
    }

    /// Runs rounds until `shutdown` is true or its sender is gone. A round that fails is logged
    /// and tried again: what it had read stays open. Before it returns, one last round settles
    /// what is due.
    pub async fn run(&self, mut shutdown: watch::Receiver<bool>) {
        loop {
            let stopping = *shutdown.borrow();
            if let Err(error) = Box::pin(self.run_once((self.clock)())).await {
                tracing::error!(error = %error, "settle round failed; trying again");
            }
            if stopping {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(self.every) => {}
                gone = shutdown.wait_for(|stop| *stop) => if gone.is_err() { return },
            }
        }
    }

    /// One round: reads the spans committed since the last one, and settles every trace that has
    /// been quiet at `now`.
    ///
    /// # Errors
    /// When a table cannot be read or written. The next round repeats what failed.
    pub async fn run_once(&self, now: jiff::Timestamp) -> Result<Round, SettleError> {
        let mut rounds = self.rounds.lock().await;
        let done = Box::pin(rounds.round(now.as_microsecond())).await;
        let last_error = done.as_ref().err().map(ToString::to_string);
        self.status.send_replace(SettleStatus { last_error, ..rounds.status() });
        done
    }
}

impl Rounds {
    /// How far the rounds have come; also into the metrics.
    fn status(&self) -> SettleStatus {
        let settled_until = self.open.settled_until();
        let status = SettleStatus {
            settled_until: settled_until.and_then(|at| jiff::Timestamp::from_microsecond(at).ok()),
            open_traces: self.open.unsettled(),
            open_bytes: self.open.bytes(),
            spans_version: self.spans_version,
            last_error: None,
        };
        metrics::gauge!("spanledger_settle_open_traces").set(status.open_traces as f64);
        metrics::gauge!("spanledger_settle_open_bytes").set(status.open_bytes as f64);
        if let (Some(until), Some(newest)) = (settled_until, self.open.received()) {
            metrics::gauge!("spanledger_settle_lag_seconds").set((newest - until) as f64 / 1e6);
        }
        status
    }

    #[tracing::instrument(level = "debug", name = "settle", skip_all)]
    async fn round(&mut self, now: i64) -> Result<Round, SettleError> {
        let snapshot = self.store.snapshot().await?;
        self.refresh_prices(&snapshot).await?;
        let mut round = Round::default();
        match self.spans_version {
            None => Box::pin(self.recover(&snapshot, now, &mut round)).await?,
            Some(since) => {
                let changes = self.store.changes(&spans::TABLE, Some(since)).await?;
                for file in &changes.files {
                    Box::pin(self.follow(&snapshot, file, now, &mut round)).await?;
                }
                self.spans_version = Some(changes.version);
            }
        }
        self.settle_quiet(now, &mut round).await?;
        self.open.forget_settled(now - micros(limits::SETTLED_KEPT), limits::SETTLED_BYTES_MAX);
        Ok(round)
    }

    /// The first round: what an earlier run left open is read again, in the order in which it was
    /// received, a window at a time, so that a long backlog needs no more memory than live spans.
    async fn recover(
        &mut self,
        snapshot: &Snapshot,
        now: i64,
        round: &mut Round,
    ) -> Result<(), SettleError> {
        self.recorded = self.store.txn_version(&calls::TABLE, TXN_APP).await?;
        let recovering = self.recorded.is_some() || !snapshot.files(&calls::TABLE).is_empty();
        let first = tables::first_received(&self.session, snapshot).await?;
        let mut from = first.unwrap_or(now);
        if let Some(recorded) = self.recorded {
            let since = tables::instant_of(recorded) - micros(limits::RESTART_OVERLAP);
            from = from.max(since);
            self.remember_traces(snapshot, from).await?;
        }
        while from <= now {
            let to = from.saturating_add(micros(limits::RECOVERY_WINDOW)).min(now + 1);
            // What is received from now on comes with the last window.
            let end = if to > now { i64::MAX } else { to };
            let mut rows = tables::spans_between(&self.session, snapshot, from, end).await?;
            while let Some(batch) = rows.try_next().await? {
                let read = chunk::read(&batch, self.open.next_chunk())?;
                self.take(read, recovering, to, round).await?;
            }
            self.look_up_written(snapshot).await?;
            self.settle_quiet(to, round).await?;
            from = to;
        }
        let version = snapshot.versions().get(spans::TABLE.name).copied();
        self.spans_version = Some(version.unwrap_or_default());
        Ok(())
    }

    /// Remembers which traces have spans that were received before an instant.
    async fn remember_traces(&mut self, snapshot: &Snapshot, to: i64) -> Result<(), SettleError> {
        let from = to - micros(limits::RECENT_TRACES_WINDOW);
        let mut rows = tables::traces_between(&self.session, snapshot, from, to).await?;
        while let Some(batch) = rows.try_next().await? {
            for key in self.keys(&batch)? {
                self.open.remember(key);
            }
        }
        Ok(())
    }

    /// The rows of `calls` that an earlier run wrote for the traces now in memory, in one scan.
    async fn look_up_written(&mut self, snapshot: &Snapshot) -> Result<(), SettleError> {
        let mut unknown: HashMap<TraceKey, Vec<Written>> = HashMap::new();
        let mut from = i64::MAX;
        for (key, trace) in self.open.rows_unknown() {
            unknown.insert(*key, Vec::new());
            from = from.min(trace.start);
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let day = time::day(from.saturating_mul(1_000));
        let mut rows = tables::calls_since(&self.session, snapshot, day).await?;
        while let Some(batch) = rows.try_next().await? {
            self.group_written(&batch, &mut unknown)?;
        }
        for (key, written) in unknown {
            self.open.set_written(key, written);
        }
        Ok(())
    }

    /// Sorts rows of `calls` into the traces that ask for them.
    fn group_written(
        &mut self,
        batch: &RecordBatch,
        traces: &mut HashMap<TraceKey, Vec<Written>>,
    ) -> Result<(), SettleError> {
        let keys = self.keys(batch)?;
        let wanted: Vec<bool> = keys.iter().map(|k| traces.contains_key(k)).collect();
        let rows = filter_record_batch(batch, &BooleanArray::from(wanted.clone()))?;
        let keys = keys.into_iter().zip(wanted).filter(|(_, w)| *w).map(|(k, _)| k);
        for (key, written) in keys.zip(contents(&rows)?) {
            traces.entry(key).or_default().push(written);
        }
        Ok(())
    }

    /// Reads the spans of a new file; settles on the way what has been quiet as seen from where
    /// the reading is.
    async fn follow(
        &mut self,
        snapshot: &Snapshot,
        file: &DataFile,
        now: i64,
        round: &mut Round,
    ) -> Result<(), SettleError> {
        let mut rows = tables::spans_in(&self.session, snapshot, file).await?;
        let (mut first, mut step) = (0, 0);
        while let Some(batch) = rows.try_next().await? {
            let read = chunk::read_of(file, first, &batch, self.open.next_chunk())?;
            first += batch.num_rows() as u32;
            self.take(read, false, now, round).await?;
            if first as usize / limits::ROWS_PER_STEP > step {
                step = first as usize / limits::ROWS_PER_STEP;
                let here = self.open.received().unwrap_or(now).min(now);
                self.settle_quiet(here, round).await?;
            }
        }
        Ok(())
    }

    /// Takes in spans; what memory has no room for is settled early.
    async fn take(
        &mut self,
        read: Chunk,
        recovering: bool,
        now: i64,
        round: &mut Round,
    ) -> Result<(), SettleError> {
        let spans = read.spans.len();
        round.spans += spans;
        let reopened = self.open.take(read, recovering);
        metrics::counter!("spanledger_settle_spans_total").increment(spans as u64);
        metrics::counter!("spanledger_settle_reopened_traces_total").increment(reopened as u64);
        while let Some(early) = self.open.over(self.settings.open_bytes_max) {
            Box::pin(self.settle(&early, CallState::Provisional, now, round)).await?;
            self.open.forget_oldest();
        }
        Ok(())
    }

    async fn settle_quiet(&mut self, now: i64, round: &mut Round) -> Result<(), SettleError> {
        loop {
            let quiet_since = now - micros(self.settings.quiet);
            let due = self.open.due(quiet_since, limits::TRACES_PER_COMMIT_MAX);
            if due.is_empty() {
                return Ok(());
            }
            if let Err(error) = Box::pin(self.settle(&due, CallState::Settled, now, round)).await {
                self.open.put_back(&due);
                return Err(error);
            }
        }
    }

    /// Settles traces: decides their calls, writes the rows that are not there yet in this form.
    async fn settle(
        &mut self,
        due: &[TraceKey],
        state: CallState,
        now: i64,
        round: &mut Round,
    ) -> Result<(), SettleError> {
        for attempt in 1.. {
            match Box::pin(self.settle_once(due, state, now, round)).await {
                // Compacted meanwhile: look again.
                Err(SettleError::Store(StoreError::FileGone { .. }))
                    if attempt < limits::COMMIT_ATTEMPTS => {}
                done => return done,
            }
        }
        Ok(())
    }

    async fn settle_once(
        &mut self,
        due: &[TraceKey],
        state: CallState,
        now: i64,
        round: &mut Round,
    ) -> Result<(), SettleError> {
        // What is settled early must have its spans here; a file may have gone since.
        let ready = |key: &&TraceKey| {
            state == CallState::Settled || self.open.trace(key).is_some_and(|t| t.complete)
        };
        let due: Vec<TraceKey> = due.iter().filter(ready).copied().collect();
        let snapshot = self.store.snapshot().await?;
        let decided = self.decide(&snapshot, &due, state, now).await?;
        self.write(&snapshot, &decided, state).await?;
        self.count(&decided, round);
        for (key, written) in decided.traces {
            self.open.settled(key, written, state == CallState::Settled);
        }
        Ok(())
    }

    /// What the rows of `calls` of these traces are, and how that differs from what is written.
    async fn decide(
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
    async fn written_before(
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
    async fn spans_elsewhere(
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
    fn where_to_look<'a>(&self, keys: impl Iterator<Item = &'a TraceKey>) -> (Vec<u128>, i32) {
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
    async fn write(
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

    fn keys(&mut self, batch: &RecordBatch) -> Result<Vec<TraceKey>, SettleError> {
        let (tenant, trace) = (text(batch, "tenant")?, text(batch, "trace_id")?);
        let key = |i: usize| TraceKey {
            tenant: self.open.tenant(&Arc::from(tenant.value(i))),
            trace: chunk::trace_id(trace.value(i)),
        };
        Ok((0..batch.num_rows()).map(key).collect())
    }

    async fn refresh_prices(&mut self, snapshot: &Snapshot) -> Result<(), SettleError> {
        let version = snapshot.versions().get(prices::TABLE.name).copied().unwrap_or_default();
        if self.pricer.as_ref().is_none_or(|(known, _)| *known != version) {
            self.pricer = Some((version, Pricer::new(load(snapshot).await?)));
        }
        Ok(())
    }

    /// Metrics of what was written.
    fn count(&mut self, decided: &Decided, round: &mut Round) {
        round.traces += decided.traces.len();
        round.written += decided.rows.num_rows();
        round.replaced += decided.outdated_rows;
        metrics::counter!("spanledger_settled_calls_total")
            .increment(decided.rows.num_rows() as u64);
        let (Some(state), Some(model)) = (
            decided.rows.column_by_name("price_state").and_then(|c| c.as_string_opt::<i32>()),
            decided.rows.column_by_name("model").and_then(|c| c.as_string_opt::<i32>()),
        ) else {
            return;
        };
        for (i, _) in state.iter().enumerate().filter(|(_, s)| *s == Some("unpriced")) {
            let name = if model.is_valid(i) { model.value(i) } else { "none" };
            let room = self.models_labelled.len() < limits::UNPRICED_MODEL_LABELS_MAX;
            if room && !self.models_labelled.contains(name) {
                self.models_labelled.insert(name.to_owned());
            }
            let label = if self.models_labelled.contains(name) { name } else { "other" };
            metrics::counter!("spanledger_unpriced_calls_total", "model" => label.to_owned())
                .increment(1);
        }
    }
}

/// Spans read from the table, beside those in memory.
#[derive(Default)]
struct Elsewhere {
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

fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
