//! A store in a temporary folder with rows written as JSON, and the doors on free ports.

use std::net::SocketAddr;
use std::sync::Arc;

use arrow::json::ReaderBuilder;
use arrow::record_batch::RecordBatch;
use serde_json::{Map, Value, json};
use spanledger_query::{QueryService, QuerySettings};
use spanledger_schemas::tables::{calls, spans};
use spanledger_schemas::{Kind, Table};
use spanledger_store::Store;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub struct World {
    pub store: Store,
    pub service: QueryService,
    pub http: String,
    pub pg: SocketAddr,
    shutdown: CancellationToken,
    _folder: TempDir,
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// The doors over a store with these rows.
pub async fn world(settings: QuerySettings, rows: &[(&'static Table, Vec<Value>)]) -> World {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    for (table, rows) in rows {
        store.append(table, batch(table, rows), None).await.unwrap();
    }
    // Known to the ledger alone; here it is a value that answers must repeat.
    let settled = Arc::new(|| Some(1_795_564_800_000_000));
    let service = QueryService::new(store.clone(), settings, settled).unwrap();
    let shutdown = CancellationToken::new();

    let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http_addr = http.local_addr().unwrap();
    let router = service.http_router();
    tokio::spawn(async move { axum::serve(http, router).await.unwrap() });

    let pg = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pg_addr = pg.local_addr().unwrap();
    let (door, stop) = (service.clone(), shutdown.clone());
    tokio::spawn(async move { door.serve_pg(pg, stop).await.unwrap() });

    World {
        store,
        service,
        http: format!("http://{http_addr}"),
        pg: pg_addr,
        shutdown,
        _folder: folder,
    }
}

/// Three spans and four calls of two tenants, small enough to add up by hand.
pub async fn small() -> World {
    world(
        QuerySettings::default(),
        &[(&spans::TABLE, small_spans()), (&calls::TABLE, small_calls())],
    )
    .await
}

pub fn small_spans() -> Vec<Value> {
    vec![
        json!({"span_id": "00000000000000a1", "name": "chat gpt-4o", "start_at": "2026-11-24T10:00:00Z",
               "start_unix_ns": 1_795_514_400_000_000_000i64, "date": "2026-11-24",
               "duration_ns": 1_500_000_000, "request_model": "gpt-4o", "response_model": "gpt-4o-2024-08-06",
               "service_name": "search", "span_attributes": {"gpu": "H100"}}),
        json!({"span_id": "00000000000000a2", "name": "chat haiku", "start_at": "2026-11-24T11:00:00Z",
               "start_unix_ns": 1_795_518_000_000_000_000i64, "date": "2026-11-24",
               "duration_ns": 250_000_000, "request_model": "haiku", "service_name": "search"}),
        json!({"tenant": "other", "span_id": "00000000000000a3", "name": "secret",
               "start_at": "2026-11-24T12:00:00Z", "start_unix_ns": 1_795_521_600_000_000_000i64,
               "date": "2026-11-24", "duration_ns": 1, "service_name": "vault"}),
    ]
}

pub fn small_calls() -> Vec<Value> {
    vec![
        json!({"span_id": "00000000000000b1", "model": "gpt-4o", "team": "search", "user_id": "u1",
               "started_at": "2026-11-24T10:00:00Z", "duration_ms": 100.0, "ttft_ms": 20.0,
               "input_tokens": 1000, "output_tokens": 100, "cost": "0.000000000000000001",
               "currency": "USD", "price_state": "priced"}),
        json!({"span_id": "00000000000000b2", "model": "gpt-4o", "team": "ads",
               "started_at": "2026-11-24T11:00:00Z", "duration_ms": 300.0,
               "input_tokens": 500, "output_tokens": 50, "cost": "0.1",
               "currency": "USD", "price_state": "priced"}),
        json!({"span_id": "00000000000000b3", "model": "local", "started_at": "2026-11-25T10:00:00Z",
               "date": "2026-11-25", "duration_ms": 50.0, "input_tokens": 350,
               "price_state": "unpriced", "status_code": "error"}),
        json!({"tenant": "other", "span_id": "00000000000000b4", "model": "gpt-4o",
               "started_at": "2026-11-24T10:00:00Z", "duration_ms": 9.0, "input_tokens": 999_999,
               "cost": "1000", "currency": "USD", "price_state": "priced"}),
    ]
}

/// Rows of a table; what a row does not name is null, or plain where the table wants a value.
pub fn batch(table: &'static Table, rows: &[Value]) -> RecordBatch {
    let mut text = Vec::new();
    for row in rows {
        let mut full = Map::new();
        for column in table.columns.iter().filter(|c| !c.nullable) {
            let plain = match (column.name, column.kind) {
                ("tenant", _) => json!("default"),
                ("date", _) => json!("2026-11-24"),
                ("trace_id", _) => json!("5b8efff798038103d269b633813fc60c"),
                ("kind", _) => json!("client"),
                (_, Kind::Bool) => json!(false),
                ("status_code", _) => json!("ok"),
                ("span_role", _) => json!("call"),
                ("state", _) => json!("settled"),
                ("price_state", _) => json!("unpriced"),
                (_, Kind::Instant) => json!("2026-11-24T00:00:00Z"),
                (_, Kind::TextMap) => json!({}),
                (_, Kind::Int | Kind::Float) => json!(0),
                (_, Kind::Decimal) => json!("0"),
                (_, Kind::Text) => json!(""),
                (name, kind) => panic!("{name}: a plain {kind:?} is not known"),
            };
            full.insert(column.name.to_owned(), plain);
        }
        let row = row.as_object().unwrap();
        assert!(row.keys().all(|name| table.column(name).is_some()), "a column of {row:?}");
        full.extend(row.clone());
        serde_json::to_writer(&mut text, &full).unwrap();
    }
    let mut decoder = ReaderBuilder::new(table.arrow_schema())
        .with_batch_size(rows.len().max(1))
        .build_decoder()
        .unwrap();
    assert_eq!(decoder.decode(&text).unwrap(), text.len());
    decoder.flush().unwrap().unwrap_or_else(|| RecordBatch::new_empty(table.arrow_schema()))
}
