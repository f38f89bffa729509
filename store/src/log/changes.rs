//! Which files brought new rows after a version. Takes the log's entries, gives files that can
//! still be read; it opens none of them.
//!
//! Every row added after `since` and not deleted since is in one of the files given. A row comes
//! twice, or comes though it is older than `since`, in two cases only:
//! - the entries after `since` were cleaned away (more than `LOG_ENTRIES_KEPT` behind): all
//!   active files are given;
//! - a file was compacted and has gone, or may go before the caller reads it: the file that took
//!   its rows is given, with what else is in it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{TableLog, View, entry};
use crate::{Changes, DataFile, StoreError};

/// A file that brought rows, and the active files that hold its rows now if it was compacted.
struct Brought {
    file: DataFile,
    /// When it was removed by a compaction, milliseconds since the epoch.
    removed_ms: Option<i64>,
}

impl TableLog {
    /// Files that brought rows after `since`. A removed file is only given when it stays on disk
    /// for at least half of `retention` more.
    pub(crate) async fn changes(
        &self,
        since: Option<i64>,
        retention: Duration,
    ) -> Result<Changes, StoreError> {
        let view = self.view().await?;
        let Some(since) = since else { return Ok(everything(&view)) };
        let mut brought = Vec::<Brought>::new();
        // Which of `brought` have rows in a file, by the file's path.
        let mut holders = BTreeMap::<String, Vec<usize>>::new();
        for version in since + 1..=view.version {
            let Some(text) = entry::read(&self.dir, version).await? else {
                return Ok(everything(&view));
            };
            self.follow(version, &text, &mut brought, &mut holders)?;
        }
        Ok(Changes {
            version: view.version,
            files: self.readable(&view, brought, &holders, retention),
        })
    }

    /// Follows one entry.
    fn follow(
        &self,
        version: i64,
        text: &str,
        brought: &mut Vec<Brought>,
        holders: &mut BTreeMap<String, Vec<usize>>,
    ) -> Result<(), StoreError> {
        let lines = entry::parse(self.table, version, text)?;
        let mut moved = Vec::new();
        for remove in lines.iter().filter_map(|line| line.remove.as_ref()) {
            let Some(held) = holders.remove(&remove.path) else { continue };
            if remove.data_change {
                // The rows were deleted, or the same commit puts them back in a file that is
                // itself new: what we followed is no longer true.
                for origins in holders.values_mut() {
                    origins.retain(|o| !held.contains(o));
                }
                moved.retain(|o| !held.contains(o));
                continue;
            }
            for origin in held {
                let removed_ms = remove.deletion_timestamp.unwrap_or(0);
                if let Some(b) = brought.get_mut(origin).filter(|b| b.file.path == remove.path) {
                    b.removed_ms = Some(removed_ms);
                }
                moved.push(origin);
            }
        }
        for add in lines.into_iter().filter_map(|line| line.add) {
            if add.data_change {
                let file = entry::added(self.table, add)?.file;
                holders.insert(file.path.clone(), vec![brought.len()]);
                brought.push(Brought { file, removed_ms: None });
            } else if !moved.is_empty() {
                holders.insert(add.path, moved.clone());
            }
        }
        Ok(())
    }

    /// Of each file that brought rows: itself while it can be read, else the files that took its
    /// rows over.
    fn readable(
        &self,
        view: &View,
        brought: Vec<Brought>,
        holders: &BTreeMap<String, Vec<usize>>,
        retention: Duration,
    ) -> Vec<DataFile> {
        let margin_ms = i64::try_from(retention.as_millis() / 2).unwrap_or(i64::MAX);
        let now_ms = entry::now_ms();
        let mut files = BTreeMap::new();
        for (origin, Brought { file, removed_ms }) in brought.into_iter().enumerate() {
            let mut holding = holders.iter().filter(|(_, o)| o.contains(&origin)).peekable();
            if holding.peek().is_none() {
                continue;
            }
            let stays = removed_ms.is_none_or(|at| now_ms < at.saturating_add(margin_ms));
            if stays && self.dir.join(&file.path).exists() {
                files.insert(file.path.clone(), file);
                continue;
            }
            for active in holding.filter_map(|(path, _)| view.find(path)) {
                files.insert(active.file.path.clone(), active.file.clone());
            }
        }
        files.into_values().collect()
    }
}

fn everything(view: &View) -> Changes {
    Changes { version: view.version, files: view.listed().as_ref().clone() }
}
