//! Settle: the spans of quiet traces become rows of table `calls`, each call once, with its owner
//! and its list cost. In path order: `chunk` reads what decides of new spans (`view`, `facts`), and
//! of log records (`record_rows`), `open` holds traces until they are quiet, `links` knows which
//! may tell of the same calls, `together` brings those together. `trace` decides what is a call,
//! by `tree`, `twins`, `across`, `ends`, `records` and `sums`, with a `verdict` on the rest. `gather`
//! fetches the columns of calls, `calls` and `verdicts` make the rows, `decided` compares them, by
//! their `content`, with what is written. `job` has the order of things, `reading` what comes in,
//! `writing` what goes out; `tables` reads what is not in memory.
//!
//! ## Counted once, also across a crash (I-2)
//! Rows of `calls` are a function of a trace's spans, and a trace's rows are replaced as a whole:
//! what is written already is recognised by key and content and not written again. So settling a
//! trace twice is settling it once, and the restart rule needs to be safe only in one direction:
//!
//! Each commit to `calls` carries a Delta `txn` of application [`TXN_APP`] whose version is
//! `milliseconds << 20 | n`: the instant before which every received span is settled, and a
//! counter that makes versions grow while that instant stands still. At a start, spans received
//! since that instant (less [`limits::RESTART_OVERLAP`](crate::limits::RESTART_OVERLAP)) are read
//! again, whatever was settled of them meanwhile; then files are followed as they are committed.
//! A crash before a commit loses nothing, because the instant had not moved; a crash after it
//! repeats work that changes nothing. The instant is the `settled_until` that any reader of the
//! table can show beside an answer ([`settled_until`]).
//!
//! It holds as long as one settler writes to a store; a second one is noticed at its first commit.

mod view;

mod facts;

mod chunk;

mod record_rows;

mod recent;

mod links;

mod open;

mod together;

mod tree;

mod twins;

mod trace;

mod across;

mod ends;

mod records;

mod sums;

mod verdict;

mod gather;

mod calls;

mod verdicts;

mod content;

mod decided;

mod job;

mod reading;

mod writing;

mod tables;

#[cfg(test)]
mod trace_tests;

#[cfg(test)]
mod tests;

pub use job::{Clock, Round, Settler};
pub use tables::settled_until;

/// Maps and sets of settle: keyed at random like the standard library's, by a hash that costs a
/// fraction on ids.
type HashMap<K, V> = std::collections::HashMap<K, V, ahash::RandomState>;
type HashSet<K> = std::collections::HashSet<K, ahash::RandomState>;

/// Application id of settle in the log of table `calls`.
pub const TXN_APP: &str = "ledger/settle";

/// Settings of the settle job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettleSettings {
    /// How long a trace must be quiet before its calls are settled.
    pub quiet: std::time::Duration,
    /// How often the job looks for new spans.
    pub every: std::time::Duration,
    /// Memory for open and lately settled traces, in bytes.
    pub open_bytes_max: usize,
}

impl Default for SettleSettings {
    fn default() -> Self {
        SettleSettings {
            quiet: std::time::Duration::from_secs(15),
            every: std::time::Duration::from_secs(1),
            open_bytes_max: crate::limits::OPEN_BYTES_MAX,
        }
    }
}

/// How far settle has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettleStatus {
    /// Every span received before this instant is settled, as far as collectors have committed
    /// it; `None` before the first span.
    pub settled_until: Option<jiff::Timestamp>,
    /// Traces that wait to be quiet.
    pub open_traces: usize,
    /// Memory they, and lately settled ones, take.
    pub open_bytes: usize,
    /// Version of table `spans` that was read to its end; `None` before the first round.
    pub spans_version: Option<i64>,
    /// Why the last round failed; `None` when it did not.
    pub last_error: Option<String>,
}

/// The states a settled call can be in; `reconciled` and `closed` come later in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallState {
    /// Settled early, for want of memory; to be settled again when its trace is quiet.
    Provisional,
    /// Settled with all spans that were there when its trace was quiet.
    Settled,
}

impl CallState {
    fn word(self) -> &'static str {
        match self {
            CallState::Provisional => "provisional",
            CallState::Settled => "settled",
        }
    }
}

/// Why settle could not go on. Nothing is lost: the next round starts from the last commit.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The store refuses.
    #[error("settle: {0}")]
    Store(#[from] spanledger_store::StoreError),
    /// Reading spans or calls failed.
    #[error("settle, reading tables: {0}")]
    Read(#[from] datafusion::error::DataFusionError),
    /// A column is not what its table says, or prices cannot be read.
    #[error("settle: {0}")]
    Prices(#[from] crate::prices::PriceError),
    /// Arrow refuses the columns.
    #[error("settle, columns: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// Another settler writes to the same store.
    #[error(
        "settle: table `calls` records version {found} of `{TXN_APP}`, expected {expected}: \
         another settler writes to this store; run only one"
    )]
    NotAlone {
        /// What we committed.
        expected: i64,
        /// What the table says.
        found: i64,
    },
    /// A rule of our own is broken.
    #[error("settle, a bug: {0}")]
    Invariant(&'static str),
}
