//! View `metric_increases` over real files: totals of histories that are known before they are cut
//! into points, the rows of one series, what a window reads, and whose rows they are.

use serde_json::{Value, json};
use spanledger_query::{Caller, QuerySettings};
use spanledger_schemas::tables::metric_points;

use crate::fixture::{World, world};
use crate::http::sql;

/// 2026-11-24T00:00:00Z, in seconds.
const DAY: i64 = 1_795_478_400;

/// A point at some seconds after [`DAY`], with its columns of time.
fn point(at_s: i64, more: Value) -> Value {
    let at = jiff::Timestamp::from_second(DAY + at_s).unwrap();
    let mut row = json!({
        "metric_name": "requests", "metric_kind": "sum", "monotonic": true,
        "temporality": "cumulative", "at": at.to_string(), "date": at.to_string()[..10],
        "time_unix_ns": ns(at_s), "received_at": at.to_string(),
    });
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    row
}

fn ns(at_s: i64) -> i64 {
    (DAY + at_s) * 1_000_000_000
}

async fn rows(world: &World, query: &str) -> Vec<Value> {
    let (status, body) = sql(world, json!({"query": query})).await;
    assert_eq!(status, 200, "{query}: {body}");
    body["rows"].as_array().unwrap().clone()
}

async fn of(points: Vec<Value>) -> World {
    world(QuerySettings::default(), &[(&metric_points::TABLE, points)]).await
}

/// Numbers in any order, the same each time: a linear congruential generator (Knuth's MMIX).
struct Any(u64);

impl Any {
    fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// The points of a counter that lives some times, each of them both ways, and what it counted.
fn history(any: &mut Any, service: &str) -> (Vec<Value>, i64) {
    let (mut points, mut now, mut counted) = (Vec::new(), 0, 0);
    let float = any.below(2) == 0;
    for _ in 0..=any.below(3) {
        let (born, mut total) = (now, 0i64);
        for _ in 0..=any.below(6) {
            let (before, more) = (now, any.below(1_000) as i64);
            now += 10 + any.below(600) as i64;
            total += more;
            for (temporality, start, value) in
                [("cumulative", born, total), ("delta", before, more)]
            {
                // Attributes in any order are the same attributes.
                let (a, b) = ("\"a\":\"1\"", "\"b\":\"2\"");
                let map = if any.below(2) == 0 { [a, b] } else { [b, a] }.join(",");
                let map: Value = serde_json::from_str(&format!("{{{map}}}")).unwrap();
                let mut row = point(
                    now,
                    json!({"service_name": service, "temporality": temporality,
                        "start_unix_ns": ns(start), "value": value as f64,
                        "resource_attributes": {"service.name": service}, "metric_attributes": map}),
                );
                if !float {
                    row["value_int"] = json!(value);
                }
                for _ in 0..=any.below(2) {
                    points.push(row.clone());
                }
            }
        }
        counted += total;
        now += 1 + any.below(30) as i64;
    }
    (points, counted)
}

#[tokio::test]
async fn any_history_adds_up_in_both_temporalities_in_any_order_of_arrival() {
    let mut any = Any(20_261_124);
    let (mut points, mut expected) = (Vec::new(), Vec::new());
    for i in 0..40 {
        let service = format!("s{i:02}");
        let (more, counted) = history(&mut any, &service);
        points.extend(more);
        for temporality in ["cumulative", "delta"] {
            expected.push(json!([service, temporality, counted as f64, 0]));
        }
    }
    for i in (1..points.len()).rev() {
        points.swap(i, any.below(i as u64 + 1) as usize);
    }
    let stored = points.len();
    // Some files, each with points of any time.
    let files: Vec<_> = points.chunks(200).map(|c| (&metric_points::TABLE, c.to_vec())).collect();
    let world = world(QuerySettings { partitions: 3, ..QuerySettings::default() }, &files).await;
    let found = rows(
        &world,
        "SELECT service_name, temporality, sum(increase), \
         count(*) FILTER (WHERE increase IS NULL) FROM metric_increases GROUP BY 1, 2 ORDER BY 1, 2",
    )
    .await;
    assert_eq!(found, expected);
    let all = rows(&world, "SELECT count(*) FROM metric_increases").await;
    assert_eq!(all, [json!([stored])], "each point is there once");
}

#[tokio::test]
async fn each_row_says_what_it_counts_from_and_why() {
    let start = json!({"start_unix_ns": ns(0), "value": 5.0, "value_int": 5});
    let world = of(vec![
        point(10, start.clone()),
        point(20, json!({"start_unix_ns": ns(0), "value": 12.0, "value_int": 12})),
        point(20, json!({"start_unix_ns": ns(0), "value": 12.0, "value_int": 12})),
        point(30, json!({"start_unix_ns": ns(0), "no_value": true})),
        // Restarted at second 35.
        point(40, json!({"start_unix_ns": ns(35), "value": 3.0, "value_int": 3})),
        // What is no counter is not there.
        point(10, json!({"metric_name": "queue", "monotonic": false, "value": 5.0})),
        point(
            10,
            json!({"metric_name": "load", "metric_kind": "gauge", "monotonic": null,
            "temporality": null, "value": 5.0}),
        ),
    ])
    .await;
    let found = rows(
        &world,
        "SELECT increase_basis, increase_int, increase, increase_start_unix_ns, previous_unix_ns, \
         value_int, increase_reason FROM metric_increases ORDER BY time_unix_ns, increase DESC",
    )
    .await;
    let no_value = "the point says that no value was recorded";
    assert_eq!(
        found,
        [
            json!(["first", 5, 5.0, ns(0), null, 5, null]),
            json!(["cumulative", 7, 7.0, ns(10), ns(10), 12, null]),
            json!(["duplicate", 0, 0.0, ns(20), ns(20), 12, null]),
            json!(["unknown", null, null, null, null, null, no_value]),
            json!(["reset", 3, 3.0, ns(35), null, 3, null]),
        ]
    );
}

#[tokio::test]
async fn distributions_of_every_kind_count_by_count_and_sum() {
    let told = |kind: &str, count: i64, sum: f64| {
        let temporality = if kind == "summary" { json!(null) } else { json!("cumulative") };
        json!({"metric_name": kind, "metric_kind": kind, "monotonic": null,
            "temporality": temporality, "start_unix_ns": ns(0), "count": count, "sum": sum})
    };
    let kinds = ["exponential-histogram", "histogram", "summary"];
    let points = kinds.into_iter().flat_map(|kind| {
        [
            point(10, told(kind, 2, 30.0)),
            point(20, told(kind, 5, 90.5)),
            point(30, told(kind, 1, 4.0)),
        ]
    });
    let world = of(points.collect()).await;
    let found = rows(
        &world,
        "SELECT metric_name, increase_basis, count_increase, sum_increase, increase \
         FROM metric_increases ORDER BY 1, time_unix_ns",
    )
    .await;
    let expected: Vec<Value> = kinds
        .into_iter()
        .flat_map(|kind| {
            [
                json!([kind, "first", 2, 30.0, null]),
                json!([kind, "cumulative", 3, 60.5, null]),
                json!([kind, "reset", 1, 4.0, null]),
            ]
        })
        .collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_window_counts_from_the_point_before_it_up_to_a_day_back() {
    let hour = 3_600;
    let named = |name: &str, at_s: i64, value: f64| {
        point(at_s, json!({"metric_name": name, "start_unix_ns": ns(-100 * hour), "value": value}))
    };
    let world = of(vec![
        // The window begins 48 hours after DAY.
        named("near", 25 * hour, 10.0),
        named("near", 49 * hour, 15.0),
        named("far", 23 * hour, 10.0),
        named("far", 49 * hour, 15.0),
        named("far", 50 * hour, 16.0),
        named("later", 72 * hour, 99.0),
    ])
    .await;
    let window = "at >= '2026-11-26' AND at < '2026-11-27'";
    let found = rows(
        &world,
        &format!(
            "SELECT metric_name, increase_basis, increase FROM metric_increases WHERE {window} \
             ORDER BY 1, at"
        ),
    )
    .await;
    let unknown = json!(["far", "unknown", null]);
    let near = json!(["near", "cumulative", 5.0]);
    assert_eq!(found, [unknown, json!(["far", "cumulative", 1.0]), near.clone()]);
    // Nothing is left unknown where all is read; and the other forms of a bound bound as well.
    let whole = "SELECT sum(increase) FROM metric_increases WHERE metric_name = 'far'";
    assert_eq!(rows(&world, whole).await, [json!([16.0])]);
    for bound in [
        format!("time_unix_ns >= {}", ns(48 * hour)),
        "date >= '2026-11-26'".to_owned(),
        "at BETWEEN '2026-11-26' AND '2026-11-26T12:00:00Z'".to_owned(),
        "date = '2026-11-26'".to_owned(),
    ] {
        let query = format!(
            "SELECT metric_name, increase_basis, increase FROM metric_increases \
             WHERE metric_name = 'near' AND {bound}"
        );
        assert_eq!(rows(&world, &query).await, std::slice::from_ref(&near), "{bound}");
    }
}

#[tokio::test]
async fn name_and_time_reach_the_files() {
    let world = of(vec![point(10, json!({"start_unix_ns": ns(0), "value": 5.0}))]).await;
    let plan = |filter: &str| {
        let query = format!("EXPLAIN SELECT sum(increase) FROM metric_increases WHERE {filter}");
        let world = &world;
        async move {
            let found = rows(world, &query).await;
            let physical = found.iter().find(|row| row[0] == "physical_plan").unwrap();
            physical[1].as_str().unwrap().to_owned()
        }
    };
    let read = plan("metric_name = 'requests' AND at >= '2026-11-24' AND at < '2026-11-25'").await;
    let scan = read.lines().find(|line| line.contains("DataSourceExec")).unwrap();
    for part in ["metric_name@", "at@", "pruning_predicate"] {
        assert!(scan.contains(part), "no `{part}` in {scan}");
    }
    for part in ["description", "exemplars", "detail"] {
        assert!(!scan.contains(part), "`{part}` is read: {scan}");
    }
    assert!(read.contains("IncreasesExec"), "{read}");
    // The only file is of 2026-11-24 and has one metric.
    for filter in ["metric_name = 'other'", "at < '2026-11-24'", "at >= '2026-11-26'"] {
        let read = plan(filter).await;
        assert!(read.contains("EmptyExec") && !read.contains("DataSourceExec"), "{filter}: {read}");
    }
    let looked_back = plan("at >= '2026-11-25'").await;
    assert!(looked_back.contains("DataSourceExec"), "a day back is read: {looked_back}");
}

#[tokio::test]
async fn another_tenants_points_are_neither_shown_nor_counted_from() {
    let world = of(vec![
        point(10, json!({"start_unix_ns": ns(0), "value": 5.0})),
        point(15, json!({"start_unix_ns": ns(0), "value": 7.0, "tenant": "other"})),
        point(20, json!({"start_unix_ns": ns(0), "value": 9.0})),
    ])
    .await;
    let query = "SELECT increase FROM metric_increases ORDER BY at";
    assert_eq!(rows(&world, query).await, [json!([5.0]), json!([4.0])]);
    let other = Caller { tenant: "other".to_owned(), ..world.service.anyone("http") };
    let running = world.service.sql(&other, query, None).await.unwrap();
    let batches: Vec<_> = futures::TryStreamExt::try_collect(running).await.unwrap();
    let counted: usize = batches.iter().map(arrow::array::RecordBatch::num_rows).sum();
    assert_eq!(counted, 1);
}

#[tokio::test]
async fn it_is_a_table_like_the_others_and_names_what_it_was_read_from() {
    let world = of(vec![point(10, json!({"start_unix_ns": ns(0), "value": 5.0}))]).await;
    let listed = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' \
                  AND table_name = 'metric_increases'";
    assert_eq!(rows(&world, listed).await, [json!(["metric_increases"])]);
    let same = "SELECT i.series_id = p.series_id FROM metric_increases i \
                JOIN metric_points p USING (time_unix_ns)";
    assert_eq!(rows(&world, same).await, [json!([true])]);
    let query = json!({"query": "SELECT increase_start_unix_ns AS since FROM metric_increases"});
    let (_, body) = sql(&world, query).await;
    assert_eq!(body["rows"], json!([[ns(0)]]), "{body}");
    assert_eq!(body["columns"][0]["unit"], "ns since epoch");
    assert!(body["tables"]["metric_points"].is_i64(), "{body}");
}
