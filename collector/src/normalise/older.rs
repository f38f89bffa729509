//! Spans of versions of libraries that no captured suite has, against what their requests were
//! billed (`fixtures/older.jsonl`). What a version does not tell may be open, or marked; nothing
//! may be told that was not billed.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value::Value as Any,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use serde_json::Value;
use spanledger_schemas::usage_marks::{CACHED_UNTOLD, PERHAPS_ESTIMATED};

use super::{Builder, Names, ResourceFacts, ScopeFacts, SpanRole, Usage, usage::Basis};
use crate::decode::{DecodeLimits, Item, spans};

const NOW: i64 = 1_800_000_000_000_000_000;

fn any(value: &Value) -> AnyValue {
    let value = match value {
        Value::Bool(truth) => Any::BoolValue(*truth),
        Value::Number(n) if n.is_i64() => Any::IntValue(n.as_i64().unwrap()),
        Value::Number(n) => Any::DoubleValue(n.as_f64().unwrap()),
        Value::String(text) => Any::StringValue(text.clone()),
        Value::Array(values) => {
            Any::ArrayValue(ArrayValue { values: values.iter().map(any).collect() })
        }
        other => panic!("no attribute is written so: {other}"),
    };
    AnyValue { value: Some(value) }
}

/// What is read of a line's span.
struct Read {
    role: SpanRole,
    provider: Option<String>,
    usage: Usage,
}

impl Read {
    fn of(line: &Value) -> Read {
        let text = |key: &str| line[key].as_str().unwrap().to_owned();
        let attributes = line["attributes"].as_object().unwrap().iter();
        let attributes = attributes.map(|(key, value)| KeyValue {
            key: key.clone(),
            value: Some(any(value)),
            ..KeyValue::default()
        });
        let span = Span {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            name: "s".to_owned(),
            start_time_unix_nano: NOW as u64 - 3_000_000_000,
            end_time_unix_nano: NOW as u64 - 1_000_000_000,
            attributes: attributes.collect(),
            ..Span::default()
        };
        let scope = InstrumentationScope {
            name: text("scope"),
            version: text("version"),
            ..InstrumentationScope::default()
        };
        let scope_spans =
            vec![ScopeSpans { scope: Some(scope), spans: vec![span], ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let names = Names::shared();
        let mut builder = Builder::with(Names::shared());
        let mut read = None;
        spans(
            &body,
            NOW,
            &DecodeLimits::default(),
            |group| {
                let resource = group.resource;
                (ResourceFacts::of(&names, resource), ScopeFacts::of(group.scope, resource))
            },
            |(resource, scope), item| {
                let Item::Taken(span) = item else { panic!("a span that is not taken") };
                let normal = super::span(&mut builder, resource, scope, &span);
                read = Some(Read {
                    role: normal.role,
                    provider: normal.provider.map(|p| p.into_owned()),
                    usage: normal.usage,
                });
            },
        )
        .unwrap();
        read.unwrap()
    }

    /// Leaves by the names that a fixture has for them.
    fn leaves(&self) -> [(&'static str, Option<i64>); 9] {
        let u = &self.usage;
        [
            ("input_total", u.input),
            ("input_uncached", u.input_uncached),
            ("cache_read", u.cache_read),
            ("cache_write", u.cache_write),
            ("cache_write_5m", u.cache_write_5m),
            ("cache_write_1h", u.cache_write_1h),
            ("output_total", u.output),
            ("text", u.output_text),
            ("reasoning", u.reasoning),
        ]
    }

    fn marked(&self, mark: &str) -> bool {
        self.usage.reason.is_some_and(|reason| reason.contains(mark))
    }

    /// Whether the numbers are said to be the provider's.
    fn sure(&self) -> bool {
        let counted = matches!(self.usage.basis, Some(Basis::Inclusive | Basis::Exclusive));
        counted && !self.marked(PERHAPS_ESTIMATED)
    }
}

/// Calls with every line, what is read of it, and words to name it by.
fn each(check: impl Fn(&Value, &Read, &str)) {
    let text = include_str!("fixtures/older.jsonl");
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let read = Read::of(&line);
        let (library, scenario) = (line["library"].as_str(), line["scenario"].as_str());
        let what = format!("{library:?}, {scenario:?}, {:?}: {line}", read.usage);
        check(&line, &read, &what);
    }
}

#[test]
fn nothing_is_told_that_was_not_billed() {
    each(|line, read, what| {
        assert_eq!(read.role, SpanRole::Call, "{what}");
        if let Some(provider) = &read.provider {
            let real = line["provider"].as_str().unwrap();
            let gemini = real == "gcp.gemini" && provider.starts_with("gcp.");
            // The compatible client of the fixture calls itself so.
            assert!(gemini || provider == real || provider == "groq", "{what}");
        }
        if line["usage_sent"] == false {
            assert!(!read.sure() || read.leaves().iter().all(|(_, n)| n.is_none()), "{what}");
            return;
        }
        for (leaf, told) in read.leaves() {
            let bound = matches!(leaf, "input_total" | "input_uncached");
            let marked = bound && read.marked(CACHED_UNTOLD);
            let right = told.is_none_or(|n| Some(n) == line["billed"][leaf].as_i64());
            assert!(right || marked || !read.sure(), "{leaf} {told:?}, {what}");
        }
    });
}

#[test]
fn what_a_version_tells_is_told() {
    each(|line, read, what| {
        for leaf in line["told"].as_array().unwrap() {
            let told = read.leaves().into_iter().find(|(name, _)| leaf == name).unwrap().1;
            assert_eq!(told, line["billed"][leaf.as_str().unwrap()].as_i64(), "{leaf}, {what}");
        }
    });
}
