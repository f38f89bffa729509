//! `prices` as a person runs it: against a running server and on its data folder, by what is printed,
//! what is settled after it, and how it ends.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::binary::{rows, start};

fn run(arguments: &[&str], place: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spanledger"));
    let Output { status, stdout, stderr } = command.args(arguments).args(place).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// A call of gpt-4o with a million input tokens and a hundred thousand output tokens.
fn request() -> Value {
    let usage = [
        ("gen_ai.usage.input_tokens", json!({"intValue": 1_000_000})),
        ("gen_ai.usage.output_tokens", json!({"intValue": 100_000})),
    ];
    call("eee19b7ec3c1b174", "chat", "gpt-4o", &usage)
}

/// A call of OpenAI's, with that usage.
fn call(span: &str, operation: &str, model: &str, usage: &[(&str, Value)]) -> Value {
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let mut attributes = vec![
        text("gen_ai.operation.name", operation),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", model),
    ];
    attributes.extend(usage.iter().map(|(key, value)| json!({"key": key, "value": value})));
    json!({"resourceSpans": [{
        "resource": {"attributes": [text("service.name", "api")]},
        "scopeSpans": [{"spans": [{
            "traceId": format!("5b8efff798038103{span}"), "spanId": span,
            "name": format!("{operation} {model}"), "kind": 3,
            "startTimeUnixNano": "1795514400000000000", "endTimeUnixNano": "1795514401500000000",
            "attributes": attributes,
        }]}],
    }]})
}

async fn cost(api: &str) -> Option<String> {
    let found = rows(api, "SELECT cost FROM calls").await;
    let cost = found.first()?[0].as_str()?.trim_end_matches('0').trim_end_matches('.').to_owned();
    Some(cost)
}

fn written(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_prices_are_brought_and_calls_priced_again_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "flush_interval = \"20ms\"\n[settle]\nquiet = \"100ms\"\n";
    let (_server, otlp, api) = start(folder.path(), settings);
    let http = reqwest::Client::new();
    let sent = http.post(format!("{otlp}/v1/traces")).json(&request()).send().await.unwrap();
    assert!(sent.status().is_success(), "{sent:?}");
    let asked = Instant::now();
    while cost(&api).await.is_none() {
        assert!(asked.elapsed() < Duration::from_secs(20), "no call was settled");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // $2.50 in and $10 out: 2.5 + 1.
    assert_eq!(cost(&api).await.as_deref(), Some("3.5"));
    let server = ["--url", api.as_str()];
    let data = folder.path().join("data");
    let offline = ["--data-dir", data.to_str().unwrap()];

    let contract = "contract = \"acme\"\n[[discount]]\nprovider = \"openai\"\npercent = 10\n";
    let file = written(folder.path(), "prices.toml", contract);
    let (status, text, error) = run(&["prices", "import", "--dry-run", &file], &server);
    assert_eq!(status, 0, "{error}");
    assert!(text.contains("nothing was written"), "{text}");
    let (status, text, error) = run(&["prices", "import", &file], &server);
    assert_eq!(status, 0, "{error}");
    assert!(text.starts_with("contract acme: ") && !text.contains("nothing"), "{text}");
    // On the folder itself, beside the server: the same file once more changes nothing.
    let (_, text, _) = run(&["prices", "import", &file], &offline);
    assert!(text.contains("0 prices added, 0 ended"), "{text}");

    let (status, text, error) = run(&["prices", "reprice", "--dry-run"], &server);
    assert_eq!(status, 0, "{error}");
    // 0.9 × 3.5 = 3.15
    assert!(text.contains("3.15") && text.contains("1 of 1 calls would change"), "{text}");
    assert_eq!(cost(&api).await.as_deref(), Some("3.5"));
    let (_, text, _) = run(&["prices", "reprice", "--yes"], &server);
    assert!(text.contains("1 calls were given their new price"), "{text}");
    assert_eq!(cost(&api).await.as_deref(), Some("3.15"));
    // Every figure has a source still: the explanation adds up.
    let (_, text, _) = run(&["explain", "call", "eee19b7ec3c1b174"], &server);
    assert!(text.contains("3.15 USD: the sum of the lines below"), "{text}");

    // One price by hand, in another currency, with a rate from a CSV file: €1 + $0.9 at 0.9.
    let set = ["prices", "set", "--provider", "openai", "--model", "gpt-4o", "--unit"];
    let set = [&set[..], &["input_tokens", "--amount", "1", "--currency", "EUR"]].concat();
    let (status, _, error) = run(&set, &server);
    assert_eq!(status, 0, "{error}");
    let rates = "kind,from,to,rate,valid_from\nrate,USD,EUR,0.9,2026-01-01\n";
    let rates = written(folder.path(), "rates.csv", rates);
    let (status, _, error) = run(&["prices", "import", &rates], &offline);
    assert_eq!(status, 0, "{error}");
    run(&["prices", "reprice", "--yes"], &offline);
    assert_eq!(cost(&api).await.as_deref(), Some("1.81"));
    let (_, text, _) = run(&["explain", "call", "eee19b7ec3c1b174"], &server);
    assert!(text.contains("1.81 EUR: the sum of the lines below"), "{text}");

    let list = ["prices", "list", "--own", "--format", "csv", "--model", "gpt-4o"];
    let (_, csv, _) = run(&list, &server);
    assert!(csv.contains("contract set") && csv.contains("discounted"), "{csv}");
    let (status, text, error) = run(&["prices", "show", "gpt-4o"], &server);
    assert!(status == 0 && text.contains("known_from"), "{text}{error}");
    let (status, text, error) =
        run(&["prices", "diff", "2026-08-21", "2026-11-04", "--format", "csv"], &server);
    assert_eq!(status, 0, "{error}");
    // The cancelled increase of Claude Sonnet 5, which the older book announced.
    let cancelled = text.lines().find(|l| l.starts_with("removed,anthropic,claude-sonnet-5,input"));
    assert!(cancelled.is_some_and(|l| l.contains("2026-09-01")), "{cancelled:?}");

    let map = r#"{"gpt-4o": {"litellm_provider": "openai", "output_cost_per_token": 2e-05}}"#;
    let map = written(folder.path(), "litellm.json", map);
    let check = ["prices", "check", "--format", "csv", "--against", &map];
    let (status, text, error) = run(&check, &server);
    assert_eq!(status, 0, "{error}");
    // The book's $10, whatever the discount; theirs $20: (20 − 10) × 0.1 = 1 on what was used.
    assert!(text.contains("output_tokens,,,10,20,100000,1,USD"), "{text}");

    let ask = ["ask", "what-if", "--param", "to_model=gpt-4o-mini", "--format", "json"];
    let (status, json, error) = run(&ask, &server);
    assert_eq!(status, 0, "{error}");
    let answer: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(answer["question"], "what-if");

    // $3,000 a month is paid beside the calls, and told with them; a zero of LiteLLM's is no price.
    let period = "contract = \"ptu\"\n[[commitment]]\nprovider = \"azure\"\nmodel = \"gpt-4o\"\n\
                  service_tier = \"provisioned\"\namount = 3000\nper = \"month\"\n";
    let period = written(folder.path(), "ptu.toml", period);
    let (status, _, error) = run(&["prices", "import", &period], &server);
    assert_eq!(status, 0, "{error}");
    let november = ["--from", "2026-11-01", "--to", "2026-12-01"];
    let ask = [&["ask", "commitments", "--format", "csv"], &november[..]].concat();
    let (status, text, error) = run(&ask, &server);
    assert_eq!(status, 0, "{error}");
    assert!(text.contains("contract ptu,commitment,azure,gpt-4o,provisioned,"), "{text}");
    assert!(text.contains(",,,0,3000,3000,,USD,0.0,"), "{text}");
    let (_, text, _) = run(&[&["ask", "spend"], &november[..]].concat(), &server);
    assert!(text.contains("note: beside these costs 3000 USD are paid"), "{text}");
    let zero =
        r#"{"gpt-4o": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 0}}"#;
    let zero = written(folder.path(), "zero.json", zero);
    let check = ["prices", "check", "--format", "csv", "--against", &zero];
    let (_, text, _) = run(&check, &server);
    assert!(text.contains("\nperhaps-unknown,openai,gpt-4o,"), "{text}");
    let (status, _, error) = run(&["prices", "import", &zero], &server);
    assert!(status == 1 && error.contains("it is LiteLLM's map"), "{error}");

    let broken = written(folder.path(), "broken.toml", "[[price]]\nprovider = \"openai\"\n");
    let (status, _, error) = run(&["prices", "import", &broken], &server);
    assert_eq!(status, 1);
    assert!(error.contains("missing"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_tokens_is_charged_and_what_is_not_told_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "flush_interval = \"20ms\"\n[settle]\nquiet = \"100ms\"\n";
    let (_server, otlp, api) = start(folder.path(), settings);
    let server = ["--url", api.as_str()];
    let contract = "contract = \"images\"\n[[price]]\nprovider = \"openai\"\nmodel = \"dall-e-3\"\n\
                    unit = \"output_images\"\namount = 0.04\n";
    let file = written(folder.path(), "images.toml", contract);
    let (status, _, error) = run(&["prices", "import", &file], &server);
    assert_eq!(status, 0, "{error}");
    let double = |value: f64| json!({"doubleValue": value});
    let int = |value: i64| json!({"intValue": value});
    let http = reqwest::Client::new();
    for request in [
        call(
            "0000000000000001",
            "audio_transcription",
            "whisper-1",
            &[("gen_ai.usage.audio_seconds", double(59.6))],
        ),
        call(
            "0000000000000002",
            "audio_speech",
            "tts-1",
            &[("gen_ai.usage.input_chars", int(1_000))],
        ),
        call(
            "0000000000000003",
            "image_generation",
            "dall-e-3",
            &[("gen_ai.usage.image_count", int(2))],
        ),
        call("0000000000000004", "image_generation", "dall-e-3", &[]),
        call(
            "0000000000000005",
            "chat",
            "gpt-4o",
            &[("gen_ai.usage.input_tokens", int(1_000_000))],
        ),
    ] {
        let sent = http.post(format!("{otlp}/v1/traces")).json(&request).send().await.unwrap();
        assert!(sent.status().is_success(), "{sent:?}");
    }
    let amounts = "SELECT span_id, cost, input_cost, output_cost, price_state, price_reason \
                   FROM calls ORDER BY 1";
    let asked = Instant::now();
    let mut found = rows(&api, amounts).await;
    while found.len() < 5 {
        assert!(asked.elapsed() < Duration::from_secs(20), "not all calls were settled: {found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        found = rows(&api, amounts).await;
    }
    let cell = |cell: &Value| match cell.as_str() {
        Some(text) if text.contains('.') && text.parse::<f64>().is_ok() => {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        Some(text) => text.to_owned(),
        None => cell.to_string(),
    };
    let found: Vec<Vec<String>> =
        found.iter().map(|row| (1..6).map(|i| cell(&row[i])).collect()).collect();
    let images = "no usage was reported; output_images are not known";
    let expected = [
        // 60 s × $0.36 / 3,600; 1,000 × $15 / 10^6; 2 × $0.04; 1,000,000 × $2.50 / 10^6.
        ["0.006", "0.006", "0", "priced", "null"],
        ["0.015", "0.015", "0", "priced", "null"],
        ["0.08", "0", "0.08", "priced", "null"],
        ["null", "null", "null", "unpriced", images],
        ["2.5", "2.5", "null", "part-priced", "output_tokens are not known"],
    ];
    assert_eq!(found, expected);
    let (_, text, _) = run(&["explain", "call", "0000000000000001"], &server);
    assert!(text.contains("0.006 USD: the sum of the lines below"), "{text}");
    let price = "SELECT price(named_struct('provider', 'openai', 'request_model', 'whisper-1', \
                 'started_at', TIMESTAMP '2026-11-20T00:00:00Z', 'audio_seconds', 120.0))['cost']";
    let found = rows(&api, price).await;
    // 120 s × $0.36 / 3,600.
    assert_eq!(cell(&found[0][0]), "0.012");
    let (_, json, _) = run(&["ask", "spend", "--by", "currency", "--format", "json"], &server);
    let answer: Value = serde_json::from_str(&json).unwrap();
    // 4 of 5 calls say how large they were, 3 have a price for all of it.
    assert_eq!(answer["coverage"]["usage_calls_share"], 0.8, "{json}");
    assert_eq!(answer["coverage"]["priced_calls_share"], 0.6, "{json}");
}
