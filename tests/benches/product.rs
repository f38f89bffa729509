//! Measures the running binary from outside: what a user's load costs and how long a user waits.
//!
//! Starts `spanledger serve` on an empty folder and sends OTLP/HTTP requests of 512 spans with 20
//! GenAI attributes each (about 800 bytes a span) over kept-alive connections; prints one line a
//! figure. First as fast as they are acknowledged: spans/s. Then, on a new folder, at a steady
//! rate: CPU-seconds of the server per million spans (all in: receive, log, commit, settle,
//! compact), peak memory, bytes on disk per row, time from a request to its acknowledgement and from
//! there to visible, and the questions' times. The sender's own CPU is left out.
//!
//! `cargo bench --bench product -- [--spans N] [--connections N] [--rate SPANS_PER_SECOND] [--steady]`
//!
//! With `--steady` the first part is left out.
//!
//! With `--settle` it measures settle alone instead, in this process (see `settle`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers of tests fail the test, and say why"
)]

mod load;
mod server;
mod settle;

use std::time::{Duration, Instant};

use crate::load::Template;
use crate::server::Server;

/// The product's own, for the measures taken in this process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Spans a second of the steady load: the mark for two cores.
const RATE: usize = 60_000;
/// Spans of one request.
const BATCH: usize = 512;
/// Runs of each question; the first warms up and is not counted.
const RUNS: usize = 11;
/// Samples of the time from acknowledgement to visible.
const VISIBLE_SAMPLES: usize = 60;

fn main() {
    let options = Options::from_args();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        match options.settle {
            true => settle::run(options.spans).await,
            false => run(&options).await,
        }
    });
}

struct Options {
    spans: usize,
    connections: usize,
    rate: usize,
    steady: bool,
    settle: bool,
}

impl Options {
    fn from_args() -> Self {
        let args: Vec<String> = std::env::args().collect();
        let value = |flag: &str, default: usize| {
            let at = args.iter().position(|a| a == flag);
            at.and_then(|i| args.get(i + 1)?.parse().ok()).unwrap_or(default)
        };
        Options {
            spans: value("--spans", 1_000_000),
            connections: value("--connections", 8),
            rate: value("--rate", RATE),
            steady: args.iter().any(|a| a == "--steady"),
            settle: args.iter().any(|a| a == "--settle"),
        }
    }
}

async fn run(options: &Options) {
    let template = Template::new(BATCH);
    println!("bytes per span on the wire: {}", template.bytes_per_span());
    let requests = options.spans.div_ceil(BATCH);
    if !options.steady {
        println!("== as fast as acknowledged");
        burst(options, &template, requests).await;
    }
    println!("== {} spans/s", options.rate);
    steady(options, &template, requests).await;
}

async fn burst(options: &Options, template: &Template, requests: usize) {
    let server = Server::start();
    let started = Instant::now();
    load::send(&server, template, requests, options.connections, None).await;
    let seconds = started.elapsed().as_secs_f64();
    println!("acknowledged spans/s: {:.0}", (requests * BATCH) as f64 / seconds);
    println!("peak RSS: {} MiB", server.peak_rss_mib());
}

async fn steady(options: &Options, template: &Template, requests: usize) {
    let server = Server::start();
    let cpu_before = server.cpu_seconds();
    let started = Instant::now();
    let rate = options.rate as f64 / BATCH as f64;
    let mut replies =
        load::send(&server, template, requests, options.connections, Some(rate)).await;
    let seconds = started.elapsed().as_secs_f64();
    let spans = (requests * BATCH) as f64;
    println!("acknowledged spans/s: {:.0}", spans / seconds);
    print_times("request to acknowledgement", &mut replies);
    println!(
        "CPU-s per million spans until the last ack: {:.2}",
        per_million(&server, cpu_before, spans)
    );
    println!("peak RSS under load: {} MiB", server.peak_rss_mib());

    server.wait_for_calls(requests * BATCH, Duration::from_secs(600)).await;
    println!("all calls settled after: {:.1} s", started.elapsed().as_secs_f64());
    server.wait_for_compaction(Duration::from_secs(600)).await;
    println!("CPU-s per million spans, all in: {:.2}", per_million(&server, cpu_before, spans));
    println!("peak RSS, all in: {} MiB", server.peak_rss_mib());
    for table in ["spans", "calls"] {
        println!("bytes per row of `{table}` on disk: {:.1}", server.bytes_per_row(table).await);
    }

    let mut visible = load::visible(&server, template, VISIBLE_SAMPLES).await;
    print_times("ack to visible", &mut visible);
    let mut times = Vec::new();
    for i in 0..RUNS {
        let trace = load::trace_id(i * 7 % requests, 3);
        let sql = format!("select * from spans where trace_id = '{trace}'");
        let (rows, time) = server.timed_sql(&sql).await;
        assert_eq!(rows, load::SPANS_PER_TRACE, "trace {trace}");
        times.push(time);
    }
    print_times("one trace by id", &mut times[1..]);
    for question in ["spend?by=model", "latency?by=model", "drift?by=model"] {
        ask(&server, question).await;
    }
}

/// Prints how long a question takes, or why it was not answered: the others are asked all the same.
async fn ask(server: &Server, question: &str) {
    let url = format!(
        "{}/api/v1/questions/{question}&from={}&to={}",
        server.http(),
        load::FROM,
        load::TO
    );
    let mut times = Vec::new();
    for _ in 0..RUNS {
        match server.timed_get(&url).await {
            Ok(time) => times.push(time),
            Err(refused) => return println!("question {question}: NOT ANSWERED: {refused}"),
        }
    }
    print_times(&format!("question {question}"), &mut times[1..]);
}

fn per_million(server: &Server, cpu_before: f64, spans: f64) -> f64 {
    (server.cpu_seconds() - cpu_before) / spans * 1e6
}

fn print_times(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |q: f64| times[((times.len() - 1) as f64 * q).round() as usize].as_secs_f64() * 1e3;
    println!("{what}: p50 {:.1} ms, p99 {:.1} ms, {} runs", at(0.5), at(0.99), times.len());
}
