//! Calls that are told apart, in one trace or in several: by two libraries that do not see each
//! other, as roots of two traces perhaps. Takes traces whose own rules are applied, and marks all
//! but the fullest of each call as its duplicates: by response id first, then, where one has none,
//! by service, usage, model and moment.

use std::cmp::Reverse;

use super::HashMap;
use super::trace::{InTrace, Mark, root};
use super::twins::{
    Told, answered_within, ends_apart, not_followed, not_followed_apart, same_moment, same_output,
    same_response, told_again,
};
use super::verdict::Rule;
use super::view::{Facts, Role};
use crate::limits::{LIKE_TRACES_MAX, MOMENT_PAIRS_MAX, RESPONSE_SPANS_MAX, TWIN_SLACK};

/// A span of one of the traces that are settled together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    /// The trace.
    pub(super) t: usize,
    /// Place in its tree.
    pub(super) i: usize,
}

/// Ties calls by response id. Two spans of one library with one id stay two calls: it makes one
/// span for a call, so the id is none. But one that tells a call again does so from the same instant,
/// or in another trace by another name within its time.
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
                let two = other.facts.scope != it.facts.scope;
                let again =
                    told_again(&other, &it) || (k.t != at.t && answered_within(&other, &it));
                (two || again) && same_response(&other, &it)
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

/// What calls of one moment agree in: service, input, output.
type Same = (u32, Option<i64>, Option<i64>);

/// How calls without a response id are tied to those of the same moment.
struct Moment {
    /// What both agree in; `None` for calls that are not looked at.
    agree: fn(&Told) -> Option<Same>,
    twins: fn(&Told, &Told) -> bool,
    /// How far two of them lie apart, the nearest being tied first.
    apart: fn(&Told, &Told) -> (u64, u64),
    rule: Rule,
}

/// The surest first: what is tied is not looked at again.
const SAME: [Moment; 2] = [
    Moment {
        agree: |t| Some((t.facts.service, t.facts.input, t.facts.output)),
        twins: same_moment,
        apart: ends_apart,
        rule: Rule::SameMoment,
    },
    Moment {
        agree: |t| t.facts.output.map(|output| (t.facts.service, None, Some(output))),
        twins: same_output,
        apart: ends_apart,
        rule: Rule::SameOutput,
    },
];

const NOT_FOLLOWED: Moment = Moment {
    agree: |t| Some((t.facts.service, None, None)),
    twins: not_followed,
    apart: not_followed_apart,
    rule: Rule::NotFollowed,
};

/// Ties calls without a response id to those of the same moment and usage.
pub(super) fn tie_same_moment(traces: &mut [InTrace<'_>]) {
    for moment in &SAME {
        tie_moment(traces, moment);
    }
}

/// Ties streams that a library did not follow to the calls that another tells. After the ends of
/// streams are tied: one whose end is told was followed.
pub(super) fn tie_not_followed(traces: &mut [InTrace<'_>]) {
    tie_moment(traces, &NOT_FOLLOWED);
}

/// Each instrumentation tells a call once, so of two like calls of a library each finds its own twin, or
/// none.
fn tie_moment(traces: &mut [InTrace<'_>], moment: &Moment) {
    if one_teller(traces.iter().flat_map(candidates).map(|(_, told)| told)) {
        return;
    }
    let mut groups: HashMap<Same, Vec<(Place, Told)>> = HashMap::default();
    let mut tellers: HashMap<Place, Vec<Facts>> = HashMap::default();
    for (t, trace) in traces.iter().enumerate() {
        for (i, told) in candidates(trace) {
            if let Some(same) = (moment.agree)(&told) {
                groups.entry(same).or_default().push((Place { t, i }, told));
            }
        }
        for (i, mark) in trace.marks.iter().enumerate() {
            let told = trace.told(i);
            if told.view.role == Role::Inference
                && matches!(mark, Mark::Same(..))
                && let Some(call) = root(traces, Place { t, i })
            {
                tellers.entry(call).or_default().push(told.facts);
            }
        }
    }
    let mut same = Vec::new();
    for mut group in groups.into_values() {
        if one_teller(group.iter().map(|(_, told)| *told)) {
            continue;
        }
        // Those with an id stand for themselves; the fuller of the others before the less full.
        group.sort_by(|(x, a), (y, b)| {
            let ids = (b.facts.response != 0).cmp(&(a.facts.response != 0));
            ids.then_with(|| b.fullness().cmp(&a.fullness())).then(x.cmp(y))
        });
        same.extend(one_by_one(&group, moment, &mut tellers));
    }
    for (at, call) in same {
        traces[at.t].marks[at.i] = Mark::Same(call, moment.rule);
    }
}

/// The calls of a trace that may be tied by their moment.
fn candidates(trace: &InTrace<'_>) -> impl Iterator<Item = (usize, Told)> {
    let calls = trace.marks.iter().enumerate().filter(|(_, mark)| **mark == Mark::Call);
    let told = calls.map(|(i, _)| (i, trace.told(i)));
    told.filter(|(_, t)| t.view.role == Role::Inference && t.facts.service != 0)
}

/// Whether none of these calls can be another's twin: one instrumentation tells them all, or all
/// have a response id, and those are tied by that.
fn one_teller(mut calls: impl Iterator<Item = Told>) -> bool {
    let Some(first) = calls.next() else { return true };
    let (mut same, mut named) = (true, first.facts.response != 0);
    for call in calls {
        same &= call.facts.same_teller(&first.facts);
        named &= call.facts.response != 0;
        if !same && !named {
            return false;
        }
    }
    true
}

/// Which calls of a group are the duplicates of which: those that lie nearest together are tied first,
/// so that of many like calls at once each finds its own.
fn one_by_one(
    group: &[(Place, Told)],
    moment: &Moment,
    tellers: &mut HashMap<Place, Vec<Facts>>,
) -> Vec<(Place, Place)> {
    let mut clusters: Vec<Cluster> = (0..group.len())
        .map(|i| {
            let (at, told) = group[i];
            let mut tellers = tellers.remove(&at).unwrap_or_default();
            tellers.push(told.facts);
            Cluster { calls: vec![i], tellers }
        })
        .collect();
    let mut cluster_of: Vec<usize> = (0..group.len()).collect();
    for (_, a, b) in near_twins(group, moment) {
        let (a, b) = (cluster_of[a], cluster_of[b]);
        if a == b || clusters[a].shares_a_teller(&clusters[b]) {
            continue;
        }
        let Cluster { calls, tellers } = std::mem::take(&mut clusters[b]);
        for call in &calls {
            cluster_of[*call] = a;
        }
        clusters[a].calls.extend(calls);
        clusters[a].tellers.extend(tellers);
    }
    let mut same = Vec::new();
    for Cluster { calls, .. } in clusters.iter().filter(|c| c.calls.len() > 1) {
        // Which of them is the call is for what they tell, not for who has an id.
        let fullest = |i: &&usize| (group[**i].1.fullness(), Reverse(**i));
        let Some(&call) = calls.iter().max_by_key(fullest) else { continue };
        let others = calls.iter().filter(|i| **i != call);
        same.extend(others.map(|i| (group[*i].0, group[call].0)));
    }
    same
}

/// Calls of a group that are one, by their places in it, and what tells of it.
#[derive(Default)]
struct Cluster {
    calls: Vec<usize>,
    tellers: Vec<Facts>,
}

impl Cluster {
    fn shares_a_teller(&self, other: &Cluster) -> bool {
        self.tellers.iter().any(|x| other.tellers.iter().any(|y| x.same_teller(y)))
    }
}

/// Twins of a group that begin or end within [`TWIN_SLACK`] of each other, the nearest first: how far
/// apart they lie, and their places. Each call is compared with the next to begin, and to end, as many as
/// [`MOMENT_PAIRS_MAX`] has room for.
fn near_twins(group: &[(Place, Told)], moment: &Moment) -> Vec<((u64, u64), usize, usize)> {
    let slack = TWIN_SLACK.as_nanos() as i64;
    let most = (MOMENT_PAIRS_MAX / group.len().max(1)).clamp(4, LIKE_TRACES_MAX);
    let mut twins = Vec::new();
    for edge in [|t: &Told| t.facts.start_ns, Told::end_ns] {
        let mut by_edge: Vec<(i64, usize)> =
            group.iter().enumerate().map(|(i, (_, told))| (edge(told), i)).collect();
        by_edge.sort_unstable();
        for (n, &(at, i)) in by_edge.iter().enumerate() {
            let after = by_edge[n + 1..].iter().take(most);
            let near = after.take_while(|(other, _)| *other <= at.saturating_add(slack));
            let pairs = near.map(|(_, j)| (i.min(*j), i.max(*j)));
            twins.extend(pairs.filter_map(|(i, j)| {
                let (one, other) = (&group[i].1, &group[j].1);
                (moment.twins)(one, other).then(|| ((moment.apart)(one, other), i, j))
            }));
        }
    }
    twins.sort_unstable();
    twins.dedup();
    twins
}
