//! Lines of a bill on their way into `billing_lines`. Takes rows of typed cells, gives record
//! batches of the table. Owns the column builders and their bound; columns that are the same for
//! all lines of an import (who, which import, when) are known last and filled in at the end.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Builder, Decimal128Builder, Int64Builder, MapBuilder, MapFieldNames, NullArray,
    RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray,
    TimestampMicrosecondBuilder,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use spanledger_schemas::tables::billing_lines::TABLE;
use spanledger_schemas::{Column, Kind, Money};

use super::cells::TagMap;
use super::limits::{BATCH_ROWS, LINES_BYTES_MAX};

/// Columns that have one value in all lines of an import.
const CONSTANT: [&str; 5] = ["tenant", "import_id", "source", "file_name", "imported_at"];

/// What the lines of an import have in common.
#[derive(Debug, Clone)]
pub(super) struct Stamp {
    pub(super) tenant: String,
    pub(super) import_id: String,
    pub(super) source: String,
    pub(super) file_name: String,
    pub(super) imported_at_us: i64,
}

/// A typed value of a line.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    Text(Cow<'a, str>),
    Decimal(Money),
    Int(i64),
    /// Microseconds since the epoch.
    Instant(i64),
    /// Days since the epoch.
    Date(i32),
    Map(TagMap),
}

/// The columns a line has cells for, in the order of its cells: those of the table but for the
/// constant ones.
pub(super) fn columns() -> impl Iterator<Item = &'static Column> {
    TABLE.columns.iter().filter(|column| !CONSTANT.contains(&column.name))
}

/// Lines read so far.
pub(super) struct Lines {
    builders: Vec<Builder>,
    schema: SchemaRef,
    /// Lines in the builders.
    pending: usize,
    batches: Vec<RecordBatch>,
    bytes: usize,
}

/// Why a line could not be added.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinesError {
    /// The bound of memory was hit.
    #[error("more than {LINES_BYTES_MAX} bytes of lines")]
    TooLarge,
    /// A cell does not fit its column: a mistake of the importer, not of the file.
    #[error("{0}")]
    Arrow(#[from] ArrowError),
}

impl Lines {
    pub(super) fn new() -> Lines {
        let field = |c: &'static Column| Field::new(c.name, c.kind.arrow(), c.nullable);
        Lines {
            builders: columns().map(Builder::of).collect(),
            schema: Arc::new(Schema::new(columns().map(field).collect::<Vec<_>>())),
            pending: 0,
            batches: Vec::new(),
            bytes: 0,
        }
    }

    /// Adds a line: one cell for each of [`columns`]. The cells are left empty.
    pub(super) fn push(&mut self, line: &mut Vec<Cell<'_>>) -> Result<(), LinesError> {
        for (builder, cell) in self.builders.iter_mut().zip(line.drain(..)) {
            builder.push(cell)?;
        }
        self.pending += 1;
        if self.pending == BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), LinesError> {
        self.pending = 0;
        let arrays = self.builders.iter_mut().map(Builder::finish).collect();
        let batch = RecordBatch::try_new(self.schema.clone(), arrays)?;
        self.bytes += batch.get_array_memory_size();
        self.batches.push(batch);
        if self.bytes > LINES_BYTES_MAX { Err(LinesError::TooLarge) } else { Ok(()) }
    }

    /// All lines as one batch of the table.
    pub(super) fn stamp(mut self, stamp: &Stamp) -> Result<RecordBatch, LinesError> {
        self.flush()?;
        let lines = concat_batches(&self.schema, &self.batches)?;
        drop(self.batches);
        let rows = lines.num_rows();
        let same = |text: &str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows)))
        };
        let column = |column: &Column| match column.name {
            "tenant" => Ok(same(&stamp.tenant)),
            "import_id" => Ok(same(&stamp.import_id)),
            "source" => Ok(same(&stamp.source)),
            "file_name" => Ok(same(&stamp.file_name)),
            "imported_at" => {
                let at = TimestampMicrosecondArray::from_value(stamp.imported_at_us, rows);
                Ok(Arc::new(at.with_timezone("UTC")) as ArrayRef)
            }
            name => lines.column_by_name(name).cloned().ok_or_else(|| {
                ArrowError::SchemaError(format!("no cells were read for column `{name}`"))
            }),
        };
        let columns = TABLE.columns.iter().map(column).collect::<Result<_, _>>()?;
        Ok(RecordBatch::try_new(TABLE.arrow_schema(), columns)?)
    }
}

/// The builder of one column.
#[expect(clippy::large_enum_variant, reason = "one per column, made once and never moved")]
enum Builder {
    Text(StringBuilder),
    Decimal(Decimal128Builder),
    Int(Int64Builder),
    Instant(TimestampMicrosecondBuilder),
    Date(Date32Builder),
    Map(MapBuilder<StringBuilder, StringBuilder>),
    /// A kind that no column of the table has; adding a cell to it fails.
    Unused,
}

impl Builder {
    fn of(column: &'static Column) -> Builder {
        match column.kind {
            Kind::Text => Builder::Text(StringBuilder::new()),
            Kind::Decimal => {
                Builder::Decimal(Decimal128Builder::new().with_data_type(column.kind.arrow()))
            }
            Kind::Int => Builder::Int(Int64Builder::new()),
            Kind::Instant => Builder::Instant(
                TimestampMicrosecondBuilder::new().with_data_type(column.kind.arrow()),
            ),
            Kind::Date => Builder::Date(Date32Builder::new()),
            Kind::TextMap => {
                let names = MapFieldNames {
                    entry: "key_value".into(),
                    key: "key".into(),
                    value: "value".into(),
                };
                Builder::Map(MapBuilder::new(
                    Some(names),
                    StringBuilder::new(),
                    StringBuilder::new(),
                ))
            }
            Kind::Bool | Kind::Float | Kind::IntList | Kind::FloatList => Builder::Unused,
        }
    }

    fn push(&mut self, cell: Cell<'_>) -> Result<(), ArrowError> {
        match (self, cell) {
            (Builder::Text(b), Cell::Text(text)) => b.append_value(text),
            (Builder::Text(b), Cell::Null) => b.append_null(),
            (Builder::Decimal(b), Cell::Decimal(amount)) => b.append_value(amount.0),
            (Builder::Decimal(b), Cell::Null) => b.append_null(),
            (Builder::Int(b), Cell::Int(value)) => b.append_value(value),
            (Builder::Instant(b), Cell::Instant(us)) => b.append_value(us),
            (Builder::Instant(b), Cell::Null) => b.append_null(),
            (Builder::Date(b), Cell::Date(day)) => b.append_value(day),
            (Builder::Map(b), Cell::Map(entries)) => {
                for (key, value) in entries {
                    b.keys().append_value(key);
                    b.values().append_option(value);
                }
                b.append(true)?;
            }
            (_, cell) => {
                return Err(ArrowError::SchemaError(format!(
                    "{cell:?} in a column of another kind"
                )));
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Builder::Text(b) => Arc::new(b.finish()),
            Builder::Decimal(b) => Arc::new(b.finish()),
            Builder::Int(b) => Arc::new(b.finish()),
            Builder::Instant(b) => Arc::new(b.finish()),
            Builder::Date(b) => Arc::new(b.finish()),
            Builder::Map(b) => Arc::new(b.finish()),
            Builder::Unused => Arc::new(NullArray::new(0)),
        }
    }
}
