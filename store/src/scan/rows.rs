//! Rows of one data file by their place in it: for a reader that decided on some columns and now
//! wants the others of a few rows. Takes a file, places and column names, gives the rows in the
//! types the table is read with; pages without a wanted row are not decoded.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::TryStreamExt;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::file::metadata::{ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData};
use spanledger_schemas::Table;

use super::plan::{Reading, partitioned_file};
use crate::log::ActiveFile;
use crate::{StoreError, limits};

/// The rows at `places`, which rise, with `columns`, in the order of both.
pub(crate) async fn at(
    reading: &Reading,
    table: &'static Table,
    table_dir: &Path,
    file: &ActiveFile,
    places: &[u32],
    columns: &[&str],
) -> Result<RecordBatch, StoreError> {
    let path = &file.file.path;
    let failed = |detail: String| match table_dir.join(path).try_exists() {
        Ok(false) => StoreError::FileGone { table: table.name, path: path.clone() },
        _ => StoreError::Read { table: table.name, path: path.clone(), detail },
    };
    let schema = schema_of(table, columns)?;
    let factory = CachedParquetFileReaderFactory::new(
        Arc::clone(&reading.store),
        Arc::clone(&reading.footers),
    );
    let mut reader: Box<dyn AsyncFileReader> = partitioned_file(table, table_dir, file)
        .and_then(|file| {
            let hint = Some(limits::FOOTER_HINT_BYTES);
            factory.create_reader(0, file, hint, &ExecutionPlanMetricsSet::new())
        })
        .map_err(|e| failed(e.to_string()))?;
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    let footer = ArrowReaderMetadata::load_async(&mut reader, options.clone())
        .await
        .and_then(|footer| {
            let views = options.with_schema(with_views(footer.schema()));
            ArrowReaderMetadata::try_new(Arc::clone(footer.metadata()), views)
        })
        .map_err(|e| failed(e.to_string()))?;
    let builder = ParquetRecordBatchStreamBuilder::new_with_metadata(reader, footer);
    let rows = builder.metadata().file_metadata().num_rows();
    let rows = usize::try_from(rows).unwrap_or_default();
    if places.last().is_some_and(|last| *last as usize >= rows) {
        return Err(failed(format!("row {:?} of {rows} was asked for", places.last())));
    }
    // Most columns of most files are empty, which the footer says.
    let filled = columns.iter().copied().filter(|column| !is_empty(builder.metadata(), column));
    let mask = ProjectionMask::columns(builder.parquet_schema(), filled);
    let batches: Vec<RecordBatch> = builder
        .with_projection(mask)
        .with_batch_size(places.len().max(1))
        .with_row_selection(RowSelection::from_consecutive_ranges(ranges(places), rows))
        .build()
        .map_err(|e| failed(e.to_string()))?
        .and_then(|batch| std::future::ready(in_types_of(&schema, &batch).map_err(Into::into)))
        .try_collect()
        .await
        .map_err(|e| failed(e.to_string()))?;
    concat_batches(&schema, &batches).map_err(|e| failed(e.to_string()))
}

/// The schema of a file, with its texts as views: a page is decoded without a copy of each.
fn with_views(file: &SchemaRef) -> SchemaRef {
    let view = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8 => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)),
        _ => Arc::clone(field),
    };
    Arc::new(Schema::new(file.fields().iter().map(view).collect::<Vec<_>>()))
}

fn schema_of(table: &'static Table, columns: &[&str]) -> Result<SchemaRef, StoreError> {
    let field = |name: &&str| match table.column(name) {
        Some(column) => Ok(Field::new(column.name, column.kind.scan(), column.nullable)),
        None => Err(StoreError::Rows { table: table.name, detail: format!("no column `{name}`") }),
    };
    Ok(Arc::new(Schema::new(columns.iter().map(field).collect::<Result<Vec<_>, _>>()?)))
}

/// Whether a column of a file is null throughout.
fn is_empty(footer: &ParquetMetaData, name: &str) -> bool {
    let of_column = |column: &&ColumnChunkMetaData| column.column_path().parts() == [name];
    footer.row_groups().iter().all(|group| {
        let column = group.columns().iter().find(of_column);
        let nulls = column.and_then(|c| c.statistics()?.null_count_opt());
        nulls.is_some_and(|nulls| nulls == group.num_rows() as u64)
    })
}

/// A batch with all columns of a schema; those that were not read are null.
fn in_types_of(
    schema: &SchemaRef,
    batch: &RecordBatch,
) -> Result<RecordBatch, arrow::error::ArrowError> {
    let mut empty: HashMap<&DataType, ArrayRef> = HashMap::new();
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let kind = field.data_type();
        columns.push(match batch.column_by_name(field.name()) {
            Some(column) => cast(column, kind)?,
            None => {
                let nulls = || new_null_array(kind, batch.num_rows());
                Arc::clone(empty.entry(kind).or_insert_with(nulls))
            }
        });
    }
    RecordBatch::try_new(Arc::clone(schema), columns)
}

/// Neighbouring places as ranges.
fn ranges(places: &[u32]) -> impl Iterator<Item = Range<usize>> {
    places.chunk_by(|a, b| a + 1 == *b).filter_map(|run| {
        let (first, last) = (*run.first()?, *run.last()?);
        Some(first as usize..last as usize + 1)
    })
}
