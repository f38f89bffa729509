//! Streams that a library tells in two spans: one that lasts until the answer begins and knows no
//! usage, and one without a length, at the end of the stream, that tells the rest as a log record
//! would. Takes traces whose other rules are applied; the first stays the call, because it began
//! with the request, the second tells its usage.

use super::HashMap;
use super::across::Place;
use super::trace::{InTrace, Mark};
use super::twins::ends_stream;
use super::verdict::Rule;
use crate::limits::MOMENT_CANDIDATES_MAX;

/// Marks the spans that tell the end of a stream.
pub(super) fn tie_stream_ends(traces: &mut [InTrace<'_>]) {
    for (t, trace) in traces.iter_mut().enumerate() {
        for (end, begun) in stream_ends(trace) {
            trace.marks[end] = Mark::Same(Place { t, i: begun }, Rule::EndOfStream);
        }
    }
}

/// Which calls of a trace end which others.
fn stream_ends(trace: &InTrace<'_>) -> Vec<(usize, usize)> {
    // Of one library below one span, by the time at which each is over.
    let mut groups: HashMap<(u64, u32), Vec<(i64, usize)>> = HashMap::default();
    for (i, mark) in trace.marks.iter().enumerate() {
        if *mark == Mark::Call {
            let told = trace.told(i);
            let group = (told.view.parent, told.facts.scope);
            groups.entry(group).or_default().push((told.end_ns(), i));
        }
    }
    let mut found = Vec::new();
    for mut group in groups.into_values().filter(|group| group.len() > 1) {
        group.sort_unstable();
        let mut begun: Vec<usize> = Vec::new();
        for (_, i) in group {
            let told = trace.told(i);
            // The one that was over last: one before it that has no end was cut.
            let near = begun.iter().enumerate().rev().take(MOMENT_CANDIDATES_MAX);
            let first =
                near.map(|(n, b)| (n, *b)).find(|(_, b)| ends_stream(&told, &trace.told(*b)));
            match first {
                Some((n, of)) => {
                    begun.remove(n);
                    found.push((i, of));
                }
                None if !told.view.usage => begun.push(i),
                None => {}
            }
        }
    }
    found
}
