//! OTLP/HTTP as the specification wants it (OTLP 1.9, "OTLP/HTTP"), with a real HTTP client.

use std::io::Write as _;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use spanledger_collector::CollectorSettings;
use spanledger_collector::receive::Credential;
use spanledger_schemas::tables;

use crate::harness::{Harness, body, flushing, hex, now_unix_ns, unflushed};

const PROTOBUF: &str = "application/x-protobuf";

async fn post(url: String, content_type: &str, body: Vec<u8>) -> Response {
    Client::new().post(url).header("content-type", content_type).body(body).send().await.unwrap()
}

fn content_type(response: &Response) -> String {
    response.headers()["content-type"].to_str().unwrap().to_owned()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn protobuf_is_acknowledged_with_an_empty_response_and_stored() {
    let harness = Harness::start(flushing()).await;
    let response = post(format!("{}/v1/traces", harness.http), PROTOBUF, body(&[1, 2])).await;
    assert_eq!(response.status(), 200);
    assert_eq!(content_type(&response), PROTOBUF);
    // "If the request is only accepted, partial_success MUST NOT be set": an empty message.
    assert!(response.bytes().await.unwrap().is_empty());
    assert_eq!(harness.finish().await, hex(&[1, 2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_request_succeeds() {
    let harness = Harness::start(flushing()).await;
    for signal in ["traces", "metrics", "logs"] {
        let url = format!("{}/v1/{signal}", harness.http);
        assert_eq!(post(url.clone(), PROTOBUF, Vec::new()).await.status(), 200);
        let response = post(url, "application/json", b"{}".to_vec()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.text().await.unwrap(), "{}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_items_are_counted_in_a_partial_success_and_the_rest_is_stored() {
    let harness = Harness::start(flushing()).await;
    let url = format!("{}/v1/traces", harness.http);
    let response = post(url, PROTOBUF, body(&[1, 0, 2, 0])).await;
    assert_eq!(response.status(), 200);
    let bytes = response.bytes().await.unwrap();
    let partial = ExportTraceServiceResponse::decode(bytes).unwrap().partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 2);
    assert!(partial.error_message.contains("span_id"), "{}", partial.error_message);
    assert_eq!(harness.finish().await, hex(&[1, 2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_taken_and_answered_in_json() {
    let harness = Harness::start(flushing()).await;
    let start = now_unix_ns();
    let span = |id: &str| {
        json!({
            "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": id, "name": "chat", "kind": 3,
            "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 5).to_string(),
        })
    };
    let request = json!({ "resourceSpans": [{ "scopeSpans": [{
        "spans": [span("EEE19B7EC3C1B174"), span("0000000000000000")]
    }]}]});
    let url = format!("{}/v1/traces", harness.http);
    let response =
        post(url, "application/json; charset=utf-8", request.to_string().into_bytes()).await;
    assert_eq!(response.status(), 200);
    assert_eq!(content_type(&response), "application/json");
    let answer: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(answer["partialSuccess"]["rejectedSpans"], "1");
    assert_eq!(harness.finish().await, ["eee19b7ec3c1b174"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_compression_is_undone() {
    let harness = Harness::start(flushing()).await;
    let compressed = [
        ("gzip", gzip(&body(&[1]))),
        ("zstd", zstd::encode_all(&body(&[2])[..], 3).unwrap()),
        ("deflate", zlib(&body(&[3]))),
        ("identity", body(&[4])),
    ];
    for (name, bytes) in compressed {
        let response = Client::new()
            .post(format!("{}/v1/traces", harness.http))
            .header("content-type", PROTOBUF)
            .header("content-encoding", name)
            .body(bytes)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "{name}");
    }
    assert_eq!(harness.finish().await, hex(&[1, 2, 3, 4]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_decompresses_beyond_the_limit_ends_at_413() {
    let harness = Harness::start(unflushed()).await;
    let bomb = vec![0u8; 65 << 20];
    for (name, bytes) in [("gzip", gzip(&bomb)), ("zstd", zstd::encode_all(&bomb[..], 3).unwrap())]
    {
        assert!(bytes.len() < 1 << 20);
        let response = Client::new()
            .post(format!("{}/v1/traces", harness.http))
            .header("content-type", PROTOBUF)
            .header("content-encoding", name)
            .body(bytes)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 413, "{name}");
        assert!(response.headers().get("retry-after").is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_sixty_mebibytes_is_taken() {
    let harness = Harness::start(flushing()).await;
    let mut request = crate::harness::traces(&[1]);
    let value = opentelemetry_proto::tonic::common::v1::AnyValue {
        value: Some(opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(
            "x".repeat(60 << 20),
        )),
    };
    request.resource_spans[0].scope_spans[0].spans[0].attributes =
        vec![opentelemetry_proto::tonic::common::v1::KeyValue {
            key: "gen_ai.input.messages".into(),
            value: Some(value),
            ..Default::default()
        }];
    let url = format!("{}/v1/traces", harness.http);
    let response = post(url, PROTOBUF, request.encode_to_vec()).await;
    assert_eq!(response.status(), 200);
    assert_eq!(harness.finish().await, hex(&[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_have_the_status_that_stops_a_client_from_repeating_them() {
    let harness = Harness::start(flushing()).await;
    let traces = format!("{}/v1/traces", harness.http);
    let cases = [
        (traces.clone(), "text/plain", body(&[1]), 415),
        (traces.clone(), PROTOBUF, b"\xff\xff".to_vec(), 400),
        (traces.clone(), "application/json", b"{".to_vec(), 400),
        (format!("{}/v1/profiles", harness.http), PROTOBUF, Vec::new(), 404),
    ];
    for (url, content_type, bytes, status) in cases {
        let response = post(url, content_type, bytes).await;
        assert_eq!(response.status(), status);
        assert!(response.headers().get("retry-after").is_none());
    }
    let response = Client::new().get(&traces).send().await.unwrap();
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["allow"], "POST");
    let response = Client::new()
        .post(&traces)
        .header("content-type", PROTOBUF)
        .header("content-encoding", "br")
        .body(body(&[1]))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 415);
    assert!(harness.finish().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_a_rpc_status_in_the_encoding_of_the_request() {
    let harness = Harness::start(flushing()).await;
    let url = format!("{}/v1/traces", harness.http);
    let response = post(url.clone(), "application/json", b"[]".to_vec()).await;
    assert_eq!(content_type(&response), "application/json");
    let status: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    // google.rpc.Code.INVALID_ARGUMENT
    assert_eq!(status["code"], 3);
    assert!(status["message"].as_str().unwrap().contains("traces"));

    let response = post(url, PROTOBUF, b"\xff\xff".to_vec()).await;
    assert_eq!(content_type(&response), PROTOBUF);
    let bytes = response.bytes().await.unwrap();
    // Field 1 of google.rpc.Status, a varint: code 3.
    assert_eq!(bytes[..2], [0x08, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_asks_the_client_to_come_later_and_then_takes_it() {
    let tight = CollectorSettings {
        message_bytes_max: 64 << 10,
        queue_bytes_max: (64 << 10) + 256,
        ..unflushed()
    };
    let harness = Harness::start(tight).await;
    let url = format!("{}/v1/traces", harness.http);
    let many: Vec<u64> = (1..=1000).collect();
    let large = body(&many);
    assert!(large.len() > 33 << 10 && large.len() < 64 << 10, "{}", large.len());
    assert_eq!(post(url.clone(), PROTOBUF, large).await.status(), 200);
    let second: Vec<u64> = (1001..=2000).collect();
    let second = body(&second);
    let refused = post(url.clone(), PROTOBUF, second.clone()).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(harness.finish().await.len(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_is_acknowledged_and_stored_once() {
    let harness = Harness::start(flushing()).await;
    let url = format!("{}/v1/traces", harness.http);
    let bytes = body(&[1, 2]);
    let all = (0..8).map(|_| post(url.clone(), PROTOBUF, bytes.clone()));
    for response in futures::future::join_all(all).await {
        assert_eq!(response.status(), 200);
    }
    assert_eq!(harness.finish().await, hex(&[1, 2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_post_below_other_paths_are_heard() {
    let harness = Harness::start(flushing()).await;
    let prefixes = ["/api/public/otel", "/otel", "/otlp"];
    for (id, prefix) in (1..).zip(prefixes) {
        let url = format!("{}{prefix}/v1/traces", harness.http);
        assert_eq!(post(url, PROTOBUF, body(&[id])).await.status(), 200);
    }
    assert_eq!(harness.finish().await, hex(&[1, 2, 3]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tenant_comes_from_the_token_and_without_one_nothing_is_taken() {
    let credential = Credential { token: "s3cret".into(), tenant: "acme".into() };
    let settings = CollectorSettings { credentials: vec![credential], ..flushing() };
    let harness = Harness::start(settings).await;
    let url = format!("{}/v1/traces", harness.http);
    let refused = post(url.clone(), PROTOBUF, body(&[1])).await;
    assert_eq!(refused.status(), 401);
    let taken = Client::new()
        .post(url)
        .bearer_auth("s3cret")
        .header("content-type", PROTOBUF)
        .body(body(&[2]))
        .send()
        .await
        .unwrap();
    assert_eq!(taken.status(), 200);
    harness.collector.shutdown().await;
    assert_eq!(harness.column(&tables::spans::TABLE, "tenant").await, ["acme"]);
    assert_eq!(harness.span_ids().await, hex(&[2]));
}
