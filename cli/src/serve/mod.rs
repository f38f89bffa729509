//! `serve`: wires the rooms together, opens the doors, and drains at the end.
//!
//! The order is the promise: a door opens only when what is behind it works, and at the end the
//! doors of the way in shut first, then what was acknowledged is committed (I-1, I-3).

mod doors;
mod http;
mod parts;
mod runtimes;

use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

pub use doors::Addresses;
pub use runtimes::Runtimes;

use crate::args::ServeFlags;
use crate::client::out;
use crate::settings::{self, Addr, Effective, Settings};
use crate::telemetry;

/// How long open connections may take to end before they are cut.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When the settings are refused, the folder or a door cannot be opened, or draining fails.
pub fn main(flags: &ServeFlags) -> anyhow::Result<()> {
    let effective = load(flags)?;
    if flags.print_config {
        return print(&effective);
    }
    install_fault()?;
    Runtimes::start()?.block_on(async |jobs| {
        let telemetry = telemetry::start(&effective.settings.telemetry)?;
        warn_of_unknown_variables();
        let server = Server::start(effective.settings, telemetry.metrics.clone(), &jobs).await?;
        server.announce()?;
        stop_signal().await?;
        server.stop().await?;
        telemetry.stop();
        Ok(())
    })
}

/// The settings of the process: the one place that reads the environment.
///
/// # Errors
/// As [`settings::load`].
#[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
pub fn load(flags: &ServeFlags) -> Result<Effective, settings::SettingsError> {
    settings::load(flags, |name| std::env::var(name).ok())
}

/// A misspelt variable sets nothing; who set it shall see that.
fn warn_of_unknown_variables() {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in settings::unknown_variables(names) {
        tracing::warn!(
            %name,
            "this variable is no setting and sets nothing; `spanledger config reference` lists them"
        );
    }
}

/// Installs the fault of a crash test, when the environment names one.
#[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
fn install_fault() -> anyhow::Result<()> {
    let Ok(spec) = std::env::var("SPANLEDGER_FAULT") else { return Ok(()) };
    spanledger_collector::fault::arm(&spec)
        .map_err(|why| anyhow::anyhow!("SPANLEDGER_FAULT: {why}"))
}

/// Prints the settings in force.
pub fn print(effective: &Effective) -> anyhow::Result<()> {
    Ok(out::stdout().write_all(effective.print().as_bytes())?)
}

/// Waits for SIGTERM or SIGINT.
pub async fn stop_signal() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: draining"),
        _ = interrupt.recv() => tracing::info!("SIGINT: draining"),
    }
    Ok(())
}

/// A running process with its doors open.
pub struct Server {
    settings: Settings,
    parts: parts::Parts,
    doors: doors::Doors,
    stop: CancellationToken,
}

impl Server {
    /// Opens the store, replays the log, starts the jobs on their threads and opens the doors.
    pub async fn start(
        settings: Settings,
        metrics: metrics_exporter_prometheus::PrometheusHandle,
        jobs: &Handle,
    ) -> anyhow::Result<Server> {
        if settings.flight_addr != Addr::Off {
            anyhow::bail!("Flight SQL is not built yet: leave `flight_addr` at `off`");
        }
        std::fs::create_dir_all(&settings.data_dir)
            .with_context(|| format!("creating the folder `{}`", settings.data_dir.display()))?;
        let stop = CancellationToken::new();
        let parts = parts::Parts::start(&settings, jobs, &stop).await?;
        let doors = doors::Doors::open(&settings, &parts, metrics, &stop).await?;
        Ok(Server { settings, parts, doors, stop })
    }

    /// Where the doors are.
    pub fn addresses(&self) -> &Addresses {
        &self.doors.addresses
    }

    /// Writes `addresses.json` and says on standard output which doors are open, for scripts that
    /// wait for these lines. Whoever wants no more of them may close it: the doors stay open.
    pub fn announce(&self) -> anyhow::Result<()> {
        self.addresses().write(&self.settings.data_dir)?;
        let mut lines = String::new();
        for (name, address) in self.addresses().open() {
            lines.push_str(&format!("listening {name} {address}\n"));
        }
        lines.push_str("ready\n");
        match out::stdout().write_all(lines.as_bytes()).map_err(anyhow::Error::from) {
            Err(error) if !out::is_closed(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Shuts the doors, then flushes and commits what was acknowledged.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.doors.close(DRAIN_MAX).await;
        self.parts.stop().await;
        Addresses::remove(&self.settings.data_dir);
        tracing::info!("drained");
        Ok(())
    }
}
