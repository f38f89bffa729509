//! Many points in little memory: what does not fit is written to disk, and the answer is right.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Float64Array, Int64Array, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use serde_json::{Value, json};
use spanledger_query::QuerySettings;
use spanledger_schemas::tables::metric_points;

use crate::fixture::{World, batch, world};
use crate::http::sql;

const SERIES: usize = 100;
const POINTS: usize = 1_000;
/// Points of all series that are appended at a time.
const AT_ONCE: usize = 250;

/// Point `n`, the first being 1, of every series; the counter of series `s` has grown by `s % 7 + 1` each.
fn points(n: i64) -> RecordBatch {
    let series = (0..SERIES).map(|s| {
        json!({"metric_name": "tokens", "metric_kind": "sum", "monotonic": true,
            "temporality": "cumulative", "start_unix_ns": 0, "service_name": format!("s{}", s % 10),
            "metric_attributes": {"team": format!("team-{}", s / 50), "route": format!("/v1/{s}")},
            "resource_attributes": {"service.instance.id": "6f1c9a52-0000-4000-8000-000000000001"}})
    });
    let rows = batch(&metric_points::TABLE, &series.collect::<Vec<Value>>());
    // Every 10 seconds from 2026-11-24T00:00:10Z on, 1_795_478_410 s.
    let seconds = 1_795_478_400 + 10 * n;
    let grown = |s: usize| n * (s as i64 % 7 + 1);
    let schema = rows.schema();
    let columns = schema.fields().iter().enumerate().map(|(at, field)| -> ArrayRef {
        match field.name().as_str() {
            "at" | "received_at" => {
                let instants = vec![seconds * 1_000_000; SERIES];
                Arc::new(TimestampMicrosecondArray::from(instants).with_timezone("UTC"))
            }
            "time_unix_ns" => Arc::new(Int64Array::from(vec![seconds * 1_000_000_000; SERIES])),
            "value_int" => Arc::new(Int64Array::from_iter_values((0..SERIES).map(grown))),
            "value" => {
                Arc::new(Float64Array::from_iter_values((0..SERIES).map(|s| grown(s) as f64)))
            }
            _ => Arc::clone(rows.column(at)),
        }
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

async fn many_points(settings: QuerySettings) -> World {
    let world = world(settings, &[]).await;
    for from in (1..=POINTS).step_by(AT_ONCE) {
        let some: Vec<_> = (from..from + AT_ONCE).map(|n| points(n as i64)).collect();
        let rows = arrow::compute::concat_batches(&some[0].schema(), &some).unwrap();
        world.store.append(&metric_points::TABLE, rows, None).await.unwrap();
    }
    world
}

/// Files that the sorts of a query wrote, by the figures of its plan.
async fn spilled(world: &World, query: &str) -> u64 {
    let (status, body) = sql(world, json!({"query": format!("EXPLAIN ANALYZE {query}")})).await;
    assert_eq!(status, 200, "{body}");
    let plan = body["rows"][0][1].as_str().unwrap();
    let sorts = plan.lines().filter(|line| line.contains("SortExec"));
    let files = sorts.filter_map(|line| {
        let (_, figures) = line.split_once("spill_count=")?;
        figures.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok()
    });
    files.sum()
}

#[tokio::test]
async fn increases_of_many_points_are_added_up_in_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    // 100,000 points of 93 bytes and more, which sorts count twice, are 18 MB; the query has 7.2 MiB.
    let settings = QuerySettings {
        memory_max: 12 << 20,
        partitions: 2,
        spill_dir: Some(folder.path().join("spill")),
        deadline: Duration::from_secs(600),
        ..QuerySettings::default()
    };
    let world = many_points(settings).await;
    let query = "SELECT count(*), sum(increase) FROM metric_increases";
    // 14 times 1 + 2 + … + 7 = 28, and 1 + 2 of the series 98 and 99: 395 each time.
    let (status, body) = sql(&world, json!({"query": query})).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["rows"], json!([[100_000, 395_000.0]]));
    let files = spilled(&world, query).await;
    assert!(files > 1, "{files} files");
    // With the attributes as they came: the series from 0 to 49 are 7 times 28 and 1, 197 each time.
    let query = "SELECT metric_attributes['team'] AS team, sum(increase) FROM metric_increases \
                 GROUP BY 1 ORDER BY 1";
    let (status, body) = sql(&world, json!({"query": query})).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["rows"], json!([["team-0", 197_000.0], ["team-1", 198_000.0]]));
    // Nothing is left behind but the process' own folder, empty, and the lock.
    let left = std::fs::read_dir(folder.path().join("spill")).unwrap();
    for entry in left.map(Result::unwrap).filter(|e| e.file_type().unwrap().is_dir()) {
        assert_eq!(std::fs::read_dir(entry.path()).unwrap().count(), 0);
    }
}
