//! `series_id(…)`: which points of metrics are of one series. Takes the columns by which the
//! OpenTelemetry metrics data model tells series apart, gives 128 bits of their hash as text. It
//! is a name for grouping and ordering, and nothing is stored under it.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, MapArray, StringBuilder, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, ident,
};
use xxhash_rust::xxh3::xxh3_128;

/// What tells series of one tenant apart: resource, scope, name, unit, kind of the points and
/// temporality, and the point's own attributes ("Opentelemetry Protocol data model": identity).
const IDENTITY: [&str; 7] = [
    "resource_attributes",
    "scope_name",
    "metric_name",
    "unit",
    "metric_kind",
    "temporality",
    "metric_attributes",
];

/// The series of a row of `metric_points`.
pub(super) fn of_point() -> Expr {
    ScalarUDF::new_from_impl(SeriesId::new()).call(IDENTITY.map(ident).to_vec())
}

/// `series_id(part, …)`: a hash over texts and maps of texts, the same whatever the order of a map's
/// entries; null and empty are two things.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct SeriesId {
    signature: Signature,
}

impl SeriesId {
    pub(crate) fn new() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for SeriesId {
    fn name(&self) -> &str {
        "series_id"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        let fits = |kind: &DataType| {
            matches!(
                kind,
                DataType::Utf8
                    | DataType::LargeUtf8
                    | DataType::Utf8View
                    | DataType::Map(..)
                    | DataType::Null
            )
        };
        match given.iter().find(|kind| !fits(kind)) {
            Some(odd) => plan_err!("series_id: found {odd}, expected texts and maps of texts"),
            None => Ok(DataType::Utf8),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let parts = args
            .args
            .iter()
            .map(|arg| Part::of(&arg.to_array(rows)?))
            .collect::<Result<Vec<Part>>>()?;
        let mut ids = StringBuilder::with_capacity(rows, rows * 32);
        let mut identity = Identity::default();
        for row in 0..rows {
            if write!(ids, "{:032x}", identity.of(&parts, row)).is_err() {
                return exec_err!("series_id: an id cannot be written");
            }
            ids.append_value("");
        }
        Ok(ColumnarValue::Array(Arc::new(ids.finish())))
    }
}

/// The identity of one row after the other, written out. Hashing what is written at once costs a
/// fraction of hashing it piece by piece.
#[derive(Default)]
struct Identity {
    row: Vec<u8>,
    entry: Vec<u8>,
}

impl Identity {
    fn of(&mut self, parts: &[Part], row: usize) -> u128 {
        self.row.clear();
        for part in parts {
            part.write(row, self);
        }
        xxh3_128(&self.row)
    }
}

/// One part of the identity.
enum Part {
    Text(StringViewArray),
    Map { map: Box<MapArray>, keys: StringViewArray, values: StringViewArray },
}

impl Part {
    fn of(array: &ArrayRef) -> Result<Part> {
        let text = |array: &ArrayRef| -> Result<StringViewArray> {
            Ok(cast(array, &DataType::Utf8View)?.as_string_view().clone())
        };
        let Some(map) = array.as_map_opt() else { return Ok(Part::Text(text(array)?)) };
        if map.entries().num_columns() != 2 {
            return exec_err!("series_id: a map has {} columns", map.entries().num_columns());
        }
        let (keys, values) = (text(map.keys())?, text(map.values())?);
        Ok(Part::Map { map: Box::new(map.clone()), keys, values })
    }

    fn write(&self, row: usize, identity: &mut Identity) {
        match self {
            Part::Text(texts) => {
                write_text(texts.is_valid(row).then(|| texts.value(row)), &mut identity.row);
            }
            Part::Map { map, .. } if map.is_null(row) => write_text(None, &mut identity.row),
            Part::Map { map, keys, values } => {
                // A sum does not know the order in which a client happened to send attributes.
                let offsets = map.value_offsets();
                let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
                let entries = (from..to).fold(0u128, |sum, entry| {
                    identity.entry.clear();
                    write_text(Some(keys.value(entry)), &mut identity.entry);
                    let value = values.is_valid(entry).then(|| values.value(entry));
                    write_text(value, &mut identity.entry);
                    sum.wrapping_add(xxh3_128(&identity.entry))
                });
                identity.row.extend((to - from).to_le_bytes());
                identity.row.extend(entries.to_le_bytes());
            }
        }
    }
}

/// A text with its length before it, so that no two lists of texts are written alike.
fn write_text(text: Option<&str>, out: &mut Vec<u8>) {
    match text {
        None => out.push(0),
        Some(text) => {
            out.push(1);
            out.extend(text.len().to_le_bytes());
            out.extend(text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{MapBuilder, StringArray};

    fn id(parts: &[ArrayRef]) -> Vec<String> {
        let parts: Vec<Part> = parts.iter().map(|p| Part::of(p).unwrap()).collect();
        let rows = match &parts[0] {
            Part::Text(texts) => texts.len(),
            Part::Map { map, .. } => map.len(),
        };
        let mut identity = Identity::default();
        (0..rows).map(|row| format!("{:032x}", identity.of(&parts, row))).collect()
    }

    fn maps(rows: &[&[(&str, Option<&str>)]]) -> ArrayRef {
        let mut map =
            MapBuilder::new(None, arrow::array::StringBuilder::new(), StringBuilder::new());
        for row in rows {
            for (key, value) in *row {
                map.keys().append_value(key);
                map.values().append_option(*value);
            }
            map.append(true).unwrap();
        }
        Arc::new(map.finish())
    }

    #[test]
    fn the_order_of_attributes_makes_no_other_series_and_all_else_does() {
        let (a, b) = (("a", Some("1")), ("b", Some("2")));
        let ids = id(&[maps(&[&[a, b], &[b, a], &[a], &[("a", Some("12")), ("b", None)], &[]])]);
        assert_eq!(ids[0], ids[1]);
        let different: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(different.len(), 4, "{ids:?}");
    }

    #[test]
    fn texts_are_not_confused_with_their_neighbours() {
        let text = |rows: Vec<Option<&str>>| Arc::new(StringArray::from(rows)) as ArrayRef;
        let ids = id(&[
            text(vec![Some("ab"), Some("a"), None, Some("")]),
            text(vec![Some("c"), Some("bc"), None, None]),
        ]);
        let different: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(different.len(), 4, "{ids:?}");
    }
}
