//! Deleting log files that no reader needs: entries far behind the newest checkpoint, and all
//! but the last checkpoints. delta-rs' own cleanup keeps by age every checkpoint of the kept
//! entries: at a commit a second hundreds of them, with nothing to read in their versions, since
//! removed data files go after minutes.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::TableLog;
use crate::error::blocking;
use crate::paths::{self, LogFile};
use crate::{StoreError, fault, limits};

impl TableLog {
    /// Keeps the last checkpoints, the entries after the oldest of them, and as many older
    /// entries as [`crate::Store::changes`] may ask for.
    pub(crate) async fn cleanup(&self) -> Result<(), StoreError> {
        let (dir, version) = (self.dir.join(paths::LOG), self.view().await?.version);
        blocking("cleaning the log", move || clean(&dir, version)).await
    }
}

fn clean(log_dir: &Path, version: i64) -> Result<(), StoreError> {
    let list = || -> std::io::Result<Vec<(String, LogFile)>> {
        let mut files = Vec::new();
        for file in fs::read_dir(log_dir)? {
            let name = file?.file_name().to_string_lossy().into_owned();
            files.extend(paths::log_file(&name).map(|kind| (name, kind)));
        }
        Ok(files)
    };
    let files = list().map_err(StoreError::io("listing", log_dir))?;
    let checkpoints: BTreeSet<i64> = files
        .iter()
        .filter_map(|(_, kind)| match kind {
            LogFile::Checkpoint(version) => Some(*version),
            LogFile::Entry(_) => None,
        })
        .collect();
    let kept = checkpoints.iter().rev().nth(limits::CHECKPOINTS_KEPT - 1);
    let Some(oldest_kept) = kept.or(checkpoints.first()) else { return Ok(()) };
    for (name, kind) in &files {
        let may_go = match kind {
            LogFile::Checkpoint(at) => at < oldest_kept,
            LogFile::Entry(at) => at < oldest_kept && *at <= version - limits::LOG_ENTRIES_KEPT,
        };
        if !may_go {
            continue;
        }
        fault::point(fault::IN_LOG_CLEANUP);
        let path = log_dir.join(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                return Err(StoreError::io("deleting", &path)(e));
            }
            _ => {}
        }
    }
    Ok(())
}
