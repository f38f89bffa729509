//! Why the store could not do what was asked: one variant per outcome that a caller treats
//! differently. Owns the texts; mapping to HTTP or exit codes is the callers' business.

use std::path::PathBuf;

use datafusion::error::DataFusionError;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused: full, read-only, gone.
    #[error("{attempted} `{}`: {source}", path.display())]
    Io {
        /// What was attempted.
        attempted: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The table on disk has other columns than this version of spanledger.
    #[error(
        "table `{table}`: {detail}; open it with the version that wrote it, or move the folder away"
    )]
    Columns {
        /// Name of the table.
        table: &'static str,
        /// Which column, expected and found.
        detail: String,
    },
    /// The table uses a Delta feature that this store does not read or write.
    #[error(
        "table `{table}` uses the Delta feature {feature}, which is not supported; \
         rewrite the table without it"
    )]
    ForeignFeature {
        /// Name of the table.
        table: &'static str,
        /// The feature as the table's protocol names it.
        feature: String,
    },
    /// The rows handed in do not fit the table.
    #[error("rows for table `{table}`: {detail}")]
    Rows {
        /// Name of the table.
        table: &'static str,
        /// What was expected and found.
        detail: String,
    },
    /// A file that was to be replaced or read is no longer part of the table: someone compacted or
    /// replaced it first. Nothing was changed; take a fresh snapshot and try again.
    #[error("table `{table}`: file `{path}` is no longer active; take a fresh snapshot and retry")]
    FileGone {
        /// Name of the table.
        table: &'static str,
        /// The file.
        path: String,
    },
    /// Other processes kept committing first. Nothing was changed; retry later.
    #[error("table `{table}`: {attempts} commits in a row lost against other writers")]
    Contended {
        /// Name of the table.
        table: &'static str,
        /// How often it was tried.
        attempts: u32,
    },
    /// An entry of the Delta log or its checkpoint could not be read or written.
    #[error("{attempted} the Delta log of table `{table}`: {detail}")]
    Log {
        /// What was attempted.
        attempted: &'static str,
        /// Name of the table.
        table: &'static str,
        /// What went wrong, with the version where known.
        detail: String,
    },
    /// A data file could not be encoded.
    #[error("writing a data file of table `{table}`: {source}")]
    Parquet {
        /// Name of the table.
        table: &'static str,
        /// What the encoder said.
        source: parquet::errors::ParquetError,
    },
    /// A data file could not be read.
    #[error("reading file `{path}` of table `{table}`: {detail}")]
    Read {
        /// Name of the table.
        table: &'static str,
        /// The file.
        path: String,
        /// What the reader said.
        detail: String,
    },
    /// Reading data files for a compaction failed.
    #[error("merging data files of table `{table}`: {source}")]
    Merge {
        /// Name of the table.
        table: &'static str,
        /// What the engine said.
        source: Box<DataFusionError>,
    },
    /// A worker thread died or the runtime is shutting down.
    #[error("{attempted} was cut short: {detail}")]
    Stopped {
        /// What was attempted.
        attempted: &'static str,
        /// What is known.
        detail: String,
    },
}

impl StoreError {
    /// An error of the file system, for `map_err`.
    pub(crate) fn io(
        attempted: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> StoreError {
        let path = path.into();
        move |source| StoreError::Io { attempted, path, source }
    }

    /// Whether a file is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, StoreError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }

    /// An error of delta-rs, for `map_err`. Its text is kept, its types stay in this room.
    pub(crate) fn log<E: std::fmt::Display>(
        attempted: &'static str,
        table: &'static str,
    ) -> impl FnOnce(E) -> StoreError {
        move |source| StoreError::Log { attempted, table, detail: source.to_string() }
    }
}

/// Runs work that blocks or burns CPU on the blocking pool.
pub(crate) async fn blocking<T: Send + 'static>(
    attempted: &'static str,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| StoreError::Stopped { attempted, detail: e.to_string() })?
}
