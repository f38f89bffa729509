//! The folder for rows that do not fit memory. Each process has a folder of its own inside, which it
//! takes away when it ends; what killed ones left is removed here, once none uses the folder.

use std::fs::File;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use crate::error::QueryError;

/// What the names of the folders that hold spilled rows begin with.
const PREFIX: &str = "datafusion-";

/// A folder for spilled rows that this process uses, for as long as this is kept.
#[derive(Debug)]
pub(super) struct Spilled {
    /// Locked in common by all that use the folder; the system lets go of it when a process ends.
    _lock: File,
}

impl Spilled {
    /// Makes the folder, and removes what is left of processes before this one if no other uses it.
    ///
    /// # Errors
    /// When the folder cannot be made, locked or read, or what was left cannot be removed.
    pub(super) fn claim(folder: &Path) -> Result<Self, QueryError> {
        let cannot = |(path, error): (PathBuf, Error)| {
            let path = path.display();
            QueryError::Failed(format!("cannot use `{path}` for spilled rows: {error}"))
        };
        let at = |path: &Path| {
            let path = path.to_owned();
            move |error| cannot((path, error))
        };
        std::fs::create_dir_all(folder).map_err(at(folder))?;
        let path = folder.join("lock");
        let open = File::options().create(true).write(true).truncate(false).open(&path);
        let lock = open.map_err(at(&path))?;
        if lock.try_lock().is_ok() {
            clear(folder).map_err(cannot)?;
            lock.unlock().map_err(at(&path))?;
        }
        // Nothing of ours is in the folder before this.
        lock.lock_shared().map_err(at(&path))?;
        Ok(Self { _lock: lock })
    }
}

fn clear(folder: &Path) -> Result<(), (PathBuf, Error)> {
    for entry in std::fs::read_dir(folder).map_err(|e| (folder.to_owned(), e))? {
        let entry = entry.map_err(|e| (folder.to_owned(), e))?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            match std::fs::remove_dir_all(entry.path()) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err((entry.path(), error));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_killed_processes_left_is_removed_once_nobody_uses_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("spill");
        let first = Spilled::claim(&folder).unwrap();
        let left = folder.join("datafusion-a1b2c3");
        std::fs::create_dir(&left).unwrap();
        std::fs::write(left.join("rows"), "x").unwrap();
        std::fs::write(folder.join("mine"), "x").unwrap();
        let second = Spilled::claim(&folder).unwrap();
        assert!(left.exists(), "the first one may be using it");
        drop((first, second));
        let _third = Spilled::claim(&folder).unwrap();
        assert!(!left.exists() && folder.join("mine").exists());
    }
}
