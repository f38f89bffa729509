//! Durable frames that wait for the tables, in the order of the log. Bounded by bytes: who has no
//! room is refused before anything is logged. It does not decide when to flush.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use crate::budget::{Budget, Hold};
use crate::frame::Frame;
use crate::limits;
use crate::refusal::Refusal;

/// The queue. Filled by the log's thread, emptied by the flush task.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    filled: Notify,
    budget: Budget,
    flush_bytes: usize,
    flush_items: u64,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Queued>,
    bytes: usize,
    items: u64,
    /// When the oldest one came.
    since: Option<Instant>,
}

/// A frame and the room it takes.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) frame: Frame,
    items: u64,
    /// Given back once the frame's rows are committed.
    _room: Hold,
}

/// Whether a flush is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing waits.
    Empty,
    /// By size.
    Full,
    /// By age: when the oldest one came.
    Since(Instant),
}

impl Queue {
    pub(crate) fn new(bytes_max: u64, flush_bytes: u64, flush_items: u64) -> Queue {
        Queue {
            waiting: Mutex::default(),
            filled: Notify::new(),
            budget: Budget::new(bytes_max),
            flush_bytes: usize::try_from(flush_bytes).unwrap_or(usize::MAX),
            flush_items,
        }
    }

    /// Room for a frame with such a body.
    pub(crate) fn room(&self, body_bytes: usize) -> Result<Hold, Refusal> {
        let mut hold = self.budget.hold();
        match hold.grow(body_bytes + limits::FRAME_OVERHEAD_BYTES) {
            Ok(()) => Ok(hold),
            Err(_) => Err(Refusal::Busy(format!(
                "{} of {} bytes wait to be committed",
                self.budget.used(),
                self.budget.bytes_max()
            ))),
        }
    }

    /// Adds a durable frame of `items` spans, points or records.
    pub(crate) fn push(&self, frame: Frame, items: u64, room: Hold) {
        let mut waiting = self.lock();
        let first = waiting.frames.is_empty();
        waiting.since.get_or_insert_with(Instant::now);
        waiting.bytes += frame.body.len();
        waiting.items += items;
        waiting.frames.push_back(Queued { frame, items, _room: room });
        let wake = first || self.is_full(&waiting);
        drop(waiting);
        if wake {
            self.filled.notify_one();
        }
    }

    /// Whether to flush.
    pub(crate) fn due(&self) -> Due {
        let waiting = self.lock();
        match waiting.since {
            Some(_) if self.is_full(&waiting) => Due::Full,
            Some(since) => Due::Since(since),
            None => Due::Empty,
        }
    }

    /// Returns when the first frame comes or enough of them wait; may return early.
    pub(crate) async fn changed(&self) {
        self.filled.notified().await;
    }

    /// The oldest frames, as many as one flush takes and at least one if there is any.
    pub(crate) fn take(&self) -> Vec<Queued> {
        let mut waiting = self.lock();
        let (mut bytes, mut items, mut count) = (0, 0, 0);
        for queued in &waiting.frames {
            if bytes >= self.flush_bytes || items >= self.flush_items {
                break;
            }
            bytes += queued.frame.body.len();
            items += queued.items;
            count += 1;
        }
        waiting.bytes -= bytes;
        waiting.items -= items;
        let taken = waiting.frames.drain(..count).collect();
        if waiting.frames.is_empty() {
            waiting.since = None;
        }
        taken
    }

    /// Bytes held: waiting and being committed.
    pub(crate) fn bytes(&self) -> usize {
        self.budget.used()
    }

    /// Whether more than nine tenths are in use.
    pub(crate) fn nearly_full(&self) -> bool {
        self.budget.used() > self.budget.bytes_max() / 10 * 9
    }

    fn is_full(&self, waiting: &Waiting) -> bool {
        waiting.bytes >= self.flush_bytes || waiting.items >= self.flush_items
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use spanledger_schemas::ids::LogSeq;

    use super::*;
    use crate::frame::Signal;

    fn push(queue: &Queue, seq: u64, bytes: usize) {
        let room = queue.room(bytes).unwrap();
        let frame = Frame {
            seq: LogSeq(seq),
            tenant: "t".into(),
            signal: Signal::Traces,
            received_unix_ns: 0,
            body: Bytes::from(vec![0; bytes]),
        };
        queue.push(frame, 1, room);
    }

    #[test]
    fn a_flush_takes_whole_frames_in_order_until_it_is_full() {
        let queue = Queue::new(1 << 20, 100, 1000);
        assert_eq!(queue.due(), Due::Empty);
        for seq in 1..=3 {
            push(&queue, seq, 60);
        }
        assert_eq!(queue.due(), Due::Full);
        let seqs = |taken: Vec<Queued>| taken.iter().map(|q| q.frame.seq.0).collect::<Vec<_>>();
        assert_eq!(seqs(queue.take()), [1, 2]);
        assert!(matches!(queue.due(), Due::Since(_)));
        assert_eq!(seqs(queue.take()), [3]);
        assert_eq!(queue.due(), Due::Empty);
    }

    #[test]
    fn room_comes_back_only_when_the_frames_are_dropped() {
        let queue = Queue::new(1000, 100, 1000);
        push(&queue, 1, 600);
        assert!(queue.room(600).is_err());
        let taken = queue.take();
        assert!(queue.room(600).is_err());
        drop(taken);
        assert!(queue.room(600).is_ok());
    }
}
