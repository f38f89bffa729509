//! The store: all tables under one root, and the whole path of a write on one screen. Takes rows
//! and marks, gives versions and snapshots. Encoding is `write`'s, committing is `log`'s, plans
//! are `scan`'s.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::BooleanArray;
use arrow::record_batch::RecordBatch;
use datafusion::execution::cache::default_cache::DefaultCache;
use spanledger_schemas::{Table, tables};

use crate::error::blocking;
use crate::log::{Commit, Outcome, TableLog, add, remove, write_operation};
use crate::scan::plan::Reading;
use crate::write::NewFile;
use crate::{Changes, DataFile, FileRows, Snapshot, StoreError, Txn, durable, edit, limits, write};

/// What may be set about a store.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Days of received rows to keep; `None` keeps all. Whole days go, and only from the tables
    /// of what was received (spans, contents, metric points, log records).
    pub retention_days: Option<u32>,
    /// How long a file that a compaction or replacement removed stays readable.
    pub removed_file_retention: Duration,
    /// Age at which a data file that no commit names is a leftover of a crash.
    pub leftover_grace: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions {
            retention_days: None,
            removed_file_retention: limits::REMOVED_FILE_RETENTION,
            leftover_grace: limits::LEFTOVER_GRACE,
        }
    }
}

/// Facts for health and metrics, as last seen; asking costs nothing.
#[derive(Debug, Clone)]
pub struct StoreStatus {
    /// In the order of [`tables::ALL`].
    pub tables: Vec<TableStatus>,
}

/// Facts about one table.
#[derive(Debug, Clone)]
pub struct TableStatus {
    /// Its name.
    pub name: &'static str,
    /// Last version seen.
    pub version: i64,
    /// Active files at that version.
    pub active_files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Their rows.
    pub rows: u64,
    /// Why the last commit failed; `None` once one has worked again (I-11).
    pub commit_error: Option<String>,
    /// Why the last round of upkeep failed; `None` once one has worked again (I-11).
    pub upkeep_error: Option<String>,
}

/// The tables under one root. Cheap to clone; one per process.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    root: Arc<Path>,
    pub(crate) options: StoreOptions,
    pub(crate) reading: Reading,
    pub(crate) tables: Vec<OpenTable>,
    /// One round of upkeep at a time.
    pub(crate) upkeep: tokio::sync::Mutex<()>,
}

/// A table and what went wrong with it last.
#[derive(Debug)]
pub(crate) struct OpenTable {
    pub(crate) log: Arc<TableLog>,
    commit_error: Mutex<Option<String>>,
    upkeep_error: Mutex<Option<String>>,
}

impl Store {
    /// Opens the store at a folder, creating it and missing tables.
    ///
    /// # Errors
    /// [`StoreError::Columns`] and [`StoreError::ForeignFeature`] for a table of another make.
    pub async fn open(root: &Path) -> Result<Store, StoreError> {
        Store::open_with(root, StoreOptions::default()).await
    }

    /// The same with other options.
    pub async fn open_with(root: &Path, options: StoreOptions) -> Result<Store, StoreError> {
        let root = root.to_owned();
        let root = blocking("opening the store", move || {
            durable::create_dir(&root)
                .and_then(|()| std::fs::canonicalize(&root))
                .map_err(StoreError::io("opening the store", &root))
        })
        .await?;
        let mut open = Vec::with_capacity(tables::ALL.len());
        for table in tables::ALL {
            let log = Arc::new(Box::pin(TableLog::open(&root, table)).await?);
            let (commit_error, upkeep_error) = (Mutex::new(None), Mutex::new(None));
            open.push(OpenTable { log, commit_error, upkeep_error });
        }
        let footers = Arc::new(DefaultCache::new(limits::FOOTER_CACHE_BYTES));
        let reading = Reading::local(footers);
        let upkeep = tokio::sync::Mutex::new(());
        let inner = Inner { root: root.into(), options, reading, tables: open, upkeep };
        Ok(Store { inner: Arc::new(inner) })
    }

    /// Adds rows and marks how far the writer has come, in one commit. Rows come in any order;
    /// they are split by UTC day, sorted, written and fsynced before the commit, and the commit
    /// is fsynced before this returns (I-3). Returns the new version. A `txn` whose version is
    /// not above the recorded one changes nothing and returns the current version (I-2). Without
    /// rows a `txn` is committed alone, and without both nothing is.
    ///
    /// # Errors
    /// [`StoreError::Rows`] when the batch does not fit the table; nothing is changed then.
    pub async fn append(
        &self,
        table: &'static Table,
        rows: RecordBatch,
        txn: Option<Txn>,
    ) -> Result<i64, StoreError> {
        self.replace(table, Vec::new(), rows, txn).await
    }

    /// Takes files out and puts rows in, in one commit; both count as changes of data.
    ///
    /// # Errors
    /// [`StoreError::FileGone`] when one of the files is no longer active: nothing was changed,
    /// take a fresh snapshot and try again.
    pub async fn replace(
        &self,
        table: &'static Table,
        remove: Vec<DataFile>,
        rows: RecordBatch,
        txn: Option<Txn>,
    ) -> Result<i64, StoreError> {
        Ok(self.put(table, remove, Vec::new(), rows, txn).await?.version)
    }

    /// Takes rows out of files and puts rows in, in one commit. What is left of a file is a new one:
    /// row groups that keep all their rows are copied, so that few rows of a large file cost little
    /// memory and no encoding.
    ///
    /// # Errors
    /// As [`Store::replace`].
    pub async fn replace_rows(
        &self,
        table: &'static Table,
        taken_out: Vec<FileRows>,
        rows: RecordBatch,
        txn: Option<Txn>,
    ) -> Result<i64, StoreError> {
        let open = self.table(table)?;
        let view = open.log.view().await?;
        let mut left = Vec::new();
        let mut remove = Vec::with_capacity(taken_out.len());
        for FileRows { file, places } in taken_out {
            let Some(active) = view.find(&file.path) else {
                write::discard(&open.log.dir, &left);
                return Err(StoreError::FileGone { table: table.name, path: file.path });
            };
            let reading = &self.inner.reading;
            match edit::without(reading, table, &open.log.dir, (active, &places)).await {
                Ok(rest) => left.extend(rest),
                Err(error) => {
                    write::discard(&open.log.dir, &left);
                    return Err(error);
                }
            }
            remove.push(file);
        }
        Ok(self.put(table, remove, left, rows, txn).await?.version)
    }

    /// Changes rows of a file where they are, in one commit, and gives the files that hold its rows
    /// then. `change` is given rows one after another, and which of them are meant; it gives as many,
    /// in the same order and with the same columns: those of the table, with or without its day. Row
    /// groups without such a row are copied.
    ///
    /// # Errors
    /// As [`Store::replace`], and what `change` fails with.
    pub async fn change_rows<E: From<StoreError>>(
        &self,
        table: &'static Table,
        rows: FileRows,
        change: impl FnMut(&RecordBatch, &BooleanArray) -> Result<RecordBatch, E> + Send,
    ) -> Result<Vec<DataFile>, E> {
        let FileRows { file, places } = rows;
        if places.is_empty() {
            return Ok(vec![file]);
        }
        let open = self.table(table)?;
        let view = open.log.view().await?;
        let Some(active) = view.find(&file.path) else {
            return Err(StoreError::FileGone { table: table.name, path: file.path }.into());
        };
        let (reading, dir) = (&self.inner.reading, &open.log.dir);
        let changed = edit::edited(reading, table, dir, (active, &places), change).await?;
        if changed.iter().map(|new| new.file.rows).sum::<u64>() != file.rows {
            write::discard(dir, &changed);
            let detail = format!("`{}` would have other rows than {}", file.path, file.rows);
            return Err(StoreError::Rows { table: table.name, detail }.into());
        }
        let no_rows = RecordBatch::new_empty(table.arrow_schema());
        Ok(self.put(table, vec![file], changed, no_rows, None).await?.files)
    }

    async fn put(
        &self,
        table: &'static Table,
        remove: Vec<DataFile>,
        left: Vec<NewFile>,
        rows: RecordBatch,
        txn: Option<Txn>,
    ) -> Result<Put, StoreError> {
        let open = self.table(table)?;
        let started = Instant::now();
        let done = Box::pin(open.write(remove, left, rows, txn)).await;
        match &done {
            Ok(_) => {
                metrics::histogram!("spanledger_store_commit_seconds", "table" => table.name)
                    .record(started.elapsed().as_secs_f64());
            }
            Err(_) => {
                metrics::counter!("spanledger_store_commit_errors_total", "table" => table.name)
                    .increment(1);
            }
        }
        // A batch that does not fit and a lost race are the caller's, not a failing disk.
        let failed = done
            .as_ref()
            .err()
            .filter(|e| !matches!(e, StoreError::Rows { .. } | StoreError::FileGone { .. }));
        note(&open.commit_error, failed);
        done
    }

    /// The version an application has recorded in a table.
    pub async fn txn_version(
        &self,
        table: &'static Table,
        app: &str,
    ) -> Result<Option<i64>, StoreError> {
        self.table(table)?.log.txn_version(app).await
    }

    /// Files that brought rows after `since` (`None`: all active files). No row is missed; a row
    /// may come twice when its file was compacted and is gone or about to go, or when `since` is
    /// further back than the log reaches (then all active files are given).
    pub async fn changes(
        &self,
        table: &'static Table,
        since: Option<i64>,
    ) -> Result<Changes, StoreError> {
        let retention = self.inner.options.removed_file_retention;
        self.table(table)?.log.changes(since, retention).await
    }

    /// The newest committed version of every table (I-12).
    ///
    /// Tables are looked at against the way of the data, what is derived first: whatever a row
    /// of `calls` was made from is in the `spans` of the same snapshot.
    pub async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let mut views = BTreeMap::new();
        for open in self.inner.tables.iter().rev() {
            views.insert(open.log.table.name, open.log.view().await?);
        }
        let inner = &self.inner;
        Ok(Snapshot::new(inner.root.clone(), views, inner.reading.clone()))
    }

    /// Facts for health and metrics.
    pub fn status(&self) -> StoreStatus {
        StoreStatus { tables: self.inner.tables.iter().map(OpenTable::status).collect() }
    }

    pub(crate) fn table(&self, table: &'static Table) -> Result<&OpenTable, StoreError> {
        let found = self.inner.tables.iter().find(|open| std::ptr::eq(open.log.table, table));
        found.ok_or_else(|| StoreError::Rows {
            table: table.name,
            detail: "no table of this store".to_owned(),
        })
    }
}

/// What a write did.
struct Put {
    /// Version of the table after it.
    version: i64,
    /// The files it added.
    files: Vec<DataFile>,
}

impl Put {
    fn nothing(version: i64) -> Put {
        Put { version, files: Vec::new() }
    }
}

impl OpenTable {
    /// The whole path of a write: encode, then commit. `left` is what is left of files to remove.
    #[tracing::instrument(
        level = "debug",
        name = "write",
        skip_all,
        fields(table = self.log.table.name, rows = rows.num_rows(), files_removed = remove.len())
    )]
    async fn write(
        &self,
        remove: Vec<DataFile>,
        left: Vec<NewFile>,
        rows: RecordBatch,
        txn: Option<Txn>,
    ) -> Result<Put, StoreError> {
        let log = &self.log;
        if let Some(txn) = &txn
            && log.txn_version(&txn.app).await?.is_some_and(|v| v >= txn.version)
        {
            write::discard(&log.dir, &left);
            return Ok(Put::nothing(log.view().await?.version));
        }
        let (table, dir) = (log.table, log.dir.clone());
        let mut files = left;
        files.extend(blocking("encoding rows", move || write::write(table, &dir, &rows)).await?);
        if files.is_empty() && remove.is_empty() && txn.is_none() {
            return Ok(Put::nothing(log.view().await?.version));
        }

        let mut actions: Vec<_> = remove.iter().map(|file| self::remove(file, true)).collect();
        actions.extend(files.iter().map(|new| add(new, true)));
        let needs = remove.into_iter().map(|file| file.path).collect();
        let commit = Commit { actions, needs, txn, operation: write_operation() };
        match log.commit(commit).await {
            Ok(Outcome::Committed(version)) => {
                Ok(Put { version, files: files.into_iter().map(|new| new.file).collect() })
            }
            Ok(Outcome::AlreadyRecorded(version)) => {
                write::discard(&log.dir, &files);
                Ok(Put::nothing(version))
            }
            Err(error) => {
                // Only where the commit certainly did not happen; any other file is left to the
                // sweep, which knows what the log says.
                if matches!(error, StoreError::FileGone { .. } | StoreError::Contended { .. }) {
                    write::discard(&log.dir, &files);
                }
                Err(error)
            }
        }
    }

    /// Remembers how upkeep went.
    pub(crate) fn note_upkeep(&self, failed: Option<&StoreError>) {
        note(&self.upkeep_error, failed);
    }

    fn status(&self) -> TableStatus {
        let view = self.log.known();
        let said = |slot: &Mutex<Option<String>>| {
            slot.lock().unwrap_or_else(PoisonError::into_inner).clone()
        };
        TableStatus {
            name: self.log.table.name,
            version: view.version,
            active_files: view.files.len(),
            bytes: view.files.iter().map(|f| f.file.size_bytes).sum(),
            rows: view.files.iter().map(|f| f.file.rows).sum(),
            commit_error: said(&self.commit_error),
            upkeep_error: said(&self.upkeep_error),
        }
    }
}

fn note(slot: &Mutex<Option<String>>, failed: Option<&StoreError>) {
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = failed.map(ToString::to_string);
}
