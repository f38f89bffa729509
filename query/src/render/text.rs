//! Values as text: CSV, and the plain columns that terminals and CSV share.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, Decimal128Type, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;

use super::{json, unwritable};
use crate::error::QueryError;

/// CSV, the header with the first batch.
pub struct CsvWriter {
    header: bool,
}

impl CsvWriter {
    pub(super) fn new() -> Self {
        Self { header: true }
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, QueryError> {
        let mut out = Vec::with_capacity(batch.num_rows() * batch.num_columns() * 16);
        let header = std::mem::replace(&mut self.header, false);
        WriterBuilder::new()
            .with_header(header)
            .with_timestamp_format("%Y-%m-%dT%H:%M:%S%.fZ".to_owned())
            .build(&mut out)
            .write(&plain(batch)?)
            .map_err(unwritable)?;
        Ok(out)
    }

    pub(super) fn finish(mut self, schema: &SchemaRef) -> Result<Vec<u8>, QueryError> {
        if self.header {
            self.write(&RecordBatch::new_empty(Arc::clone(schema)))
        } else {
            Ok(vec![])
        }
    }
}

/// The batch with decimals as their shortest exact text, and maps and lists as JSON text.
///
/// # Errors
/// When a nested value has no form in JSON.
pub fn plain(batch: &RecordBatch) -> Result<RecordBatch, QueryError> {
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let array: ArrayRef = match array.data_type() {
            DataType::Decimal128(..) => {
                let decimals = array.as_primitive::<Decimal128Type>();
                let text = |row| {
                    let text = decimals.is_valid(row).then(|| decimals.value_as_string(row))?;
                    Some(without_trailing_zeros(&text).to_owned())
                };
                Arc::new((0..array.len()).map(text).collect::<StringArray>())
            }
            nested if nested.is_nested() => json::texts(array).map_err(unwritable)?,
            _ => Arc::clone(array),
        };
        fields.push(Field::new(field.name(), array.data_type().clone(), true));
        columns.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(unwritable)
}

/// `0.0120` as `0.012`, `3.000` as `3`.
pub(super) fn without_trailing_zeros(decimal: &str) -> &str {
    if decimal.contains('.') {
        decimal.trim_end_matches('0').trim_end_matches('.')
    } else {
        decimal
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Decimal128Array;

    #[test]
    fn csv_has_a_header_even_without_rows() {
        let schema = Arc::new(Schema::new(vec![Field::new("a,b", DataType::Int64, true)]));
        let empty = CsvWriter::new().finish(&schema).unwrap();
        assert_eq!(String::from_utf8(empty).unwrap(), "\"a,b\"\n");
    }

    #[test]
    fn decimals_are_exact_in_csv() {
        let cost = Decimal128Array::from(vec![Some(1), Some(3_000_000_000_000_000_000), None])
            .with_precision_and_scale(38, 18)
            .unwrap();
        let batch = RecordBatch::try_from_iter([("cost", Arc::new(cost) as ArrayRef)]).unwrap();
        let mut writer = CsvWriter::new();
        let text = String::from_utf8(writer.write(&batch).unwrap()).unwrap();
        assert_eq!(text, "cost\n0.000000000000000001\n3\n\"\"\n");
    }
}
