//! The demo: real public data, carried inside the binary, sent through the process' own doors –
//! OTLP/gRPC, Prometheus scraping and the billing import – as any client would. It owns the data,
//! its placement on the wall clock and the sending; it does not start the process, and it asks no
//! questions of it. Where the data comes from and what is added: `demo/README.md`.
//!
//! Rows become sessions, series and events (one file per set), these become OTLP requests
//! (`otlp`), and those are sent (`send`).

mod agent_spans;
mod api;
mod azure_code;
mod claude_code;
mod command;
mod exposition;
mod limits;
mod otlp;
mod progress;
mod send;
mod sessions;
mod sources;
mod vllm;
mod words;

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use command::main;
use exposition::Exposition;
use progress::Progress;

use api::Api;
use send::Sender;

/// The doors the demo goes through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    /// OTLP/gRPC.
    pub(crate) otlp_grpc: SocketAddr,
    /// HTTP API.
    pub(crate) http: SocketAddr,
}

/// What was loaded. All of it was acknowledged, so it is durable (I-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fed {
    /// The instant that the data ends at, nanoseconds since the epoch.
    pub(crate) end_unix_ns: i64,
    /// Whether an earlier run had loaded this store, so that nothing was sent now.
    pub(crate) earlier: bool,
    /// Spans, 40 roots of sessions among them.
    pub(crate) spans: u64,
    /// Model calls among the spans and log events.
    pub(crate) calls: u64,
    /// Metric points sent by OTLP; what the scraper finds comes on top.
    pub(crate) metric_points: u64,
    /// Log records.
    pub(crate) log_records: u64,
    /// Lines of the bill.
    pub(crate) billing_lines: u64,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Fed {
    /// Start of the last five days of the data: the window in which every set has rows, and whose
    /// halves are worth comparing.
    pub(crate) fn start_unix_ns(&self) -> i64 {
        self.end_unix_ns - 5 * 86_400_000_000_000
    }

    /// The middle of that window: reference before it, current from it.
    pub(crate) fn middle_unix_ns(&self) -> i64 {
        self.end_unix_ns - 5 * 43_200_000_000_000
    }
}

/// Why the demo could not be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// The data inside the binary does not parse.
    #[error("read `{file}` of the demo's data: {source}")]
    Data {
        /// File below `demo`.
        file: &'static str,
        /// What is wrong with it.
        source: csv::Error,
    },
    /// A span id of the data is none.
    #[error("read the demo's data: {0}")]
    Id(#[from] spanledger_schemas::ids::IdError),
    /// A time of the data is none.
    #[error("read the demo's data: {0}")]
    Time(jiff::Error),
    /// No local port for the exposition.
    #[error("open a local port for the demo's exposition: {0}")]
    Bind(std::io::Error),
    /// The collector does not answer.
    #[error("connect to OTLP/gRPC at {address}: {source}")]
    Connect {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: tonic::transport::Error,
    },
    /// The collector refused a request, or kept answering that it is busy.
    #[error("send {what} to OTLP/gRPC at {address}: {status}")]
    Refused {
        /// Kind of items.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// Its answer.
        status: Box<tonic::Status>,
    },
    /// The collector took a request but not all of its items.
    #[error("{rejected} {what} of the demo were rejected: {reason}")]
    Rejected {
        /// Kind of items.
        what: &'static str,
        /// How many.
        rejected: i64,
        /// What the collector says.
        reason: String,
    },
    /// The HTTP API could not be reached.
    #[error("{doing}: {source}")]
    Http {
        /// What was attempted.
        doing: &'static str,
        /// Why it failed.
        source: reqwest::Error,
    },
    /// The HTTP API answered with an error.
    #[error("{doing}: the server answered {status}: {body}")]
    Answered {
        /// What was attempted.
        doing: &'static str,
        /// HTTP status.
        status: u16,
        /// Body of the answer.
        body: String,
    },
    /// The scraper did not come.
    #[error("nobody scraped {targets} within {} s", limits::SCRAPE_TIMEOUT.as_secs())]
    NotScraped {
        /// The URLs.
        targets: String,
    },
}

/// Loads the demo through `addresses` and tells `progress` after every acknowledged request.
/// `exposition` must be among the scraper's targets. A store that already holds the demo is left
/// as it is: its rows would come a second time under new instants.
///
/// # Errors
/// At the first thing that is not taken whole; what was sent before stays in the store.
pub(crate) async fn feed(
    addresses: &Addresses,
    exposition: &Exposition,
    mut progress: impl FnMut(Progress),
) -> Result<Fed, DemoError> {
    let begun = Instant::now();
    let api = Api::new(addresses.http)?;
    if let Some(end_unix_ns) = api.loaded_until().await? {
        return Ok(Fed {
            end_unix_ns,
            earlier: true,
            spans: 0,
            calls: 0,
            metric_points: 0,
            log_records: 0,
            billing_lines: 0,
            took: begun.elapsed(),
        });
    }
    let end_unix_ns = now_unix_ns();
    let sender = Sender::connect(addresses.otlp_grpc).await?;
    let (spans, calls) = send_spans(&sender, end_unix_ns, &mut progress).await?;
    let metric_points = send_metrics(&sender, end_unix_ns, &mut progress).await?;
    let log_records = send_logs(&sender, end_unix_ns, &mut progress).await?;

    let (bill, billing_lines) = sources::focus_sample()?;
    api.import_bill(bill).await?;
    let step = "lines of a cloud bill (FOCUS)";
    progress(Progress { step, done: billing_lines, total: billing_lines });

    exposition.scraped().await?;
    progress(Progress { step: "exporters scraped (DCGM, vLLM)", done: 2, total: 2 });

    let took = begun.elapsed();
    let earlier = false;
    // Each log event of the code completion service tells of a call as well.
    let calls = calls + log_records;
    Ok(Fed { end_unix_ns, earlier, spans, calls, metric_points, log_records, billing_lines, took })
}

/// Sends the three sets that are model calls; returns spans and calls sent.
async fn send_spans(
    sender: &Sender,
    end_unix_ns: i64,
    progress: &mut impl FnMut(Progress),
) -> Result<(u64, u64), DemoError> {
    let sets = [
        ("spans of agents on SWE-bench", agent_spans::SERVICE, agent_spans::sessions(end_unix_ns)?),
        ("spans of Claude Code", claude_code::SERVICE, claude_code::sessions(end_unix_ns)?),
        ("spans of a vLLM load test", vllm::SERVICE, vllm::sessions(end_unix_ns)?),
    ];
    let (mut spans, mut calls) = (0, 0);
    for (step, service, sessions) in sets {
        let calls_here: u64 = sessions.iter().map(|s| s.calls.len() as u64).sum();
        let total = calls_here + sessions.len() as u64;
        let mut done = 0;
        for request in otlp::traces(service, &sessions) {
            done += otlp::span_count(&request);
            sender.traces(request).await?;
            progress(Progress { step, done, total });
        }
        spans += done;
        calls += calls_here;
    }
    Ok((spans, calls))
}

/// Sends the load test's GPU and engine samples; returns the points sent.
async fn send_metrics(
    sender: &Sender,
    end_unix_ns: i64,
    progress: &mut impl FnMut(Progress),
) -> Result<u64, DemoError> {
    let step = "points of its GPU and engine";
    let series = vllm::series(end_unix_ns)?;
    let total = series.iter().map(|s| s.points.len() as u64).sum();
    let mut done = 0;
    for one in &series {
        for request in otlp::metrics(vllm::SERVICE, one) {
            sender.metrics(request).await?;
        }
        done += one.points.len() as u64;
        progress(Progress { step, done, total });
    }
    Ok(done)
}

/// Sends the events of the code completion service; returns the log records sent.
async fn send_logs(
    sender: &Sender,
    end_unix_ns: i64,
    progress: &mut impl FnMut(Progress),
) -> Result<u64, DemoError> {
    let step = "log events of a code completion service";
    let events = azure_code::events(end_unix_ns)?;
    for request in otlp::logs(azure_code::SERVICE, &events, end_unix_ns) {
        sender.logs(request).await?;
    }
    let total = events.len() as u64;
    progress(Progress { step, done: total, total });
    Ok(total)
}

fn now_unix_ns() -> i64 {
    // A clock before 1970 or after 2262 places the data at the epoch, which is visibly wrong.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or_default()
}
