//! Calls that two libraries tell in traces of their own, and no response id says that they are one.

use super::*;

fn in_service(s: S) -> S {
    s.with(|f| f.service = 5)
}

/// The calls of traces that are settled together.
fn calls(traces: &[Vec<S>]) -> Vec<u64> {
    let looked: Vec<Spans> = traces.iter().map(|t| trace(t)).collect();
    let settled = settle_together(&looked.iter().collect::<Vec<_>>());
    settled.iter().flat_map(|s| ids(&s.calls)).collect()
}

#[test]
fn without_an_id_service_usage_and_moment_tie_one_by_one() {
    let chain = |id: u64, input: i64| in_service(inference(id, 0, input).library(1));
    let client = |id: u64, input: i64| in_service(inference(id, 0, input).library(2).response(id));
    // A stream whose id the framework does not tell, in two traces.
    assert_eq!(calls(&[vec![chain(1, 10)], vec![client(2, 10)]]), [2]);
    // Two of each, and one of the client alone: three calls.
    let clients = vec![client(3, 10), client(4, 10), client(5, 10)];
    assert_eq!(calls(&[vec![chain(1, 10)], vec![chain(2, 10)], clients]).len(), 3);
    // Both failed.
    let failed = |id: u64, library| in_service(inference(id, 0, None).library(library));
    assert_eq!(calls(&[vec![failed(1, 1)], vec![failed(2, 2)]]).len(), 1);
    assert_eq!(calls(&[vec![failed(1, 1)], vec![failed(2, 1)]]).len(), 2);
    // Another usage, another service, another time, another model, or both with ids: two calls.
    for other in [
        client(2, 20),
        client(2, 10).with(|f| f.service = 6),
        client(2, 10).at(10),
        client(2, 10).model(3),
    ] {
        assert_eq!(calls(&[vec![chain(1, 10).model(4)], vec![other]]), [1, 2]);
    }
    assert_eq!(calls(&[vec![chain(1, 10).response(1)], vec![client(2, 10)]]), [1, 2]);
}

#[test]
fn request_that_was_sent_again_is_the_call_that_waited_for_it() {
    // LangChain was refused, waited for three seconds and asked again; its client tells of each request.
    let waited = |id: u64| {
        let mut waited = in_service(inference(id, 0, 10).library(1));
        waited.view.duration_ns = 5 * SECOND;
        waited
    };
    let client =
        |id: u64, begun: i64| in_service(inference(id, 0, 10).library(2).response(id).at(begun));
    let refused = in_service(inference(2, 0, None).library(2).with(|f| f.failed = true));
    let traces = [vec![waited(1)], vec![refused], vec![client(3, 4)]];
    assert_eq!(calls(&traces), [2, 3]);
    assert_eq!(calls(&[vec![client(3, 4)], vec![waited(1)]]), [3]);
    // Over before it, or begun in the midst of it and over in the midst of it: another call.
    assert_eq!(calls(&[vec![waited(1)], vec![client(3, 7)]]), [1, 3]);
    assert_eq!(calls(&[vec![waited(1)], vec![client(3, 2)]]), [1, 3]);
    // Of two that end together, each has its own.
    let two = [vec![waited(1)], vec![waited(2)], vec![client(3, 4)], vec![client(4, 4)]];
    assert_eq!(calls(&two), [3, 4]);
}

// LangChain over OpenAI's client for node, in milliseconds: of ten requests at once, three were refused
// and sent again after two seconds.
#[test]
fn of_like_requests_at_once_each_finds_its_own() {
    let lasting = |id: u64, library: u32, begun_ms: i64, over_ms: i64| {
        let told = inference(id, 0, 10).library(library);
        let mut told = in_service(told.with(|f| f.start_ns = T0 + begun_ms * (SECOND / 1_000)));
        told.view.duration_ns = (over_ms - begun_ms) * (SECOND / 1_000);
        told
    };
    let client = |id, begun_ms, over_ms| lasting(id, 2, begun_ms, over_ms).response(id);
    // The one that waited began with all others, and is the longest.
    let waited = [(1, 0, 2_520), (2, 1, 2_530)].map(|(id, b, e)| vec![lasting(id, 1, b, e)]);
    let at_once = [(3, 0, 690), (4, 2, 700)].map(|(id, b, e)| vec![lasting(id, 1, b, e)]);
    let clients = [(5, 0, 689), (6, 2, 698), (7, 2_160, 2_519), (8, 2_161, 2_529)];
    let clients = clients.map(|(id, b, e)| vec![client(id, b, e)]);
    let all: Vec<_> = waited.into_iter().chain(at_once).chain(clients).collect();
    assert_eq!(calls(&all), [5, 6, 7, 8]);
    // What it tells from its background it tells late: it begins 290 ms after its client.
    assert_eq!(calls(&[vec![lasting(1, 1, 290, 800)], vec![client(2, 0, 690)]]), [2]);
    assert_eq!(calls(&[vec![lasting(1, 1, 410, 1_100)], vec![client(2, 0, 690)]]), [1, 2]);
}

#[test]
fn stream_of_which_a_framework_knows_the_output_only_is_the_call_of_its_client() {
    // LangChain sums up the chunks of Claude's stream: 26 tokens out, no input, no id.
    let framework = |id: u64, output: i64| {
        let told =
            inference(id, 0, 10).library(1).with(|f| (f.input, f.output) = (None, Some(output)));
        in_service(told)
    };
    let client = |id: u64, output: i64| {
        let told = inference(id, 0, 25).library(2).response(id).with(|f| f.output = Some(output));
        in_service(told)
    };
    assert_eq!(calls(&[vec![framework(1, 26)], vec![client(2, 26)]]), [2]);
    assert_eq!(calls(&[vec![client(2, 26)], vec![framework(1, 26)]]), [2]);
    // Another output; another time; another service; the same library.
    assert_eq!(calls(&[vec![framework(1, 26)], vec![client(2, 27)]]), [1, 2]);
    assert_eq!(calls(&[vec![framework(1, 26)], vec![client(2, 26).at(10)]]), [1, 2]);
    let elsewhere = client(2, 26).with(|f| f.service = 6);
    assert_eq!(calls(&[vec![framework(1, 26)], vec![elsewhere]]), [1, 2]);
    assert_eq!(calls(&[vec![framework(1, 26)], vec![client(2, 26).library(1)]]), [1, 2]);
    // Two of the framework, one of the client: two calls.
    assert_eq!(
        calls(&[vec![framework(1, 26)], vec![framework(3, 26)], vec![client(2, 26)]]).len(),
        2
    );
}

#[test]
fn stream_that_a_library_did_not_follow_is_the_call_that_another_tells() {
    // The span of OpenInference around a client that is read raw ends with the headers.
    let bare = |id: u64| {
        let mut bare = in_service(inference(id, 0, None).library(2).model(4));
        bare.view.duration_ns = SECOND / 10;
        bare
    };
    let told = |id: u64| in_service(inference(id, 0, 10).library(1).model(4));
    assert_eq!(calls(&[vec![bare(1)], vec![told(2)]]), [2]);
    assert_eq!(calls(&[vec![told(2)], vec![bare(1)]]), [2]);
    // One that was sent again ends with what waited for it; another stream begins and ends apart.
    let again = |id: u64, begun_ms: i64, over_ms: i64| {
        let mut again = bare(id).with(|f| f.start_ns = T0 + begun_ms * (SECOND / 1_000));
        again.view.duration_ns = (over_ms - begun_ms) * (SECOND / 1_000);
        again
    };
    assert_eq!(calls(&[vec![again(1, 700, 998)], vec![told(2)]]), [2]);
    assert_eq!(calls(&[vec![again(1, 300, 600)], vec![told(2)]]), [1, 2]);
    // Of streams at once, one of which was sent again, each bare one finds its own.
    let mut waited = told(5).with(|f| f.start_ns = T0 + 2 * (SECOND / 1_000));
    waited.view.duration_ns = 2 * SECOND;
    let at_once =
        [vec![again(1, 2, 990)], vec![again(3, 1_400, 1_990)], vec![told(2)], vec![waited]];
    assert_eq!(calls(&at_once), [2, 5]);
    // What a library may have guessed, with an id, is told by one that knows.
    let guess =
        |s: S| s.response(3).with(|f| (f.trust, f.output) = (Trust::PerhapsGuessed, Some(3)));
    let guessed = in_service(guess(inference(1, 0, 5).library(2).model(4)));
    assert_eq!(calls(&[vec![guessed], vec![told(2)]]), [2]);
    assert_eq!(calls(&[vec![guessed.at(10)], vec![told(2)]]), [1, 2]);
    // Each library tells a call once.
    assert_eq!(calls(&[vec![bare(1)], vec![bare(3)], vec![told(2)]]).len(), 2);
    let both = vec![told(2), in_service(inference(5, 0, 10).library(2).model(4))];
    assert_eq!(calls(&[vec![bare(1)], both]).len(), 2);
    // It failed; it is of another model, of none, or began later: a call of its own.
    let later = bare(1).with(|f| f.start_ns = T0 + SECOND / 5);
    let failed = bare(1).with(|f| f.failed = true);
    for other in [failed, bare(1).model(3), bare(1).model(0), later] {
        assert_eq!(calls(&[vec![other], vec![told(2)]]), [1, 2]);
    }
}

#[test]
fn what_is_told_of_parts_of_one_call_is_no_call_beside_it() {
    // A client's span with usage, below it what another library tells of the request without usage
    // and of the end of the stream with the same usage.
    let spans = [
        inference(1, 0, 10).response(7).library(1),
        inference(2, 1, None).library(2),
        inference(3, 1, 10).response(7).library(2),
    ];
    let settled = settle(&spans);
    assert_eq!(ids(&settled.calls).len(), 1);
    assert!(
        verdicts(&settled).contains(&(2, duplicate(Rule::PartOfCall, 0, settled.calls[0].span)))
    );
    // What a tool asks is no part of the call above it.
    let mut tool = span(4, 1);
    tool.view.role = Role::Tool;
    let spans = [inference(1, 0, 10), tool, inference(5, 4, None)];
    assert_eq!(called(&spans), [1, 5]);
}

#[test]
fn of_two_that_tell_a_call_the_one_without_a_doubt_is_it() {
    // OpenLLMetry counts an output of Claude's streams wrong and does not say what was a stream.
    let outer = inference(1, 0, 10).response(7).library(1);
    let doubted = inference(2, 1, 10).response(7).library(2).leaves(5);
    let doubted = doubted.with(|f| f.trust = Trust::PerhapsGuessed);
    assert_eq!(called(&[outer, doubted]), [1]);
    // Or leaves it out.
    let partly = inference(2, 1, 10).response(7).library(2).leaves(5).with(|f| f.output = None);
    assert_eq!(called(&[outer.leaves(4), partly]), [1]);
    // One that may be a guess tells more than one without an input; a guess does not.
    let partly = inference(1, 0, 10).response(7).library(1).with(|f| f.input = None);
    let inner = inference(2, 1, 10).response(7).library(2);
    assert_eq!(called(&[partly, inner.with(|f| f.trust = Trust::PerhapsGuessed)]), [2]);
    assert_eq!(called(&[partly, inner.with(|f| f.trust = Trust::Guessed)]), [1]);
}

/// A stream of Logfire's in two traces: how long the answer took to begin, and how long the stream
/// took then, in milliseconds; the first began so many milliseconds after T0.
fn stream(id: u64, at: i64, begins: i64, streams: i64) -> [Vec<S>; 2] {
    const MS: i64 = 1_000_000;
    let joint = T0 + (at + begins) * MS;
    let mut begun = in_service(inference(id, 0, None).library(3).model(4));
    begun.view.duration_ns = begins * MS;
    let begun = begun.with(|f| (f.start_ns, f.joint_ns) = (T0 + at * MS, joint));
    let end = in_service(end_of_stream(id + 1, 0, 10).library(3).model(4).response(id));
    let end = end.with(|f| (f.start_ns, f.joint_ns) = (joint + streams * MS, joint + MS));
    [vec![begun], vec![end]]
}

#[test]
fn ends_of_streams_at_the_root_of_a_trace_find_what_began_them() {
    let settled = |traces: &[Vec<S>]| {
        let looked: Vec<Spans> = traces.iter().map(|t| trace(t)).collect();
        let settled = settle_together(&looked.iter().collect::<Vec<_>>());
        let calls = settled.into_iter().flat_map(|s| s.calls);
        calls.map(|c| (c.span, c.usage.row, c.took_ns.map(|ns| ns / 1_000_000))).collect::<Vec<_>>()
    };
    // Three at once, which end in another order than they began in.
    let streams = [stream(1, 0, 80, 900), stream(3, 5, 100, 300), stream(5, 9, 40, 600)];
    let mut traces = streams.concat();
    let expected = [(1, 2, Some(980)), (3, 4, Some(400)), (5, 6, Some(640))];
    assert_eq!(settled(&traces), expected);
    traces.reverse();
    let mut found = settled(&traces);
    found.sort_unstable();
    assert_eq!(found, expected);
    // An end that tells nothing but how long it took.
    let [begun, end] = stream(1, 0, 80, 900);
    let mut bare = end[0].with(|f| (f.input, f.output, f.response) = (None, None, 0));
    bare.view.usage = false;
    assert_eq!(settled(&[begun, vec![bare]]), [(1, 1, Some(980))]);
    // Another service, library or model; seconds later; or nothing that says how long it took.
    let [begun, end] = stream(1, 0, 80, 900);
    for other in [
        end[0].with(|f| f.service = 6),
        end[0].library(4 << 16),
        end[0].model(5),
        end[0].with(|f| f.joint_ns += 2 * SECOND),
        end[0].with(|f| f.joint_ns = 0),
    ] {
        assert_eq!(calls(&[begun.clone(), vec![other]]), [1, 2]);
    }
}

// Langfuse 3.0: one scope for its handler of LangChain and for the client of OpenAI below, the root
// of another trace. OpenLIT 1.36: one scope and name, and the handler tells no id.
#[test]
fn two_instrumentations_of_one_scope_tell_one_call() {
    let told = |id: u64, name: u32, from_ms: i64, to_ms: i64| {
        let mut told = in_service(inference(id, 0, 859).library(3).model(4));
        told.view.duration_ns = (to_ms - from_ms) * 1_000_000;
        told.with(|f| (f.name, f.start_ns) = (name, T0 + from_ms * 1_000_000))
    };
    let handler = || told(1, 7, 0, 92);
    assert_eq!(calls(&[vec![handler()], vec![told(2, 8, 1, 91)]]).len(), 1);
    assert_eq!(calls(&[vec![handler()], vec![told(2, 7, 1, 91).response(9)]]).len(), 1);
    // Two calls of each, one after the other.
    let second = [vec![told(3, 7, 95, 190)], vec![told(4, 8, 96, 189)]];
    let first = [vec![handler()], vec![told(2, 8, 1, 91)]];
    assert_eq!(calls(&[first, second].concat()).len(), 2);
    // One after the other; the one not within the other; of one name; of other usage; without output.
    for other in [
        told(2, 8, 92, 120),
        told(2, 8, 1, 93),
        told(2, 7, 1, 91),
        told(2, 8, 1, 91).with(|f| f.input = Some(860)),
    ] {
        assert_eq!(calls(&[vec![handler()], vec![other]]), [1, 2]);
    }
    let embedding = |s: S| s.with(|f| f.output = None);
    assert_eq!(calls(&[vec![embedding(handler())], vec![embedding(told(2, 8, 1, 91))]]).len(), 2);
    // MLflow 3.0 tells the answer's id on both, and usage on neither.
    let bare = |s: S| {
        let mut bare = s.response(9).with(|f| (f.input, f.output) = (None, None));
        bare.view.usage = false;
        bare
    };
    assert_eq!(calls(&[vec![bare(handler())], vec![bare(told(2, 8, 1, 91))]]).len(), 1);
    assert_eq!(calls(&[vec![bare(handler())], vec![bare(told(2, 7, 1, 91))]]).len(), 2);
    assert_eq!(calls(&[vec![bare(handler())], vec![bare(told(2, 8, 92, 120))]]).len(), 2);
}

// OpenLLMetry for node 0.27: of a stream the client's span has an id and a guess, LangChain's the counts.
#[test]
fn what_one_library_guesses_and_another_counts_is_one_call() {
    let guess = |id: u64| {
        let told = inference(id, 0, None).library(1).response(id).model(3);
        in_service(told.with(|f| f.trust = Trust::Guessed))
    };
    let counted = |id: u64| in_service(inference(id, 0, 10).library(2).model(3));
    assert_eq!(calls(&[vec![guess(1)], vec![counted(2)]]), [2]);
    // Two of each; of one library both; what is not guessed but untold has an id of its own.
    assert_eq!(calls(&[vec![guess(1)], vec![guess(2)], vec![counted(3), counted(4)]]), [3, 4]);
    assert_eq!(calls(&[vec![guess(1)], vec![counted(2).library(1)]]), [1, 2]);
    let untold = guess(1).with(|f| f.trust = Trust::Unclear);
    assert_eq!(calls(&[vec![untold], vec![counted(2)]]), [1, 2]);
}
