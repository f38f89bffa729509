//! The Delta log of one table: opened through delta-rs, then followed entry by entry, and the one
//! place that commits. Takes actions, gives versions and [`View`]s. It knows files by name, size
//! and statistics; it opens no data file.
//!
//! delta-rs reads checkpoints and writes checkpoints and entries. Following the log is ours:
//! delta-rs pays about 4 µs for every active file on each commit and refresh and its long-lived
//! handles slow down, while one new entry names a file or two.

pub(crate) mod changes;
mod checkpoint;
mod cleanup;
mod entry;
mod state;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, UNIX_EPOCH};

use deltalake::kernel::transaction::{CommitData, TransactionError};
use deltalake::kernel::{Action, Transaction};
use deltalake::logstore::{CommitOrBytes, LogStoreRef};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableBuilder, ensure_table_uri};
use futures::TryStreamExt;
use spanledger_schemas::Table;
use spanledger_schemas::table::PARTITION_COLUMN;
use tokio::sync::Mutex;
use uuid::Uuid;

pub(crate) use self::entry::{add, now_ms, remove};
pub(crate) use self::state::{ActiveFile, View};

use self::state::LogState;
use crate::definition::{self, Fit};
use crate::durable::DurableFolder;
use crate::error::blocking;
use crate::{StoreError, Txn, fault, limits, paths};

/// Held while delta-rs reads a log. It does so in work that holds a thread of the blocking pool and
/// waits for another one to read each file: several tables at once could hold all threads there are
/// and wait for ever. One at a time needs two.
static DELTA_READS: Mutex<()> = Mutex::const_new(());

/// What a commit says.
#[derive(Debug)]
pub(crate) struct Commit {
    /// Files added and removed, or new metadata.
    pub(crate) actions: Vec<Action>,
    /// Paths that must still be active, else the commit fails with [`StoreError::FileGone`].
    pub(crate) needs: Vec<String>,
    /// How far the writer has come.
    pub(crate) txn: Option<Txn>,
    /// What kind of commit it is.
    pub(crate) operation: DeltaOperation,
}

/// How a commit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is durable as this version.
    Committed(i64),
    /// The `txn` was recorded before; nothing was written. The table's version.
    AlreadyRecorded(i64),
}

/// The log of one table.
#[derive(Debug)]
pub(crate) struct TableLog {
    pub(crate) table: &'static Table,
    pub(crate) dir: PathBuf,
    store: LogStoreRef,
    /// What the log says so far; held while new entries are read.
    state: Mutex<LogState>,
    /// The same for readers, replaced as a whole.
    view: RwLock<Arc<View>>,
    /// Modification time of `_last_checkpoint` when it was last looked into, nanoseconds.
    checkpoint_seen_ns: AtomicU64,
    /// One commit at a time per table and process.
    committer: Mutex<()>,
    /// One checkpoint at a time.
    checkpointing: Arc<Mutex<()>>,
}

impl TableLog {
    /// Opens the table's log, creating it or adding columns when needed.
    pub(crate) async fn open(root: &Path, table: &'static Table) -> Result<TableLog, StoreError> {
        let dir = paths::table(root, table);
        let store = log_store(table, &dir)?;
        if !paths::log_entry(&dir, 0).exists() && !paths::last_checkpoint(&dir).exists() {
            let _turn = DELTA_READS.lock().await;
            definition::create(table, store.clone()).await?;
        }
        let (state, fit) = Box::pin(load(table, &store)).await?;
        let view = RwLock::new(Arc::new(state.view()));
        let log = TableLog {
            table,
            dir,
            store,
            state: Mutex::new(state),
            view,
            checkpoint_seen_ns: AtomicU64::new(0),
            committer: Mutex::new(()),
            checkpointing: Arc::new(Mutex::new(())),
        };
        if let Fit::Evolve(metadata) = fit {
            let commit = Commit {
                actions: vec![Action::Metadata(*metadata)],
                needs: Vec::new(),
                txn: None,
                operation: DeltaOperation::SetTableProperties { properties: HashMap::new() },
            };
            log.commit(commit).await?;
        }
        Ok(log)
    }

    /// The newest committed version. Costs two looks into the file system when nothing is new.
    pub(crate) async fn view(&self) -> Result<Arc<View>, StoreError> {
        let known = self.known();
        if !self.has_news(known.version)? {
            return Ok(known);
        }
        let mut state = self.state.lock().await;
        self.catch_up(&mut state).await?;
        Ok(self.known())
    }

    /// The last version seen, without looking for a newer one.
    pub(crate) fn known(&self) -> Arc<View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The version `app` has recorded.
    pub(crate) async fn txn_version(&self, app: &str) -> Result<Option<i64>, StoreError> {
        let mut state = self.state.lock().await;
        self.catch_up(&mut state).await?;
        if let Some(known) = state.txns.get(app) {
            return Ok(*known);
        }
        // Not in the entries followed so far: ask the checkpoint, once per application. What it
        // says may be newer than our version, so catch up after it, never the other way round.
        let turn = DELTA_READS.lock().await;
        let table = Box::pin(loaded(self.table, &self.store, None)).await?;
        let error = || StoreError::log("reading", self.table.name);
        let snapshot = table.snapshot().map_err(error())?;
        let found = snapshot.transaction_version(&self.store, app).await.map_err(error())?;
        drop(turn);
        state.txns.insert(app.to_owned(), found);
        self.catch_up(&mut state).await?;
        Ok(state.txns.get(app).copied().flatten())
    }

    /// When removed files went, by path, for those still remembered.
    pub(crate) async fn removed(&self) -> Result<HashMap<String, i64>, StoreError> {
        let mut state = self.state.lock().await;
        self.catch_up(&mut state).await?;
        Ok(state.removed.clone())
    }

    /// Forgets removed files that are gone from disk.
    pub(crate) async fn forget_removed(&self, gone: &[String]) {
        let mut state = self.state.lock().await;
        for path in gone {
            state.removed.remove(path);
        }
    }

    /// Commits, after whatever other writers committed first.
    ///
    /// # Errors
    /// [`StoreError::FileGone`] when a needed file is no longer active and
    /// [`StoreError::Contended`] when other processes were faster too often; nothing is changed
    /// then.
    pub(crate) async fn commit(&self, commit: Commit) -> Result<Outcome, StoreError> {
        let Commit { actions, needs, txn, operation } = commit;
        let delta_txn = txn.iter().map(|t| Transaction::new(&t.app, t.version)).collect();
        let bytes = CommitData::new(actions, operation, HashMap::new(), delta_txn)
            .get_bytes()
            .map_err(StoreError::log("encoding an entry of", self.table.name))?;

        let _turn = self.committer.lock().await;
        for attempt in 1..=limits::COMMIT_ATTEMPTS {
            let view = self.view().await?;
            if let Some(txn) = &txn
                && self.txn_version(&txn.app).await?.is_some_and(|v| v >= txn.version)
            {
                return Ok(Outcome::AlreadyRecorded(self.known().version));
            }
            if let Some(path) = needs.iter().find(|path| !view.contains(path)) {
                return Err(StoreError::FileGone { table: self.table.name, path: path.clone() });
            }
            let version = view.version + 1;
            let entry = CommitOrBytes::LogBytes(bytes.clone());
            // The store underneath is a `DurableFolder`: the entry is fsynced before it gets its
            // name, and the folder after it (I-3).
            match self.store.write_commit_entry(version.unsigned_abs(), entry, Uuid::nil()).await {
                Ok(()) => {
                    fault::point(fault::AFTER_COMMIT);
                    let seen = self.view().await?.version;
                    if version / limits::CHECKPOINT_INTERVAL
                        != (version - 1) / limits::CHECKPOINT_INTERVAL
                    {
                        self.checkpoint_in_background(version);
                    }
                    debug_assert!(seen >= version);
                    return Ok(Outcome::Committed(version));
                }
                Err(TransactionError::VersionAlreadyExists(_)) => {
                    // Spread the writers: each waits up to a millisecond per lost try.
                    let jitter = Uuid::new_v4().as_u128() as u64 % (1_000 * u64::from(attempt));
                    tokio::time::sleep(Duration::from_micros(jitter)).await;
                }
                Err(e) => return Err(StoreError::log("committing to", self.table.name)(e)),
            }
        }
        Err(StoreError::Contended { table: self.table.name, attempts: limits::COMMIT_ATTEMPTS })
    }

    /// Whether there is anything after `version`.
    fn has_news(&self, version: i64) -> Result<bool, StoreError> {
        let next = paths::log_entry(&self.dir, version + 1);
        if next.try_exists().map_err(StoreError::io("looking for the log entry", next))? {
            return Ok(true);
        }
        // If entries after ours were cleaned away, the next one will never come: a newer
        // checkpoint says so.
        let path = paths::last_checkpoint(&self.dir);
        let modified_ns = std::fs::metadata(&path)
            .and_then(|m| m.modified())
            .ok()
            .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
            .map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
        if modified_ns == self.checkpoint_seen_ns.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let newest = checkpoint::newest(&self.dir);
        self.checkpoint_seen_ns.store(modified_ns, Ordering::Relaxed);
        Ok(newest.is_some_and(|v| v > version))
    }

    /// Reads all new entries into the state and shows them to readers.
    async fn catch_up(&self, state: &mut LogState) -> Result<(), StoreError> {
        let before = state.version;
        while let Some(text) = entry::read(&self.dir, state.version + 1).await? {
            state.apply(self.table, &text)?;
        }
        let checkpoint = checkpoint::newest(&self.dir);
        if checkpoint.is_some_and(|v| v > state.version) {
            let (fresh, _) = Box::pin(load(self.table, &self.store)).await?;
            *state = fresh;
        }
        if state.version != before {
            let view = Arc::new(state.view());
            *self.view.write().unwrap_or_else(PoisonError::into_inner) = view;
        }
        Ok(())
    }
}

/// The operation that a plain write is recorded as.
pub(crate) fn write_operation() -> DeltaOperation {
    DeltaOperation::Write {
        mode: SaveMode::Append,
        partition_by: Some(vec![PARTITION_COLUMN.to_owned()]),
        predicate: None,
    }
}

fn log_store(table: &'static Table, dir: &Path) -> Result<LogStoreRef, StoreError> {
    let error = || StoreError::log("opening", table.name);
    let url = ensure_table_uri(dir.to_string_lossy()).map_err(error())?;
    DeltaTableBuilder::from_url(url.clone())
        .and_then(|b| b.with_storage_backend(Arc::new(DurableFolder::new()), url).build_storage())
        .map_err(error())
}

/// The table as delta-rs sees it, at a version or the newest. The caller holds [`DELTA_READS`].
async fn loaded(
    table: &'static Table,
    store: &LogStoreRef,
    version: Option<i64>,
) -> Result<DeltaTable, StoreError> {
    let mut delta = DeltaTable::new(store.clone());
    match version {
        Some(version) => delta.load_version(version.unsigned_abs()).await,
        None => delta.load().await,
    }
    .map_err(StoreError::log("loading", table.name))?;
    Ok(delta)
}

/// The state from the newest checkpoint and the entries after it.
async fn load(table: &'static Table, store: &LogStoreRef) -> Result<(LogState, Fit), StoreError> {
    let error = || StoreError::log("loading", table.name);
    let _turn = DELTA_READS.lock().await;
    let delta = loaded(table, store, None).await?;
    let snapshot = delta.snapshot().map_err(error())?;
    definition::check_protocol(table, snapshot.protocol())?;
    let fit = definition::check_columns(table, snapshot.metadata())?;
    let mut state = LogState::at(i64::try_from(snapshot.version()).unwrap_or(i64::MAX));
    for file in snapshot.log_data().iter() {
        if file.deletion_vector_descriptor().is_some() {
            return definition::foreign(table, "deletionVectors");
        }
        let date = file.partition_values_map().remove(PARTITION_COLUMN).flatten();
        state.add(entry::active_file(
            table,
            file.path().into_owned(),
            file.size(),
            file.modification_time(),
            date.as_deref(),
            file.stats(),
        )?);
    }
    let mut tombstones = snapshot.all_tombstones(store);
    while let Some(gone) = tombstones.try_next().await.map_err(error())? {
        state.removed.insert(gone.path().into_owned(), gone.deletion_timestamp().unwrap_or(0));
    }
    drop(tombstones);
    Ok((state, fit))
}

/// Runs a look into the file system on the blocking pool.
async fn on_disk<T: Send + 'static>(
    attempted: &'static str,
    path: PathBuf,
    look: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    blocking(attempted, move || look(&path).map_err(StoreError::io(attempted, &path))).await
}
