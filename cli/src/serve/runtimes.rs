//! The runtimes of a process that serves: one of sockets and timers, one of the ledger's jobs.
//! Queries have threads of their own (`spanledger_query`).
//!
//! Settle computes for long between two waits, and so do merges: on the threads of the sockets they
//! would keep replies waiting. Apart, each kind of work also finds the memory that it gave back to
//! the allocator, which keeps that by thread.

use anyhow::Context as _;
use tokio::runtime::{Builder, Handle, Runtime};

/// Threads of the jobs: settle keeps one for long, and upkeep shall not wait for it.
const JOB_THREADS: usize = 2;

/// Threads that encode and read files for the jobs: one that works and one for what it waits for
/// (delta-rs reads a log in work that waits for the reading of its files).
const JOB_WORK_THREADS: usize = 2;

/// Threads that decode, encode and read files beside the sockets, at least; else one more than there
/// are cores. A bill holds one for long (bills take turns), delta-rs two. A handful, not tokio's 512,
/// because each keeps tens of megabytes in the allocator once it has encoded a flush.
const WORK_THREADS_MIN: usize = 3;

/// Both of them.
#[derive(Debug)]
pub struct Runtimes {
    io: Runtime,
    jobs: Runtime,
}

impl Runtimes {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn start() -> anyhow::Result<Runtimes> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let io = Builder::new_multi_thread()
            .enable_all()
            .max_blocking_threads((cores + 1).max(WORK_THREADS_MIN))
            .thread_name("io")
            .build()
            .context("starting the I/O threads")?;
        let jobs = Builder::new_multi_thread()
            .enable_all()
            .worker_threads(JOB_THREADS)
            .max_blocking_threads(JOB_WORK_THREADS)
            .thread_name("jobs")
            .build()
            .context("starting the threads of the jobs")?;
        Ok(Runtimes { io, jobs })
    }

    /// Does the work of a process on the I/O threads; it is handed where the jobs belong.
    pub fn block_on<T>(self, work: impl AsyncFnOnce(Handle) -> T) -> T {
        let done = self.io.block_on(work(self.jobs.handle().clone()));
        // Jobs that were not told to end are in the midst of nothing that a crash would not end.
        self.jobs.shutdown_background();
        done
    }
}
