//! Tests of what a sender is told: which items are taken, and what is wrong with a body.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics,
    metric::Data,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;

use super::*;

/// 2026-11-25T00:00:00Z
const NOW: i64 = 1_795_564_800_000_000_000;
const SECOND: u64 = 1_000_000_000;

fn good() -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "chat gpt-4o".to_owned(),
        start_time_unix_nano: NOW as u64 - SECOND,
        end_time_unix_nano: NOW as u64,
        ..Default::default()
    }
}

fn traces(spans: Vec<Span>) -> Vec<u8> {
    let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn metrics(metrics: Vec<Metric>) -> Vec<u8> {
    let scope_metrics = vec![ScopeMetrics { metrics, ..Default::default() }];
    let resource_metrics = vec![ResourceMetrics { scope_metrics, ..Default::default() }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}

fn checked(signal: Signal, body: &[u8]) -> Checked {
    check(signal, body, NOW, &DecodeLimits::default()).unwrap()
}

/// Changes one good span and expects the reason, or none when it must be taken.
fn span(change: impl FnOnce(&mut Span), expect: Option<Reason>) {
    let mut changed = good();
    change(&mut changed);
    let shown = format!("{changed:?}");
    let checked = checked(Signal::Traces, &traces(vec![good(), changed]));
    let reasons: Vec<_> = checked.reasons.iter().map(|r| r.reason).collect();
    assert_eq!(reasons, Vec::from_iter(expect), "{shown}");
    assert_eq!(checked.accepted, if expect.is_some() { 1 } else { 2 }, "{shown}");
}

#[test]
fn a_span_is_taken_by_its_ids_and_times() {
    span(|_| {}, None);
    span(|s| s.trace_id = vec![0; 16], Some(Reason::TraceIdZero));
    span(|s| s.trace_id = vec![1; 15], Some(Reason::TraceIdLength));
    span(|s| s.trace_id.clear(), Some(Reason::TraceIdLength));
    span(|s| s.span_id = vec![0; 8], Some(Reason::SpanIdZero));
    span(|s| s.span_id = vec![1; 16], Some(Reason::SpanIdLength));
    span(|s| s.parent_span_id = vec![3; 7], Some(Reason::ParentSpanIdLength));
    span(|s| s.parent_span_id = vec![0; 8], None);
    // The allowed skew is one second.
    span(|s| s.end_time_unix_nano = s.start_time_unix_nano - SECOND, None);
    span(
        |s| s.end_time_unix_nano = s.start_time_unix_nano - SECOND - 1,
        Some(Reason::EndBeforeStart),
    );
    span(|s| s.end_time_unix_nano = 0, Some(Reason::EndBeforeStart));
    // Microseconds sent as nanoseconds.
    span(|s| s.start_time_unix_nano /= 1000, Some(Reason::TimeOutOfRange));
    span(|s| s.start_time_unix_nano = u64::MAX, Some(Reason::TimeOutOfRange));
    // A day ahead is the most.
    let day = 86_400 * SECOND;
    span(|s| s.end_time_unix_nano = NOW as u64 + day, None);
    span(|s| s.end_time_unix_nano = NOW as u64 + day + 1, Some(Reason::TimeOutOfRange));
}

#[test]
fn the_reply_counts_reasons_and_gives_one_example_each() {
    let zero = |name: &str| Span { trace_id: vec![0; 16], name: name.to_owned(), ..good() };
    let long = Span { span_id: vec![], name: "n".repeat(500), ..good() };
    let body = traces(vec![zero("first"), good(), zero("second"), long]);
    let checked = checked(Signal::Traces, &body);
    assert_eq!((checked.accepted, checked.rejected), (1, 3));
    let message = checked.partial_success_message().unwrap();
    let n = "n".repeat(80);
    assert_eq!(
        message,
        format!(
            "3 of 4 items not taken: 2 × trace_id is all zero (first: `first`); \
             1 × span_id is not 8 bytes long (first: `{n}`)"
        )
    );
    assert_eq!(
        super::tests::checked(Signal::Traces, &traces(vec![good()])).partial_success_message(),
        None
    );
}

#[test]
fn text_that_is_not_utf8_costs_its_own_span_only() {
    let mut body = traces(vec![good(), good()]);
    let at = body.windows(4).position(|w| w == b"chat").unwrap();
    body[at] = 0xff;
    let checked = checked(Signal::Traces, &body);
    assert_eq!((checked.accepted, checked.reasons[0].reason), (1, Reason::NotUtf8));
}

#[test]
fn items_over_the_limit_are_counted_not_stored() {
    let limits = DecodeLimits { items_max: 2, ..DecodeLimits::default() };
    let checked = check(Signal::Traces, &traces(vec![good(); 5]), NOW, &limits).unwrap();
    assert_eq!((checked.accepted, checked.rejected), (2, 3));
    assert_eq!(checked.reasons[0].reason, Reason::TooManyItems);
}

#[test]
fn points_are_the_items_of_metrics() {
    let point = |time| NumberDataPoint { time_unix_nano: time, ..Default::default() };
    let gauge = |name: &str, times: &[u64]| Metric {
        name: name.to_owned(),
        data: Some(Data::Gauge(Gauge { data_points: times.iter().map(|t| point(*t)).collect() })),
        ..Default::default()
    };
    let histogram = |counts: &[u64], bounds: &[f64]| Metric {
        name: "h".to_owned(),
        data: Some(Data::Histogram(Histogram {
            data_points: vec![HistogramDataPoint {
                time_unix_nano: NOW as u64,
                bucket_counts: counts.to_vec(),
                explicit_bounds: bounds.to_vec(),
                ..Default::default()
            }],
            ..Default::default()
        })),
        ..Default::default()
    };
    let now = NOW as u64;
    let body = metrics(vec![
        gauge("good", &[now, now]),
        gauge("zero time", &[0, now]),
        gauge("", &[now, now, now]),
        Metric { name: "nothing".to_owned(), ..Default::default() },
        histogram(&[1, 2], &[0.5]),
        histogram(&[], &[]),
        histogram(&[1, 2, 3], &[0.5]),
        histogram(&[u64::MAX, 0], &[0.5]),
    ]);
    let checked = checked(Signal::Metrics, &body);
    let reasons: Vec<_> = checked.reasons.iter().map(|r| (r.reason, r.count)).collect();
    assert_eq!(checked.accepted, 5);
    assert_eq!(
        reasons,
        [
            (Reason::TimeOutOfRange, 1),
            (Reason::MetricName, 3),
            (Reason::MetricKind, 1),
            (Reason::Buckets, 1),
            (Reason::CountTooLarge, 1),
        ]
    );
}

#[test]
fn a_malformed_body_is_named_by_offset_and_path() {
    let mut body = traces(vec![good(), good()]);
    // The second span's start time is field 7, wire type 1: tag 0x39. Make it wire type 6.
    let at = body.iter().rposition(|b| *b == 0x39).unwrap();
    body[at] = 0x3e;
    let error = check(Signal::Traces, &body, NOW, &DecodeLimits::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "OTLP traces request of {} bytes: at byte {at}, in \
             `request.resourceSpans[0].scopeSpans[0].spans[1]`: wire type 6 does not exist, \
             expected 0, 1, 2, 3 or 5",
            body.len()
        )
    );
    let cut = &body[..body.len() - 1];
    let error = check(Signal::Traces, cut, NOW, &DecodeLimits::default()).unwrap_err();
    assert!(error.to_string().contains("is cut off"), "{error}");
    // A log body sent to the traces path: field 2 of a span is bytes, of a log record a number.
    let wrong = [0x0a, 6, 0x12, 4, 0x12, 2, 0x10, 9];
    let error = check(Signal::Traces, &wrong, NOW, &DecodeLimits::default()).unwrap_err();
    let expect = "`request.resourceSpans[0].scopeSpans[0].spans[0].spanId`: found a varint, \
                  expected a length-delimited field; it reads as logs, send it to /v1/logs";
    assert!(error.to_string().ends_with(expect), "{error}");
}
