//! When two items tell of one call, and which of them tells it better. Takes the facts of two
//! inferences, gives yes or no and an order; it does not know where they stand in their trace.
//! Every rule is symmetric and looks at the two alone, so that no order of arrival matters.

use std::cmp::Reverse;
use std::time::Duration;

use super::view::{Facts, SpanView, Trust};
use crate::limits::{SESSION_SLACK, TOGETHER_SLACK, TWIN_SLACK, WITHIN_SLACK};

/// An inference with what is known of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) view: SpanView,
    pub(super) facts: Facts,
}

impl Told {
    /// When it ended; a record, when it was written.
    pub(super) fn end_ns(&self) -> i64 {
        self.facts.start_ns.saturating_add(self.view.duration_ns.max(0))
    }

    /// Larger for the one that tells more of the usage: what is clear before what is not, both
    /// totals before one, counted before what may be guessed, more leaves before fewer.
    pub(super) fn told_of_usage(&self) -> impl Ord + use<> {
        let trust = self.facts.trust;
        (trust.min(Trust::PerhapsGuessed), self.facts.totals(), trust, self.facts.leaves)
    }

    /// Larger for the one that tells more: usage before none, and more of it, a response id, more
    /// facts of ownership, then the longer. The last ones only make the order total.
    pub(super) fn fullness(&self) -> impl Ord + use<> {
        let (view, facts) = (&self.view, &self.facts);
        let usage = (view.usage, self.told_of_usage());
        let rest = (facts.response != 0, view.names.count_ones(), view.duration_ns);
        (usage, rest, Reverse((facts.start_ns, view.span)))
    }
}

/// Whether both carry the same response id and nothing speaks against it. An id alone does not
/// do: some servers answer every call with the same one.
pub(super) fn same_response(a: &Told, b: &Told) -> bool {
    let (x, y) = (&a.facts, &b.facts);
    x.response != 0
        && x.response == y.response
        && models_agree(x, y)
        && at_one_time(a, b, TWIN_SLACK)
}

/// Whether one library told of an answer again: it began at the same nanosecond. When it ended may
/// differ, and the usage be a guess the first time: LiteLLM 1.63 tells of a stream once while it
/// flows, and once when it has ended.
pub(super) fn told_again(a: &Told, b: &Told) -> bool {
    a.facts.start_ns == b.facts.start_ns
}

/// Whether two spans, one below the other, tell of one call although no id says so: the same
/// usage, model and time, from two libraries, or ids that are not told by both. Where one of two
/// libraries does not know all the input, for want of cached tokens, the output does.
pub(super) fn same_usage(a: &Told, b: &Told) -> bool {
    let (x, y) = (&a.facts, &b.facts);
    let ids_differ = x.response != 0 && y.response != 0 && x.response != y.response;
    let told = x.input.is_some() || x.output.is_some();
    let two = x.scope != y.scope;
    let part = two && x.output.is_some() && x.input.is_none() != y.input.is_none();
    let same = told && x.output == y.output && (x.input == y.input || part);
    !ids_differ && same && models_agree(x, y) && at_one_time(a, b, TWIN_SLACK)
}

/// Whether two spans of one service tell of one call although they stand apart and no id says so:
/// another library, the same usage (or none on either), the same model, and the one within the
/// time of the other. An id that one of them lacks is what leaves them unsaid.
pub(super) fn same_moment(a: &Told, b: &Told) -> bool {
    let (x, y) = (&a.facts, &b.facts);
    let same = x.input == y.input && x.output == y.output && a.view.usage == b.view.usage;
    same && (unsaid_twins(a, b) || told_by_two_of_a_scope(a, b))
}

/// The same where one of them does not know the input: the output is that of the other. LangChain
/// sums up the chunks of a stream, and the input of Claude is in none of them.
pub(super) fn same_output(a: &Told, b: &Told) -> bool {
    let (x, y) = (&a.facts, &b.facts);
    let part = x.input.is_none() != y.input.is_none();
    part && x.output.is_some() && x.output == y.output && unsaid_twins(a, b)
}

/// The same where one of them knows no count of the answer: the stream that the other tells of was not
/// followed by its library, or what it used guessed. They begin or end together, and both say of which
/// model.
pub(super) fn not_followed(a: &Told, b: &Told) -> bool {
    let (x, y) = (&a.facts, &b.facts);
    let known = x.models != [0, 0] && y.models != [0, 0];
    let together = edges_apart(a, b) <= TOGETHER_SLACK.as_nanos() as u64;
    let unknown = x.knows_no_count() != y.knows_no_count();
    let guessed = matches!(
        (x.trust, y.trust),
        (Trust::PerhapsGuessed, Trust::Counted) | (Trust::Counted, Trust::PerhapsGuessed)
    );
    (unknown || guessed) && !x.failed && !y.failed && known && together && unsaid_twins(a, b)
}

/// Whether two spans of two libraries stand apart and may be told of one call.
fn unsaid_twins(a: &Told, b: &Told) -> bool {
    a.facts.scope != b.facts.scope && stand_apart(a, b)
}

/// Whether two instrumentations of one scope tell of one call: Langfuse's of LangChain and of the
/// client below it, OpenLIT's. What ties them is more, because one of them tells two calls too.
fn told_by_two_of_a_scope(a: &Told, b: &Told) -> bool {
    let (x, y) = (&a.facts, &b.facts);
    let two = x.scope == y.scope && !x.same_teller(y) && one_holds_the_other(a, b);
    two && x.is_told_in_full() && y.is_told_in_full() && stand_apart(a, b)
}

/// Whether two spans of a service may be told of one call, by model and time, and no two ids say
/// that they are not.
fn stand_apart(a: &Told, b: &Told) -> bool {
    let (x, y) = (&a.facts, &b.facts);
    let service = x.service != 0 && x.service == y.service;
    let unsaid = x.response == 0 || y.response == 0;
    service && unsaid && models_agree(x, y) && (within(a, b) || within(b, a))
}

/// Whether two instrumentations of one scope tell of one answer, in two traces: by names of their
/// own, the one within the time of the other. MLflow 3.0 tells so of LangChain and its client.
pub(super) fn answered_within(a: &Told, b: &Told) -> bool {
    a.facts.name != b.facts.name && one_holds_the_other(a, b)
}

/// Whether the one begins no earlier than the other and ends no later: without slack, because short
/// calls that follow each other are not one.
fn one_holds_the_other(a: &Told, b: &Told) -> bool {
    let holds = |outer: &Told, inner: &Told| {
        outer.facts.start_ns <= inner.facts.start_ns && inner.end_ns() <= outer.end_ns()
    };
    holds(a, b) || holds(b, a)
}

/// Whether a span without a length tells the end of a stream that another span began: one library,
/// one model, later, and what the other lacks or how long the stream took.
pub(super) fn ends_stream(end: &Told, begun: &Told) -> bool {
    let (e, b) = (&end.facts, &begun.facts);
    let pair = end.view.duration_ns == 0 && begun.view.duration_ns > 0 && e.scope == b.scope;
    let bare = b.response == 0 && !begun.view.usage && !b.failed;
    let more = end.view.usage || e.response != 0 || e.joint_ns != 0;
    pair && bare && more && models_agree(e, b) && begun.end_ns() <= e.start_ns
}

/// Whether one lies in the time of the other.
fn within(inner: &Told, outer: &Told) -> bool {
    let slack = WITHIN_SLACK.as_nanos() as i64;
    outer.facts.start_ns <= inner.facts.start_ns.saturating_add(slack)
        && inner.end_ns() <= outer.end_ns().saturating_add(slack)
}

/// Whether a log record and an inference elsewhere are of one trace, session or, with the same
/// usage, one service.
pub(super) fn near_record(record: &Told, call: &Told) -> bool {
    let (r, c) = (&record.facts, &call.facts);
    let session = r.session != 0 && r.session == c.session;
    let service = r.service != 0 && r.service == c.service;
    session || (service && record.view.usage && r.input == c.input && r.output == c.output)
}

/// Whether a log record tells of the call of an inference that is near. What a record adds (a CLI
/// counts thoughts that its span leaves out) makes its output no smaller, where it tells one.
pub(super) fn same_as_record(record: &Told, call: &Told) -> bool {
    let (r, c) = (&record.facts, &call.facts);
    let ids_differ = r.response != 0 && c.response != 0 && r.response != c.response;
    let sessions_differ = r.session != 0 && c.session != 0 && r.session != c.session;
    let usage = match (record.view.usage, call.view.usage) {
        (true, true) => r.input == c.input && (r.output.is_none() || r.output >= c.output),
        // One that failed, or whose stream was cut, has no numbers on either.
        (a, b) => a == b,
    };
    !ids_differ
        && !sessions_differ
        && usage
        && models_agree(r, c)
        && at_one_time(record, call, TWIN_SLACK)
}

/// The same of a record that was written long before or after: of one session, with the same usage
/// in full.
pub(super) fn same_as_late_record(record: &Told, call: &Told) -> bool {
    let (r, c) = (&record.facts, &call.facts);
    let ids_differ = r.response != 0 && c.response != 0 && r.response != c.response;
    let session = r.session != 0 && r.session == c.session;
    let told = r.input.is_some_and(|n| n > 0) && r.output.is_some_and(|n| n > 0);
    let same = told && (r.input, r.output) == (c.input, c.output);
    let late = at_one_time(record, call, SESSION_SLACK);
    !ids_differ && session && same && models_agree(r, c) && late
}

/// Whether a log record without usage or an error, such as the bare end of a stream, is of a call
/// that is near: by itself it says nothing that could be counted.
pub(super) fn bare_record_of(record: &Told, call: &Told) -> bool {
    let (r, c) = (&record.facts, &call.facts);
    let ids_differ = r.response != 0 && c.response != 0 && r.response != c.response;
    let bare = !record.view.usage && !r.failed && !c.failed;
    bare && !ids_differ && models_agree(r, c) && at_one_time(record, call, TWIN_SLACK)
}

/// Whether no model, or else no provider, speaks against one call: a library may tell the model
/// asked for, the one that served, or both, and may name itself as the provider.
pub(super) fn models_agree(a: &Facts, b: &Facts) -> bool {
    let known = |f: &Facts| f.models != [0, 0];
    if known(a) && known(b) {
        return a.models.iter().any(|m| *m != 0 && b.models.contains(m));
    }
    a.provider == b.provider || a.provider == 0 || b.provider == 0
}

/// Whether they overlap in time, give or take what clocks and the end of a stream differ by.
fn at_one_time(a: &Told, b: &Told, slack: Duration) -> bool {
    let slack = slack.as_nanos() as i64;
    let before = |x: &Told, y: &Told| x.facts.start_ns <= y.end_ns().saturating_add(slack);
    before(a, b) && before(b, a)
}

/// How far apart two end that know the answer, then how far apart they begin: one that asked again
/// began with other requests.
pub(super) fn ends_apart(a: &Told, b: &Told) -> (u64, u64) {
    (a.end_ns().abs_diff(b.end_ns()), a.facts.start_ns.abs_diff(b.facts.start_ns))
}

/// How far apart two begin or end, whichever is nearer.
pub(super) fn edges_apart(a: &Told, b: &Told) -> u64 {
    let (ends, starts) = ends_apart(a, b);
    ends.min(starts)
}

/// How far apart two lie of which one does not know the answer, and may be over before it: nothing
/// where both begin and end together, else as far as the nearer of the two.
pub(super) fn not_followed_apart(a: &Told, b: &Told) -> (u64, u64) {
    let (ends, starts) = ends_apart(a, b);
    let farther = ends.max(starts);
    let together = farther <= TOGETHER_SLACK.as_nanos() as u64;
    (if together { 0 } else { ends.min(starts).max(1) }, farther)
}
