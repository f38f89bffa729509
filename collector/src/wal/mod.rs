//! The log: makes requests durable before they are acknowledged (I-1). Takes records, gives each
//! a sequence once it is fsynced; gives back what is not in the tables yet after a restart; is
//! trimmed behind what is (I-3). It owns `DIR/wal`; it does not know what bodies mean.
//!
//! One thread writes. It takes all requests that wait, writes them in one go, calls fdatasync
//! once, and answers each (group commit). Answers are given in the order of the sequences.
//!
//! **When a write or an fsync fails** the file is never written again: a second fsync after a
//! failed one may report success for pages the kernel has dropped. All requests of the group get
//! an error that is safe to retry, the log reports itself broken, and a fresh segment is tried
//! every second; its header states where the failed segment ends, so that nothing unacknowledged
//! in it is read as data. Sequences of a failed group are not used again.
//!
//! **After a restart** an incomplete or broken end of the last segment is cut off: nothing in it
//! was acknowledged. A broken record that was fsynced before a later one was written is
//! corruption: it is refused, or with `wal.on_corruption = "skip"` moved to `wal/quarantine`.

mod recover;
mod seen;
mod segment;
mod writer;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fs, io};

use bytes::Bytes;
use spanledger_schemas::ids::LogSeq;

use crate::fault;
use crate::frame::Frame;
use crate::limits;
pub use segment::Record;

/// How the log is kept.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WalSettings {
    /// A segment is closed once it is this long.
    #[serde(with = "crate::human::size")]
    pub segment_bytes_max: u64,
    /// All segments together; beyond it requests are refused with a delay.
    #[serde(with = "crate::human::size")]
    pub bytes_max: u64,
    /// What to do with a broken record that is not the end of the log.
    pub on_corruption: OnCorruption,
}

impl Default for WalSettings {
    fn default() -> Self {
        Self {
            segment_bytes_max: limits::SEGMENT_BYTES_MAX,
            bytes_max: limits::WAL_BYTES_MAX,
            on_corruption: OnCorruption::Refuse,
        }
    }
}

/// What to do with a broken record that is not the end of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnCorruption {
    /// Do not start.
    Refuse,
    /// Move the broken bytes to `wal/quarantine` and go on with the next whole record.
    Skip,
}

/// Why the log cannot be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum WalError {
    /// The operating system said no.
    #[error("{what} `{}`: {source}", path.display())]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A file holds something else than what was made durable.
    #[error(
        "log file `{}` is corrupt at byte {offset}: {detail}; to go on without the broken bytes \
         start once with `wal.on_corruption = \"skip\"`: they are moved to `wal/quarantine`",
        path.display()
    )]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What was found.
        detail: String,
    },
    /// A newer version of spanledger wrote it.
    #[error(
        "log file `{}` at byte {offset}: {detail}; it was written by a newer spanledger, start \
         that one",
        path.display()
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What was found.
        detail: String,
    },
}

/// Why a request was not logged. All are safe to retry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// `wal.bytes_max` is reached: commits do not keep up.
    #[error("the log holds {bytes} of at most {bytes_max} bytes")]
    Full {
        /// Bytes in the log.
        bytes: u64,
        /// The cap.
        bytes_max: u64,
    },
    /// Too many requests wait for the writer.
    #[error("{} requests wait for the log", limits::APPENDS_WAITING_MAX)]
    Busy,
    /// Writing or fsyncing failed.
    #[error("the log cannot be written: {0}")]
    Broken(Arc<str>),
    /// The log is closed.
    #[error("the log is closed")]
    Closed,
}

/// Is told the outcome of an append, on the writer's thread, in the order of the sequences.
pub type Done = Box<dyn FnOnce(Result<LogSeq, AppendError>) + Send>;

/// How the log stands.
#[derive(Debug, Clone)]
pub struct WalStatus {
    /// Bytes of all segments and of records on their way.
    pub bytes: u64,
    /// The cap of them.
    pub bytes_max: u64,
    /// Why it cannot be written, if so.
    pub broken: Option<Arc<str>>,
}

/// What an opened log found.
#[derive(Debug)]
pub struct Recovered {
    /// Received time and hash of the requests of the last hour, oldest first.
    pub seen: Vec<(i64, u128)>,
    /// Everything up to here was in the tables, as far as the log was told.
    pub committed: LogSeq,
    /// Last sequence in the log.
    pub last: LogSeq,
}

/// The open log. Appends may come from any thread.
#[derive(Debug)]
pub struct Wal {
    shared: Arc<Shared>,
    requests: Mutex<Option<SyncSender<Append>>>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

struct Append {
    record: Record,
    done: Done,
}

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    settings: WalSettings,
    window_ns: i64,
    bytes: AtomicU64,
    committed: AtomicU64,
    sealed: Mutex<VecDeque<Sealed>>,
    seen_files: Mutex<VecDeque<seen::SeenFile>>,
    broken: Mutex<Option<Arc<str>>>,
}

/// A segment that is written no more.
#[derive(Debug, Clone)]
struct Sealed {
    path: PathBuf,
    base: u64,
    /// Last sequence in it or before it.
    last: u64,
    /// Where its records end.
    end: u64,
    /// What it counts for in the log's bytes.
    bytes: u64,
}

impl Wal {
    /// Opens the log in `dir` (made if missing), recovering what a crash left. New sequences are
    /// above everything in the log and above `floor`: what the tables have seen, should the log's
    /// folder have been lost.
    pub fn open(
        dir: &Path,
        settings: WalSettings,
        floor: LogSeq,
        now_unix_ns: i64,
    ) -> Result<(Wal, Recovered), WalError> {
        fs::create_dir_all(dir).map_err(io_error("creating the log's folder", dir))?;
        let window_ns = limits::DEDUP_WINDOW.as_nanos() as i64;
        let seen = seen::load(dir, settings.on_corruption, now_unix_ns - window_ns)?;
        let found = recover::recover(dir, settings.on_corruption)?;

        let mut hashes = seen.hashes;
        hashes.extend(found.hashes);
        let bytes = found.sealed.iter().map(|s| s.bytes).sum();
        let next = found.next.max(floor.0 + 1);
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            settings,
            window_ns,
            bytes: AtomicU64::new(bytes),
            committed: AtomicU64::new(found.committed),
            sealed: Mutex::new(found.sealed.into()),
            seen_files: Mutex::new(seen.files),
            broken: Mutex::new(None),
        });
        let writer = writer::Writer::start(shared.clone(), next, found.previous)?;
        let (requests, waiting) = sync_channel(limits::APPENDS_WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("wal-writer".into())
            .spawn(move || writer.run(waiting))
            .map_err(io_error("starting the writer of", dir))?;
        let wal =
            Wal { shared, requests: Mutex::new(Some(requests)), thread: Mutex::new(Some(thread)) };
        let recovered =
            Recovered { seen: hashes, committed: LogSeq(found.committed), last: LogSeq(next - 1) };
        Ok((wal, recovered))
    }

    /// Hands a request to the writer; `done` is told when it is durable, or why it is not.
    pub fn append(&self, record: Record, done: Done) {
        if let Err((done, error)) = self.try_append(record, done) {
            done(Err(error));
        }
    }

    fn try_append(&self, record: Record, done: Done) -> Result<(), (Done, AppendError)> {
        if let Some(why) = lock(&self.shared.broken).clone() {
            return Err((done, AppendError::Broken(why)));
        }
        let size = record.log_bytes();
        let bytes_max = self.shared.settings.bytes_max;
        let grown = |bytes: u64| bytes.checked_add(size).filter(|sum| *sum <= bytes_max);
        let counted = self.shared.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown);
        if let Err(bytes) = counted {
            return Err((done, AppendError::Full { bytes, bytes_max }));
        }
        let sent = match &*lock(&self.requests) {
            None => Err((done, AppendError::Closed)),
            Some(requests) => requests.try_send(Append { record, done }).map_err(|e| match e {
                TrySendError::Full(append) => (append.done, AppendError::Busy),
                TrySendError::Disconnected(append) => (append.done, AppendError::Closed),
            }),
        };
        if sent.is_err() {
            self.shared.bytes.fetch_sub(size, Ordering::Relaxed);
        }
        sent
    }

    /// The frames above `after` that lay in the log when it was opened, in order.
    pub fn replay(&self, after: LogSeq) -> Replay {
        let sealed = lock(&self.shared.sealed);
        let segments = sealed.iter().filter(|s| s.last > after.0 && s.last >= s.base);
        Replay { after: after.0, segments: segments.cloned().collect(), open: None }
    }

    /// Tells that everything up to `committed` is durable in the tables, and deletes segments
    /// behind it. The hashes of their requests are kept, fsynced, before (I-2, I-3).
    pub fn trim(&self, committed: LogSeq, now_unix_ns: i64) -> Result<(), WalError> {
        self.shared.committed.fetch_max(committed.0, Ordering::Relaxed);
        let oldest = now_unix_ns - self.shared.window_ns;
        loop {
            let segment = match lock(&self.shared.sealed).front() {
                Some(segment) if segment.last <= committed.0 => segment.clone(),
                _ => break,
            };
            let kept = seen::keep(&self.shared.dir, &segment, oldest)?;
            fault::hit(fault::LOG_TRIM);
            fs::remove_file(&segment.path)
                .map_err(io_error("deleting the segment", &segment.path))?;
            sync_dir(&self.shared.dir)?;
            lock(&self.shared.seen_files).extend(kept);
            lock(&self.shared.sealed).pop_front();
            self.shared.bytes.fetch_sub(segment.bytes, Ordering::Relaxed);
        }
        seen::expire(&mut lock(&self.shared.seen_files), oldest)
    }

    /// How it stands.
    pub fn status(&self) -> WalStatus {
        WalStatus {
            bytes: self.shared.bytes.load(Ordering::Relaxed),
            bytes_max: self.shared.settings.bytes_max,
            broken: lock(&self.shared.broken).clone(),
        }
    }

    /// Writes what waits, then stops the writer and closes the last segment. Blocks.
    pub fn close(&self) {
        drop(lock(&self.requests).take());
        if let Some(thread) = lock(&self.thread).take()
            && thread.join().is_err()
        {
            tracing::error!("the log's writer ended by a panic");
        }
    }
}

impl Drop for Wal {
    fn drop(&mut self) {
        self.close();
    }
}

/// Frames read back from the log, one segment in memory at a time.
#[derive(Debug)]
pub struct Replay {
    after: u64,
    segments: VecDeque<Sealed>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    path: PathBuf,
    bytes: Bytes,
    at: usize,
    seq: u64,
}

impl Replay {
    fn step(&mut self) -> Result<Option<Frame>, WalError> {
        loop {
            let Some(open) = &mut self.open else {
                let Some(segment) = self.segments.pop_front() else { return Ok(None) };
                let (header, at, bytes) = recover::load(&segment.path, Some(segment.end))?;
                self.open = Some(Open { path: segment.path, bytes, at, seq: header.base });
                continue;
            };
            match segment::read(&open.bytes, open.at, open.seq) {
                segment::Found::Record(entry, next) => {
                    (open.at, open.seq) = (next, open.seq + 1);
                    if entry.frame.seq.0 > self.after {
                        return Ok(Some(entry.frame));
                    }
                }
                segment::Found::Hole { next_seq, next } => (open.at, open.seq) = (next, next_seq),
                segment::Found::End => self.open = None,
                segment::Found::Bad(detail) | segment::Found::Newer(detail) => {
                    let (path, offset) = (open.path.clone(), open.at as u64);
                    return Err(WalError::Corrupt { path, offset, detail: detail.into() });
                }
            }
        }
    }
}

impl Iterator for Replay {
    type Item = Result<Frame, WalError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WalError {
    let path = path.to_owned();
    move |source| WalError::Io { what, path, source }
}

/// Makes names in a folder durable.
fn sync_dir(dir: &Path) -> Result<(), WalError> {
    fs::File::open(dir)
        .and_then(|folder| folder.sync_all())
        .map_err(io_error("fsyncing the folder", dir))
}

/// Writes a whole file so that it is there entirely or not at all, and durable.
fn write_durably(dir: &Path, path: &Path, bytes: &[u8]) -> Result<fs::File, WalError> {
    let fresh = path.with_extension("tmp");
    let mut file = fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .open(&fresh)
        .map_err(io_error("creating", &fresh))?;
    io::Write::write_all(&mut file, bytes).map_err(io_error("writing", &fresh))?;
    file.sync_all().map_err(io_error("fsyncing", &fresh))?;
    fault::hit(fault::LOG_BEFORE_RENAME);
    fs::rename(&fresh, path).map_err(io_error("renaming into place", path))?;
    sync_dir(dir)?;
    Ok(file)
}

/// The lock, also after a panic elsewhere: no holder leaves a half-made state behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
