//! Why a request is not taken: one variant per outcome that a client treats differently.
//! How each looks on the wire is `receive::reply`'s to say.

use std::time::Duration;

use crate::decode::DecodeError;
use crate::limits;
use crate::wal::AppendError;

/// Why a request is not taken. Nothing of it is stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It cannot be read; sending it again will not help.
    #[error("{0}")]
    Malformed(String),
    /// It passes the message limit; sending it again will not help.
    #[error(
        "the request is larger than {bytes_max} bytes after decompression; send smaller batches"
    )]
    TooLarge {
        /// The limit.
        bytes_max: u64,
    },
    /// Its content type or its compression is not one of those taken.
    #[error("{what} `{found}` is not taken, expected {expected}")]
    Unsupported {
        /// Which header.
        what: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// No credential, or an unknown one.
    #[error("the request carries no known credential; expected `authorization: Bearer TOKEN`")]
    Unauthenticated,
    /// The body came too slowly.
    #[error("no byte of the body came for {} seconds", limits::BODY_PAUSE_MAX.as_secs())]
    Slow,
    /// Memory or queue is full: later it will be taken.
    #[error("{0}; send again later")]
    Busy(String),
    /// The log or the tables cannot be written: later it will be taken.
    #[error("{0}; send again later")]
    Unavailable(String),
}

impl Refusal {
    /// How long a client should wait before it sends again; none when it should not.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Refusal::Busy(_) => Some(limits::RETRY_BUSY),
            Refusal::Unavailable(_) | Refusal::Slow => Some(limits::RETRY_UNAVAILABLE),
            _ => None,
        }
    }

    /// The reason as a label of metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Refusal::Malformed(_) => "malformed",
            Refusal::TooLarge { .. } => "too-large",
            Refusal::Unsupported { .. } => "unsupported",
            Refusal::Unauthenticated => "unauthenticated",
            Refusal::Slow => "slow",
            Refusal::Busy(_) => "busy",
            Refusal::Unavailable(_) => "unavailable",
        }
    }
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        Refusal::Malformed(error.to_string())
    }
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Full { .. } | AppendError::Busy => Refusal::Busy(error.to_string()),
            AppendError::Broken(_) | AppendError::Closed => Refusal::Unavailable(error.to_string()),
        }
    }
}
