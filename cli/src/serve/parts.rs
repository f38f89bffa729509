//! What runs behind the doors: store, collector, ledger's jobs, query service; which of them is
//! the role's choice.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use spanledger_collector::billing::Importer;
use spanledger_collector::frame::Signal;
use spanledger_collector::scrape::Scraper;
use spanledger_collector::{Collector, CollectorSettings};
use spanledger_ledger::prices;
use spanledger_ledger::settle::{SettleSettings, SettleStatus, Settler};
use spanledger_query::settings::{PgLogin, PgSettings, PgTls};
use spanledger_query::{QueryService, QuerySettings};
use spanledger_store::{Store, StoreOptions};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::settings::Settings;

/// Whose rows scraped points are.
const SCRAPE_TENANT: &str = "default";

/// The running parts; what the role leaves out is `None`.
pub struct Parts {
    pub collector: Option<Arc<Collector>>,
    pub importer: Option<Importer>,
    pub query: Option<QueryService>,
    pub store: Store,
    settled: Option<watch::Receiver<SettleStatus>>,
    jobs: JoinSet<()>,
}

impl Parts {
    /// Opens the store, replays the log, and starts the jobs, the ledger's on threads of their own;
    /// they end with `stop`.
    pub async fn start(
        settings: &Settings,
        of_ledger: &Handle,
        stop: &CancellationToken,
    ) -> anyhow::Result<Parts> {
        let root = settings.store_root()?;
        let options =
            StoreOptions { retention_days: settings.retention.days, ..StoreOptions::default() };
        let store = Store::open_with(&root, options)
            .await
            .with_context(|| format!("opening the store at `{}`", root.display()))?;
        let role = settings.role;
        let mut jobs = JoinSet::new();

        let collector = match role.collects() {
            false => None,
            true => Some(Arc::new(
                Collector::start(collector(settings), store.clone(), &settings.data_dir)
                    .await
                    .context("starting the collector")?,
            )),
        };
        if let Some(collector) = &collector {
            scrape(settings, collector.clone(), &mut jobs, stop)?;
        }
        let settled = match role.works() {
            false => None,
            true => Some(start_ledger(settings, &store, &mut jobs, of_ledger, stop).await?),
        };
        let query = match role.answers() {
            false => None,
            true => Some(start_query(settings, &store, settled.clone())?),
        };
        let importer = role.collects().then(|| Importer::new(store.clone()));
        Ok(Parts { collector, importer, query, store, settled, jobs })
    }

    /// What `/health/ready` asks.
    pub fn health(&self) -> Health {
        Health {
            store: self.store.clone(),
            collector: self.collector.clone(),
            settled: self.settled.clone(),
        }
    }

    /// Commits what was acknowledged and ends the jobs. The doors are shut by now.
    pub async fn stop(mut self) {
        if let Some(collector) = &self.collector {
            collector.shutdown().await;
        }
        while self.jobs.join_next().await.is_some() {}
    }
}

/// Imports the bundled price book and starts settle and the upkeep of the tables.
async fn start_ledger(
    settings: &Settings,
    store: &Store,
    jobs: &mut JoinSet<()>,
    threads: &Handle,
    stop: &CancellationToken,
) -> anyhow::Result<watch::Receiver<SettleStatus>> {
    prices::import_bundled(store).await.context("importing the bundled price book")?;
    let rules = SettleSettings { quiet: settings.settle.quiet.0, ..SettleSettings::default() };
    let settler = Settler::new(store.clone(), rules, jiff::Timestamp::now);
    let settled = settler.watch();
    let (told, shutdown) = watch::channel(false);
    jobs.spawn_on(async move { settler.run(shutdown).await }, threads);
    jobs.spawn({
        let stop = stop.clone();
        async move {
            stop.cancelled().await;
            told.send_replace(true);
            told.closed().await;
        }
    });
    jobs.spawn_on(upkeep(store.clone(), settings.upkeep_interval.0, stop.clone()), threads);
    Ok(settled)
}

async fn upkeep(store: Store, interval: Duration, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(interval)).await.is_some() {
        if let Err(error) = store.maintain().await {
            tracing::error!(%error, "upkeep of the tables failed; it is tried again");
        }
    }
}

fn start_query(
    settings: &Settings,
    store: &Store,
    settled: Option<watch::Receiver<SettleStatus>>,
) -> anyhow::Result<QueryService> {
    let set = &settings.query;
    let login = match (&settings.pg.user, &settings.pg.password) {
        (None, None) => None,
        (Some(user), Some(password)) => {
            Some(PgLogin { user: user.clone(), password: password.clone() })
        }
        _ => anyhow::bail!("settings `pg.user` and `pg.password` go together: set both or none"),
    };
    let tls = match (&settings.pg.certificate, &settings.pg.key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some(
            PgTls::load(certificate, key).context("reading the certificate of the door `pg`")?,
        ),
        _ => anyhow::bail!("settings `pg.certificate` and `pg.key` go together: set both or none"),
    };
    let query = QuerySettings {
        deadline: set.timeout.0,
        concurrent_max: set.concurrency_max,
        memory_max: set.memory_max.0,
        rows_max: set.rows_max,
        spill_dir: Some(settings.data_dir.join("spill")),
        pg: PgSettings { connections_max: settings.pg.connections_max, login, tls },
        ..QuerySettings::default()
    };
    let settled_until = move || Some(settled.as_ref()?.borrow().settled_until?.as_microsecond());
    QueryService::new(store.clone(), query, Arc::new(settled_until)).context("starting queries")
}

fn collector(settings: &Settings) -> CollectorSettings {
    let mut set = CollectorSettings {
        flush_interval: settings.flush_interval.0,
        flush_bytes_max: settings.flush_bytes.0,
        credentials: settings.auth.tokens.clone(),
        ..CollectorSettings::default()
    };
    set.wal.segment_bytes_max = settings.wal.segment_bytes.0;
    set.wal.bytes_max = settings.wal.bytes_max.0;
    set.wal.on_corruption = settings.wal.on_corruption;
    set.contents = settings.contents.clone();
    set.owner = settings.owner.clone();
    set
}

/// Starts scraping; the points go through the log like every other request.
fn scrape(
    settings: &Settings,
    collector: Arc<Collector>,
    jobs: &mut JoinSet<()>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    if settings.scrape.targets.is_empty() {
        return Ok(());
    }
    let tenant: Arc<str> = SCRAPE_TENANT.into();
    let submit = move |body| {
        let (collector, tenant) = (collector.clone(), tenant.clone());
        async move { collector.submit(tenant, Signal::Metrics, body).await.map(|_| ()) }
    };
    let scraper = Scraper::new(settings.scrape.clone())?;
    jobs.spawn(scraper.run(submit, stop.clone().cancelled_owned()));
    Ok(())
}

/// The health of the parts, asked anew each time.
#[derive(Clone)]
pub struct Health {
    store: Store,
    collector: Option<Arc<Collector>>,
    settled: Option<watch::Receiver<SettleStatus>>,
}

/// What `/health/ready` answers.
#[derive(Debug, Serialize)]
pub struct Report {
    pub ready: bool,
    pub checks: Vec<Check>,
}

/// One part's state.
#[derive(Debug, Serialize)]
pub struct Check {
    pub name: String,
    pub ok: bool,
    pub detail: String,
}

impl Health {
    /// Every part's state; ready when all are well.
    pub fn report(&self) -> Report {
        let mut checks: Vec<Check> = Vec::new();
        if let Some(collector) = &self.collector {
            checks.extend(collector.health().into_iter().map(|check| Check {
                name: check.name.to_owned(),
                ok: check.ok,
                detail: check.detail,
            }));
        }
        for table in self.store.status().tables {
            let error = table.commit_error.or(table.upkeep_error);
            checks.push(Check {
                name: format!("table {}", table.name),
                ok: error.is_none(),
                detail: error.unwrap_or_else(|| {
                    format!("version {}, {} files", table.version, table.active_files)
                }),
            });
        }
        if let Some(settled) = &self.settled {
            let status = settled.borrow().clone();
            checks.push(Check {
                name: "settle".to_owned(),
                ok: status.last_error.is_none(),
                detail: status
                    .last_error
                    .unwrap_or_else(|| format!("{} open traces", status.open_traces)),
            });
        }
        Report { ready: checks.iter().all(|check| check.ok), checks }
    }

    /// Brings the gauges of the tables up to date, for `/metrics`.
    pub fn measure(&self) {
        for table in self.store.status().tables {
            let set = |name: &'static str, value: f64| {
                metrics::gauge!(name, "table" => table.name).set(value);
            };
            set("spanledger_table_files", table.active_files as f64);
            set("spanledger_table_bytes", table.bytes as f64);
            set("spanledger_table_rows", table.rows as f64);
            set("spanledger_table_version", table.version as f64);
        }
    }
}
