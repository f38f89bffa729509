//! Calls that are told apart, in one trace or in several: by two libraries that do not see each
//! other, as roots of two traces perhaps. Takes traces whose own rules are applied, and marks all
//! but the fullest of each call as its duplicates: by response id first, then, where one has none,
//! by service, usage, model and moment.

use std::collections::BTreeSet;

use super::HashMap;
use super::trace::{InTrace, Mark, root};
use super::twins::{
    Told, answered_within, apart_ns, not_followed, same_moment, same_output, same_response,
    told_again,
};
use super::verdict::Rule;
use super::view::{Facts, Role};
use crate::limits::{MOMENT_CANDIDATES_MAX, RESPONSE_SPANS_MAX, TWIN_SLACK};

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

/// Calls that are one so far, and what tells of it.
struct Cluster {
    call: Place,
    tellers: Vec<Facts>,
}

/// What calls of one moment agree in: service, input, output.
type Same = (u32, Option<i64>, Option<i64>);

/// How calls without a response id are tied to those of the same moment.
struct Moment {
    /// What both agree in; `None` for calls that are not looked at.
    agree: fn(&Told) -> Option<Same>,
    twins: fn(&Told, &Told) -> bool,
    rule: Rule,
}

/// The surest first: what is tied is not looked at again.
const SAME: [Moment; 2] = [
    Moment {
        agree: |t| Some((t.facts.service, t.facts.input, t.facts.output)),
        twins: same_moment,
        rule: Rule::SameMoment,
    },
    Moment {
        agree: |t| t.facts.output.map(|output| (t.facts.service, None, Some(output))),
        twins: same_output,
        rule: Rule::SameOutput,
    },
];

const NOT_FOLLOWED: Moment = Moment {
    agree: |t| Some((t.facts.service, None, None)),
    twins: not_followed,
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
        same.extend(one_by_one(traces, &group, moment.twins, &mut tellers));
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

/// Where clusters begin and where they end. One that waited before it asked again begins long before
/// the request that was answered, and ends with it.
#[derive(Default)]
struct Edges {
    starts: BTreeSet<(i64, usize)>,
    ends: BTreeSet<(i64, usize)>,
}

impl Edges {
    fn insert(&mut self, told: &Told, cluster: usize) {
        self.starts.insert((told.facts.start_ns, cluster));
        self.ends.insert((told.end_ns(), cluster));
    }

    /// The clusters that begin or end within [`TWIN_SLACK`] of a call, the nearest on either side
    /// first.
    fn near(&self, told: &Told) -> impl Iterator<Item = usize> {
        let slack = TWIN_SLACK.as_nanos() as i64;
        let of = [(&self.starts, told.facts.start_ns), (&self.ends, told.end_ns())];
        of.into_iter().flat_map(move |(edges, at)| {
            let before = edges.range((at.saturating_sub(slack), 0)..(at, 0)).rev();
            let after = edges.range((at, 0)..=(at.saturating_add(slack), usize::MAX));
            let near = before.take(MOMENT_CANDIDATES_MAX).chain(after.take(MOMENT_CANDIDATES_MAX));
            near.map(|(_, cluster)| *cluster)
        })
    }
}

/// Which calls of a group are the duplicates of which.
fn one_by_one(
    traces: &[InTrace<'_>],
    group: &[(Place, Told)],
    twins: fn(&Told, &Told) -> bool,
    tellers: &mut HashMap<Place, Vec<Facts>>,
) -> Vec<(Place, Place)> {
    let mut clusters: Vec<Cluster> = Vec::new();
    let mut edges = Edges::default();
    let mut same = Vec::new();
    for (at, told) in group {
        let mut own = tellers.remove(at).unwrap_or_default();
        own.push(told.facts);
        let twin = edges
            .near(told)
            .filter(|n| {
                let cluster = &clusters[*n];
                let call = traces[cluster.call.t].told(cluster.call.i);
                let tells = |o: &Facts| cluster.tellers.iter().any(|t| t.same_teller(o));
                !own.iter().any(tells) && twins(&call, told)
            })
            .min_by_key(|n| {
                let call = clusters[*n].call;
                (apart_ns(&traces[call.t].told(call.i), told), call)
            });
        match twin {
            None => {
                edges.insert(told, clusters.len());
                clusters.push(Cluster { call: *at, tellers: own });
            }
            Some(n) => {
                clusters[n].tellers.extend(own);
                let call = clusters[n].call;
                // Which of the two is the call is for what they tell, not for who has an id.
                if told.fullness() > traces[call.t].told(call.i).fullness() {
                    same.push((call, *at));
                    for pair in same.iter_mut().filter(|(_, of)| *of == call) {
                        pair.1 = *at;
                    }
                    clusters[n].call = *at;
                } else {
                    same.push((*at, call));
                }
            }
        }
    }
    same
}
