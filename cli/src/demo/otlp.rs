//! Sessions, series and log events to OTLP export requests, with the attribute names of the
//! OpenTelemetry GenAI conventions. Pure: it neither reads data nor sends.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use super::limits;
use super::sessions::{Call, Session};

/// Scope of everything the demo sends: by it the rows can be found again.
pub(super) const SCOPE: &str = "spanledger.demo";
/// The version in which `input_tokens` says that it contains the cached ones.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.40.0";

/// How a number over time is told to OpenTelemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instrument {
    /// A level.
    Gauge,
    /// A sum that may shrink.
    UpDownCounter,
}

/// One metric with one set of attributes over time.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) name: &'static str,
    /// UCUM.
    pub(super) unit: &'static str,
    pub(super) instrument: Instrument,
    pub(super) attributes: Vec<(&'static str, String)>,
    /// Nanoseconds since the epoch, and the value then.
    pub(super) points: Vec<(i64, f64)>,
}

/// A GenAI event that has a time and tokens, and no more.
#[derive(Debug)]
pub(super) struct UsageEvent {
    pub(super) unix_ns: i64,
    pub(super) input_tokens: i64,
    pub(super) output_tokens: i64,
}

/// The spans of all sessions of one service, in order of their ends as an exporter sends them.
pub(super) fn traces(service: &str, sessions: &[Session]) -> Vec<ExportTraceServiceRequest> {
    let mut spans: Vec<Span> = sessions.iter().flat_map(session_spans).collect();
    spans.sort_by_key(|s| s.end_time_unix_nano);
    let request = |spans: &[Span]| ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource(service)),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope()),
                spans: spans.to_vec(),
                schema_url: SCHEMA_URL.to_owned(),
            }],
            schema_url: SCHEMA_URL.to_owned(),
        }],
    };
    spans.chunks(limits::SPANS_PER_REQUEST).map(request).collect()
}

/// How many spans a request of [`traces`] holds.
pub(super) fn span_count(request: &ExportTraceServiceRequest) -> u64 {
    let scopes = request.resource_spans.iter().flat_map(|r| &r.scope_spans);
    scopes.map(|s| s.spans.len() as u64).sum()
}

/// A series of one service.
pub(super) fn metrics(service: &str, series: &Series) -> Vec<ExportMetricsServiceRequest> {
    let request = |points: &[(i64, f64)]| ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource(service)),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope()),
                metrics: vec![metric(series, points)],
                schema_url: SCHEMA_URL.to_owned(),
            }],
            schema_url: SCHEMA_URL.to_owned(),
        }],
    };
    series.points.chunks(limits::POINTS_PER_REQUEST).map(request).collect()
}

/// Usage events of one service, observed at `observed_unix_ns`.
pub(super) fn logs(
    service: &str,
    events: &[UsageEvent],
    observed_unix_ns: i64,
) -> Vec<ExportLogsServiceRequest> {
    let record = |event: &UsageEvent| LogRecord {
        time_unix_nano: event.unix_ns as u64,
        observed_time_unix_nano: observed_unix_ns as u64,
        event_name: "gen_ai.client.inference.operation.details".to_owned(),
        attributes: vec![
            int("gen_ai.usage.input_tokens", event.input_tokens),
            int("gen_ai.usage.output_tokens", event.output_tokens),
        ],
        ..LogRecord::default()
    };
    let request = |events: &[UsageEvent]| ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(resource(service)),
            scope_logs: vec![ScopeLogs {
                scope: Some(scope()),
                log_records: events.iter().map(record).collect(),
                schema_url: SCHEMA_URL.to_owned(),
            }],
            schema_url: SCHEMA_URL.to_owned(),
        }],
    };
    events.chunks(limits::POINTS_PER_REQUEST).map(request).collect()
}

fn session_spans(session: &Session) -> impl Iterator<Item = Span> + '_ {
    std::iter::once(root_span(session)).chain(session.calls.iter().map(|c| call_span(session, c)))
}

/// The root knows the owner; with an agent it also repeats the usage of its calls.
fn root_span(session: &Session) -> Span {
    let (start, end) = session.span_of_time();
    let owner = &session.owner;
    let mut attributes = vec![text("team", owner.team), text("feature", owner.feature)];
    attributes.extend(owner.user.as_deref().map(|u| text("user.id", u)));
    attributes.extend(owner.session.as_deref().map(|s| text("session.id", s)));
    if let Some(agent) = session.agent {
        let output = session.calls.iter().filter_map(|c| c.output_tokens).sum();
        attributes.extend([
            text("gen_ai.operation.name", "invoke_agent"),
            text("gen_ai.agent.name", agent),
            int("gen_ai.usage.input_tokens", session.calls.iter().map(|c| c.input_tokens).sum()),
            int("gen_ai.usage.output_tokens", output),
        ]);
    }
    Span {
        trace_id: session.trace_id.0.to_vec(),
        span_id: session.root_id().0.to_vec(),
        name: session.name.clone(),
        kind: SpanKind::Internal.into(),
        start_time_unix_nano: start as u64,
        end_time_unix_nano: end as u64,
        attributes,
        ..Span::default()
    }
}

fn call_span(session: &Session, call: &Call) -> Span {
    let mut attributes = vec![
        text("gen_ai.operation.name", call.operation),
        text("gen_ai.provider.name", call.provider),
        text("gen_ai.request.model", &call.model),
        text("gen_ai.response.model", &call.model),
        int("gen_ai.usage.input_tokens", call.input_tokens),
    ];
    attributes.extend(call.output_tokens.map(|n| int("gen_ai.usage.output_tokens", n)));
    attributes.extend(
        call.time_to_first_chunk_s.map(|s| double("gen_ai.response.time_to_first_chunk", s)),
    );
    attributes
        .extend(call.finish_reason.as_deref().map(|r| texts("gen_ai.response.finish_reasons", r)));
    attributes.extend(call.response_id.as_deref().map(|id| text("gen_ai.response.id", id)));
    // The sources do not say what went wrong; this is the conventions' word for that.
    attributes.extend(call.failed.then(|| text("error.type", "_OTHER")));
    attributes.extend(call.more.iter().map(|(key, value)| int(key, *value)));
    Span {
        trace_id: session.trace_id.0.to_vec(),
        span_id: call.span_id.0.to_vec(),
        parent_span_id: session.root_id().0.to_vec(),
        name: format!("{} {}", call.operation, call.model),
        kind: SpanKind::Client.into(),
        start_time_unix_nano: call.start_unix_ns as u64,
        end_time_unix_nano: call.end_unix_ns as u64,
        attributes,
        status: call
            .failed
            .then(|| Status { code: StatusCode::Error.into(), message: String::new() }),
        ..Span::default()
    }
}

fn metric(series: &Series, points: &[(i64, f64)]) -> Metric {
    let attributes: Vec<_> = series.attributes.iter().map(|(key, v)| text(key, v)).collect();
    let point = |(unix_ns, value): &(i64, f64)| NumberDataPoint {
        attributes: attributes.clone(),
        time_unix_nano: *unix_ns as u64,
        value: Some(number_data_point::Value::AsDouble(*value)),
        ..NumberDataPoint::default()
    };
    let data_points = points.iter().map(point).collect();
    let data = match series.instrument {
        Instrument::Gauge => Data::Gauge(Gauge { data_points }),
        Instrument::UpDownCounter => Data::Sum(Sum {
            data_points,
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
            is_monotonic: false,
        }),
    };
    Metric {
        name: series.name.to_owned(),
        unit: series.unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn resource(service: &str) -> Resource {
    Resource {
        attributes: vec![
            text("service.name", service),
            text("deployment.environment.name", "demo"),
        ],
        ..Resource::default()
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: SCOPE.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

fn double(key: &str, value: f64) -> KeyValue {
    attribute(key, Value::DoubleValue(value))
}

/// A list of one text.
fn texts(key: &str, value: &str) -> KeyValue {
    let one = AnyValue { value: Some(Value::StringValue(value.to_owned())) };
    attribute(key, Value::ArrayValue(ArrayValue { values: vec![one] }))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::{agent_spans, claude_code, vllm};
    use super::*;

    /// 2026-11-25T12:00:00Z
    const END: i64 = 1_795_608_000_000_000_000;

    fn all_spans() -> Vec<Span> {
        let sets = [
            traces(agent_spans::SERVICE, &agent_spans::sessions(END).unwrap()),
            traces(claude_code::SERVICE, &claude_code::sessions(END).unwrap()),
            traces(vllm::SERVICE, &vllm::sessions(END).unwrap()),
        ];
        let requests = sets.into_iter().flatten();
        requests.flat_map(|mut r| r.resource_spans.remove(0).scope_spans.remove(0).spans).collect()
    }

    fn usage(span: &Span, key: &str) -> i64 {
        let found = span.attributes.iter().find(|a| a.key == key);
        match found.and_then(|a| a.value.as_ref()).and_then(|v| v.value.as_ref()) {
            Some(Value::IntValue(n)) => *n,
            _ => 0,
        }
    }

    #[test]
    fn every_row_is_one_span_below_one_root_of_its_session() {
        let spans = all_spans();
        // 1,190 + 2,069 + 3,000 rows; 23 + 11 + 6 sessions.
        assert_eq!(spans.len(), 6_259 + 40);
        let ids: HashSet<_> = spans.iter().map(|s| (&s.trace_id, &s.span_id)).collect();
        assert_eq!(ids.len(), spans.len());
        let roots: HashSet<_> = spans
            .iter()
            .filter(|s| s.parent_span_id.is_empty())
            .map(|s| (&s.trace_id, &s.span_id))
            .collect();
        assert_eq!(roots.len(), 40);
        for span in spans.iter().filter(|s| !s.parent_span_id.is_empty()) {
            assert!(roots.contains(&(&span.trace_id, &span.parent_span_id)));
        }
    }

    #[test]
    fn nothing_ends_after_the_demo_starts_and_each_set_ends_with_it() {
        let spans = all_spans();
        assert!(spans.iter().all(|s| s.start_time_unix_nano <= s.end_time_unix_nano));
        assert!(spans.iter().all(|s| s.end_time_unix_nano <= END as u64));
        for model in
            ["chat azure/Kimi-K2.5", "chat claude-opus-4-7", "text_completion Llama-3.2-1B"]
        {
            let ends = spans.iter().filter(|s| s.name == model).map(|s| s.end_time_unix_nano);
            assert_eq!(ends.max(), Some(END as u64), "{model}");
        }
    }

    #[test]
    fn roots_of_agents_repeat_the_usage_of_their_calls() {
        let spans = all_spans();
        let sum = |agent: bool| -> i64 {
            let chosen = spans.iter().filter(|s| s.name.starts_with("invoke_agent") == agent);
            chosen
                .filter(|s| !s.name.starts_with("text_completion"))
                .map(|s| usage(s, "gen_ai.usage.input_tokens"))
                .sum()
        };
        assert!(sum(true) > 0);
        assert_eq!(sum(true), sum(false));
    }

    #[test]
    fn ids_do_not_depend_on_when_the_demo_runs() {
        let ids = |end| -> Vec<_> {
            let sessions = claude_code::sessions(end).unwrap();
            sessions.iter().flat_map(|s| s.calls.iter().map(|c| (s.trace_id, c.span_id))).collect()
        };
        assert_eq!(ids(END), ids(END + 3_600_000_000_000));
    }

    #[test]
    fn every_sample_of_gpu_and_engine_is_a_point() {
        let series = vllm::series(END).unwrap();
        let points: usize = series.iter().map(|s| s.points.len()).sum();
        assert_eq!(points, 2_456 * 4 + 1_937 * 6);
        // Six runs × (4 + 6) columns.
        assert_eq!(series.len(), 60);
    }
}
