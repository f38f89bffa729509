//! What happens at the caps, and with content: nothing is lost without a count on the row.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

use super::{NOW, Row, frame, rows_of};
use crate::buffer::{Builders, ContentRules, MetricPointRow};
use crate::decode::{Attribute, MetricKind, Value as View};
use crate::frame::Signal;

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, key_strindex: 0 }
}

fn number(key: &str, value: i64) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::IntValue(value)) });
    KeyValue { key: key.to_owned(), value, key_strindex: 0 }
}

fn span(attributes: Vec<KeyValue>) -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        start_time_unix_nano: NOW as u64,
        end_time_unix_nano: NOW as u64,
        attributes,
        ..Default::default()
    }
}

fn traces(resource: Vec<KeyValue>, span: Span) -> Vec<u8> {
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..Default::default() }];
    let resource = Some(Resource { attributes: resource, ..Default::default() });
    let resource_spans = vec![ResourceSpans { resource, scope_spans, ..Default::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn span_row(resource: Vec<KeyValue>, span: Span) -> Row {
    let body = traces(resource, span);
    rows_of(Signal::Traces, body, "spans", ContentRules::default()).remove(0)
}

fn cell<'r>(row: &'r Row, column: &str) -> &'r str {
    row[column].as_deref().unwrap_or("null")
}

#[test]
fn attributes_over_the_cap_are_counted_on_the_row() {
    let many = (0..600).map(|i| number(&format!("k{i}"), i)).collect();
    let row = span_row(vec![], span(many));
    // 600 − 512
    assert_eq!(cell(&row, "dropped_items"), "88");
    let map = cell(&row, "span_attributes");
    assert!(map.contains("k511") && !map.contains("k512"), "{map}");
    assert!(map.contains(r#"("spanledger.dropped", Some("88 attributes over the cap"))"#), "{map}");

    let large = "x".repeat(60 * 1024);
    let row =
        span_row(vec![], span(vec![text("a", &large), text("b", &large), text("c", "small")]));
    assert_eq!(cell(&row, "dropped_items"), "1");
    assert!(cell(&row, "span_attributes").contains(r#"("c", Some("small"))"#));
}

#[test]
fn a_resource_over_the_cap_says_so_on_each_row() {
    let large = "x".repeat(9 * 1024);
    let row = span_row(vec![text("big", &large), text("small", "s")], span(vec![]));
    assert_eq!(
        cell(&row, "resource_attributes"),
        r#"[("small", Some("s")), ("spanledger.dropped", Some("1 attributes over the cap"))]"#
    );
}

#[test]
fn events_over_the_cap_are_counted_on_the_row() {
    let event = Event {
        name: "log".to_owned(),
        attributes: vec![text("message.text", &"x".repeat(100 * 1024))],
        ..Default::default()
    };
    let row = span_row(vec![], Span { events: vec![event; 3], ..span(vec![]) });
    // Two of 100 KiB fit into 256 KiB.
    assert_eq!(cell(&row, "dropped_items"), "1");
    let events: serde_json::Value = serde_json::from_str(cell(&row, "events")).unwrap();
    assert_eq!(events.as_array().unwrap().len(), 2);
    assert!(cell(&row, "span_attributes").contains("1 events, links or exemplars over the cap"));
}

#[test]
fn a_log_body_over_the_cap_is_cut_and_says_so() {
    let record = LogRecord {
        time_unix_nano: NOW as u64,
        body: text("", &"é".repeat(200 * 1024)).value,
        ..Default::default()
    };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..Default::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..Default::default() }];
    let body = ExportLogsServiceRequest { resource_logs }.encode_to_vec();
    let row = rows_of(Signal::Logs, body, "log_records", ContentRules::default()).remove(0);
    // 400 KiB of two-byte letters; 256 KiB are kept.
    assert_eq!(cell(&row, "body").len(), 256 * 1024);
    assert!(cell(&row, "log_attributes").contains("147456 bytes of the body over the cap"));
}

#[test]
fn content_is_measured_always_and_kept_only_on_request() {
    let choice = Event {
        name: "gen_ai.choice".to_owned(),
        attributes: vec![text("message", "4321"), text("finish_reason", "stop")],
        ..Default::default()
    };
    let attributes = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.input.messages", "höhö"),
        text("llm.input_messages.0.message.content", "123"),
    ];
    let body = traces(vec![], Span { events: vec![choice], ..span(attributes) });
    let row = rows_of(Signal::Traces, body.clone(), "spans", ContentRules::default()).remove(0);
    // 6 bytes of `höhö`, 3 and 4.
    assert_eq!(cell(&row, "content_bytes"), "13");
    assert_eq!(cell(&row, "span_attributes"), "[]");
    let events =
        r#"[{"name":"gen_ai.choice","time_unix_ns":0,"attributes":{"finish_reason":"stop"}}]"#;
    assert_eq!(cell(&row, "events"), events);
    let none = rows_of(Signal::Traces, body.clone(), "contents", ContentRules::default());
    assert!(none.is_empty());

    let rules = ContentRules { capture: true, body_bytes_max: 5, ..ContentRules::default() };
    let kept = rows_of(Signal::Traces, body, "contents", rules);
    let columns = ["kind", "field", "position", "body", "body_bytes", "truncated"];
    let got: Vec<Vec<_>> = kept.iter().map(|r| columns.map(|c| cell(r, c)).to_vec()).collect();
    assert_eq!(
        got,
        [
            // Cut before the second ö, of which only one byte would fit.
            ["input", "gen_ai.input.messages", "0", "höh", "6", "true"],
            ["input", "llm.input_messages.0.message.content", "1", "123", "3", "false"],
            ["output", "message", "2", "4321", "4", "false"],
        ]
    );
}

// The SDK of OpenAI's agents hangs the whole request on a span, under OpenInference's name for
// parameters; the parameters are for everybody, instructions and tools are content.
#[test]
fn content_among_parameters_is_taken_out_of_them() {
    let parameters =
        r#"{"model":"gpt-4o","instructions":"Be kind.","tools":[{"name":"f"}],"top_p":1}"#;
    let attributes =
        vec![text("openinference.span.kind", "LLM"), text("llm.invocation_parameters", parameters)];
    let body = traces(vec![], span(attributes));
    let row = rows_of(Signal::Traces, body.clone(), "spans", ContentRules::default()).remove(0);
    // 8 bytes of instructions, 14 of tools.
    assert_eq!(cell(&row, "content_bytes"), "22");
    assert_eq!(cell(&row, "request_model"), "gpt-4o");
    let left = cell(&row, "span_attributes");
    assert!(left.contains("top_p") && !left.contains("kind.") && !left.contains("tools"), "{left}");

    let rules = ContentRules { capture: true, ..ContentRules::default() };
    let kept = rows_of(Signal::Traces, body, "contents", rules);
    let got: Vec<_> = kept.iter().map(|r| ["kind", "field", "body"].map(|c| cell(r, c))).collect();
    assert_eq!(
        got,
        [
            ["system", "llm.invocation_parameters→instructions", "Be kind."],
            ["tool-definitions", "llm.invocation_parameters→tools", r#"[{"name":"f"}]"#],
        ]
    );

    // However long the instructions are, what comes after them is read.
    let parameters =
        format!(r#"{{"instructions":"{}","service_tier":"flex"}}"#, "x\\n".repeat(20_000));
    let long = span(vec![text("llm.invocation_parameters", &parameters)]);
    let row = rows_of(Signal::Traces, traces(vec![], long), "spans", ContentRules::default());
    assert_eq!(cell(&row[0], "service_tier"), "flex");

    // A service that speaks of no model has parameters of its own.
    let own = span(vec![text("job.model_parameters", r#"{"input":"x"}"#)]);
    let row = rows_of(Signal::Traces, traces(vec![], own), "spans", ContentRules::default());
    assert!(cell(&row[0], "span_attributes").contains("input"));
}

#[test]
fn older_names_and_odd_values_fill_the_same_columns() {
    let mut reasons = text("gen_ai.response.finish_reasons", r#"["length","stop"]"#);
    reasons.key_strindex = 0;
    let row = span_row(
        vec![text("team", "support"), text("service.name", "web")],
        span(vec![
            text("gen_ai.system", "OpenAI"),
            text("gen_ai.request.model", "gpt-4o"),
            text("gen_ai.usage.prompt_tokens", "31"),
            number("gen_ai.usage.completion_tokens", 35),
            reasons,
            text("user.id", "u1"),
            number("session.id", 77),
        ]),
    );
    let expect = [
        ("dialect", "otel-genai"),
        ("span_role", "call"),
        ("provider", "openai"),
        ("request_model", "gpt-4o"),
        ("finish_reason", "length"),
        ("reported_input_tokens", "31"),
        ("input_tokens", "31"),
        ("output_tokens", "35"),
        ("usage_basis", "inclusive"),
        ("team", "support"),
        ("user_id", "u1"),
        ("session_id", "77"),
        ("service_name", "web"),
        // What a column says otherwise than the span did stays an attribute.
        (
            "span_attributes",
            r#"[("gen_ai.system", Some("OpenAI")), ("gen_ai.response.finish_reasons", Some("[\"length\",\"stop\"]"))]"#,
        ),
        ("resource_attributes", r#"[("team", Some("support"))]"#),
    ];
    for (column, value) in expect {
        assert_eq!(cell(&row, column), value, "{column}");
    }
}

#[test]
fn a_number_of_tokens_that_is_not_whole_is_unknown_and_kept() {
    for odd in ["12.5", "many", "-1"] {
        let attributes = vec![
            text("gen_ai.provider.name", "openai"),
            text("gen_ai.usage.input_tokens", odd),
            number("gen_ai.usage.output_tokens", 5),
        ];
        let row = span_row(vec![], span(attributes));
        assert_eq!(cell(&row, "usage_basis"), "unknown");
        assert_eq!(cell(&row, "input_tokens"), "null");
        assert_eq!(cell(&row, "reported_output_tokens"), "5");
        assert!(cell(&row, "span_attributes").contains(odd), "{row:?}");
    }
}

#[test]
fn a_scraped_point_gets_its_columns_from_its_labels() {
    let label = |key, value| Attribute { key, value: View::Text(value) };
    let labels = [label("UUID", "GPU-1"), label("Hostname", "node-3"), label("gpu", "0")];
    let mut builders = Builders::new(ContentRules::default());
    let row = MetricPointRow {
        attributes: &labels,
        ..MetricPointRow::number("DCGM_FI_DEV_GPU_UTIL", MetricKind::Gauge, NOW, 93.0)
    };
    builders.append_metric_point("acme", &row, &[label("job", "dcgm")]);
    builders.append(&frame(Signal::Metrics, Vec::new())).unwrap();
    let batches = builders.finish();
    let row = super::rows(&batches[0].1).remove(0);
    for (column, value) in [
        ("metric_name", "DCGM_FI_DEV_GPU_UTIL"),
        ("metric_kind", "gauge"),
        ("value", "93.0"),
        ("gpu_uuid", "GPU-1"),
        ("host", "node-3"),
        ("time_unix_ns", "1795564800000000000"),
        ("resource_attributes", r#"[("job", Some("dcgm"))]"#),
    ] {
        assert_eq!(cell(&row, column), value, "{column}");
    }
}

#[test]
fn a_key_that_comes_twice_is_stored_once_and_counted() {
    // Readers of maps refuse a second entry of one key.
    let row = span_row(vec![], span(vec![text("k", "first"), text("k", "second")]));
    assert_eq!(cell(&row, "dropped_items"), "1");
    let map = cell(&row, "span_attributes");
    assert!(map.contains(r#"("k", Some("first"))"#) && !map.contains("second"), "{map}");
}
