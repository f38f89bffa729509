//! The thread that writes the log: takes waiting requests, gives each its sequence once its
//! group is fsynced, opens the next segment, and leaves a failed one for a fresh one.
//! It does not read the log and never deletes from it.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use spanledger_schemas::ids::LogSeq;

use super::segment::{self, HEADER_BYTES, Header, Marks};
use super::{Append, AppendError, Sealed, Shared, WalError, io_error, lock, write_durably};
use crate::{fault, limits};

/// Where the segment before the active one begins and ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Previous {
    pub(super) base: u64,
    pub(super) end: u64,
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    /// None after a failure, until a fresh one is there.
    active: Option<Active>,
    previous: Previous,
    next: u64,
    buffer: Vec<u8>,
}

struct Active {
    file: File,
    path: PathBuf,
    base: u64,
    /// Everything before it is durable.
    end: u64,
    synced: u64,
}

impl Writer {
    /// A writer whose first segment is there and durable.
    pub(super) fn start(
        shared: Arc<Shared>,
        next: u64,
        previous: Previous,
    ) -> Result<Writer, WalError> {
        let mut writer = Writer { shared, active: None, previous, next, buffer: Vec::new() };
        writer.open_segment(next)?;
        Ok(writer)
    }

    /// Serves requests until all senders are gone.
    pub(super) fn run(mut self, requests: Receiver<Append>) {
        loop {
            match requests.recv_timeout(limits::LOG_MEND_INTERVAL) {
                Ok(first) => {
                    let group = gather(first, &requests);
                    self.commit(group);
                }
                Err(RecvTimeoutError::Timeout) => self.mend(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.close();
    }

    fn commit(&mut self, group: Vec<Append>) {
        let first = self.next;
        // Used up whatever happens: bytes of a failed group may come back after a crash.
        self.next += group.len() as u64;
        let written = self.write(first, &group);
        metrics::histogram!("spanledger_log_group_requests").record(group.len() as f64);
        match written {
            Ok(()) => {
                fault::hit(fault::LOG_BEFORE_ACK);
                for (seq, append) in (first..).zip(group) {
                    (append.done)(Ok(LogSeq(seq)));
                }
            }
            Err(error) => {
                tracing::error!(%error, requests = group.len(), "the log cannot be written");
                let why: Arc<str> = Arc::from(error.to_string());
                self.abandon(first - 1, why.clone());
                for append in group {
                    let bytes = append.record.log_bytes();
                    self.shared.bytes.fetch_sub(bytes, Ordering::Relaxed);
                    (append.done)(Err(AppendError::Broken(why.clone())));
                }
            }
        }
    }

    fn write(&mut self, first: u64, group: &[Append]) -> Result<(), WalError> {
        let segment_bytes_max = self.shared.settings.segment_bytes_max;
        let is_full = |a: &Active| a.end >= segment_bytes_max && a.synced >= a.base;
        if self.active.as_ref().is_none_or(is_full) {
            self.seal();
            self.open_segment(first)?;
        }
        let Some(active) = &mut self.active else { return Ok(()) };
        let committed = self.shared.committed.load(Ordering::Relaxed);
        let marks = Marks { synced: active.synced, committed };
        self.buffer.clear();
        for (seq, append) in (first..).zip(group) {
            append.record.encode(seq, marks, &mut self.buffer);
        }
        active.write(&self.buffer)?;
        active.synced = first + group.len() as u64 - 1;
        // One huge request must not pin its size for ever.
        self.buffer.shrink_to(2 * limits::GROUP_BYTES_MAX);
        metrics::gauge!("spanledger_log_bytes")
            .set(self.shared.bytes.load(Ordering::Relaxed) as f64);
        Ok(())
    }

    fn open_segment(&mut self, base: u64) -> Result<(), WalError> {
        let header = Header {
            base,
            previous_base: self.previous.base,
            previous_end: self.previous.end,
            committed: self.shared.committed.load(Ordering::Relaxed),
        };
        let path = segment::path(&self.shared.dir, base);
        let file = write_durably(&self.shared.dir, &path, &header.encode())?;
        self.shared.bytes.fetch_add(HEADER_BYTES as u64, Ordering::Relaxed);
        let end = HEADER_BYTES as u64;
        self.active = Some(Active { file, path, base, end, synced: base - 1 });
        Ok(())
    }

    /// Closes the active segment at its durable end.
    fn seal(&mut self) {
        let Some(active) = self.active.take() else { return };
        self.previous = Previous { base: active.base, end: active.end };
        lock(&self.shared.sealed).push_back(Sealed {
            last: active.synced,
            bytes: active.end,
            path: active.path,
            base: active.base,
            end: active.end,
        });
    }

    /// Leaves a segment that failed.
    fn abandon(&mut self, last: u64, why: Arc<str>) {
        if let Some(active) = &mut self.active {
            debug_assert!(active.synced <= last);
            // Only to free the space: the next header states the end in any case.
            if let Err(error) = active.file.set_len(active.end) {
                tracing::warn!(%error, path = %active.path.display(), "cutting a failed segment");
            }
        }
        self.seal();
        *lock(&self.shared.broken) = Some(why);
    }

    /// After a failure: tries for a fresh segment.
    fn mend(&mut self) {
        if self.active.is_some() {
            return;
        }
        match self.open_segment(self.next) {
            Ok(()) => {
                tracing::info!(seq = self.next, "the log is written again, in a fresh segment");
                *lock(&self.shared.broken) = None;
            }
            Err(error) => *lock(&self.shared.broken) = Some(Arc::from(error.to_string())),
        }
    }

    /// Leaves an empty segment behind a fully committed one, so that the next start has nothing
    /// to read back.
    fn close(&mut self) {
        let committed = self.shared.committed.load(Ordering::Relaxed);
        let Some(active) = &self.active else { return };
        if active.synced < active.base || active.synced > committed {
            return;
        }
        self.seal();
        if let Err(error) = self.open_segment(self.next) {
            tracing::warn!(%error, "closing the log");
        }
    }
}

impl Active {
    fn write(&mut self, bytes: &[u8]) -> Result<(), WalError> {
        let path = &self.path;
        if fault::armed() {
            let (head, tail) = bytes.split_at(bytes.len() / 2);
            self.file.write_all(head).map_err(io_error("writing to", path))?;
            fault::hit(fault::LOG_HALF_WRITTEN);
            self.file.write_all(tail).map_err(io_error("writing to", path))?;
        } else {
            self.file.write_all(bytes).map_err(io_error("writing to", path))?;
        }
        fault::hit(fault::LOG_BEFORE_FSYNC);
        let started = Instant::now();
        self.file.sync_data().map_err(io_error("fsyncing", path))?;
        metrics::histogram!("spanledger_log_fsync_seconds").record(started.elapsed());
        self.end += bytes.len() as u64;
        Ok(())
    }
}

/// All requests that wait, up to the size of a group.
fn gather(first: Append, requests: &Receiver<Append>) -> Vec<Append> {
    let mut bytes = first.record.body.len();
    let mut group = vec![first];
    while bytes < limits::GROUP_BYTES_MAX
        && let Ok(next) = requests.try_recv()
    {
        bytes += next.record.body.len();
        group.push(next);
    }
    group
}
