//! After a restart: brings into the tables what the log has and they have not. Each table knows
//! by its `txn` how far it came; a crash between two tables' commits leaves them apart, so the
//! frames are committed in parts that end where one of them stands, and a table that has a part
//! already lets it pass (I-2).

use std::sync::Arc;

use spanledger_schemas::ids::LogSeq;
use spanledger_schemas::{Table, tables};
use spanledger_store::{Store, StoreError};

use super::commit::{Committer, Patience, app};
use crate::collector::CollectorError;
use crate::frame::Frame;
use crate::limits;
use crate::wal::{Replay, Wal, WalError};

/// The tables that frames become rows of.
static TABLES: [&Table; 4] = [
    &tables::spans::TABLE,
    &tables::contents::TABLE,
    &tables::metric_points::TABLE,
    &tables::log_records::TABLE,
];

/// Where each table stands, ascending.
pub(crate) async fn positions(store: &Store) -> Result<Vec<LogSeq>, StoreError> {
    let mut positions = Vec::new();
    for table in TABLES {
        let version = store.txn_version(table, &app(table)).await?;
        positions.extend(version.and_then(|version| u64::try_from(version).ok()).map(LogSeq));
    }
    positions.sort_unstable();
    Ok(positions)
}

/// Commits what the tables lack; returns how many requests were read back. `told` is how far the
/// log was told that they had come.
pub(crate) async fn replay(
    committer: &Committer,
    log: &Arc<Wal>,
    positions: &[LogSeq],
    told: LogSeq,
) -> Result<u64, CollectorError> {
    let newest = positions.last().copied().unwrap_or_default();
    // Some table has a row of the last flush the log was told of; if none has, these are other
    // tables than the log's, and all of it is new to them.
    let after = if newest >= told { told } else { LogSeq(0) };
    let edges: Arc<[LogSeq]> = positions.iter().copied().filter(|edge| *edge > after).collect();
    let mut part = Part { replay: log.replay(after), next: None };
    let mut read = 0;
    loop {
        let edges = edges.clone();
        let (frames, rest) = tokio::task::spawn_blocking(move || {
            let frames = part.take(&edges);
            (frames, part)
        })
        .await
        .map_err(|error| CollectorError::Task(error.to_string()))?;
        let frames = frames?;
        if frames.is_empty() {
            return Ok(read);
        }
        read += frames.len() as u64;
        committer.commit(frames, Patience::None).await?;
        part = rest;
    }
}

/// The frames that are still to be read.
struct Part {
    replay: Replay,
    next: Option<Frame>,
}

impl Part {
    /// The next frames: as many as one flush takes, none beyond the next edge.
    fn take(&mut self, edges: &[LogSeq]) -> Result<Vec<Frame>, WalError> {
        let mut frames: Vec<Frame> = Vec::new();
        let mut bytes = 0;
        loop {
            let frame = match self.next.take() {
                Some(frame) => frame,
                None => match self.replay.next().transpose()? {
                    Some(frame) => frame,
                    None => return Ok(frames),
                },
            };
            let crosses = frames.last().is_some_and(|last| {
                edges.iter().any(|edge| last.seq <= *edge && frame.seq > *edge)
            });
            if crosses || bytes >= limits::FLUSH_BYTES_MAX {
                self.next = Some(frame);
                return Ok(frames);
            }
            bytes += frame.body.len() as u64;
            frames.push(frame);
        }
    }
}
