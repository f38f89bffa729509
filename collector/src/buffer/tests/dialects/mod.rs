//! Spans and records that follow the documentation of libraries which no captured suite has:
//! older versions, other providers, gateways. Each case names where it is documented.

mod bases;
mod contents;
mod costs;
mod counts;
mod frameworks;
mod items;
mod measures;
mod owners;
mod streams;
mod versions;

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest,
};
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

use super::{NOW, Row, frame, rows};
use crate::buffer::{Builders, ContentRules};
use crate::frame::Signal;
use crate::normalise::{Names, OwnerSettings};

fn value(value: &serde_json::Value) -> AnyValue {
    let value = match value {
        serde_json::Value::Bool(truth) => Value::BoolValue(*truth),
        serde_json::Value::Number(n) if n.is_i64() => Value::IntValue(n.as_i64().unwrap()),
        serde_json::Value::Number(n) => Value::DoubleValue(n.as_f64().unwrap()),
        serde_json::Value::String(text) => Value::StringValue(text.clone()),
        other => panic!("no attribute is written so: {other}"),
    };
    AnyValue { value: Some(value) }
}

fn attributes(object: &serde_json::Value) -> Vec<KeyValue> {
    let entry = |(key, v): (&String, &serde_json::Value)| KeyValue {
        key: key.clone(),
        value: Some(value(v)),
        ..KeyValue::default()
    };
    object.as_object().unwrap().iter().map(entry).collect()
}

/// One case: who wrote the item, what it says, and what its columns hold.
#[derive(Default)]
struct Case<'c> {
    scope: &'c str,
    version: &'c str,
    /// Of the span; `s` when empty.
    name: &'c str,
    resource: Option<serde_json::Value>,
    owner: OwnerSettings,
    events: Vec<Event>,
    failed: bool,
    /// The span has no length; else it lasts two seconds.
    instant: bool,
}

fn by<'c>(scope: &'c str, version: &'c str) -> Case<'c> {
    Case { scope, version, ..Case::default() }
}

const START: u64 = NOW as u64 - 3_600_000_000_000;

impl Case<'_> {
    fn parts(&self) -> (Option<Resource>, Option<InstrumentationScope>) {
        let resource = self
            .resource
            .as_ref()
            .map(|r| Resource { attributes: attributes(r), ..Resource::default() });
        let scope = InstrumentationScope {
            name: self.scope.to_owned(),
            version: self.version.to_owned(),
            ..InstrumentationScope::default()
        };
        (resource, Some(scope))
    }

    fn row(&self, signal: Signal, body: Vec<u8>) -> Row {
        let names = Arc::new(Names::with(&self.owner));
        let mut builders = Builders::new(ContentRules::default()).with_names(names);
        builders.append(&frame(signal, body)).unwrap();
        rows(&builders.finish()[0].1).remove(0)
    }

    /// A span of two seconds.
    fn span(&self, said: serde_json::Value) -> Row {
        self.span_of(attributes(&said))
    }

    /// The same of what JSON cannot say.
    fn span_of(&self, attributes: Vec<KeyValue>) -> Row {
        let (resource, scope) = self.parts();
        let span = Span {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            name: if self.name.is_empty() { "s" } else { self.name }.to_owned(),
            start_time_unix_nano: START,
            end_time_unix_nano: START + if self.instant { 0 } else { 2_000_000_000 },
            attributes,
            events: self.events.clone(),
            status: self.failed.then(|| Status { code: 2, ..Status::default() }),
            ..Span::default()
        };
        let scope_spans = vec![ScopeSpans { scope, spans: vec![span], schema_url: String::new() }];
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource,
                scope_spans,
                schema_url: String::new(),
            }],
        };
        self.row(Signal::Traces, request.encode_to_vec())
    }

    fn record(&self, said: serde_json::Value) -> Row {
        self.row(Signal::Logs, self.logs(said))
    }

    /// A log record that was written in no span.
    fn logs(&self, said: serde_json::Value) -> Vec<u8> {
        let (resource, scope) = self.parts();
        let record = LogRecord {
            time_unix_nano: START,
            attributes: attributes(&said),
            ..LogRecord::default()
        };
        let scope_logs =
            vec![ScopeLogs { scope, log_records: vec![record], schema_url: String::new() }];
        let request = ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs { resource, scope_logs, schema_url: String::new() }],
        };
        request.encode_to_vec()
    }
}

/// Checks columns; `-` stands for null.
fn check(row: &Row, expect: &[(&str, &str)]) {
    for (column, expect) in expect {
        let got = row[*column].as_deref().unwrap_or("-");
        assert_eq!(got, *expect, "{column}; {}", row["usage_reason"].as_deref().unwrap_or("-"));
    }
}
