//! OTLP/JSON to protobuf, so that everything behind the door reads one format. Takes the JSON
//! body, gives the bytes of the same request; it streams, guided by the table of fields, and
//! builds no tree. Source: OTLP specification, “JSON Protobuf Encoding”: ids in hexadecimal,
//! enumerations as numbers, 64-bit integers as text or number, unknown names ignored.
//!
//! Why not the serde code of `opentelemetry-proto`: with serde_json's `arbitrary_precision`,
//! which exact money needs, it refuses every integer written as a number, and it refuses unknown
//! names inside values. Its writing half is the oracle of the tests.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::error::{DecodeError, word};
use super::fields::{self, FieldOf, Kind, Message};
use crate::frame::Signal;

/// The protobuf bytes of an OTLP/JSON request.
pub fn json_to_protobuf(signal: Signal, body: &[u8]) -> Result<Bytes, DecodeError> {
    let mut writer = Writer { out: Vec::with_capacity(body.len() / 2), path: Vec::new() };
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = MessageSeed { message: fields::request(signal), writer: &mut writer }
        .deserialize(&mut json)
        .and_then(|()| json.end());
    match read {
        Ok(()) => Ok(Bytes::from(writer.out)),
        Err(e) => Err(DecodeError::Json {
            signal: word(signal),
            line: e.line(),
            column: e.column(),
            path: writer.path(),
            what: without_place(&e.to_string()),
        }),
    }
}

/// serde_json ends its messages with the place, which the error says by itself.
fn without_place(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).to_owned()
}

struct Writer {
    out: Vec<u8>,
    /// Where the reader is; left as it stands when an error ends the reading.
    path: Vec<(&'static str, Option<usize>)>,
}

impl Writer {
    fn path(&self) -> String {
        let mut path = String::from("request");
        for (name, position) in &self.path {
            path.push('.');
            path.push_str(name);
            if let Some(position) = position {
                path.push_str(&format!("[{position}]"));
            }
        }
        path
    }

    /// Notes the place in the list that is being read.
    fn at(&mut self, position: usize) {
        if let Some(last) = self.path.last_mut() {
            last.1 = Some(position);
        }
    }

    fn tag(&mut self, number: u32, wire_type: u8) {
        self.varint(u64::from(number) << 3 | u64::from(wire_type));
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    fn bytes(&mut self, number: u32, bytes: &[u8]) {
        self.tag(number, 2);
        self.varint(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    /// Puts the length before what was written since `start`.
    fn close(&mut self, start: usize) {
        let end = self.out.len();
        self.varint((end - start) as u64);
        self.out[start..].rotate_left(end - start);
    }

    fn scalar(&mut self, field: &FieldOf, value: &Value) -> Result<(), String> {
        let expected = |what: &str| format!("found {}, expected {what}", shown(value));
        let number = field.number;
        match field.kind {
            Kind::Text => {
                self.bytes(number, value.as_str().ok_or_else(|| expected("text"))?.as_bytes());
            }
            Kind::Hex => {
                let id = value.as_str().and_then(unhex);
                self.bytes(number, &id.ok_or_else(|| expected("hexadecimal text"))?);
            }
            Kind::Base64 => {
                let bytes = value.as_str().and_then(unbase64);
                self.bytes(number, &bytes.ok_or_else(|| expected("base64 text"))?);
            }
            Kind::Bool => {
                let truth = value.as_bool().ok_or_else(|| expected("true or false"))?;
                self.tag(number, 0);
                self.varint(u64::from(truth));
            }
            Kind::Varint | Kind::Fixed64 | Kind::Sfixed64 | Kind::Fixed32 | Kind::Sint => {
                let bits = integer(value).ok_or_else(|| expected("a 64-bit whole number"))?;
                self.integer(number, field.kind, bits);
            }
            Kind::Double => {
                let double = double(value).ok_or_else(|| expected("a number"))?;
                self.tag(number, 1);
                self.out.extend_from_slice(&double.to_le_bytes());
            }
            Kind::Enum(names) => {
                let named = value.as_str().and_then(|t| names.iter().find(|(n, _)| *n == t));
                let bits = match named {
                    Some((_, code)) => i128::from(*code),
                    None => integer(value).ok_or_else(|| expected("a number or a known name"))?,
                };
                self.integer(number, Kind::Varint, bits);
            }
            Kind::Message(_) => return Err(expected("an object")),
        }
        Ok(())
    }

    fn integer(&mut self, number: u32, kind: Kind, bits: i128) {
        match kind {
            Kind::Fixed64 | Kind::Sfixed64 => {
                self.tag(number, 1);
                self.out.extend_from_slice(&(bits as u64).to_le_bytes());
            }
            Kind::Fixed32 => {
                self.tag(number, 5);
                self.out.extend_from_slice(&(bits as u32).to_le_bytes());
            }
            Kind::Sint => {
                let value = bits as i32;
                self.tag(number, 0);
                self.varint(u64::from((value << 1 ^ value >> 31) as u32));
            }
            _ => {
                self.tag(number, 0);
                self.varint(bits as u64);
            }
        }
    }
}

/// An integer of any 64-bit type, as number or text.
fn integer(value: &Value) -> Option<i128> {
    let whole = match value {
        Value::Number(number) => whole(number.as_str()),
        Value::String(text) => whole(text),
        _ => None,
    };
    whole.filter(|n| (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(n))
}

/// `12`, `-3`, and as protobuf's JSON allows, `12.0` and `1e3` when they are whole.
fn whole(text: &str) -> Option<i128> {
    text.parse().ok().or_else(|| {
        let double: f64 = text.parse().ok()?;
        // Above 2^53 a double no longer holds every integer.
        (double.fract() == 0.0 && double.abs() <= 9_007_199_254_740_992.0).then_some(double as i128)
    })
}

fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_str().parse().ok(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            number => number.parse().ok().filter(|d: &f64| d.is_finite()),
        },
        _ => None,
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| (c as char).to_digit(16).map(|d| d as u8);
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

/// Standard or URL-safe alphabet, padded or not: protobuf's JSON accepts all four.
fn unbase64(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&alphabet::STANDARD, LENIENT)
        .decode(text)
        .or_else(|_| GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT).decode(text))
        .ok()
}

/// What was found, without its content: a value may be a prompt.
fn shown(value: &Value) -> Cow<'static, str> {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "a truth value".into(),
        Value::Number(number) => format!("the number {number}").into(),
        Value::String(text) => format!("a text of {} bytes", text.len()).into(),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
    }
}

/// Reads one JSON object as `message` and writes its fields.
struct MessageSeed<'w> {
    message: &'static Message,
    writer: &'w mut Writer,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let Some(field) = self.message.by_json_name(&name) else {
                map.next_value::<serde::de::IgnoredAny>()?;
                continue;
            };
            self.writer.path.push((field.json, None));
            match field.kind {
                Kind::Message(message) => {
                    let (single, writer) = (!field.repeated, &mut *self.writer);
                    map.next_value_seed(FieldSeed { field, message, single, writer })?;
                }
                _ => match map.next_value::<Value>()? {
                    Value::Null => {}
                    Value::Array(values) if field.repeated => {
                        for (i, value) in values.iter().enumerate() {
                            self.writer.at(i);
                            self.writer.scalar(field, value).map_err(M::Error::custom)?;
                        }
                    }
                    value => self.writer.scalar(field, &value).map_err(M::Error::custom)?,
                },
            }
            self.writer.path.pop();
        }
        Ok(())
    }
}

/// Reads the value of a field that holds messages: an object, a list of them, or null.
///
/// `deserialize_option` first, then what the field must be: with `deserialize_any` a number would
/// look like a map, because that is how serde_json hands out numbers of arbitrary precision.
struct FieldSeed<'w> {
    field: &'static FieldOf,
    message: &'static Message,
    /// Whether one object stands here, not a list.
    single: bool,
    writer: &'w mut Writer,
}

impl<'de> DeserializeSeed<'de> for FieldSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for FieldSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.single { "an object" } else { "an array of objects" })
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        if !self.single {
            return json.deserialize_seq(self);
        }
        self.writer.tag(self.field.number, 2);
        let start = self.writer.out.len();
        let writer = &mut *self.writer;
        MessageSeed { message: self.message, writer }.deserialize(json)?;
        self.writer.close(start);
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<(), S::Error> {
        let (field, message) = (self.field, self.message);
        for position in 0.. {
            self.writer.at(position);
            let seed = FieldSeed { field, message, single: true, writer: &mut *self.writer };
            if seq.next_element_seed(seed)?.is_none() {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    };
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point};
    use opentelemetry_proto::tonic::trace::v1::Span;
    use prost::Message as _;

    use super::*;

    fn span(fields: &str) -> Span {
        let json =
            format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{fields}}}]}}]}}]}}"#);
        let body = json_to_protobuf(Signal::Traces, json.as_bytes()).unwrap();
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        request.resource_spans[0].scope_spans[0].spans[0].clone()
    }

    fn value(json: &str) -> Option<Any> {
        let span = span(&format!(r#""attributes":[{{"key":"k","value":{json}}}]"#));
        span.attributes[0].value.clone().and_then(|v| v.value)
    }

    fn error(json: &str) -> (String, String, usize) {
        match json_to_protobuf(Signal::Traces, json.as_bytes()) {
            Err(DecodeError::Json { path, what, line, .. }) => (path, what, line),
            other => panic!("{json}: {other:?}"),
        }
    }

    // The values are those written in the example files.
    #[test]
    fn examples_of_the_specification_are_read() {
        let body = include_bytes!("fixtures/trace.json");
        let body = json_to_protobuf(Signal::Traces, body).unwrap();
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        let scope = &request.resource_spans[0].scope_spans[0];
        let span = &scope.spans[0];
        assert_eq!(scope.scope.as_ref().unwrap().name, "my.library");
        assert_eq!(span.trace_id[..2], [0x5b, 0x8e]);
        assert_eq!(span.start_time_unix_nano, 1_544_712_660_000_000_000);
        assert_eq!((span.kind, span.name.as_str()), (2, "I'm a server span"));

        let body = include_bytes!("fixtures/metrics.json");
        let body = json_to_protobuf(Signal::Metrics, body).unwrap();
        let request = ExportMetricsServiceRequest::decode(body).unwrap();
        let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
        assert_eq!(metrics.len(), 4);
        let Some(Data::Sum(sum)) = &metrics[0].data else { panic!("{:?}", metrics[0]) };
        assert_eq!((sum.aggregation_temporality, sum.is_monotonic), (1, true));
        let five = number_data_point::Value::AsDouble(5.0);
        assert_eq!(sum.data_points[0].value, Some(five));

        for (file, name) in [
            (&include_bytes!("fixtures/logs.json")[..], ""),
            (&include_bytes!("fixtures/events.json")[..], "browser.page_view"),
        ] {
            let body = json_to_protobuf(Signal::Logs, file).unwrap();
            let request = ExportLogsServiceRequest::decode(body).unwrap();
            let record = &request.resource_logs[0].scope_logs[0].log_records[0];
            assert_eq!(record.event_name, name);
        }
    }

    #[test]
    fn integers_come_as_text_or_number() {
        for json in ["1795564800000000001", "\"1795564800000000001\""] {
            let span = span(&format!(r#""startTimeUnixNano":{json}"#));
            assert_eq!(span.start_time_unix_nano, 1_795_564_800_000_000_001);
        }
        for json in ["-7", "\"-7\"", "-7.0", "-7e0"] {
            assert_eq!(
                value(&format!(r#"{{"intValue":{json}}}"#)),
                Some(Any::IntValue(-7)),
                "{json}"
            );
        }
        assert_eq!(value(r#"{"intValue":"0"}"#), Some(Any::IntValue(0)));
        let most = format!(r#""endTimeUnixNano":"{}""#, u64::MAX);
        assert_eq!(span(&most).end_time_unix_nano, u64::MAX);
    }

    #[test]
    fn doubles_come_as_number_or_by_name() {
        for (json, expect) in
            [("5", 5.0), ("0.1", 0.1), ("1.10", 1.1), ("1E-7", 1e-7), ("\"2.5\"", 2.5)]
        {
            assert_eq!(
                value(&format!(r#"{{"doubleValue":{json}}}"#)),
                Some(Any::DoubleValue(expect))
            );
        }
        assert_eq!(
            value(r#"{"doubleValue":"-Infinity"}"#),
            Some(Any::DoubleValue(f64::NEG_INFINITY))
        );
        assert!(
            matches!(value(r#"{"doubleValue":"NaN"}"#), Some(Any::DoubleValue(d)) if d.is_nan())
        );
    }

    #[test]
    fn enumerations_come_as_number_or_name() {
        for json in ["3", "\"SPAN_KIND_CLIENT\"", "\"3\""] {
            assert_eq!(span(&format!(r#""kind":{json}"#)).kind, 3, "{json}");
        }
        let status = span(r#""status":{"code":"STATUS_CODE_ERROR"}"#).status.unwrap();
        assert_eq!(status.code, 2);
    }

    #[test]
    fn unknown_and_null_are_ignored() {
        let span = span(
            r#""name":null,"links":null,"somethingNew":{"a":[1,2,{"b":null}]},"trace_id":"zz",
               "attributes":[{"key":"k","value":{"newValue":{"x":1},"stringValue":"v"}}]"#,
        );
        assert_eq!(span.attributes.len(), 1);
        let some = span.attributes[0].value.clone().unwrap().value;
        assert_eq!(some, Some(Any::StringValue("v".into())));
        assert_eq!(value("{}"), None);
        assert_eq!(value("null"), None);
        assert!(json_to_protobuf(Signal::Traces, b"{}").unwrap().is_empty());
    }

    #[test]
    fn bytes_come_in_each_base64_that_protobuf_allows() {
        // 0xfb 0xef 0xff is `++//` in the standard alphabet and `--__` in the other.
        for json in ["++//", "--__"] {
            let read = value(&format!(r#"{{"bytesValue":"{json}"}}"#));
            assert_eq!(read, Some(Any::BytesValue(vec![0xfb, 0xef, 0xff])), "{json}");
        }
        assert_eq!(value(r#"{"bytesValue":"AQ"}"#), Some(Any::BytesValue(vec![1])));
        assert_eq!(value(r#"{"bytesValue":"AQ=="}"#), Some(Any::BytesValue(vec![1])));
    }

    #[test]
    fn an_error_names_the_field_and_never_its_content() {
        let (path, what, line) = error(
            "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{},\n{\"traceId\":\"not hex\"}]}]}]}",
        );
        assert_eq!(path, "request.resourceSpans[0].scopeSpans[0].spans[1].traceId");
        assert_eq!(what, "found a text of 7 bytes, expected hexadecimal text");
        assert_eq!(line, 2);
        let (path, what, _) = error(r#"{"resourceSpans":[{"resource":5}]}"#);
        assert_eq!(path, "request.resourceSpans[0].resource");
        assert!(what.contains("expected an object"), "{what}");
        assert!(error(r#"{"resourceSpans":7}"#).1.contains("expected an array"));
        assert!(error(r#"{"resourceSpans":[]} x"#).1.contains("trailing"));
        assert!(error(r#"{"resourceSpans":["#).1.contains("EOF"));
        assert!(error("[]").1.contains("expected an object"));
    }
}
