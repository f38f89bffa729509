//! Statistics of a data file: taken from the Parquet footer when it is written, kept as JSON in
//! the Delta log, read back for pruning.
//!
//! # As stored
//! The `stats` text of an Add action, as the Delta protocol describes it:
//! ```json
//! {"numRecords":2,"minValues":{"trace_id":"00…","start_unix_ns":1},
//!  "maxValues":{…},"nullCount":{"trace_id":0,…}}
//! ```
//! - Bounds are there for text, integers, floats, decimals and instants; not for booleans, maps,
//!   lists, JSON documents and the partition column.
//! - Text is cut to [`crate::limits::BOUND_TEXT_BYTES`]: a cut minimum sorts before the true one, a
//!   cut maximum has its last character raised, so both still bound; a maximum that cannot be
//!   raised is left out.
//! - Instants are `YYYY-MM-DDTHH:MM:SS.ffffffZ`. Other writers cut them to milliseconds, so a
//!   maximum with three digits is read as the end of that millisecond.
//! - Decimals are JSON numbers with all their digits; floats that are not finite are left out.
//!
//! Readers ignore what they do not know, so columns may be added; a missing bound means unknown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use datafusion::scalar::ScalarValue;
use parquet::file::metadata::ParquetMetaData;
use serde_json::{Map, Number, Value};
use spanledger_schemas::{Column, Kind, Money, Table, money};

use super::properties::is_document;

/// What is known of a file without opening it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct FileStats {
    /// Rows, if known.
    pub(crate) rows: Option<u64>,
    /// Bounds by column.
    pub(crate) columns: BTreeMap<&'static str, Bounds>,
}

/// What is known of a column in a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Bounds {
    /// No value is smaller.
    pub(crate) min: Option<ScalarValue>,
    /// No value is larger.
    pub(crate) max: Option<ScalarValue>,
    /// Nulls.
    pub(crate) nulls: Option<u64>,
}

fn has_bounds(column: &Column) -> bool {
    matches!(column.kind, Kind::Text | Kind::Int | Kind::Float | Kind::Decimal | Kind::Instant)
        && !is_document(column)
}

impl FileStats {
    /// From the footer of a file just written.
    pub(crate) fn of_footer(table: &'static Table, footer: &ParquetMetaData) -> FileStats {
        let mut stats = FileStats::default();
        let mut rows = 0;
        for group in footer.row_groups() {
            rows += group.num_rows().unsigned_abs();
            for chunk in group.columns() {
                // Leaves of maps and lists have longer paths and match no column.
                let [name] = chunk.column_path().parts() else { continue };
                let Some(column) = table.column(name) else { continue };
                let first = !stats.columns.contains_key(column.name);
                let group_bounds = chunk.statistics().map(|s| Bounds {
                    min: s.min_bytes_opt().and_then(|b| of_parquet(column, b)),
                    max: s.max_bytes_opt().and_then(|b| of_parquet(column, b)),
                    nulls: s.null_count_opt(),
                });
                let all_null = group_bounds
                    .as_ref()
                    .is_some_and(|b| b.nulls == Some(group.num_rows().unsigned_abs()));
                let group_bounds = group_bounds.unwrap_or_default();
                let bounds = stats.columns.entry(column.name).or_default();
                if first {
                    *bounds = group_bounds;
                } else {
                    let empty_before = bounds.nulls == Some(rows - group.num_rows().unsigned_abs());
                    bounds.merge(group_bounds, empty_before, all_null);
                }
            }
        }
        stats.rows = Some(rows);
        stats
    }

    /// As the Delta log keeps it.
    pub(crate) fn to_json(&self, table: &'static Table) -> String {
        let (mut min, mut max, mut nulls) = (Map::new(), Map::new(), Map::new());
        for column in table.columns {
            let Some(bounds) = self.columns.get(column.name) else { continue };
            if let Some(count) = bounds.nulls {
                nulls.insert(column.name.to_owned(), count.into());
            }
            if !has_bounds(column) {
                continue;
            }
            for (map, bound) in [(&mut min, &bounds.min), (&mut max, &bounds.max)] {
                if let Some(value) = bound.as_ref().and_then(to_value) {
                    map.insert(column.name.to_owned(), value);
                }
            }
        }
        let mut all = Map::new();
        all.insert("numRecords".to_owned(), self.rows.unwrap_or_default().into());
        all.insert("minValues".to_owned(), min.into());
        all.insert("maxValues".to_owned(), max.into());
        all.insert("nullCount".to_owned(), nulls.into());
        Value::Object(all).to_string()
    }

    /// Only the row count, without reading the rest.
    pub(crate) fn rows_of_json(json: &str) -> Option<u64> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Rows {
            num_records: u64,
        }
        serde_json::from_str::<Rows>(json).ok().map(|rows| rows.num_records)
    }

    /// From the log; what cannot be read is unknown.
    pub(crate) fn from_json(table: &'static Table, json: &str) -> FileStats {
        let Ok(Value::Object(all)) = serde_json::from_str::<Value>(json) else {
            return FileStats::default();
        };
        let of = |part: &str, column: &Column| all.get(part)?.get(column.name).cloned();
        let mut stats = FileStats {
            rows: all.get("numRecords").and_then(Value::as_u64),
            columns: BTreeMap::new(),
        };
        for column in table.columns {
            let mut bounds = Bounds {
                nulls: of("nullCount", column).and_then(|v| v.as_u64()),
                ..Bounds::default()
            };
            if has_bounds(column) {
                bounds.min = of("minValues", column).and_then(|v| of_value(column, &v, false));
                bounds.max = of("maxValues", column).and_then(|v| of_value(column, &v, true));
            }
            if bounds != Bounds::default() {
                stats.columns.insert(column.name, bounds);
            }
        }
        stats
    }
}

impl Bounds {
    /// Widens by the next row group. A side that is unknown stays unknown, unless it is so
    /// because there were only nulls.
    fn merge(&mut self, other: Bounds, empty_before: bool, other_empty: bool) {
        self.nulls = self.nulls.zip(other.nulls).map(|(a, b)| a + b);
        if other_empty {
            return;
        }
        if empty_before {
            (self.min, self.max) = (other.min, other.max);
            return;
        }
        self.min = self.min.take().zip(other.min).map(|(a, b)| if b < a { b } else { a });
        self.max = self.max.take().zip(other.max).map(|(a, b)| if b > a { b } else { a });
    }
}

/// A bound as Parquet keeps it: little-endian numbers, decimals as big-endian bytes, text.
fn of_parquet(column: &Column, bytes: &[u8]) -> Option<ScalarValue> {
    let int = || bytes.try_into().ok().map(i64::from_le_bytes);
    match column.kind {
        Kind::Text => text(std::str::from_utf8(bytes).ok()?),
        Kind::Int => int().map(ScalarValue::from),
        Kind::Instant => int().map(instant),
        Kind::Float => {
            let value = f64::from_le_bytes(bytes.try_into().ok()?);
            value.is_finite().then(|| value.into())
        }
        Kind::Decimal => bytes.try_into().ok().map(i128::from_be_bytes).map(decimal),
        _ => None,
    }
}

fn to_value(bound: &ScalarValue) -> Option<Value> {
    match bound {
        ScalarValue::Utf8View(Some(text)) => Some(text.as_str().into()),
        ScalarValue::Int64(Some(int)) => Some((*int).into()),
        ScalarValue::Float64(Some(float)) => Number::from_f64(*float).map(Value::Number),
        ScalarValue::Decimal128(Some(units), ..) => {
            Money(*units).to_string().parse().ok().map(Value::Number)
        }
        ScalarValue::TimestampMicrosecond(Some(micros), _) => {
            instant_text(*micros).map(Value::from)
        }
        _ => None,
    }
}

fn of_value(column: &Column, value: &Value, is_max: bool) -> Option<ScalarValue> {
    match column.kind {
        Kind::Text => text(value.as_str()?),
        Kind::Int => value.as_i64().map(ScalarValue::from),
        Kind::Float => value.as_f64().map(ScalarValue::from),
        Kind::Decimal => {
            let number = value.as_number()?.to_string();
            Money::parse(&number).ok().map(|m| decimal(m.0))
        }
        Kind::Instant => {
            let text = value.as_str()?;
            let micros = text.parse::<jiff::Timestamp>().ok()?.as_microsecond();
            let fraction = text
                .split_once('.')
                .map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
            Some(instant(if is_max && fraction < 6 { micros + 999 } else { micros }))
        }
        _ => None,
    }
}

fn text(text: &str) -> Option<ScalarValue> {
    Some(ScalarValue::Utf8View(Some(text.to_owned())))
}

fn instant(micros: i64) -> ScalarValue {
    ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into()))
}

fn decimal(units: i128) -> ScalarValue {
    ScalarValue::Decimal128(Some(units), money::PRECISION, money::SCALE)
}

fn instant_text(micros: i64) -> Option<String> {
    let at = jiff::Timestamp::from_microsecond(micros).ok()?;
    let civil = jiff::tz::Offset::UTC.to_datetime(at);
    let mut text = String::with_capacity(27);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "{}T{:02}:{:02}:{:02}.{:06}Z",
        civil.date(),
        civil.hour(),
        civil.minute(),
        civil.second(),
        civil.subsec_nanosecond() / 1_000
    );
    Some(text)
}

#[cfg(test)]
mod tests {
    use spanledger_schemas::tables::{calls, spans};

    use super::*;

    fn column(name: &str) -> &'static Column {
        spans::TABLE.column(name).unwrap()
    }

    /// Spelled as the Delta protocol's section on per-file statistics shows them.
    #[test]
    fn statistics_of_the_log_are_read() {
        let json = r#"{"numRecords":3,
            "minValues":{"start_unix_ns":-5,"ttft_ms":0.5,"name":"a","start_at":"2026-11-25T10:00:00.123Z"},
            "maxValues":{"start_unix_ns":9007199254740993,"start_at":"2026-11-25T10:00:00.123Z"},
            "nullCount":{"name":1}}"#;
        let stats = FileStats::from_json(&spans::TABLE, json);
        assert_eq!(stats.rows, Some(3));
        let of = |name: &str| stats.columns[name].clone();
        assert_eq!(of("start_unix_ns").min, Some(ScalarValue::from(-5i64)));
        // 2^53 + 1, which a float could not hold.
        assert_eq!(of("start_unix_ns").max, Some(ScalarValue::from(9_007_199_254_740_993i64)));
        assert_eq!(of("ttft_ms").min, Some(ScalarValue::from(0.5f64)));
        assert_eq!(of("name"), Bounds { min: text("a"), max: None, nulls: Some(1) });
        // 1795600800.123 s; a maximum in milliseconds stands for the whole millisecond.
        assert_eq!(of("start_at").min, Some(instant(1_795_600_800_123_000)));
        assert_eq!(of("start_at").max, Some(instant(1_795_600_800_123_999)));
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        for json in ["", "[]", "{\"minValues\":{\"name\":7,\"start_at\":\"soon\"}}"] {
            let stats = FileStats::from_json(&spans::TABLE, json);
            assert_eq!(stats.rows, None);
            assert!(stats.columns.values().all(|b| b.min.is_none() && b.max.is_none()));
        }
    }

    #[test]
    fn bounds_survive_the_log_digit_for_digit() {
        let bounds = |min, max| Bounds { min: Some(min), max: Some(max), nulls: Some(0) };
        let stats = FileStats {
            rows: Some(2),
            columns: BTreeMap::from([
                // 10⁻¹⁸ and the largest amount of 38 digits.
                ("cost", bounds(decimal(1), decimal(10i128.pow(38) - 1))),
                ("started_at", bounds(instant(-1), instant(1_795_600_800_000_001))),
                ("start_unix_ns", bounds(i64::MIN.into(), i64::MAX.into())),
                ("ttft_ms", bounds(0.1f64.into(), 1e300f64.into())),
            ]),
        };
        let json = stats.to_json(&calls::TABLE);
        assert!(json.contains(r#""cost":0.000000000000000001"#), "{json}");
        assert!(json.contains(r#""started_at":"1969-12-31T23:59:59.999999Z""#), "{json}");
        assert_eq!(FileStats::from_json(&calls::TABLE, &json), stats);
    }

    #[test]
    fn a_row_group_of_nulls_does_not_hide_the_bounds_of_others() {
        let known = || Bounds { min: text("b"), max: text("d"), nulls: Some(0) };
        let nulls = || Bounds { min: None, max: None, nulls: Some(4) };
        let mut first = known();
        first.merge(nulls(), false, true);
        assert_eq!(first, Bounds { nulls: Some(4), ..known() });
        let mut last = nulls();
        last.merge(known(), true, false);
        assert_eq!(last, Bounds { nulls: Some(4), ..known() });
        // Not nulls but unknown: then the whole is unknown.
        let mut unknown = known();
        unknown.merge(Bounds { nulls: Some(0), ..Bounds::default() }, false, false);
        assert_eq!((unknown.min, unknown.max), (None, None));
    }

    #[test]
    fn only_columns_that_prune_have_bounds() {
        assert!(has_bounds(column("trace_id")));
        for name in ["date", "streaming", "span_attributes", "events"] {
            assert!(!has_bounds(column(name)), "{name}");
        }
    }
}
