//! Settings of the way out, as values: the command line reads them, this room only takes them.
//! The bounds that a user may want to move; those that follow from the code are in `limits`.

use std::path::PathBuf;
use std::time::Duration;

pub use crate::serve::pg::PgTls;

/// What the way out may use and how it treats its clients.
#[derive(Debug, Clone)]
pub struct QuerySettings {
    /// Longest a query may run, from its arrival to its last row. Clients may ask for less.
    pub deadline: Duration,
    /// Queries that run at the same time; further ones wait a little, then are told to come back.
    pub concurrent_max: usize,
    /// Threads that compute queries, apart from those that serve sockets. 0: twice as many as cores.
    pub threads: usize,
    /// Parts a query is split into. 0: as many as cores, and not more than threads.
    pub partitions: usize,
    /// Memory of all running queries together, in bytes; what does not fit is spilled to disk.
    pub memory_max: u64,
    /// Disk for spilled rows, in bytes; a query that needs more fails.
    pub spill_max: u64,
    /// Folder for spilled rows; what killed processes left there is removed at the start. The system's
    /// temporary folder when unset, where nobody does that.
    pub spill_dir: Option<PathBuf>,
    /// Rows one answer may have.
    pub rows_max: u64,
    /// Bytes one answer may have, as Arrow holds it in memory.
    pub result_bytes_max: u64,
    /// Whose rows a client without a credential of its own sees (I-10).
    pub tenant: String,
    /// The PostgreSQL wire.
    pub pg: PgSettings,
}

/// The PostgreSQL wire.
#[derive(Debug, Clone)]
pub struct PgSettings {
    /// Connections at the same time; further ones are refused with SQLSTATE 53300.
    pub connections_max: usize,
    /// Who may connect, by SCRAM-SHA-256. Unset: everyone on this machine.
    pub login: Option<PgLogin>,
    /// What encrypts connections; then those from other machines must be. Unset: none is.
    pub tls: Option<PgTls>,
}

/// A user of the PostgreSQL wire.
#[derive(Clone)]
pub struct PgLogin {
    /// Name.
    pub user: String,
    /// Password in clear.
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
            memory_max: 1 << 30,
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
        Self { connections_max: 100, login: None, tls: None }
    }
}

impl QuerySettings {
    /// Threads that compute queries.
    pub(crate) fn threads(&self) -> usize {
        // A query that computes for seconds without a pause, such as a join of everything with
        // everything, holds as many as it has parts: the others are for the others.
        if self.threads > 0 { self.threads } else { 2 * cores() }
    }

    /// Parts a query is split into.
    pub(crate) fn partitions(&self) -> usize {
        if self.partitions > 0 { self.partitions } else { self.threads().min(cores()) }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
