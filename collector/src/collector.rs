//! The way in as a whole, on one screen: opens the log, brings back what a crash left, opens the
//! doors, and closes all in good order. Each stage is a module of its own.
//!
//! ```text
//! receive  ->  intake: check, dedup, wal  ->  queue  ->  flush: buffer, store  ->  wal.trim
//!                         | ACK once fsynced
//! ```

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use bytes::Bytes;
use spanledger_store::{Store, StoreError};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::budget::Budget;
use crate::decode::DecodeLimits;
use crate::dedup::Dedup;
use crate::flush::{self, Committer, Queue};
use crate::frame::Signal;
use crate::human::format_size;
use crate::intake::{Ack, Intake};
use crate::limits;
use crate::normalise::Names;
use crate::receive::{self, Authenticator, Door};
use crate::refusal::Refusal;
use crate::settings::CollectorSettings;
use crate::wal::{Wal, WalError};

/// Why the way in cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
    /// Settings that cannot work.
    #[error("settings: {0}")]
    Settings(String),
    /// Another process has the data folder.
    #[error(
        "data folder `{}` is in use by another spanledger; stop it or take another folder",
        .0.display()
    )]
    InUse(PathBuf),
    /// The data folder cannot be used.
    #[error("data folder `{}`: {source}", path.display())]
    Folder {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The log cannot be opened or read back.
    #[error(transparent)]
    Log(#[from] WalError),
    /// What the log has cannot be brought into the tables.
    #[error("bringing logged requests into the tables: {0}")]
    Store(#[from] StoreError),
    /// A task of ours ended by itself.
    #[error("reading the log back: {0}")]
    Task(String),
}

/// One fact about health (I-11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is looked at.
    pub name: &'static str,
    /// Whether it is well.
    pub ok: bool,
    /// In words.
    pub detail: String,
}

/// The running way in. Dropped without [`Collector::shutdown`] it stops as in a crash: nothing
/// acknowledged is lost, what was not committed is read back at the next start.
#[derive(Debug)]
pub struct Collector {
    door: Arc<Door>,
    committer: Arc<Committer>,
    data_dir: PathBuf,
    doors: TaskTracker,
    close_doors: CancellationToken,
    stop_flush: CancellationToken,
    flush: Mutex<Option<JoinHandle<()>>>,
    /// Held for as long as this process has the folder.
    _lock: File,
}

impl Collector {
    /// Opens the log in `data_dir`, commits what it has and the tables lack, and starts flushing.
    /// The doors are opened after that.
    pub async fn start(
        settings: CollectorSettings,
        store: Store,
        data_dir: &Path,
    ) -> Result<Collector, CollectorError> {
        settings.check().map_err(CollectorError::Settings)?;
        let lock = lock(data_dir)?;

        let positions = flush::positions(&store).await?;
        let floor = positions.last().copied().unwrap_or_default();
        let (wal_dir, wal, now) = (data_dir.join("wal"), settings.wal, now_unix_ns());
        let opened = tokio::task::spawn_blocking(move || Wal::open(&wal_dir, wal, floor, now));
        let (log, recovered) =
            opened.await.map_err(|error| CollectorError::Task(error.to_string()))??;
        let log = Arc::new(log);

        let rules = settings.contents.rules().map_err(CollectorError::Settings)?;
        let names = Arc::new(Names::with(&settings.owner));
        let committer =
            Arc::new(Committer::new(store, log.clone(), rules, names, data_dir, now_unix_ns));
        let replayed = flush::replay(&committer, &log, &positions, recovered.committed).await?;
        committer.trim(recovered.last).await;
        tracing::info!(replayed, seq = recovered.last.0, "the log is read back");

        let queue = Arc::new(Queue::new(
            settings.queue_bytes_max,
            settings.flush_bytes_max,
            settings.flush_items_max,
        ));
        let intake = Arc::new(Intake {
            limits: DecodeLimits::default(),
            dedup: Dedup::with(recovered.seen),
            log,
            queue: queue.clone(),
            in_flight: Budget::new(settings.in_flight_bytes_max),
            message_bytes_max: settings.message_bytes_max,
            clock: now_unix_ns,
        });
        let stop_flush = CancellationToken::new();
        let flush =
            flush::run(queue, committer.clone(), settings.flush_interval, stop_flush.clone());
        Ok(Collector {
            door: Arc::new(Door { intake, auth: Authenticator::new(settings.credentials) }),
            committer,
            data_dir: data_dir.to_owned(),
            doors: TaskTracker::new(),
            close_doors: CancellationToken::new(),
            stop_flush,
            flush: Mutex::new(Some(tokio::spawn(flush))),
            _lock: lock,
        })
    }

    /// Takes one protobuf request from inside the process; returns once it is durable.
    pub async fn submit(
        &self,
        tenant: Arc<str>,
        signal: Signal,
        body: Bytes,
    ) -> Result<Ack, Refusal> {
        self.door.intake.submit(tenant, signal, body).await
    }

    /// Serves OTLP/gRPC until shutdown.
    pub fn serve_grpc(&self, listener: TcpListener) {
        let router = receive::grpc_router(self.door.clone());
        self.doors.spawn(receive::serve(listener, router, self.close_doors.clone()));
    }

    /// Serves OTLP/HTTP until shutdown.
    pub fn serve_http(&self, listener: TcpListener) {
        self.doors.spawn(receive::serve(listener, self.http_router(), self.close_doors.clone()));
    }

    /// The routes of OTLP/HTTP.
    pub fn http_router(&self) -> Router {
        receive::http_router(self.door.clone())
    }

    /// Who a request is from, by its headers; for other doors with the same credentials.
    pub fn authenticator(&self) -> &Authenticator {
        &self.door.auth
    }

    /// What is well and what is not (I-11).
    pub fn health(&self) -> Vec<Check> {
        let log = self.door.intake.log.status();
        let progress = self.committer.progress().clone();
        let queue = &self.door.intake.queue;
        let stalled = progress.running.filter(|since| since.elapsed() > limits::COMMIT_STALLED);
        let commit = match (&progress.commit_error, stalled) {
            (Some(error), _) => Err(error.clone()),
            (None, Some(since)) => Err(format!("runs for {} s", since.elapsed().as_secs())),
            (None, None) => Ok(format!("up to request {}", progress.committed.0)),
        };
        let room = if log.bytes > log.bytes_max / 10 * 9 {
            Err(format!("{} of {}", format_size(log.bytes), format_size(log.bytes_max)))
        } else {
            Ok(format!("{} bytes of {}", log.bytes, format_size(log.bytes_max)))
        };
        let waiting = format!("{} bytes", queue.bytes());
        vec![
            check("log", log.broken.map_or(Ok("written".into()), |why| Err(why.to_string()))),
            check("log-room", room),
            check("log-trim", progress.trim_error.map_or(Ok("trimmed".into()), Err)),
            check("commit", commit),
            check("queue", if queue.nearly_full() { Err(waiting) } else { Ok(waiting) }),
            check("disk", disk(&self.data_dir)),
        ]
    }

    /// Closes the doors, lets open requests end, commits everything and trims the log.
    pub async fn shutdown(&self) {
        self.close_doors.cancel();
        self.doors.close();
        self.doors.wait().await;

        self.stop_flush.cancel();
        let flush = self.flush.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut flush) = flush
            && tokio::time::timeout(limits::SHUTDOWN_WAIT, &mut flush).await.is_err()
        {
            tracing::warn!("the last commit did not end in time; the next start reads it back");
            flush.abort();
        }
        let log = self.door.intake.log.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || log.close()).await {
            tracing::error!(%error, "closing the log");
        }
        let committed = self.committer.progress().committed;
        self.committer.trim(committed).await;
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.close_doors.cancel();
        if let Some(flush) = self.flush.lock().unwrap_or_else(PoisonError::into_inner).take() {
            flush.abort();
        }
        self.door.intake.log.close();
    }
}

/// Nanoseconds since the epoch, for the record of a request and the window of retries.
fn now_unix_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Keeps other processes out of the folder; the system lets go of it when this one ends.
fn lock(data_dir: &Path) -> Result<File, CollectorError> {
    let folder = |source| CollectorError::Folder { path: data_dir.to_owned(), source };
    std::fs::create_dir_all(data_dir).map_err(folder)?;
    let path = data_dir.join("lock");
    let file =
        File::options().create(true).write(true).truncate(false).open(&path).map_err(folder)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(CollectorError::InUse(data_dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(folder(source)),
    }
}

fn disk(data_dir: &Path) -> Result<String, String> {
    match rustix::fs::statvfs(data_dir) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let text = format!("{} MiB free", free / limits::MIB);
            if free < limits::DISK_FREE_BYTES_MIN { Err(text) } else { Ok(text) }
        }
        Err(error) => Err(format!("`{}`: {error}", data_dir.display())),
    }
}

fn check(name: &'static str, state: Result<String, String>) -> Check {
    let ok = state.is_ok();
    let (Ok(detail) | Err(detail)) = state;
    Check { name, ok, detail }
}
