//! A data file without some of its rows. Takes an active file and the places of those rows, gives
//! durable files that no commit names yet. Row groups that keep all their rows are taken over as
//! they are encoded, the others are read and encoded anew a batch at a time: memory is bounded by a
//! batch and a row group of output, however large the file is.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use datafusion::common::config::TableParquetOptions;
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder, TaskContext};
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionConfig;
use futures::{StreamExt, TryStreamExt};
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

/// The rows of a file but those at `places`, which rise, counted from zero; no file where no row
/// is left.
pub(crate) async fn without(
    reading: &Reading,
    table: &'static Table,
    table_dir: &Path,
    file: &Arc<ActiveFile>,
    places: &[u32],
) -> Result<Vec<NewFile>, StoreError> {
    if places.len() as u64 >= file.file.rows {
        return Ok(Vec::new());
    }
    let effort = match RowOrder::of(table, &file.file.path) {
        Some(RowOrder::Throughout) => Effort::Flush,
        Some(RowOrder::InGroups) => Effort::Passing,
        Some(RowOrder::InKeptGroups) => Effort::Kept,
        None => return sorted(reading, table, table_dir, file, places).await,
    };
    let (dir, active) = (table_dir.to_owned(), Arc::clone(file));
    let (input, mut encoder) = blocking("opening the data file", move || {
        let mut inputs = Input::open_all(table, &dir, std::slice::from_ref(&active))?;
        let Some(input) = inputs.pop() else {
            return Err(StoreError::FileGone { table: table.name, path: active.file.path.clone() });
        };
        let rows = usize::try_from(active.file.rows).unwrap_or(usize::MAX);
        let empty = |column: &str| input.is_empty(column);
        let encoder = Encoder::create(table, &dir, active.file.date, rows, effort, empty)?;
        Ok((Arc::new(input), encoder))
    })
    .await?;
    let mut first = 0;
    let mut places = places;
    for (at, group) in input.footer.row_groups().iter().enumerate() {
        let rows = u32::try_from(group.num_rows()).unwrap_or(u32::MAX);
        let (here, rest) = places.split_at(places.partition_point(|p| *p < first + rows));
        places = rest;
        if here.is_empty() && input.has_all_columns {
            let input = Arc::clone(&input);
            encoder = blocking("taking over row groups", move || {
                encoder.take_over(&input.file, &input.footer, at)?;
                Ok(encoder)
            })
            .await?;
        } else {
            let mut stays = Stays { next: first, places: here };
            let mut batches = read(reading, table, table_dir, file, Some(input.row_group(at)))?;
            while let Some(batch) = batches.next().await {
                let batch = stays.of(table, &batch.map_err(failed(table, file))?)?;
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
        first += rows;
    }
    Ok(vec![blocking("encoding rows", move || encoder.finish()).await?])
}

/// The same of a file of another writer, whose rows are in no known order: they are sorted in memory.
async fn sorted(
    reading: &Reading,
    table: &'static Table,
    table_dir: &Path,
    file: &Arc<ActiveFile>,
    places: &[u32],
) -> Result<Vec<NewFile>, StoreError> {
    let mut stays = Stays { next: 0, places };
    let batches = read(reading, table, table_dir, file, None)?;
    let batches: Vec<RecordBatch> = batches.try_collect().await.map_err(failed(table, file))?;
    let kept = batches.iter().map(|batch| stays.of(table, batch));
    let kept = kept.collect::<Result<Vec<_>, _>>()?;
    let Some(first) = kept.first() else { return Ok(Vec::new()) };
    let rows = concat_batches(&first.schema(), &kept).map_err(arrow_error(table))?;
    let dir = table_dir.to_owned();
    blocking("encoding rows", move || write::write(table, &dir, &rows)).await
}

/// Rows in the order of a file, told which of them stay.
struct Stays<'a> {
    /// Place of the next row.
    next: u32,
    /// Places that do not stay.
    places: &'a [u32],
}

impl Stays<'_> {
    fn of(
        &mut self,
        table: &'static Table,
        batch: &RecordBatch,
    ) -> Result<RecordBatch, StoreError> {
        let rows = batch.num_rows() as u32;
        let after = self.next + rows;
        let (here, rest) = self.places.split_at(self.places.partition_point(|p| *p < after));
        let mut stays = vec![true; batch.num_rows()];
        here.iter().for_each(|place| stays[(place - self.next) as usize] = false);
        (self.next, self.places) = (after, rest);
        filter_record_batch(batch, &BooleanArray::from(stays)).map_err(arrow_error(table))
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
