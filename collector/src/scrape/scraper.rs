//! Scrapes targets, each on its own clock. Takes checked targets and a way to submit, gives one
//! OTLP request per scrape to it: what was exposed, and how the scrape went (`up`,
//! `scrape_duration_seconds`, `scrape_samples_scraped`, as Prometheus has them). Whether the
//! request becomes durable is the matter of who takes it; a scrape is not repeated, the next one
//! comes anyway.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use prost::Message;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use xxhash_rust::xxh3::xxh3_64;

use super::blank::drop_blanks;
use super::exposition::{self, Family, Grammar, Kind, Sample, Value};
use super::limits::{BODY_BYTES_MAX, SCRAPES_AT_ONCE};
use super::otlp::{self, Origin};
use super::target::{Checked, ScrapeSettings, TargetError, check};

/// What exporters are asked for, best first.
const ACCEPTED: &str = "application/openmetrics-text;version=1.0.0;q=0.8,\
                        text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// First scrapes are spread over this, so that many targets do not answer at once.
const SPREAD: Duration = Duration::from_secs(1);

/// Redirects followed; the token goes to the first host only.
const REDIRECTS_MAX: usize = 5;

/// Scrapes a fixed list of targets.
#[derive(Debug, Clone)]
pub struct Scraper {
    targets: Vec<Checked>,
    client: reqwest::Client,
}

/// Why the scraper cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A target is wrong.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The HTTP client could not be set up (TLS roots).
    #[error("setting up the scraper's HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

impl Scraper {
    /// Checks the settings.
    ///
    /// # Errors
    /// The first target that is wrong.
    pub fn new(settings: ScrapeSettings) -> Result<Scraper, StartError> {
        let targets = check(settings.targets)?;
        let client = reqwest::Client::builder()
            .user_agent(concat!("spanledger/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::limited(REDIRECTS_MAX))
            .build()?;
        Ok(Scraper { targets, client })
    }

    /// Scrapes until `shutdown` is done. `submit` takes a protobuf `ExportMetricsServiceRequest`.
    /// A target that fails stops no other; its failure is logged when it starts and when it ends.
    pub async fn run<Submit, Submitted, E>(self, submit: Submit, shutdown: impl Future<Output = ()>)
    where
        Submit: Fn(Bytes) -> Submitted + Clone + Send + Sync + 'static,
        Submitted: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        let seats = Arc::new(Semaphore::new(SCRAPES_AT_ONCE));
        let mut tasks = JoinSet::new();
        for target in self.targets {
            let scraping =
                keep_scraping(target, self.client.clone(), submit.clone(), seats.clone());
            tasks.spawn(scraping);
        }
        shutdown.await;
        tasks.shutdown().await;
    }
}

async fn keep_scraping<Submit, Submitted, E>(
    target: Checked,
    client: reqwest::Client,
    submit: Submit,
    seats: Arc<Semaphore>,
) where
    Submit: Fn(Bytes) -> Submitted,
    Submitted: Future<Output = Result<(), E>>,
    E: Display,
{
    let delay_ms = xxh3_64(target.url.as_str().as_bytes()) % (SPREAD.as_millis() as u64);
    tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    let mut clock = tokio::time::interval(target.target.interval);
    clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
    // Nothing was said yet: the first outcome is news if it is bad.
    let (mut scraped, mut submitted) = (true, true);
    loop {
        clock.tick().await;
        // The semaphore is never closed.
        let Ok(_seat) = seats.acquire().await else { return };
        let (request, outcome) = scrape(&target, &client).await;
        let (url, job) = (target.url.as_str(), target.target.job.as_str());
        match &outcome {
            Err(error) if scraped => tracing::warn!(url, job, %error, "scrape fails"),
            Ok(_) if !scraped => tracing::info!(url, job, "scrape works again"),
            _ => {}
        }
        scraped = outcome.is_ok();
        count(&outcome);
        match submit(Bytes::from(request.encode_to_vec())).await {
            Err(error) if submitted => {
                tracing::warn!(url, job, %error, "a scrape was not taken and is lost");
                submitted = false;
            }
            Err(_) => {}
            Ok(()) => submitted = true,
        }
    }
}

fn count(outcome: &Result<Page, ScrapeError>) {
    match outcome {
        Ok(page) => {
            metrics::counter!("spanledger_scrapes_total", "outcome" => "ok").increment(1);
            metrics::counter!("spanledger_scrape_blank_samples_total")
                .increment(page.blanks as u64);
        }
        Err(_) => {
            metrics::counter!("spanledger_scrapes_total", "outcome" => "failed").increment(1);
        }
    }
}

/// One scrape: its request, whatever came of it, and what came of it.
#[tracing::instrument(
    level = "debug",
    skip_all,
    fields(otel.kind = "client", job = target.target.job)
)]
pub(super) async fn scrape(
    target: &Checked,
    client: &reqwest::Client,
) -> (ExportMetricsServiceRequest, Result<Page, ScrapeError>) {
    let at = Timestamp::now();
    let started = Instant::now();
    let mut outcome = get(target, client).await;
    let seconds = started.elapsed().as_secs_f64();
    let mut families = match &mut outcome {
        Ok(page) => std::mem::take(&mut page.families),
        Err(_) => Vec::new(),
    };
    let samples = outcome.as_ref().map_or(0, |page| page.samples);
    families.extend([
        synthetic("up", "whether the last scrape worked", Value::Int(outcome.is_ok().into())),
        synthetic("scrape_duration_seconds", "time the scrape took", Value::Float(seconds)),
        synthetic(
            "scrape_samples_scraped",
            "samples the target exposed",
            Value::Int(i64::try_from(samples).unwrap_or(i64::MAX)),
        ),
    ]);
    (otlp::request(families, &origin(target, at)), outcome)
}

fn origin(target: &Checked, at: Timestamp) -> Origin {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let labels = target.target.labels.iter();
    Origin {
        resource: vec![
            pair("service.name", &target.target.job),
            pair("job", &target.target.job),
            pair("instance", &target.instance),
        ],
        labels: labels.map(|(name, value)| pair(name, value)).collect(),
        // Holds until the year 2262.
        at_unix_ns: i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX),
    }
}

fn synthetic(name: &str, help: &str, value: Value) -> Family {
    let (labels, at_unix_ns, exemplar) = (Vec::new(), None, None);
    let sample = Sample { name: name.to_owned(), labels, value, at_unix_ns, exemplar };
    Family {
        name: name.to_owned(),
        kind: Kind::Gauge,
        help: help.to_owned(),
        unit: String::new(),
        samples: vec![sample],
    }
}

/// What a target exposed.
#[derive(Debug)]
pub(super) struct Page {
    families: Vec<Family>,
    /// Samples exposed.
    pub(super) samples: usize,
    /// Those of them that were blanks.
    pub(super) blanks: usize,
}

/// Why a scrape failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScrapeError {
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("{0}")]
    Request(String),
    #[error("the answer is {0}, expected 200")]
    Status(reqwest::StatusCode),
    #[error("the answer has more than {BODY_BYTES_MAX} bytes")]
    TooLarge,
    #[error("the answer is not UTF-8")]
    NotUtf8,
    #[error("the answer's {0}")]
    Malformed(#[from] exposition::Malformed),
}

async fn get(target: &Checked, client: &reqwest::Client) -> Result<Page, ScrapeError> {
    let timeout = target.target.timeout;
    let failed = |error: reqwest::Error| {
        if error.is_timeout() {
            return ScrapeError::Timeout(timeout);
        }
        // The address stands beside it in the log; the chain says what the error itself does not.
        let error = error.without_url();
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            text = format!("{text}: {inner}");
            cause = inner.source();
        }
        ScrapeError::Request(text)
    };
    let mut request = client
        .get(target.url.clone())
        .timeout(timeout)
        .header(ACCEPT, ACCEPTED)
        .header("X-Prometheus-Scrape-Timeout-Seconds", timeout.as_secs_f64().to_string());
    if let Some(token) = &target.target.bearer_token {
        request = request.bearer_auth(&token.0);
    }
    let mut answer = request.send().await.map_err(failed)?;
    if answer.status() != reqwest::StatusCode::OK {
        return Err(ScrapeError::Status(answer.status()));
    }
    let content_type = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let grammar = match content_type {
        Some(kind) if kind.starts_with("application/openmetrics-text") => Grammar::OpenMetrics,
        _ => Grammar::Text,
    };
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(ScrapeError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    // A large page takes long enough to parse to hold up other sockets.
    let parsing = tokio::task::spawn_blocking(move || read(body, grammar));
    parsing.await.map_err(|error| ScrapeError::Request(format!("the parser stopped: {error}")))?
}

/// Reads a body.
pub(super) fn read(body: Vec<u8>, grammar: Grammar) -> Result<Page, ScrapeError> {
    let body = String::from_utf8(body).map_err(|_| ScrapeError::NotUtf8)?;
    let mut families = exposition::parse(&body, grammar)?;
    let samples = families.iter().map(|family| family.samples.len()).sum();
    let blanks = drop_blanks(&mut families);
    Ok(Page { families, samples, blanks })
}
