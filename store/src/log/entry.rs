//! One entry of the log: the actions we write and those we read. Takes the JSON lines of the
//! Delta protocol, gives typed actions; what we do not need is skipped unread.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use deltalake::kernel::{Action, Add, Metadata, Protocol, Remove, Transaction};
use serde::Deserialize;
use spanledger_schemas::Table;
use spanledger_schemas::table::PARTITION_COLUMN;

use super::state::ActiveFile;
use crate::write::NewFile;
use crate::write::stats::FileStats;
use crate::{DataFile, StoreError, definition, paths};

/// One line of an entry; `commitInfo` and unknown actions are all `None`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Line {
    pub(crate) add: Option<Add>,
    pub(crate) remove: Option<Remove>,
    pub(crate) txn: Option<Transaction>,
    pub(crate) meta_data: Option<Metadata>,
    pub(crate) protocol: Option<Protocol>,
}

/// The text of an entry, `None` when there is none.
pub(crate) async fn read(table_dir: &Path, version: i64) -> Result<Option<String>, StoreError> {
    let path = paths::log_entry(table_dir, version);
    let read = |path: &Path| match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    };
    super::on_disk("reading the log entry", path, read).await
}

/// The actions of an entry.
pub(crate) fn parse(
    table: &'static Table,
    version: i64,
    text: &str,
) -> Result<Vec<Line>, StoreError> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            serde_json::from_str(line).map_err(|e| StoreError::Log {
                attempted: "reading an entry of",
                table: table.name,
                detail: format!("version {version}: {e}"),
            })
        })
        .collect()
}

/// The action that makes a file part of the table. `data_change` is false when its rows were in
/// the table before.
pub(crate) fn add(new: &NewFile, data_change: bool) -> Action {
    let date = Some(paths::date_text(new.file.date));
    Action::Add(Add {
        path: new.file.path.clone(),
        partition_values: HashMap::from([(PARTITION_COLUMN.to_owned(), date)]),
        size: i64::try_from(new.file.size_bytes).unwrap_or(i64::MAX),
        modification_time: now_ms(),
        data_change,
        stats: Some(new.stats.clone()),
        ..Add::default()
    })
}

/// The action that takes a file out of the table.
pub(crate) fn remove(file: &DataFile, data_change: bool) -> Action {
    let date = Some(paths::date_text(file.date));
    Action::Remove(Remove {
        path: file.path.clone(),
        data_change,
        deletion_timestamp: Some(now_ms()),
        extended_file_metadata: Some(true),
        partition_values: Some(HashMap::from([(PARTITION_COLUMN.to_owned(), date)])),
        size: Some(i64::try_from(file.size_bytes).unwrap_or(i64::MAX)),
        ..Remove::default()
    })
}

/// The file that an `add` describes.
pub(crate) fn added(table: &'static Table, add: Add) -> Result<ActiveFile, StoreError> {
    if add.deletion_vector.is_some() {
        return definition::foreign(table, "deletionVectors");
    }
    let date = add.partition_values.get(PARTITION_COLUMN).and_then(|v| v.as_deref());
    active_file(table, add.path.clone(), add.size, add.modification_time, date, add.stats.clone())
}

/// A file as the log describes it.
pub(crate) fn active_file(
    table: &'static Table,
    path: String,
    size_bytes: i64,
    added_ms: i64,
    date: Option<&str>,
    stats: Option<String>,
) -> Result<ActiveFile, StoreError> {
    let bad = |what: &str| StoreError::Log {
        attempted: "reading",
        table: table.name,
        detail: format!("file `{path}` has {what}"),
    };
    let text = date.ok_or_else(|| bad("no date"))?;
    let date = paths::parse_date(text).ok_or_else(|| bad("a date that is no day"))?;
    let stats = stats.unwrap_or_default();
    let rows = FileStats::rows_of_json(&stats).ok_or_else(|| bad("no row count"))?;
    let file = DataFile { size_bytes: size_bytes.unsigned_abs(), rows, date, path };
    Ok(ActiveFile::new(file, added_ms, stats))
}

/// Milliseconds since the epoch, the clock of the log.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
