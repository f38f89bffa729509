//! The views of the session keep what makes scans cheap: filters and projections reach the files.

use serde_json::json;

use crate::fixture::{World, small};
use crate::http::sql;

/// The physical plan of a query, as text.
async fn plan(world: &World, query: &str) -> String {
    let (status, body) = sql(world, json!({"query": format!("EXPLAIN {query}")})).await;
    assert_eq!(status, 200, "{body}");
    let rows = body["rows"].as_array().unwrap();
    let physical = rows.iter().find(|row| row[0] == "physical_plan").unwrap();
    physical[1].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn filters_on_tenant_and_trace_reach_the_files() {
    let world = small().await;
    let query = "SELECT span_id, duration_ms FROM spans \
                 WHERE trace_id = '5b8efff798038103d269b633813fc60c'";
    let plan = plan(&world, query).await;
    let scan = plan.lines().find(|line| line.contains("DataSourceExec")).unwrap();
    for part in ["tenant@", "trace_id@", "pruning_predicate", "trace_id in ("] {
        assert!(scan.contains(part), "no `{part}` in {scan}");
    }
    for column in ["span_attributes", "service_name", "response_model"] {
        assert!(!scan.contains(column), "`{column}` is read: {scan}");
    }
}

#[tokio::test]
async fn a_derived_name_prunes_like_the_stored_one() {
    let world = small().await;
    let later = plan(&world, "SELECT name FROM spans WHERE started_at >= '2026-11-25'").await;
    assert!(later.contains("EmptyExec"), "the only file ends before: {later}");
    let never = plan(&world, "SELECT model FROM calls WHERE started_at < '2026-11-01'").await;
    assert!(never.contains("EmptyExec"), "{never}");
}

#[tokio::test]
async fn another_tenant_opens_no_file() {
    let world = small().await;
    let nobody =
        spanledger_query::Caller { tenant: "nobody".to_owned(), ..world.service.anyone("http") };
    let mut running = world.service.sql(&nobody, "SELECT name FROM spans", None).await.unwrap();
    assert!(futures::StreamExt::next(&mut running).await.is_none());
}
