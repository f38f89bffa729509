//! The encoder that writes one durable data file. Takes sorted batches of one day, and row groups of
//! other files as they are; gives a [`NewFile`]. It does not sort and does not commit; how columns
//! are encoded is for `properties` to say.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::bloom_filter::Sbbf;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::TypePtr;
use spanledger_schemas::Table;

use super::properties::{Effort, properties};
use super::sort::Day;
use super::{NewFile, stats};
use crate::error::StoreError;
use crate::paths::RowOrder;
use crate::{DataFile, durable, paths};

/// Bytes collected before a write reaches the system.
const WRITE_BUFFER_BYTES: usize = 256 * 1024;

/// Writes one data file.
pub(crate) struct Encoder {
    table: &'static Table,
    effort: Effort,
    path: String,
    full_path: PathBuf,
    date: i32,
    rows: u64,
    schema: SchemaRef,
    writer: SerializedFileWriter<BufWriter<File>>,
    columns: ArrowRowGroupWriterFactory,
    groups: usize,
    group: Option<OpenGroup>,
}

/// A row group that is not in the file yet.
struct OpenGroup {
    rows: usize,
    columns: Vec<ArrowColumnWriter>,
}

impl Encoder {
    /// Opens a new file of a day. `rows_max` sizes the bloom filters; `empty` says which columns are
    /// null throughout, as far as is known.
    pub(crate) fn create(
        table: &'static Table,
        table_dir: &Path,
        date: i32,
        rows_max: usize,
        effort: Effort,
        empty: impl Fn(&str) -> bool,
    ) -> Result<Encoder, StoreError> {
        let order = match effort {
            Effort::Flush => RowOrder::Throughout,
            Effort::Passing => RowOrder::InGroups,
            Effort::Kept => RowOrder::InKeptGroups,
        };
        let path = paths::data_file(table, date, order);
        let full_path = table_dir.join(&path);
        if let Some(dir) = full_path.parent() {
            durable::create_dir(dir).map_err(StoreError::io("creating the folder", dir))?;
        }
        let file = File::create_new(&full_path)
            .map_err(StoreError::io("creating the data file", &full_path))?;
        let sink = BufWriter::with_capacity(WRITE_BUFFER_BYTES, file);
        let schema = file_schema(table);
        let parquet = parquet_schema(table).map_err(parquet_error(table))?;
        let properties =
            properties(table, rows_max, effort, empty).map_err(parquet_error(table))?;
        // Without the embedded Arrow schema every reader sees plain Parquet types, and a merge
        // that read text as string views writes the same file as a flush.
        let writer = SerializedFileWriter::new(sink, parquet, Arc::new(properties))
            .map_err(parquet_error(table))?;
        let columns = ArrowRowGroupWriterFactory::new(&writer, Arc::clone(&schema));
        let (rows, groups, group) = (0, 0, None);
        Ok(Encoder {
            table,
            effort,
            path,
            full_path,
            date,
            rows,
            schema,
            writer,
            columns,
            groups,
            group,
        })
    }

    /// Adds the rows of a day in row groups of their own, a column at a time: the packer of an integer
    /// column takes a mebibyte, and so only one of them is there at once.
    pub(crate) fn write_day(&mut self, day: &Day) -> Result<(), StoreError> {
        self.end_group()?;
        let by_rows = day.rows().div_ceil(self.effort.group_rows_max());
        let by_bytes = day.bytes().div_ceil(self.effort.group_bytes_in_memory());
        let rows = day.rows().div_ceil(by_rows.max(by_bytes).max(1)).max(1);
        let error = || parquet_error(self.table);
        for start in (0..day.rows()).step_by(rows) {
            let group = start..(start + rows).min(day.rows());
            let properties = self.writer.properties().clone();
            let mut to = self.writer.next_row_group().map_err(error())?;
            for (at, field) in self.schema.fields().iter().enumerate() {
                let mut writers = column_writers(field, &properties).map_err(error())?;
                for piece in day.pieces(at, group.clone()) {
                    write_column(field, &piece?, &mut writers).map_err(error())?;
                }
                for writer in writers {
                    let chunk = writer.close().map_err(error())?;
                    chunk.append_to_row_group(&mut to).map_err(error())?;
                }
            }
            to.close().map_err(error())?;
            self.groups += 1;
        }
        self.rows += day.rows() as u64;
        Ok(())
    }

    /// Adds rows; they must not sort before the last ones of their row group.
    pub(crate) fn write(&mut self, rows: &RecordBatch) -> Result<(), StoreError> {
        self.encode(rows).map_err(parquet_error(self.table))
    }

    fn encode(&mut self, rows: &RecordBatch) -> Result<(), ParquetError> {
        let mut written = 0;
        while written < rows.num_rows() {
            let group = match &mut self.group {
                Some(group) => group,
                none => none.insert(OpenGroup {
                    rows: 0,
                    columns: self.columns.create_column_writers(self.groups)?,
                }),
            };
            let room = self.effort.group_rows_max() - group.rows;
            let some = rows.slice(written, room.min(rows.num_rows() - written));
            let mut writers = group.columns.iter_mut();
            for (field, column) in self.schema.fields().iter().zip(some.columns()) {
                write_column(field, column, &mut writers)?;
            }
            written += some.num_rows();
            group.rows += some.num_rows();
            let bytes: usize = group.columns.iter().map(|c| c.get_estimated_total_bytes()).sum();
            if group.rows >= self.effort.group_rows_max() || bytes >= self.effort.group_bytes() {
                self.close_group()?;
            }
        }
        self.rows += rows.num_rows() as u64;
        Ok(())
    }

    /// Ends the row group; the next rows may sort before its own.
    pub(crate) fn end_group(&mut self) -> Result<(), StoreError> {
        self.close_group().map_err(parquet_error(self.table))
    }

    fn close_group(&mut self) -> Result<(), ParquetError> {
        let Some(group) = self.group.take() else { return Ok(()) };
        let mut to = self.writer.next_row_group()?;
        for column in group.columns {
            column.close()?.append_to_row_group(&mut to)?;
        }
        to.close()?;
        self.groups += 1;
        Ok(())
    }

    /// Takes over a row group of another file of the same columns, as it is encoded.
    pub(crate) fn take_over(
        &mut self,
        file: &File,
        footer: &ParquetMetaData,
        group: usize,
    ) -> Result<(), StoreError> {
        self.copy(file, footer, group).map_err(parquet_error(self.table))
    }

    fn copy(
        &mut self,
        file: &File,
        footer: &ParquetMetaData,
        group: usize,
    ) -> Result<(), ParquetError> {
        self.close_group()?;
        let from = footer.row_group(group);
        let rows = u64::try_from(from.num_rows()).unwrap_or_default();
        let mut to = self.writer.next_row_group()?;
        for (at, column) in from.columns().iter().enumerate() {
            let close = ColumnCloseResult {
                bytes_written: u64::try_from(column.compressed_size()).unwrap_or_default(),
                rows_written: rows,
                metadata: column.clone(),
                bloom_filter: Sbbf::read_from_column_chunk(column, file)?,
                column_index: footer.column_index().map(|index| index[group][at].clone()),
                offset_index: footer.offset_index().map(|index| index[group][at].clone()),
            };
            to.append_column(file, close)?;
        }
        to.close()?;
        self.groups += 1;
        self.rows += rows;
        Ok(())
    }

    /// Ends the file and makes it and its name durable.
    pub(crate) fn finish(mut self) -> Result<NewFile, StoreError> {
        self.end_group()?;
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

/// The writers of the leaves of one column.
fn column_writers(
    field: &FieldRef,
    properties: &WriterPropertiesPtr,
) -> Result<Vec<ArrowColumnWriter>, ParquetError> {
    let schema = Arc::new(Schema::new(vec![Arc::clone(field)]));
    let parquet = ArrowSchemaConverter::new().convert(&schema)?.root_schema_ptr();
    // It makes writers for all columns of a file at once; of this one nothing is written.
    let file = SerializedFileWriter::new(std::io::sink(), parquet, Arc::clone(properties))?;
    ArrowRowGroupWriterFactory::new(&file, schema).create_column_writers(0)
}

/// Hands the leaves of a column to their writers.
fn write_column<'w>(
    field: &FieldRef,
    column: &ArrayRef,
    writers: impl IntoIterator<Item = &'w mut ArrowColumnWriter>,
) -> Result<(), ParquetError> {
    let leaves = compute_leaves(field, column)?;
    leaves.iter().zip(writers).try_for_each(|(leaf, writer)| writer.write(leaf))
}

/// The columns inside a file: all but the partition column, which Delta keeps in the log.
pub(crate) fn file_schema(table: &Table) -> SchemaRef {
    let fields = table.arrow_schema().fields().iter().skip(1).cloned().collect::<Vec<_>>();
    Arc::new(Schema::new(fields))
}

/// The same as Parquet has them.
pub(crate) fn parquet_schema(table: &Table) -> Result<TypePtr, ParquetError> {
    Ok(ArrowSchemaConverter::new().convert(&file_schema(table))?.root_schema_ptr())
}

fn parquet_error(table: &'static Table) -> impl FnOnce(ParquetError) -> StoreError {
    move |source| StoreError::Parquet { table: table.name, source }
}
