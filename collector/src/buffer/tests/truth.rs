//! What captured libraries sent against what their requests were billed: each suite has a
//! `truth.jsonl` with one line per request. A figure in a column must be the billed one; what a
//! library does not tell must be null, with a reason where anything was told.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::real::{bodies, captures};
use super::{Row, rows_of};
use crate::buffer::ContentRules;
use crate::frame::Signal;

/// Column and the billed figure it must equal.
const LEAVES: [(&str, &str); 6] = [
    ("input_tokens", "input_total"),
    ("input_uncached_tokens", "input_uncached"),
    ("cache_read_tokens", "cache_read"),
    ("cache_write_tokens", "cache_write"),
    ("output_tokens", "output_total"),
    ("reasoning_tokens", "reasoning"),
];

/// One suite: how many requests were told and left a call, and how many figures are wrong.
struct Expected {
    suite: &'static str,
    /// Requests whose usage the client was told and of which a call with usage was stored: answered
    /// requests of the README less those it lists as without tokens.
    calls: usize,
    /// Known wrong figures: the span does not tell them from right ones. Each has its reason below.
    wrong: usize,
}

const fn suite(suite: &'static str, calls: usize) -> Expected {
    Expected { suite, calls, wrong: 0 }
}

fn number(row: &Row, column: &str) -> Option<i64> {
    row[column].as_ref().map(|n| n.parse().unwrap())
}

fn is_call(row: &Row) -> bool {
    let role = row.get("span_role").or(row.get("record_role")).unwrap();
    role.as_deref() == Some("call")
}

fn has_usage(row: &Row) -> bool {
    row["usage_basis"].is_some()
}

/// Whether a request of the truth file is the one a row stands for.
fn same_call(truth: &Value, row: &Row) -> bool {
    if let (Some(id), Some(said)) = (truth["response_id"].as_str(), row["response_id"].as_deref())
        && ["chatcmpl-", "resp_", "msg_", "gen-"].iter().any(|known| said.starts_with(known))
    {
        return id == said;
    }
    let request = truth["request_id"].as_str().unwrap();
    let attributes = row.get("span_attributes").or(row.get("log_attributes")).unwrap();
    if attributes.as_ref().unwrap().contains(request)
        || row["response_id"].as_deref() == Some(request)
    {
        return true;
    }
    // No id: the same model, and the request lies inside the span, or ended just before the record.
    let time = |key: &str| truth[key].as_i64().unwrap();
    let models = [&row["request_model"], &row["response_model"]];
    let of_truth = [&truth["model_requested"], &truth["model_served"]];
    let none = models.iter().all(|m| m.is_none());
    let same =
        models.iter().any(|m| m.is_some() && of_truth.iter().any(|t| t.as_str() == m.as_deref()));
    if !same && !none {
        return false;
    }
    match row.get("start_unix_ns") {
        Some(_) if none => {
            // A span of the reading of a stream: it begins while the request is open.
            let start = number(row, "start_unix_ns").unwrap();
            let end = start + number(row, "duration_ns").unwrap();
            (time("start_unix_nano")..=time("end_unix_nano") + 500_000_000).contains(&end)
        }
        Some(_) => {
            let start = number(row, "start_unix_ns").unwrap();
            let end = start + number(row, "duration_ns").unwrap();
            let slack = 2_000_000;
            (start - slack..=end + slack).contains(&time("start_unix_nano"))
                && (start - slack..=end + slack).contains(&time("end_unix_nano"))
        }
        None => {
            let at = number(row, "time_unix_ns").unwrap();
            (time("end_unix_nano")..time("end_unix_nano") + 300_000_000).contains(&at)
        }
    }
}

/// Whether the client was told the usage.
fn told(truth: &Value) -> bool {
    truth["status"] == 200
        && truth["usage_sent"] == true
        && truth["error"].is_null()
        && truth["client_disconnected"] == false
}

fn rows_of_suite(folder: &Path) -> Vec<Row> {
    let mut rows = Vec::new();
    for (signal, _, body) in bodies(folder) {
        let table = match signal {
            Signal::Traces => "spans",
            Signal::Logs => "log_records",
            Signal::Metrics => continue,
        };
        rows.extend(rows_of(signal, body, table, ContentRules::default()));
    }
    rows
}

/// Compares a suite; returns its line of the table and what is not as expected.
fn compare(expected: &Expected, folder: &Path) -> (String, Vec<String>) {
    let rows = rows_of_suite(folder);
    let calls: Vec<_> = rows.iter().enumerate().filter(|(_, r)| is_call(r)).collect();
    let truths: Vec<Value> = fs::read_to_string(folder.join("truth.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut faults = Vec::new();
    let mut wrong = 0;
    let mut with_usage = 0;
    let mut twice = 0;
    let mut known = HashSet::new();
    // Column to how many rows tell it, and how many do not.
    let mut figures: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for truth in &truths {
        let same: Vec<_> = calls.iter().filter(|(_, r)| same_call(truth, r)).collect();
        known.extend(same.iter().map(|(i, _)| *i));
        let with: Vec<_> = same.iter().filter(|(_, r)| has_usage(r)).collect();
        if told(truth) && !with.is_empty() {
            with_usage += 1;
            twice += usize::from(with.len() > 1);
        }
        for (_, row) in with {
            for (column, billed) in LEAVES {
                let billed = truth["billed"][billed].as_i64().unwrap();
                let got = number(row, column);
                // An embedding writes nothing, and that is not told.
                if row["operation"].as_deref() == Some("embeddings") && billed == 0 {
                    continue;
                }
                let figure = figures.entry(column).or_default();
                match got {
                    None => {
                        figure.1 += 1;
                        if row["usage_reason"].is_none() {
                            faults
                                .push(format!("{} {column}: null without a reason", truth["seq"]));
                        }
                    }
                    Some(got) if got == billed => figure.0 += 1,
                    // Cached tokens that are not told make uncached an upper bound, and say so.
                    Some(got)
                        if column == "input_uncached_tokens"
                            && got > billed
                            && row["cache_read_tokens"].is_none()
                            && row["usage_reason"].as_ref().unwrap().contains("upper bound") => {}
                    Some(got) => {
                        wrong += 1;
                        let scope = row["scope_name"].as_deref().unwrap_or_default();
                        faults.push(format!(
                            "{} {column}: {got}, billed {billed} ({scope}; {}; told {})",
                            truth["seq"],
                            row["usage_reason"].as_ref().unwrap(),
                            told(truth)
                        ));
                    }
                }
            }
        }
    }
    let extra: Vec<_> =
        calls.iter().filter(|(i, r)| has_usage(r) && !known.contains(i)).map(|(_, r)| r).collect();
    for row in &extra {
        faults.push(format!(
            "counted, but billed nowhere: {:?} {:?} {:?} in {:?} out {:?}",
            row["dialect"],
            row.get("name"),
            row["response_id"],
            row["input_tokens"],
            row["output_tokens"]
        ));
    }
    let rollups =
        rows.iter().filter(|r| r.get("span_role") == Some(&Some("rollup".to_owned()))).count();
    let answered = truths.iter().filter(|t| told(t)).count();
    let mut line = format!(
        "| {} | {answered} | {with_usage} | {twice} | {rollups} | {} |",
        expected.suite, wrong
    );
    for (column, _) in LEAVES {
        let (equal, null) = figures.get(column).copied().unwrap_or_default();
        let _ = write!(line, " {equal}/{null} |");
    }
    let mut not_expected = Vec::new();
    if with_usage != expected.calls {
        not_expected.push(format!("{with_usage} calls with usage, expected {}", expected.calls));
    }
    if wrong != expected.wrong || !extra.is_empty() || faults.len() > wrong + extra.len() {
        not_expected.push(format!("{} wrong figures, expected {}", wrong, expected.wrong));
        not_expected.extend(faults);
    }
    (line, not_expected)
}

const SUITES: &[Expected] = &[
    suite("agent-otel-multitenant", 20),
    suite("anthropic-sdk-native", 20),
    suite("claude-code", 3),
    suite("codex-cli", 3),
    suite("gemini-cli", 3),
    suite("langfuse-js-5", 17),
    suite("langfuse-py-5", 12),
    suite("langsmith-otel", 13),
    suite("litellm-otel", 16),
    suite("mlflow-otlp", 44),
    suite("openinference-anthropic-py", 20),
    suite("openinference-langchain-openai", 13),
    suite("openinference-llama-index", 5),
    suite("openinference-openai-agents", 12),
    suite("openinference-openai-py", 37),
    suite("openlit-py-1.45", 53),
    suite("otel-botocore-bedrock", 9),
    suite("otel-google-genai-1.3b0", 7),
    suite("otel-js-openai", 17),
    suite("otel-openai-v2-default", 28),
    suite("otel-openai-v2-latest-content", 28),
    suite("pydantic-ai-2-logfire", 16),
    suite("strands-agents-1.62", 9),
    suite("traceloop-js-0.27", 21),
    suite("traceloop-sdk-0.62", 57),
    suite("vercel-ai-5", 22),
    suite("vercel-ai-6", 22),
    suite("vercel-ai-7", 22),
];

#[test]
fn every_figure_of_every_suite_is_what_was_billed_or_unknown() {
    let Some(captures) = captures() else { return };
    println!(
        "| suite | told | calls | twice | roll-ups | wrong | input | uncached | cache read | \
         cache write | output | reasoning | (figures equal / null)"
    );
    let mut all = Vec::new();
    for expected in SUITES {
        let (line, not_expected) = compare(expected, &captures.join(expected.suite));
        println!("{line}");
        all.extend(not_expected.into_iter().map(|fault| format!("{}: {fault}", expected.suite)));
    }
    assert!(all.is_empty(), "\n{}", all.join("\n"));
}
