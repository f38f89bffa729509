//! The shape of a table: columns with meaning, unit and source; from it the Arrow schema and the
//! Markdown reference. Takes the constants of `tables`, gives schemas; it does not know Parquet
//! or Delta (that is `store`).

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::money;

/// The partition column of every table: the UTC day of the row's own instant.
pub const PARTITION_COLUMN: &str = "date";

/// One table of the ledger, as it lies in its Delta folder.
#[derive(Debug)]
pub struct Table {
    /// Name of the folder and of the SQL table; plural.
    pub name: &'static str,
    /// What one row is.
    pub row: &'static str,
    /// Which room writes it.
    pub written_by: &'static str,
    /// Columns in stored order; the first is the partition column `date`.
    pub columns: &'static [Column],
    /// Order of the rows inside each file, ascending, nulls first; empty for a view.
    pub sort_by: &'static [&'static str],
    /// Columns with a Parquet bloom filter.
    pub bloom: &'static [&'static str],
    /// The key by which two rows are the same fact seen twice; empty where rows have none.
    pub key: &'static [&'static str],
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Name, lower-case with the unit last.
    pub name: &'static str,
    /// Stored type.
    pub kind: Kind,
    /// Whether a row may lack it; null always means "not known", never zero (I-6).
    pub nullable: bool,
    /// Unit, empty where there is none.
    pub unit: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// Where the value comes from: an OTLP field, an attribute, a FOCUS column, a rule of ours.
    pub source: &'static str,
}

/// The stored types. Few, and each readable by every Delta reader: no unsigned integers, no
/// dictionaries, timestamps in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// 64-bit signed integer.
    Int,
    /// 64-bit float; never money.
    Float,
    /// Exact decimal, [`money::PRECISION`] digits of which [`money::SCALE`] after the point.
    Decimal,
    /// True or false.
    Bool,
    /// Instant in UTC, microseconds.
    Instant,
    /// UTC day.
    Date,
    /// Text to text.
    TextMap,
    /// List of 64-bit integers.
    IntList,
    /// List of 64-bit floats.
    FloatList,
}

impl Kind {
    /// The Arrow type rows are read with, and may be written with as well: text as string views,
    /// which are twice as fast as dictionaries and need no copy of long values.
    pub fn scan(self) -> DataType {
        match self {
            Kind::Text => DataType::Utf8View,
            other => other.arrow(),
        }
    }

    /// The Arrow type rows are written with.
    pub fn arrow(self) -> DataType {
        match self {
            Kind::Text => DataType::Utf8,
            Kind::Int => DataType::Int64,
            Kind::Float => DataType::Float64,
            Kind::Decimal => DataType::Decimal128(money::PRECISION, money::SCALE),
            Kind::Bool => DataType::Boolean,
            Kind::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Kind::Date => DataType::Date32,
            Kind::TextMap => {
                let entry = DataType::Struct(
                    vec![
                        Field::new("key", DataType::Utf8, false),
                        Field::new("value", DataType::Utf8, true),
                    ]
                    .into(),
                );
                DataType::Map(Arc::new(Field::new("key_value", entry, false)), false)
            }
            Kind::IntList => DataType::List(Arc::new(Field::new("element", DataType::Int64, true))),
            Kind::FloatList => {
                DataType::List(Arc::new(Field::new("element", DataType::Float64, true)))
            }
        }
    }

    /// The type's name in the reference.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Int => "bigint",
            Kind::Float => "double",
            Kind::Decimal => "decimal(38,18)",
            Kind::Bool => "boolean",
            Kind::Instant => "timestamp (µs, UTC)",
            Kind::Date => "date",
            Kind::TextMap => "map<text,text>",
            Kind::IntList => "list<bigint>",
            Kind::FloatList => "list<double>",
        }
    }
}

impl Table {
    /// The Arrow schema of a row, `date` first.
    pub fn arrow_schema(&self) -> SchemaRef {
        let field = |c: &Column| Field::new(c.name, c.kind.arrow(), c.nullable);
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }

    /// The Arrow schema of a row as it is read, `date` first.
    pub fn scan_schema(&self) -> SchemaRef {
        let field = |c: &Column| Field::new(c.name, c.kind.scan(), c.nullable);
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// The table's part of the schema reference, in Markdown.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(out, "## `{}`\n", self.name);
        let _ = write!(out, "One row is {}. Written by {}.", self.row, self.written_by);
        let _ = match self.sort_by {
            [] => writeln!(out, "\n"),
            columns => writeln!(out, " Rows in a file are sorted by {}.\n", code_list(columns)),
        };
        let _ = writeln!(out, "| column | type | null | unit | meaning | source |");
        let _ = writeln!(out, "|---|---|---|---|---|---|");
        for c in self.columns {
            let null = if c.nullable { "yes" } else { "" };
            let _ = writeln!(
                out,
                "| `{}` | {} | {null} | {} | {} | {} |",
                c.name,
                c.kind.word(),
                c.unit,
                c.meaning,
                c.source
            );
        }
        out
    }
}

fn code_list(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|n| format!("`{n}`")).collect();
    quoted.join(", ")
}

/// A column that every row has.
pub(crate) const fn required(
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    meaning: &'static str,
    source: &'static str,
) -> Column {
    Column { name, kind, nullable: false, unit, meaning, source }
}

/// A column whose value may be unknown.
pub(crate) const fn optional(
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    meaning: &'static str,
    source: &'static str,
) -> Column {
    Column { name, kind, nullable: true, unit, meaning, source }
}

/// Several lists of columns as one; `N` is the sum of their lengths.
pub(crate) const fn joined<const N: usize>(lists: &[&[Column]]) -> [Column; N] {
    let mut all = [lists[0][0]; N];
    let (mut list, mut at) = (0, 0);
    while list < lists.len() {
        let mut i = 0;
        while i < lists[list].len() {
            all[at] = lists[list][i];
            at += 1;
            i += 1;
        }
        list += 1;
    }
    assert!(at == N);
    all
}
