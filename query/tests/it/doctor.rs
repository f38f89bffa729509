//! The doctor's report over HTTP, against counts made by hand.

use serde_json::{Value, json};
use spanledger_query::QuerySettings;
use spanledger_schemas::tables::{calls, log_records, metric_points, span_verdicts, spans};
use spanledger_schemas::usage_marks::{CACHED_UNTOLD, PERHAPS_ESTIMATED};

use crate::fixture::{World, world};

async fn get(world: &World, query: &str, accept: &str) -> (u16, String) {
    let request = reqwest::Client::new().get(format!("{}/api/v1/doctor{query}", world.http));
    let response = request.header("accept", accept).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn report(world: &World, query: &str) -> Value {
    let (status, body) = get(world, query, "application/json").await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// The rows as objects.
fn rows(report: &Value) -> Vec<Value> {
    let names: Vec<_> = report["columns"].as_array().unwrap().iter().map(|c| &c["name"]).collect();
    let object = |row: &Value| {
        let cells = names.iter().zip(row.as_array().unwrap());
        cells.map(|(name, cell)| (name.as_str().unwrap().to_owned(), cell.clone())).collect()
    };
    report["rows"].as_array().unwrap().iter().map(object).map(Value::Object).collect()
}

fn problems(report: &Value) -> Vec<(String, i64, i64)> {
    let one = |f: &Value| {
        let number = |name: &str| f[name].as_i64().unwrap();
        (f["problem"].as_str().unwrap().to_owned(), number("count"), number("of"))
    };
    report["findings"].as_array().unwrap().iter().map(one).collect()
}

fn span(id: u8, role: &str, library: &str) -> Value {
    json!({"span_id": format!("00000000000000{id:02x}"), "span_role": role, "name": "chat",
           "service_name": "api", "scope_name": library, "scope_version": "1.0",
           "dialect": "otel-genai", "start_at": "2026-11-24T10:00:00Z"})
}

fn call(id: u8, more: Value) -> Value {
    let mut row = json!({"span_id": format!("00000000000000{id:02x}"), "service_name": "api",
        "dialect": "otel-genai", "team": "ads", "user_id": "u", "started_at": "2026-11-24T10:00:00Z"});
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    row
}

#[tokio::test]
async fn an_empty_store_has_nothing_amiss() {
    let world = world(QuerySettings::default(), &[]).await;
    let report = report(&world, "").await;
    assert_eq!((&report["rows"], &report["findings"]), (&json!([]), &json!([])));
    let (_, text) = get(&world, "", "text/plain").await;
    assert!(text.contains("nothing has arrived"), "{text}");
    let (_, csv) = get(&world, "", "text/csv").await;
    assert!(csv.starts_with("service,dialect,library,version,spans,calls,"), "{csv}");
    let (status, body) = get(&world, "?from=2026-11-22&to=2026-11-01", "application/json").await;
    assert!(status == 400 && body.contains("an instant before to"), "{status} {body}");
}

#[tokio::test]
async fn each_library_is_counted_and_told_what_to_set() {
    let openai = "opentelemetry.instrumentation.openai_v2";
    let usage = json!({"input_tokens": 10, "output_tokens": 1, "usage_basis": "inclusive",
                       "usage_reason": format!("library: acme {CACHED_UNTOLD}"),
                       "price_state": "priced", "cost": "1", "currency": "USD"});
    // An embedding has no cached tokens to tell.
    let embedding = json!({"input_tokens": 10, "operation": "embeddings",
                           "usage_reason": format!("library: acme {CACHED_UNTOLD}"),
                           "usage_basis": "inclusive",
                        "price_state": "priced", "cost": "1", "currency": "USD"});
    let stream = json!({"streaming": true, "team": null});
    let failed = json!({"status_code": "error", "error_type": "429"});
    let guess = json!({"input_tokens": 10, "usage_basis": "unknown", "price_state": "part-priced",
                       "cache_read_tokens": 3});
    let spans = vec![
        span(1, "call", openai),
        // Seen twice: counted once.
        span(1, "call", openai),
        span(2, "call", openai),
        span(3, "call", openai),
        span(4, "call", openai),
        span(5, "rollup", openai),
        // Wraps the call of span 1.
        span(6, "call", openai),
        span(7, "call", "acme"),
        json!({"span_id": "0000000000000008", "service_name": "api", "name": "GET /"}),
        json!({"span_id": "0000000000000009", "service_name": "web", "name": "GET /"}),
    ];
    let calls =
        vec![call(1, usage), call(2, stream), call(3, failed), call(4, embedding), call(7, guess)];
    let world =
        world(QuerySettings::default(), &[(&spans::TABLE, spans), (&calls::TABLE, calls)]).await;
    let report = report(&world, "").await;
    let rows = rows(&report);
    let names: Vec<_> = rows.iter().map(|r| (r["service"].clone(), r["library"].clone())).collect();
    assert_eq!(
        names,
        [(json!("api"), json!("acme")), (json!("api"), json!(openai)), (json!("web"), json!(null)),]
    );
    let of_openai = &rows[1];
    for (name, count) in [
        ("spans", 6),
        ("calls", 4),
        ("with_usage", 2),
        ("with_team", 3),
        ("rollups", 1),
        ("not_counted", 1),
        ("cached_untold", 1),
        ("streams_without_usage", 1),
        ("streams", 1),
        ("calls_without_usage", 0),
    ] {
        assert_eq!(of_openai[name], count, "{name}");
    }
    assert_eq!(of_openai["usage_share"], 0.5);
    // By service, the gravest first: the only stream, the guess, an untold cache, a part-priced
    // call, a stream without team; then the service that calls no model.
    let expect = [
        ("stream-without-usage", 1, 1),
        ("usage-unknown", 1, 1),
        ("cached-untold", 1, 4),
        ("unpriced", 1, 1),
        ("no-team", 1, 4),
        ("no-model-calls", 1, 1),
    ];
    assert_eq!(problems(&report), expect.map(|(name, count, of)| (name.to_owned(), count, of)));
    let advice = report["findings"][0]["advice"].as_str().unwrap();
    assert!(advice.contains("stream_options"), "{advice}");

    let (_, text) = get(&world, "", "text/plain").await;
    assert!(text.contains("! 1 of 1 streams ended without usage"), "{text}");
    let (_, csv) = get(&world, "", "text/csv").await;
    assert_eq!(csv.lines().count(), 4, "{csv}");
}

#[tokio::test]
async fn what_is_in_no_call_and_what_may_be_a_guess_is_said() {
    let guess = json!({"usage_basis": "estimated", "usage_reason": "library: it guesses",
                       "price_state": "unpriced", "streaming": true});
    let perhaps = json!({"input_tokens": 10, "output_tokens": 1, "usage_basis": "inclusive",
                         "usage_reason": format!("library: acme {PERHAPS_ESTIMATED}"),
                         "price_state": "priced", "cost": "1", "currency": "USD"});
    let verdict = |id: &str, input: i64, output: i64| {
        json!({"span_id": id, "span_role": "rollup", "rule": "usage-without-call",
               "uncounted_input_tokens": input, "uncounted_output_tokens": output})
    };
    let tables = [
        (
            &spans::TABLE,
            vec![
                span(1, "call", "acme"),
                span(2, "call", "acme"),
                span(3, "rollup", "acme"),
                span(4, "rollup", "acme"),
            ],
        ),
        (&calls::TABLE, vec![call(1, guess), call(2, perhaps)]),
        // 100 + 20 in and 7 out told by agents, in no call.
        (
            &span_verdicts::TABLE,
            vec![verdict("0000000000000003", 100, 0), verdict("0000000000000004", 20, 7)],
        ),
    ];
    let world = world(QuerySettings::default(), &tables.map(|(t, rows)| (t as _, rows))).await;
    let report = report(&world, "").await;
    let expect =
        [("uncounted-usage", 2, 4), ("usage-estimated", 1, 2), ("perhaps-estimated", 1, 2)];
    assert_eq!(problems(&report), expect.map(|(name, count, of)| (name.to_owned(), count, of)));
    let row = &rows(&report)[0];
    assert_eq!(
        (&row["uncounted_input_tokens"], &row["uncounted_output_tokens"]),
        (&json!(120), &json!(7))
    );
    let (_, text) = get(&world, "", "text/plain").await;
    assert!(text.contains("120 tokens in and 7 out"), "{text}");
}

#[tokio::test]
async fn clients_that_send_metrics_or_events_alone_are_named() {
    let point = |service: &str, scope: &str, name: &str| {
        json!({"metric_name": name, "metric_kind": "sum", "service_name": service,
               "scope_name": scope, "at": "2026-11-24T10:00:00Z", "no_value": false})
    };
    let tokens = |kind: &str, value: f64| {
        let mut row = point("laptop", "com.anthropic.claude_code", "claude_code.token.usage");
        row.as_object_mut().unwrap().extend(
            json!({"temporality": "delta", "monotonic": true, "value": value,
                   "metric_attributes": {"type": kind}})
            .as_object()
            .unwrap()
            .clone(),
        );
        row
    };
    let metrics = vec![
        tokens("input", 7.0),
        tokens("cacheRead", 100.0),
        tokens("output", 30.0),
        point("laptop", "com.anthropic.claude_code", "claude_code.session.count"),
        // An inference server counts the requests of others.
        point("vllm", "", "vllm:prompt_tokens_total"),
    ];
    let events = vec![json!({"event_name": "gemini_cli.api_response", "service_name": "agent",
        "scope_name": "gemini-cli", "at": "2026-11-24T10:00:00Z"})];
    let tables = [(&metric_points::TABLE, metrics), (&log_records::TABLE, events)];
    let world = world(QuerySettings::default(), &tables.map(|(t, rows)| (t as _, rows))).await;
    let report = report(&world, "").await;
    let expect = [("events-only", 1, 1), ("metrics-only", 3, 3)];
    assert_eq!(problems(&report), expect.map(|(name, count, of)| (name.to_owned(), count, of)));
    assert_eq!(rows(&report).len(), 2);
    let alone = &report["findings"][1];
    assert!(alone["advice"].as_str().unwrap().contains("OTEL_LOGS_EXPORTER=otlp"), "{alone}");
    assert_eq!(alone["reason"], "107 tokens in and 30 out in all");
    let (_, text) = get(&world, "", "text/plain").await;
    assert!(text.contains("107 tokens in and 30 out in all"), "{text}");
}

#[tokio::test]
async fn the_window_bounds_what_is_counted() {
    let spans = vec![span(1, "call", "acme")];
    let world = world(QuerySettings::default(), &[(&spans::TABLE, spans)]).await;
    assert_eq!(rows(&report(&world, "?from=2026-11-24&to=2026-11-25").await).len(), 1);
    assert_eq!(rows(&report(&world, "?from=2026-11-25").await).len(), 0);
    let (status, _) = get(&world, "?from=yesterday", "*/*").await;
    assert_eq!(status, 400);
    let (status, _) = get(&world, "?since=2026-11-25", "*/*").await;
    assert_eq!(status, 400);
}
