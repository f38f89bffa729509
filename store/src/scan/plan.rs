//! The plan over a list of files: one `DataSourceExec` with partition column, statistics, known
//! order and the shared footer cache. Takes files and a projection; it prunes nothing.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::config::TableParquetOptions;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, DataFusionError, Result, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{
    CachedParquetFileReaderFactory, ParquetAccessPlan,
};
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::scalar::ScalarValue;
use object_store::local::LocalFileSystem;
use object_store::path::Path as StorePath;
use object_store::{ObjectMeta, ObjectStore};
use spanledger_schemas::{Kind, Table};

use super::blooms::Blooms;
use crate::limits;
use crate::log::ActiveFile;
use crate::paths::RowOrder;
use crate::write::stats::FileStats;

/// What all plans of a process share.
#[derive(Clone)]
pub(crate) struct Reading {
    /// Where data files are read from.
    pub(crate) store: Arc<dyn ObjectStore>,
    /// Parquet footers, kept between queries: the first look at a large file costs 30 ms, the
    /// next 0.1.
    pub(crate) footers: Arc<FileMetadataCache>,
    pub(crate) blooms: Blooms,
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reading({})", self.store)
    }
}

impl Reading {
    /// Reads local files through a footer cache.
    pub(crate) fn local(footers: Arc<FileMetadataCache>) -> Reading {
        Reading { store: Arc::new(LocalFileSystem::new()), footers, blooms: Blooms::new() }
    }
}

/// The row groups to read of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowGroups {
    /// Their places.
    pub(crate) at: Vec<usize>,
    /// How many the file has.
    pub(crate) of: usize,
    /// The rows of the largest of them.
    pub(crate) rows_max: usize,
}

/// What to read.
#[derive(Debug)]
pub(crate) struct Files<'a> {
    pub(crate) table: &'static Table,
    pub(crate) table_dir: &'a Path,
    /// In the order in which they shall be read.
    pub(crate) files: &'a [Arc<ActiveFile>],
    /// The row groups to read of each file, where not all; for all files, or empty.
    pub(crate) groups: &'a [Option<RowGroups>],
    /// Columns of [`Table::scan_schema`], all if `None`.
    pub(crate) projection: Option<&'a Vec<usize>>,
    pub(crate) limit: Option<usize>,
    /// Upper bound of the plan's partitions.
    pub(crate) partitions: usize,
    pub(crate) options: TableParquetOptions,
}

/// A plan that reads the files.
pub(crate) fn read(reading: &Reading, what: Files<'_>) -> Result<Arc<dyn ExecutionPlan>> {
    let Files { table, table_dir, files, groups: only, projection, limit, partitions, options } =
        what;
    let schema = table.scan_schema();
    let stored = Schema::new(schema.fields().iter().skip(1).cloned().collect::<Vec<_>>());
    let date = Arc::new(schema.field(0).clone());
    let table_schema =
        TableSchema::builder(Arc::new(stored)).with_table_partition_cols(vec![date]).build();
    let factory = CachedParquetFileReaderFactory::new(
        Arc::clone(&reading.store),
        Arc::clone(&reading.footers),
    );
    // Whoever chose row groups has asked the bloom filters, or needs none; and small row groups are
    // read faster whole than the index of all pages of their file.
    let small = |groups: &Option<RowGroups>| {
        groups.as_ref().is_some_and(|g| g.rows_max <= limits::ROWS_WITHOUT_PAGE_INDEX)
    };
    let page_index = only.is_empty() || !only.iter().all(small);
    let source = ParquetSource::new(table_schema)
        .with_table_parquet_options(options)
        .with_parquet_file_reader_factory(Arc::new(factory))
        .with_metadata_size_hint(limits::FOOTER_HINT_BYTES)
        .with_pushdown_filters(true)
        .with_reorder_filters(true)
        .with_enable_page_index(page_index)
        .with_bloom_filter_on_read(only.is_empty());

    let scan_indices: Vec<usize> = projection
        .map_or_else(|| (0..schema.fields().len()).collect(), Clone::clone)
        .into_iter()
        .map(|column| scan_index(column, schema.fields().len()))
        .collect();
    let statistics = match only {
        [] => summary(table, files, &scan_indices),
        _ => Statistics::new_unknown(&schema),
    };
    let mut groups = vec![FileGroup::default(); partitions.clamp(1, files.len().max(1))];
    let group_count = groups.len();
    for (i, file) in files.iter().enumerate() {
        if let Some(group) = groups.get_mut(i % group_count) {
            let whole = partitioned_file(table, table_dir, file)?;
            group.push(match only.get(i) {
                None | Some(None) => whole,
                Some(Some(RowGroups { at, of, .. })) => {
                    let mut some = ParquetAccessPlan::new_none(*of);
                    at.iter().for_each(|at| some.scan(*at));
                    PartitionedFile { statistics: None, ..whole }.with_extension(some)
                }
            });
        }
    }
    let ordering = ordering(table, files, only, group_count);
    let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
        .with_file_groups(groups)
        .with_statistics(statistics)
        .with_projection_indices(Some(scan_indices))?
        .with_limit(limit)
        .with_output_ordering(ordering)
        .build();
    Ok(DataSourceExec::from_data_source(config))
}

/// The engine wants partition columns last; ours is first.
fn scan_index(column: usize, columns: usize) -> usize {
    if column == 0 { columns - 1 } else { column - 1 }
}

/// The file as the engine addresses it.
pub(crate) fn partitioned_file(
    table: &'static Table,
    table_dir: &Path,
    file: &ActiveFile,
) -> Result<PartitionedFile> {
    let location = StorePath::from_absolute_path(table_dir.join(&file.file.path))
        .map_err(|e| DataFusionError::External(Box::new(e)))?;
    // Data files never change: the time of the commit serves as well as the file's own, and
    // saves asking the file system.
    let last_modified = std::time::UNIX_EPOCH
        + std::time::Duration::from_millis(u64::try_from(file.added_ms).unwrap_or(0));
    let meta = ObjectMeta {
        location,
        last_modified: last_modified.into(),
        size: file.file.size_bytes,
        e_tag: None,
        version: None,
    };
    let mut partitioned = PartitionedFile::new_from_meta(meta)
        .with_partition_values(vec![ScalarValue::Date32(Some(file.file.date))]);
    partitioned.statistics = Some(file.scan_stats(|| file_statistics(table, file)));
    Ok(partitioned)
}

/// The order of the rows of each partition, where it is truly known: all files in the table's order,
/// or one row group of each, and one to a partition (the files of a table overlap).
fn ordering(
    table: &'static Table,
    files: &[Arc<ActiveFile>],
    only: &[Option<RowGroups>],
    partitions: usize,
) -> Vec<LexOrdering> {
    let in_order = |(i, file): (usize, &Arc<ActiveFile>)| {
        let one_group = matches!(only.get(i), Some(Some(groups)) if groups.at.len() == 1);
        match RowOrder::of(table, &file.file.path) {
            Some(RowOrder::Throughout) => true,
            Some(RowOrder::InGroups | RowOrder::InKeptGroups) => one_group,
            None => false,
        }
    };
    let in_order = files.iter().enumerate().all(in_order);
    if files.len() > partitions || !in_order {
        return Vec::new();
    }
    sort_order(table, |column| scan_index(column, table.columns.len())).into_iter().collect()
}

/// The table's sort order, each column at the place that `index` gives it.
pub(crate) fn sort_order(
    table: &'static Table,
    index: impl Fn(usize) -> usize,
) -> Option<LexOrdering> {
    let sort = |name: &&str| {
        let at = table.columns.iter().position(|c| c.name == *name)?;
        // Default options: ascending, nulls first, as `write::sort` has it.
        Some(PhysicalSortExpr::new_default(Arc::new(Column::new(name, index(at)))))
    };
    LexOrdering::new(table.sort_by.iter().filter_map(sort))
}

/// Statistics of one file in the scan's column order.
fn file_statistics(table: &'static Table, file: &ActiveFile) -> Statistics {
    let stats = file.stats(table);
    let mut columns: Vec<_> =
        table.columns.iter().skip(1).map(|c| column_statistics(stats, c)).collect();
    columns.push(date_statistics(file.file.date, file.file.date));
    Statistics {
        num_rows: Precision::Exact(rows(file)),
        total_byte_size: Precision::Absent,
        column_statistics: columns,
    }
}

fn rows(file: &ActiveFile) -> usize {
    usize::try_from(file.file.rows).unwrap_or(usize::MAX)
}

fn date_statistics(min: i32, max: i32) -> ColumnStatistics {
    ColumnStatistics {
        null_count: Precision::Exact(0),
        min_value: Precision::Exact(ScalarValue::Date32(Some(min))),
        max_value: Precision::Exact(ScalarValue::Date32(Some(max))),
        ..ColumnStatistics::new_unknown()
    }
}

fn column_statistics(stats: &FileStats, column: &spanledger_schemas::Column) -> ColumnStatistics {
    let Some(bounds) = stats.columns.get(column.name) else {
        return ColumnStatistics::new_unknown();
    };
    // Text may be cut, and floats may hold NaN beside their bounds; both still bound, but are no
    // answer to `min` and `max`.
    let exact = !matches!(column.kind, Kind::Text | Kind::Float);
    let precision = |bound: &Option<ScalarValue>| match bound.clone() {
        Some(value) if exact => Precision::Exact(value),
        Some(value) => Precision::Inexact(value),
        None => Precision::Absent,
    };
    ColumnStatistics {
        null_count: bounds.nulls.map_or(Precision::Absent, |n| {
            Precision::Exact(usize::try_from(n).unwrap_or(usize::MAX))
        }),
        min_value: precision(&bounds.min),
        max_value: precision(&bounds.max),
        ..ColumnStatistics::new_unknown()
    }
}

/// Statistics over all files, for the projected columns only: merging 60 columns of 2,000 files
/// would cost more than planning.
fn summary(table: &'static Table, files: &[Arc<ActiveFile>], projected: &[usize]) -> Statistics {
    let all: Vec<_> = files.iter().map(|f| f.scan_stats(|| file_statistics(table, f))).collect();
    let unknown = ColumnStatistics::new_unknown;
    let merged = |column: usize| {
        let mut parts = all.iter().filter_map(|s| s.column_statistics.get(column));
        let Some(first) = parts.next() else { return unknown() };
        let (mut nulls, mut min, mut max) =
            (first.null_count, first.min_value.clone(), first.max_value.clone());
        for part in parts {
            nulls = nulls.add(&part.null_count);
            min = min.min(&part.min_value);
            max = max.max(&part.max_value);
        }
        ColumnStatistics { null_count: nulls, min_value: min, max_value: max, ..unknown() }
    };
    Statistics {
        num_rows: Precision::Exact(files.iter().map(|f| rows(f)).sum()),
        total_byte_size: Precision::Inexact(
            files.iter().map(|f| usize::try_from(f.file.size_bytes).unwrap_or(usize::MAX)).sum(),
        ),
        column_statistics: (0..table.columns.len())
            .map(|column| if projected.contains(&column) { merged(column) } else { unknown() })
            .collect(),
    }
}
