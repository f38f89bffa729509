//! Exports that are no OTLP, rebuilt as OTLP: traces of agent frameworks as Langfuse keeps them,
//! and spans of the Vercel AI SDK 6 as OpenInference recorded them. Like the captured suites they
//! lie outside the project.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde_json::Value;

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

/// Of each trace, by the role a span has on its own: input and output tokens.
#[test]
fn spans_of_agent_frameworks_have_the_usage_that_langfuse_found() {
    let Some(captures) = captures() else { return };
    let mut compared = 0;
    for entry in fs::read_dir(captures.join("langfuse_framework_traces")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "gz") {
            continue;
        }
        let mut text = String::new();
        GzDecoder::new(fs::File::open(&path).unwrap()).read_to_string(&mut text).unwrap();
        let trace: Value = serde_json::from_str(&text).unwrap();
        let mut sums: BTreeMap<String, i64> = BTreeMap::new();
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
            let role = row["span_role"].clone().unwrap();
            let usage = number(&row, "input_tokens") + number(&row, "output_tokens");
            *sums.entry(role.clone()).or_default() += usage;
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
        }
        println!("{:?}: {sums:?}", path.file_name().unwrap());
    }
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
