//! One merge: sorted files of one day into one sorted file. Takes active files, gives a durable
//! file that no commit names yet. A streaming k-way merge: memory is bounded by one row group
//! and one batch per input and one row group of output, see [`limits`].

use std::path::Path;
use std::sync::Arc;

use datafusion::common::config::TableParquetOptions;
use datafusion::execution::{SessionStateBuilder, TaskContext};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionConfig;
use futures::StreamExt;
use spanledger_schemas::Table;

use super::dedup::Dedup;
use crate::error::blocking;
use crate::log::ActiveFile;
use crate::scan::plan::{self, Files, Reading};
use crate::write::NewFile;
use crate::write::encode::{Effort, Encoder};
use crate::{StoreError, limits, paths};

/// Merges the rows of files of one day. The result is empty only if the inputs have no rows.
#[tracing::instrument(
    level = "debug",
    skip_all,
    fields(table = table.name, files = inputs.len(), rows = rows_of(inputs))
)]
pub(crate) async fn merge(
    reading: &Reading,
    table: &'static Table,
    table_dir: &Path,
    inputs: &[Arc<ActiveFile>],
) -> Result<Vec<NewFile>, StoreError> {
    let failed = |source| StoreError::Merge { table: table.name, source: Box::new(source) };
    let Some(first) = inputs.first() else { return Ok(Vec::new()) };
    let date = first.file.date;
    let rows_max = rows_of(inputs);
    let plan = merged(reading, table, table_dir, inputs).map_err(failed)?;
    let config =
        SessionConfig::new().with_batch_size(limits::MERGE_BATCH_ROWS).with_target_partitions(1);
    let state = SessionStateBuilder::new().with_config(config).build();
    let mut batches = execute_stream(plan, Arc::new(TaskContext::from(&state))).map_err(failed)?;

    let dir = table_dir.to_owned();
    let rows_max = usize::try_from(rows_max).unwrap_or(usize::MAX);
    let mut encoder = blocking("encoding merged rows", move || {
        Encoder::create(table, &dir, date, rows_max, Effort::Compaction)
    })
    .await?;
    let mut dedup = Dedup::new(table)?;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(failed)?;
        (encoder, dedup) = blocking("encoding merged rows", move || {
            let kept = dedup.keep(batch)?;
            encoder.write(&kept)?;
            Ok((encoder, dedup))
        })
        .await?;
    }
    let new = blocking("encoding merged rows", move || encoder.finish()).await?;
    Ok(vec![new])
}

fn rows_of(files: &[Arc<ActiveFile>]) -> u64 {
    files.iter().map(|f| f.file.rows).sum()
}

/// A plan of one partition that gives the rows of all files in the table's order.
fn merged(
    reading: &Reading,
    table: &'static Table,
    table_dir: &Path,
    inputs: &[Arc<ActiveFile>],
) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
    // All columns but the partition column, which is not in the files.
    let projection: Vec<usize> = (1..table.columns.len()).collect();
    let (sorted, unsorted): (Vec<_>, Vec<_>) =
        inputs.iter().cloned().partition(|f| paths::is_sorted(table, &f.file.path));
    let read = |files: &[Arc<ActiveFile>]| {
        plan::read(
            reading,
            Files {
                table,
                table_dir,
                files,
                projection: Some(&projection),
                limit: None,
                partitions: files.len(),
                options: TableParquetOptions::default(),
            },
        )
    };
    let order = plan::sort_order(table, |column| column - 1);
    let mut parts = Vec::new();
    if !sorted.is_empty() {
        parts.push(read(&sorted)?);
    }
    if !unsorted.is_empty() {
        // Files of another writer, or of an older sort order.
        let part = read(&unsorted)?;
        parts.push(match &order {
            Some(order) => {
                Arc::new(SortExec::new(order.clone(), part).with_preserve_partitioning(true))
            }
            None => part,
        });
    }
    let all = match <[_; 1]>::try_from(parts) {
        Ok([one]) => one,
        Err(parts) => UnionExec::try_new(parts)?,
    };
    Ok(match order {
        Some(order) => Arc::new(SortPreservingMergeExec::new(order, all)),
        None => all,
    })
}
