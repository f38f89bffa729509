//! What a query over a snapshot opens, and what it answers from statistics alone.

use std::sync::Arc;

use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::prelude::SessionContext;
use spanledger_schemas::tables::spans;
use spanledger_store::Store;

use crate::rows::{DAY, query, rows};

async fn plan(store: &Store, sql: &str) -> Arc<dyn ExecutionPlan> {
    let context = SessionContext::new();
    let snapshot = store.snapshot().await.unwrap();
    context.register_table("spans", snapshot.provider(&spans::TABLE)).unwrap();
    context.sql(sql).await.unwrap().create_physical_plan().await.unwrap()
}

fn text(plan: &Arc<dyn ExecutionPlan>) -> String {
    displayable(plan.as_ref()).indent(true).to_string()
}

/// How many files the plan opens: each is named once by its `part-` name.
fn files(plan: &Arc<dyn ExecutionPlan>) -> usize {
    text(plan).matches("/part-").count()
}

async fn ten_days() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.append(&spans::TABLE, rows(&spans::TABLE, 500, 10, 1), None).await.unwrap();
    (dir, store)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_opens_only_files_that_can_match() {
    let (_dir, store) = ten_days().await;
    let count = async |filter: &str| {
        files(&plan(&store, &format!("SELECT span_id FROM spans {filter}")).await)
    };
    assert_eq!(count("").await, 10);
    assert_eq!(count("WHERE date = '2026-11-25'").await, 1);
    assert_eq!(count("WHERE date >= '2026-11-23'").await, 3);
    // Instants of a row lie in its day, so the bounds of `start_at` prune by day too.
    assert_eq!(count("WHERE start_at >= '2026-11-24T00:00:00Z'").await, 2);
    assert_eq!(count("WHERE trace_id = 'zz'").await, 0);
    assert_eq!(count("LIMIT 1").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_is_answered_from_the_log() {
    let (_dir, store) = ten_days().await;
    let plan = plan(&store, "SELECT count(*) FROM spans").await;
    assert_eq!(files(&plan), 0, "{}", text(&plan));
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_go_down_to_the_parquet_reader() {
    let (_dir, store) = ten_days().await;
    let plan =
        plan(&store, "SELECT span_id FROM spans WHERE trace_id = '00' OR duration_ns > 5").await;
    let text = text(&plan);
    assert!(!text.contains("FilterExec"), "{text}");
    assert!(text.contains("predicate="), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn filtered_rows_are_exactly_those_that_match() {
    let (_dir, store) = ten_days().await;
    let provider = store.snapshot().await.unwrap().provider(&spans::TABLE);
    let written = rows(&spans::TABLE, 500, 10, 1);
    let column = |name: &str| written.column_by_name(name).unwrap().clone();
    let (ns, date) = (column("duration_ns"), column("date"));
    let ns = ns.as_any().downcast_ref::<arrow::array::Int64Array>().unwrap().clone();
    let date = date.as_any().downcast_ref::<arrow::array::Date32Array>().unwrap().clone();
    let expected = (0..500).filter(|&i| ns.value(i) > 0 && date.value(i) < DAY - 4).count();
    let found = query(
        "spans",
        provider,
        "SELECT span_id FROM spans WHERE duration_ns > 0 AND date < '2026-11-21'",
    )
    .await;
    assert_eq!(found.iter().map(|b| b.num_rows()).sum::<usize>(), expected);
    assert!(expected > 50, "the case has something to find");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_a_lone_file_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.append(&spans::TABLE, rows(&spans::TABLE, 50, 1, 1), None).await.unwrap();
    let sql = "SELECT span_id FROM spans ORDER BY service_name NULLS FIRST, \
               request_model NULLS FIRST, start_unix_ns NULLS FIRST";
    let sorted = plan(&store, sql).await;
    assert!(!text(&sorted).contains("SortExec"), "{}", text(&sorted));
}
