//! What rows of a table that settle writes say, as one hash each: by it a row that is written already
//! is recognised. Takes any batch of the table, whatever types it was read with.

use arrow::array::{Array, ArrayAccessor, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use spanledger_schemas::Table;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::calls::named;
use super::open::Written;
use super::{SettleError, chunk};
use crate::prices::columns::text;

/// What a null does to the seed of what follows: no value does the same.
const NULL: u64 = 0x9e37_79b9_7f4a_7c15;

/// What each row says.
///
/// # Errors
/// When the batch is not of that table.
pub(super) fn contents(
    table: &'static Table,
    rows: &RecordBatch,
) -> Result<Vec<Written>, SettleError> {
    let mut hashes = vec![0; rows.num_rows()];
    for field in table.scan_schema().fields().iter().filter(|f| f.name() != "settled_at") {
        add_column(&mut hashes, &cast(&named(rows, field.name())?, field.data_type())?)?;
    }
    let span = text(rows, "span_id")?;
    let date = cast(&named(rows, "date")?, &DataType::Date32)?;
    let date = date.as_primitive::<Date32Type>();
    let written = |(i, content): (usize, u64)| Written {
        span: chunk::span_id(span.value(i)),
        content,
        date: date.value(i),
    };
    Ok(hashes.into_iter().enumerate().map(written).collect())
}

/// Adds a column to the hash of each row: the bytes of its value, with what came before as seed.
fn add_column(hashes: &mut [u64], column: &ArrayRef) -> Result<(), SettleError> {
    match column.data_type() {
        DataType::Utf8View => {
            add(hashes, column.as_string_view(), |h, v| xxh3_64_with_seed(v.as_bytes(), h));
        }
        DataType::Int64 => {
            add(hashes, column.as_primitive::<Int64Type>(), |h, v| with_bytes(h, v.to_le_bytes()));
        }
        DataType::Float64 => {
            let column = column.as_primitive::<Float64Type>();
            add(hashes, column, |h, v| with_bytes(h, v.to_le_bytes()));
        }
        DataType::Decimal128(..) => {
            let column = column.as_primitive::<Decimal128Type>();
            add(hashes, column, |h, v| with_bytes(h, v.to_le_bytes()));
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let column = column.as_primitive::<TimestampMicrosecondType>();
            add(hashes, column, |h, v| with_bytes(h, v.to_le_bytes()));
        }
        DataType::Date32 => {
            add(hashes, column.as_primitive::<Date32Type>(), |h, v| with_bytes(h, v.to_le_bytes()));
        }
        DataType::Boolean => add(hashes, column.as_boolean(), |h, v| with_bytes(h, [u8::from(v)])),
        _ => return Err(SettleError::Invariant("a column of a type without a hash")),
    }
    Ok(())
}

fn add<A: ArrayAccessor>(hashes: &mut [u64], column: A, with: impl Fn(u64, A::Item) -> u64) {
    let without = |hash: u64| hash.rotate_left(1) ^ NULL;
    // Most columns say something in every row, or in none.
    match column.null_count() {
        0 => (0..).zip(hashes).for_each(|(i, hash)| *hash = with(*hash, column.value(i))),
        nulls if nulls == column.len() => hashes.iter_mut().for_each(|hash| *hash = without(*hash)),
        _ => (0..).zip(hashes).for_each(|(i, hash)| {
            let said = column.is_valid(i);
            *hash = if said { with(*hash, column.value(i)) } else { without(*hash) };
        }),
    }
}

fn with_bytes<const N: usize>(seed: u64, bytes: [u8; N]) -> u64 {
    xxh3_64_with_seed(&bytes, seed)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use arrow::array::{StringArray, new_null_array};
    use spanledger_schemas::tables::calls::TABLE;

    use super::*;

    #[test]
    fn what_is_said_where_counts_and_when_it_was_settled_does_not() {
        let schema = TABLE.arrow_schema();
        // One row that says "x" in a single text column, for each of them, one that says nothing,
        // and one that says "" somewhere.
        let texts: Vec<&str> = schema
            .fields()
            .iter()
            .filter(|f| *f.data_type() == DataType::Utf8 && f.is_nullable())
            .map(|f| f.name().as_str())
            .collect();
        let rows = texts.len() + 2;
        let columns = schema.fields().iter().map(|f| -> ArrayRef {
            let said = |i: usize| match texts.iter().position(|t| t == f.name())? {
                at if at == i => Some("x"),
                0 if i == rows - 1 => Some(""),
                _ => None,
            };
            match f.is_nullable() {
                true if *f.data_type() == DataType::Utf8 => {
                    Arc::new((0..rows).map(said).collect::<StringArray>())
                }
                true => new_null_array(f.data_type(), rows),
                false => cast(&StringArray::from(vec!["0"; rows]), f.data_type())
                    .unwrap_or_else(|_| new_null_array(f.data_type(), rows)),
            }
        });
        let columns: Vec<ArrayRef> = columns.collect();
        let fields = schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true));
        let schema = Arc::new(arrow::datatypes::Schema::new(fields.collect::<Vec<_>>()));
        let batch = RecordBatch::try_new(schema.clone(), columns.clone()).unwrap();
        let said = |b: &RecordBatch| -> Vec<u64> {
            contents(&TABLE, b).unwrap().iter().map(|w| w.content).collect()
        };
        let different: HashSet<u64> = said(&batch).into_iter().collect();
        assert_eq!(different.len(), rows);

        let settled_at = schema.index_of("settled_at").unwrap();
        let mut later = columns;
        later[settled_at] = cast(
            &arrow::array::Int64Array::from(vec![77; rows]),
            schema.field(settled_at).data_type(),
        )
        .unwrap();
        assert_eq!(said(&RecordBatch::try_new(schema, later).unwrap()), said(&batch));
    }
}
