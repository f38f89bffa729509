//! Settings of the way out, as values: the command line reads them, this room only takes them.
//! The bounds that a user may want to move; those that follow from the code are in `limits`.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the way out may use and how it treats its clients.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuerySettings {
    /// Longest a query may run, from its arrival to its last row. Clients may ask for less.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub deadline: Duration,
    /// Queries that run at the same time; further ones wait a little, then are told to come back.
    pub concurrent_max: usize,
    /// Threads that compute queries, apart from those that serve sockets. 0: as many as cores.
    pub threads: usize,
    /// Parts a query is split into. 0: as many as threads.
    pub partitions: usize,
    /// Memory of all running queries together, in bytes; what does not fit is spilled to disk.
    #[serde(with = "size")]
    pub memory_max: u64,
    /// Disk for spilled rows, in bytes; a query that needs more fails.
    #[serde(with = "size")]
    pub spill_max: u64,
    /// Folder for spilled rows; the system's temporary folder when unset.
    pub spill_dir: Option<PathBuf>,
    /// Rows one answer may have.
    pub rows_max: u64,
    /// Bytes one answer may have, as Arrow holds it in memory.
    #[serde(with = "size")]
    pub result_bytes_max: u64,
    /// Whose rows a client without a credential of its own sees (I-10).
    pub tenant: String,
    /// The PostgreSQL wire.
    pub pg: PgSettings,
}

/// The PostgreSQL wire.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PgSettings {
    /// Connections at the same time; further ones are refused with SQLSTATE 53300.
    pub connections_max: usize,
    /// Who may connect, by SCRAM-SHA-256. Unset: everyone who reaches the address.
    pub login: Option<PgLogin>,
}

/// A user of the PostgreSQL wire.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PgLogin {
    /// Name.
    pub user: String,
    /// Password in clear; written out as `***`.
    #[serde(serialize_with = "hidden")]
    pub password: String,
}

impl std::fmt::Debug for PgLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PgLogin").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Default for QuerySettings {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(60),
            concurrent_max: 16,
            threads: 0,
            partitions: 0,
            memory_max: 512 << 20,
            spill_max: 4 << 30,
            spill_dir: None,
            rows_max: 1_000_000,
            result_bytes_max: 256 << 20,
            tenant: "default".to_owned(),
            pg: PgSettings::default(),
        }
    }
}

impl Default for PgSettings {
    fn default() -> Self {
        Self { connections_max: 100, login: None }
    }
}

impl QuerySettings {
    /// Threads that compute queries.
    pub(crate) fn threads(&self) -> usize {
        if self.threads > 0 { self.threads } else { cores() }
    }

    /// Parts a query is split into.
    pub(crate) fn partitions(&self) -> usize {
        if self.partitions > 0 { self.partitions } else { self.threads() }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn hidden<S: serde::Serializer>(_: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("***")
}

/// Sizes as people write them: `128MiB`, `4GiB`, or a plain number of bytes.
mod size {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    const UNITS: [(&str, u64); 4] =
        [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

    pub(super) fn serialize<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        let whole = UNITS.iter().find(|(_, unit)| *bytes > 0 && bytes.is_multiple_of(*unit));
        let (name, unit) = whole.unwrap_or(&("B", 1));
        serializer.collect_str(&format_args!("{}{name}", bytes / unit))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Bytes(u64),
            Text(String),
        }
        match Raw::deserialize(deserializer)? {
            Raw::Bytes(bytes) => Ok(bytes),
            Raw::Text(text) => parse(&text).ok_or_else(|| {
                D::Error::custom(format!("size `{text}`: expected one such as `128MiB` or `4GiB`"))
            }),
        }
    }

    fn parse(text: &str) -> Option<u64> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let name = &text[digits.len()..];
        let unit = UNITS.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, u)| *u);
        digits.trim().parse::<u64>().ok()?.checked_mul(unit?)
    }

    #[cfg(test)]
    mod tests {
        use super::parse;

        #[test]
        fn sizes_are_binary_and_need_a_unit() {
            assert_eq!(parse("128MiB"), Some(134_217_728));
            assert_eq!(parse("4 GiB"), Some(4_294_967_296));
            assert_eq!(parse("12"), None);
            assert_eq!(parse("MiB"), None);
            assert_eq!(parse("99999999999999GiB"), None);
        }
    }
}
