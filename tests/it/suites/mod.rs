//! What real libraries sent, through the real door, against what the providers billed: the
//! captured suites under `shared/data/otlp`, each with a `truth.jsonl`. They lie outside the
//! project, so this test says that it skipped when they are not there; `SPANLEDGER_CAPTURES` names
//! another folder of such suites. It owns the comparison; how
//! a body is read and settled is the product's.

mod capture;
mod counters;
mod truth;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::crash::process::{Doors, Process, SETTINGS};
use capture::{Suite, captures};
use truth::{Call, Tally};

/// How long a suite may take to be settled.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_counted_that_the_providers_did_not_bill() {
    let Some(folder) = captures() else { return };
    let mut tallies = Vec::new();
    for suite in Suite::all(&folder) {
        let calls = calls_of(&suite).await;
        tallies.push(Tally::of(&suite, &calls));
    }
    println!("{}", Tally::HEAD);
    for tally in &tallies {
        println!("{tally}");
    }
    for complaint in tallies.iter().flat_map(|t| &t.complaints) {
        println!("{complaint}");
    }
    let complaints: usize = tallies.iter().map(|t| t.complaints.len()).sum();
    assert_eq!(complaints, 0, "calls that the truth does not have, or has otherwise");
}

/// Sends the bodies of a suite as they are to a server of its own; the calls it settles.
async fn calls_of(suite: &Suite) -> Vec<Call> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("spanledger.toml"), SETTINGS).unwrap();
    let mut process = Process::start(folder.path(), None);
    let doors = process.doors().expect("the server starts");
    for body in &suite.bodies {
        body.send(&doors["otlp-http"]).await;
    }
    wait_until_settled(&doors, suite).await;
    let rows = rows(&doors, truth::QUERY).await;
    let verdicts = "SELECT rule, count(*) FROM span_verdicts GROUP BY 1 ORDER BY 1";
    println!("{}: {}", suite.name, json!(self::rows(&doors, verdicts).await));
    process.kill();
    rows.iter().map(Call::of).collect()
}

/// Every span read by settle, no trace open, and for three looks the same calls, of which each
/// suite has some. The number of open traces is that of the end of a round: while the round is
/// under way that has read the last span, it is the one before.
async fn wait_until_settled(doors: &Doors, suite: &Suite) {
    let until = Instant::now() + SETTLED_WITHIN;
    let (mut before, mut same) = (None, 0);
    loop {
        let metrics = reqwest::get(format!("http://{}/metrics", doors["http"])).await.unwrap();
        let metrics = metrics.text().await.unwrap();
        let read = metric(&metrics, "spanledger_settle_spans_total");
        let open = metric(&metrics, "spanledger_settle_open_traces");
        let count = rows(doors, "SELECT count(*) FROM calls HAVING count(*) > 0").await;
        let all = read >= suite.spans as f64 && open == 0.0 && !count.is_empty();
        same = if all && before.as_ref() == Some(&count) { same + 1 } else { 0 };
        if same == 2 {
            return;
        }
        before = all.then_some(count);
        assert!(Instant::now() < until, "{}: {read} of {} spans", suite.name, suite.spans);
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
}

fn metric(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or(0.0)
}

async fn rows(doors: &Doors, query: &str) -> Vec<Value> {
    let url = format!("http://{}/api/v1/sql", doors["http"]);
    let request = reqwest::Client::new().post(url).json(&json!({ "query": query }));
    let answer = request.header("accept", "application/json").send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let rows = answer["rows"].as_array();
    rows.unwrap_or_else(|| panic!("{query}: {answer}")).clone()
}

/// The lines of a JSON file.
fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
