//! Export requests to the process' own OTLP/gRPC port, as any client would send them: retryable
//! answers are repeated with growing pauses, a partial success is an error. It builds nothing.

use std::net::SocketAddr;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status};

use super::{DemoError, limits};

/// A connection to the collector.
pub(super) struct Sender {
    address: SocketAddr,
    traces: TraceServiceClient<Channel>,
    metrics: MetricsServiceClient<Channel>,
    logs: LogsServiceClient<Channel>,
}

impl Sender {
    /// Connects.
    pub(super) async fn connect(address: SocketAddr) -> Result<Sender, DemoError> {
        let connect = async {
            let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
            endpoint.timeout(limits::REQUEST_TIMEOUT).connect().await
        };
        let channel = connect.await.map_err(|source| DemoError::Connect { address, source })?;
        Ok(Sender {
            address,
            traces: TraceServiceClient::new(channel.clone()),
            metrics: MetricsServiceClient::new(channel.clone()),
            logs: LogsServiceClient::new(channel),
        })
    }

    /// Sends spans; when it returns they are durable (I-1).
    pub(super) async fn traces(&self, request: ExportTraceServiceRequest) -> Result<(), DemoError> {
        let export = || {
            let (mut client, request) = (self.traces.clone(), request.clone());
            async move { client.export(request).await }
        };
        let partial = self.retrying("spans", export).await?.partial_success;
        all_taken("spans", partial.map(|p| (p.rejected_spans, p.error_message)))
    }

    /// Sends metric points; when it returns they are durable (I-1).
    pub(super) async fn metrics(
        &self,
        request: ExportMetricsServiceRequest,
    ) -> Result<(), DemoError> {
        let export = || {
            let (mut client, request) = (self.metrics.clone(), request.clone());
            async move { client.export(request).await }
        };
        let partial = self.retrying("metric points", export).await?.partial_success;
        all_taken("metric points", partial.map(|p| (p.rejected_data_points, p.error_message)))
    }

    /// Sends log records; when it returns they are durable (I-1).
    pub(super) async fn logs(&self, request: ExportLogsServiceRequest) -> Result<(), DemoError> {
        let export = || {
            let (mut client, request) = (self.logs.clone(), request.clone());
            async move { client.export(request).await }
        };
        let partial = self.retrying("log records", export).await?.partial_success;
        all_taken("log records", partial.map(|p| (p.rejected_log_records, p.error_message)))
    }

    async fn retrying<T, F>(
        &self,
        what: &'static str,
        export: impl Fn() -> F,
    ) -> Result<T, DemoError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let mut pause = limits::FIRST_PAUSE;
        for _ in 1..limits::ATTEMPTS {
            match export().await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) if retryable(&status) => tokio::time::sleep(pause).await,
                Err(status) => return Err(self.refused(what, status)),
            }
            pause *= 2;
        }
        let last = export().await.map(Response::into_inner);
        last.map_err(|status| self.refused(what, status))
    }

    fn refused(&self, what: &'static str, status: Status) -> DemoError {
        DemoError::Refused { what, address: self.address, status: Box::new(status) }
    }
}

/// The codes that the OTLP specification lets a client repeat.
fn retryable(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Cancelled
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss
    )
}

fn all_taken(what: &'static str, refused: Option<(i64, String)>) -> Result<(), DemoError> {
    match refused {
        Some((rejected, reason)) if rejected > 0 => {
            Err(DemoError::Rejected { what, rejected, reason })
        }
        _ => Ok(()),
    }
}
