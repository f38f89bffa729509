//! Places where a crash test may stop the process. Takes one hook for the whole process, gives
//! it the name of each place as it is passed; without a hook a place costs one load.
//! It does not decide what happens there: that is the hook's.

use std::sync::OnceLock;

/// Half of a group's bytes are written to the log.
pub const LOG_HALF_WRITTEN: &str = "log.half-written";
/// A group is written, not yet fsynced.
pub const LOG_BEFORE_FSYNC: &str = "log.before-fsync";
/// A group is durable, not yet acknowledged.
pub const LOG_BEFORE_ACK: &str = "log.before-ack";
/// A new segment lies under its temporary name.
pub const LOG_ROTATE: &str = "log.rotate";
/// All tables are committed, the log does not know yet.
pub const FLUSH_COMMITTED: &str = "flush.committed";
/// The hashes of a segment are kept, the segment is not deleted yet.
pub const LOG_TRIM: &str = "log.trim";

/// Every place of this crate.
pub const ALL: [&str; 6] =
    [LOG_HALF_WRITTEN, LOG_BEFORE_FSYNC, LOG_BEFORE_ACK, LOG_ROTATE, FLUSH_COMMITTED, LOG_TRIM];

static HOOK: OnceLock<fn(&'static str)> = OnceLock::new();

/// Sets the hook; the first one stays.
pub fn set(hook: fn(&'static str)) {
    // A second call has nothing to say: the hook is chosen once, at start.
    let _ = HOOK.set(hook);
}

/// Whether a hook is set.
pub(crate) fn armed() -> bool {
    HOOK.get().is_some()
}

/// Passes a place.
pub(crate) fn hit(place: &'static str) {
    if let Some(hook) = HOOK.get() {
        hook(place);
    }
}
