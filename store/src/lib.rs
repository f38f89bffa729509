//! Delta Lake tables on a folder: the only room that knows delta-rs, object_store and Parquet
//! settings. Takes record batches, gives durable commits and snapshots to read.
//! It does not know what the rows mean: tables come as [`schemas::Table`] values.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::catalog::TableProvider;
use spanledger_schemas::Table;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Placeholder of the contract.
    #[error("{0}")]
    Other(String),
}

/// The tables under one root. Cheap to clone; one per process.
#[derive(Clone, Debug)]
pub struct Store {}

/// Marks a commit with how far its writer has come, in the same Delta commit as the rows: what
/// makes a replay after a crash count once (Delta `txn` action).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Txn {
    /// Application id: who writes, such as `collector/spans`.
    pub app: String,
    /// How far, growing.
    pub version: i64,
}

/// One active data file of a table.
#[derive(Debug, Clone)]
pub struct DataFile {
    /// Path below the table's folder.
    pub path: String,
    /// Bytes.
    pub size_bytes: u64,
    /// Rows.
    pub rows: u64,
    /// Days since the epoch of the `date` partition.
    pub date: i32,
}

/// Files that brought new rows after some version, and the version they were listed at.
#[derive(Debug)]
pub struct Changes {
    /// Version the listing is complete up to.
    pub version: i64,
    /// Files added with `dataChange = true` and still readable; compactions do not show up.
    pub files: Vec<DataFile>,
}

impl Store {
    /// Opens the store at a folder, creating it and missing tables.
    pub async fn open(_root: &Path) -> Result<Store, StoreError> {
        unimplemented!()
    }
    /// Adds rows and marks how far the writer has come, in one commit. Rows come in any order;
    /// they are split by UTC day, sorted, written and fsynced before the commit, and the commit
    /// is fsynced before this returns (I-3). Returns the new version. A `txn` whose version is
    /// not above the recorded one changes nothing and returns the current version (I-2).
    pub async fn append(
        &self,
        _table: &'static Table,
        _rows: RecordBatch,
        _txn: Option<Txn>,
    ) -> Result<i64, StoreError> {
        unimplemented!()
    }
    /// Takes files out and puts rows in, in one commit.
    pub async fn replace(
        &self,
        _table: &'static Table,
        _remove: Vec<DataFile>,
        _rows: RecordBatch,
        _txn: Option<Txn>,
    ) -> Result<i64, StoreError> {
        unimplemented!()
    }
    /// The version an application has recorded in a table.
    pub async fn txn_version(
        &self,
        _table: &'static Table,
        _app: &str,
    ) -> Result<Option<i64>, StoreError> {
        unimplemented!()
    }
    /// Files that brought rows after `since` (`None`: all active files).
    pub async fn changes(
        &self,
        _table: &'static Table,
        _since: Option<i64>,
    ) -> Result<Changes, StoreError> {
        unimplemented!()
    }
    /// The newest committed version of every table (I-12).
    pub async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        unimplemented!()
    }
    /// One round of upkeep: compaction, checkpoints, log cleanup, retention.
    pub async fn maintain(&self) -> Result<(), StoreError> {
        unimplemented!()
    }
}

/// Fixed versions of all tables.
#[derive(Clone, Debug)]
pub struct Snapshot {}

impl Snapshot {
    /// Version of each table.
    pub fn versions(&self) -> BTreeMap<&'static str, i64> {
        unimplemented!()
    }
    /// Active files of a table.
    pub fn files(&self, _table: &'static Table) -> Arc<Vec<DataFile>> {
        unimplemented!()
    }
    /// The table as a DataFusion provider: plain `ParquetSource` plans over the active files.
    pub fn provider(&self, _table: &'static Table) -> Arc<dyn TableProvider> {
        unimplemented!()
    }
    /// The same over some of its files.
    pub fn provider_of(
        &self,
        _table: &'static Table,
        _files: &[DataFile],
    ) -> Arc<dyn TableProvider> {
        unimplemented!()
    }
}
