//! From rows to durable data files: split by day, sorted, encoded, fsynced. Takes a batch in the
//! table's Arrow schema, gives [`NewFile`]s that a commit can name. It commits nothing.

pub(crate) mod encode;
pub(crate) mod properties;
pub(crate) mod sort;
pub(crate) mod stats;

use std::path::Path;

use arrow::record_batch::RecordBatch;
use spanledger_schemas::Table;

use self::encode::Encoder;
use self::properties::Effort;
use crate::error::StoreError;
use crate::{DataFile, fault};

/// A durable data file that no commit names yet.
#[derive(Debug)]
pub(crate) struct NewFile {
    /// Path, size, rows, day.
    pub(crate) file: DataFile,
    /// Its statistics as Delta stores them.
    pub(crate) stats: String,
}

/// Writes rows, one file per day. On an error the files already written stay behind as leftovers
/// for the sweep.
pub(crate) fn write(
    table: &'static Table,
    table_dir: &Path,
    rows: &RecordBatch,
) -> Result<Vec<NewFile>, StoreError> {
    let empty = |name: &str| rows.column_by_name(name).is_some_and(|c| c.null_count() == c.len());
    let mut files = Vec::new();
    for day in sort::by_day(table, rows)? {
        let (date, count) = (day.date, day.rows());
        let mut encoder = Encoder::create(table, table_dir, date, count, Effort::Flush, empty)?;
        encoder.write_day(&day)?;
        files.push(encoder.finish()?);
    }
    fault::point(fault::AFTER_PARQUET);
    Ok(files)
}

/// Deletes files that turned out not to be needed. A failure leaves them to the sweep.
pub(crate) fn discard(table_dir: &Path, files: &[NewFile]) {
    for new in files {
        let _ = std::fs::remove_file(table_dir.join(&new.file.path));
    }
}
