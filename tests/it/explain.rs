//! `explain` and `doctor` as a person runs them: against a running server, by what they print and how
//! they end.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::binary::{rows, start};

const TRACE: &str = "5b8efff798038103d269b633813fc60c";
const SPAN: &str = "eee19b7ec3c1b174";

fn run(api: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spanledger"));
    let Output { status, stdout, stderr } =
        command.args(arguments).args(["--url", api]).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// A call of gpt-4o with 1,000 input tokens, 400 of them cached, and 100 output tokens.
fn request() -> Value {
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let int = |key: &str, value: i64| json!({"key": key, "value": {"intValue": value}});
    json!({"resourceSpans": [{
        "resource": {"attributes": [text("service.name", "api"), text("team", "ads")]},
        "scopeSpans": [{
            "scope": {"name": "acme.llm", "version": "1.0"},
            "schemaUrl": "https://opentelemetry.io/schemas/1.40.0",
            "spans": [{
                "traceId": TRACE, "spanId": SPAN, "name": "chat gpt-4o", "kind": 3,
                "startTimeUnixNano": "1795514400000000000",
                "endTimeUnixNano": "1795514401500000000",
                "attributes": [
                    text("gen_ai.operation.name", "chat"),
                    text("gen_ai.provider.name", "openai"),
                    text("gen_ai.request.model", "gpt-4o"),
                    int("gen_ai.usage.input_tokens", 1000),
                    int("gen_ai.usage.cache_read.input_tokens", 400),
                    int("gen_ai.usage.output_tokens", 100),
                ],
            }],
        }],
    }]})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_figure_is_explained_and_a_service_examined_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "flush_interval = \"20ms\"\n[settle]\nquiet = \"100ms\"\n";
    let (_server, otlp, api) = start(folder.path(), settings);
    let (status, nothing, _) = run(&api, &["doctor"]);
    assert_eq!((status, nothing.contains("nothing has arrived")), (0, true), "{nothing}");

    let http = reqwest::Client::new();
    let sent = http.post(format!("{otlp}/v1/traces")).json(&request()).send().await.unwrap();
    assert!(sent.status().is_success(), "{sent:?}");
    let asked = Instant::now();
    while rows(&api, "SELECT span_id FROM calls").await.is_empty() {
        assert!(asked.elapsed() < Duration::from_secs(20), "no call was settled");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let (status, text, _) = run(&api, &["explain", "call", SPAN]);
    assert_eq!(status, 0);
    // List prices of gpt-4o are $2.5, $1.25 cached and $10 per million:
    // 600 × 2.5 + 400 × 1.25 + 100 × 10 = 3,000 per million.
    for part in [
        &format!("call {TRACE}/{SPAN}"),
        "0.003 USD: the sum of the lines below",
        "600 input uncached + 400 cache read",
        "resource:team",
        "user: neither the span",
    ] {
        assert!(text.contains(part), "`{part}` in\n{text}");
    }
    let (_, json, _) = run(&api, &["explain", "span", SPAN, "--format", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["id"], format!("{TRACE}/{SPAN}"));

    let (status, nothing, error) = run(&api, &["explain", "span", "0123456789abcdef"]);
    assert_eq!((status, nothing.as_str()), (1, ""));
    assert!(error.contains("no span has the id `0123456789abcdef`"), "{error}");
    let (status, ..) = run(&api, &["explain", "thing", SPAN]);
    assert_eq!(status, 2);

    let (_, text, _) = run(&api, &["doctor"]);
    assert!(
        text.contains("api · acme.llm 1.0 · otel-genai\n  1 span, 1 call, 100 % with usage"),
        "{text}"
    );
    let (_, csv, _) = run(&api, &["doctor", "--from", "2026-11-24", "--format", "csv"]);
    let line = csv.lines().nth(1).unwrap();
    assert!(
        line.starts_with("api,otel-genai,acme.llm,1.0,1,1,1,1,0,") && line.ends_with(",no-user"),
        "{csv}"
    );
}
