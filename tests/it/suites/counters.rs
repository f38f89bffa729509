//! What coding agents' own metrics count, against what the providers billed: alone, and beside the
//! calls that their spans and events tell of.

use serde_json::{Value, json};

use super::capture::{Suite, captures};
use super::{rows, wait_until_settled};
use crate::crash::process::{Doors, Process, SETTINGS};

/// Suite, metric, and for each usage the billed leaf that it counts; a second leaf is taken off.
const TOLD: [(&str, &str, &[&str]); 3] = [
    (
        "claude-code",
        "claude_code.token.usage",
        &[
            "cache-read=cache_read",
            "cache-write=cache_write",
            "input-uncached=input_uncached",
            "output=output_total",
        ],
    ),
    (
        "codex-cli",
        "codex.turn.token_usage",
        &[
            "cache-read=cache_read",
            "cache-write=cache_write",
            "input=input_total",
            "output=output_total",
            "reasoning=reasoning",
        ],
    ),
    (
        "gemini-cli",
        "gemini_cli.token.usage",
        &[
            "cache-read=cache_read",
            "input=input_total",
            "output-text=output_total-reasoning",
            "reasoning=reasoning",
        ],
    ),
];

/// Tokens that the requests of a suite were billed, by usage.
fn billed(suite: &Suite, leaves: &[&str]) -> Vec<(String, i64)> {
    let sum = |leaf: &str| -> i64 {
        let answered = suite.truth.iter().filter(|request| request["status"] == 200);
        answered.map(|request| request["billed"][leaf].as_i64().unwrap()).sum()
    };
    let one = |pair: &&str| {
        let (usage, leaves) = pair.split_once('=').unwrap();
        let mut parts = leaves.split('-');
        let whole = sum(parts.next().unwrap());
        (usage.to_owned(), whole - parts.map(sum).sum::<i64>())
    };
    leaves.iter().map(one).collect()
}

async fn counters(doors: &Doors, metric: &str) -> Vec<Value> {
    let query = format!(
        "SELECT usage, state, metric_tokens, unknown_points FROM counters(by => 'service_name') \
         WHERE metric_name = '{metric}' ORDER BY usage"
    );
    rows(doors, &query).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_metrics_count_what_was_billed_and_so_do_their_calls() {
    let Some(folder) = captures() else { return };
    for suite in Suite::all(&folder) {
        let Some((_, metric, leaves)) = TOLD.iter().find(|(name, ..)| *name == suite.name) else {
            continue;
        };
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("spanledger.toml"), SETTINGS).unwrap();
        let mut process = Process::start(folder.path(), None);
        let doors = process.doors().expect("the server starts");
        let (metrics, others): (Vec<_>, Vec<_>) =
            suite.bodies.iter().partition(|body| body.signal == "metrics");
        // The last first: the order of arrival is nothing.
        for body in metrics.iter().rev() {
            body.send(&doors["otlp-http"]).await;
        }
        let billed = billed(&suite, leaves);
        let expect = |state: &dyn Fn(i64) -> &'static str| -> Vec<Value> {
            billed.iter().map(|(usage, n)| json!([usage, state(*n), n, 0])).collect()
        };
        // What is nothing is missing nowhere.
        let alone = expect(&|n| if n == 0 { "counted" } else { "metrics-only" });
        until(&doors, metric, &alone).await;
        for body in others {
            body.send(&doors["otlp-http"]).await;
        }
        wait_until_settled(&doors, &suite).await;
        until(&doors, metric, &expect(&|_| "counted")).await;
        let all = "SELECT metric_name, usage, state, metric_cost, call_cost, calls, later_calls \
                   FROM counters(by => 'service_name')";
        println!("{}: {}", suite.name, json!(rows(&doors, all).await));
        process.kill();
    }
}

/// Waits until the rows are visible.
async fn until(doors: &Doors, metric: &str, expected: &[Value]) {
    let asked = std::time::Instant::now();
    loop {
        let found = counters(doors, metric).await;
        if found == expected {
            return;
        }
        assert!(asked.elapsed().as_secs() < 20, "{metric}: {found:?}, expected {expected:?}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
