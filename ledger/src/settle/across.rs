//! Calls that carry one response id, in one trace or in several: told by two libraries that do not
//! see each other, as roots of two traces perhaps. Takes traces whose own rules are applied, and
//! marks all but the fullest of each call as its duplicates.

use super::trace::{InTrace, Mark};
use super::twins::same_response;
use super::verdict::Rule;
use crate::limits::RESPONSE_SPANS_MAX;

/// A span of one of the traces that are settled together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    /// The trace.
    pub(super) t: usize,
    /// Place in its tree.
    pub(super) i: usize,
}

/// Ties calls by response id. Two spans of one library with one id stay two calls: it makes one
/// span for a call, so the id is none.
pub(super) fn tie_responses(traces: &mut [InTrace<'_>]) {
    let mut calls: Vec<(u64, Place)> = Vec::new();
    for (t, trace) in traces.iter().enumerate() {
        for (i, mark) in trace.marks.iter().enumerate() {
            let response = trace.told(i).facts.response;
            if *mark == Mark::Call && response != 0 {
                calls.push((response, Place { t, i }));
            }
        }
    }
    let told = |at: &Place| traces[at.t].told(at.i);
    calls.sort_by(|(a, x), (b, y)| {
        a.cmp(b).then_with(|| told(y).fullness().cmp(&told(x).fullness())).then(x.cmp(y))
    });
    let mut same = Vec::new();
    for group in calls.chunk_by(|a, b| a.0 == b.0) {
        if !(2..=RESPONSE_SPANS_MAX).contains(&group.len()) {
            continue;
        }
        let mut kept: Vec<Place> = Vec::new();
        for (_, at) in group {
            let it = told(at);
            let twin = kept.iter().find(|k| {
                let other = told(k);
                other.facts.scope != it.facts.scope && same_response(&other, &it)
            });
            match twin {
                Some(call) => same.push((*at, *call)),
                None => kept.push(*at),
            }
        }
    }
    for (at, call) in same {
        traces[at.t].marks[at.i] = Mark::Same(call, Rule::SameResponse);
    }
}
