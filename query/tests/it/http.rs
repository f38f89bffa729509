//! SQL and questions over HTTP.

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow::ipc::reader::StreamReader;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::fixture::{World, small};

/// Status and JSON body of one SQL request.
pub async fn sql(world: &World, body: Value) -> (u16, Value) {
    let response = reqwest::Client::new()
        .post(format!("{}/api/v1/sql", world.http))
        .json(&body)
        .send()
        .await
        .unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn get(world: &World, path: &str) -> (u16, Value) {
    let response = reqwest::get(format!("{}{path}", world.http)).await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn bytes(world: &World, query: &str, accept: &str) -> (u16, String, Vec<u8>) {
    let response = reqwest::Client::new()
        .post(format!("{}/api/v1/sql", world.http))
        .header("accept", accept)
        .json(&json!({"query": query}))
        .send()
        .await
        .unwrap();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    (response.status().as_u16(), kind, response.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn rows_come_with_names_types_units_and_versions() {
    let world = small().await;
    let query = "SELECT span_id, started_at, duration_ms, model, span_attributes, duration_ns \
                 FROM spans ORDER BY started_at";
    let (status, body) = sql(&world, json!({"query": query})).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(
        body["columns"],
        json!([
            {"name": "span_id", "type": "text", "unit": "16 hex digits"},
            {"name": "started_at", "type": "timestamp"},
            {"name": "duration_ms", "type": "double", "unit": "ms"},
            {"name": "model", "type": "text"},
            {"name": "span_attributes", "type": "map"},
            {"name": "duration_ns", "type": "bigint", "unit": "ns"},
        ])
    );
    assert_eq!(
        body["rows"],
        json!([
            ["00000000000000a1", "2026-11-24T10:00:00Z", 1500.0, "gpt-4o-2024-08-06", {"gpu": "H100"}, 1_500_000_000],
            ["00000000000000a2", "2026-11-24T11:00:00Z", 250.0, "haiku", {}, 250_000_000],
        ])
    );
    let version = world.store.snapshot().await.unwrap().versions()["spans"];
    assert_eq!(body["tables"], json!({"spans": version}));
    assert!(body["elapsed_ms"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn sums_are_exact_decimals_in_strings_and_keep_their_unit() {
    let world = small().await;
    // 0.1 + 10⁻¹⁸; a float would lose the last digit.
    let (_, body) = sql(&world, json!({"query": "SELECT sum(cost) AS total FROM calls"})).await;
    assert_eq!(body["rows"], json!([["0.100000000000000001"]]));
    assert_eq!(body["columns"][0]["unit"], "currency");
}

#[tokio::test]
async fn parameters_take_the_type_of_what_they_meet() {
    let world = small().await;
    let query =
        "SELECT count(*) FROM calls WHERE started_at >= $1 AND input_tokens > $2 AND model = $3";
    let params = json!(["2026-11-24T10:30:00Z", 400, "gpt-4o"]);
    let (status, body) = sql(&world, json!({"query": query, "params": params})).await;
    assert_eq!((status, &body["rows"]), (200, &json!([[1]])), "{body}");
}

#[tokio::test]
async fn the_other_formats_hold_the_same_rows() {
    let world = small().await;
    let query = "SELECT model, input_tokens, cost, started_at FROM calls ORDER BY span_id";
    let (status, kind, csv) = bytes(&world, query, "text/csv").await;
    assert_eq!((status, kind.as_str()), (200, "text/csv"));
    assert_eq!(
        String::from_utf8(csv).unwrap(),
        "model,input_tokens,cost,started_at\n\
         gpt-4o,1000,0.000000000000000001,2026-11-24T10:00:00Z\n\
         gpt-4o,500,0.1,2026-11-24T11:00:00Z\n\
         local,350,,2026-11-25T10:00:00Z\n"
    );

    let (_, _, arrow) = bytes(&world, query, "application/vnd.apache.arrow.stream").await;
    let batches: Vec<_> =
        StreamReader::try_new(arrow.as_slice(), None).unwrap().map(Result::unwrap).collect();
    let batch = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    assert_eq!(batch.column(1).as_primitive::<Int64Type>().values(), &[1000, 500, 350]);
    assert_eq!(batch.column(0).as_string::<i32>().value(2), "local");

    let (_, _, parquet) = bytes(&world, query, "application/vnd.apache.parquet").await;
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(parquet)).unwrap();
    let batch = reader.build().unwrap().next().unwrap().unwrap();
    assert_eq!(batch.column(1).as_primitive::<Int64Type>().values(), &[1000, 500, 350]);

    let (status, kind, _) = bytes(&world, query, "text/html").await;
    assert_eq!((status, kind.as_str()), (406, "application/problem+json"));
    let (_, _, empty) = bytes(&world, "SELECT model FROM calls WHERE false", "text/csv").await;
    assert_eq!(empty, b"model\n");
}

#[tokio::test]
async fn failures_are_problems_with_a_hint() {
    let world = small().await;
    let check = async |query: &str, status: u16, part: &str| {
        let (got, body) = sql(&world, json!({"query": query})).await;
        assert_eq!(got, status, "{query}: {body}");
        assert_eq!(body["status"], status, "{query}");
        let detail = body["detail"].as_str().unwrap();
        assert!(detail.contains(part), "{query}: {detail}");
        let hint = body["hint"].as_str().unwrap();
        assert!(!hint.is_empty(), "{query}: no hint");
        hint.to_owned()
    };
    check("SELEC 1", 400, "SELEC").await;
    check("SELECT nothing FROM calls", 400, "nothing").await;
    check("SELECT * FROM nothing", 400, "nothing").await;
    check("DELETE FROM calls", 403, "DELETE FROM").await;
    check("SELECT 1; SELECT 2", 400, "2 statements").await;
    for (query, part, hint) in [
        ("SELECT nothing(1)", "nothing", "another name"),
        ("SELECT model, sum(cost) FROM calls", "GROUP BY", "max(column)"),
        ("SELECT model FROM calls JOIN spans USING (span_id)", "mbiguous", "table.column"),
        ("SELECT 1 / 0", "ivide by zero", "nullif"),
        ("SELECT CAST('x' AS INT)", "annot cast", "TRY_CAST"),
        (
            "SELECT (SELECT s.name FROM spans s WHERE s.span_id = c.span_id) FROM calls c",
            "aggregated",
            "max(column)",
        ),
    ] {
        let given = check(query, 400, part).await;
        assert!(given.contains(hint), "{query}: {given}");
    }
    let (status, body) = sql(&world, json!({"sql": "SELECT 1"})).await;
    assert_eq!((status, body["title"].as_str()), (422, Some("invalid request")), "{body}");
}

#[tokio::test]
async fn a_tenant_sees_its_own_rows_only() {
    let world = small().await;
    for query in [
        "SELECT count(*) FROM spans WHERE name = 'secret'",
        "SELECT count(*) FROM spans WHERE tenant = 'other'",
        "SELECT count(*) FROM spans WHERE tenant <> 'default' OR true AND service_name = 'vault'",
        "SELECT count(*) FROM (SELECT * FROM spans UNION ALL SELECT * FROM spans) WHERE name = 'secret'",
    ] {
        let (_, body) = sql(&world, json!({"query": query})).await;
        assert_eq!(body["rows"], json!([[0]]), "{query}");
    }
}

#[tokio::test]
async fn what_openapi_names_is_there() {
    let world = small().await;
    let (status, document) = get(&world, "/api/v1/openapi.json").await;
    assert_eq!(status, 200);
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let path = path.replace("{name}", "spend");
            let path = path.replace("{subject}", "span").replace("{id}", "00000000000000a1");
            let client = reqwest::Client::new();
            let method = method.to_uppercase().parse().unwrap();
            let request = client.request(method, format!("{}{path}", world.http));
            let response = request.json(&json!({"query": "SELECT 1"})).send().await.unwrap();
            assert_eq!(response.status(), 200, "{path}");
        }
    }
}

#[tokio::test]
async fn questions_answer_with_coverage_versions_and_sql() {
    let world = small().await;
    let (_, list) = get(&world, "/api/v1/questions").await;
    let names: Vec<_> = list["questions"].as_array().unwrap().iter().map(|q| &q["name"]).collect();
    assert_eq!(
        names,
        ["spend", "latency", "drift", "what-if", "unmapped", "commitments", "counters"]
    );

    let (status, answer) =
        get(&world, "/api/v1/questions/spend?by=team&from=2026-11-24&to=2026-11-26").await;
    assert_eq!(status, 200, "{answer}");
    // Of 3 calls, 2 priced; tokens 1100 + 550 priced of 1100 + 550 + 350; 2 with a team, 1 a user.
    assert_eq!(
        answer["coverage"],
        json!({
            "calls": 3,
            "priced_calls_share": 2.0 / 3.0,
            "priced_tokens_share": 1650.0 / 2000.0,
            "usage_calls_share": 1.0,
            "estimated_calls": 0,
            "perhaps_estimated_calls": 0,
            "team_share": 2.0 / 3.0,
            "user_share": 1.0 / 3.0,
            // All cost has a team; of 0.100000000000000001 USD the smallest unit has a user.
            "team_cost_share": 1.0,
            "user_cost_share": 1e-18 / 0.1,
            "settled_until": "2026-11-25T00:00:00Z",
        })
    );
    assert!(answer["tables"]["calls"].is_i64());
    // The SQL shown gives the same rows.
    let (_, again) = sql(&world, json!({"query": answer["sql"]})).await;
    assert_eq!(answer["rows"], again["rows"]);

    let (status, problem) = get(&world, "/api/v1/questions/nothing").await;
    assert_eq!((status, problem["title"].as_str()), (404, Some("unknown question")));
    let (status, problem) = get(&world, "/api/v1/questions/spend?by=cost").await;
    assert_eq!((status, problem["title"].as_str()), (400, Some("invalid parameter")));
    let (status, _) = get(&world, "/api/v1/questions/spend?colour=red").await;
    assert_eq!(status, 400);
}
