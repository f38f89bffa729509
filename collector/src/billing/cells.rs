//! The texts of single cells: null, decimal, instant, currency, tags. Takes the text as received,
//! gives a value or what was expected instead. It does not know columns or rows.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde_json::{Map, Value};
use spanledger_schemas::money::{Money, MoneyError};

/// A tag list as a map: keys with their values, null where a tag has none.
pub(super) type TagMap = Vec<(String, Option<String>)>;

/// The text of a cell, or `None` for null: empty, or the word NULL that SQL exports write.
pub(super) fn present(text: &str) -> Option<&str> {
    let text = text.trim_ascii();
    (!text.is_empty() && !text.eq_ignore_ascii_case("null")).then_some(text)
}

/// A decimal, exactly; the flag is false when digits past the 18th were rounded.
pub(super) fn decimal(text: &str) -> Result<(Money, bool), &'static str> {
    Money::parse_rounded(text).map_err(|error| match error {
        MoneyError::TooLarge { .. } => "a decimal within ±10^20",
        _ => "a decimal such as `-1204.5`",
    })
}

/// An instant in microseconds since the epoch. Besides ISO 8601 with `Z` or an offset (what FOCUS
/// asks for), real exports write it without seconds (Azure), with a blank instead of the `T` and
/// no offset (SQL exports), with ` UTC` behind (BigQuery), or as a day; those are UTC.
pub(super) fn instant(text: &str) -> Result<i64, &'static str> {
    const EXPECTED: &str = "an instant such as `2026-10-01T00:00:00Z`";
    let bare = text.strip_suffix(" UTC").unwrap_or(text);
    if let Ok(at) = bare.parse::<Timestamp>() {
        return Ok(at.as_microsecond());
    }
    let civil: DateTime = bare.parse().map_err(|_| EXPECTED)?;
    Offset::UTC.to_timestamp(civil).map(|at| at.as_microsecond()).map_err(|_| EXPECTED)
}

/// A currency code in capitals.
pub(super) fn currency(text: &str) -> Result<String, &'static str> {
    if text.len() == 3 && text.bytes().all(|b| b.is_ascii_alphabetic()) {
        Ok(text.to_ascii_uppercase())
    } else {
        Err("a currency code such as `USD`")
    }
}

/// Tags, or `None` when the text has no form we know. FOCUS says a JSON object. BigQuery exports
/// write an array of `{"key", "value"}`; Azure's own format has the object without its braces.
pub(super) fn tags(text: &str) -> Option<TagMap> {
    if text.starts_with('"') {
        return tags(&format!("{{{text}}}"));
    }
    match serde_json::from_str(text).ok()? {
        Value::Object(object) => Some(object.into_iter().map(|(k, v)| (k, tag_value(v))).collect()),
        Value::Array(entries) => entries.into_iter().map(tag_entry).collect(),
        _ => None,
    }
}

fn tag_entry(entry: Value) -> Option<(String, Option<String>)> {
    let Value::Object(mut entry) = entry else { return None };
    let mut take = |names: [&str; 2]| names.iter().find_map(|name| Map::remove(&mut entry, *name));
    let Value::String(key) = take(["key", "Key"])? else { return None };
    Some((key, take(["value", "Value"]).and_then(tag_value)))
}

/// Text stays as it is; numbers, booleans and nested values keep their JSON text.
fn tag_value(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nulls_are_empty_or_the_word() {
        for text in ["", "  ", "NULL", "null", " Null "] {
            assert_eq!(present(text), None, "{text:?}");
        }
        for text in ["0", "NULLABLE", "n/a", "None"] {
            assert_eq!(present(text), Some(text));
        }
    }

    #[test]
    fn every_way_real_exports_write_an_instant_is_read_as_utc() {
        // 2026-05-01T00:00:00Z is 20574 days after the epoch (56 years with 14 leap days, plus
        // 31 + 28 + 31 + 30 days): × 86_400_000_000 µs.
        let may = 20_574 * 86_400_000_000;
        for text in [
            "2026-05-01T00:00:00Z",
            "2026-05-01T00:00Z",
            "2026-05-01T00:00:00.000Z",
            "2026-05-01T02:00:00+02:00",
            "2026-05-01 00:00:00",
            "2026-05-01 00:00:00.000",
            "2026-05-01 00:00:00 UTC",
            "2026-05-01",
        ] {
            assert_eq!(instant(text), Ok(may), "{text}");
        }
        for text in ["5/1/26", "2026-13-01", "May 2026", "1777593600", "2026-05-01T25:00:00Z"] {
            assert!(instant(text).is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_are_exact_or_say_that_they_were_rounded() {
        assert_eq!(decimal("0.00015833330"), Ok((Money(158_333_300_000_000), true)));
        assert_eq!(decimal("0.0000000000000000005"), Ok((Money(0), false)));
        assert!(decimal("1,204.5").is_err());
        assert!(decimal("$3").is_err());
        assert!(decimal("1e21").is_err());
    }

    #[test]
    fn tags_are_read_in_the_forms_that_bills_have() {
        let pair = |k: &str, v: &str| (k.to_owned(), Some(v.to_owned()));
        let expected = vec![pair("env", "dev"), pair("size", "500")];
        for text in [
            r#"{"env": "dev", "size": 500}"#,
            r#""env": "dev", "size": "500""#,
            r#"[{"key":"env","value":"dev"},{"key":"size","value":"500"}]"#,
        ] {
            assert_eq!(tags(text), Some(expected.clone()), "{text}");
        }
        assert_eq!(tags(r#"{"a":null}"#), Some(vec![("a".to_owned(), None)]));
        assert_eq!(tags(r#"{"a":{"b":[1.50]}}"#), Some(vec![pair("a", r#"{"b":[1.50]}"#)]));
        for text in ["env=dev", "{'env': 'dev'}", "12", "[1]", r#"[{"value":"x"}]"#, r#"{"a""#] {
            assert_eq!(tags(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_cell_panic(text in "\\PC*", odd in "[-+0-9eE.,:TZ {}\\[\\]\"]{0,40}") {
            for text in [text, odd] {
                let _ = (present(&text), decimal(&text), instant(&text));
                let _ = (currency(&text), tags(&text));
            }
        }
    }
}
