//! Which spans of traces are billable calls, whose, and what the others are. Takes the traces that
//! tell of the same calls, as small views; gives the calls and verdicts of each. The order of the
//! spans and of the traces does not matter. Pure: no clock, no columns, no I/O.
//!
//! Rules, in the order in which they are applied:
//! 1. Of spans with the same id the fullest counts, once.
//!    What begins after a span is over is no part of it, whatever it says of its parent.
//! 2. Only inferences can be calls; agents and workflows that repeat usage never are.
//! 3. An inference with usage is a call when none below it has usage: what lies below is part of
//!    it. With exactly one below that has usage, and both tell of one call (`twins`), the one that
//!    tells more is the call, else the lower. Otherwise it is a roll-up: told parts are what
//!    counts, and what it tells beyond them is noted, never charged. So adding a wrapper never
//!    changes spend, also where some of its parts tell no usage: these stay calls of unknown usage.
//!    But what tools ask of another model is no part of the call that asked for the tools: where
//!    there is nothing else below, and the usage is not that of what is below, all are calls. So
//!    are all where one library's call ends after that above it, which can be no sum of it then.
//! 4. An inference without usage is a call (it failed, or was cut) unless it lies around calls or
//!    is part of one: below a span that has usage, with no tool between; or right below one of its
//!    own library that failed, naming no model where that one names it.
//! 5. Calls with one response id, wherever they stand, told by different libraries, are one; so
//!    are, where an id is missing, those of one service, usage, model and moment (`across`). A span
//!    without a length may tell the end of a stream that another began (`ends`). Log records are
//!    tied to calls, or are calls where no span is (`records`). Of a running sum each call has what
//!    the one before it does not tell (`sums`).
//! 6. Each fact of ownership is that of the nearest of the span and its ancestors that names it
//!    itself, else of the nearest whose resource does, else what a duplicate inherits.

use super::HashMap;
use super::across::{Place, tie_not_followed, tie_responses, tie_same_moment};
use super::ends::tie_stream_ends;
use super::records::tie_records;
use super::sums::told_before;
use super::tree::Tree;
use super::twins::{Told, models_agree, same_response, same_usage};
use super::verdict::{Judged, Of, Rule, Uncounted, Verdict};
use super::view::{OWNER_FACTS, Role, RowRef, SpanView, Spans};

/// A billable call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) span: u64,
    pub(super) row: RowRef,
    /// Where its usage is told: the same row, or that of a log record that tells more.
    pub(super) usage: RowRef,
    /// Whether the usage is told by a log record.
    pub(super) usage_of_record: bool,
    /// Where what the call does not tell is looked for: its fullest duplicate, or a log record.
    pub(super) also: Option<RowRef>,
    /// The call before it, whose usage is to be taken off its own.
    pub(super) less: Option<RowRef>,
    /// Whether its usage is that of the requests before it, too, and nothing says of each.
    pub(super) sum: bool,
    /// How long it took, where its span ends before it and another tells when it was over.
    pub(super) took_ns: Option<i64>,
    /// The spans that name its facts of ownership.
    pub(super) owners: Owners,
}

/// Rows that name each fact of ownership.
pub(super) type Owners = [Option<RowRef>; OWNER_FACTS];

/// What a trace comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Settled {
    /// By rising span id.
    pub(super) calls: Vec<Call>,
    /// What is to be said of spans that are no calls, by rising span id.
    pub(super) judged: Vec<Judged>,
}

/// What a span is, while its trace is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Nothing is to be said of it.
    Other,
    Call,
    Same(Place, Rule),
    Rollup(Rule, Uncounted),
}

/// A trace while it is looked at.
pub(super) struct InTrace<'a> {
    pub(super) spans: &'a Spans,
    pub(super) tree: Tree,
    /// By place in the tree.
    pub(super) marks: Vec<Mark>,
    pub(super) owners: Vec<Owners>,
}

impl InTrace<'_> {
    pub(super) fn told(&self, i: usize) -> Told {
        let view = self.tree.spans[i];
        Told { view, facts: self.spans.facts(&view) }
    }
}

/// The calls and verdicts of traces that tell of the same calls, in their order.
pub(super) fn settle_together(traces: &[&Spans]) -> Vec<Settled> {
    let mut looked: Vec<InTrace<'_>> =
        traces.iter().enumerate().map(|(t, spans)| in_trace(t, spans)).collect();
    tie_responses(&mut looked);
    tie_same_moment(&mut looked);
    tie_stream_ends(&mut looked);
    tie_not_followed(&mut looked);
    let records = tie_records(&looked);
    let inherited = from_duplicates(&looked);
    let settled = looked.iter().enumerate().map(|(t, trace)| {
        let mut settled = Settled::default();
        let before = told_before(trace);
        for (i, view) in trace.tree.spans.iter().enumerate() {
            match (trace.marks[i], view.row) {
                (Mark::Call, Some(row)) => {
                    let at = Place { t, i };
                    let mut call = Call::of(view.span, row, trace.owners[i]);
                    if let Some(more) = inherited.get(&at) {
                        call.also = more.row;
                        call.usage = more.usage.unwrap_or(call.usage);
                        call.sum = more.sum;
                        let start_ns = trace.told(i).facts.start_ns;
                        call.took_ns = more.over_ns.map(|over| over.saturating_sub(start_ns));
                        fill(&mut call.owners, &more.owners);
                    }
                    records.add_to(&mut call, at);
                    call.less = before.get(&i).copied().filter(|_| call.usage == row);
                    settled.calls.push(call);
                }
                (mark, _) => settled.judged.extend(judge(&looked, view, trace, mark)),
            }
        }
        settled.calls.extend(records.calls.iter().filter(|(of, _)| *of == t).map(|(_, c)| *c));
        settled.calls.sort_unstable_by_key(|c| c.span);
        settled
    });
    settled.collect()
}

impl Call {
    /// A call that tells its own usage.
    pub(super) fn of(span: u64, row: RowRef, owners: Owners) -> Call {
        let (also, less, took_ns) = (None, None, None);
        let (usage_of_record, sum) = (false, false);
        Call { span, row, usage: row, usage_of_record, also, less, sum, took_ns, owners }
    }
}

/// Rules 1 to 4 and 6 for one trace.
fn in_trace(t: usize, spans: &Spans) -> InTrace<'_> {
    let tree = Tree::of(spans);
    let marks = vec![Mark::Other; tree.spans.len()];
    let mut trace = InTrace { spans, tree, marks, owners: Vec::new() };
    let one_call = from_below(t, &mut trace);
    from_above(t, &mut trace, &one_call);
    trace.owners = owners(&trace.tree);
    trace
}

/// What lies under a span: the calls there, which one it is when there is one, and their usage or
/// that of the roll-ups between, where it is more.
#[derive(Clone, Copy, Default)]
struct Below {
    calls: u32,
    /// Those of them with usage.
    told: u32,
    call: usize,
    call_told: usize,
    /// How many of those with usage are in a tool.
    in_tools: u32,
    /// Whether those with usage are of more than one model.
    models_differ: bool,
    /// When the last of those with usage was over, in nanoseconds since the epoch.
    over_ns: i64,
    usage: Uncounted,
}

impl Below {
    fn add(&mut self, more: &Below, trace: &InTrace<'_>) {
        self.models_differ |= more.models_differ;
        if self.told > 0 && more.told > 0 {
            let [one, other] = [self, more].map(|b| trace.told(b.call_told).facts);
            self.models_differ |= !models_agree(&one, &other);
        }
        if more.calls > 0 {
            self.call = more.call;
        }
        if more.told > 0 {
            self.call_told = more.call_told;
        }
        self.calls += more.calls;
        self.told += more.told;
        self.in_tools += more.in_tools;
        self.over_ns = self.over_ns.max(more.over_ns);
        self.usage.input = self.usage.input.saturating_add(more.usage.input);
        self.usage.output = self.usage.output.saturating_add(more.usage.output);
    }
}

/// The call of which a span with usage, and all that lies below it, tells.
#[derive(Clone, Copy)]
struct OneCall {
    call: usize,
    /// Whether something below tells usage as well.
    told_below: bool,
}

/// Marks every span by what lies below it. Gives, for each inference with usage, the call of which
/// it and all that lies below it tell, where that is one.
fn from_below(t: usize, trace: &mut InTrace<'_>) -> Vec<Option<OneCall>> {
    let mut one_call = vec![None; trace.tree.spans.len()];
    let mut below = vec![Below::default(); trace.tree.spans.len()];
    for at in (0..trace.tree.order.len()).rev() {
        let i = trace.tree.order[at];
        let up = match trace.tree.spans[i] {
            SpanView { role: Role::Other, .. } => below[i],
            SpanView { role: Role::Tool, .. } => Below { in_tools: below[i].told, ..below[i] },
            SpanView { role: Role::Rollup, usage: false, .. } => below[i],
            SpanView { role: Role::Rollup, .. } => sum_of(trace, i, &below[i]),
            SpanView { usage: true, .. } => {
                let (up, one) = with_usage(t, trace, i, &below[i]);
                one_call[i] = one;
                up
            }
            _ => without_usage(t, trace, i, &below[i]),
        };
        if let Some(parent) = trace.tree.within[i] {
            below[parent].add(&up, trace);
        }
    }
    one_call
}

fn with_usage(
    t: usize,
    trace: &mut InTrace<'_>,
    i: usize,
    under: &Below,
) -> (Below, Option<OneCall>) {
    let told = trace.told(i);
    if under.told == 0 {
        trace.marks[i] = Mark::Call;
        return (of_call(i, &told), Some(OneCall { call: i, told_below: false }));
    }
    if in_its_tools(trace, &told, under) {
        return (with_both(trace, i, &told, under), None);
    }
    let inner = trace.told(under.call_told);
    let rule = match under.told {
        1 if same_response(&told, &inner) => Some(Rule::SameResponse),
        1 if same_usage(&told, &inner) => Some(Rule::SameUsage),
        _ => None,
    };
    let Some(rule) = rule else {
        let up = match is_outlived(&told, &inner, under) {
            true => with_both(trace, i, &told, under),
            false => sum_of(trace, i, under),
        };
        return (up, None);
    };
    if tells_more(&told, &inner) {
        trace.marks[under.call_told] = Mark::Same(Place { t, i }, rule);
        trace.marks[i] = Mark::Call;
        let call = if under.call == under.call_told { i } else { under.call };
        return (
            Below { call, call_told: i, usage: usage_of(&told), ..*under },
            Some(OneCall { call: i, told_below: true }),
        );
    }
    trace.marks[i] = Mark::Same(Place { t, i: under.call_told }, rule);
    (*under, Some(OneCall { call: under.call_told, told_below: true }))
}

/// A call, as it is seen from above.
fn of_call(i: usize, told: &Told) -> Below {
    let (usage, over_ns) = (usage_of(told), told.end_ns());
    Below { calls: 1, told: 1, call: i, call_told: i, usage, over_ns, ..Below::default() }
}

/// Marks an inference as a call beside those below it.
fn with_both(trace: &mut InTrace<'_>, i: usize, told: &Told, under: &Below) -> Below {
    trace.marks[i] = Mark::Call;
    let mut both = of_call(i, told);
    both.add(under, trace);
    both
}

/// Whether an inference was over before the last of the calls below it, of its own library: what it
/// tells is no sum of theirs. A library left its context behind and began the next call under it (ADK
/// for Java, which ends a span when its reader has gone on).
fn is_outlived(told: &Told, inner: &Told, under: &Below) -> bool {
    let own = told.facts.scope == inner.facts.scope && told.facts.service == inner.facts.service;
    own && told.end_ns() < under.over_ns
}

/// Whether an inference is none of the calls below it: tools that it asked for made them all, of
/// another model, and it tells another usage.
fn in_its_tools(trace: &InTrace<'_>, told: &Told, under: &Below) -> bool {
    let inner = trace.told(under.call_told);
    under.in_tools == under.told
        && !under.models_differ
        && !models_agree(&told.facts, &inner.facts)
        && usage_of(told) != under.usage
}

fn without_usage(t: usize, trace: &mut InTrace<'_>, i: usize, under: &Below) -> Below {
    if let Some(of) = piece_of(trace, i).filter(|_| under.calls == 0) {
        trace.marks[i] = Mark::Same(Place { t, i: of }, Rule::PartOfCall);
        return *under;
    }
    trace.marks[i] = match under.calls {
        0 => Mark::Call,
        1 => Mark::Same(Place { t, i: under.call }, Rule::AroundCall),
        _ => Mark::Rollup(Rule::AroundCalls, Uncounted::default()),
    };
    match under.calls {
        0 => Below { calls: 1, call: i, ..Below::default() },
        _ => *under,
    }
}

/// The inference right above that failed, of which one that tells no model is a piece: BeeAI makes a span
/// of each event of an answer, and of its failure.
fn piece_of(trace: &InTrace<'_>, i: usize) -> Option<usize> {
    let above = trace.tree.within[i].filter(|p| trace.tree.spans[*p].role == Role::Inference)?;
    let [piece, whole] = [i, above].map(|at| trace.told(at).facts);
    let same = piece.scope == whole.scope;
    let named = piece.models == [0, 0] && whole.models != [0, 0];
    (same && named && whole.failed).then_some(above)
}

/// A span that repeats the usage of what lies below, as far as it does.
fn sum_of(trace: &mut InTrace<'_>, i: usize, under: &Below) -> Below {
    let own = usage_of(&trace.told(i));
    let uncounted = Uncounted {
        input: (own.input - under.usage.input).max(0),
        output: (own.output - under.usage.output).max(0),
    };
    let role = trace.tree.spans[i].role;
    trace.marks[i] = match uncounted {
        // A span that says itself what it is needs no verdict.
        Uncounted { input: 0, output: 0 } if role == Role::Rollup => Mark::Other,
        Uncounted { input: 0, output: 0 } => Mark::Rollup(Rule::RepeatsCalls, uncounted),
        _ if under.told == 0 => Mark::Rollup(Rule::UsageWithoutCall, uncounted),
        _ => Mark::Rollup(Rule::MoreThanItsCalls, uncounted),
    };
    let usage = Uncounted {
        input: own.input.max(under.usage.input),
        output: own.output.max(under.usage.output),
    };
    Below { usage, ..*under }
}

fn usage_of(told: &Told) -> Uncounted {
    let count = |n: Option<i64>| n.unwrap_or_default().max(0);
    Uncounted { input: count(told.facts.input), output: count(told.facts.output) }
}

/// Whether the outer span tells strictly more of a call than the inner one.
fn tells_more(outer: &Told, inner: &Told) -> bool {
    let tells = |t: &Told| (t.told_of_usage(), t.facts.response != 0);
    tells(outer) > tells(inner)
}

/// Marks inferences without usage as parts of the call of which all above them tells that has usage.
/// One that failed beside another that tells the usage was an attempt of its own.
fn from_above(t: usize, trace: &mut InTrace<'_>, one_call: &[Option<OneCall>]) {
    let mut within: Vec<Option<OneCall>> = vec![None; trace.tree.spans.len()];
    for &i in &trace.tree.order {
        let view = &trace.tree.spans[i];
        let here = trace.tree.within[i].and_then(|p| within[p]);
        let failed = trace.told(i).facts.failed;
        within[i] = match (view.role, here) {
            (Role::Tool, _) => None,
            (Role::Inference, _) if view.usage => one_call[i].or(here),
            (Role::Inference, Some(of)) if !(failed && of.told_below) => {
                trace.marks[i] = Mark::Same(Place { t, i: of.call }, Rule::PartOfCall);
                here
            }
            _ => here,
        };
    }
}

/// Rule 6: for every span the rows that name its facts of ownership.
fn owners(tree: &Tree) -> Vec<Owners> {
    let mut named: Vec<Owners> = vec![Owners::default(); tree.spans.len()];
    let mut of_resource = named.clone();
    for &i in &tree.order {
        let span = &tree.spans[i];
        let (mut here, mut resource) =
            tree.within[i].map_or_else(Default::default, |p| (named[p], of_resource[p]));
        for fact in 0..OWNER_FACTS {
            if span.names & 1 << fact != 0 {
                here[fact] = span.row;
            }
            if span.resource_names & 1 << fact != 0 {
                resource[fact] = span.row;
            }
        }
        (named[i], of_resource[i]) = (here, resource);
    }
    for (named, resource) in named.iter_mut().zip(&of_resource) {
        fill(named, resource);
    }
    named
}

/// Takes over what is not there yet.
pub(super) fn fill(owners: &mut Owners, more: &Owners) {
    for (owner, more) in owners.iter_mut().zip(more) {
        *owner = owner.or(*more);
    }
}

/// What the duplicates of a call have to say.
#[derive(Default)]
struct Inherited {
    /// The fullest of them.
    row: Option<RowRef>,
    /// The one that tells the usage of a stream at its end.
    usage: Option<RowRef>,
    /// When that stream was over, in nanoseconds since the epoch.
    over_ns: Option<i64>,
    /// Whether one of them is another request of a running sum, of which it tells the whole.
    sum: bool,
    owners: Owners,
}

/// What duplicates inherit and tell, for the calls they tell of; the fullest first.
fn from_duplicates(traces: &[InTrace<'_>]) -> HashMap<Place, Inherited> {
    let mut found = Vec::new();
    for (t, trace) in traces.iter().enumerate() {
        for (i, mark) in trace.marks.iter().enumerate() {
            if let Mark::Same(_, rule) = mark
                && let Some(call) = root(traces, Place { t, i })
            {
                let ends = *rule == Rule::EndOfStream;
                found.push((call, trace.told(i), trace.owners[i], ends));
            }
        }
    }
    found.sort_by(|a, b| (a.0, b.1.fullness()).cmp(&(b.0, a.1.fullness())));
    let mut inherited: HashMap<Place, Inherited> = HashMap::default();
    for (call, told, owners, ends) in found {
        let more = inherited.entry(call).or_default();
        more.row = more.row.or(told.view.row);
        more.sum |=
            told.facts.sum.is_some() && told.facts.same_teller(&traces[call.t].told(call.i).facts);
        if ends {
            more.over_ns = more.over_ns.or(Some(told.facts.start_ns));
            more.usage = more.usage.or(told.view.row.filter(|_| told.view.usage));
        }
        fill(&mut more.owners, &owners);
    }
    inherited
}

/// The call that a span is, or tells of; `None` when it is a roll-up or no inference.
pub(super) fn root(traces: &[InTrace<'_>], mut at: Place) -> Option<Place> {
    loop {
        match traces[at.t].marks[at.i] {
            Mark::Call => return Some(at),
            Mark::Same(of, _) => at = of,
            Mark::Other | Mark::Rollup(..) => return None,
        }
    }
}

fn judge(
    traces: &[InTrace<'_>],
    view: &SpanView,
    trace: &InTrace<'_>,
    mark: Mark,
) -> Option<Judged> {
    let (verdict, uncounted) = match mark {
        Mark::Other | Mark::Call => return None,
        Mark::Rollup(rule, uncounted) => (Verdict::Rollup(rule), uncounted),
        Mark::Same(of, rule) => {
            let call = root(traces, of)?;
            let span = traces[call.t].tree.spans[call.i].span;
            (Verdict::Duplicate(rule, Of { trace: call.t, span }), Uncounted::default())
        }
    };
    let start_ns = trace.spans.facts(view).start_ns;
    Some(Judged { span: view.span, start_ns, verdict, uncounted })
}
