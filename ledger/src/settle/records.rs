//! Log records that tell of calls, beside the spans that do. Takes traces whose spans are decided,
//! gives for each record the call it tells of, or makes it a call where no span is one. A span
//! stays the call, because it has its place in the trace and its true duration; where the record
//! tells more of the usage, the usage is the record's.
//!
//! A record is tied, in this order: to the inference it was written in; to one with the same
//! response or request id; to the nearest in time with the same model and usage, in its trace, its
//! session or its service; to one of its session that no record is tied to yet, which may lie further
//! off: Codex writes a record when its loop comes to it. Metrics never make calls.

use std::collections::BTreeMap;

use super::HashMap;
use super::across::Place;
use super::trace::{Call, InTrace, Mark, Owners, fill, root};
use super::twins::{
    Told, bare_record_of, edges_apart, near_record, same_as_late_record, same_as_record,
    same_response,
};
use super::view::{OWNER_FACTS, Role, RowRef, Trust};
use crate::limits::{RECORD_CANDIDATES_MAX, TWIN_SLACK};

/// What log records add.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// By the call they tell of.
    tied: HashMap<Place, Tied>,
    /// Calls that no span tells of, with the place of their trace.
    pub(super) calls: Vec<(usize, Call)>,
}

/// What the records of a call add to it.
#[derive(Debug, Default)]
pub(super) struct Tied {
    /// Where its usage is told better than on its span.
    usage: Option<RowRef>,
    /// The fullest of them.
    row: Option<RowRef>,
    owners: Owners,
}

/// A record, by its trace.
#[derive(Clone, Copy)]
struct Record {
    t: usize,
    told: Told,
}

/// Ties records to calls.
pub(super) fn tie_records(traces: &[InTrace<'_>]) -> Records {
    let mut records = records_of(traces);
    if records.is_empty() {
        return Records::default();
    }
    // The fullest first, so that what the first of several adds is what counts.
    records.sort_by(|a, b| b.told.fullness().cmp(&a.told.fullness()).then(a.t.cmp(&b.t)));
    let calls = Calls::of(traces);
    let mut found = Records::default();
    // By when they were written: records of one call are written at its end.
    let mut met: BTreeMap<(i64, u64), (Record, bool)> = BTreeMap::new();
    let slack = TWIN_SLACK.as_nanos() as i64;
    for record in records {
        let end = record.told.end_ns();
        let near = met.range((end - slack, 0)..=(end + slack, u64::MAX));
        let call = calls.told_by(traces, &record);
        match call {
            Some(call) => found.tie(traces, call, &record),
            None if near.take(RECORD_CANDIDATES_MAX).any(|(_, (a, _))| same(a, &record)) => {
                continue;
            }
            None => {}
        }
        met.insert((end, record.told.view.span), (record, call.is_none()));
    }
    for (record, _) in met.into_values().filter(|(_, alone)| *alone) {
        if let Some(call) = calls.told_late_by(traces, &record, &found) {
            found.tie(traces, call, &record);
        } else if let Some(row) = record.told.view.row {
            let owners = owners_of(&traces[record.t], &record.told);
            let call = Call::of(record.told.view.span, row, owners);
            found.calls.push((record.t, Call { usage_of_record: true, ..call }));
        }
    }
    found
}

/// Each record once.
fn records_of(traces: &[InTrace<'_>]) -> Vec<Record> {
    let mut records = Vec::new();
    for (t, trace) in traces.iter().enumerate() {
        let mut views = trace.spans.records.clone();
        views.sort_unstable_by_key(|v| (v.span, v.received, v.row));
        views.dedup_by_key(|v| v.span);
        let told = |view| Told { view, facts: trace.spans.facts(&view) };
        records.extend(views.into_iter().map(|view| Record { t, told: told(view) }));
    }
    records
}

impl Records {
    /// Adds to a call what the records that tell of it say.
    pub(super) fn add_to(&self, call: &mut Call, at: Place) {
        let Some(tied) = self.tied.get(&at) else { return };
        if let Some(usage) = tied.usage {
            call.usage = usage;
            call.usage_of_record = true;
        }
        call.also = call.also.or(tied.row);
        fill(&mut call.owners, &tied.owners);
    }

    fn tie(&mut self, traces: &[InTrace<'_>], call: Place, record: &Record) {
        let span = traces[call.t].told(call.i);
        // A library that guessed on its span writes the same guess into its record, unmarked; and
        // where it may have, the record is worth no more for not saying so.
        let same_library = span.facts.same_library(&record.told.facts);
        let same_guess = span.facts.trust == Trust::Guessed && same_library;
        let same_doubt = span.facts.trust == Trust::PerhapsGuessed && same_library;
        let mut told = record.told;
        if same_doubt {
            told.facts.trust = told.facts.trust.min(Trust::PerhapsGuessed);
        }
        let tells = |t: &Told| (t.view.usage, t.told_of_usage());
        let tied = self.tied.entry(call).or_default();
        if tied.usage.is_none() && !same_guess && tells(&told) > tells(&span) {
            tied.usage = record.told.view.row;
        }
        tied.row = tied.row.or(record.told.view.row);
        fill(&mut tied.owners, &owners_of(&traces[record.t], &record.told));
    }
}

/// Two records of one call: of different kinds, or with one id, or one that says nothing.
fn same(a: &Record, b: &Record) -> bool {
    let kinds = a.told.facts.scope != b.told.facts.scope;
    let near = a.t == b.t || near_record(&a.told, &b.told);
    same_response(&a.told, &b.told)
        || (near && bare_record_of(&b.told, &a.told))
        || (kinds && near && (same_as_record(&a.told, &b.told) || same_as_record(&b.told, &a.told)))
}

/// What the span that a record was written in inherits, and what the record names itself.
fn owners_of(trace: &InTrace<'_>, record: &Told) -> Owners {
    let mut owners = Owners::default();
    let mut own = |names: u16| {
        for (fact, owner) in owners.iter_mut().enumerate().take(OWNER_FACTS) {
            if owner.is_none() && names & 1 << fact != 0 {
                *owner = record.view.row;
            }
        }
    };
    own(record.view.names);
    own(record.view.resource_names);
    let parent = trace.tree.spans.binary_search_by_key(&record.view.parent, |s| s.span);
    if let Ok(parent) = parent {
        fill(&mut owners, &trace.owners[parent]);
    }
    owners
}

/// Where calls are found by what a record tells.
struct Calls {
    by_response: HashMap<u64, Vec<Place>>,
    /// Calls by their input, each list by rising start.
    by_input: HashMap<Option<i64>, Vec<(i64, Place)>>,
    /// All of them, by rising start.
    by_start: Vec<(i64, Place)>,
}

impl Calls {
    fn of(traces: &[InTrace<'_>]) -> Calls {
        let mut by_response: HashMap<u64, Vec<Place>> = HashMap::default();
        let mut by_input: HashMap<Option<i64>, Vec<(i64, Place)>> = HashMap::default();
        for (t, trace) in traces.iter().enumerate() {
            for (i, view) in trace.tree.spans.iter().enumerate() {
                if view.role != Role::Inference {
                    continue;
                }
                let facts = trace.spans.facts(view);
                if facts.response != 0 {
                    by_response.entry(facts.response).or_default().push(Place { t, i });
                }
                if trace.marks[i] == Mark::Call {
                    let input = facts.input.filter(|_| view.usage);
                    by_input.entry(input).or_default().push((facts.start_ns, Place { t, i }));
                }
            }
        }
        for list in by_input.values_mut() {
            list.sort_unstable();
        }
        let mut by_start: Vec<(i64, Place)> = by_input.values().flatten().copied().collect();
        by_start.sort_unstable();
        Calls { by_response, by_input, by_start }
    }

    /// The call that a record tells of.
    fn told_by(&self, traces: &[InTrace<'_>], record: &Record) -> Option<Place> {
        let facts = &record.told.facts;
        let tree = &traces[record.t].tree;
        let written_in = tree.spans.binary_search_by_key(&record.told.view.parent, |s| s.span);
        if let Ok(i) = written_in
            && let Some(call) = root(traces, Place { t: record.t, i })
        {
            return Some(call);
        }
        let same_id = self.by_response.get(&facts.response).into_iter().flatten();
        let same_id = same_id
            .take(RECORD_CANDIDATES_MAX)
            .filter(|at| same_response(&traces[at.t].told(at.i), &record.told));
        if let Some(call) = same_id.filter_map(|at| root(traces, *at)).min() {
            return Some(call);
        }
        let told = record.told.view.usage;
        let alike = self.by_input.get(&facts.input.filter(|_| told));
        let alike = alike.map_or(&[][..], Vec::as_slice);
        let alike = nearest(traces, record, alike, |_, call| same_as_record(&record.told, call));
        if told || alike.is_some() {
            return alike;
        }
        nearest(traces, record, &self.by_start, |_, call| bare_record_of(&record.told, call))
    }

    /// The call of its session that a record tells of which was written long before or after, where
    /// no record tells of it so far.
    fn told_late_by(
        &self,
        traces: &[InTrace<'_>],
        record: &Record,
        found: &Records,
    ) -> Option<Place> {
        let alike = self.by_input.get(&record.told.facts.input)?;
        nearest(traces, record, alike, |at, call| {
            same_as_late_record(&record.told, call) && !found.tied.contains_key(&at)
        })
    }
}

/// Of calls by rising start the one nearest in time that a record tells of.
fn nearest(
    traces: &[InTrace<'_>],
    record: &Record,
    calls: &[(i64, Place)],
    tells_of: impl Fn(Place, &Told) -> bool,
) -> Option<Place> {
    let here = calls.partition_point(|(start, _)| *start < record.told.facts.start_ns);
    let from = here.saturating_sub(RECORD_CANDIDATES_MAX / 2);
    let near = calls[from..].iter().take(RECORD_CANDIDATES_MAX).map(|(_, at)| *at);
    near.filter(|at| {
        let call = traces[at.t].told(at.i);
        let near = at.t == record.t || near_record(&record.told, &call);
        near && tells_of(*at, &call)
    })
    .min_by_key(|at| (edges_apart(&traces[at.t].told(at.i), &record.told), *at))
}
