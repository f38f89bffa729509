//! Calls below one that is over: a library left its context behind, and they are no part of it.

use super::*;

// opentelemetry-instrumentation-langchain 0.50 leaves the context of each call attached, so that
// the next call of the process becomes its child.
#[test]
fn a_call_that_begins_after_its_parent_is_over_is_no_part_of_it() {
    let spans = [
        inference(1, 0, 100).at(0).names(TEAM),
        inference(2, 1, 200).at(2),
        // A chain, of no known beginning, around two more.
        span(3, 2),
        inference(4, 3, 300).at(4),
        inference(5, 3, None).at(6),
    ];
    let settled = settle(&spans);
    assert_eq!(ids(&settled.calls), [1, 2, 4, 5]);
    assert_eq!(verdicts(&settled), []);
    let team = settled.calls.iter().map(|c| c.owners[0].map(|o| o.row)).collect::<Vec<_>>();
    assert_eq!(team, [Some(1), None, None, None]);
    // Of two services, whose clocks differ, the inner one stays a part.
    let of = |s: S, service: u32| s.with(|f| f.service = service);
    let apart = [of(inference(1, 0, 100), 5), of(inference(2, 1, 100).at(2), 6)];
    assert_eq!(called(&apart).len(), 1);
}

// ADK for Java ends the span of a call when its reader has gone on, and begins the next below it: 1670 tokens
// in 2.90 s, 1683 in 0.24 s that began 87 ms before the end of the first.
#[test]
fn call_that_is_over_before_its_librarys_next_one_is_no_sum_of_it() {
    let lasting = |id: u64, parent: u64, begun_ms: i64, took_ms: i64, input: i64| {
        let mut call = inference(id, parent, input).library(1);
        call.view.duration_ns = took_ms * (SECOND / 1_000);
        call.with(|f| f.start_ns = T0 + begun_ms * (SECOND / 1_000))
    };
    let first = lasting(1, 0, 0, 2_898, 1_670);
    assert_eq!(called(&[first, lasting(2, 1, 2_811, 240, 1_683)]), [1, 2]);
    // A third one below the second.
    let second = lasting(2, 1, 2_811, 240, 1_683);
    assert_eq!(called(&[first, second, lasting(3, 2, 3_000, 500, 100)]), [1, 2, 3]);
    // Over within it, of another library, or with the same usage: as ever.
    assert_eq!(called(&[first, lasting(2, 1, 2_000, 240, 1_683)]), [2]);
    assert_eq!(called(&[first, second.library(2)]), [2]);
    assert_eq!(called(&[first, lasting(2, 1, 2_811, 240, 1_670)]), [2]);
}
