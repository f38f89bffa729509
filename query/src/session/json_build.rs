//! `json_build_object(key, value, …)` (PostgreSQL 9.16): an object of its arguments, which drivers
//! build of what they ask the catalog for. Takes columns, gives texts that are JSON.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{exec_err, internal_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};

use super::pg_types::JSON;
use crate::render::json;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct JsonBuildObject {
    signature: Signature,
}

impl JsonBuildObject {
    pub(super) fn new() -> Self {
        let forms = vec![TypeSignature::Nullary, TypeSignature::VariadicAny];
        Self { signature: Signature::one_of(forms, Volatility::Stable) }
    }
}

impl ScalarUDFImpl for JsonBuildObject {
    fn name(&self) -> &str {
        "json_build_object"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("json_build_object says its type with that it is JSON")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        if args.arg_fields.len() % 2 == 1 {
            return plan_err!(
                "json_build_object takes keys and values in turn, found {} arguments",
                args.arg_fields.len()
            );
        }
        let mark = HashMap::from([(JSON.to_owned(), String::new())]);
        Ok(Arc::new(Field::new(self.name(), DataType::Utf8, false).with_metadata(mark)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let arrays = args.args.iter().map(|arg| arg.to_array(rows));
        let arrays = arrays.collect::<Result<Vec<ArrayRef>>>()?;
        let pairs = arrays.chunks_exact(2).map(|pair| {
            let keys = cast(&pair[0], &DataType::Utf8)?;
            Ok((json::texts(&keys)?, value(&pair[1])?))
        });
        let pairs = pairs.collect::<Result<Vec<(ArrayRef, ArrayRef)>>>()?;
        let mut objects = StringBuilder::with_capacity(rows, rows * 32);
        let mut object = String::new();
        for row in 0..rows {
            object.clear();
            for (at, (keys, values)) in pairs.iter().enumerate() {
                let (keys, values) = (keys.as_string::<i32>(), values.as_string::<i32>());
                if keys.is_null(row) {
                    return exec_err!("json_build_object: key {} is null", at + 1);
                }
                let before = if at == 0 { "" } else { ", " };
                let value = if values.is_valid(row) { values.value(row) } else { "null" };
                object.push_str(&format!("{before}{} : {value}", keys.value(row)));
            }
            objects.append_value(format!("{{{object}}}"));
        }
        Ok(ColumnarValue::Array(Arc::new(objects.finish())))
    }
}

/// Each value as JSON. Exact numbers are numbers, as PostgreSQL writes them.
fn value(array: &ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Null => Ok(cast(array, &DataType::Utf8)?),
        kind if kind.is_decimal() => Ok(cast(array, &DataType::Utf8)?),
        _ => Ok(json::texts(array)?),
    }
}
