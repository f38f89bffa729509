//! Identifiers as newtypes. At every door and in every table they are lower-case hex text.

use std::fmt;

use xxhash_rust::xxh3::xxh3_128;

/// A trace id: 16 bytes, not all zero (OTLP `Span.trace_id`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(pub [u8; 16]);

/// A span id: 8 bytes, not all zero (OTLP `Span.span_id`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(pub [u8; 8]);

/// Position of a request in a collector's log; grows by one per logged request, never reused.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct LogSeq(pub u64);

/// Why bytes are not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The field has another length than the specification gives.
    #[error("{what} has {found} bytes, expected {expected}")]
    Length {
        /// `trace_id` or `span_id`.
        what: &'static str,
        /// Bytes required.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// All bytes are zero, which OTLP defines as invalid.
    #[error("{what} is all zero")]
    Zero {
        /// `trace_id` or `span_id`.
        what: &'static str,
    },
    /// The text is not hexadecimal.
    #[error("{what} `{found}` is not {expected} hexadecimal digits")]
    NotHex {
        /// `trace_id` or `span_id`.
        what: &'static str,
        /// Digits required.
        expected: usize,
        /// The text.
        found: String,
    },
}

macro_rules! id {
    ($type:ident, $len:literal, $what:literal) => {
        impl $type {
            /// The id from the bytes of the wire.
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, IdError> {
                let id: [u8; $len] = bytes.try_into().map_err(|_| IdError::Length {
                    what: $what,
                    expected: $len,
                    found: bytes.len(),
                })?;
                if id == [0; $len] {
                    return Err(IdError::Zero { what: $what });
                }
                Ok(Self(id))
            }

            /// The id from hexadecimal text of either case.
            pub fn from_hex(text: &str) -> Result<Self, IdError> {
                let bad =
                    || IdError::NotHex { what: $what, expected: $len * 2, found: text.to_owned() };
                if text.len() != $len * 2 {
                    return Err(bad());
                }
                let mut id = [0u8; $len];
                for (byte, pair) in id.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
                    let digit = |c: u8| (c as char).to_digit(16).map(|d| d as u8);
                    match (digit(pair[0]), digit(pair[1])) {
                        (Some(high), Some(low)) => *byte = high << 4 | low,
                        _ => return Err(bad()),
                    }
                }
                Self::from_bytes(&id)
            }

            /// Lower-case hex, as ASCII bytes, without allocating.
            pub fn hex(&self) -> [u8; $len * 2] {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let mut out = [0u8; $len * 2];
                for (pair, byte) in out.chunks_exact_mut(2).zip(self.0) {
                    pair[0] = DIGITS[usize::from(byte >> 4)];
                    pair[1] = DIGITS[usize::from(byte & 15)];
                }
                out
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($type))
            }
        }
    };
}

id!(TraceId, 16, "trace_id");

impl TraceId {
    /// The trace of a session's log records that were written in none: made from the session's
    /// name, so that `calls` and `contents` put them into the same one.
    pub fn of_session(session: &str) -> TraceId {
        TraceId(xxh3_128(session.as_bytes()).to_be_bytes())
    }
}

id!(SpanId, 8, "span_id");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips_in_lower_case() {
        let id = TraceId::from_hex("5B8EFFF798038103D269B633813FC60C").unwrap();
        assert_eq!(id.to_string(), "5b8efff798038103d269b633813fc60c");
        assert_eq!(&id.hex()[..], b"5b8efff798038103d269b633813fc60c");
    }

    #[test]
    fn zero_short_and_foreign_ids_are_refused() {
        assert_eq!(SpanId::from_bytes(&[0; 8]), Err(IdError::Zero { what: "span_id" }));
        assert_eq!(
            SpanId::from_bytes(&[1; 7]),
            Err(IdError::Length { what: "span_id", expected: 8, found: 7 })
        );
        assert!(SpanId::from_hex("eee19b7ec3c1b17g").is_err());
    }
}
