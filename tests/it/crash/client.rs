//! The client of the crash test: makes spans with content drawn from the seed, sends them over
//! OTLP/HTTP, remembers what was acknowledged, and sends the rest again.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;

use super::process::Doors;

const WORKERS: u64 = 4;
const SPANS_MAX: u64 = 20;

/// What one round (the life of one process) made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) spans: u64,
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
}

#[derive(Default)]
pub(super) struct Client(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    /// By the number of the round.
    made: Vec<Made>,
    next_id: u64,
    acknowledged: Vec<Vec<u8>>,
    unanswered: VecDeque<Vec<u8>>,
}

enum Sent {
    Taken,
    Refused,
    Nobody,
}

impl Client {
    /// Spans made from now on belong to that round.
    pub(super) fn begin(&self, round: usize) {
        self.lock().made.resize(round + 1, Made::default());
    }

    /// What each round made.
    pub(super) fn made(&self) -> Vec<Made> {
        self.lock().made.clone()
    }

    /// Sends from several workers until the time is over or nobody answers: first what was not
    /// answered before, now and then what was acknowledged already, else something new.
    pub(super) async fn load(&self, doors: &Doors, seed: u64, until: Instant) {
        let http = reqwest::Client::new();
        let worker = |number| {
            let (http, mut rng) = (http.clone(), fastrand::Rng::with_seed(seed ^ number));
            async move {
                while Instant::now() < until {
                    let (body, again) = self.next(&mut rng);
                    let sent = send(&http, doors, &body).await;
                    if !again {
                        self.answered(body, &sent);
                    }
                    if matches!(sent, Sent::Nobody) {
                        return;
                    }
                }
            }
        };
        futures::future::join_all((0..WORKERS).map(worker)).await;
    }

    /// Sends what was not answered until all of it is acknowledged.
    pub(super) async fn drain(&self, doors: &Doors, until: Instant) {
        let http = reqwest::Client::new();
        loop {
            let Some(body) = self.lock().unanswered.pop_front() else { return };
            assert!(Instant::now() < until, "not everything was acknowledged in time");
            let sent = send(&http, doors, &body).await;
            if matches!(sent, Sent::Refused) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            assert!(!matches!(sent, Sent::Nobody), "the last process is gone");
            self.answered(body, &sent);
        }
    }

    fn next(&self, rng: &mut fastrand::Rng) -> (Vec<u8>, bool) {
        let mut memory = self.lock();
        if let Some(body) = memory.unanswered.pop_front() {
            return (body, false);
        }
        if !memory.acknowledged.is_empty() && rng.u8(..10) == 0 {
            return (rng.choice(&memory.acknowledged).unwrap().clone(), true);
        }
        (memory.request(rng), false)
    }

    fn answered(&self, body: Vec<u8>, sent: &Sent) {
        let mut memory = self.lock();
        match sent {
            Sent::Taken => memory.acknowledged.push(body),
            Sent::Refused | Sent::Nobody => memory.unanswered.push_back(body),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap()
    }
}

impl Memory {
    fn request(&mut self, rng: &mut fastrand::Rng) -> Vec<u8> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let round = self.made.len() - 1;
        let spans = (0..rng.u64(1..=SPANS_MAX)).map(|_| {
            self.next_id += 1;
            let (input, output) = (rng.u32(1..100_000), rng.u32(1..10_000));
            let made = &mut self.made[round];
            made.spans += 1;
            made.input_tokens += u64::from(input);
            made.output_tokens += u64::from(output);
            let id = self.next_id;
            let attributes = vec![
                attribute("gen_ai.operation.name", Value::StringValue("chat".into())),
                attribute("gen_ai.provider.name", Value::StringValue("openai".into())),
                attribute("gen_ai.request.model", Value::StringValue("gpt-4o".into())),
                attribute("gen_ai.response.id", Value::StringValue(format!("chatcmpl-{id}"))),
                attribute("gen_ai.usage.input_tokens", Value::IntValue(input.into())),
                attribute("gen_ai.usage.output_tokens", Value::IntValue(output.into())),
            ];
            Span {
                // A trace of its own for each, so that none is another one's wrapper.
                trace_id: u128::from(id).to_be_bytes().to_vec(),
                span_id: id.to_be_bytes().to_vec(),
                name: format!("round {round}"),
                kind: 3,
                start_time_unix_nano: now - 1_000_000 * id % 1_000_000_000,
                end_time_unix_nano: now,
                attributes,
                ..Default::default()
            }
        });
        let scope_spans = vec![ScopeSpans { spans: spans.collect(), ..Default::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: key.into(), value, ..Default::default() }
}

async fn send(http: &reqwest::Client, doors: &Doors, body: &[u8]) -> Sent {
    let url = format!("http://{}/v1/traces", doors["otlp-http"]);
    let request = http.post(url).header("content-type", "application/x-protobuf");
    match request.body(body.to_vec()).send().await {
        Ok(answer) if answer.status() == 200 => Sent::Taken,
        Ok(answer) if [429, 503].contains(&answer.status().as_u16()) => Sent::Refused,
        Ok(answer) => panic!("a sound request was answered with {}", answer.status()),
        Err(_) => Sent::Nobody,
    }
}
