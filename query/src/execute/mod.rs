//! Runs plans on threads of their own, so that a heavy query never starves a socket, and inside
//! their limits: deadline, rows, bytes, cancellation, number at a time (I-9).
//! Takes checked logical plans, gives a stream of batches that ends with the first error.
//! Dropping the stream stops the query.

mod interrupt;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use futures::{Stream, StreamExt};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use crate::error::QueryError;
use crate::limits;
use crate::settings::QuerySettings;

/// The threads that compute queries, and how many may run.
pub(crate) struct Executor {
    // Taken out by `drop` only.
    runtime: Option<Runtime>,
    running: Arc<Semaphore>,
    concurrent_max: usize,
}

/// The right to run one query; given back when it has come to its end, or to that of its bounds:
/// rows that wait to be read, as those of a cursor do, hold no place beyond the deadline.
#[derive(Clone)]
pub(crate) struct Admission {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// How far one query may go.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    /// When it must be done.
    pub(crate) deadline: Instant,
    /// How long that was at its start, for the message.
    pub(crate) allowed: Duration,
    /// Rows of its answer.
    pub(crate) rows_max: u64,
    /// Bytes of its answer in memory.
    pub(crate) bytes_max: u64,
    /// Stops it.
    pub(crate) cancel: CancellationToken,
}

impl Bounds {
    /// The bounds of the settings; the clock starts now.
    pub(crate) fn of(
        settings: &QuerySettings,
        asked: Option<Duration>,
        cancel: CancellationToken,
    ) -> Self {
        let allowed = asked.map_or(settings.deadline, |asked| asked.min(settings.deadline));
        Self {
            deadline: Instant::now() + allowed,
            allowed,
            rows_max: settings.rows_max,
            bytes_max: settings.result_bytes_max,
            cancel,
        }
    }
}

impl Executor {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system gives none.
    pub(crate) fn new(settings: &QuerySettings) -> Result<Self, QueryError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(settings.threads())
            .thread_name("query")
            .enable_all()
            .build()
            .map_err(|e| QueryError::Failed(format!("cannot start query threads: {e}")))?;
        let concurrent_max = settings.concurrent_max.max(1);
        Ok(Self {
            runtime: Some(runtime),
            running: Arc::new(Semaphore::new(concurrent_max)),
            concurrent_max,
        })
    }

    /// Waits a little for a place among the running queries.
    pub(crate) async fn admit(&self) -> Result<Admission, QueryError> {
        let place = Arc::clone(&self.running).acquire_owned();
        match timeout(limits::ADMISSION_WAIT_MAX, place).await {
            Ok(Ok(permit)) => Ok(Admission { _permit: Arc::new(permit) }),
            Ok(Err(_)) | Err(_) => Err(QueryError::Busy(self.concurrent_max)),
        }
    }

    /// Does work on the query threads, inside the bounds: planning, which may take long too.
    pub(crate) async fn compute<T: Send + 'static>(
        &self,
        bounds: &Bounds,
        work: impl Future<Output = Result<T, QueryError>> + Send + 'static,
    ) -> Result<T, QueryError> {
        let task = AbortOnDropHandle::new(self.handle()?.spawn(work));
        tokio::select! {
            done = task => done.map_err(|e| QueryError::Failed(e.to_string()))?,
            () = sleep_until(bounds.deadline.into()) => Err(QueryError::Deadline(bounds.allowed)),
            () = bounds.cancel.cancelled() => Err(QueryError::Cancelled),
        }
    }

    /// Starts a plan; its batches come as the stream is read.
    pub(crate) fn run(
        &self,
        state: SessionState,
        plan: LogicalPlan,
        bounds: &Bounds,
        admission: Admission,
    ) -> Result<Batches, QueryError> {
        let schema = Arc::new(plan.schema().as_arrow().clone());
        let (sender, receiver) = mpsc::channel(limits::BATCHES_AHEAD);
        let halt = CancellationToken::new();
        let (limits, halted) = (bounds.clone(), halt.clone());
        let work = async move {
            let place = admission;
            let ended = tokio::select! {
                ended = send_all(state, plan, &limits, &halted, &sender) => ended,
                () = sleep_until(limits.deadline.into()) => Err(QueryError::Deadline(limits.allowed)),
                () = limits.cancel.cancelled() => Err(QueryError::Cancelled),
            };
            halted.cancel();
            drop(place);
            if let Err(error) = ended {
                // The reader may be gone; then nobody wants to know.
                let _ = sender.send(Err(error)).await;
            }
        };
        let work = work.instrument(tracing::debug_span!("execute"));
        Ok(Batches {
            schema,
            receiver,
            task: Some(AbortOnDropHandle::new(self.handle()?.spawn(work))),
            timer: Box::pin(sleep_until(bounds.deadline.into())),
            cancelled: Box::pin(bounds.cancel.clone().cancelled_owned()),
            allowed: bounds.allowed,
            halt: Halt(halt),
        })
    }

    fn handle(&self) -> Result<&tokio::runtime::Handle, QueryError> {
        let stopped = || QueryError::Failed("the query threads have stopped".to_owned());
        self.runtime.as_ref().map(Runtime::handle).ok_or_else(stopped)
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        // The plain drop waits for the threads, which tokio forbids inside async code.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn send_all(
    state: SessionState,
    plan: LogicalPlan,
    bounds: &Bounds,
    halt: &CancellationToken,
    sender: &mpsc::Sender<Result<RecordBatch, QueryError>>,
) -> Result<(), QueryError> {
    let plan = interrupt::stoppable(state.create_physical_plan(&plan).await?, halt)?;
    let mut stream = execute_stream(plan, state.task_ctx())?;
    let (mut rows, mut bytes) = (0, 0);
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        bytes += batch.get_array_memory_size() as u64;
        if rows > bounds.rows_max {
            return Err(QueryError::Rows(bounds.rows_max));
        }
        if bytes > bounds.bytes_max {
            return Err(QueryError::Bytes(bounds.bytes_max));
        }
        if sender.send(Ok(batch)).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// The batches of a running query. After an error the stream has ended and the query stopped.
pub struct Batches {
    schema: SchemaRef,
    receiver: mpsc::Receiver<Result<RecordBatch, QueryError>>,
    task: Option<AbortOnDropHandle<()>>,
    timer: Pin<Box<Sleep>>,
    cancelled: Pin<Box<tokio_util::sync::WaitForCancellationFutureOwned>>,
    allowed: Duration,
    halt: Halt,
}

/// Cancels when dropped, so that a query ends with its stream.
struct Halt(CancellationToken);

impl Drop for Halt {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Batches {
    /// Columns of the batches.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Why the query must stop although it still runs.
    fn stopped(&mut self, cx: &mut Context<'_>) -> Option<QueryError> {
        if self.cancelled.as_mut().poll(cx).is_ready() {
            return Some(QueryError::Cancelled);
        }
        self.timer.as_mut().poll(cx).is_ready().then_some(QueryError::Deadline(self.allowed))
    }
}

impl Stream for Batches {
    type Item = Result<RecordBatch, QueryError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.task.is_none() {
            return Poll::Ready(None);
        }
        // First of all: a query that always has a batch ready must stop as well.
        let item = match this.stopped(cx) {
            Some(error) => Some(Err(error)),
            None => std::task::ready!(this.receiver.poll_recv(cx)),
        };
        if !matches!(item, Some(Ok(_))) {
            this.task = None;
            this.halt.0.cancel();
        }
        Poll::Ready(item)
    }
}
