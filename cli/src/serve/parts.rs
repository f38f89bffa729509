//! What runs behind the doors: store, collector, ledger's jobs, query service; which of them is
//! the role's choice.

use std::sync::Arc;

use anyhow::Context as _;
use spanledger_collector::Collector;
use spanledger_collector::billing::Importer;
use spanledger_ledger::settle::{SettleStatus, Settler};
use spanledger_query::QueryService;
use spanledger_store::Store;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::super::settings::Settings;

/// How often the tables are looked after: compaction, checkpoints, log cleanup, retention.
const UPKEEP_INTERVAL: std::time::Duration = std::time::Duration::from_secs(10);

/// The running parts; what the role leaves out is `None`.
pub struct Parts {
    pub store: Store,
    pub collector: Option<Arc<Collector>>,
    pub importer: Option<Arc<Importer>>,
    pub settler: Option<Arc<Settler>>,
    pub query: Option<Arc<QueryService>>,
    jobs: JoinSet<()>,
}
