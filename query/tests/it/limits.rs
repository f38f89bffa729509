//! Every limit has its answer, and really stops the work (I-9).

use std::time::{Duration, Instant};

use serde_json::json;
use spanledger_query::QuerySettings;

use crate::fixture::world;
use crate::http::sql;

/// A query that would run for hours: 10¹² pairs, of which none is kept.
pub const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 1000000) AS a(x) \
     CROSS JOIN generate_series(1, 1000000) AS b(y) WHERE (x * y) % 1000003 = -1";

#[tokio::test]
async fn a_deadline_stops_the_query() {
    if !alone("limits::a_deadline_stops_the_query") {
        return;
    }
    let settings =
        QuerySettings { deadline: Duration::from_millis(300), ..QuerySettings::default() };
    let world = world(settings, &[]).await;
    let started = Instant::now();
    let (status, body) = sql(&world, json!({"query": ENDLESS})).await;
    assert_eq!((status, body["title"].as_str()), (504, Some("deadline exceeded")), "{body}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(idle(started.elapsed()).await, "the query still computes");
}

#[tokio::test]
async fn a_client_that_leaves_stops_its_query() {
    let settings = QuerySettings { concurrent_max: 1, ..QuerySettings::default() };
    let world = world(settings, &[]).await;
    let request = reqwest::Client::new()
        .post(format!("{}/api/v1/sql", world.http))
        .timeout(Duration::from_millis(300))
        .json(&json!({"query": ENDLESS}));
    assert!(request.send().await.unwrap_err().is_timeout());
    // The only place is free again before the wait for it ends.
    let (status, _) = sql(&world, json!({"query": "SELECT 1"})).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn too_many_queries_are_told_to_come_back() {
    let settings = QuerySettings {
        concurrent_max: 1,
        deadline: Duration::from_secs(30),
        ..QuerySettings::default()
    };
    let world = world(settings, &[]).await;
    let caller = world.service.anyone("http");
    let running = world.service.sql(&caller, ENDLESS, None).await.unwrap();
    let response = reqwest::Client::new()
        .post(format!("{}/api/v1/sql", world.http))
        .json(&json!({"query": "SELECT 1"}))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "1");
    drop(running);
    let (status, _) = sql(&world, json!({"query": "SELECT 1"})).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn rows_bytes_and_memory_are_bounded() {
    let settings = QuerySettings {
        rows_max: 1_000,
        result_bytes_max: 100_000,
        memory_max: 1 << 20,
        spill_max: 1,
        ..QuerySettings::default()
    };
    let world = world(settings, &[]).await;
    let check = async |query: &str, title: &str| {
        let (status, body) = sql(&world, json!({"query": query})).await;
        assert_eq!((status, body["title"].as_str()), (422, Some(title)), "{query}: {body}");
    };
    let (status, _) = sql(&world, json!({"query": "SELECT * FROM generate_series(1, 1000)"})).await;
    assert_eq!(status, 200);
    check("SELECT * FROM generate_series(1, 1001)", "too many rows").await;
    check(
        "SELECT lpad(CAST(value AS TEXT), 1000) FROM generate_series(1, 500)",
        "answer too large",
    )
    .await;
    check(
        "SELECT value % 1000000 AS k, count(*) FROM generate_series(1, 3000000) GROUP BY k LIMIT 1",
        "out of memory",
    )
    .await;
}

#[tokio::test]
async fn results_as_long_as_an_argument_says_are_refused() {
    let world = world(QuerySettings::default(), &[]).await;
    for query in [
        "SELECT repeat('x', 2000000000)",
        "SELECT lpad('x', 2000000000)",
        "SELECT rpad('x', CAST(value AS INT)) FROM generate_series(1, 2)",
        "SELECT array_repeat(1, 2000000000)",
        "SELECT generate_series(1, 2000000000)",
    ] {
        let (status, body) = sql(&world, json!({"query": query})).await;
        assert_eq!(status, 400, "{query}: {body}");
    }
}

/// Whether this is a process of its own for the test of that name. If not, runs it in one and
/// fails when it does: the time of a process says nothing while other tests compute in it.
fn alone(test: &str) -> bool {
    const ALONE: &str = "SPANLEDGER_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let run = command.args(["--exact", test, "--nocapture"]).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{said}\n{}", String::from_utf8_lossy(&run.stderr));
    assert!(said.contains("1 passed"), "no test ran: {said}");
    false
}

/// Whether the process comes to rest: in one of many slices it uses less than half of one core.
async fn idle(_: Duration) -> bool {
    for _ in 0..50 {
        let before = cpu_ticks();
        tokio::time::sleep(Duration::from_millis(200)).await;
        // 100 ticks a second: 10 of 20.
        if cpu_ticks() - before < 10 {
            return true;
        }
    }
    false
}

/// User and system time of this process, in ticks of 10 ms (proc_pid_stat(5), fields 14 and 15).
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
