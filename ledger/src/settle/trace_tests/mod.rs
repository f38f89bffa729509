//! Tests of the rules over traces: which spans are calls, whose, and what the others are; case by
//! case here, over any forest of spans in `properties`.

mod apart;
mod left_behind;
mod properties;
mod sums;

use super::trace::{Call, Settled, settle_together};
use super::verdict::{Of, Rule, Uncounted, Verdict};
use super::view::{Facts, NO_FACTS, Role, RowRef, SpanView, Spans, Trust};

const TEAM: u16 = 1;
/// 2026-11-20T10:00:00Z
const T0: i64 = 1_795_168_800_000_000_000;
const SECOND: i64 = 1_000_000_000;

/// A span under construction.
#[derive(Debug, Clone, Copy)]
struct S {
    view: SpanView,
    facts: Option<Facts>,
}

impl S {
    fn response(self, response: u64) -> S {
        self.with(|f| f.response = response)
    }
    fn library(self, scope: u32) -> S {
        self.with(|f| f.scope = scope)
    }
    fn model(self, model: u32) -> S {
        self.with(|f| f.models = [model, 0])
    }
    fn leaves(self, leaves: u8) -> S {
        self.with(|f| f.leaves = leaves)
    }
    fn at(self, second: i64) -> S {
        self.with(|f| f.start_ns = T0 + second * SECOND)
    }
    fn with(mut self, change: impl Fn(&mut Facts)) -> S {
        self.facts.iter_mut().for_each(change);
        self
    }
    fn names(mut self, names: u16) -> S {
        self.view.names = names;
        self
    }
    fn of_resource(mut self, names: u16) -> S {
        self.view.resource_names = names;
        self
    }
}

fn span(id: u64, parent: u64) -> S {
    let view = SpanView {
        span: id,
        parent,
        row: Some(RowRef { chunk: 0, row: id as u32 }),
        role: Role::Other,
        usage: false,
        names: 0,
        resource_names: 0,
        facts: NO_FACTS,
        duration_ns: SECOND,
        received: 0,
    };
    S { view, facts: None }
}

/// An inference with so many input tokens and a tenth of them as output; untold with `None`.
fn inference(id: u64, parent: u64, input: impl Into<Option<i64>>) -> S {
    let input = input.into();
    let output = input.map(|n| n / 10);
    let facts = Facts { start_ns: T0, input, output, trust: Trust::Counted, ..Facts::default() };
    let view = SpanView { role: Role::Inference, usage: input.is_some(), ..span(id, parent).view };
    S { view, facts: Some(facts) }
}

fn agent(id: u64, parent: u64, input: i64) -> S {
    let mut agent = inference(id, parent, input);
    agent.view.role = Role::Rollup;
    agent
}

/// A log record written in a span.
fn record(id: u64, parent: u64, input: i64) -> S {
    inference(id, parent, input).with(|f| f.record = true)
}

fn trace(spans: &[S]) -> Spans {
    let mut trace = Spans::default();
    for s in spans {
        trace.push(s.view, s.facts);
    }
    trace
}

fn settle(spans: &[S]) -> Settled {
    settle_together(&[&trace(spans)]).remove(0)
}

fn called(spans: &[S]) -> Vec<u64> {
    ids(&settle(spans).calls)
}

fn ids(calls: &[Call]) -> Vec<u64> {
    calls.iter().map(|c| c.span).collect()
}

/// A span without a length at the end of a stream.
fn end_of_stream(id: u64, parent: u64, input: impl Into<Option<i64>>) -> S {
    let mut end = inference(id, parent, input);
    end.view.duration_ns = 0;
    end
}

fn verdicts(settled: &Settled) -> Vec<(u64, Verdict)> {
    settled.judged.iter().map(|j| (j.span, j.verdict)).collect()
}

fn duplicate(rule: Rule, trace: usize, span: u64) -> Verdict {
    Verdict::Duplicate(rule, Of { trace, span })
}

#[test]
fn wrapper_that_repeats_usage_is_no_call() {
    let settled = settle(&[inference(1, 0, 30), inference(2, 1, 10), inference(3, 1, 20)]);
    assert_eq!(ids(&settled.calls), [2, 3]);
    assert_eq!(verdicts(&settled), [(1, Verdict::Rollup(Rule::RepeatsCalls))]);
    // With an agent and a tool between them.
    let spans = [agent(1, 0, 10), inference(2, 1, 10), span(3, 2), inference(4, 3, 10)];
    let settled = settle(&spans);
    assert_eq!(ids(&settled.calls), [4]);
    assert_eq!(verdicts(&settled), [(2, duplicate(Rule::SameUsage, 0, 4))]);
}

#[test]
fn what_a_wrapper_tells_beyond_its_calls_is_noted_and_not_charged() {
    // 100 in and 10 out, of which the one part that tells has 40 and 4.
    let settled = settle(&[inference(1, 0, 100), inference(2, 1, 40), inference(3, 1, None)]);
    assert_eq!(ids(&settled.calls), [2, 3]);
    assert_eq!(verdicts(&settled), [(1, Verdict::Rollup(Rule::MoreThanItsCalls))]);
    assert_eq!(settled.judged[0].uncounted, Uncounted { input: 60, output: 6 });
}

#[test]
fn what_a_tool_asks_of_another_model_is_a_call_beside_the_one_that_asked_for_the_tool() {
    let tool = |id, parent| {
        let mut tool = span(id, parent);
        tool.view.role = Role::Tool;
        tool
    };
    let (outer, inner) = (inference(1, 0, 50_000).model(1), inference(3, 2, 400).model(2));
    assert_eq!(called(&[outer, tool(2, 1), inner]), [1, 3]);
    // So it is below an agent that repeats both: 50,400 in and 5,040 out.
    let asks = |s: S, parent| S { view: SpanView { parent, ..s.view }, ..s };
    let settled = settle(&[agent(9, 0, 50_400), asks(outer, 9), tool(2, 1), inner]);
    assert_eq!((ids(&settled.calls), verdicts(&settled)), (vec![1, 3], vec![]));
    // Of the same model, or without a tool between, or with a part outside: it may be their sum.
    assert_eq!(called(&[outer, tool(2, 1), inner.model(1)]), [3]);
    assert_eq!(called(&[outer, span(2, 1), inner]), [3]);
    assert_eq!(called(&[outer, tool(2, 1), inner, inference(4, 1, 30).model(1)]), [3, 4]);
    // A gateway's name for the model, and the usage of what lies below.
    assert_eq!(called(&[inference(1, 0, 400).model(1), tool(2, 1), inner]), [3]);
}

/// Strands around botocore, which tells no cached tokens of Bedrock and so not all the input.
#[test]
fn what_tells_all_the_input_is_the_call_of_two_with_one_output() {
    let outer = inference(1, 0, 700).library(1).model(1);
    let inner = inference(2, 1, 700).library(2).model(1).with(|f| f.input = None);
    let settled = settle(&[outer, inner]);
    assert_eq!(ids(&settled.calls), [1]);
    assert_eq!(verdicts(&settled), [(2, duplicate(Rule::SameUsage, 0, 1))]);
    // Another output, or another model: the one around is no repeat.
    assert_eq!(called(&[outer, inner.with(|f| f.output = Some(71))]), [2]);
    assert_eq!(called(&[outer, inner.model(2)]), [2]);
}

/// An inference or agent with these tokens.
fn used(mut s: S, input: i64, output: i64) -> S {
    s.view.usage = true;
    s.with(|f| (f.input, f.output) = (Some(input), Some(output)))
}

/// The shapes of three public traces of agent frameworks (Langfuse's test data), whose parents
/// repeat their children's tokens in three ways.
#[test]
fn parents_that_repeat_their_children_are_counted_by_the_leaves_and_the_rest_is_told() {
    let sums = |spans: &[S]| {
        let settled = settle(spans);
        let of = |id: u64| spans.iter().find(|s| s.view.span == id).and_then(|s| s.facts);
        let tokens = |f: Facts| f.input.unwrap_or_default() + f.output.unwrap_or_default();
        let leaves: i64 = settled.calls.iter().filter_map(|c| of(c.span)).map(tokens).sum();
        let rest = |u: Uncounted| u.input + u.output;
        (leaves, settled.judged.iter().map(|j| rest(j.uncounted)).sum::<i64>())
    };
    // agno: a wrapper tells a running sum. 183 + 888 in the leaves, 777 + 1,991 topmost.
    let agno = [
        span(1, 0),
        used(inference(2, 1, 1), 542, 235).library(1),
        used(inference(3, 2, 1), 163, 20).library(2),
        used(inference(4, 1, 1), 1_568, 423).library(1),
        used(inference(5, 4, 1), 663, 225).library(2),
    ];
    assert_eq!(sums(&agno), (1_071, 2_768 - 1_071));
    // microsoft-agent: the agent tells less than its calls, 224 against 163 + 236, but for output:
    // 180 against 106.
    let microsoft = [
        used(agent(1, 0, 1), 44, 180),
        used(inference(2, 1, 1), 77, 86),
        used(inference(3, 1, 1), 216, 20),
    ];
    assert_eq!(sums(&microsoft), (399, 74));
    // vercel-aisdk: the outer span of one step tells the same.
    let vercel = [used(inference(1, 0, 1), 62, 85), used(inference(2, 1, 1), 62, 85).response(7)];
    assert_eq!(sums(&vercel), (147, 0));
}

#[test]
fn nested_sums_note_the_rest_once() {
    // 100 over 70 over 40: 30 is told above alone, 30 in the middle alone.
    let settled = settle(&[agent(1, 0, 100), agent(2, 1, 70), inference(3, 2, 40)]);
    assert_eq!(ids(&settled.calls), [3]);
    let uncounted: Vec<i64> = settled.judged.iter().map(|j| j.uncounted.input).collect();
    assert_eq!(uncounted, [30, 30]);
}

#[test]
fn agent_whose_calls_are_not_there_is_noted_and_not_charged() {
    let settled = settle(&[agent(1, 0, 100), span(2, 1)]);
    assert_eq!(ids(&settled.calls), [] as [u64; 0]);
    assert_eq!(verdicts(&settled), [(1, Verdict::Rollup(Rule::UsageWithoutCall))]);
    assert_eq!(settled.judged[0].uncounted, Uncounted { input: 100, output: 10 });
}

#[test]
fn failed_inference_is_a_call_unless_it_is_part_of_one() {
    assert_eq!(called(&[inference(1, 0, None)]), [1]);
    // A wrapper and its only attempt, both failed: one call.
    let settled = settle(&[inference(1, 0, None), inference(2, 1, None)]);
    assert_eq!(ids(&settled.calls), [2]);
    assert_eq!(verdicts(&settled), [(1, duplicate(Rule::AroundCall, 0, 2))]);
    // The wrapper knows the usage, the span of the transport does not: one call.
    let settled = settle(&[inference(1, 0, 10), inference(2, 1, None)]);
    assert_eq!(ids(&settled.calls), [1]);
    assert_eq!(verdicts(&settled), [(2, duplicate(Rule::PartOfCall, 0, 1))]);
    // A retry inside a wrapper: the failed attempt and the one that worked.
    let failed = inference(2, 1, None).with(|f| f.failed = true);
    assert_eq!(called(&[inference(1, 0, 10), failed, inference(3, 1, 10)]), [2, 3]);
}

// BeeAI: an answer that failed has spans of its own for the failure and each piece that came.
#[test]
fn what_names_no_model_below_an_inference_of_its_library_is_a_piece_of_it() {
    let whole = inference(1, 0, None).library(1).model(7).with(|f| f.failed = true);
    let piece = |id: u64| inference(id, 1, None).library(1).with(|f| f.failed = true);
    let settled = settle(&[whole, piece(2), piece(3)]);
    assert_eq!(ids(&settled.calls), [1]);
    let part = |id| (id, duplicate(Rule::PartOfCall, 0, 1));
    assert_eq!(verdicts(&settled), [part(2), part(3)]);
    // Another library's, or one that names a model, may be a call: the nearest to the provider is.
    assert_eq!(called(&[whole, piece(2).library(2)]), [2]);
    assert_eq!(called(&[whole, piece(2).model(7)]), [2]);
    assert_eq!(called(&[whole.model(0), piece(2), piece(3)]), [2, 3]);
    // Below one that did not fail it is an attempt of its own.
    let worked = whole.with(|f| f.failed = false);
    assert_eq!(called(&[worked, piece(2), inference(3, 1, 10).library(1).model(7)]), [2, 3]);
}

#[test]
fn of_two_libraries_on_one_call_the_one_that_tells_more_is_the_call() {
    let outer = inference(1, 0, 10).library(1).response(7);
    let inner = inference(2, 1, 10).library(2).response(7);
    assert_eq!(called(&[outer, inner]), [2]);
    let settled = settle(&[outer.leaves(5), inner.leaves(3)]);
    assert_eq!(ids(&settled.calls), [1]);
    assert_eq!(verdicts(&settled), [(2, duplicate(Rule::SameResponse, 0, 1))]);
    // Without ids the same usage ties them, as long as the models do not differ.
    let (outer, inner) = (outer.response(0).leaves(5), inner.response(0));
    assert_eq!(called(&[outer, inner]), [1]);
    let settled = settle(&[outer.model(1), inner.model(2)]);
    assert_eq!(ids(&settled.calls), [2]);
    assert_eq!(verdicts(&settled), [(1, Verdict::Rollup(Rule::RepeatsCalls))]);
}

#[test]
fn one_response_in_two_traces_is_one_call_with_the_owner_of_both() {
    // The client's own span tells most, the instrumentation's is where the team is known.
    let instrumented =
        trace(&[span(1, 0).names(TEAM), inference(2, 1, 10).library(1).response(7).leaves(2)]);
    let client = trace(&[inference(3, 0, 10).library(2).response(7).leaves(5)]);
    let settled = settle_together(&[&instrumented, &client]);
    assert_eq!(ids(&settled[0].calls), [] as [u64; 0]);
    assert_eq!(verdicts(&settled[0]), [(2, duplicate(Rule::SameResponse, 1, 3))]);
    assert_eq!(ids(&settled[1].calls), [3]);
    assert_eq!(settled[1].calls[0].owners[0].map(|r| r.row), Some(1));
}

#[test]
fn constant_response_id_merges_nothing() {
    let call = |id: u64| inference(id, 0, 10).response(7);
    // Of one library; of other models; at another time.
    let later = |s: S| s.with(|f| f.start_ns += 1);
    assert_eq!(called(&[call(1).library(1), later(call(2).library(1))]), [1, 2]);
    assert_eq!(called(&[call(1).library(1).model(1), call(2).library(2).model(2)]), [1, 2]);
    assert_eq!(called(&[call(1).library(1), call(2).library(2).at(10)]), [1, 2]);
    // Of more spans than one call ever has.
    let many: Vec<S> = (1..=40).map(|id| call(id).library(id as u32)).collect();
    assert_eq!(called(&many).len(), 40);
}

#[test]
fn retried_call_with_two_responses_stays_two() {
    let spans =
        [inference(1, 0, 10).response(7).library(1), inference(2, 0, 10).response(8).library(2)];
    assert_eq!(called(&spans), [1, 2]);
    let nested =
        [inference(1, 0, 10).response(7).library(1), inference(2, 1, 10).response(8).library(2)];
    assert_eq!(verdicts(&settle(&nested)), [(1, Verdict::Rollup(Rule::RepeatsCalls))]);
}

#[test]
fn log_record_of_a_span_adds_what_it_tells_more_and_no_call() {
    // Written in the span; with its response id; of the same usage and time.
    let fuller = record(9, 1, 10).leaves(4);
    for (call, told) in [
        (inference(1, 0, 10), fuller),
        (inference(1, 0, 10).response(7), record(9, 0, 10).response(7).leaves(4)),
        (inference(1, 0, 10), record(9, 0, 10).leaves(4)),
    ] {
        let calls = settle(&[call.leaves(2), told]).calls;
        assert_eq!(ids(&calls), [1]);
        assert_eq!((calls[0].usage.row, calls[0].usage_of_record), (9, true));
        let calls = settle(&[call.leaves(4), told]).calls;
        assert_eq!((calls[0].usage.row, calls[0].usage_of_record), (1, false));
    }
    // The span knows no usage.
    let calls = settle(&[inference(1, 0, None), record(9, 1, 10)]).calls;
    assert_eq!((ids(&calls), calls[0].usage.row), (vec![1], 9));
}

#[test]
fn a_guess_on_the_span_is_not_counted_from_the_record_of_the_same_library() {
    // OpenLIT's event repeats the guess beside cached tokens of zero, unmarked.
    let guess = inference(1, 0, None).with(|f| f.trust = Trust::Guessed).library(1 << 16);
    let calls = settle(&[guess, record(9, 1, 40).library(1 << 16 | 5)]).calls;
    assert_eq!((ids(&calls), calls[0].usage.row, calls[0].usage_of_record), (vec![1], 1, false));
    // Another library counted for itself.
    let calls = settle(&[guess, record(9, 1, 40).library(2 << 16)]).calls;
    assert_eq!((ids(&calls), calls[0].usage.row, calls[0].usage_of_record), (vec![1], 9, true));
}

#[test]
fn log_record_without_a_span_is_a_call_and_two_of_one_call_are_one() {
    let calls = settle(&[span(1, 0).names(TEAM), record(8, 1, 10), record(9, 1, 20)]).calls;
    assert_eq!(ids(&calls), [8, 9]);
    assert_eq!(calls[0].owners[0].map(|r| r.row), Some(1));
    // Two kinds of event.
    let spans = [record(8, 0, 10).library(1).leaves(3), record(9, 0, 10).library(2)];
    assert_eq!(called(&spans), [8]);
    // One counts the thoughts (5 in output), one tells no output for want of them.
    let untold = record(9, 0, 10).library(2).with(|f| f.output = None);
    let counted = record(8, 0, 10).library(1).with(|f| f.output = Some(15)).leaves(3);
    assert_eq!(called(&[counted, untold]), [8]);
    assert_eq!(called(&[counted, record(9, 0, 10).library(2)]), [8]);
    // The bare end of its stream, which says nothing; a failure is a call of its own.
    let bare = inference(7, 0, None).with(|f| f.record = true);
    assert_eq!(called(&[record(8, 0, 10), bare]), [8]);
    assert_eq!(called(&[inference(1, 0, 10), bare]), [1]);
    assert_eq!(called(&[bare]), [7]);
    // Also where the record beside it is tied to a span that does not know their session.
    let service = |s: S| s.with(|f| f.service = 5);
    let session = |s: S| service(s).with(|f| f.session = 6);
    let spans = trace(&[service(inference(1, 0, 10))]);
    let records = trace(&[session(record(8, 0, 10)), session(bare)]);
    let settled = settle_together(&[&spans, &records]);
    assert_eq!(settled.iter().flat_map(|s| ids(&s.calls)).collect::<Vec<_>>(), [1]);
    assert_eq!(called(&[record(8, 0, 10), bare.with(|f| f.failed = true)]), [7, 8]);
    // Two of one kind, as when the same question is asked twice.
    let spans = [record(8, 0, 10).library(1), record(9, 0, 10).library(1)];
    assert_eq!(called(&spans), [8, 9]);
}

#[test]
fn record_of_a_session_is_tied_across_traces_only_by_that_session() {
    let session = |s: S, session: u64| s.with(|f| f.session = session);
    let tied = |told: u64, by: u64| {
        let spans = trace(&[session(inference(1, 0, 10), told)]);
        let records = trace(&[session(record(9, 0, 10), by)]);
        let settled = settle_together(&[&spans, &records]);
        settled.iter().map(|s| s.calls.len()).sum::<usize>()
    };
    assert_eq!(tied(5, 5), 1);
    assert_eq!(tied(5, 6), 2);
    assert_eq!(tied(0, 0), 2);
    // Without a session the service does, with the same usage.
    let in_service = |s: S, service: u32| s.with(|f| f.service = service);
    let tied = |input: i64, by: u32| {
        let spans = trace(&[in_service(inference(1, 0, 10), 5)]);
        let records = trace(&[in_service(record(9, 0, input), by)]);
        let settled = settle_together(&[&spans, &records]);
        settled.iter().map(|s| s.calls.len()).sum::<usize>()
    };
    assert_eq!((tied(10, 5), tied(11, 5), tied(10, 6)), (1, 2, 2));
}

/// Codex on a machine that stood still: the record five seconds after the end of its span.
#[test]
fn record_of_a_session_written_late_is_tied_to_a_call_that_has_none() {
    let session = |s: S| s.with(|f| f.session = 5);
    let later = |s: S, seconds: i64| session(s).with(|f| f.start_ns += seconds * SECOND);
    let calls = |spans: &[S], records: &[S]| {
        let settled = settle_together(&[&trace(spans), &trace(records)]);
        settled.iter().flat_map(|s| ids(&s.calls)).collect::<Vec<_>>()
    };
    let span = session(inference(1, 0, 10));
    assert_eq!(calls(&[span], &[later(record(9, 0, 10), 6)]), [1]);
    assert_eq!(calls(&[span], &[later(record(9, 0, 11), 6)]), [1, 9]);
    assert_eq!(calls(&[span], &[later(record(9, 0, 10), 60)]), [1, 9]);
    // One that has its record keeps it: what comes later is another call.
    let two = [later(record(8, 0, 10), 0), later(record(9, 0, 10), 6)];
    assert_eq!(calls(&[span], &two), [1, 9]);
    let spans = [span, later(inference(2, 0, 10), 3)];
    assert_eq!(calls(&spans, &two), [1, 2]);
}

#[test]
fn nearest_owner_wins_and_a_resource_only_where_no_span_says() {
    let spans = [
        span(1, 0).names(TEAM),
        span(2, 1).names(TEAM),
        inference(3, 2, 10),
        inference(4, 1, 10).of_resource(TEAM),
        inference(5, 0, 10).of_resource(TEAM),
    ];
    let teams: Vec<_> = settle(&spans).calls.iter().map(|c| c.owners[0].unwrap().row).collect();
    assert_eq!(teams, [2, 1, 5]);
}

#[test]
fn span_seen_twice_counts_once_and_the_fuller_one() {
    let short = inference(1, 0, None);
    let mut long = inference(1, 0, 10);
    long.view.row = Some(RowRef { chunk: 9, row: 9 });
    for spans in [[short, long], [long, short]] {
        let calls = settle(&spans).calls;
        assert_eq!(calls.len(), 1);
        assert_eq!(Some(calls[0].row), long.view.row);
    }
}

#[test]
fn circles_and_missing_parents_end() {
    assert_eq!(called(&[inference(1, 2, 10), inference(2, 1, 10)]), [1]);
    assert_eq!(called(&[inference(1, 1, 10)]), [1]);
    assert_eq!(called(&[inference(1, 77, 10)]), [1]);
}

#[test]
fn chain_of_a_hundred_thousand_spans_is_settled() {
    let spans: Vec<_> =
        (1..=100_000).map(|i| inference(i, i - 1, (i == 100_000).then_some(10))).collect();
    assert_eq!(called(&spans), [100_000]);
    let spans: Vec<_> = (1..=100_000).map(|i| inference(i, i - 1, 10)).collect();
    assert_eq!(called(&spans), [100_000]);
}

// Logfire's instrumentations of clients: a span until the answer begins, and a log in the shape of
// a span when the stream is over.
#[test]
fn the_end_of_a_stream_tells_the_usage_of_the_call_that_began_it() {
    let spans = [
        span(1, 0),
        inference(2, 1, None).model(7),
        end_of_stream(3, 1, 500).model(7).response(9).at(3),
    ];
    let settled = settle(&spans);
    assert_eq!(ids(&settled.calls), [2]);
    assert_eq!(settled.calls[0].usage, RowRef { chunk: 0, row: 3 });
    assert!(!settled.calls[0].usage_of_record);
    let of = Verdict::Duplicate(Rule::EndOfStream, Of { trace: 0, span: 2 });
    assert_eq!(verdicts(&settled), [(3, of)]);
}

#[test]
fn each_stream_has_its_own_end_and_one_that_was_cut_has_none() {
    // Cut at second 1, then a stream from 2 to 4, and one from 5 to 7.
    let spans = [
        inference(1, 9, None).model(7),
        inference(2, 9, None).model(7).at(2),
        end_of_stream(3, 9, 500).model(7).at(4),
        inference(4, 9, None).model(7).at(5),
        end_of_stream(5, 9, 600).model(7).at(7),
    ];
    let settled = settle(&spans);
    assert_eq!(ids(&settled.calls), [1, 2, 4]);
    let rows = settled.calls.iter().map(|c| c.usage.row).collect::<Vec<_>>();
    assert_eq!(rows, [1, 3, 5]);
}

#[test]
fn a_span_without_a_length_ends_no_stream_of_another_model_library_or_time() {
    let begun = inference(1, 9, None).model(7).library(5);
    for end in [
        end_of_stream(2, 9, 500).model(8).library(5).at(3),
        end_of_stream(2, 9, 500).model(7).library(6 << 16).at(3),
        end_of_stream(2, 9, 500).model(7).library(5).at(-3),
        end_of_stream(2, 8, 500).model(7).library(5).at(3),
        end_of_stream(2, 9, None).model(7).library(5).at(3),
    ] {
        assert_eq!(called(&[begun, end]), [1, 2]);
    }
    let failed = begun.with(|f| f.failed = true);
    assert_eq!(called(&[failed, end_of_stream(2, 9, 500).model(7).library(5).at(3)]), [1, 2]);
}

// LiteLLM 1.65 logs a call of the responses API three times, each in a trace of its own; 1.63 a
// stream twice, the first time while it flows; the proxy of 1.79 one twice in the client's trace.
#[test]
fn a_call_that_its_library_tells_again_elsewhere_is_one() {
    let calls = |others: &[S]| -> usize {
        let looked: Vec<Spans> =
            others.iter().chain([&inference(1, 0, 10).response(7)]).map(|s| trace(&[*s])).collect();
        let settled = settle_together(&looked.iter().collect::<Vec<_>>());
        settled.iter().map(|s| s.calls.len()).sum()
    };
    let again = inference(2, 0, 10).response(7);
    assert_eq!(calls(&[again, inference(3, 0, 10).response(7)]), 1);
    let mut flowing = inference(2, 0, 4).response(7);
    flowing.view.duration_ns -= 1;
    assert_eq!(calls(&[flowing]), 1);
    // Another beginning: an id that is none.
    assert_eq!(calls(&[again.with(|f| f.start_ns += 1)]), 2);
    // In one trace.
    assert_eq!(
        called(&[inference(1, 9, 10).response(7), inference(2, 9, 10).response(7)]).len(),
        1
    );
}
