//! `demo`: serves, feeds itself the bundled data, and prints three answers, how to connect, and
//! what to try next.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use spanledger_collector::scrape::Target;
use tokio::runtime::Handle;

use super::exposition::Exposition;
use super::{Addresses, Fed, feed, limits, progress, words};
use crate::args::{self, DemoFlags};
use crate::client::http::send;
use crate::client::out;
use crate::client::table::Answer;
use crate::serve::{self, Runtimes, Server};
use crate::settings::{HumanDuration, Settings};
use crate::telemetry;

/// Runs the demo: until SIGTERM or SIGINT, or with `--exit` until the answers are printed.
///
/// # Errors
/// When the server cannot start, the data is not taken whole, or an answer does not come.
pub fn main(flags: &DemoFlags) -> anyhow::Result<()> {
    let effective = serve::load(&flags.serve)?;
    if flags.serve.print_config {
        return serve::print(&effective);
    }
    let mut settings = effective.settings;
    // Held until the end: the folder goes when the demo ends.
    let temporary = match effective.origins.contains_key("data_dir") {
        true => None,
        false => Some(tempfile::tempdir().context("making a temporary folder")?),
    };
    if let Some(folder) = &temporary {
        settings.data_dir = folder.path().into();
    }
    if !effective.origins.contains_key("telemetry.log") {
        settings.telemetry.log = "warn".into();
    }
    if !effective.origins.contains_key("settle.quiet") {
        settings.settle.quiet = HumanDuration::from_secs(1);
    }
    Runtimes::start()?.block_on(async |jobs| run(settings, flags.exit, &jobs).await)
}

async fn run(mut settings: Settings, exit: bool, jobs: &Handle) -> anyhow::Result<()> {
    let telemetry = telemetry::start(&settings.telemetry)?;
    let exposition = Exposition::start().await?;
    settings.scrape.targets.extend(exposition.targets().into_iter().map(|url| Target {
        job: "demo".into(),
        interval: limits::SCRAPE_INTERVAL,
        ..Target::new(&url)
    }));
    let server = Server::start(settings, telemetry.metrics.clone(), jobs).await?;
    server.announce()?;
    let shown = tell(&server, &exposition);
    let stopped = tokio::select! {
        shown = shown => shown.map(|()| false),
        signal = serve::stop_signal() => signal.map(|()| true),
    };
    if let Ok(false) = stopped
        && !exit
    {
        serve::stop_signal().await?;
    }
    server.stop().await?;
    telemetry.stop();
    stopped.map(|_| ())
}

/// Loads, waits until all is settled, and prints.
async fn tell(server: &Server, exposition: &Exposition) -> anyhow::Result<()> {
    let door =
        |name| server.addresses().get(name).with_context(|| format!("the demo needs `{name}`"));
    let addresses = Addresses { otlp_grpc: door("otlp-grpc")?, http: door("http")? };
    let mut out = out::stdout();
    let err = std::io::stderr();
    let terminal = err.is_terminal();
    writeln!(out, "\n{}", words::WHAT_IT_IS)?;
    let fed = feed(&addresses, exposition, progress::show(err, terminal)).await?;
    if fed.earlier {
        writeln!(out, "{}", words::LOADED_EARLIER)?;
    } else {
        writeln!(
            out,
            "Loaded {} spans, {} metric points, {} log records and {} bill lines in {:.1} s.",
            fed.spans,
            fed.metric_points,
            fed.log_records,
            fed.billing_lines,
            fed.took.as_secs_f64()
        )?;
    }
    let url = format!("http://{}", addresses.http);
    settled(&url, &fed).await?;
    for (title, question, query) in questions(&fed)? {
        let answer = ask(&url, question, &query).await?;
        writeln!(out, "\n{title}\n{}", answer.render())?;
    }
    writeln!(out, "{}", words::READ_WITH_CARE)?;
    writeln!(out, "Connect:")?;
    writeln!(out, "  HTTP API      {url}")?;
    writeln!(out, "  OTLP/gRPC     http://{}", addresses.otlp_grpc)?;
    if let Some(otlp_http) = server.addresses().get("otlp-http") {
        writeln!(out, "  OTLP/HTTP     http://{otlp_http}")?;
    }
    if let Some(pg) = server.addresses().get("pg") {
        let (host, port) = (pg.ip(), pg.port());
        let line = format!("psql \"host={host} port={port} user=spanledger dbname=spanledger\"");
        writeln!(out, "  PostgreSQL    {line}")?;
    }
    writeln!(out, "\n{}", words::THREE_MORE)?;
    Ok(())
}

/// A question to ask: its title, its name, and its parameters.
type Asked = (&'static str, &'static str, Vec<(&'static str, String)>);

/// The three questions over the demo's last five days; drift compares its two halves.
fn questions(fed: &Fed) -> anyhow::Result<[Asked; 3]> {
    let at = |unix_ns: i64| -> anyhow::Result<String> {
        Ok(jiff::Timestamp::from_nanosecond(unix_ns.into())?.to_string())
    };
    let (start, middle, end) =
        (at(fed.start_unix_ns())?, at(fed.middle_unix_ns())?, at(fed.end_unix_ns)?);
    let whole = || vec![("by", "model".to_owned()), ("from", start.clone()), ("to", end.clone())];
    Ok([
        ("Spend per model", "spend", whole()),
        ("Latency per model", "latency", whole()),
        (
            "Drift per model: the second half of the days against the first",
            "drift",
            vec![("by", "model".to_owned()), ("from", middle), ("to", end.clone())],
        ),
    ])
}

async fn ask(url: &str, question: &str, query: &[(&str, String)]) -> anyhow::Result<Answer> {
    let request =
        reqwest::Client::new().get(format!("{url}/api/v1/questions/{question}")).query(query);
    send(request, &args::Server::at(url))
        .await?
        .json()
        .await
        .with_context(|| format!("reading the answer of `{question}`"))
}

/// Waits until every call of the demo is in `calls`.
async fn settled(url: &str, fed: &Fed) -> anyhow::Result<()> {
    if fed.earlier {
        return Ok(());
    }
    let begun = Instant::now();
    let sql = serde_json::json!({ "query": "SELECT count(*) FROM calls" });
    loop {
        let request = reqwest::Client::new().post(format!("{url}/api/v1/sql")).json(&sql);
        let answer: Answer = send(request, &args::Server::at(url)).await?.json().await?;
        let calls = answer.rows.first().and_then(|row| row.first()?.as_u64()).unwrap_or(0);
        if calls >= fed.calls {
            return Ok(());
        }
        if begun.elapsed() > limits::SETTLE_TIMEOUT {
            bail!("only {calls} of {} calls were settled in {:?}", fed.calls, begun.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
