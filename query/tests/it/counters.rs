//! Question `counters`: clients' own metrics beside the calls that were seen, in every state that a
//! service can be in, with sums made by hand.

use serde_json::{Map, Value, json};
use spanledger_query::{AskParams, QuerySettings};
use spanledger_schemas::tables::{calls, metric_points};

use crate::fixture::{World, world};

/// 2026-11-24T10:00:00Z, in seconds.
const TEN: i64 = 1_795_514_400;

fn ns(minute: i64) -> i64 {
    (TEN + minute * 60) * 1_000_000_000
}

fn at(minute: i64) -> String {
    jiff::Timestamp::from_second(TEN + minute * 60).unwrap().to_string()
}

/// A point at a minute after ten, of a sum that is told as a delta of the minute before.
fn point(minute: i64, service: &str, metric: &str, attributes: Value, value: f64) -> Value {
    json!({"metric_name": metric, "metric_kind": "sum", "monotonic": true, "temporality": "delta",
        "service_name": service, "scope_name": "acme", "at": at(minute), "date": "2026-11-24",
        "received_at": at(minute), "start_unix_ns": ns(minute - 1), "time_unix_ns": ns(minute),
        "value": value, "metric_attributes": attributes,
        "resource_attributes": {"service.name": service}})
}

/// The same as a cumulative point without a start, as a scrape has it.
fn scraped(minute: i64, metric: &str, model: &str, value: f64) -> Value {
    let mut row = point(minute, "gpu", metric, json!({"model_name": model}), value);
    row["temporality"] = json!("cumulative");
    row["start_unix_ns"] = json!(null);
    row["model"] = json!(model);
    row
}

/// A call that takes a second and starts at a minute after ten.
fn call(id: u8, minute: i64, service: &str, model: &str, more: Value) -> Value {
    let mut row = json!({"span_id": format!("00000000000000{id:02x}"), "service_name": service,
        "request_model": model, "model": model, "started_at": at(minute),
        "start_unix_ns": ns(minute), "duration_ms": 1000.0});
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    row
}

/// The rows as objects.
async fn ask(world: &World, pairs: &[(&str, &str)]) -> Result<Vec<Map<String, Value>>, String> {
    let mut params = AskParams::default();
    for (name, value) in pairs {
        params.set(name, value).unwrap();
    }
    let caller = world.service.anyone("cli");
    let answer =
        world.service.ask(&caller, "counters", &params).await.map_err(|e| e.to_string())?;
    let answer: Value = serde_json::from_slice(&answer.to_json().unwrap()).unwrap();
    let names: Vec<_> =
        answer["columns"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    let object = |row: &Value| {
        let cells = names.iter().zip(row.as_array().unwrap());
        cells.map(|(name, cell)| ((*name).to_owned(), cell.clone())).collect()
    };
    Ok(answer["rows"].as_array().unwrap().iter().map(object).collect())
}

/// Of each row these columns.
fn shown(rows: &[Map<String, Value>], columns: &[&str]) -> Vec<Value> {
    rows.iter().map(|row| columns.iter().map(|c| row[*c].clone()).collect()).collect()
}

const TOKENS: [&str; 6] =
    ["service_name", "usage", "state", "metric_tokens", "call_tokens", "token_difference"];

async fn of(points: Vec<Value>, made: Vec<Value>) -> World {
    let tables = [(&metric_points::TABLE, points), (&calls::TABLE, made)];
    world(QuerySettings::default(), &tables.map(|(t, rows)| (t as _, rows))).await
}

#[tokio::test]
async fn what_metrics_and_calls_both_tell_is_counted_and_no_more_spend() {
    let claude = |minute, kind: &str, value| {
        let attributes = json!({"model": "claude-sonnet-4-5", "type": kind});
        point(minute, "laptop", "claude_code.token.usage", attributes, value)
    };
    let cost = |minute, usd| {
        let attributes = json!({"model": "claude-sonnet-4-5"});
        point(minute, "laptop", "claude_code.cost.usage", attributes, usd)
    };
    let made = json!({"response_model": "claude-sonnet-4-5-20250929", "input_tokens": 130,
        "input_uncached_tokens": 10, "cache_read_tokens": 100, "cache_write_tokens": 20,
        "output_tokens": 50, "cost": "0.15", "currency": "USD", "price_state": "priced"});
    let world = of(
        vec![
            claude(1, "input", 10.0),
            // Exported again.
            claude(1, "input", 10.0),
            claude(2, "input", 10.0),
            claude(1, "cacheRead", 200.0),
            claude(2, "cacheCreation", 40.0),
            claude(2, "output", 100.0),
            // 0.1 + 0.2 is 0.30000000000000004 in floats.
            cost(1, 0.1),
            cost(2, 0.2),
        ],
        vec![
            call(1, 0, "laptop", "claude-sonnet-4-5", made.clone()),
            call(2, 1, "laptop", "claude-sonnet-4-5", made.clone()),
            // Not exported yet.
            call(3, 5, "laptop", "claude-sonnet-4-5", made),
        ],
    )
    .await;
    let rows = ask(&world, &[]).await.unwrap();
    let told = |usage: &str, tokens: i64| json!(["laptop", usage, "counted", tokens, tokens, 0]);
    let costs = json!(["laptop", "cost", "counted", null, null, null]);
    assert_eq!(
        shown(&rows, &TOKENS),
        [
            costs,
            told("cache-read", 200),
            told("cache-write", 40),
            told("input-uncached", 20),
            told("output", 100)
        ]
    );
    let of_cost = ["call_cost", "calls", "later_calls", "metric_from", "metric_to"];
    assert_eq!(shown(&rows[..1], &of_cost), [json!(["0.3", 2, 1, at(0), at(2)])]);
    let spent = crate::http::sql(&world, json!({"query": "SELECT sum(cost) FROM calls"})).await;
    assert_eq!(spent.1["rows"], json!([["0.45"]]), "what metrics say is in no spend");
}

#[tokio::test]
async fn a_client_that_sends_metrics_alone_is_told_what_to_set() {
    let codex = |kind: &str, value| {
        let attributes = json!({"model": "gpt-5-mini", "token_type": kind});
        let mut row = point(1, "ci", "codex.turn.token_usage", attributes, value);
        row["metric_kind"] = json!("histogram");
        (row["value"], row["count"], row["sum"]) = (json!(null), json!(1), json!(value));
        row
    };
    let points = vec![
        codex("input", 900.0),
        codex("output", 40.0),
        codex("cached_input", 0.0),
        codex("total", 940.0),
    ];
    let world = of(points, vec![]).await;
    let rows = ask(&world, &[]).await.unwrap();
    assert_eq!(
        shown(&rows, &TOKENS),
        [
            json!(["ci", "input", "metrics-only", 900, null, 900]),
            json!(["ci", "output", "metrics-only", 40, null, 40]),
            // Nothing was read from a cache, and nothing is missing.
            json!(["ci", "cache-read", "counted", 0, null, 0]),
        ]
    );
    assert!(rows[0]["advice"].as_str().unwrap().starts_with("Codex CLI: set"), "{:?}", rows[0]);
    assert_eq!((&rows[0]["calls"], &rows[2]["advice"]), (&json!(0), &json!(null)));
}

#[tokio::test]
async fn a_difference_and_a_service_without_metrics_are_named() {
    let genai = |model: &str, kind: &str, value| {
        let mut row = point(
            1,
            "app",
            "gen_ai.client.token.usage",
            json!({"gen_ai.response.model": model, "gen_ai.token.type": kind}),
            value,
        );
        row["model"] = json!(model);
        row
    };
    let usage = json!({"response_model": "m-2026", "input_tokens": 90, "input_uncached_tokens": 80,
        "output_tokens": 30, "output_text_tokens": 20});
    let other = json!({"input_tokens": 7, "output_tokens": 3, "output_text_tokens": 3});
    let world = of(
        vec![
            genai("m-2026", "input", 100.0),
            // Without reasoning, as some libraries count.
            genai("m-2026", "output", 20.0),
        ],
        vec![
            call(1, 0, "app", "m", usage),
            call(2, 0, "app", "small", other.clone()),
            call(3, 0, "batch", "m", other),
        ],
    )
    .await;
    let rows = ask(&world, &[]).await.unwrap();
    assert_eq!(
        shown(&rows, &TOKENS),
        [
            json!(["app", "input", "differs", 100, 90, 10]),
            json!(["app", "output", "counted", 20, 20, 0]),
            json!(["app", "input", "calls-only", null, 7, null]),
            json!(["app", "output", "calls-only", null, 3, null]),
            json!(["batch", "input", "calls-only", null, 7, null]),
            json!(["batch", "output", "calls-only", null, 3, null]),
        ]
    );
    // By service alone the metric's model does not matter: 100 against 90 + 7.
    let rows =
        ask(&world, &[("by", "service_name"), ("filter", "service_name=app")]).await.unwrap();
    let expected = [
        json!(["app", "input", "differs", 100, 97, 3]),
        json!(["app", "output", "differs", 20, 33, -13]),
    ];
    assert_eq!(shown(&rows, &TOKENS), expected);
    for pairs in [[("by", "team")], [("by", "model")], [("filter", "team=a")]] {
        let refused = ask(&world, &pairs).await.unwrap_err();
        assert!(refused.contains("expected service_name"), "{refused}");
    }
}

#[tokio::test]
async fn a_server_is_compared_with_the_calls_of_any_service_and_counts_from_its_second_point() {
    let used = |tokens: i64| json!({"input_tokens": tokens, "output_tokens": 1});
    let world = of(
        vec![
            scraped(1, "vllm:prompt_tokens_total", "llama", 5_000.0),
            scraped(2, "vllm:prompt_tokens_total", "llama", 5_300.0),
            // Restarted: it counts from zero.
            scraped(3, "vllm:prompt_tokens_total", "llama", 40.0),
            scraped(3, "vllm:generation_tokens_total", "llama", 9.0),
        ],
        vec![call(1, 1, "chat", "llama", used(300)), call(2, 2, "search", "llama", used(40))],
    )
    .await;
    let rows = ask(&world, &[("from", &at(1)), ("filter", "service_name=gpu")]).await.unwrap();
    let columns =
        ["usage", "state", "metric_tokens", "call_tokens", "unknown_points", "counted_by"];
    assert_eq!(
        shown(&rows, &columns),
        [
            json!(["output", "unknown", null, 2, 1, "server"]),
            json!(["input", "counted", 340, 340, 1, "server"]),
        ]
    );
}

#[tokio::test]
async fn the_window_takes_the_calls_that_its_first_points_tell_of() {
    let told = |minute, value| {
        let attributes = json!({"model": "m", "gen_ai.token.type": "input"});
        point(minute, "app", "gen_ai.client.token.usage", attributes, value)
    };
    let used = |tokens: i64| json!({"input_tokens": tokens});
    let mut hour = told(60, 30.0);
    hour["start_unix_ns"] = json!(ns(0));
    let world = of(
        vec![hour, told(61, 5.0)],
        vec![
            call(1, 1, "app", "m", used(10)),
            call(2, 59, "app", "m", used(20)),
            call(3, 60, "app", "m", used(5)),
            call(4, 90, "app", "m", used(1_000)),
        ],
    )
    .await;
    // From half past: the point of the hour tells of a call before that, which is compared too.
    let rows = ask(&world, &[("from", &at(30)), ("to", &at(80))]).await.unwrap();
    let columns = ["state", "metric_tokens", "call_tokens", "later_calls"];
    assert_eq!(shown(&rows, &columns), [json!(["counted", 35, 35, 0])]);
    // The same in SQL, by name.
    let query = json!({"query": format!(
        "SELECT state, metric_tokens FROM counters(\"from\" => '{}', \"to\" => '{}')", at(30), at(80)
    )});
    let (status, body) = crate::http::sql(&world, query).await;
    assert_eq!((status, &body["rows"]), (200, &json!([["counted", 35]])), "{body}");
}
