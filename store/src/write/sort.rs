//! Splits a batch into UTC days and sorts each by the table's order. Takes rows in any order,
//! gives one sorted batch per day without the partition column.

use arrow::array::{Array, AsArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Date32Type, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, SortField};
use spanledger_schemas::Table;
use spanledger_schemas::table::PARTITION_COLUMN;

use crate::error::StoreError;

/// The rows of each day, days ascending, rows ascending by `table.sort_by` with nulls first,
/// equal rows in the order they came.
///
/// # Errors
/// [`StoreError::Rows`] when the batch has other columns than the table, or a null where the
/// table has none.
pub(crate) fn by_day(
    table: &'static Table,
    rows: &RecordBatch,
) -> Result<Vec<(i32, RecordBatch)>, StoreError> {
    check(table, rows)?;
    if rows.num_rows() == 0 {
        return Ok(Vec::new());
    }
    let sorted = sort(table, rows)?;
    let dates = sorted.column(0).as_primitive::<Date32Type>().clone();
    let without_date: Vec<usize> = (1..sorted.num_columns()).collect();
    let stored = sorted.project(&without_date).map_err(arrow_error(table))?;

    let mut days = Vec::new();
    let mut start = 0;
    for end in 1..=dates.len() {
        if end == dates.len() || dates.value(end) != dates.value(start) {
            days.push((dates.value(start), stored.slice(start, end - start)));
            start = end;
        }
    }
    Ok(days)
}

fn sort(table: &'static Table, rows: &RecordBatch) -> Result<RecordBatch, StoreError> {
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
        return Ok(rows.clone());
    }
    let count = u32::try_from(rows.num_rows()).map_err(|_| StoreError::Rows {
        table: table.name,
        detail: format!("{} in one batch, expected at most {}", rows.num_rows(), u32::MAX),
    })?;
    let mut order: Vec<u32> = (0..count).collect();
    order.sort_by(|&a, &b| keys.row(a as usize).cmp(&keys.row(b as usize)));
    take_record_batch(rows, &UInt32Array::from(order)).map_err(arrow_error(table))
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
    for ((want, have), column) in expected.fields().iter().zip(found.fields()).zip(rows.columns()) {
        if want.name() != have.name() || want.data_type() != have.data_type() {
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
