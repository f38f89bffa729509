//! Checkpoints: when they are due, writing them through delta-rs, and which is the newest. Takes
//! a version, gives a file that lets readers skip the entries before it.

use std::path::Path;
use std::sync::Arc;

use deltalake::checkpoints::create_checkpoint;
use deltalake::logstore::LogStoreRef;
use serde::Deserialize;
use spanledger_schemas::Table;

use super::TableLog;
use crate::{StoreError, fault, limits, paths};

#[derive(Deserialize)]
struct Hint {
    version: i64,
}

/// Version of the newest checkpoint, from its pointer. A pointer that is missing or cannot be
/// read counts as none: it is a hint, the log is complete without it.
pub(crate) fn newest(table_dir: &Path) -> Option<i64> {
    let text = std::fs::read(paths::last_checkpoint(table_dir)).ok()?;
    serde_json::from_slice::<Hint>(&text).ok().map(|hint| hint.version)
}

impl TableLog {
    /// Starts a checkpoint of a version unless one is being written. The commit does not wait
    /// for it: it is a shortcut for readers, not part of what is durable.
    pub(super) fn checkpoint_in_background(&self, version: i64) {
        let Ok(turn) = Arc::clone(&self.checkpointing).try_lock_owned() else { return };
        let (table, store) = (self.table, self.store.clone());
        tokio::spawn(async move {
            if let Err(error) = Box::pin(write(table, &store, version)).await {
                tracing::warn!(table = table.name, version, %error, "checkpoint failed");
            }
            drop(turn);
        });
    }

    /// Writes a checkpoint if one is due and waits for it.
    pub(crate) async fn checkpoint_if_due(&self) -> Result<(), StoreError> {
        let _turn = self.checkpointing.lock().await;
        let version = self.view().await?.version;
        let behind = version - newest(&self.dir).unwrap_or(0);
        if behind < limits::CHECKPOINT_INTERVAL {
            return Ok(());
        }
        Box::pin(write(self.table, &self.store, version)).await
    }
}

async fn write(table: &'static Table, store: &LogStoreRef, version: i64) -> Result<(), StoreError> {
    fault::point(fault::IN_CHECKPOINT);
    let _turn = super::DELTA_READS.lock().await;
    let delta = super::loaded(table, store, Some(version)).await?;
    create_checkpoint(&delta, None)
        .await
        .map_err(StoreError::log("writing a checkpoint of", table.name))
}
