//! Answers as JSON: `{"columns":[…],"rows":[[…]],…}`. Decimals are strings, so that no reader makes
//! floats of them (I-4); instants are RFC 3339 in UTC; 64-bit integers are numbers; maps objects.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, FieldRef};
use arrow::error::ArrowError;
use arrow::json::writer::{Encoder, EncoderFactory, EncoderOptions, NullableEncoder, make_encoder};
use arrow::record_batch::RecordBatch;
use serde_json::{Value, json};

use super::{text, type_name, unwritable};
use crate::error::QueryError;

/// Collects rows as JSON text.
pub struct JsonRows {
    options: EncoderOptions,
    out: Vec<u8>,
    empty: bool,
}

impl Default for JsonRows {
    fn default() -> Self {
        Self::new()
    }
}

impl JsonRows {
    /// No rows yet.
    pub fn new() -> Self {
        Self { options: options(), out: b"[".to_vec(), empty: true }
    }

    /// Adds the rows of a batch.
    ///
    /// # Errors
    /// When a value has no form in JSON.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), QueryError> {
        let schema = batch.schema_ref();
        let mut columns = Vec::with_capacity(batch.num_columns());
        for (field, array) in schema.fields().iter().zip(batch.columns()) {
            columns.push(make_encoder(field, array, &self.options).map_err(unwritable)?);
        }
        for row in 0..batch.num_rows() {
            self.out.extend_from_slice(if self.empty { b"[" } else { b",[" });
            self.empty = false;
            for (i, column) in columns.iter_mut().enumerate() {
                if i > 0 {
                    self.out.push(b',');
                }
                if column.is_null(row) {
                    self.out.extend_from_slice(b"null");
                } else {
                    column.encode(row, &mut self.out);
                }
            }
            self.out.push(b']');
        }
        Ok(())
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.empty
    }

    /// The whole answer: the columns, these rows, then the other members in their order.
    ///
    /// # Errors
    /// When a member cannot be written.
    pub fn into_answer(
        mut self,
        columns: &Value,
        rest: &serde_json::Map<String, Value>,
    ) -> Result<Vec<u8>, QueryError> {
        self.out.push(b']');
        let mut out = Vec::with_capacity(self.out.len() + 1024);
        out.extend_from_slice(b"{\"columns\":");
        serde_json::to_writer(&mut out, columns).map_err(unwritable)?;
        out.extend_from_slice(b",\"rows\":");
        out.append(&mut self.out);
        for (name, value) in rest {
            out.push(b',');
            serde_json::to_writer(&mut out, name).map_err(unwritable)?;
            out.push(b':');
            serde_json::to_writer(&mut out, value).map_err(unwritable)?;
        }
        out.push(b'}');
        Ok(out)
    }
}

/// The rows as objects, for those who look at single values.
///
/// # Errors
/// When a value has no form in JSON.
pub(crate) fn objects(
    schema: &arrow::datatypes::Schema,
    batches: &[RecordBatch],
) -> Result<Vec<serde_json::Map<String, Value>>, QueryError> {
    let mut rows = JsonRows::new();
    for batch in batches {
        rows.write(batch)?;
    }
    rows.out.push(b']');
    let rows: Vec<Vec<Value>> = serde_json::from_slice(&rows.out).map_err(unwritable)?;
    let names = || schema.fields().iter().map(|field| field.name().clone());
    Ok(rows.into_iter().map(|row| names().zip(row).collect()).collect())
}

/// The `columns` member: name, type and, where there is one, unit.
pub fn columns(schema: &arrow::datatypes::Schema, units: &[Option<&str>]) -> Value {
    let column = |(i, field): (usize, &FieldRef)| {
        let mut column = json!({"name": field.name(), "type": type_name(field.data_type())});
        if let (Some(Some(unit)), Some(column)) = (units.get(i), column.as_object_mut()) {
            column.insert("unit".to_owned(), json!(unit));
        }
        column
    };
    schema.fields().iter().enumerate().map(column).collect()
}

/// How values are written.
pub(super) fn options() -> EncoderOptions {
    EncoderOptions::default()
        .with_explicit_nulls(true)
        .with_encoder_factory(Arc::new(Exact))
        // An instant without a zone is in UTC, as everything here; say so.
        .with_timestamp_format("%Y-%m-%dT%H:%M:%S%.fZ".to_owned())
}

/// Writes decimals as strings.
#[derive(Debug)]
struct Exact;

impl EncoderFactory for Exact {
    fn make_default_encoder<'a>(
        &self,
        _: &'a FieldRef,
        array: &'a dyn Array,
        _: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let decimals: Option<Box<dyn Encoder>> = match array.data_type() {
            DataType::Decimal128(..) => {
                let array = array.as_primitive::<Decimal128Type>();
                Some(Box::new(Quoted(move |row| array.value_as_string(row))))
            }
            DataType::Decimal256(..) => {
                let array = array.as_primitive::<Decimal256Type>();
                Some(Box::new(Quoted(move |row| array.value_as_string(row))))
            }
            _ => None,
        };
        Ok(decimals.map(|encoder| NullableEncoder::new(encoder, array.nulls().cloned())))
    }
}

/// Writes the text of a value between quotes.
struct Quoted<F>(F);

impl<F: FnMut(usize) -> String> Encoder for Quoted<F> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        out.push(b'"');
        out.extend_from_slice(text::without_trailing_zeros(&(self.0)(row)).as_bytes());
        out.push(b'"');
    }
}

/// Each value of a column as JSON text; nulls stay null.
pub(crate) fn texts(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let field: FieldRef =
        Arc::new(arrow::datatypes::Field::new("value", array.data_type().clone(), true));
    let options = options();
    let mut encoder = make_encoder(&field, array, &options)?;
    let mut out = arrow::array::StringBuilder::with_capacity(array.len(), array.len() * 32);
    let mut value = Vec::new();
    for row in 0..array.len() {
        if encoder.is_null(row) {
            out.append_null();
            continue;
        }
        value.clear();
        encoder.encode(row, &mut value);
        let value = std::str::from_utf8(&value)
            .map_err(|e| ArrowError::JsonError(format!("a value is not UTF-8: {e}")))?;
        out.append_value(value);
    }
    Ok(Arc::new(out.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        BooleanArray, Decimal128Array, Float64Array, Int64Array, MapBuilder, StringArray,
        StringBuilder, TimestampMicrosecondArray,
    };

    fn rows(columns: Vec<(&str, ArrayRef)>) -> String {
        let mut rows = JsonRows::new();
        rows.write(&RecordBatch::try_from_iter(columns).unwrap()).unwrap();
        let answer = rows.into_answer(&json!([]), &serde_json::Map::new()).unwrap();
        String::from_utf8(answer).unwrap()
    }

    #[test]
    fn values_keep_their_exactness() {
        let cost = Decimal128Array::from(vec![Some(87_300_000_000_000_000), Some(0), None])
            .with_precision_and_scale(38, 18)
            .unwrap();
        let got = rows(vec![
            ("cost", Arc::new(cost)),
            ("n", Arc::new(Int64Array::from(vec![i64::MAX, -1, 0]))),
            ("x", Arc::new(Float64Array::from(vec![0.1, f64::NAN, 1e300]))),
            ("ok", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
            ("s", Arc::new(StringArray::from(vec!["a\"\n", "", "é"]))),
        ]);
        let want = r#"{"columns":[],"rows":[["0.0873",9223372036854775807,0.1,true,"a\"\n"],["0",-1,null,null,""],[null,0,1.0e300,false,"é"]]}"#;
        assert_eq!(got, want);
    }

    #[test]
    fn instants_are_rfc_3339_in_utc() {
        // 1_795_564_800 s is 2026-11-25T00:00:00Z
        let at =
            TimestampMicrosecondArray::from(vec![1_795_564_800_000_000, 1_795_564_800_500_000]);
        let got = rows(vec![
            ("zoned", Arc::new(at.clone().with_timezone("UTC"))),
            ("plain", Arc::new(at)),
        ]);
        let want = r#"[["2026-11-25T00:00:00Z","2026-11-25T00:00:00Z"],["2026-11-25T00:00:00.500Z","2026-11-25T00:00:00.500Z"]]"#;
        assert!(got.contains(want), "{got}");
    }

    #[test]
    fn maps_are_objects() {
        let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        map.keys().append_value("gpu");
        map.values().append_value("H100");
        map.append(true).unwrap();
        map.append(true).unwrap();
        let map: ArrayRef = Arc::new(map.finish());
        assert!(rows(vec![("m", Arc::clone(&map))]).contains(r#"[[{"gpu":"H100"}],[{}]]"#));
        let texts = texts(&map).unwrap();
        assert_eq!(texts.as_string::<i32>().value(0), r#"{"gpu":"H100"}"#);
    }
}
