//! OTLP/gRPC as the specification wants it (OTLP 1.9, "OTLP/gRPC"), with tonic's client.

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use spanledger_collector::CollectorSettings;
use spanledger_collector::receive::Credential;
use tonic::client::Grpc;
use tonic::codec::CompressionEncoding;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use crate::harness::{Harness, flushing, hex, traces, unflushed};

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

async fn channel(harness: &Harness) -> Channel {
    Endpoint::from_shared(format!("http://{}", harness.grpc)).unwrap().connect().await.unwrap()
}

async fn call(
    mut client: Grpc<Channel>,
    path: &'static str,
    request: Request<ExportTraceServiceRequest>,
) -> Result<ExportTraceServiceResponse, Status> {
    client.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::default();
    let response = client.unary(request, PathAndQuery::from_static(path), codec).await?;
    Ok(response.into_inner())
}

async fn export(harness: &Harness, ids: &[u64]) -> Result<ExportTraceServiceResponse, Status> {
    call(Grpc::new(channel(harness).await), EXPORT, Request::new(traces(ids))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_acknowledged_and_stored() {
    let harness = Harness::start(flushing()).await;
    assert_eq!(export(&harness, &[1, 2]).await.unwrap().partial_success, None);
    assert_eq!(export(&harness, &[]).await.unwrap().partial_success, None);
    assert_eq!(harness.finish().await, hex(&[1, 2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_items_are_counted_in_a_partial_success() {
    let harness = Harness::start(flushing()).await;
    let partial = export(&harness, &[0, 1, 0]).await.unwrap().partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 2);
    assert!(!partial.error_message.is_empty());
    assert_eq!(harness.finish().await, hex(&[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_compression_is_undone() {
    let harness = Harness::start(flushing()).await;
    for (id, encoding) in [(1, CompressionEncoding::Gzip), (2, CompressionEncoding::Zstd)] {
        let client = Grpc::new(channel(&harness).await).send_compressed(encoding);
        call(client, EXPORT, Request::new(traces(&[id]))).await.unwrap();
    }
    assert_eq!(harness.finish().await, hex(&[1, 2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_is_not_there_is_unimplemented() {
    let harness = Harness::start(flushing()).await;
    let client = Grpc::new(channel(&harness).await);
    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Import";
    let status = call(client, path, Request::new(traces(&[1]))).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_resource_exhausted_with_retry_info() {
    let tight = CollectorSettings {
        message_bytes_max: 64 << 10,
        queue_bytes_max: (64 << 10) + 256,
        ..unflushed()
    };
    let harness = Harness::start(tight).await;
    let first: Vec<u64> = (1..=1000).collect();
    let second: Vec<u64> = (1001..=2000).collect();
    export(&harness, &first).await.unwrap();
    let status = export(&harness, &second).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let details = String::from_utf8_lossy(status.details()).into_owned();
    assert!(details.contains("type.googleapis.com/google.rpc.RetryInfo"), "{details}");
    assert_eq!(harness.finish().await.len(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_beyond_the_limit_is_final() {
    let small = CollectorSettings { message_bytes_max: 1024, ..flushing() };
    let harness = Harness::start(small).await;
    let many: Vec<u64> = (1..=100).collect();
    let status = export(&harness, &many).await.unwrap_err();
    // Neither of the codes that OTLP calls retryable, and no RetryInfo.
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.details().is_empty());
    assert!(harness.finish().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_token_a_client_is_unauthenticated() {
    let credential = Credential { token: "s3cret".into(), tenant: "acme".into() };
    let settings = CollectorSettings { credentials: vec![credential], ..flushing() };
    let harness = Harness::start(settings).await;
    assert_eq!(export(&harness, &[1]).await.unwrap_err().code(), Code::Unauthenticated);
    let mut request = Request::new(traces(&[2]));
    request.metadata_mut().insert("authorization", "Bearer s3cret".parse().unwrap());
    call(Grpc::new(channel(&harness).await), EXPORT, request).await.unwrap();
    assert_eq!(harness.finish().await, hex(&[2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_on_one_connection_are_all_stored() {
    let harness = Harness::start(flushing()).await;
    let channel = channel(&harness).await;
    let calls = (1..=300u64).map(|id| {
        let client = Grpc::new(channel.clone());
        call(client, EXPORT, Request::new(traces(&[id])))
    });
    for outcome in futures::future::join_all(calls).await {
        outcome.unwrap();
    }
    let ids: Vec<u64> = (1..=300).collect();
    assert_eq!(harness.finish().await, hex(&ids));
}
