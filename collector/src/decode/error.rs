//! A malformed request, named so that its sender can mend it: what, at which byte or line, in
//! which field. Takes a fault of the walk with the body it was found in; only then is the path
//! worked out, by going down the table of fields once more.

use std::collections::BTreeMap;

use super::fields::{self, Kind};
use super::wire::{Fault, Fields, Wire};
use crate::frame::Signal;

/// A request that cannot be read. OTLP/HTTP answers 400, gRPC `INVALID_ARGUMENT`: not to be
/// retried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The body is not the protobuf message of its signal.
    #[error("OTLP {signal} request of {length} bytes: at byte {offset}, in `{path}`: {what}")]
    Protobuf {
        /// `traces`, `metrics` or `logs`.
        signal: &'static str,
        /// Bytes of the body.
        length: usize,
        /// Offset of the field that could not be read.
        offset: usize,
        /// The way to it, in OTLP/JSON's names, with positions: `resourceSpans[0].scopeSpans[1]`.
        path: String,
        /// What was found and expected.
        what: String,
    },
    /// The body is not the OTLP/JSON of its signal.
    #[error("OTLP/JSON {signal} request: at line {line}, column {column}, in `{path}`: {what}")]
    Json {
        /// `traces`, `metrics` or `logs`.
        signal: &'static str,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The way to the field.
        path: String,
        /// What was found and expected.
        what: String,
    },
}

/// The word for a signal in messages.
pub(crate) fn word(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "traces",
        Signal::Metrics => "metrics",
        Signal::Logs => "logs",
    }
}

impl DecodeError {
    /// The error for a fault found while walking `body`.
    #[cold]
    pub(crate) fn protobuf(signal: Signal, body: &[u8], fault: Fault) -> Self {
        Self::Protobuf {
            signal: word(signal),
            length: body.len(),
            offset: fault.address.saturating_sub(body.as_ptr().addr()).min(body.len()),
            path: path_to(signal, body, fault.address),
            what: fault.what.text(),
        }
    }

    /// The same, with where the body belongs: Codex 0.80 sends its spans to the address of its
    /// logs.
    #[cold]
    pub(super) fn at_the_wrong_door(mut self, reads_as: Option<Signal>) -> Self {
        if let (Self::Protobuf { what, .. }, Some(other)) = (&mut self, reads_as) {
            let other = word(other);
            what.push_str(&format!("; it reads as {other}, send it to /v1/{other}"));
        }
        self
    }
}

/// The way from the request to the field at `address`.
fn path_to(signal: Signal, body: &[u8], address: usize) -> String {
    let mut path = String::from("request");
    let mut message = Some(fields::request(signal));
    let mut bytes = body;
    loop {
        let mut seen: BTreeMap<u32, usize> = BTreeMap::new();
        let mut inside = None;
        let mut list = Fields::of(bytes);
        // A field that cannot be read ends the level: the fault is there.
        while let Ok(Some(field)) = list.next() {
            let position = seen.entry(field.number).or_default();
            let here = field.address() == address;
            let within = match field.wire {
                Wire::Bytes(b) if b.as_ptr_range().start.addr() <= address => {
                    (address < b.as_ptr_range().end.addr()).then_some(b)
                }
                _ => None,
            };
            if here || within.is_some() {
                let known = message.and_then(|m| m.by_number(field.number));
                path.push('.');
                match known {
                    Some(f) if f.repeated => path.push_str(&format!("{}[{position}]", f.json)),
                    Some(f) => path.push_str(f.json),
                    None => path.push_str(&format!("field {}", field.number)),
                }
                inside = within.map(|b| (b, known));
                break;
            }
            *position += 1;
        }
        match inside {
            Some((inner, Some(known))) => {
                bytes = inner;
                message = match known.kind {
                    Kind::Message(m) => Some(m),
                    _ => return path,
                };
            }
            _ => return path,
        }
    }
}
