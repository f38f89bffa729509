//! The one home of file names: folders of tables, log entries, data files. Takes tables, dates
//! and versions, gives paths; it opens nothing. The root is a local folder today; a store on
//! object storage changes this file and `durable.rs`.

use std::path::{Path, PathBuf};

use jiff::civil::{self, Date};
use spanledger_schemas::Table;
use spanledger_schemas::table::PARTITION_COLUMN;
use uuid::Uuid;

/// Folder of the Delta log inside a table's folder.
pub(crate) const LOG: &str = "_delta_log";

/// Folder of a table.
pub(crate) fn table(root: &Path, table: &Table) -> PathBuf {
    root.join(table.name)
}

/// The log entry of a version.
pub(crate) fn log_entry(table_dir: &Path, version: i64) -> PathBuf {
    table_dir.join(LOG).join(format!("{version:020}.json"))
}

/// The pointer to the newest checkpoint.
pub(crate) fn last_checkpoint(table_dir: &Path) -> PathBuf {
    table_dir.join(LOG).join("_last_checkpoint")
}

/// What a file in the log folder is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFile {
    /// A commit.
    Entry(i64),
    /// A checkpoint, or a part of one.
    Checkpoint(i64),
}

/// Reads the name of a file in the log folder; `None` for anything else.
pub(crate) fn log_file(name: &str) -> Option<LogFile> {
    let (digits, rest) = name.split_at_checked(20)?;
    let version = digits.parse().ok()?;
    if rest == ".json" {
        Some(LogFile::Entry(version))
    } else if rest.starts_with(".checkpoint.") && rest.ends_with(".parquet") {
        Some(LogFile::Checkpoint(version))
    } else {
        None
    }
}

/// In which order the rows of a data file are, if by the table's sort columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowOrder {
    /// From the first row to the last.
    Throughout,
    /// Within each row group; the file will be merged again.
    InGroups,
    /// Within each row group; the file was written to stay.
    InKeptGroups,
}

impl RowOrder {
    const ALL: [(RowOrder, &str); 3] =
        [(RowOrder::Throughout, "o"), (RowOrder::InGroups, "g"), (RowOrder::InKeptGroups, "k")];

    /// The order that a file's name tells; `None` for a file of another writer, or of another
    /// order of its table.
    pub(crate) fn of(table: &Table, path: &str) -> Option<RowOrder> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let rest = name.strip_prefix("part-")?;
        let told = RowOrder::ALL.into_iter().find(|(_, letter)| rest.starts_with(letter));
        let (order, letter) = told?;
        rest.strip_prefix(letter)?.starts_with(&order_mark(table)).then_some(order)
    }

    fn letter(self) -> &'static str {
        RowOrder::ALL.into_iter().find(|(order, _)| *order == self).map_or("", |(_, l)| l)
    }
}

/// A new data file of a day, below the table's folder. The name tells by which columns the rows
/// are sorted and how far, so that a reader knows without opening it, and a later change of the
/// order does not lie about older files.
pub(crate) fn data_file(table: &Table, date: i32, order: RowOrder) -> String {
    format!(
        "{PARTITION_COLUMN}={}/part-{}{}-{}.parquet",
        date_text(date),
        order.letter(),
        order_mark(table),
        Uuid::now_v7()
    )
}

/// Eight hex digits that stand for the sort columns (FNV-1a, 32 bits: it only has to differ when
/// the order of one table changes).
fn order_mark(table: &Table) -> String {
    let hash = table
        .sort_by
        .join(",")
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{hash:08x}")
}

/// Whether a name is a data file of any writer.
pub(crate) fn is_data_file(name: &str) -> bool {
    name.ends_with(".parquet")
}

/// A name for a file on its way: it becomes visible under its own name only when it is durable.
pub(crate) fn staged(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.tmp", Uuid::new_v4()))
}

/// Whether a name was made by [`staged`].
pub(crate) fn is_staged(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".tmp")
}

/// `YYYY-MM-DD` of a day counted from the epoch: the value of the partition column.
pub(crate) fn date_text(date: i32) -> String {
    let epoch = civil::date(1970, 1, 1);
    // Arrow's days reach further than the calendar; such a day sorts at the calendar's edge.
    epoch.checked_add(jiff::Span::new().days(date)).map_or_else(
        |_| if date < 0 { Date::MIN } else { Date::MAX }.to_string(),
        |d| d.to_string(),
    )
}

/// The day of a partition value.
pub(crate) fn parse_date(text: &str) -> Option<i32> {
    let date: Date = text.parse().ok()?;
    date.since(civil::date(1970, 1, 1)).ok().map(|span| span.get_days())
}

#[cfg(test)]
mod tests {
    use spanledger_schemas::tables;

    use super::*;

    #[test]
    fn dates_are_the_iso_text_of_the_utc_day() {
        // 2026-11-25T00:00:00Z is 1795564800 s, day 20782.
        assert_eq!(date_text(20_782), "2026-11-25");
        assert_eq!(date_text(-1), "1969-12-31");
        assert_eq!(parse_date("2026-11-25"), Some(20_782));
        assert_eq!(parse_date("1969-12-31"), Some(-1));
        assert_eq!(parse_date("yesterday"), None);
    }

    #[test]
    fn names_of_the_log_folder_are_told_apart() {
        assert_eq!(log_file("00000000000000000012.json"), Some(LogFile::Entry(12)));
        assert_eq!(
            log_file("00000000000000000012.checkpoint.parquet"),
            Some(LogFile::Checkpoint(12))
        );
        assert_eq!(log_file("00000000000000000012.crc"), None);
        assert_eq!(log_file("_last_checkpoint"), None);
    }

    #[test]
    fn the_order_of_a_file_is_known_by_its_name_only() {
        let (spans, calls) = (&tables::spans::TABLE, &tables::calls::TABLE);
        for order in [RowOrder::Throughout, RowOrder::InGroups, RowOrder::InKeptGroups] {
            assert_eq!(RowOrder::of(spans, &data_file(spans, 0, order)), Some(order));
            assert_eq!(RowOrder::of(spans, &data_file(calls, 0, order)), None);
        }
        let foreign = "date=1970-01-01/part-00000-foreign.snappy.parquet";
        assert_eq!(RowOrder::of(spans, foreign), None);
    }
}
