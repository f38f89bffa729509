//! What a merge makes of its inputs: row groups that are large enough are taken over as they are
//! encoded, the others are merged by windows, each into a row group of its own. Takes files, opens
//! them and reads their footers; it reads no rows.
//!
//! A row of a busy day is so encoded twice, when it is flushed and when it is written to stay,
//! however often its file is merged between; and a row group holds rows of a short time, in the
//! order of the table.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use spanledger_schemas::Table;

use crate::error::StoreError;
use crate::limits;
use crate::log::ActiveFile;
use crate::paths::RowOrder;
use crate::scan::plan::RowGroups;
use crate::write::encode::parquet_schema;
use crate::write::properties::Effort;

/// A file that is merged.
pub(crate) struct Input {
    pub(crate) active: Arc<ActiveFile>,
    pub(crate) file: File,
    pub(crate) footer: ParquetMetaData,
    /// Whether it has the columns that the table has now.
    pub(crate) has_all_columns: bool,
    /// In which order its rows are.
    order: Option<RowOrder>,
}

/// A row group of an input, in the table's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// Place of its file.
    pub(crate) input: usize,
    pub(crate) group: usize,
    rows: usize,
    bytes: usize,
}

/// What becomes one row group, or more where rows are long.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) runs: Vec<Run>,
    /// Places of files whose rows are in no known order.
    pub(crate) unordered: Vec<usize>,
}

/// What is done with the inputs of a merge.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) taken_over: Vec<Run>,
    pub(crate) windows: Vec<Window>,
}

impl Input {
    /// Opens files of a table.
    ///
    /// # Errors
    /// When one is gone or is no Parquet file.
    pub(crate) fn open_all(
        table: &'static Table,
        table_dir: &Path,
        files: &[Arc<ActiveFile>],
    ) -> Result<Vec<Input>, StoreError> {
        let failed = |source| StoreError::Parquet { table: table.name, source };
        let columns = parquet_schema(table).map_err(failed)?;
        let open = |active: &Arc<ActiveFile>| {
            let path = table_dir.join(&active.file.path);
            let file = File::open(&path).map_err(StoreError::io("opening the data file", &path))?;
            let footer = footer_of(&file).map_err(failed)?;
            let found = footer.file_metadata().schema_descr().root_schema();
            Ok(Input {
                has_all_columns: found.get_fields() == columns.get_fields(),
                order: RowOrder::of(table, &active.file.path),
                active: Arc::clone(active),
                file,
                footer,
            })
        };
        files.iter().map(open).collect()
    }

    /// Whether a column of the table is null throughout, as far as the footer tells.
    pub(crate) fn is_empty(&self, column: &str) -> bool {
        let columns = self.footer.file_metadata().schema_descr().columns();
        let Some(at) = columns.iter().position(|c| c.path().string() == column) else {
            return true;
        };
        self.footer.row_groups().iter().all(|group| {
            let nulls = group.column(at).statistics().and_then(|s| s.null_count_opt());
            nulls == u64::try_from(group.num_rows()).ok()
        })
    }

    /// A row group as the plan of a scan names it.
    pub(crate) fn row_group(&self, at: usize) -> RowGroups {
        let rows = self.footer.row_group(at).num_rows();
        let rows_max = usize::try_from(rows).unwrap_or(usize::MAX);
        RowGroups { at: vec![at], of: self.footer.num_row_groups(), rows_max }
    }
}

fn footer_of(file: &File) -> Result<ParquetMetaData, ParquetError> {
    ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Optional)
        .parse_and_finish(file)
}

impl Plan {
    /// What to do with inputs for a file that is worth an effort.
    pub(crate) fn of(inputs: &[Input], effort: Effort) -> Plan {
        let mut plan = Plan::default();
        let mut small = Vec::new();
        let mut unordered = Vec::new();
        for (at, input) in inputs.iter().enumerate() {
            let Some(order) = input.order else {
                unordered.push(at);
                continue;
            };
            // What shall stay is taken over only from where it was written to stay.
            let worth = effort != Effort::Kept || order == RowOrder::InKeptGroups;
            for (group, of) in input.footer.row_groups().iter().enumerate() {
                let count = |n: i64| usize::try_from(n).unwrap_or_default();
                let (rows, bytes) = (count(of.num_rows()), count(of.compressed_size()));
                let run = Run { input: at, group, rows, bytes };
                if worth && input.has_all_columns && effort.takes_over(rows, bytes) {
                    plan.taken_over.push(run);
                } else {
                    small.push(run);
                }
            }
        }
        plan.windows = windows(small, effort);
        if !unordered.is_empty() {
            plan.windows.push(Window { runs: Vec::new(), unordered });
        }
        plan
    }
}

/// Runs in windows that fill a row group each, as far as memory allows. What is left over at the
/// end goes to the last one.
fn windows(runs: Vec<Run>, effort: Effort) -> Vec<Window> {
    let mut windows: Vec<Sized> = Vec::new();
    for run in runs {
        match windows.last_mut() {
            Some(last) if !last.is_full(effort) => last.push(run),
            _ => windows.push(Sized::of(run)),
        }
    }
    if let [.., before, last] = windows.as_mut_slice()
        && !effort.takes_over(last.rows, last.bytes)
        && before.rows + last.rows <= effort.group_rows_max()
    {
        let left_over = std::mem::take(&mut last.runs);
        left_over.into_iter().for_each(|run| before.push(run));
        windows.pop();
    }
    windows.into_iter().map(|w| Window { runs: w.runs, unordered: Vec::new() }).collect()
}

/// A window with what bounds it.
struct Sized {
    runs: Vec<Run>,
    rows: usize,
    bytes: usize,
    open_bytes: u64,
}

impl Sized {
    fn of(run: Run) -> Sized {
        let mut window = Sized { runs: Vec::new(), rows: 0, bytes: 0, open_bytes: 0 };
        window.push(run);
        window
    }

    fn push(&mut self, run: Run) {
        let page = run.rows.min(limits::PAGE_ROWS_PASSING) as u64 * limits::ROW_BYTES;
        self.rows += run.rows;
        self.bytes += run.bytes;
        self.open_bytes += run.bytes as u64 + page;
        self.runs.push(run);
    }

    fn is_full(&self, effort: Effort) -> bool {
        self.rows >= effort.group_rows()
            || self.bytes >= effort.group_bytes()
            || self.open_bytes >= limits::MERGE_OPEN_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(rows: usize) -> Run {
        Run { input: 0, group: 0, rows, bytes: rows * 60 }
    }

    fn rows_of(windows: &[Window]) -> Vec<usize> {
        windows.iter().map(|w| w.runs.iter().map(|r| r.rows).sum()).collect()
    }

    #[test]
    fn windows_fill_a_row_group_and_leave_no_small_rest() {
        // 33 runs of 1,000 rows pass 32,768; 66 are two windows, and the last of 67 joins them.
        assert_eq!(rows_of(&windows(vec![run(1_000); 33], Effort::Passing)), [33_000]);
        assert_eq!(rows_of(&windows(vec![run(1_000); 66], Effort::Passing)), [33_000, 33_000]);
        assert_eq!(rows_of(&windows(vec![run(1_000); 67], Effort::Passing)), [33_000, 34_000]);
        // A quarter of a row group may stand alone: 8,192 rows.
        let many = windows(vec![run(1_000); 42], Effort::Passing);
        assert_eq!(rows_of(&many), [33_000, 9_000]);
    }

    #[test]
    fn a_window_opens_no_more_than_memory_allows() {
        // A run of 100 rows with pages of 100 KiB and 1 MiB compressed: 64 MiB hold 58 of them.
        let long = Run { input: 0, group: 0, rows: 100, bytes: 1 << 20 };
        let windows = windows(vec![long; 120], Effort::Kept);
        // 16 MiB fill a row group that stays, which comes first.
        assert!(windows.iter().all(|w| w.runs.len() <= 58), "{windows:?}");
        assert_eq!(windows.iter().map(|w| w.runs.len()).sum::<usize>(), 120);
    }
}
