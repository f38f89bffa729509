//! Splits a batch into UTC days and sorts each by the table's order. Takes rows in any order,
//! gives the sorted rows of each day without the partition column, a column at a time.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Date32Type, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, SortField};
use spanledger_schemas::Table;
use spanledger_schemas::table::PARTITION_COLUMN;

use crate::error::StoreError;
use crate::limits;

/// The rows of one day in the table's order, still where they came from: they are copied a piece
/// at a time, so that a flush does not hold its rows twice.
#[derive(Debug)]
pub(crate) struct Day {
    /// Days since the epoch.
    pub(crate) date: i32,
    rows: RecordBatch,
    /// Which rows, in order; `None` when they are in order as they are.
    order: Option<UInt32Array>,
    table: &'static Table,
}

impl Day {
    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.order.as_ref().map_or(self.rows.num_rows(), |order| order.len())
    }

    /// A column of some of the rows in order, a piece at a time. Columns are counted without the
    /// partition column.
    pub(crate) fn pieces(
        &self,
        column: usize,
        rows: Range<usize>,
    ) -> impl Iterator<Item = Result<ArrayRef, StoreError>> {
        let (column, end) = (self.rows.column(column), rows.end);
        rows.step_by(limits::PIECE_ROWS).map(move |start| {
            let length = limits::PIECE_ROWS.min(end - start);
            match &self.order {
                None => Ok(column.slice(start, length)),
                Some(order) => {
                    take(column, &order.slice(start, length), None).map_err(arrow_error(self.table))
                }
            }
        })
    }

    /// Bytes of the rows in memory, about: texts, and eight for each column of a row.
    pub(crate) fn bytes(&self) -> usize {
        let texts: usize = self.rows.columns().iter().map(text_bytes).sum();
        // Of a batch of several days each has its part.
        let part = self.rows() as f64 / self.rows.num_rows().max(1) as f64;
        (texts as f64 * part) as usize + self.rows() * self.rows.num_columns() * 8
    }
}

/// Bytes of the texts in a column.
fn text_bytes(column: &ArrayRef) -> usize {
    match column.data_type() {
        DataType::Utf8 => {
            let offsets = column.as_string::<i32>().value_offsets();
            offsets.last().zip(offsets.first()).map_or(0, |(last, first)| (last - first) as usize)
        }
        // The length of a text is in the lower half of its view.
        DataType::Utf8View => {
            column.as_string_view().views().iter().map(|v| *v as u32 as usize).sum()
        }
        DataType::Map(..) => column.as_map().entries().columns().iter().map(text_bytes).sum(),
        _ => 0,
    }
}

/// The rows of each day, days ascending, rows ascending by `table.sort_by` with nulls first,
/// equal rows in the order they came.
///
/// # Errors
/// [`StoreError::Rows`] when the batch has other columns than the table, of other types than it is
/// written or read with, or a null where the table has none.
pub(crate) fn by_day(table: &'static Table, rows: &RecordBatch) -> Result<Vec<Day>, StoreError> {
    check(table, rows)?;
    if rows.num_rows() == 0 {
        return Ok(Vec::new());
    }
    let order = order(table, rows)?;
    let dates = rows.column(0).as_primitive::<Date32Type>();
    let date = |at: usize| dates.value(order.as_ref().map_or(at, |o| o.value(at) as usize));
    let without_date: Vec<usize> = (1..rows.num_columns()).collect();
    let stored = rows.project(&without_date).map_err(arrow_error(table))?;

    let mut days = Vec::new();
    let mut start = 0;
    for end in 1..=rows.num_rows() {
        if end == rows.num_rows() || date(end) != date(start) {
            let (rows, order) = match &order {
                None => (stored.slice(start, end - start), None),
                Some(order) => (stored.clone(), Some(order.slice(start, end - start))),
            };
            days.push(Day { date: date(start), rows, order, table });
            start = end;
        }
    }
    Ok(days)
}

/// The places of the rows in day and table order; `None` when they are in it.
fn order(table: &'static Table, rows: &RecordBatch) -> Result<Option<UInt32Array>, StoreError> {
    let keys: Vec<_> = std::iter::once(&PARTITION_COLUMN)
        .chain(table.sort_by)
        .filter_map(|name| rows.column_by_name(name))
        .cloned()
        .collect();
    // The row format compares whole keys as bytes; its default order is ascending, nulls first.
    let fields = keys.iter().map(|k| SortField::new(k.data_type().clone())).collect();
    let keys = RowConverter::new(fields)
        .and_then(|converter| converter.convert_columns(&keys))
        .map_err(arrow_error(table))?;
    if (1..keys.num_rows()).all(|i| keys.row(i - 1) <= keys.row(i)) {
        return Ok(None);
    }
    let count = u32::try_from(rows.num_rows()).map_err(|_| StoreError::Rows {
        table: table.name,
        detail: format!("{} in one batch, expected at most {}", rows.num_rows(), u32::MAX),
    })?;
    let mut order: Vec<u32> = (0..count).collect();
    order.sort_by(|&a, &b| keys.row(a as usize).cmp(&keys.row(b as usize)));
    Ok(Some(UInt32Array::from(order)))
}

fn check(table: &'static Table, rows: &RecordBatch) -> Result<(), StoreError> {
    let bad = |detail: String| Err(StoreError::Rows { table: table.name, detail });
    let (expected, found): (SchemaRef, SchemaRef) = (table.arrow_schema(), rows.schema());
    if expected.fields().len() != found.fields().len() {
        return bad(format!(
            "{} columns, expected {}",
            found.fields().len(),
            expected.fields().len()
        ));
    }
    for (i, ((want, have), column)) in
        expected.fields().iter().zip(found.fields()).zip(rows.columns()).enumerate()
    {
        let fits =
            |have: &DataType| want.data_type() == have || table.columns[i].kind.scan() == *have;
        if want.name() != have.name() || !fits(have.data_type()) {
            return bad(format!(
                "column `{}` of type {}, expected `{}` of type {}",
                have.name(),
                have.data_type(),
                want.name(),
                want.data_type()
            ));
        }
        if !want.is_nullable() && column.null_count() > 0 {
            return bad(format!(
                "column `{}` has {} nulls, expected none",
                want.name(),
                column.null_count()
            ));
        }
    }
    Ok(())
}

fn arrow_error(table: &'static Table) -> impl FnOnce(arrow::error::ArrowError) -> StoreError {
    move |e| StoreError::Rows { table: table.name, detail: e.to_string() }
}
