//! Exports that are no OTLP, rebuilt as OTLP: traces of agent frameworks as Langfuse keeps them,
//! and spans of the Vercel AI SDK 6 as OpenInference recorded them. Like the captured suites they
//! lie outside the project.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde_json::{Value, json};

use super::real::captures;
use super::{NOW, Row, rows_of};
use crate::buffer::ContentRules;
use crate::frame::Signal;

fn row(scope: &str, version: &str, name: &str, attributes: &Value) -> Row {
    let text = |v: &Value| match v {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let attributes = attributes.as_object().into_iter().flatten().map(|(key, v)| KeyValue {
        key: key.clone(),
        value: Some(AnyValue { value: Some(any_value::Value::StringValue(text(v))) }),
        ..KeyValue::default()
    });
    let time = NOW as u64 - 60_000_000_000;
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: name.to_owned(),
        start_time_unix_nano: time,
        end_time_unix_nano: time + 1_000_000_000,
        attributes: attributes.collect(),
        ..Span::default()
    };
    let scope = InstrumentationScope {
        name: scope.to_owned(),
        version: version.to_owned(),
        ..InstrumentationScope::default()
    };
    let scope_spans =
        vec![ScopeSpans { scope: Some(scope), spans: vec![span], ..Default::default() }];
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { scope_spans, ..Default::default() }],
    };
    rows_of(Signal::Traces, request.encode_to_vec(), "spans", ContentRules::default()).remove(0)
}

fn number(row: &Row, column: &str) -> i64 {
    row[column].as_ref().map_or(0, |n| n.parse().unwrap())
}

/// Each observation of the agent frameworks' traces: its file, what Langfuse made of it, and the
/// row of the span it was.
fn observations(captures: &Path, mut each: impl FnMut(&Path, &Value, &Value, &Row)) {
    for entry in fs::read_dir(captures.join("langfuse_framework_traces")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "gz") {
            continue;
        }
        let mut text = String::new();
        GzDecoder::new(fs::File::open(&path).unwrap()).read_to_string(&mut text).unwrap();
        let trace: Value = serde_json::from_str(&text).unwrap();
        for observation in trace["observations"].as_array().unwrap() {
            let metadata: Value = match &observation["metadata"] {
                Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
                other => other.clone(),
            };
            let (scope, attributes) = (&metadata["scope"], &metadata["attributes"]);
            let said = |v: &Value| v.as_str().unwrap_or_default().to_owned();
            let row = row(
                &said(&scope["name"]),
                &said(&scope["version"]),
                &said(&observation["name"]),
                attributes,
            );
            each(&path, observation, attributes, &row);
        }
    }
}

/// Sentences of a value: runs of letters and spaces that are long enough to be said by somebody.
fn sentences(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            let plain = |c: char| !(c.is_ascii_alphabetic() || c == ' ' || c == ',');
            let runs = text.split(plain).map(str::trim);
            out.extend(runs.filter(|r| r.len() > 20 && r.contains(' ')).map(str::to_owned));
        }
        Value::Array(items) => items.iter().for_each(|item| sentences(item, out)),
        Value::Object(members) => members.values().for_each(|member| sentences(member, out)),
        _ => {}
    }
}

// What Langfuse shows as input and output of the same observations.
#[test]
fn no_content_of_agent_frameworks_reaches_spans() {
    let Some(captures) = captures() else { return };
    let mut compared = 0;
    observations(&captures, |path, observation, attributes, row| {
        let mut said = Vec::new();
        for side in ["input", "output"] {
            let value = match &observation[side] {
                Value::String(text) => serde_json::from_str(text).unwrap_or(json!(text)),
                other => other.clone(),
            };
            sentences(&value, &mut said);
        }
        // What a tool is for is a fact of the program, as is its name.
        let told = |key: &str| attributes[key].as_str().unwrap_or_default();
        let tools = [told("tool.description"), told("gen_ai.tool.description")];
        said.retain(|sentence| !tools.iter().any(|tool| tool.contains(sentence)));
        for column in ["span_attributes", "events"] {
            let stored = row[column].as_deref().unwrap_or_default();
            for sentence in &said {
                let name = &observation["name"];
                assert!(!stored.contains(sentence), "{path:?} {name}: {sentence}; {stored}");
                compared += 1;
            }
        }
    });
    println!("{compared} sentences looked for");
    assert!(compared > 200, "only {compared} sentences looked for");
}

/// Of each trace, by the role a span has on its own: input and output tokens.
#[test]
fn spans_of_agent_frameworks_have_the_usage_that_langfuse_found() {
    let Some(captures) = captures() else { return };
    let mut compared = 0;
    let mut sums: BTreeMap<(PathBuf, String), i64> = BTreeMap::new();
    observations(&captures, |path, observation, attributes, row| {
        let role = row["span_role"].clone().unwrap();
        let usage = number(row, "input_tokens") + number(row, "output_tokens");
        *sums.entry((path.to_owned(), role)).or_default() += usage;
        // What Langfuse made of the same attributes; it keeps them beside but for its own.
        let input = ["gen_ai.usage.input_tokens", "llm.token_count.prompt"]
            .iter()
            .any(|key| !attributes[*key].is_null());
        if let (true, Some(total), true) =
            (input, observation["usageDetails"]["total"].as_i64(), usage > 0)
        {
            assert_eq!(usage, total, "{path:?} {}", observation["name"]);
            compared += 1;
        }
    });
    println!("{sums:?}");
    assert!(compared > 10, "only {compared} observations compared");
}

#[test]
fn recorded_spans_of_vercel_6_are_half_calls_and_half_rollups() {
    let Some(captures) = captures() else { return };
    let text = fs::read(captures.join("openinference_vercel_v6_spans/all-spans.json")).unwrap();
    let spans: Vec<Value> = serde_json::from_slice(&text).unwrap();
    let mut sums: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for span in &spans {
        let name = span["name"].as_str().unwrap();
        let row = row("ai", "", name, &span["attributes"]);
        // The names of the SDK's own documentation.
        let expected = match name {
            "ai.toolCall" => "other",
            _ if name.contains(".do") => "call",
            _ => "rollup",
        };
        assert_eq!(row["span_role"].as_deref(), Some(expected), "{name}");
        let sum = sums.entry(expected.to_owned()).or_default();
        sum.0 += number(&row, "input_tokens");
        sum.1 += number(&row, "output_tokens");
    }
    println!("{sums:?}");
    // An outer span sums its steps: both sides are the same tokens.
    assert_eq!(sums["call"].1, sums["rollup"].1);
}
