//! One flush: frames to rows on the blocking pool, one commit per table, then the log is trimmed.
//! Takes frames in the order of the log; keeps them until every table has them. A frame whose
//! rows cannot be built is set aside, counted and logged: it must not hold up the ones behind.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arrow::record_batch::RecordBatch;
use futures::future::join_all;
use metrics::{counter, gauge, histogram};
use spanledger_schemas::Table;
use spanledger_schemas::ids::LogSeq;
use spanledger_store::{Store, StoreError, Txn};

use crate::buffer::{Builders, ContentRules};
use crate::decode::DecodeLimits;
use crate::frame::Frame;
use crate::normalise::Names;
use crate::wal::Wal;
use crate::{fault, limits};

/// Writes flushes.
#[derive(Debug)]
pub(crate) struct Committer {
    pub(crate) store: Store,
    pub(crate) log: Arc<Wal>,
    pub(crate) rules: ContentRules,
    pub(crate) names: Arc<Names>,
    pub(crate) limits: DecodeLimits,
    /// Where frames go whose rows cannot be built.
    pub(crate) quarantine: PathBuf,
    pub(crate) clock: fn() -> i64,
    progress: Mutex<Progress>,
}

/// How commits go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// Since when the current flush runs.
    pub(crate) running: Option<Instant>,
    /// Why the last attempt failed, until one succeeds.
    pub(crate) commit_error: Option<String>,
    /// Why the log could not be trimmed the last time.
    pub(crate) trim_error: Option<String>,
    /// Last sequence in the tables.
    pub(crate) committed: LogSeq,
}

/// How often a failed commit is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Not at all.
    None,
    /// Until it succeeds.
    Endless,
}

type Batches = Vec<(&'static Table, RecordBatch)>;

/// What the builders made of frames.
enum Built {
    /// Rows of the first frames, that many.
    Rows(Batches, usize),
    /// Rows of this frame cannot be built.
    Broken(usize, String),
}

/// The application id of the collector's commits to a table.
pub(crate) fn app(table: &Table) -> String {
    format!("collector/{}", table.name)
}

impl Committer {
    pub(crate) fn new(
        store: Store,
        log: Arc<Wal>,
        rules: ContentRules,
        names: Arc<Names>,
        data_dir: &Path,
        clock: fn() -> i64,
    ) -> Committer {
        Committer {
            store,
            log,
            rules,
            names,
            limits: DecodeLimits::default(),
            quarantine: data_dir.join("quarantine"),
            clock,
            progress: Mutex::default(),
        }
    }

    /// Brings frames into the tables and trims the log behind them. Fails only without patience.
    #[tracing::instrument(level = "debug", name = "flush", skip_all, fields(requests = frames.len()))]
    pub(crate) async fn commit(
        &self,
        frames: Vec<Frame>,
        patience: Patience,
    ) -> Result<(), StoreError> {
        let started = Instant::now();
        self.progress().running = Some(started);
        let frames = Arc::new(frames);
        let (mut from, mut to) = (0, frames.len());
        while from < frames.len() {
            match self.build(&frames, from, to).await {
                Built::Rows(batches, count) => {
                    let Some(last) = frames[..from + count].last() else { break };
                    self.write(batches, last.seq, patience).await?;
                    from += count;
                    to = frames.len();
                }
                Built::Broken(at, error) if at == from => {
                    self.set_aside(&frames[at], &error).await;
                    from += 1;
                    to = frames.len();
                }
                // The ones before it first: builders that met a broken one are thrown away.
                Built::Broken(at, _) => to = at,
            }
        }
        if let Some(last) = frames.last() {
            fault::hit(fault::FLUSH_COMMITTED);
            self.trim(last.seq).await;
        }
        self.progress().running = None;
        histogram!("spanledger_flush_seconds").record(started.elapsed());
        Ok(())
    }

    /// How commits go.
    pub(crate) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Deletes what the log need not keep. A failure is kept for health and tried again at the
    /// next flush.
    pub(crate) async fn trim(&self, committed: LogSeq) {
        let (log, now) = (self.log.clone(), (self.clock)());
        let trimmed = tokio::task::spawn_blocking(move || log.trim(committed, now)).await;
        let error = match trimmed {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(panicked) => Some(panicked.to_string()),
        };
        if let Some(error) = &error {
            tracing::error!(error, seq = committed.0, "the log cannot be trimmed");
        }
        let mut progress = self.progress();
        progress.committed = progress.committed.max(committed);
        progress.trim_error = error;
    }

    async fn build(&self, frames: &Arc<Vec<Frame>>, from: usize, to: usize) -> Built {
        let (rules, limits, all) = (self.rules.clone(), self.limits, frames.clone());
        let names = Arc::clone(&self.names);
        let task = tokio::task::spawn_blocking(move || build(&all[from..to], rules, names, limits));
        match task.await {
            Ok(Built::Broken(at, error)) => Built::Broken(from + at, error),
            Ok(rows) => rows,
            // Which one made the builders panic is found by halves.
            Err(panicked) if to - from > 1 => {
                Built::Broken(from + (to - from) / 2, panicked.to_string())
            }
            Err(panicked) => Built::Broken(from, panicked.to_string()),
        }
    }

    async fn write(
        &self,
        mut batches: Batches,
        last: LogSeq,
        patience: Patience,
    ) -> Result<(), StoreError> {
        let mut pause = limits::COMMIT_RETRY_FIRST;
        while let Err((left, error)) = self.write_once(batches, last).await {
            counter!("spanledger_commit_failures_total").increment(1);
            tracing::error!(%error, seq = last.0, "committing to the tables");
            self.progress().commit_error = Some(error.to_string());
            if patience == Patience::None {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(limits::COMMIT_RETRY_MAX);
            batches = left;
        }
        self.progress().commit_error = None;
        Ok(())
    }

    /// Commits all tables at once; gives back the batches of those that failed.
    async fn write_once(
        &self,
        batches: Batches,
        last: LogSeq,
    ) -> Result<(), (Batches, StoreError)> {
        // A log of 2^63 requests is out of reach.
        let version = i64::try_from(last.0).unwrap_or(i64::MAX);
        let appends = batches.into_iter().map(|(table, rows)| async move {
            let txn = Txn { app: app(table), version };
            let appended = self.store.append(table, rows.clone(), Some(txn)).await;
            match appended {
                Ok(_) => {
                    counter!("spanledger_committed_rows_total", "table" => table.name)
                        .increment(rows.num_rows() as u64);
                    None
                }
                Err(error) => Some(((table, rows), error)),
            }
        });
        let failed: Vec<_> = join_all(appends).await.into_iter().flatten().collect();
        let (left, errors): (Batches, Vec<StoreError>) = failed.into_iter().unzip();
        match errors.into_iter().next() {
            None => Ok(()),
            Some(first) => Err((left, first)),
        }
    }

    /// Keeps a frame whose rows cannot be built where a person can look at it.
    async fn set_aside(&self, frame: &Frame, error: &str) {
        let file = self.quarantine.join(format!("{:020}.{}.pb", frame.seq.0, frame.signal.name()));
        let (folder, body) = (self.quarantine.clone(), frame.body.clone());
        let kept = file.clone();
        let write = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&folder)?;
            std::fs::write(&kept, &body)?;
            std::fs::File::open(&kept)?.sync_all()?;
            std::fs::File::open(&folder)?.sync_all()
        });
        let written = write.await.unwrap_or_else(|panicked| Err(std::io::Error::other(panicked)));
        counter!("spanledger_quarantined_requests_total").increment(1);
        gauge!("spanledger_quarantine_last_seq").set(frame.seq.0 as f64);
        let kept = written.is_ok();
        tracing::error!(
            seq = frame.seq.0,
            signal = frame.signal.name(),
            error,
            file = %file.display(),
            kept,
            "a logged request cannot be turned into rows; it is set aside"
        );
    }
}

fn build(frames: &[Frame], rules: ContentRules, names: Arc<Names>, limits: DecodeLimits) -> Built {
    let mut builders = Builders::with_limits(rules, limits).with_names(names);
    for (at, frame) in frames.iter().enumerate() {
        if let Err(error) = builders.append(frame) {
            return Built::Broken(at, error.to_string());
        }
        if builders.bytes() >= crate::limits::ROWS_BYTES_MAX {
            return Built::Rows(builders.finish(), at + 1);
        }
    }
    Built::Rows(builders.finish(), frames.len())
}
