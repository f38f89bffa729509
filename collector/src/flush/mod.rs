//! From the log to the tables: collects durable frames, builds their rows, commits each table
//! with how far the log has come, and trims the log behind it (I-2, I-3). Takes frames in the
//! order of the log. It does not know files or Delta: that is the store's.

mod commit;
mod queue;
mod replay;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub(crate) use commit::{Committer, Patience};
pub(crate) use queue::Queue;
use queue::{Due, Queued};
pub(crate) use replay::{positions, replay};

/// Commits what is queued, when it is old or large enough, until told to stop; then the rest.
pub(crate) async fn run(
    queue: Arc<Queue>,
    committer: Arc<Committer>,
    interval: Duration,
    stop: CancellationToken,
) {
    loop {
        let due_at = match queue.due() {
            Due::Empty if stop.is_cancelled() => return,
            Due::Empty => None,
            Due::Full => Some(std::time::Instant::now()),
            Due::Since(_) if stop.is_cancelled() => Some(std::time::Instant::now()),
            Due::Since(since) => Some(since + interval),
        };
        if due_at.is_some_and(|at| at <= std::time::Instant::now()) {
            let taken = queue.take();
            let frames = taken.iter().map(|Queued { frame, .. }| frame.clone()).collect();
            // Only a store that cannot take them keeps it here: the queue fills, clients are
            // told to come later, and health says so.
            let _committed = committer.commit(frames, Patience::Endless).await;
            drop(taken);
            metrics::gauge!("spanledger_queue_bytes").set(queue.bytes() as f64);
            continue;
        }
        let due = async {
            match due_at {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = queue.changed() => {}
            () = due => {}
            () = stop.cancelled() => {}
        }
    }
}
