//! What a trace says of its spans, as clients see it on `spans`.

use serde_json::{Value, json};
use spanledger_query::QuerySettings;
use spanledger_schemas::tables::{span_verdicts, spans};

use crate::fixture::{World, small_spans, world};
use crate::http::sql;

/// The small world, with the verdict that its first span is a duplicate, and one of another tenant
/// on the same ids.
async fn judged() -> World {
    let verdict = |tenant: &str, role: &str| {
        json!({
            "tenant": tenant, "span_id": "00000000000000a1", "span_role": role,
            "duplicate_of": "00000000000000ff", "rule": "same-response-id",
        })
    };
    let verdicts = vec![verdict("default", "duplicate"), verdict("nobody", "rollup")];
    let tables = [(&spans::TABLE, small_spans()), (&span_verdicts::TABLE, verdicts)];
    world(QuerySettings::default(), &tables).await
}

async fn rows(world: &World, query: &str) -> (Value, Value) {
    let (status, body) = sql(world, json!({ "query": query })).await;
    assert_eq!(status, 200, "{body}");
    (body["rows"].clone(), body["tables"].clone())
}

#[tokio::test]
async fn role_of_a_span_is_the_one_its_trace_shows() {
    let world = judged().await;
    let query = "SELECT span_role, duplicate_of FROM spans WHERE span_id = '00000000000000a1'";
    let (found, tables) = rows(&world, query).await;
    assert_eq!(found, json!([["duplicate", "00000000000000ff"]]));
    assert!(tables["spans"].is_i64() && tables["span_verdicts"].is_i64(), "{tables}");
    let query = "SELECT count(*) FROM spans WHERE span_role = 'duplicate'";
    assert_eq!(rows(&world, query).await.0, json!([[1]]));
    // Two spans are the tenant's; of the other it is known only what it says itself.
    let query = "SELECT span_role, duplicate_of, count(*) FROM spans GROUP BY 1, 2 ORDER BY 1";
    let counts = json!([["call", null, 1], ["duplicate", "00000000000000ff", 1]]);
    assert_eq!(rows(&world, query).await.0, counts);
    let (_, tables) = rows(&world, "SELECT * FROM spans LIMIT 1").await;
    assert!(tables["span_verdicts"].is_i64(), "{tables}");
}

#[tokio::test]
async fn spans_without_their_role_are_read_without_the_verdicts() {
    let world = judged().await;
    let plan = async |query: &str| {
        let (rows, tables) = rows(&world, &format!("EXPLAIN {query}")).await;
        let rows = rows.as_array().unwrap().clone();
        let physical = rows.into_iter().find(|row| row[0] == "physical_plan").unwrap();
        (physical[1].as_str().unwrap().to_owned(), tables)
    };
    let without = plan("SELECT model, sum(input_tokens) FROM spans GROUP BY 1").await.0;
    assert!(!without.contains("Join") && !without.contains("span_verdicts"), "{without}");
    let with = plan("SELECT model, span_role FROM spans").await.0;
    assert!(with.contains("Join"), "{with}");
    let (_, tables) = rows(&world, "SELECT count(*) FROM spans").await;
    assert!(tables["span_verdicts"].is_null(), "{tables}");
}
