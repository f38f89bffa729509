//! The job: follows table `spans`, settles traces that have been quiet, writes `calls`. Takes a
//! store and instants, gives a status. The rules are in `trace`, the restart rule in the module's
//! header, reading and writing in their own files; here is only the order of things.

use arrow::array::Array;
use datafusion::prelude::SessionContext;
use spanledger_schemas::tables::{log_records, prices, spans};
use spanledger_store::{Snapshot, Store, StoreError};
use tokio::sync::watch;

use super::decided::Decided;
use super::open::{OpenTraces, TraceKey};
use super::{CallState, HashSet, SettleError, SettleSettings, SettleStatus, tables};
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
pub(super) struct Rounds {
    pub(super) store: Store,
    pub(super) settings: SettleSettings,
    pub(super) session: SessionContext,
    pub(super) open: OpenTraces,
    pub(super) pricer: Option<(i64, Pricer)>,
    /// Version of `spans` read to its end; `None` before the first round.
    pub(super) spans_version: Option<i64>,
    /// The same of `log_records`.
    pub(super) records_version: i64,
    /// Whether a log record was met that tells of a call.
    pub(super) records_seen: bool,
    /// Last version recorded in `calls`.
    pub(super) recorded: Option<i64>,
    /// Rows read since it was last looked which traces are due.
    pub(super) read_since_look: usize,
    /// Models that have a label of their own in the metric of unpriced calls.
    pub(super) models_labelled: HashSet<String>,
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
            records_version: 0,
            records_seen: false,
            recorded: None,
            read_since_look: 0,
            models_labelled: HashSet::default(),
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
                let table = &log_records::TABLE;
                let changes = self.store.changes(table, Some(self.records_version)).await?;
                for file in &changes.files {
                    Box::pin(self.follow_records(&snapshot, file, now, &mut round)).await?;
                }
                self.records_version = changes.version;
            }
        }
        self.settle_quiet(now, &mut round).await?;
        self.open.forget_settled(now - micros(limits::SETTLED_KEPT), limits::SETTLED_BYTES_MAX);
        Ok(round)
    }

    pub(super) async fn settle_quiet(
        &mut self,
        now: i64,
        round: &mut Round,
    ) -> Result<(), SettleError> {
        loop {
            let quiet_since = now - micros(self.settings.quiet);
            let due = self.open.due(quiet_since, limits::TRACES_PER_COMMIT_MAX);
            if due.is_empty() {
                return Ok(());
            }
            let lost = |key: &&TraceKey| self.open.trace(key).is_some_and(|t| !t.complete);
            if due.iter().filter(lost).count() > limits::TRACES_PER_LOOKUP {
                self.open.put_back(&due);
                Box::pin(self.recall(quiet_since)).await?;
                continue;
            }
            if let Err(error) = Box::pin(self.settle(&due, CallState::Settled, now, round)).await {
                self.open.put_back(&due);
                return Err(error);
            }
        }
    }

    /// Settles traces: decides their calls, writes the rows that are not there yet in this form.
    pub(super) async fn settle(
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
        // A round may be long, and calls are priced with what is believed when they are settled.
        self.refresh_prices(&snapshot).await?;
        let outcome = self.decide(&snapshot, &due, state, now).await?;
        self.write(&snapshot, &outcome, state).await?;
        round.traces += outcome.traces.len();
        self.count(&outcome.calls, round);
        // Prices may have come while these calls were on their way, and been applied to all that
        // were there (`prices::reprice`): then they are decided once more, by the new ones.
        let outdated = self.look_for_prices().await;
        let done = state == CallState::Settled && matches!(outdated, Ok(false));
        for (key, written) in outcome.traces {
            self.open.settled(key, written, done);
        }
        if outdated? && state == CallState::Settled {
            self.open.put_back(&due);
        }
        Ok(())
    }

    /// Takes the newest prices. Returns whether they are of another version than before.
    async fn look_for_prices(&mut self) -> Result<bool, SettleError> {
        let snapshot = self.store.snapshot().await?;
        self.refresh_prices(&snapshot).await
    }

    /// Takes the prices of a snapshot. Returns whether they are of another version than before.
    async fn refresh_prices(&mut self, snapshot: &Snapshot) -> Result<bool, SettleError> {
        let version = snapshot.versions().get(prices::TABLE.name).copied().unwrap_or_default();
        let known = self.pricer.as_ref().is_some_and(|(known, _)| *known == version);
        if !known {
            self.pricer = Some((version, Pricer::new(load(snapshot).await?)));
        }
        Ok(!known)
    }

    /// Metrics of what was written.
    fn count(&mut self, decided: &Decided, round: &mut Round) {
        round.written += decided.rows.num_rows();
        round.replaced += decided.outdated_rows;
        metrics::counter!("spanledger_settled_calls_total")
            .increment(decided.rows.num_rows() as u64);
        // Rows of `calls` have both.
        let (Ok(state), Ok(model)) =
            (text(&decided.rows, "price_state"), text(&decided.rows, "model"))
        else {
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

pub(super) fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
