//! A small HTTP server on a free local port that shows the two exposition texts, so that the
//! process' own Prometheus scraper has something real to scrape. It counts how often each was
//! read; it does not scrape.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::http::header;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{DemoError, limits, sources};

const PATHS: [&str; 2] = ["/dcgm/metrics", "/vllm/metrics"];
const TEXTS: [&str; 2] = [sources::DCGM_EXPOSITION, sources::VLLM_EXPOSITION];

/// The running server; it stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Exposition {
    address: SocketAddr,
    served: watch::Receiver<[u64; 2]>,
    server: JoinHandle<()>,
}

impl Exposition {
    /// Starts the server. Call it before the process' settings are final: [`Exposition::targets`]
    /// go into them.
    ///
    /// # Errors
    /// When no local port can be bound.
    pub(crate) async fn start() -> Result<Exposition, DemoError> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(DemoError::Bind)?;
        let address = listener.local_addr().map_err(DemoError::Bind)?;
        let (count, served) = watch::channel([0; 2]);
        let mut router = Router::new();
        for (i, path) in PATHS.into_iter().enumerate() {
            let count = count.clone();
            let show = async move || {
                count.send_modify(|served| served[i] += 1);
                ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], TEXTS[i])
            };
            router = router.route(path, get(show));
        }
        let server = tokio::spawn(async move {
            // `serve` ends with the task only; it answers accept errors by itself.
            if let Err(error) = axum::serve(listener, router).await {
                tracing::warn!(%error, "the demo's exposition endpoint stopped");
            }
        });
        Ok(Exposition { address, served, server })
    }

    /// The URLs to scrape: a DCGM exporter and a vLLM server.
    pub(crate) fn targets(&self) -> Vec<String> {
        PATHS.iter().map(|path| format!("http://{}{path}", self.address)).collect()
    }

    /// Waits until each target was scraped once.
    pub(super) async fn scraped(&self) -> Result<(), DemoError> {
        let mut served = self.served.clone();
        let all = served.wait_for(|served| served.iter().all(|n| *n > 0));
        match timeout(limits::SCRAPE_TIMEOUT, all).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(DemoError::NotScraped { targets: self.targets().join(" and ") }),
        }
    }
}

impl Drop for Exposition {
    fn drop(&mut self) {
        self.server.abort();
    }
}
