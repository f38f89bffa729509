//! Named points at which a crash test may end the process. Owns the names; what happens at a
//! point is decided by the hook, and without one nothing happens.

use std::sync::OnceLock;

/// Every point, in the order in which a flush and then a round of upkeep meet them.
pub const POINTS: [&str; 8] = [
    AFTER_PARQUET,
    AFTER_COMMIT_BEFORE_FSYNC,
    AFTER_COMMIT,
    IN_CHECKPOINT,
    IN_COMPACTION_BEFORE_COMMIT,
    AFTER_COMPACTION_COMMIT,
    IN_VACUUM,
    IN_LOG_CLEANUP,
];

/// Data files are durable, no commit names them yet.
pub const AFTER_PARQUET: &str = "after-parquet";
/// The log entry has its name, the folder is not fsynced yet.
pub const AFTER_COMMIT_BEFORE_FSYNC: &str = "after-commit-before-fsync";
/// The commit is durable, the caller does not know yet.
pub const AFTER_COMMIT: &str = "after-commit";
/// A checkpoint is due and not yet written.
pub const IN_CHECKPOINT: &str = "in-checkpoint";
/// The merged file is durable, its inputs are still active.
pub const IN_COMPACTION_BEFORE_COMMIT: &str = "in-compaction-before-commit";
/// The merged file is active.
pub const AFTER_COMPACTION_COMMIT: &str = "after-compaction-commit";
/// A data file that no reader needs is about to be deleted.
pub const IN_VACUUM: &str = "in-vacuum";
/// An old log entry is about to be deleted.
pub const IN_LOG_CLEANUP: &str = "in-log-cleanup";

static HOOK: OnceLock<fn(&'static str)> = OnceLock::new();

/// Installs the hook that is called with the name of every point passed. The first one stays for
/// the life of the process.
pub fn set(hook: fn(&'static str)) {
    let _ = HOOK.set(hook);
}

/// Passes a point.
pub(crate) fn point(name: &'static str) {
    if let Some(hook) = HOOK.get() {
        hook(name);
    }
}
