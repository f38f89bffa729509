//! Deleting data files that no reader needs: removed ones after their retention, and leftovers
//! of a crash that no commit names. Takes a listing and what the log says, deletes; it changes no
//! log.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::log::View;
use crate::{StoreError, fault, paths};

/// When a file may go.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) now_ms: i64,
    /// Removed files stay this long for running readers.
    pub(crate) removed_retention: Duration,
    /// Unknown files stay this long for running writers.
    pub(crate) leftover_grace: Duration,
}

/// Files below a table's folder, data and staged log files, as paths below it.
pub(crate) fn list(table_dir: &Path) -> Result<Vec<String>, StoreError> {
    let mut files = Vec::new();
    for dir in names(table_dir)? {
        let path = table_dir.join(&dir);
        if !path.is_dir() {
            continue;
        }
        for name in names(&path)? {
            let wanted = if dir == paths::LOG {
                paths::is_staged(&name)
            } else {
                paths::is_data_file(&name)
            };
            if wanted {
                files.push(format!("{dir}/{name}"));
            }
        }
    }
    Ok(files)
}

fn names(dir: &Path) -> Result<Vec<String>, StoreError> {
    let listing = || -> std::io::Result<Vec<String>> {
        fs::read_dir(dir)?.map(|e| Ok(e?.file_name().to_string_lossy().into_owned())).collect()
    };
    listing().map_err(StoreError::io("listing", dir))
}

/// Deletes what may go of the listed files. Gives the removed files that are gone from disk.
pub(crate) fn delete(
    table_dir: &Path,
    listed: &[String],
    view: &View,
    removed: &HashMap<String, i64>,
    rules: &Rules,
) -> Result<Vec<String>, StoreError> {
    let on_disk: HashSet<&str> = listed.iter().map(String::as_str).collect();
    let retention_ms = i64::try_from(rules.removed_retention.as_millis()).unwrap_or(i64::MAX);
    let is_over = |at_ms: i64| rules.now_ms.saturating_sub(at_ms) >= retention_ms;
    let mut gone: Vec<String> = removed
        .iter()
        .filter(|(path, at_ms)| is_over(**at_ms) && !on_disk.contains(path.as_str()))
        .map(|(path, _)| path.clone())
        .collect();
    for path in listed {
        if view.contains(path) {
            continue;
        }
        let full = table_dir.join(path);
        let may_go = match removed.get(path) {
            Some(at_ms) => is_over(*at_ms),
            None => is_leftover(&full, rules.leftover_grace)?,
        };
        if !may_go {
            continue;
        }
        fault::point(fault::IN_VACUUM);
        match fs::remove_file(&full) {
            Ok(()) => gone.push(path.clone()),
            Err(e) if e.kind() == ErrorKind::NotFound => gone.push(path.clone()),
            Err(e) => return Err(StoreError::io("deleting", &full)(e)),
        }
    }
    Ok(gone)
}

fn is_leftover(path: &Path, grace: Duration) -> Result<bool, StoreError> {
    let modified = match fs::metadata(path).and_then(|m| m.modified()) {
        Ok(modified) => modified,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(StoreError::io("looking at", path)(e)),
    };
    // A time in the future is a clock that went back: such a file is young.
    Ok(SystemTime::now().duration_since(modified).is_ok_and(|age| age >= grace))
}
