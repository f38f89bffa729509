//! The auditor: compares what the client made with what SQL answers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{Client, Made};
use super::process::Doors;

/// A round as the tables show it.
#[derive(Debug, PartialEq, Eq)]
struct Stored {
    made: Made,
    /// Different spans among them.
    ids: u64,
}

/// Waits until every span is committed and every call settled, then compares round by round.
pub(super) async fn audit(doors: &Doors, client: &Client, until: Instant) {
    let made = client.made();
    let expected: BTreeMap<String, Stored> = (0..)
        .zip(&made)
        .filter(|(_, made)| made.spans > 0)
        .map(|(round, made)| (format!("round {round}"), Stored { made: *made, ids: made.spans }))
        .collect();
    let spans: u64 = made.iter().map(|made| made.spans).sum();
    println!("{spans} spans in {} rounds", expected.len());
    assert!(spans > 0, "nothing was sent");

    // Twice is as wrong as never, so the wait ends at the number or above it.
    while count(doors, "spans").await < spans && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let rounds = "SELECT name, count(*), count(DISTINCT span_id), sum(input_tokens), \
                  sum(output_tokens) FROM spans GROUP BY name";
    let stored: BTreeMap<String, Stored> = rows(doors, rounds).await.iter().map(round).collect();
    assert_eq!(stored, expected);

    while count(doors, "calls").await < spans && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let calls = "SELECT 'calls', count(*), count(DISTINCT span_id), sum(input_tokens), \
                 sum(output_tokens) FROM calls";
    let settled = round(&rows(doors, calls).await[0]).1;
    let sum = |of: fn(&Made) -> u64| made.iter().map(of).sum();
    let all = Made {
        spans,
        input_tokens: sum(|made| made.input_tokens),
        output_tokens: sum(|made| made.output_tokens),
    };
    assert_eq!(settled, Stored { made: all, ids: spans });
}

fn round(row: &Value) -> (String, Stored) {
    let made = Made {
        spans: number(&row[1]),
        input_tokens: number(&row[3]),
        output_tokens: number(&row[4]),
    };
    (row[0].as_str().unwrap().to_owned(), Stored { made, ids: number(&row[2]) })
}

async fn count(doors: &Doors, table: &str) -> u64 {
    number(&rows(doors, &format!("SELECT count(*) FROM {table}")).await[0][0])
}

/// A whole number; 64-bit ones may come as text.
fn number(value: &Value) -> u64 {
    match value {
        Value::Null => 0,
        Value::String(text) => text.parse().unwrap(),
        other => other.as_u64().unwrap(),
    }
}

async fn rows(doors: &Doors, query: &str) -> Vec<Value> {
    let url = format!("http://{}/api/v1/sql", doors["http"]);
    let request = reqwest::Client::new().post(url).json(&json!({ "query": query }));
    let answer = request.header("accept", "application/json").send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{query}: {status} {text}");
    let mut answer: Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(answer["rows"].take()).unwrap()
}
