//! Sizes and durations as people write them in settings: `128MiB`, `5s`. Takes and gives text;
//! use as `#[serde(with = "human::size")]` and `#[serde(with = "human::duration")]`.

use std::time::Duration;

/// Units of a size, longest spelling first.
const UNITS: [(&str, u64); 8] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

/// Bytes of a text such as `64MiB`, `500 MB` or `1024`.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let bad = || {
        format!("size `{text}`: expected a whole number with KiB, MiB, GiB, TiB, kB, MB, GB or B")
    };
    let text_trimmed = text.trim();
    let split = text_trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(text_trimmed.len());
    let (number, unit) = text_trimmed.split_at(split);
    let number: u64 = number.parse().map_err(|_| bad())?;
    let unit = unit.trim();
    let factor = if unit.is_empty() {
        1
    } else {
        UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor).ok_or_else(bad)?
    };
    number.checked_mul(factor).ok_or_else(bad)
}

/// The size in its largest whole binary unit.
pub fn format_size(bytes: u64) -> String {
    let fits = |(_, factor): &&(&str, u64)| bytes != 0 && bytes.is_multiple_of(*factor);
    match UNITS[..4].iter().rev().find(fits) {
        Some((name, factor)) => format!("{}{name}", bytes / factor),
        None => format!("{bytes}B"),
    }
}

/// The duration of a text such as `5s`, `250ms` or `1h 30m`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|e| format!("duration `{text}`: {e}; expected a number with ms, s, m, h or d"))
}

/// Sizes in settings.
pub mod size {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u64),
        Text(String),
    }

    /// Writes the size as text.
    pub fn serialize<S: Serializer>(bytes: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::format_size(*bytes))
    }

    /// Reads a size from text or from a number of bytes.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        match Written::deserialize(from)? {
            Written::Number(bytes) => Ok(bytes),
            Written::Text(text) => super::parse_size(&text).map_err(D::Error::custom),
        }
    }
}

/// Durations in settings.
pub mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    /// Writes the duration as text.
    pub fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&humantime::format_duration(*duration))
    }

    /// Reads a duration from text.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        super::parse_duration(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_in_their_units() {
        for (text, bytes) in
            [("64MiB", 67_108_864), ("500 MB", 500_000_000), ("1024", 1024), ("0", 0), ("7B", 7)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
            assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        }
        assert_eq!(format_size(67_108_864), "64MiB");
        for text in ["", "MiB", "1.5GiB", "12 parsecs", "99999999999TiB", "-1"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
