//! Upkeep: what keeps the tables small, fast and clean while they are written and read. Takes the
//! tables as they are, gives the same rows in fewer files; safe to be killed at any point, and
//! beside readers and writers of other processes. Owns the order of the steps; each step is a
//! module.

mod dedup;
mod merge;
mod runs;
mod sweep;
mod tiers;

pub(crate) use runs::Input;

use std::path::PathBuf;
use std::time::Duration;

use deltalake::protocol::DeltaOperation;

use crate::error::blocking;
use crate::log::{Commit, Outcome, TableLog, add, now_ms, remove};
use crate::store::OpenTable;
use crate::{Store, StoreError, StoreOptions, fault, limits, write};

/// A day in milliseconds.
const DAY_MS: i64 = 86_400_000;

impl Store {
    /// One round of upkeep: retention, compaction, checkpoints, log cleanup, deletion of files
    /// that no reader needs any more. Meant to be called every minute; a round that finds
    /// nothing to do costs a listing of the folders. Burns CPU on the runtime it is called on.
    ///
    /// # Errors
    /// The first error; the other tables are seen to all the same.
    pub async fn maintain(&self) -> Result<(), StoreError> {
        self.round(limits::QUIET_DAY).await
    }

    /// The same, but merges every day down to as few files as their target size allows, also the
    /// days that are still being written.
    ///
    /// # Errors
    /// As [`Store::maintain`].
    pub async fn compact(&self) -> Result<(), StoreError> {
        self.round(Duration::ZERO).await
    }

    async fn round(&self, quiet: Duration) -> Result<(), StoreError> {
        // Two rounds at once would only merge the same files twice.
        let _turn = self.inner.upkeep.lock().await;
        let mut first = Ok(());
        for open in &self.inner.tables {
            let done = Box::pin(self.round_of(open, quiet)).await;
            open.note_upkeep(done.as_ref().err());
            let files = open.log.known().files.len();
            metrics::gauge!("spanledger_store_active_files", "table" => open.log.table.name)
                .set(u32::try_from(files).unwrap_or(u32::MAX));
            if first.is_ok() {
                first = done;
            }
        }
        first
    }

    async fn round_of(&self, open: &OpenTable, quiet: Duration) -> Result<(), StoreError> {
        let log = &open.log;
        let options = &self.inner.options;
        expire(log, options).await?;
        while self.merge_once(log, quiet).await? {}
        log.checkpoint_if_due().await?;
        log.cleanup().await?;
        sweep(log, options).await
    }

    /// Does one round of merges; true when the new files may be merged further.
    async fn merge_once(&self, log: &TableLog, quiet: Duration) -> Result<bool, StoreError> {
        let view = log.view().await?;
        let mut merged = false;
        for what in tiers::choose(log.table, &view.files, now_ms(), quiet) {
            let new = merge::merge(&self.inner.reading, log.table, &log.dir, &what).await?;
            let inputs = &what.files;
            fault::point(fault::IN_COMPACTION_BEFORE_COMMIT);
            let mut actions: Vec<_> = inputs.iter().map(|f| remove(&f.file, false)).collect();
            actions.extend(new.iter().map(|new| add(new, false)));
            let needs = inputs.iter().map(|f| f.file.path.clone()).collect();
            let operation = DeltaOperation::Optimize {
                predicate: None,
                target_size: i64::try_from(limits::FILE_TARGET_BYTES).unwrap_or(i64::MAX),
            };
            match log.commit(Commit { actions, needs, txn: None, operation }).await {
                Ok(Outcome::Committed(version)) => {
                    fault::point(fault::AFTER_COMPACTION_COMMIT);
                    tracing::debug!(
                        table = log.table.name,
                        version,
                        inputs = inputs.len(),
                        "files merged"
                    );
                    merged = true;
                }
                Ok(Outcome::AlreadyRecorded(_)) => {}
                // Someone replaced or merged an input first: its rows are theirs now.
                Err(StoreError::FileGone { .. }) => write::discard(&log.dir, new.as_slice()),
                Err(error) => return Err(error),
            }
        }
        Ok(merged)
    }
}

/// Removes whole days that are older than the retention.
async fn expire(log: &TableLog, options: &StoreOptions) -> Result<(), StoreError> {
    let Some(days) = options.retention_days else { return Ok(()) };
    if !limits::EXPIRING_TABLES.contains(&log.table.name) {
        return Ok(());
    }
    let oldest_kept = now_ms().div_euclid(DAY_MS) - i64::from(days);
    let view = log.view().await?;
    let expired: Vec<_> =
        view.files.iter().filter(|f| i64::from(f.file.date) < oldest_kept).collect();
    if expired.is_empty() {
        return Ok(());
    }
    let commit = Commit {
        actions: expired.iter().map(|f| remove(&f.file, true)).collect(),
        needs: expired.iter().map(|f| f.file.path.clone()).collect(),
        txn: None,
        operation: DeltaOperation::Delete { predicate: None },
    };
    match log.commit(commit).await {
        // Another process merged or removed some of them; the next round sees what is left.
        Ok(_) | Err(StoreError::FileGone { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Deletes data files that no reader needs.
async fn sweep(log: &TableLog, options: &StoreOptions) -> Result<(), StoreError> {
    let dir: PathBuf = log.dir.clone();
    // First list, then ask the log: a file that is committed in between is active, never a
    // leftover.
    let listed = blocking("listing data files", move || sweep::list(&dir)).await?;
    let removed = log.removed().await?;
    let view = log.view().await?;
    let rules = sweep::Rules {
        now_ms: now_ms(),
        removed_retention: options.removed_file_retention,
        leftover_grace: options.leftover_grace,
    };
    let dir = log.dir.clone();
    let gone = blocking("deleting data files", move || {
        sweep::delete(&dir, &listed, &view, &removed, &rules)
    })
    .await?;
    log.forget_removed(&gone).await;
    Ok(())
}
