//! Which traces were seen lately: two generations of hashes, the older forgotten when the newer
//! is full. Tells a trace of which all spans are at hand from one of which earlier spans lie in
//! the table only; two traces with one hash cost a needless look there, nothing else. Owns at
//! most twice [`RECENT_TRACES_MAX`] hashes.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::HashSet;
use super::open::TraceKey;
use crate::limits::RECENT_TRACES_MAX;

/// Traces seen lately.
#[derive(Debug, Default)]
pub(super) struct RecentTraces {
    newer: HashSet<u64>,
    older: HashSet<u64>,
}

impl RecentTraces {
    /// Remembers a trace.
    pub(super) fn insert(&mut self, trace: &TraceKey) {
        if self.newer.len() >= RECENT_TRACES_MAX {
            // The next generation takes the room of the one that is forgotten.
            std::mem::swap(&mut self.newer, &mut self.older);
            self.newer.clear();
        }
        self.newer.insert(hash(trace));
    }

    /// Whether the trace was remembered and is not forgotten.
    pub(super) fn contains(&self, trace: &TraceKey) -> bool {
        let hash = hash(trace);
        self.newer.contains(&hash) || self.older.contains(&hash)
    }
}

fn hash(trace: &TraceKey) -> u64 {
    xxh3_64_with_seed(&trace.trace.to_be_bytes(), u64::from(trace.tenant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_least_the_last_generation_is_remembered() {
        let key = |n: usize| TraceKey { tenant: 0, trace: n as u128 };
        let mut recent = RecentTraces::default();
        for n in 0..RECENT_TRACES_MAX * 2 + 1 {
            recent.insert(&key(n));
        }
        assert!(!recent.contains(&key(0)));
        assert!((RECENT_TRACES_MAX..RECENT_TRACES_MAX * 2 + 1).all(|n| recent.contains(&key(n))));
    }
}
