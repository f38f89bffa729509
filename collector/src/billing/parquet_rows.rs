//! Rows of a Parquet file, as texts, so that one rule reads amounts from every kind of file.
//! Decimals, integers, instants and strings turn into their exact text. A binary float turns into
//! the shortest decimal text that gives the same float: the likeliest text it was made from, but
//! not certain, so such columns are marked ([`ParquetRows::float`]). Maps and structs become JSON.

use std::fmt::Debug;
use std::fs::File;
use std::io::{Read, Seek};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, RecordBatch, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Field, Float16Type, Float32Type, Float64Type, Schema,
};
use arrow::error::ArrowError;
use arrow::json::LineDelimitedWriter;
use csv::StringRecord;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use xxhash_rust::xxh3::Xxh3Default;

use super::error::ImportError;
use super::input::{Fault, SPLIT_HINT, read_error};
use super::limits::{BATCH_ROWS, ROWS_MAX, TEXT_BYTES_MAX};

/// Rows of a Parquet file.
pub(super) struct ParquetRows {
    reader: ParquetRecordBatchReader,
    header: Vec<String>,
    floats: Vec<bool>,
    file: String,
    content_hash: u128,
    /// The batch at hand, column by column.
    batch: Vec<StringArray>,
    batch_rows: usize,
    at: usize,
}

impl ParquetRows {
    /// Reads the footer and hashes the file.
    pub(super) fn open(mut file: File, name: &str) -> Result<ParquetRows, ImportError> {
        let content_hash = hash(&mut file).map_err(|error| read_error(name, &error))?;
        let damaged = |error: parquet::errors::ParquetError| read_error(name, &error);
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(damaged)?;
        let row_groups = builder.metadata().row_groups();
        let total = |of: fn(&parquet::file::metadata::RowGroupMetaData) -> i64| {
            row_groups.iter().map(|group| u64::try_from(of(group)).unwrap_or(u64::MAX)).sum::<u64>()
        };
        let too_large = |what, limit| {
            let file = name.to_owned();
            Err(ImportError::TooLarge { file, what, limit, hint: SPLIT_HINT })
        };
        if total(|group| group.num_rows()) > ROWS_MAX {
            return too_large("rows", ROWS_MAX);
        }
        if total(|group| group.total_byte_size()) > TEXT_BYTES_MAX {
            return too_large("bytes after decompression", TEXT_BYTES_MAX);
        }
        let fields = builder.schema().fields();
        let float = |field: &Arc<Field>| value_type(field.data_type()).is_floating();
        Ok(ParquetRows {
            header: fields.iter().map(|field| field.name().trim().to_owned()).collect(),
            floats: fields.iter().map(float).collect(),
            reader: builder.with_batch_size(BATCH_ROWS).build().map_err(damaged)?,
            file: name.to_owned(),
            content_hash,
            batch: Vec::new(),
            batch_rows: 0,
            at: 0,
        })
    }

    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    pub(super) fn float(&self, column: usize) -> bool {
        self.floats.get(column).copied().unwrap_or(false)
    }

    pub(super) fn content_hash(&self) -> u128 {
        self.content_hash
    }

    pub(super) fn next(&mut self, record: &mut StringRecord) -> Result<bool, Fault> {
        while self.at == self.batch_rows {
            let damaged = |error: ArrowError| Fault::File(read_error(&self.file, &error));
            let Some(batch) = self.reader.next() else { return Ok(false) };
            let batch = batch.map_err(damaged)?;
            self.batch =
                batch.columns().iter().map(texts).collect::<Result<_, _>>().map_err(damaged)?;
            (self.batch_rows, self.at) = (batch.num_rows(), 0);
        }
        record.clear();
        for column in &self.batch {
            record.push_field(if column.is_null(self.at) { "" } else { column.value(self.at) });
        }
        self.at += 1;
        Ok(true)
    }
}

fn hash(file: &mut File) -> std::io::Result<u128> {
    file.rewind()?;
    let mut hash = Xxh3Default::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.digest128()),
            count => hash.update(&buffer[..count]),
        }
    }
}

/// The type behind a dictionary.
fn value_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, value) => value,
        other => other,
    }
}

/// A column as texts.
fn texts(column: &ArrayRef) -> Result<StringArray, ArrowError> {
    let cast = |column: &ArrayRef, to: &DataType| {
        // An unsafe cast would turn what it cannot convert into null.
        cast_with_options(column, to, &CastOptions { safe: false, ..CastOptions::default() })
    };
    let column = match column.data_type() {
        DataType::Dictionary(_, value) => &cast(column, value)?,
        _ => column,
    };
    Ok(match column.data_type() {
        DataType::Float16 => floats::<Float16Type>(column.as_primitive()),
        DataType::Float32 => floats::<Float32Type>(column.as_primitive()),
        DataType::Float64 => floats::<Float64Type>(column.as_primitive()),
        // Without a zone it is UTC; with one it is an instant, whose text shall end in Z.
        DataType::Timestamp(unit, _) => {
            let utc = cast(column, &DataType::Timestamp(*unit, Some("+00:00".into())))?;
            cast(&utc, &DataType::Utf8)?.as_string().clone()
        }
        nested if nested.is_nested() => json(column)?,
        _ => cast(column, &DataType::Utf8)?.as_string().clone(),
    })
}

/// Rust writes a float as the shortest decimal text that reads back as the same float.
fn floats<T: ArrowPrimitiveType<Native: Debug>>(column: &PrimitiveArray<T>) -> StringArray {
    column.iter().map(|value| value.map(|value| format!("{value:?}"))).collect()
}

/// Nested values as JSON, one text per row.
fn json(column: &ArrayRef) -> Result<StringArray, ArrowError> {
    let field = Field::new("v", column.data_type().clone(), true);
    let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![column.clone()])?;
    let mut writer = LineDelimitedWriter::new(Vec::new());
    writer.write(&batch)?;
    writer.finish()?;
    let lines = String::from_utf8(writer.into_inner())
        .map_err(|error| ArrowError::ExternalError(Box::new(error)))?;
    // A row is `{"v":…}`, or `{}` where the value is null.
    let value = |line: &str| Some(line.strip_prefix("{\"v\":")?.strip_suffix('}')?.to_owned());
    Ok(lines.lines().map(value).collect())
}
