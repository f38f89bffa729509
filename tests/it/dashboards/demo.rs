//! A running `spanledger demo` on a temporary folder and free ports, loaded and settled.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio_postgres::{Client, NoTls};

/// Calls of the demo: 1,190 of agents, 2,069 of Claude Code, 3,000 to vLLM, and 5,100 of a code
/// completion service that only log events tell of (`demo/README.md`).
const CALLS: i64 = 11_359;

/// How long loading and settling may take in a debug build on a busy machine.
const LOADED_WITHIN: Duration = Duration::from_secs(180);

/// The process; it is killed when this is dropped.
pub(super) struct Demo {
    process: Child,
    addresses: BTreeMap<String, String>,
    folder: tempfile::TempDir,
}

impl Demo {
    /// Starts it and waits until all of its calls are settled.
    pub(super) async fn start() -> Demo {
        let folder = tempfile::tempdir().unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_spanledger"))
            .args(["demo", "--data-dir"])
            .arg(folder.path())
            .args(["--otlp-grpc-addr", "127.0.0.1:0", "--otlp-http-addr", "127.0.0.1:0"])
            .args(["--http-addr", "127.0.0.1:0", "--pg-addr", "127.0.0.1:0"])
            .env("SPANLEDGER_SETTLE_QUIET", "2s")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut demo = Demo { process, addresses: BTreeMap::new(), folder };
        let started = Instant::now();
        while let Err(missing) = demo.loaded().await {
            let ended = demo.process.try_wait().unwrap();
            assert!(ended.is_none(), "the demo ended with {ended:?}");
            assert!(started.elapsed() < LOADED_WITHIN, "not loaded in time: {missing}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        demo
    }

    /// A connection to its PostgreSQL door.
    pub(super) async fn connect(&self) -> Client {
        let (host, port) = self.addresses["pg"].split_once(':').unwrap();
        let config = format!("host={host} port={port} user=spanledger dbname=spanledger");
        let (client, connection) = tokio_postgres::connect(&config, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Whether all is there; else what was found instead.
    async fn loaded(&mut self) -> Result<(), String> {
        let text = std::fs::read(self.folder.path().join("addresses.json"));
        let text = text.map_err(|e| format!("no addresses: {e}"))?;
        self.addresses = serde_json::from_slice(&text).unwrap();
        let client = self.connect().await;
        let count = |sql: &'static str| {
            let client = &client;
            async move { client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) }
        };
        let bill = count("SELECT count(*) FROM billing_lines").await;
        let scraped = "SELECT count(*) FROM metric_points WHERE metric_name LIKE 'DCGM%'";
        let (scraped, calls) = (count(scraped).await, count("SELECT count(*) FROM calls").await);
        match bill > 0 && scraped > 0 && calls == CALLS {
            true => Ok(()),
            false => Err(format!("{bill} lines, {scraped} points, {calls} calls of {CALLS}")),
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
