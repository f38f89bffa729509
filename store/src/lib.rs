//! Delta Lake tables on a folder: the only room that knows delta-rs, object_store and Parquet
//! settings. Takes record batches, gives durable commits and snapshots to read.
//! It does not know what the rows mean: tables come as [`schemas::Table`] values.

mod definition;
mod durable;
mod edit;
mod error;
pub mod fault;
mod limits;
mod log;
mod paths;
mod scan;
mod snapshot;
mod store;
mod upkeep;
mod write;

pub use error::StoreError;
pub use snapshot::Snapshot;
pub use store::{Store, StoreOptions, StoreStatus, TableStatus};

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
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// Rows of an active file that a commit takes out or changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRows {
    /// The file.
    pub file: DataFile,
    /// Their places in it, rising, counted from zero.
    pub places: Vec<u32>,
}

/// Files that brought new rows after some version, and the version they were listed at.
#[derive(Debug)]
pub struct Changes {
    /// Version the listing is complete up to.
    pub version: i64,
    /// Files added with `dataChange = true` and still readable; compactions do not show up,
    /// unless a file has gone meanwhile and only the one that took its rows is left.
    pub files: Vec<DataFile>,
}
