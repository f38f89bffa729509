//! Places where a crash test may stop the process. Takes one hook for the whole process, gives
//! it the name of each place as it is passed; without a hook a place costs one load.
//! The places of the store are its own; [`arm`] knows both.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use spanledger_store::fault as store;

/// Half of a group's bytes are written to the log.
pub const LOG_HALF_WRITTEN: &str = "log-half-written";
/// A group is written, not yet fsynced.
pub const LOG_BEFORE_FSYNC: &str = "log-before-fsync";
/// A group is durable, not yet acknowledged.
pub const LOG_BEFORE_ACK: &str = "log-before-ack";
/// A file of the log lies durable under its temporary name.
pub const LOG_BEFORE_RENAME: &str = "log-before-rename";
/// All tables are committed, the log does not know yet.
pub const FLUSH_COMMITTED: &str = "flush-committed";
/// The hashes of a segment are kept, the segment is not deleted yet.
pub const LOG_TRIM: &str = "log-trim";

/// Every place of this crate.
pub const ALL: [&str; 6] = [
    LOG_HALF_WRITTEN,
    LOG_BEFORE_FSYNC,
    LOG_BEFORE_ACK,
    LOG_BEFORE_RENAME,
    FLUSH_COMMITTED,
    LOG_TRIM,
];

static HOOK: OnceLock<fn(&'static str)> = OnceLock::new();
static ARMED: OnceLock<Armed> = OnceLock::new();

#[derive(Debug)]
struct Armed {
    place: &'static str,
    left: AtomicU64,
}

/// Sets the hook; the first one stays.
pub fn set(hook: fn(&'static str)) {
    // A second call has nothing to say: the hook is chosen once, at start.
    let _ = HOOK.set(hook);
}

/// Aborts the process, as a kill would, when a place of this crate or of the store is passed for
/// the n-th time. `spec` is `place:n`.
pub fn arm(spec: &str) -> Result<(), String> {
    let bad = |what: &str| format!("fault `{spec}`: {what}, expected `place:n`");
    let (name, count) = spec.split_once(':').ok_or_else(|| bad("no colon"))?;
    let count: u64 = count.parse().map_err(|_| bad("n is not a number"))?;
    let mut places = ALL.into_iter().chain(store::POINTS);
    let place = places.find(|place| *place == name).ok_or_else(|| bad("no such place"))?;
    // Armed once, at start, as the hooks are.
    let _ = ARMED.set(Armed { place, left: AtomicU64::new(count.max(1)) });
    set(abort_when_due);
    store::set(abort_when_due);
    Ok(())
}

fn abort_when_due(place: &'static str) {
    let Some(armed) = ARMED.get().filter(|armed| armed.place == place) else { return };
    if armed.left.fetch_sub(1, Ordering::Relaxed) == 1 {
        std::process::abort();
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_place_is_refused_by_name() {
        for spec in ["log-trim", "log-trim:x", "nowhere:1"] {
            assert!(arm(spec).unwrap_err().contains(spec));
        }
    }
}
