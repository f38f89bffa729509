//! A collector on a folder of its own, with both doors open; what it stored is read from the
//! Parquet files themselves.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use prost::Message;
use spanledger_collector::{Collector, CollectorSettings};
use spanledger_schemas::{Table, tables};
use spanledger_store::Store;
use tempfile::TempDir;
use tokio::net::TcpListener;

pub(crate) struct Harness {
    pub(crate) dir: TempDir,
    pub(crate) store: Store,
    pub(crate) collector: Collector,
    pub(crate) http: String,
    pub(crate) grpc: SocketAddr,
}

/// Flushes only when told to.
pub(crate) fn unflushed() -> CollectorSettings {
    CollectorSettings { flush_interval: Duration::from_secs(3600), ..Default::default() }
}

/// Flushes at once.
pub(crate) fn flushing() -> CollectorSettings {
    CollectorSettings { flush_interval: Duration::from_millis(10), ..Default::default() }
}

impl Harness {
    pub(crate) async fn start(settings: CollectorSettings) -> Harness {
        Harness::start_in(tempfile::tempdir().unwrap(), settings).await
    }

    pub(crate) async fn start_in(dir: TempDir, settings: CollectorSettings) -> Harness {
        let store = Store::open(&dir.path().join("store")).await.unwrap();
        let collector = Collector::start(settings, store.clone(), dir.path()).await.unwrap();
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let grpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (http_addr, grpc_addr) = (http.local_addr().unwrap(), grpc.local_addr().unwrap());
        collector.serve_http(http);
        collector.serve_grpc(grpc);
        Harness { dir, store, collector, http: format!("http://{http_addr}"), grpc: grpc_addr }
    }

    /// Ends as a killed process would: nothing is flushed.
    pub(crate) fn crash(self) -> TempDir {
        drop(self.collector);
        self.dir
    }

    /// Ends in good order; the span ids that are stored, sorted.
    pub(crate) async fn finish(self) -> Vec<String> {
        self.collector.shutdown().await;
        self.span_ids().await
    }

    pub(crate) async fn span_ids(&self) -> Vec<String> {
        self.column(&tables::spans::TABLE, "span_id").await
    }

    /// The texts of a column over all active files, sorted.
    pub(crate) async fn column(&self, table: &'static Table, column: &str) -> Vec<String> {
        let root = self.dir.path().join("store").join(table.name);
        let files = self.store.snapshot().await.unwrap().files(table);
        let mut values: Vec<String> =
            files.iter().flat_map(|file| texts(&root.join(&file.path), column)).collect();
        values.sort();
        values
    }
}

fn texts(path: &Path, column: &str) -> Vec<String> {
    let file = File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    reader
        .flat_map(|batch| {
            let batch = batch.unwrap();
            let array = batch.column_by_name(column).unwrap();
            let array = arrow::compute::cast(array, &arrow::datatypes::DataType::Utf8).unwrap();
            let array = array.as_any().downcast_ref::<arrow::array::StringArray>().unwrap();
            array.iter().map(|value| value.unwrap().to_owned()).collect::<Vec<_>>()
        })
        .collect()
}

pub(crate) fn now_unix_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}

/// A span with that number as its id.
pub(crate) fn span(id: u64) -> Span {
    let start = now_unix_ns();
    Span {
        trace_id: vec![7; 16],
        span_id: id.to_be_bytes().to_vec(),
        name: "chat".into(),
        kind: 3,
        start_time_unix_nano: start,
        end_time_unix_nano: start + 1_000_000,
        ..Default::default()
    }
}

/// A request with spans of these ids; id 0 makes a span that OTLP calls invalid.
pub(crate) fn traces(ids: &[u64]) -> ExportTraceServiceRequest {
    let spans = ids.iter().map(|id| span(*id)).collect();
    let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
    ExportTraceServiceRequest { resource_spans }
}

pub(crate) fn body(ids: &[u64]) -> Vec<u8> {
    traces(ids).encode_to_vec()
}

/// What the tables show for these ids.
pub(crate) fn hex(ids: &[u64]) -> Vec<String> {
    ids.iter().map(|id| format!("{id:016x}")).collect()
}
