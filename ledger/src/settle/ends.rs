//! Streams that a library tells in two spans: one that lasts until the answer begins and knows no
//! usage, and one without a length, at the end of the stream, that tells the rest as a log record
//! would. Takes traces whose other rules are applied; the first stays the call, because it began
//! with the request, the second tells its usage and when it was over. They find each other by the
//! instant at which they meet, where the second says how long the stream took, as roots of two
//! traces too; else below one span, by the order in which they were over.

use std::collections::BTreeSet;

use super::HashMap;
use super::across::Place;
use super::trace::{InTrace, Mark};
use super::twins::{Told, ends_stream};
use super::verdict::Rule;
use crate::limits::{MOMENT_CANDIDATES_MAX, TOGETHER_SLACK, TWIN_SLACK};

/// Marks the spans that tell the end of a stream.
pub(super) fn tie_stream_ends(traces: &mut [InTrace<'_>]) {
    for (end, begun) in meeting(traces) {
        traces[end.t].marks[end.i] = Mark::Same(begun, Rule::EndOfStream);
    }
    for (t, trace) in traces.iter_mut().enumerate() {
        for (end, begun) in stream_ends(trace) {
            trace.marks[end] = Mark::Same(Place { t, i: begun }, Rule::EndOfStream);
        }
    }
}

/// Streams of one library in one service, by the instant at which their two spans meet.
#[derive(Default)]
struct Meetings {
    begun: BTreeSet<(i64, Place)>,
    ends: Vec<(i64, Place)>,
}

/// Which calls end which others, by when they meet. A stream is read soon after its answer begins.
fn meeting(traces: &[InTrace<'_>]) -> Vec<(Place, Place)> {
    let mut groups: HashMap<(u32, u32), Meetings> = HashMap::default();
    for (t, trace) in traces.iter().enumerate() {
        for (i, mark) in trace.marks.iter().enumerate() {
            let Told { view, facts } = trace.told(i);
            if *mark != Mark::Call || facts.joint_ns == 0 {
                continue;
            }
            let group = groups.entry((facts.service, facts.scope)).or_default();
            let at = (facts.joint_ns, Place { t, i });
            match view.duration_ns {
                0 => group.ends.push(at),
                _ => _ = group.begun.insert(at),
            }
        }
    }
    let told = |at: Place| traces[at.t].told(at.i);
    let (before, after) = (TWIN_SLACK.as_nanos() as i64, TOGETHER_SLACK.as_nanos() as i64);
    let mut found = Vec::new();
    for Meetings { mut begun, mut ends } in groups.into_values() {
        ends.sort_unstable();
        for (joint, at) in ends {
            let end = told(at);
            let none = Place { t: 0, i: 0 };
            let near = begun.range((joint - before, none)..(joint + after, none)).rev();
            let near = near.take(MOMENT_CANDIDATES_MAX).filter(|b| ends_stream(&end, &told(b.1)));
            // Beside it in its trace before elsewhere.
            let apart = |of: Place| of.t != at.t || told(of).view.parent != end.view.parent;
            let of = near.copied().min_by_key(|b| (apart(b.1), b.0.abs_diff(joint), b.1));
            if let Some(of) = of {
                begun.remove(&of);
                found.push((at, of.1));
            }
        }
    }
    found
}

/// Which calls of a trace end which others.
fn stream_ends(trace: &InTrace<'_>) -> Vec<(usize, usize)> {
    // Few traces have a span without a length.
    if trace.tree.spans.iter().all(|span| span.duration_ns != 0) {
        return Vec::new();
    }
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
