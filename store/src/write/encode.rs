//! The Parquet settings of the store, and the encoder that writes one durable data file. Takes
//! sorted batches of one day, gives a [`NewFile`]. It does not sort and does not commit.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use spanledger_schemas::{Column, Kind, Table};

use super::{NewFile, stats};
use crate::error::StoreError;
use crate::{DataFile, durable, limits, paths};

/// Bytes collected before a write reaches the system.
const WRITE_BUFFER_BYTES: usize = 256 * 1024;

/// How much work a file is worth, and how much memory its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// For rows that came just now and will be merged within a minute: LZ4, small pages.
    Flush,
    /// For rows that were merged and will be again: zstd, small pages and row groups, so that
    /// many such files can be read at once.
    Passing,
    /// For rows that stay: zstd, large pages and row groups.
    Kept,
}

impl Effort {
    /// What merged rows are worth: those of a file that is done are kept.
    pub(crate) fn of_merged(rows: u64) -> Effort {
        if rows >= limits::FILE_DONE_ROWS { Effort::Kept } else { Effort::Passing }
    }

    /// The effort that a file was worth.
    pub(crate) fn of(file: &DataFile) -> Effort {
        if file.path.ends_with(".lz4.parquet") {
            Effort::Flush
        } else {
            Effort::of_merged(file.rows)
        }
    }

    /// What the file's name says of its compression.
    fn word(self) -> &'static str {
        match self {
            Effort::Flush => "lz4",
            Effort::Passing | Effort::Kept => "zstd",
        }
    }

    /// Rows of a page.
    pub(crate) fn page_rows(self) -> usize {
        match self {
            Effort::Flush | Effort::Passing => limits::PAGE_ROWS_PASSING,
            Effort::Kept => limits::PAGE_ROWS_KEPT,
        }
    }

    /// Rows of a row group.
    pub(crate) fn group_rows(self) -> usize {
        match self {
            Effort::Flush | Effort::Passing => limits::ROW_GROUP_ROWS_PASSING,
            Effort::Kept => limits::ROW_GROUP_ROWS_KEPT,
        }
    }

    /// Bytes of a row group, where rows are long.
    pub(crate) fn group_bytes(self) -> usize {
        match self {
            Effort::Flush | Effort::Passing => limits::ROW_GROUP_BYTES_PASSING,
            Effort::Kept => limits::ROW_GROUP_BYTES_KEPT,
        }
    }

    fn compression(self) -> Result<Compression, parquet::errors::ParquetError> {
        Ok(match self {
            Effort::Flush => Compression::LZ4_RAW,
            Effort::Passing => Compression::ZSTD(ZstdLevel::try_new(limits::ZSTD_PASSING)?),
            Effort::Kept => Compression::ZSTD(ZstdLevel::try_new(limits::ZSTD_KEPT)?),
        })
    }
}

/// Writes one data file.
#[derive(Debug)]
pub(crate) struct Encoder {
    table: &'static Table,
    path: String,
    full_path: PathBuf,
    date: i32,
    rows: u64,
    writer: ArrowWriter<BufWriter<File>>,
}

impl Encoder {
    /// Opens a new file of a day. `rows_max` sizes the bloom filters.
    pub(crate) fn create(
        table: &'static Table,
        table_dir: &Path,
        date: i32,
        rows_max: usize,
        effort: Effort,
    ) -> Result<Encoder, StoreError> {
        let path = paths::data_file(table, date, effort.word());
        let full_path = table_dir.join(&path);
        if let Some(dir) = full_path.parent() {
            durable::create_dir(dir).map_err(StoreError::io("creating the folder", dir))?;
        }
        let file = File::create_new(&full_path)
            .map_err(StoreError::io("creating the data file", &full_path))?;
        // Without the embedded Arrow schema every reader sees plain Parquet types, and a merge
        // that read text as string views writes the same file as a flush.
        let options = ArrowWriterOptions::new()
            .with_properties(properties(table, rows_max, effort)?)
            .with_skip_arrow_metadata(true);
        let sink = BufWriter::with_capacity(WRITE_BUFFER_BYTES, file);
        let writer = ArrowWriter::try_new_with_options(sink, file_schema(table), options)
            .map_err(parquet_error(table))?;
        Ok(Encoder { table, path, full_path, date, rows: 0, writer })
    }

    /// Adds rows; they must not sort before the last ones.
    pub(crate) fn write(&mut self, rows: &RecordBatch) -> Result<(), StoreError> {
        self.rows += rows.num_rows() as u64;
        self.writer.write(rows).map_err(parquet_error(self.table))
    }

    /// Ends the file and makes it and its name durable.
    pub(crate) fn finish(mut self) -> Result<NewFile, StoreError> {
        let footer = self.writer.finish().map_err(parquet_error(self.table))?;
        let io = |attempted| StoreError::io(attempted, &self.full_path);
        let sink = self.writer.inner_mut();
        sink.flush().map_err(io("writing the data file"))?;
        let file = sink.get_ref();
        file.sync_all().map_err(io("fsyncing the data file"))?;
        let size_bytes = file.metadata().map_err(io("measuring the data file"))?.len();
        if let Some(dir) = self.full_path.parent() {
            durable::sync_dir(dir).map_err(StoreError::io("fsyncing the folder", dir))?;
        }
        let stats = stats::FileStats::of_footer(self.table, &footer).to_json(self.table);
        let file = DataFile { path: self.path, size_bytes, rows: self.rows, date: self.date };
        Ok(NewFile { file, stats })
    }
}

/// The columns inside a file: all but the partition column, which Delta keeps in the log.
pub(crate) fn file_schema(table: &Table) -> SchemaRef {
    let fields = table.arrow_schema().fields().iter().skip(1).cloned().collect::<Vec<_>>();
    Arc::new(Schema::new(fields))
}

fn properties(
    table: &'static Table,
    rows_max: usize,
    effort: Effort,
) -> Result<WriterProperties, StoreError> {
    let compression = effort.compression().map_err(parquet_error(table))?;
    let group_rows = rows_max.clamp(1, effort.group_rows());
    let mut builder = WriterProperties::builder()
        .set_created_by(concat!("spanledger ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(compression)
        .set_max_row_group_row_count(Some(effort.group_rows()))
        .set_max_row_group_bytes(Some(effort.group_bytes()))
        .set_data_page_row_count_limit(effort.page_rows())
        .set_sorting_columns(Some(sorting_columns(table)))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_statistics_truncate_length(Some(limits::BOUND_TEXT_BYTES))
        .set_column_index_truncate_length(Some(limits::BOUND_TEXT_BYTES))
        .set_bloom_filter_fpp(limits::BLOOM_FALSE_POSITIVES)
        .set_bloom_filter_enabled(false);
    for column in table.columns.iter().skip(1) {
        let path = || ColumnPath::from(column.name);
        if is_delta_packed(column) {
            builder = builder
                .set_column_dictionary_enabled(path(), false)
                .set_column_encoding(path(), Encoding::DELTA_BINARY_PACKED);
        } else if !is_dictionary(column) {
            builder = builder.set_column_dictionary_enabled(path(), false);
        }
        if is_in_order(table, column) {
            builder = builder.set_column_statistics_enabled(path(), EnabledStatistics::Page);
        }
        if table.bloom.contains(&column.name) {
            builder = builder
                .set_column_bloom_filter_enabled(path(), true)
                .set_column_bloom_filter_fpp(path(), limits::BLOOM_FALSE_POSITIVES)
                .set_column_bloom_filter_max_ndv(path(), group_rows as u64);
        }
    }
    Ok(builder.build())
}

/// Integers and instants: neighbouring rows differ little, and a dictionary of them only grows.
fn is_delta_packed(column: &Column) -> bool {
    matches!(column.kind, Kind::Int | Kind::Instant)
}

/// A dictionary pays where values repeat: not for money, and not for ids of which every row has
/// its own.
fn is_dictionary(column: &Column) -> bool {
    let own_per_row = ["span_id", "response_id", "price_id"].contains(&column.name);
    !own_per_row && column.kind != Kind::Decimal
}

/// Whether the pages of a row group differ in a column, because rows are in its order or nearly so.
/// Bounds of the other columns' pages prune nothing, and a reader that wants some reads them all.
fn is_in_order(table: &Table, column: &Column) -> bool {
    table.sort_by.contains(&column.name)
        || column.kind == Kind::Instant
        || column.name.ends_with("_unix_ns")
}

/// Texts that hold a whole JSON document.
pub(crate) fn is_document(column: &Column) -> bool {
    column.kind == Kind::Text && column.unit == "JSON"
}

fn sorting_columns(table: &Table) -> Vec<SortingColumn> {
    // Parquet counts leaves; all sort columns are leaves, but maps and lists before them have
    // more than one.
    let leaves = |column: &Column| if column.kind == Kind::TextMap { 2 } else { 1 };
    let leaf_of = |name: &str| {
        let before = table.columns.iter().skip(1).take_while(|c| c.name != name);
        before.map(leaves).sum::<i32>()
    };
    let sorting = |name: &&str| SortingColumn {
        column_idx: leaf_of(name),
        descending: false,
        nulls_first: true,
    };
    table.sort_by.iter().map(sorting).collect()
}

fn parquet_error(
    table: &'static Table,
) -> impl FnOnce(parquet::errors::ParquetError) -> StoreError {
    move |source| StoreError::Parquet { table: table.name, source }
}
