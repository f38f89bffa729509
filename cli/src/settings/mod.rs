//! The settings: values only, no component. Defaults < file < environment < flags; an unknown
//! key is refused; every leaf knows where it came from.

mod catalog;
mod layers;
mod values;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use spanledger_collector::CollectorSettings;
use spanledger_collector::normalise::OwnerSettings;
use spanledger_collector::receive::Credential;
use spanledger_collector::scrape::ScrapeSettings;
use spanledger_collector::settings::ContentSettings;
use spanledger_collector::wal::{OnCorruption, WalSettings};
use spanledger_ledger::settle::SettleSettings;
use spanledger_query::QuerySettings;
use spanledger_query::settings::PgSettings;

pub use catalog::reference;
pub use layers::{Effective, SettingsError, load, unknown_variables};
pub use values::{Addr, HumanDuration, HumanSize};

/// Everything that can be set, with its default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub data_dir: PathBuf,
    pub store: Option<String>,
    pub role: Role,
    pub otlp_grpc_addr: Addr,
    pub otlp_http_addr: Addr,
    pub http_addr: Addr,
    pub pg_addr: Addr,
    pub flight_addr: Addr,
    pub flush_interval: HumanDuration,
    pub flush_bytes: HumanSize,
    pub upkeep_interval: HumanDuration,
    pub wal: Wal,
    pub settle: Settle,
    pub contents: ContentSettings,
    pub owner: OwnerSettings,
    pub retention: Retention,
    pub query: Query,
    pub pg: Pg,
    pub telemetry: Telemetry,
    pub auth: Auth,
    pub scrape: ScrapeSettings,
}

/// Which parts of the product a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Everything.
    All,
    /// The way in only.
    Collector,
    /// The way out only.
    Query,
    /// The ledger's jobs and the upkeep of the tables only.
    Worker,
}

impl Role {
    pub fn collects(self) -> bool {
        matches!(self, Role::All | Role::Collector)
    }
    pub fn answers(self) -> bool {
        matches!(self, Role::All | Role::Query)
    }
    pub fn works(self) -> bool {
        matches!(self, Role::All | Role::Worker)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wal {
    pub segment_bytes: HumanSize,
    pub bytes_max: HumanSize,
    pub on_corruption: OnCorruption,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settle {
    pub quiet: HumanDuration,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    pub days: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Query {
    pub timeout: HumanDuration,
    pub memory_max: HumanSize,
    pub rows_max: u64,
    pub concurrency_max: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pg {
    pub user: Option<String>,
    pub password: Option<String>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub connections_max: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    pub log: String,
    pub log_format: LogFormat,
    pub otlp_endpoint: Option<String>,
}

/// Form of the log on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For a person.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    pub tokens: Vec<Credential>,
}

/// What a room has a default for is said there, once.
impl Default for Settings {
    fn default() -> Self {
        let collector = CollectorSettings::default();
        Settings {
            data_dir: "spanledger-data".into(),
            store: None,
            role: Role::All,
            otlp_grpc_addr: Addr::local(4317),
            otlp_http_addr: Addr::local(4318),
            http_addr: Addr::local(9700),
            pg_addr: Addr::local(9701),
            flight_addr: Addr::Off,
            flush_interval: HumanDuration(collector.flush_interval),
            flush_bytes: HumanSize(collector.flush_bytes_max),
            upkeep_interval: HumanDuration::from_secs(30),
            wal: Wal::default(),
            settle: Settle::default(),
            contents: ContentSettings::default(),
            owner: OwnerSettings::default(),
            retention: Retention::default(),
            query: Query::default(),
            pg: Pg::default(),
            telemetry: Telemetry::default(),
            auth: Auth::default(),
            scrape: ScrapeSettings::default(),
        }
    }
}

impl Default for Wal {
    fn default() -> Self {
        let wal = WalSettings::default();
        Wal {
            segment_bytes: HumanSize(wal.segment_bytes_max),
            bytes_max: HumanSize(wal.bytes_max),
            on_corruption: wal.on_corruption,
        }
    }
}

impl Default for Settle {
    fn default() -> Self {
        Settle { quiet: HumanDuration(SettleSettings::default().quiet) }
    }
}

impl Default for Query {
    fn default() -> Self {
        let query = QuerySettings::default();
        Query {
            timeout: HumanDuration(query.deadline),
            memory_max: HumanSize(query.memory_max),
            rows_max: query.rows_max,
            concurrency_max: query.concurrent_max,
        }
    }
}

impl Default for Pg {
    fn default() -> Self {
        let connections_max = PgSettings::default().connections_max;
        Pg { user: None, password: None, certificate: None, key: None, connections_max }
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Telemetry {
            log: "warn,spanledger=info".into(),
            log_format: LogFormat::Text,
            otlp_endpoint: None,
        }
    }
}

impl Settings {
    /// Root folder of the tables.
    ///
    /// # Errors
    /// When `store` names something else than a local folder.
    pub fn store_root(&self) -> Result<PathBuf, SettingsError> {
        match &self.store {
            None => Ok(self.data_dir.join("store")),
            Some(url) => match url.strip_prefix("file://") {
                Some(path) => Ok(path.into()),
                None if url.contains("://") => Err(SettingsError::Value {
                    key: "store".into(),
                    found: url.clone(),
                    expected: "a folder, as a path or a file:// URL",
                }),
                None => Ok(url.into()),
            },
        }
    }
}
