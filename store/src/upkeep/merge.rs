//! One merge: sorted files of one day into one file of sorted row groups. Takes active files, gives
//! a durable file that no commit names yet. What is merged is so by a streaming k-way merge: memory
//! is bounded by one row group and one batch per run and one row group of output, see [`limits`].

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
use super::runs::{Input, Plan, Window};
use super::tiers::Merge;
use crate::error::blocking;
use crate::log::ActiveFile;
use crate::scan::plan::{self, Files, Reading, RowGroups};
use crate::write::NewFile;
use crate::write::encode::Encoder;
use crate::{StoreError, limits};

/// Merges the rows of files of one day. The result is empty only if the inputs have no rows.
#[tracing::instrument(
    level = "debug",
    skip_all,
    fields(table = table.name, files = what.files.len(), rows = rows_of(&what.files))
)]
pub(crate) async fn merge(
    reading: &Reading,
    table: &'static Table,
    table_dir: &Path,
    what: &Merge,
) -> Result<Vec<NewFile>, StoreError> {
    let failed = |source| StoreError::Merge { table: table.name, source: Box::new(source) };
    let Some(first) = what.files.first() else { return Ok(Vec::new()) };
    let (date, effort) = (first.file.date, what.effort);
    let rows_max = usize::try_from(rows_of(&what.files)).unwrap_or(usize::MAX);
    let (dir, files) = (table_dir.to_owned(), what.files.clone());
    let (inputs, plan, mut encoder) = blocking("taking over row groups", move || {
        let inputs = Input::open_all(table, &dir, &files)?;
        let plan = Plan::of(&inputs, effort);
        let empty = |column: &str| inputs.iter().all(|input| input.is_empty(column));
        let mut encoder = Encoder::create(table, &dir, date, rows_max, effort, empty)?;
        for run in &plan.taken_over {
            let Input { file, footer, .. } = &inputs[run.input];
            encoder.take_over(file, footer, run.group)?;
        }
        Ok((inputs, plan, encoder))
    })
    .await?;

    let config =
        SessionConfig::new().with_batch_size(limits::MERGE_BATCH_ROWS).with_target_partitions(1);
    let state = SessionStateBuilder::new().with_config(config).build();
    for window in &plan.windows {
        let rows = merged(reading, table, table_dir, &inputs, window).map_err(failed)?;
        let mut batches =
            execute_stream(rows, Arc::new(TaskContext::from(&state))).map_err(failed)?;
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
        encoder = blocking("encoding merged rows", move || {
            encoder.end_group()?;
            Ok(encoder)
        })
        .await?;
    }
    let new = blocking("encoding merged rows", move || encoder.finish()).await?;
    Ok(vec![new])
}

fn rows_of(files: &[Arc<ActiveFile>]) -> u64 {
    files.iter().map(|f| f.file.rows).sum()
}

/// A plan of one partition that gives the rows of a window in the table's order.
fn merged(
    reading: &Reading,
    table: &'static Table,
    table_dir: &Path,
    inputs: &[Input],
    window: &Window,
) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
    // All columns but the partition column, which is not in the files.
    let projection: Vec<usize> = (1..table.columns.len()).collect();
    let read = |files: &[Arc<ActiveFile>], groups: &[Option<RowGroups>]| {
        plan::read(
            reading,
            Files {
                table,
                table_dir,
                files,
                groups,
                projection: Some(&projection),
                limit: None,
                partitions: files.len(),
                options: TableParquetOptions::default(),
            },
        )
    };
    let file = |at: usize| Arc::clone(&inputs[at].active);
    let order = plan::sort_order(table, |column| column - 1);
    let mut parts = Vec::new();
    if !window.runs.is_empty() {
        let files: Vec<_> = window.runs.iter().map(|run| file(run.input)).collect();
        let groups = window.runs.iter().map(|run| Some(inputs[run.input].row_group(run.group)));
        parts.push(read(&files, &groups.collect::<Vec<_>>())?);
    }
    if !window.unordered.is_empty() {
        // Files of another writer, or of an older sort order.
        let files: Vec<_> = window.unordered.iter().map(|at| file(*at)).collect();
        let part = read(&files, &[])?;
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
