//! Attributes and their values as borrowed views: takes the bytes of a `KeyValue` or `AnyValue`,
//! gives the key and the value, and writes a value as text or JSON. Reading checks a value to its
//! end, so that writing it later cannot fail. It owns no memory and knows no meaning.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::limits::{TOO_DEEP, VALUE_DEPTH_MAX};
use super::wire::{Fault, Fields};

/// One attribute.
#[derive(Debug, Clone, Copy)]
pub struct Attribute<'a> {
    /// Its key.
    pub key: &'a str,
    /// Its value.
    pub value: Value<'a>,
}

/// An OTLP `AnyValue`. Arrays and maps are kept as the bytes of their messages.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// No value was set.
    Empty,
    /// Text.
    Text(&'a str),
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// The message `ArrayValue`.
    Array(Nested<'a>),
    /// The message `KeyValueList`.
    Map(Nested<'a>),
}

/// The checked bytes of an array or a map, with the level they lie on.
#[derive(Debug, Clone, Copy)]
pub struct Nested<'a> {
    bytes: &'a [u8],
    depth: usize,
}

impl<'a> Attribute<'a> {
    /// Reads a `KeyValue`.
    #[inline]
    pub fn read(message: &'a [u8]) -> Result<Self, Fault> {
        Self::read_at(message, 0)
    }

    #[inline]
    fn read_at(message: &'a [u8], depth: usize) -> Result<Self, Fault> {
        let mut attribute = Self { key: "", value: Value::Empty };
        let mut fields = Fields::of(message);
        while let Some(field) = fields.next()? {
            match field.number {
                1 => attribute.key = field.text()?,
                2 => attribute.value = Value::read_at(field.bytes()?, depth)?,
                _ => {}
            }
        }
        Ok(attribute)
    }
}

impl<'a> Value<'a> {
    /// Reads an `AnyValue`.
    pub fn read(message: &'a [u8]) -> Result<Self, Fault> {
        Self::read_at(message, 0)
    }

    #[inline]
    fn read_at(message: &'a [u8], depth: usize) -> Result<Self, Fault> {
        let mut value = Value::Empty;
        let mut fields = Fields::of(message);
        while let Some(field) = fields.next()? {
            value = match field.number {
                1 => Value::Text(field.text()?),
                2 => Value::Bool(field.varint()? != 0),
                3 => Value::Int(field.varint()? as i64),
                4 => Value::Double(field.double()?),
                5 => Value::Array(Nested::array(field.bytes()?, depth + 1)?),
                6 => Value::Map(Nested::map(field.bytes()?, depth + 1)?),
                7 => Value::Bytes(field.bytes()?),
                // 8 points into a string table that only profiles have.
                _ => continue,
            };
        }
        Ok(value)
    }

    /// The value as the text of a map entry: text as it is, numbers and truth values in JSON's
    /// spelling, bytes in base64, arrays and maps as JSON; none for an empty value.
    pub fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Value::Empty => None,
            Value::Text(text) => Some(Cow::Borrowed(text)),
            Value::Bool(true) => Some(Cow::Borrowed("true")),
            Value::Bool(false) => Some(Cow::Borrowed("false")),
            other => {
                let mut out = String::new();
                other.write_text(&mut out);
                Some(Cow::Owned(out))
            }
        }
    }

    /// Appends what [`Value::text`] returns, nothing for an empty value.
    pub fn write_text(self, out: &mut String) {
        match self {
            Value::Empty => {}
            Value::Text(text) => out.push_str(text),
            Value::Bytes(bytes) => BASE64.encode_string(bytes, out),
            Value::Double(number) if !number.is_finite() => out.push_str(non_finite(number)),
            other => other.write_json(out),
        }
    }

    /// Appends the value as JSON. Numbers that JSON lacks are texts, as in protobuf's JSON mapping.
    pub fn write_json(self, out: &mut String) {
        match self {
            Value::Empty => out.push_str("null"),
            Value::Text(text) => write_json_text(text, out),
            Value::Bool(truth) => out.push_str(if truth { "true" } else { "false" }),
            Value::Int(number) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "{number}");
            }
            Value::Double(number) => write_json_double(number, out),
            Value::Bytes(bytes) => {
                out.push('"');
                BASE64.encode_string(bytes, out);
                out.push('"');
            }
            Value::Array(array) => array.write_array(out),
            Value::Map(map) => map.write_map(out),
        }
    }

    /// The first text of an array, or a text itself.
    pub fn first_text(self) -> Option<&'a str> {
        match self {
            Value::Text(text) => Some(text),
            Value::Array(array) => {
                match Value::read_at(array.messages().next()?, array.depth).ok()? {
                    Value::Text(text) => Some(text),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Bytes of the value itself, without the wire's overhead: what a length of content means.
    pub fn len(self) -> usize {
        match self {
            Value::Empty => 0,
            Value::Text(text) => text.len(),
            Value::Bool(_) => 1,
            Value::Int(_) | Value::Double(_) => 8,
            Value::Bytes(bytes) => bytes.len(),
            Value::Array(nested) | Value::Map(nested) => nested.bytes.len(),
        }
    }

    /// Whether nothing was set.
    pub fn is_empty(self) -> bool {
        matches!(self, Value::Empty)
    }
}

impl<'a> Nested<'a> {
    fn array(bytes: &'a [u8], depth: usize) -> Result<Self, Fault> {
        if depth <= VALUE_DEPTH_MAX {
            let mut fields = Fields::of(bytes);
            while let Some(field) = fields.next()? {
                if field.number == 1 {
                    Value::read_at(field.bytes()?, depth)?;
                }
            }
        }
        Ok(Self { bytes, depth })
    }

    fn map(bytes: &'a [u8], depth: usize) -> Result<Self, Fault> {
        if depth <= VALUE_DEPTH_MAX {
            let mut fields = Fields::of(bytes);
            while let Some(field) = fields.next()? {
                if field.number == 1 {
                    Attribute::read_at(field.bytes()?, depth)?;
                }
            }
        }
        Ok(Self { bytes, depth })
    }

    /// The entries of a map, in order.
    pub fn entries(self) -> impl Iterator<Item = Attribute<'a>> {
        self.messages().filter_map(move |m| Attribute::read_at(m, self.depth).ok())
    }

    /// The messages in field 1. They were read once by `array` or `map`: no fault can be left,
    /// and a level too deep has none.
    fn messages(self) -> impl Iterator<Item = &'a [u8]> {
        let mut fields = Fields::of(if self.too_deep() { &[] } else { self.bytes });
        std::iter::from_fn(move || fields.next().ok().flatten())
            .filter(|field| field.number == 1)
            .filter_map(|field| field.bytes().ok())
    }

    fn too_deep(self) -> bool {
        self.depth > VALUE_DEPTH_MAX
    }

    fn write_array(self, out: &mut String) {
        if self.too_deep() {
            return write_json_text(TOO_DEEP, out);
        }
        out.push('[');
        for (i, message) in self.messages().enumerate() {
            if i > 0 {
                out.push(',');
            }
            if let Ok(value) = Value::read_at(message, self.depth) {
                value.write_json(out);
            }
        }
        out.push(']');
    }

    fn write_map(self, out: &mut String) {
        if self.too_deep() {
            return write_json_text(TOO_DEEP, out);
        }
        write_json_map(self.entries(), out);
    }
}

/// Appends attributes as a JSON object, in their order.
pub fn write_json_map<'a>(entries: impl Iterator<Item = Attribute<'a>>, out: &mut String) {
    out.push('{');
    for (i, entry) in entries.enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_json_text(entry.key, out);
        out.push(':');
        entry.value.write_json(out);
    }
    out.push('}');
}

/// Appends a JSON string (RFC 8259, section 7: only quote, backslash and control characters are
/// escaped).
pub fn write_json_text(text: &str, out: &mut String) {
    out.push('"');
    let mut start = 0;
    for (i, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[start..i]);
        start = i + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            control => {
                let _ = write!(out, "\\u{control:04x}");
            }
        }
    }
    out.push_str(&text[start..]);
    out.push('"');
}

/// Appends a double as JSON: the shortest digits that read back to the same number, with an
/// exponent where that is shorter.
pub fn write_json_double(number: f64, out: &mut String) {
    if number.is_finite() {
        out.push_str(zmij::Buffer::new().format_finite(number));
    } else {
        out.push('"');
        out.push_str(non_finite(number));
        out.push('"');
    }
}

fn non_finite(number: f64) -> &'static str {
    match (number.is_nan(), number > 0.0) {
        (true, _) => "NaN",
        (_, true) => "Infinity",
        _ => "-Infinity",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_read_back_to_the_same_bits() {
        for number in [0.0, -0.0, 0.1, 1.0, 1e-5, 1e16, 1.7976931348623157e308, 5e-324, -2.5e-10] {
            let mut json = String::new();
            write_json_double(number, &mut json);
            let read: f64 = serde_json::from_str(&json).unwrap();
            assert_eq!(read.to_bits(), f64::to_bits(number), "{json}");
        }
        let mut json = String::new();
        write_json_double(f64::NEG_INFINITY, &mut json);
        assert_eq!(json, "\"-Infinity\"");
    }

    #[test]
    fn any_text_reads_back_as_json() {
        let all: String =
            (0..0x300).filter_map(char::from_u32).chain("🦀\u{2028}".chars()).collect();
        let mut json = String::new();
        write_json_text(&all, &mut json);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), all);
    }
}
