//! OTLP/JSON to protobuf, so that everything behind the door reads one format. Takes the JSON
//! body, gives the bytes of the same request; it streams, guided by the table of fields, and
//! builds no tree. Source: OTLP specification, “JSON Protobuf Encoding”: ids in hexadecimal,
//! enumerations as numbers, 64-bit integers as text or number, unknown names ignored.
//!
//! Why not the serde code of `opentelemetry-proto`: with serde_json's `arbitrary_precision`,
//! which exact money needs, it refuses every integer written as a number, and it refuses unknown names
//! inside values. It is the oracle of the tests where it can read.

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
