//! The load: one encoded request whose ids, times, tokens and users are patched in place for each
//! send, so that the sender costs little, no two requests are the same, and columns compress
//! about as real ones do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;

use crate::server::Server;

/// Spans that share a trace id.
pub const SPANS_PER_TRACE: usize = 4;
/// The load's time range, for questions. Ten hours, so that drift has windows to compare.
pub const FROM: &str = "2026-11-02T06:00:00Z";
/// End of the range.
pub const TO: &str = "2026-11-02T11:00:00Z";

/// 2026-11-02T01:00:00Z.
const START_NS: u64 = 1_793_581_200_000_000_000;
/// Time between two spans' starts when ten hours hold a million spans.
const STEP_NS: u64 = 36_000_000;
/// A million: after so many spans the times begin again.
const SPANS_PER_RANGE: u64 = 1_000_000;

const MODELS: [(&str, &str); 4] = [
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-4o"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-haiku-4-5"),
];

/// A request of a fixed shape and where its ids and times are.
pub struct Template {
    body: Vec<u8>,
    spans: usize,
    places: Vec<Places>,
}

struct Places {
    trace_id: usize,
    span_id: usize,
    start: usize,
    end: usize,
    /// Hex digits after `chatcmpl-`.
    response_id: usize,
    /// Digits after `conv-`.
    conversation: usize,
    /// Digits after `user-`.
    user: usize,
    /// Two-byte varints: input, output and cached tokens.
    tokens: [usize; 3],
}

/// Attributes whose value is a two-byte varint, and so between 128 and 16,383.
const TOKENS: [&str; 3] = [
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.cache_read.input_tokens",
];
/// Protobuf between a key and the value of an int attribute: tag and length of the value, tag of
/// the integer.
const BEFORE_INT: usize = 3;

/// Hex text of the trace id of a span: the request's number, then the trace's within it.
pub fn trace_id(request: usize, span: usize) -> String {
    trace_bytes(request, span / SPANS_PER_TRACE).iter().map(|b| format!("{b:02x}")).collect()
}

/// Ids that look random, as real ones do, so that they compress like real ones.
fn trace_bytes(request: usize, trace: usize) -> [u8; 16] {
    let mut random = fastrand::Rng::with_seed(((request as u64) << 20) | trace as u64);
    let mut id = [0; 16];
    random.fill(&mut id);
    id
}

impl Template {
    /// A request of `spans` spans.
    pub fn new(spans: usize) -> Template {
        let marked: Vec<Span> = (0..spans).map(span).collect();
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource {
                    attributes: vec![
                        text("service.name", "support-api"),
                        text("service.version", "1.4.2"),
                        text("deployment.environment.name", "production"),
                        text("team", "support"),
                    ],
                    ..Resource::default()
                }),
                scope_spans: vec![ScopeSpans {
                    scope: Some(InstrumentationScope {
                        name: "opentelemetry.instrumentation.openai_v2".into(),
                        version: "2.4b0".into(),
                        ..InstrumentationScope::default()
                    }),
                    spans: marked,
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        };
        let body = request.encode_to_vec();
        let places = (0..spans).map(|i| Places::find(&body, i)).collect();
        Template { body, spans, places }
    }

    /// Mean encoded size of a span.
    pub fn bytes_per_span(&self) -> usize {
        self.body.len() / self.spans
    }

    /// The request of that number.
    pub fn request(&self, number: usize) -> Bytes {
        self.patched(number).into()
    }

    /// The same, all of whose spans are of one trace, whatever the number.
    pub fn request_of_one_trace(&self, number: usize) -> Bytes {
        let mut body = self.patched(number);
        for places in &self.places {
            body[places.trace_id..places.trace_id + 16].copy_from_slice(&trace_bytes(0, 0));
        }
        body.into()
    }

    fn patched(&self, number: usize) -> Vec<u8> {
        let mut body = self.body.clone();
        let mut random = fastrand::Rng::with_seed(number as u64);
        for (i, places) in self.places.iter().enumerate() {
            let trace = trace_bytes(number, i / SPANS_PER_TRACE);
            body[places.trace_id..places.trace_id + 16].copy_from_slice(&trace);
            let span_id = random.u64(1..).to_le_bytes();
            body[places.span_id..places.span_id + 8].copy_from_slice(&span_id);
            let index = (number * self.spans + i) as u64 % SPANS_PER_RANGE;
            let start = START_NS + index * STEP_NS;
            let end = start + random.u64(200_000_000..9_000_000_000);
            body[places.start..places.start + 8].copy_from_slice(&start.to_le_bytes());
            body[places.end..places.end + 8].copy_from_slice(&end.to_le_bytes());
            digits(&mut body, places.response_id, &format!("{:016x}", random.u64(..)));
            digits(&mut body, places.conversation, &format!("{:05}", random.u32(0..50_000)));
            digits(&mut body, places.user, &format!("{:04}", random.u32(0..2_000)));
            let input = random.u16(256..16_000);
            let tokens = [input, random.u16(128..900), input / 2];
            for (place, tokens) in places.tokens.iter().zip(tokens) {
                // A varint: seven bits a byte, the lowest first.
                body[*place..place + 2]
                    .copy_from_slice(&[tokens as u8 | 0x80, (tokens >> 7) as u8]);
            }
        }
        body
    }
}

impl Places {
    /// Finds the marks that [`span`] left.
    fn find(body: &[u8], i: usize) -> Places {
        let at = |mark: &[u8]| {
            let mut found = body.windows(mark.len()).enumerate().filter(|(_, w)| *w == mark);
            let (place, _) = found.next().unwrap();
            assert!(found.next().is_none(), "the mark of span {i} is there twice");
            place
        };
        let span = at(&mark(1, i).repeat(2));
        let after = |text: &str| {
            let found = body[span..].windows(text.len()).position(|w| w == text.as_bytes());
            span + found.unwrap() + text.len()
        };
        Places {
            trace_id: span,
            span_id: at(&mark(2, i)),
            start: at(&mark(3, i)),
            end: at(&mark(4, i)),
            response_id: after("chatcmpl-"),
            conversation: after("conv-"),
            user: after("user-"),
            tokens: TOKENS.map(|key| after(key) + BEFORE_INT),
        }
    }
}

fn digits(body: &mut [u8], place: usize, text: &str) {
    body[place..place + text.len()].copy_from_slice(text.as_bytes());
}

/// Eight bytes that name a field of a span.
fn mark(field: u8, i: usize) -> [u8; 8] {
    let [low, high] = (i as u16).to_le_bytes();
    [0xA5, field, 0x5A, low, high, 0xC3, 0x3C, 0x69]
}

fn span(i: usize) -> Span {
    let (provider, model) = MODELS[i % MODELS.len()];
    let mut random = fastrand::Rng::with_seed(i as u64);
    let attributes = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", provider),
        text("gen_ai.request.model", model),
        text("gen_ai.response.model", model),
        text("gen_ai.response.id", "chatcmpl-0000000000000000"),
        int(TOKENS[0], 128),
        int(TOKENS[1], 128),
        int(TOKENS[2], 128),
        double("gen_ai.response.time_to_first_chunk", f64::from(random.u32(100..1500)) / 1000.0),
        strings("gen_ai.response.finish_reasons", &["stop"]),
        double("gen_ai.request.temperature", 0.2),
        int("gen_ai.request.max_tokens", 1024),
        text("gen_ai.conversation.id", "conv-00000"),
        text("user.id", "user-0000"),
        text("server.address", "api.openai.com"),
        int("server.port", 443),
        text("gen_ai.output.type", "text"),
        text("openai.response.service_tier", "default"),
        text("feature", ["search", "summary", "chat"][i % 3]),
        text("http.route", "/v1/answer"),
    ];
    Span {
        trace_id: mark(1, i).repeat(2),
        span_id: mark(2, i).to_vec(),
        name: format!("chat {model}"),
        kind: 3,
        start_time_unix_nano: u64::from_le_bytes(mark(3, i)),
        end_time_unix_nano: u64::from_le_bytes(mark(4, i)),
        attributes,
        ..Span::default()
    }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: key.into(), value, ..KeyValue::default() }
}
fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}
fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}
fn double(key: &str, value: f64) -> KeyValue {
    attribute(key, Value::DoubleValue(value))
}
fn strings(key: &str, values: &[&str]) -> KeyValue {
    let values =
        values.iter().map(|v| AnyValue { value: Some(Value::StringValue((*v).into())) }).collect();
    attribute(key, Value::ArrayValue(ArrayValue { values }))
}

/// Sends requests `0..requests` over as many connections as told, each resent until it is
/// acknowledged, and none before its time when there is a `rate`, in requests a second. The time each
/// took from its first try to its acknowledgement.
pub async fn send(
    server: &Server,
    template: &Template,
    requests: usize,
    connections: usize,
    rate: Option<f64>,
) -> Vec<Duration> {
    let next = Arc::new(AtomicUsize::new(0));
    let started = tokio::time::Instant::now();
    let senders = (0..connections).map(|_| {
        let next = next.clone();
        async move {
            let client = reqwest::Client::builder().pool_max_idle_per_host(1).build().unwrap();
            let mut times = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= requests {
                    return times;
                }
                let body = template.request(number);
                if let Some(rate) = rate {
                    let due = Duration::from_secs_f64(number as f64 / rate);
                    tokio::time::sleep_until(started + due).await;
                }
                let sent = Instant::now();
                post(&client, server, body).await;
                times.push(sent.elapsed());
            }
        }
    });
    futures::future::join_all(senders).await.concat()
}

async fn post(client: &reqwest::Client, server: &Server, body: Bytes) {
    loop {
        let request = client
            .post(format!("{}/v1/traces", server.otlp_http()))
            .header("content-type", "application/x-protobuf")
            .body(body.clone());
        let status = request.send().await.unwrap().status();
        if status.is_success() {
            return;
        }
        assert!(matches!(status.as_u16(), 429 | 503), "refused for good: {status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Times from the acknowledgement of a request to the first query that sees its last span.
pub async fn visible(server: &Server, template: &Template, samples: usize) -> Vec<Duration> {
    let client = reqwest::Client::new();
    let mut times = Vec::new();
    for sample in 0..samples {
        let number = 10_000_000 + sample;
        post(&client, server, template.request(number)).await;
        let acknowledged = Instant::now();
        let trace = trace_id(number, template.spans - 1);
        let sql = format!("select span_id from spans where trace_id = '{trace}'");
        while server.timed_sql(&sql).await.0 == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        times.push(acknowledged.elapsed());
        // Not in step with the flush.
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..700))).await;
    }
    times
}
