//! Explanations over HTTP: the steps of a call down to its price rows, spans that are no calls,
//! billing lines, and ids that lead to several things or to none.

use serde_json::{Value, json};
use spanledger_ledger::prices::PriceRow;
use spanledger_ledger::usage::Unit;
use spanledger_query::QuerySettings;
use spanledger_schemas::Money;
use spanledger_schemas::tables::{billing_lines, calls, log_records, prices, span_verdicts, spans};

use crate::fixture::{World, small, world};

const TRACE: &str = "5b8efff798038103d269b633813fc60c";
const AGENT: &str = "00000000000000f1";
const CALL: &str = "00000000000000f2";
const WRAPPER: &str = "00000000000000f3";

async fn get(world: &World, path: &str, accept: &str) -> (u16, String, String) {
    let request = reqwest::Client::new().get(format!("{}{path}", world.http));
    let response = request.header("accept", accept).send().await.unwrap();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    (response.status().as_u16(), kind, response.text().await.unwrap())
}

async fn explain(world: &World, what: &str) -> (u16, Value) {
    let (status, _, body) = get(world, &format!("/api/v1/explain/{what}"), "*/*").await;
    (status, serde_json::from_str(&body).unwrap())
}

fn step<'a>(body: &'a Value, name: &str) -> &'a Value {
    let mut steps = body["steps"].as_array().unwrap().iter();
    steps.find(|step| step["step"] == name).unwrap_or_else(|| panic!("no step {name} in {body}"))
}

fn fact<'a>(step: &'a Value, name: &str) -> &'a Value {
    let mut facts = step["facts"].as_array().unwrap().iter();
    facts.find(|fact| fact["name"] == name).unwrap_or_else(|| panic!("no fact {name} in {step}"))
}

fn price(unit: Unit, amount: &str) -> PriceRow {
    PriceRow {
        tenant: "*".into(),
        provider: "openai".into(),
        model_name: "gpt-4o".into(),
        model_match: r#"{"equals":"gpt-4o"}"#.into(),
        unit,
        per_quantity: 1_000_000,
        amount: Money::parse(amount).unwrap(),
        currency: "USD".into(),
        context_from: None,
        time_window: None,
        service_tier: None,
        region: None,
        priority: 0,
        // 1_764_547_200 s is 2025-12-01T00:00:00Z
        valid_from: Some(1_764_547_200_000_000),
        valid_to: None,
        known_from: 0,
        known_to: None,
        kind: spanledger_ledger::prices::Kind::Price,
        source: "a test".into(),
        note: None,
    }
}

fn price_row(row: &PriceRow) -> Value {
    json!({
        "tenant": &*row.tenant, "price_id": row.id(), "provider": &*row.provider,
        "model_name": &*row.model_name, "model_match": &*row.model_match,
        "unit": row.unit.name(), "per_quantity": row.per_quantity,
        "amount": row.amount.to_string(), "currency": &*row.currency,
        "valid_from": "2025-12-01T00:00:00Z", "known_from": "1970-01-01T00:00:00Z",
        "source": &*row.source,
    })
}

/// An agent that names a team, a call below it, and a wrapper around the call.
async fn agent() -> World {
    let usage = json!({
        "dialect": "otel-genai", "provider": "openai", "request_model": "gpt-4o",
        "usage_basis": "inclusive", "usage_reason": "library: a test",
        "input_tokens": 1000, "input_uncached_tokens": 600, "cache_read_tokens": 400,
        "output_tokens": 100, "output_text_tokens": 100, "service_name": "api",
    });
    let with = |more: Value| {
        let mut row = usage.as_object().unwrap().clone();
        row.extend(more.as_object().unwrap().clone());
        Value::Object(row)
    };
    let rows =
        [price(Unit::INPUT, "2.5"), price(Unit::CACHE_READ, "1.25"), price(Unit::OUTPUT, "10")];
    let ids: Vec<String> = rows.iter().map(PriceRow::id).collect();
    let spans = vec![
        json!({"span_id": AGENT, "name": "invoke_agent", "span_role": "other", "team": "ads",
               "service_name": "api", "resource_attributes": {"team.id": "ads"}}),
        with(json!({"span_id": WRAPPER, "parent_span_id": AGENT, "name": "LLM.run",
                    "scope_name": "wrap"})),
        with(json!({"span_id": CALL, "parent_span_id": WRAPPER, "name": "chat gpt-4o",
                    "scope_name": "acme.openai", "scope_version": "1.2",
                    "reported_input_tokens": 1000, "reported_output_tokens": 100,
                    "span_attributes": {"gen_ai.request.temperature": "0.2"},
                    "resource_attributes": {"host.name": "h1"}})),
    ];
    let call = with(json!({
        "span_id": CALL, "model": "gpt-4o", "team": "ads", "price_state": "priced",
        "cost": "0.003", "currency": "USD", "price_ids": ids.join(","),
    }));
    let prices_of = rows.iter().map(price_row).collect();
    world(
        QuerySettings::default(),
        &[(&spans::TABLE, spans), (&calls::TABLE, vec![call]), (&prices::TABLE, prices_of)],
    )
    .await
}

#[tokio::test]
async fn a_call_is_explained_down_to_its_price_rows() {
    let world = agent().await;
    let (status, body) = explain(&world, &format!("call/{CALL}")).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["id"], format!("{TRACE}/{CALL}"));
    let names: Vec<_> = body["steps"].as_array().unwrap().iter().map(|s| &s["step"]).collect();
    let order =
        ["received", "attributes", "dialect", "columns", "usage", "trace", "owner", "price"];
    assert_eq!(names, order);

    let attributes = step(&body, "attributes");
    assert_eq!(fact(attributes, "gen_ai.request.temperature")["value"], "0.2");
    assert_eq!(fact(attributes, "host.name")["from"], "resource");
    let usage = step(&body, "usage");
    assert_eq!(usage["rule"], "library: a test");
    assert_eq!(fact(usage, "input_tokens")["from"], "600 input uncached + 400 cache read");
    let owner = step(&body, "owner");
    assert_eq!(
        fact(owner, "team")["from"],
        format!("ancestor {AGENT} `invoke_agent`, resource attribute team.id")
    );

    // 600 × 2.5 + 400 × 1.25 + 100 × 10, each per million: 0.0015 + 0.0005 + 0.001 = 0.003
    let price_step = step(&body, "price");
    assert_eq!(price_step["says"], "0.003 USD: the sum of the lines below");
    let line = |row: &Value| {
        ["unit", "quantity", "price", "amount", "valid"].map(|name| row[name].to_string())
    };
    let lines: Vec<_> = price_step["rows"].as_array().unwrap().iter().map(line).collect();
    let valid = r#""from 2025-12-01T00:00:00Z""#;
    assert_eq!(
        lines,
        [
            [r#""cache_read_tokens""#, "400", r#""1.25""#, r#""0.0005""#, valid],
            [r#""input_tokens""#, "600", r#""2.5""#, r#""0.0015""#, valid],
            [r#""output_tokens""#, "100", r#""10""#, r#""0.001""#, valid],
        ]
    );
    assert_eq!(price_step["rows"][1]["price_id"], price(Unit::INPUT, "2.5").id());
    let unknown: Vec<_> = body["unknown"].as_array().unwrap().iter().map(|u| &u["what"]).collect();
    assert_eq!(unknown, ["user"]);
    let versions = world.store.snapshot().await.unwrap().versions();
    for table in ["spans", "calls", "prices"] {
        assert_eq!(body["tables"][table], versions[table], "{table}");
    }
}

#[tokio::test]
async fn a_wrapper_says_which_call_is_counted_in_its_place() {
    let world = agent().await;
    let (_, body) = explain(&world, &format!("span/{TRACE}/{WRAPPER}")).await;
    let trace = step(&body, "trace");
    let says = trace["says"].as_str().unwrap();
    assert!(says.contains("not counted") && says.contains(CALL), "{says}");
    let spans: Vec<_> = trace["rows"].as_array().unwrap().iter().map(|r| &r["span"]).collect();
    assert_eq!(spans, [AGENT, WRAPPER, CALL]);
    assert_eq!(trace["rows"][2]["counted"], "call, 0.003 USD");

    let (status, body) = explain(&world, &format!("call/{WRAPPER}")).await;
    let detail = body["detail"].as_str().unwrap();
    assert_eq!(status, 404);
    assert!(detail.contains(&format!("explain span {TRACE}/{WRAPPER}")), "{detail}");
}

#[tokio::test]
async fn a_verdict_of_settle_is_shown_with_its_rule() {
    let other = "ffffffffffffffffffffffffffffffff";
    let spans = vec![
        json!({"span_id": WRAPPER, "name": "ChatOpenAI", "dialect": "otel-genai"}),
        json!({"span_id": AGENT, "name": "agent", "span_role": "rollup"}),
    ];
    let verdicts = vec![
        json!({"span_id": WRAPPER, "span_role": "duplicate", "duplicate_of": CALL,
               "duplicate_of_trace": other, "rule": "same-response-id"}),
        json!({"span_id": AGENT, "span_role": "rollup", "rule": "more-than-its-calls",
               "uncounted_input_tokens": 7}),
    ];
    let tables = [(&spans::TABLE, spans), (&span_verdicts::TABLE, verdicts)];
    let world = world(QuerySettings::default(), &tables.map(|(t, rows)| (t as _, rows))).await;
    let (_, body) = explain(&world, &format!("span/{WRAPPER}")).await;
    let trace = step(&body, "trace");
    let says = trace["says"].as_str().unwrap();
    assert!(says.contains(&format!("the call {CALL} of trace {other}")), "{says}");
    assert!(trace["rule"].as_str().unwrap().starts_with("same-response-id: "), "{trace}");
    let (_, body) = explain(&world, &format!("span/{AGENT}")).await;
    let trace = step(&body, "trace");
    let says = trace["says"].as_str().unwrap();
    assert!(says.contains("roll-up") && says.contains("7 input tokens"), "{says}");
}

#[tokio::test]
async fn a_call_that_only_a_log_record_told_of_shows_the_record() {
    let usage = json!({"service_name": "laptop", "request_model": "claude", "input_tokens": 7,
                       "output_tokens": 3, "usage_basis": "exclusive", "usage_reason": "a test"});
    let with = |more: Value| {
        let mut row = usage.as_object().unwrap().clone();
        row.extend(more.as_object().unwrap().clone());
        Value::Object(row)
    };
    // The record is written when the call ends: 1,500 ms after it started.
    let start = 1_795_514_400_000_000_000_i64;
    let call = with(json!({"span_id": CALL, "start_unix_ns": start, "duration_ms": 1500.0,
        "usage_source": "log-record", "user_id": "u1", "owner_sources": "user_id=user.id"}));
    let end = start + 1_500_000_000;
    let record = with(json!({"event_name": "claude_code.api_request", "record_role": "call",
        "time_unix_ns": end, "scope_name": "com.anthropic.claude_code",
        "column_sources": "reported_input_tokens=input_tokens user_id=user.id",
        "reported_input_tokens": 7, "log_attributes": {"request_id": "r1"}}));
    let other = with(json!({"event_name": "other", "record_role": "call", "time_unix_ns": end,
        "input_tokens": 8}));
    let tables = [(&calls::TABLE, vec![call]), (&log_records::TABLE, vec![other, record])];
    let world = world(QuerySettings::default(), &tables.map(|(t, rows)| (t as _, rows))).await;
    let (status, body) = explain(&world, &format!("call/{CALL}")).await;
    assert_eq!(status, 200, "{body}");
    let says = step(&body, "received")["says"].as_str().unwrap();
    assert!(says.contains("log record `claude_code.api_request`"), "{says}");
    assert_eq!(fact(step(&body, "attributes"), "request_id")["value"], "r1");
    let usage = step(&body, "usage");
    assert_eq!(fact(usage, "reported_input_tokens")["from"], "input_tokens");
    let user = fact(step(&body, "owner"), "user_id");
    assert_eq!(user["from"], "the log record itself, user.id");
}

#[tokio::test]
async fn text_is_written_for_a_person() {
    let world = agent().await;
    let path = format!("/api/v1/explain/call/{CALL}");
    let (status, kind, text) = get(&world, &path, "text/plain").await;
    assert_eq!((status, kind.as_str()), (200, "text/plain; charset=utf-8"));
    for part in ["8 price", "0.003 USD", "rule: library: a test", "▶ chat gpt-4o", "user: "] {
        assert!(text.contains(part), "`{part}` in\n{text}");
    }
    let (status, kind, _) = get(&world, &path, "text/csv").await;
    assert_eq!((status, kind.as_str()), (406, "application/problem+json"));
}

#[tokio::test]
async fn an_id_of_several_spans_lists_them() {
    let other = "ffffffffffffffffffffffffffffffff";
    let spans = vec![
        json!({"span_id": CALL, "name": "one"}),
        json!({"span_id": CALL, "name": "two", "trace_id": other}),
    ];
    let world = world(QuerySettings::default(), &[(&spans::TABLE, spans)]).await;
    let (status, body) = explain(&world, &format!("span/{CALL}")).await;
    assert_eq!(status, 200);
    let mut names: Vec<_> =
        body["matches"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!((names, &body["more"]), (vec!["one", "two"], &json!(false)));
    let (_, body) = explain(&world, &format!("span/{other}")).await;
    assert_eq!(body["title"], "two");
}

#[tokio::test]
async fn a_span_that_came_twice_is_one() {
    let rows = vec![
        json!({"span_id": CALL, "name": "short", "duration_ns": 1}),
        json!({"span_id": CALL, "name": "long", "duration_ns": 2}),
    ];
    let world = world(QuerySettings::default(), &[(&spans::TABLE, rows)]).await;
    let (_, body) = explain(&world, &format!("span/{CALL}")).await;
    assert_eq!(body["title"], "long");
    let says = step(&body, "received")["says"].as_str().unwrap();
    assert!(says.contains("2 times"), "{says}");
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let world = small().await;
    let check = async |what: &str, status: u16, part: &str| {
        let (got, body) = explain(&world, what).await;
        assert_eq!((got, &body["status"]), (status, &json!(status)), "{what}: {body}");
        let detail = body["detail"].as_str().unwrap();
        assert!(detail.contains(part), "{what}: {detail}");
    };
    check("span/0123456789abcdef", 404, "no span has the id `0123456789abcdef`").await;
    check("span/hello", 400, "16 hex digits").await;
    check("thing/0123456789abcdef", 400, "span, call, line").await;
    check("line/nothing/1", 404, "no billing line").await;
    // A row of another tenant (I-10).
    check("span/00000000000000a3", 404, "no span").await;
    check("call/00000000000000b4", 404, "no call").await;
}

#[tokio::test]
async fn a_billing_line_shows_its_import_and_what_the_bill_said() {
    let row = json!({
        "import_id": "o'neil", "line_number": 3, "source": "Acme", "file_name": "a.csv",
        "billed_cost": "1.25", "billing_currency": "EUR", "service_name": "Tokens",
        "tags": {"team": "ads"},
    });
    let world = world(QuerySettings::default(), &[(&billing_lines::TABLE, vec![row])]).await;
    let (status, body) = explain(&world, "line/o'neil/3").await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(fact(step(&body, "columns"), "billed_cost")["value"], "1.25");
    assert_eq!(fact(step(&body, "other columns"), "team")["from"], "tag");
}
