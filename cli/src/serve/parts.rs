//! What runs behind the doors: store, collector, ledger's jobs, query service; which of them is
//! the role's choice.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use spanledger_collector::Collector;
use spanledger_collector::billing::Importer;
use spanledger_ledger::settle::{SettleStatus, Settler};
use spanledger_query::QueryService;
use spanledger_store::Store;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::settings::Settings;

/// How often the tables are looked after: compaction, checkpoints, log cleanup, retention.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(10);

/// The running parts; what the role leaves out is `None`.
pub struct Parts {
    pub store: Store,
    pub collector: Option<Arc<Collector>>,
    pub importer: Option<Arc<Importer>>,
    pub settler: Option<Arc<Settler>>,
    pub query: Option<Arc<QueryService>>,
    jobs: JoinSet<()>,
}

/// The health of the parts, asked anew each time.
#[derive(Clone)]
pub struct Health {
    store: Store,
    collector: Option<Arc<Collector>>,
    settler: Option<Arc<Settler>>,
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
