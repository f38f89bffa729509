//! The doors: listeners, what answers behind each, and their addresses for scripts. The OTLP doors
//! are shut by the collector itself, which drains behind them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::http;
use super::parts::Parts;
use crate::settings::{Addr, Settings};

/// File below the data folder that names the open doors.
const ADDRESSES_FILE: &str = "addresses.json";

/// The open doors by name: `otlp-grpc`, `otlp-http`, `http`, `pg`.
#[derive(Debug, Clone, Default)]
pub struct Addresses(BTreeMap<&'static str, SocketAddr>);

impl Addresses {
    /// Every open door.
    pub fn open(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        self.0.iter().map(|(name, address)| (*name, *address))
    }

    /// The door of that name, when it is open.
    pub fn get(&self, name: &str) -> Option<SocketAddr> {
        self.0.get(name).copied()
    }

    /// Writes `addresses.json` whole or not at all.
    pub fn write(&self, data_dir: &Path) -> anyhow::Result<()> {
        let path = data_dir.join(ADDRESSES_FILE);
        let text: BTreeMap<_, _> = self.open().map(|(n, a)| (n, a.to_string())).collect();
        let draft = path.with_extension("json.new");
        std::fs::write(&draft, serde_json::to_vec_pretty(&text)?)
            .and_then(|()| std::fs::rename(&draft, &path))
            .with_context(|| format!("writing `{}`", path.display()))
    }

    /// Takes the file away when the doors are shut; that it is gone already is no error.
    pub fn remove(data_dir: &Path) {
        let _ = std::fs::remove_file(data_dir.join(ADDRESSES_FILE));
    }
}

/// The running doors.
pub struct Doors {
    pub addresses: Addresses,
    tasks: JoinSet<()>,
}

impl Doors {
    /// Binds every door that is not `off` and serves it until `stop`.
    pub async fn open(
        settings: &Settings,
        parts: &Parts,
        metrics: PrometheusHandle,
        stop: &CancellationToken,
    ) -> anyhow::Result<Doors> {
        let mut doors = Doors { addresses: Addresses::default(), tasks: JoinSet::new() };
        if let Some(collector) = &parts.collector {
            if let Some(listener) = doors.bind("otlp-grpc", settings.otlp_grpc_addr).await? {
                collector.serve_grpc(listener);
            }
            if let Some(listener) = doors.bind("otlp-http", settings.otlp_http_addr).await? {
                collector.serve_http(listener);
            }
        }
        if let Some(listener) = doors.bind("http", settings.http_addr).await? {
            let app = http::router(parts, metrics);
            let stop = stop.clone().cancelled_owned();
            doors.serve("http", async move {
                axum::serve(listener, app).with_graceful_shutdown(stop).await
            });
        }
        if let Some(query) = &parts.query
            && let Some(listener) = doors.bind("pg", settings.pg_addr).await?
        {
            let (query, stop) = (query.clone(), stop.clone());
            doors.serve("pg", async move { query.serve_pg(listener, stop).await });
        }
        Ok(doors)
    }

    async fn bind(
        &mut self,
        name: &'static str,
        addr: Addr,
    ) -> anyhow::Result<Option<TcpListener>> {
        let Addr::At(addr) = addr else { return Ok(None) };
        let listener = TcpListener::bind(addr).await.with_context(|| {
            format!(
                "opening the door `{name}` at {addr}; choose another with --{name}-addr, or `off`"
            )
        })?;
        self.addresses.0.insert(name, listener.local_addr()?);
        Ok(Some(listener))
    }

    fn serve<E: std::fmt::Display + Send + 'static>(
        &mut self,
        name: &'static str,
        door: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        self.tasks.spawn(async move {
            if let Err(error) = door.await {
                tracing::error!(door = name, %error, "door failed");
            }
        });
    }

    /// Waits until open requests are answered, at most `max`; then cuts them.
    pub async fn close(mut self, max: Duration) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(max, all).await.is_err() {
            tracing::warn!(seconds = max.as_secs(), "connections were cut after the drain time");
            self.tasks.shutdown().await;
        }
    }
}
