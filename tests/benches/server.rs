//! The server under measurement: started on an empty folder, watched through `/proc` and its
//! own doors.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Clock ticks per second of `/proc/PID/stat` on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running `spanledger serve`.
pub struct Server {
    process: Child,
    addresses: BTreeMap<String, String>,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts it and waits until it is ready.
    pub fn start() -> Server {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_spanledger"))
            .args(["serve", "--data-dir"])
            .arg(folder.path())
            .args(["--otlp-grpc-addr", "127.0.0.1:0", "--otlp-http-addr", "127.0.0.1:0"])
            .args(["--http-addr", "127.0.0.1:0", "--pg-addr", "off"])
            .env("SPANLEDGER_SETTLE_QUIET", "2s")
            .env("SPANLEDGER_TELEMETRY_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let ready = lines.map_while(Result::ok).any(|line| line == "ready");
        assert!(ready, "the server ended before it was ready");
        let text = std::fs::read(folder.path().join("addresses.json")).unwrap();
        let addresses = serde_json::from_slice(&text).unwrap();
        Server { process, addresses, client: reqwest::Client::new(), _folder: folder }
    }

    pub fn http(&self) -> String {
        format!("http://{}", self.addresses["http"])
    }

    pub fn otlp_http(&self) -> String {
        format!("http://{}", self.addresses["otlp-http"])
    }

    /// User and system time so far.
    pub fn cpu_seconds(&self) -> f64 {
        cpu_seconds_of(&self.process.id().to_string())
    }

    /// The largest resident set so far.
    pub fn peak_rss_mib(&self) -> u64 {
        status_mib_of(&self.process.id().to_string(), "VmHWM:")
    }

    /// Rows of a query's answer, and the time until all of it was here.
    pub async fn timed_sql(&self, sql: &str) -> (usize, Duration) {
        let started = Instant::now();
        let answer = self.sql(sql).await;
        (answer["rows"].as_array().unwrap().len(), started.elapsed())
    }

    async fn sql(&self, sql: &str) -> Value {
        let request = self.client.post(format!("{}/api/v1/sql", self.http()));
        let response = request.json(&serde_json::json!({ "query": sql })).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{sql}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn number(&self, sql: &str) -> u64 {
        self.sql(sql).await["rows"][0][0].as_u64().unwrap()
    }

    /// Time until all of an answer was here; or the refusal.
    pub async fn timed_get(&self, url: &str) -> Result<Duration, String> {
        let started = Instant::now();
        let response = self.client.get(url).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        if status.is_success() { Ok(started.elapsed()) } else { Err(format!("{status} {text}")) }
    }

    /// Waits until `calls` has that many rows. They are counted when the counter says that they are
    /// there, because counting them again and again would be a load of its own.
    pub async fn wait_for_calls(&self, rows: usize, max: Duration) {
        let started = Instant::now();
        while self.metric("spanledger_settled_calls_total").await < rows as f64
            || self.number("select count(*) from calls").await < rows as u64
        {
            assert!(started.elapsed() < max, "calls were not settled in {max:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until the number of active files no longer shrinks.
    pub async fn wait_for_compaction(&self, max: Duration) {
        let started = Instant::now();
        let mut files = f64::INFINITY;
        loop {
            tokio::time::sleep(Duration::from_secs(25)).await;
            let now = self.metric("spanledger_table_files").await;
            if now >= files || started.elapsed() > max {
                return;
            }
            files = now;
        }
    }

    /// Stored bytes of the active files of a table per row.
    pub async fn bytes_per_row(&self, table: &str) -> f64 {
        let rows = self.number(&format!("select count(*) from {table}")).await;
        self.metric(&format!("spanledger_table_bytes{{table=\"{table}\"}}")).await / rows as f64
    }

    /// Sum of the samples of `/metrics` whose name starts so.
    async fn metric(&self, prefix: &str) -> f64 {
        let response = self.client.get(format!("{}/metrics", self.http())).send().await.unwrap();
        let text = response.text().await.unwrap();
        let samples: Vec<f64> = text
            .lines()
            .filter(|line| line.starts_with(prefix))
            .filter_map(|line| line.rsplit_once(' ')?.1.parse().ok())
            .collect();
        assert!(!samples.is_empty(), "no `{prefix}` in /metrics");
        samples.iter().sum()
    }
}

/// User and system time of a process so far; `self` for this one.
pub fn cpu_seconds_of(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // Fields 14 and 15 of proc(5); the name in field 2 may hold spaces, so count after it.
    let (_, after_name) = stat.rsplit_once(") ").unwrap();
    let ticks = after_name.split(' ').skip(11).take(2).map(|t| t.parse::<f64>().unwrap());
    ticks.sum::<f64>() / TICKS_PER_SECOND
}

/// A size in the status of a process, in mebibytes.
pub fn status_mib_of(process: &str, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix(field)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
