//! Redaction by the running binary: a secret that a rule names is in no file of the store, whichever
//! way it was spelled in the request; what no rule names is there. The log, which holds requests as
//! they came until they are committed, is not the store.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use arrow::util::display::array_value_to_string;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::binary::{rows, start};

const SETTINGS: &str = r#"
flush_interval = "20ms"
[contents]
capture = true
body_bytes_max = "200B"
hash_key = "sixteen bytes or more"
[[contents.redact]]
pattern = '[\w.]+@[\w.]+'
replacement = "[mail]"
[[contents.redact]]
pattern = '\b\d{16}\b'
action = "hash"
[[contents.redact]]
keys = ["password"]
[[contents.redact]]
fields = ["gen_ai.system_instructions"]
action = "drop"
"#;

/// What must be nowhere, and what must be somewhere: else the search itself is broken.
const SECRETS: [&str; 4] = ["jo@example.org", "4111111111111111", "hunter2", "be rude"];
const HARMLESS: &str = "harmless words";

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// One span whose contents hold each secret in several spellings.
fn request() -> Value {
    let arguments = r#"{"card":4111111111111111,"password":"hunter2"}"#;
    let escaped = format!(r#"[{{"role":"user","content":"{HARMLESS}, jo\u0040example.org"}}]"#);
    let long = format!("{}jo@example.org", "x ".repeat(95));
    let start = "1795514400000000000";
    json!({"resourceSpans": [{"scopeSpans": [{"spans": [{
        "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174",
        "name": "chat gpt-4o", "kind": 3, "startTimeUnixNano": start, "endTimeUnixNano": start,
        "attributes": [
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.system_instructions", "be rude"),
            text("gen_ai.input.messages", &escaped),
            text("gen_ai.output.messages", "write to jo@example.org or 4111111111111111"),
            text("gen_ai.tool.call.arguments", arguments),
            text("gen_ai.tool.call.result", &long),
        ],
        "events": [{"timeUnixNano": start, "name": "gen_ai.choice",
            "attributes": [text("message", "{'password': 'hunter2'}")]}],
    }]}]}]})
}

/// All text of all files under a folder: Parquet by its values, anything else as it stands.
fn everything(folder: &Path, out: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            everything(&path, out);
            continue;
        }
        out.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap()));
        if path.extension().is_none_or(|end| end != "parquet") {
            continue;
        }
        let file = std::fs::File::open(&path).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            for column in batch.columns() {
                for row in 0..batch.num_rows() {
                    out.push_str(&array_value_to_string(column, row).unwrap());
                    out.push('\n');
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redacted_secret_is_in_no_file_of_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let (server, otlp, api) = start(folder.path(), SETTINGS);
    let sent = reqwest::Client::new()
        .post(format!("{otlp}/v1/traces"))
        .json(&request())
        .send()
        .await
        .unwrap();
    assert!(sent.status().is_success(), "{sent:?}");
    let query = "SELECT field, body, truncated, redactions FROM contents ORDER BY position";
    let asked = Instant::now();
    let contents = loop {
        let contents = rows(&api, query).await;
        if contents.len() == 6 {
            break contents;
        }
        assert!(asked.elapsed() < Duration::from_secs(20), "{contents:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    drop(server);

    let body = |i: usize| contents[i][1].as_str().unwrap();
    assert_eq!(contents[0], json!(["gen_ai.system_instructions", "", false, 1]));
    assert_eq!(body(1), format!(r#"[{{"role":"user","content":"{HARMLESS}, [mail]"}}]"#));
    assert!(body(2).starts_with("write to [mail] or [hash:"), "{}", body(2));
    let hash = body(2).split_once("or ").unwrap().1;
    // The same card number, here a number of JSON: the same hash.
    assert_eq!(body(3), format!(r#"{{"card":"{hash}","password":"[dropped]"}}"#));
    // 190 + 6 bytes fit into 200: the secret was found before the cut, which was not needed then.
    assert_eq!((&contents[4][2], body(4).ends_with("x [mail]")), (&json!(false), true));
    assert_eq!(body(5), "{'password': '[dropped]'}");

    let mut all = String::new();
    everything(&folder.path().join("data/store"), &mut all);
    assert!(all.contains(HARMLESS), "the search finds nothing");
    for secret in SECRETS {
        assert!(!all.contains(secret), "`{secret}` is in the store");
    }
}

#[test]
fn a_rule_that_cannot_work_stops_the_start_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("spanledger.toml");
    std::fs::write(&config, "[[contents.redact]]\npattern = '('\n").unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_spanledger"))
        .args(["serve", "--print-config", "--config"])
        .arg(&config)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(2), "{said}");
    assert!(
        said.contains("`contents.redact`, rule 1: `pattern` is no regular expression"),
        "{said}"
    );
    assert!(said.contains("spanledger.toml"), "{said}");
}
