//! What the log says up to a version: active files, recorded transactions, removed files. Takes
//! entries in order, gives immutable [`View`]s for readers.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use datafusion::common::Statistics;
use spanledger_schemas::Table;

use super::entry;
use crate::write::stats::FileStats;
use crate::{DataFile, StoreError, definition};

/// A file of the table. What is costly to know is found out once, when first asked for.
#[derive(Debug)]
pub(crate) struct ActiveFile {
    pub(crate) file: DataFile,
    /// When it was added, milliseconds since the epoch.
    pub(crate) added_ms: i64,
    stats_json: String,
    stats: OnceLock<FileStats>,
    scan_stats: OnceLock<Arc<Statistics>>,
}

impl ActiveFile {
    pub(crate) fn new(file: DataFile, added_ms: i64, stats_json: String) -> ActiveFile {
        let (stats, scan_stats) = (OnceLock::new(), OnceLock::new());
        ActiveFile { file, added_ms, stats_json, stats, scan_stats }
    }

    /// Its statistics.
    pub(crate) fn stats(&self, table: &'static Table) -> &FileStats {
        self.stats.get_or_init(|| FileStats::from_json(table, &self.stats_json))
    }

    /// The same in the engine's form, made by `make` when first asked for.
    pub(crate) fn scan_stats(&self, make: impl FnOnce() -> Statistics) -> Arc<Statistics> {
        self.scan_stats.get_or_init(|| Arc::new(make())).clone()
    }
}

/// A fixed version of a table.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) version: i64,
    /// Active files by path.
    pub(crate) files: Vec<Arc<ActiveFile>>,
    listed: OnceLock<Arc<Vec<DataFile>>>,
}

impl View {
    /// Whether a file is active.
    pub(crate) fn contains(&self, path: &str) -> bool {
        self.find(path).is_some()
    }

    /// The active file of that path.
    pub(crate) fn find(&self, path: &str) -> Option<&Arc<ActiveFile>> {
        let at = self.files.binary_search_by(|f| f.file.path.as_str().cmp(path)).ok()?;
        self.files.get(at)
    }

    /// The files as callers see them.
    pub(crate) fn listed(&self) -> Arc<Vec<DataFile>> {
        let list = || Arc::new(self.files.iter().map(|f| f.file.clone()).collect());
        self.listed.get_or_init(list).clone()
    }
}

/// The state that entries are applied to.
#[derive(Debug)]
pub(crate) struct LogState {
    pub(crate) version: i64,
    files: BTreeMap<String, Arc<ActiveFile>>,
    /// What each application recorded; `None` for one that is known to have recorded nothing.
    pub(crate) txns: HashMap<String, Option<i64>>,
    /// When files were removed, milliseconds since the epoch.
    pub(crate) removed: HashMap<String, i64>,
}

impl LogState {
    /// An empty table at a version.
    pub(crate) fn at(version: i64) -> LogState {
        LogState { version, files: BTreeMap::new(), txns: HashMap::new(), removed: HashMap::new() }
    }

    /// Adds an active file.
    pub(crate) fn add(&mut self, file: ActiveFile) {
        self.removed.remove(&file.file.path);
        self.files.insert(file.file.path.clone(), Arc::new(file));
    }

    /// Applies the next entry. On an error the state stays at its version.
    pub(crate) fn apply(&mut self, table: &'static Table, text: &str) -> Result<(), StoreError> {
        let version = self.version + 1;
        let mut lines = entry::parse(table, version, text)?;
        let mut added = Vec::new();
        for line in &mut lines {
            if let Some(protocol) = &line.protocol {
                definition::check_protocol(table, protocol)?;
            }
            if let Some(metadata) = &line.meta_data {
                definition::check_columns(table, metadata)?;
            }
            if let Some(add) = line.add.take() {
                added.push(entry::added(table, add)?);
            }
        }
        for line in lines {
            if let Some(remove) = line.remove {
                self.files.remove(&remove.path);
                self.removed.insert(remove.path, remove.deletion_timestamp.unwrap_or(0));
            }
            if let Some(txn) = line.txn {
                self.txns.insert(txn.app_id, Some(txn.version));
            }
        }
        for file in added {
            self.add(file);
        }
        self.version = version;
        Ok(())
    }

    /// The state as readers see it.
    pub(crate) fn view(&self) -> View {
        let files = self.files.values().cloned().collect();
        View { version: self.version, files, listed: OnceLock::new() }
    }
}
