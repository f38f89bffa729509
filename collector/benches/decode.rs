//! Cost of one span on the way in, in nanoseconds: `check` before the acknowledgement, `append`
//! at flush, and prost's decoding for comparison. Spans of about 700 and 1,000 bytes with GenAI
//! attributes, 512 to a request. Run with `cargo bench --bench decode`.

#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use spanledger_collector::buffer::{Builders, ContentRules};
use spanledger_collector::decode::{DecodeLimits, check};
use spanledger_collector::frame::{Frame, Signal};
use spanledger_schemas::ids::LogSeq;

const SPANS: usize = 512;
/// 2026-11-25T00:00:00Z
const NOW: i64 = 1_795_564_800_000_000_000;

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), key_strindex: 0 }
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn number(key: &str, value: usize) -> KeyValue {
    attribute(key, Value::IntValue(value as i64))
}

fn span(i: usize, more: usize) -> Span {
    let reason = AnyValue { value: Some(Value::StringValue("stop".to_owned())) };
    let mut attributes = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", "gpt-4o"),
        text("gen_ai.response.model", "gpt-4o-2024-08-06"),
        text("gen_ai.response.id", format!("chatcmpl-{i:029}")),
        attribute(
            "gen_ai.response.finish_reasons",
            Value::ArrayValue(ArrayValue { values: vec![reason] }),
        ),
        number("gen_ai.usage.input_tokens", 1000 + i % 700),
        number("gen_ai.usage.output_tokens", 100 + i % 90),
        number("gen_ai.usage.cache_read.input_tokens", i % 512),
        attribute("gen_ai.request.temperature", Value::DoubleValue(0.2)),
        number("gen_ai.request.max_tokens", 1024),
        text("server.address", "api.openai.com"),
        number("server.port", 443),
        text("user.id", format!("user-{}", i % 100)),
        text("session.id", format!("sess-{}", i % 1000)),
        text("tenant.id", "acme"),
        text("app.feature", "support-chat"),
    ];
    attributes.extend(
        (0..more)
            .map(|k| text(&format!("app.attribute.number.{k}"), format!("value-{k}-{}", i % 7))),
    );
    Span {
        trace_id: (i as u128 * 0x9e37_79b9_7f4a_7c15 + 1).to_be_bytes().to_vec(),
        span_id: (i as u64 + 1).to_be_bytes().to_vec(),
        parent_span_id: (i as u64 + 7).to_be_bytes().to_vec(),
        name: "chat gpt-4o".to_owned(),
        kind: 3,
        start_time_unix_nano: NOW as u64 - 2_000_000_000 + i as u64,
        end_time_unix_nano: NOW as u64 - 1_000_000_000,
        attributes,
        status: Some(Status::default()),
        ..Default::default()
    }
}

fn request(more: usize) -> Bytes {
    let scope = InstrumentationScope {
        name: "opentelemetry.instrumentation.openai_v2".to_owned(),
        version: "2.4b0".to_owned(),
        ..Default::default()
    };
    let resource = Resource {
        attributes: vec![
            text("service.name", "support-api"),
            text("service.version", "1.4.2"),
            text("deployment.environment.name", "production"),
            text("team", "support"),
            text("telemetry.sdk.language", "python"),
            text("telemetry.sdk.name", "opentelemetry"),
            text("telemetry.sdk.version", "1.45.2"),
        ],
        ..Default::default()
    };
    let spans = (0..SPANS).map(|i| span(i, more)).collect();
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..Default::default() }];
    let resource_spans =
        vec![ResourceSpans { resource: Some(resource), scope_spans, ..Default::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}

/// The best of ten rounds of a tenth of a second each, in nanoseconds per span: the machine may
/// be shared, and its own cost is the least that was seen.
fn best_ns(mut run: impl FnMut()) -> f64 {
    let round = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        let mut times = 0;
        while start.elapsed() < Duration::from_millis(100) {
            run();
            times += 1;
        }
        start.elapsed().as_nanos() as f64 / (times * SPANS) as f64
    };
    (0..10).map(|_| round(&mut run)).fold(f64::INFINITY, f64::min)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("ns per span        bytes   check  append  append+finish   prost");
    for more in [0, 8] {
        let body = request(more);
        let frame = Frame {
            seq: LogSeq(1),
            tenant: Arc::from("acme"),
            signal: Signal::Traces,
            received_unix_ns: NOW,
            body: body.clone(),
        };
        let limits = DecodeLimits::default();
        let accepted = check(Signal::Traces, &body, NOW, &limits)?.accepted;
        if accepted != SPANS as u64 {
            return Err(format!("{accepted} of {SPANS} spans accepted").into());
        }
        let attributes = 17 + more;
        let check_ns = best_ns(|| {
            black_box(check(Signal::Traces, black_box(&body), NOW, &limits).is_ok());
        });
        // As at a flush: one set of builders takes sixteen requests.
        let append_16 = || {
            let mut builders = Builders::new(ContentRules::default());
            for _ in 0..16 {
                black_box(builders.append(black_box(&frame)).is_ok());
            }
            builders
        };
        let append_ns = best_ns(|| drop(black_box(append_16()))) / 16.0;
        let finish_ns = best_ns(|| drop(black_box(append_16().finish()))) / 16.0;
        let prost_ns = best_ns(|| {
            black_box(ExportTraceServiceRequest::decode(black_box(&body[..])).is_ok());
        });
        println!(
            "{attributes} attributes {:>11} {check_ns:>7.0} {append_ns:>7.0} {finish_ns:>14.0} {prost_ns:>7.0}",
            body.len() / SPANS,
        );
    }
    Ok(())
}
