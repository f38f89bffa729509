//! What a query over a snapshot opens, and what it answers from statistics alone.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{cast, concat_batches, take_record_batch};
use arrow::datatypes::DataType;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::prelude::{SessionConfig, SessionContext};
use spanledger_schemas::tables::spans;
use spanledger_store::{Store, StoreError};

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
async fn an_id_is_looked_for_where_bloom_filters_may_hold_it() {
    let (_dir, store) = ten_days().await;
    let written = rows(&spans::TABLE, 500, 10, 1);
    let text = |name: &str| written.column_by_name(name).unwrap().as_string::<i32>().clone();
    let (ids, dates) = (text("trace_id"), written.column_by_name("date").unwrap().clone());
    let dates = dates.as_any().downcast_ref::<arrow::array::Date32Array>().unwrap().clone();
    for merged in [false, true] {
        if merged {
            store.compact().await.unwrap();
        }
        for id in [ids.value(0), ids.value(123), ids.value(499)] {
            let of_id: Vec<usize> = (0..500).filter(|i| ids.value(*i) == id).collect();
            let days: std::collections::BTreeSet<i32> =
                of_id.iter().map(|i| dates.value(*i)).collect();
            let sql = format!("SELECT span_id FROM spans WHERE trace_id = '{id}'");
            // One filter in a hundred is wrong: one file too many is chance, two are a fault.
            let opened = files(&plan(&store, &sql).await);
            assert!((days.len()..=days.len() + 1).contains(&opened), "{opened} for {days:?}");
            let snapshot = store.snapshot().await.unwrap();
            let found = query("spans", snapshot.provider(&spans::TABLE), &sql).await;
            let count: usize = found.iter().map(RecordBatch::num_rows).sum();
            assert_eq!(count, of_id.len());
        }
        // In the bounds of every file, and in none.
        let id = format!("{:032x}", (1u64 << 39) + 7);
        let sql = format!("SELECT span_id FROM spans WHERE trace_id = '{id}'");
        assert!(files(&plan(&store, &sql).await) <= 1);
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_found_by_their_place_in_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.append(&spans::TABLE, rows(&spans::TABLE, 300, 1, 1), None).await.unwrap();
    let snapshot = store.snapshot().await.unwrap();
    let file = snapshot.files(&spans::TABLE)[0].clone();
    // All rows in the file's order, by the engine.
    let table = snapshot.provider_of(&spans::TABLE, std::slice::from_ref(&file));
    let columns = ["start_unix_ns", "span_id", "team", "streaming"];
    let config = SessionConfig::new().with_target_partitions(1);
    let all = SessionContext::new_with_config(config).read_table(table).unwrap();
    let all = all.select_columns(&columns).unwrap().collect().await.unwrap();
    let all = concat_batches(&all[0].schema(), &all).unwrap();
    for places in [vec![0], vec![299], vec![0, 1, 2, 7, 150, 298, 299], (0..300).collect()] {
        let picked = snapshot.rows_at(&spans::TABLE, &file, &places, &columns).await.unwrap();
        let expected = take_record_batch(&all, &UInt32Array::from(places)).unwrap();
        assert_eq!(format!("{:?}", texts(&picked)), format!("{:?}", texts(&expected)));
    }
    let beyond = snapshot.rows_at(&spans::TABLE, &file, &[300], &columns).await.unwrap_err();
    assert!(matches!(beyond, StoreError::Read { .. }), "{beyond}");
    std::fs::remove_file(dir.path().join("spans").join(&file.path)).unwrap();
    let gone = snapshot.rows_at(&spans::TABLE, &file, &[0], &columns).await.unwrap_err();
    assert!(matches!(gone, StoreError::FileGone { .. }), "{gone}");
}

fn texts(rows: &RecordBatch) -> Vec<Vec<String>> {
    let text = |column: &ArrayRef| {
        let column = cast(column, &DataType::Utf8).unwrap();
        column.as_string::<i32>().iter().map(|v| format!("{v:?}")).collect()
    };
    rows.columns().iter().map(text).collect()
}
