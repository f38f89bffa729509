//! One call told several times: by two libraries in two traces, by a span and a log record, by a
//! wrapper. Whatever comes first and whatever the process goes through, it is counted once.

use super::*;

/// A call that an instrumentation tells, with the team above it.
fn instrumented() -> Vec<Value> {
    let mut said = inference(1_000_000);
    said["response_id"] = "msg_1".into();
    said["scope_name"] = "instrumentation".into();
    vec![span(1, 1, 0, json!({ "team": "search" })), span(1, 2, 1, said)]
}

/// The same call as the client itself tells it, in a trace of its own and with more of its usage.
fn native() -> Vec<Value> {
    let mut said = inference(1_000_000);
    said["response_id"] = "msg_1".into();
    said["scope_name"] = "client".into();
    said["cache_read_tokens"] = 0.into();
    vec![span(2, 3, 0, said)]
}

fn at(mut rows: Vec<Value>, second: i64) -> Vec<Value> {
    for row in &mut rows {
        row["received_s"] = (T0_S + second).into();
    }
    rows
}

async fn is_counted_once(house: &House) {
    let calls = expect(&[((2, 3), &["search", "2"])]);
    assert_eq!(house.calls(&["team", "cost"]).await, calls);
    let rule = "same-response-id";
    let (of, of_trace) = (format!("{:016x}", 3), format!("{:032x}", 2));
    let verdicts = expect(&[((1, 2), &["duplicate", &of, &of_trace, rule])]);
    let columns = ["span_role", "duplicate_of", "duplicate_of_trace", "rule"];
    assert_eq!(house.verdicts(&columns).await, verdicts);
}

#[tokio::test]
async fn one_call_in_two_traces_is_counted_once_whichever_is_settled_first() {
    for (first, second) in [(instrumented(), native()), (native(), instrumented())] {
        let mut house = House::new().await;
        house.receive(&at(first, 1)).await;
        house.round(20).await;
        assert_eq!(house.calls(&["cost"]).await.len(), 1);
        house.receive(&at(second, 30)).await;
        house.round(60).await;
        is_counted_once(&house).await;
        assert_eq!(house.round(80).await.written, 0);
    }
}

#[tokio::test]
async fn twin_after_a_restart_finds_the_call_that_was_settled_before() {
    let mut house = House::new().await;
    house.receive(&at(instrumented(), 1)).await;
    house.round(20).await;
    // An hour passes, other traces move the recorded instant on, the process is started anew.
    let mut other = call(9, 2, 0);
    other["received_s"] = (T0_S + 3_600).into();
    house.receive(&[other]).await;
    house.round(3_700).await;
    house.restart();
    house.round(3_701).await;
    house.receive(&at(native(), 3_710)).await;
    house.round(3_800).await;
    let calls = house.calls(&["team"]).await;
    assert_eq!(calls.keys().collect::<Vec<_>>(), [&(2, 3), &(9, 2)]);
    assert_eq!(calls[&(2, 3)], ["search"]);
}

#[tokio::test]
async fn twin_that_is_still_being_written_is_waited_for_by_nobody_and_doubled_by_none() {
    let mut house = House::new().await;
    house.round(0).await;
    house.receive(&at(instrumented(), 1)).await;
    house.receive(&at(native(), 10)).await;
    // The first has been quiet, the second not yet.
    house.round(16).await;
    assert_eq!(house.calls(&[]).await.into_keys().collect::<Vec<_>>(), [(1, 2)]);
    house.round(30).await;
    is_counted_once(&house).await;
}

#[tokio::test]
async fn equal_response_ids_of_two_tenants_are_two_calls() {
    let mut house = House::new().await;
    let mut theirs = native();
    theirs[0]["tenant"] = "other".into();
    house.receive(&at([instrumented(), theirs].concat(), 1)).await;
    house.round(20).await;
    assert_eq!(house.calls(&[]).await.len(), 2);
}

#[tokio::test]
async fn verdict_is_taken_back_when_a_late_span_shows_another() {
    let mut house = House::new().await;
    // A wrapper of the same usage around one call is that call; around two it is their sum.
    let mut wrapper = inference(2_000_000);
    wrapper["scope_name"] = "framework".into();
    house.receive(&[span(1, 1, 0, wrapper), span(1, 2, 1, inference(2_000_000))]).await;
    house.round(20).await;
    let rule = |of: &str| expect(&[((1, 1), &[of])]);
    assert_eq!(house.verdicts(&["rule"]).await, rule("same-usage-nested"));
    let mut late = vec![call(1, 3, 1)];
    late = at(late, 30);
    house.receive(&late).await;
    house.round(60).await;
    assert_eq!(house.verdicts(&["rule"]).await, rule("repeats-calls"));
    assert_eq!(house.calls(&[]).await.into_keys().collect::<Vec<_>>(), [(1, 2), (1, 3)]);
}

#[tokio::test]
async fn answer_from_a_gateways_cache_costs_nothing() {
    let mut house = House::new().await;
    let mut hit = call(1, 1, 0);
    hit["gateway_cache_hit"] = true.into();
    let mut miss = call(1, 2, 0);
    miss["gateway_cache_hit"] = false.into();
    house.receive(&[hit, miss]).await;
    house.round(20).await;
    let reason = "a gateway answered from its own cache: no provider bills the call";
    let expected = expect(&[
        ((1, 1), &["0", "USD", "priced", reason, "null"]),
        ((1, 2), &["2", "USD", "priced", "null"]),
    ]);
    let columns = ["cost", "currency", "price_state", "price_reason", "price_ids"];
    let mut calls = house.calls(&columns).await;
    // Which price row it was is not this test's.
    calls.get_mut(&(1, 2)).unwrap().pop();
    assert_eq!(calls, expected);
}

#[tokio::test]
async fn call_of_which_a_span_covers_only_a_part_has_no_duration() {
    let mut house = House::new().await;
    let mut part = call(1, 1, 0);
    part["covers_call"] = false.into();
    house.receive(&[part, call(1, 2, 0)]).await;
    house.round(20).await;
    // Both spans last two seconds.
    let expected = expect(&[((1, 1), &["null"]), ((1, 2), &["2000"])]);
    assert_eq!(house.calls(&["duration_ms"]).await, expected);
}

#[tokio::test]
async fn owner_says_which_attribute_of_which_span_it_is() {
    let mut house = House::new().await;
    let mut root = span(1, 1, 0, json!({ "team": "search", "user_id": "ann" }));
    root["column_sources"] = "team=team.id\nuser_id=resource:enduser.id".into();
    let mut leaf = call(1, 2, 1);
    leaf["team"] = "platform".into();
    leaf["column_sources"] = "team=resource:team".into();
    house.receive(&[root, leaf]).await;
    house.round(20).await;
    let sources = "team=team.id@0000000000000001\nuser_id=resource:enduser.id@0000000000000001";
    let expected = expect(&[((1, 2), &["search", "ann", sources])]);
    assert_eq!(house.calls(&["team", "user_id", "owner_sources"]).await, expected);
}

/// A log record that tells of a call, ending two seconds after the start of every test.
fn record(says: Value) -> Value {
    let mut row = inference(1_000_000);
    row["tenant"] = "acme".into();
    row["record_role"] = "call".into();
    row["start_s"] = (T0_S + 2).into();
    row["received_s"] = (T0_S + 3).into();
    row["session_id"] = "session".into();
    row["event_name"] = "api_request".into();
    row["cache_read_tokens"] = 0.into();
    for (key, value) in says.as_object().unwrap() {
        row[key] = value.clone();
    }
    row
}

#[tokio::test]
async fn log_record_is_a_call_only_where_no_span_is() {
    let written_in = json!({ "trace_id": format!("{:032x}", 1), "span_id": format!("{:016x}", 2) });
    let mut in_session = call(1, 2, 1);
    in_session["session_id"] = "session".into();
    for (span, said) in [(call(1, 2, 1), written_in), (in_session, json!({}))] {
        let mut house = House::new().await;
        house.round(0).await;
        house.receive_records(&[record(said.clone())]).await;
        house.round(20).await;
        let calls = house.calls(&["cost", "usage_source"]).await;
        assert_eq!(calls.into_values().collect::<Vec<_>>(), [["2", "log-record"]]);
        // Its span comes later, after a restart.
        house.restart();
        house.round(25).await;
        house.receive(&at(vec![span.clone()], 30)).await;
        house.round(60).await;
        let spans = expect(&[((1, 2), &["2", "log-record"])]);
        assert_eq!(house.calls(&["cost", "usage_source"]).await, spans);
    }
}

#[tokio::test]
async fn log_records_of_one_session_are_calls_each_and_once() {
    let mut house = House::new().await;
    let later = |n: i64| record(json!({ "start_s": T0_S + 2 + 10 * n }));
    house.receive_records(&[later(0), later(1)]).await;
    house.round(20).await;
    house.receive_records(&[later(2)]).await;
    house.round(40).await;
    house.restart();
    house.round(60).await;
    let costs = house.calls(&["cost"]).await;
    assert_eq!(costs.into_values().collect::<Vec<_>>(), [["2"], ["2"], ["2"]]);
}

#[tokio::test]
async fn a_record_that_tells_no_duration_makes_a_call_of_unknown_duration() {
    let mut house = House::new().await;
    let untold = record(json!({ "start_s": T0_S + 2, "duration_ms": null }));
    let told = record(json!({ "start_s": T0_S + 12, "duration_ms": 250.0 }));
    // Beside a span, whose duration is always told.
    house.receive(&[span(1, 2, 1, inference(5))]).await;
    house.receive_records(&[untold, told]).await;
    house.round(40).await;
    let took: Vec<_> = house.calls(&["duration_ms"]).await.into_values().flatten().collect();
    assert_eq!(took.iter().filter(|ms| *ms == "null").count(), 1, "{took:?}");
    assert!(took.len() == 3 && took.contains(&"250".to_owned()), "{took:?}");
}

// Logfire at the root of a trace: the request until its answer begins after two seconds, and in
// another trace the end of a stream of three seconds, with the usage.
#[tokio::test]
async fn stream_whose_end_is_told_in_another_trace_is_one_call_of_both() {
    let begun = || {
        let said = json!({
            "span_role": "call", "request_model": "claude-sonnet-5", "service_name": "shop",
            "scope_name": "logfire.anthropic", "streaming": true, "covers_call": false,
        });
        vec![span(1, 1, 0, said)]
    };
    let end = || {
        let mut said = inference(1_000_000);
        said["service_name"] = "shop".into();
        said["scope_name"] = "logfire.anthropic".into();
        said["start_s"] = (T0_S + 5).into();
        (said["duration_ns"], said["stream_ns"]) = (0.into(), 3_000_000_000i64.into());
        vec![span(2, 2, 0, said)]
    };
    for (first, second) in [(begun(), end()), (end(), begun())] {
        let mut house = House::new().await;
        house.receive(&at(first, 1)).await;
        house.round(20).await;
        house.receive(&at(second, 30)).await;
        house.round(60).await;
        let expected = expect(&[((1, 1), &["2", "5000"])]);
        assert_eq!(house.calls(&["cost", "duration_ms"]).await, expected);
    }
}

#[tokio::test]
async fn usage_of_a_running_sum_is_the_difference() {
    let mut house = House::new().await;
    let mut first = call(1, 2, 1);
    first["running_sum"] = "goes-on".into();
    let mut second = span(1, 3, 1, inference(1_500_000));
    second["running_sum"] = "ends".into();
    second["start_s"] = (T0_S + 2).into();
    (second["reported_input_tokens"], second["output_tokens"]) = (1_500_000.into(), 0.into());
    house.receive(&[span(1, 1, 0, json!({})), first, second]).await;
    house.round(20).await;
    // Half a million tokens of Claude Sonnet 5 at $2 a million.
    let expected = expect(&[
        ((1, 2), &["1000000", "1000000", "2", "span"]),
        ((1, 3), &["500000", "500000", "1", "difference"]),
    ]);
    let columns = ["input_tokens", "input_uncached_tokens", "cost", "usage_source"];
    assert_eq!(house.calls(&columns).await, expected);
}

// Spring AI 1.1 tells one sum on the spans of both requests of a stream with tools, the second below the first.
#[tokio::test]
async fn sum_that_nothing_divides_is_on_one_call_and_said() {
    let mut house = House::new().await;
    let request = |id: u8, parent: u8| {
        let mut request = call(1, id, parent);
        request["running_sum"] = "ends".into();
        request
    };
    house.receive(&[span(1, 1, 0, json!({})), request(2, 1), request(3, 2)]).await;
    house.round(20).await;
    let expected = expect(&[((1, 3), &["1000000", "sum"])]);
    assert_eq!(house.calls(&["input_tokens", "usage_source"]).await, expected);
}

// Spring AI whose user asks for the tools' results: a larger prompt, most of it read from a cache.
#[tokio::test]
async fn what_has_less_of_a_leaf_is_no_running_sum() {
    let mut house = House::new().await;
    let mut first = call(1, 2, 1);
    first["running_sum"] = "goes-on".into();
    let mut second = span(1, 3, 1, inference(1_500_000));
    second["running_sum"] = "ends".into();
    second["start_s"] = (T0_S + 2).into();
    second["input_uncached_tokens"] = 900_000.into();
    second["cache_read_tokens"] = 600_000.into();
    house.receive(&[span(1, 1, 0, json!({})), first, second]).await;
    house.round(20).await;
    let expected = expect(&[
        ((1, 2), &["1000000", "1000000", "span"]),
        ((1, 3), &["1500000", "900000", "span"]),
    ]);
    let columns = ["input_tokens", "input_uncached_tokens", "usage_source"];
    assert_eq!(house.calls(&columns).await, expected);
}
