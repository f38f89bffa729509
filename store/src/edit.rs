//! A data file with some of its rows changed or left out. Takes an active file, the places of those
//! rows and what becomes of them, gives durable files that no commit names yet. Row groups without
//! such a row are taken over as they are encoded, the others are read and encoded anew a batch at a
//! time: memory is bounded by a batch and two row groups, however large the file is; but a file of
//! another writer, whose rows are in no known order, is sorted in memory.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch, not};
use datafusion::common::config::TableParquetOptions;
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder, TaskContext};
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionConfig;
use futures::StreamExt;
use spanledger_schemas::Table;

use crate::error::blocking;
use crate::log::ActiveFile;
use crate::paths::RowOrder;
use crate::scan::plan::{self, Files, Reading, RowGroups};
use crate::upkeep::Input;
use crate::write::encode::Encoder;
use crate::write::properties::Effort;
use crate::write::{self, NewFile};
use crate::{StoreError, limits};

/// The file, which is active, without some of its rows; no file where no row is left.
pub(crate) async fn without(
    reading: &Reading,
    table: &'static Table,
    table_dir: &Path,
    (file, places): (&Arc<ActiveFile>, &[u32]),
) -> Result<Vec<NewFile>, StoreError> {
    if places.len() as u64 == file.file.rows {
        return Ok(Vec::new());
    }
    let stays = |batch: &RecordBatch, goes: &BooleanArray| {
        let stays = not(goes).map_err(arrow_error(table))?;
        filter_record_batch(batch, &stays).map_err(arrow_error(table))
    };
    edited(reading, table, table_dir, (file, places), stays).await
}

/// The file, which is active, with what `edit` makes of its rows at `places`, which rise, counted
/// from zero. `edit` is given rows one after another, and which of them are meant; it must keep
/// their order, and the columns as they come: those of the table, with or without its day.
pub(crate) async fn edited<E: From<StoreError>>(
    reading: &Reading,
    table: &'static Table,
    table_dir: &Path,
    (file, places): (&Arc<ActiveFile>, &[u32]),
    mut edit: impl FnMut(&RecordBatch, &BooleanArray) -> Result<RecordBatch, E> + Send,
) -> Result<Vec<NewFile>, E> {
    let rising = places.is_sorted_by(|a, b| a < b);
    if !rising || places.last().is_some_and(|last| u64::from(*last) >= file.file.rows) {
        let detail = format!("places in `{}` that do not rise, or are none", file.file.path);
        return Err(StoreError::Rows { table: table.name, detail }.into());
    }
    let effort = match RowOrder::of(table, &file.file.path) {
        Some(RowOrder::Throughout) => Effort::Flush,
        Some(RowOrder::InGroups) => Effort::Passing,
        Some(RowOrder::InKeptGroups) => Effort::Kept,
        None => return sorted(reading, table, table_dir, (file, places), edit).await,
    };
    let (dir, active) = (table_dir.to_owned(), Arc::clone(file));
    let (input, mut encoder) = blocking("opening the data file", move || {
        let gone = || StoreError::FileGone { table: table.name, path: active.file.path.clone() };
        let opened = Input::open_all(table, &dir, std::slice::from_ref(&active));
        let mut inputs =
            opened.map_err(|error| if error.is_not_found() { gone() } else { error })?;
        let Some(input) = inputs.pop() else { return Err(gone()) };
        let rows = usize::try_from(active.file.rows).unwrap_or(usize::MAX);
        let empty = |column: &str| input.is_empty(column);
        let encoder = Encoder::create(table, &dir, active.file.date, rows, effort, empty)?;
        Ok((Arc::new(input), encoder))
    })
    .await?;
    let mut meant = Meant { next: 0, places };
    for (at, group) in input.footer.row_groups().iter().enumerate() {
        let rows = u32::try_from(group.num_rows()).unwrap_or(u32::MAX);
        if input.has_all_columns && !meant.is_among(rows) {
            meant.next += rows;
            let input = Arc::clone(&input);
            encoder = blocking("taking over row groups", move || {
                encoder.take_over(&input.file, &input.footer, at)?;
                Ok(encoder)
            })
            .await?;
            continue;
        }
        let mut batches = read(reading, table, table_dir, file, Some(input.row_group(at)))?;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(failed(table, file))?;
            let batch = edit(&batch, &meant.of(batch.num_rows()))?;
            encoder = blocking("encoding rows", move || {
                encoder.write(&batch)?;
                Ok(encoder)
            })
            .await?;
        }
        encoder = blocking("encoding rows", move || {
            encoder.end_group()?;
            Ok(encoder)
        })
        .await?;
    }
    Ok(vec![blocking("encoding rows", move || encoder.finish()).await?])
}

/// The same of a file of another writer.
async fn sorted<E: From<StoreError>>(
    reading: &Reading,
    table: &'static Table,
    table_dir: &Path,
    (file, places): (&Arc<ActiveFile>, &[u32]),
    mut edit: impl FnMut(&RecordBatch, &BooleanArray) -> Result<RecordBatch, E> + Send,
) -> Result<Vec<NewFile>, E> {
    let mut meant = Meant { next: 0, places };
    let mut batches = read(reading, table, table_dir, file, None)?;
    let mut rows = Vec::new();
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(failed(table, file))?;
        rows.push(edit(&batch, &meant.of(batch.num_rows()))?);
    }
    let Some(first) = rows.first() else { return Ok(Vec::new()) };
    let rows = concat_batches(&first.schema(), &rows).map_err(arrow_error(table))?;
    let dir = table_dir.to_owned();
    Ok(blocking("encoding rows", move || write::write(table, &dir, &rows)).await?)
}

/// Rows in the order of a file, told which of them are meant.
struct Meant<'a> {
    /// Place of the next row.
    next: u32,
    /// Places that are meant, from the next row on.
    places: &'a [u32],
}

impl Meant<'_> {
    /// Whether one of the next rows is meant.
    fn is_among(&self, rows: u32) -> bool {
        self.places.first().is_some_and(|place| *place < self.next + rows)
    }

    /// Which of the next rows are meant.
    fn of(&mut self, rows: usize) -> BooleanArray {
        let after = self.next + rows as u32;
        let (here, rest) = self.places.split_at(self.places.partition_point(|p| *p < after));
        let mut meant = vec![false; rows];
        here.iter().for_each(|place| meant[(place - self.next) as usize] = true);
        (self.next, self.places) = (after, rest);
        BooleanArray::from(meant)
    }
}

/// The rows of a file; of one of its row groups without the partition column.
fn read(
    reading: &Reading,
    table: &'static Table,
    table_dir: &Path,
    file: &Arc<ActiveFile>,
    group: Option<RowGroups>,
) -> Result<SendableRecordBatchStream, StoreError> {
    let in_file: Vec<usize> = (1..table.columns.len()).collect();
    let projection = group.is_some().then_some(&in_file);
    let files = Files {
        table,
        table_dir,
        files: std::slice::from_ref(file),
        groups: &[group],
        projection,
        limit: None,
        partitions: 1,
        options: TableParquetOptions::default(),
    };
    let config =
        SessionConfig::new().with_batch_size(limits::MERGE_BATCH_ROWS).with_target_partitions(1);
    let state = SessionStateBuilder::new().with_config(config).build();
    let plan = plan::read(reading, files).map_err(failed(table, file))?;
    execute_stream(plan, Arc::new(TaskContext::from(&state))).map_err(failed(table, file))
}

fn failed(
    table: &'static Table,
    file: &ActiveFile,
) -> impl Fn(datafusion::error::DataFusionError) -> StoreError {
    let path = file.file.path.clone();
    move |e| StoreError::Read { table: table.name, path: path.clone(), detail: e.to_string() }
}

fn arrow_error(table: &'static Table) -> impl Fn(arrow::error::ArrowError) -> StoreError {
    move |e| StoreError::Rows { table: table.name, detail: e.to_string() }
}
