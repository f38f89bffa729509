//! The whole way of a query on one screen: admit, read the text, take one snapshot, plan, run.
//! Takes SQL or a question, gives its stream of batches or its answer. It knows no protocol and
//! no format.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::ParamValues;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::Statement;
use futures::{Stream, TryStreamExt};
use spanledger_schemas::tables;
use spanledger_store::Store;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use tracing::field::Empty;

use crate::error::QueryError;
use crate::execute::{Admission, Batches, Bounds, Executor};
use crate::session::activity::Listed;
use crate::session::statement::StatementParser;
use crate::session::{Session, Sessions, units};
use crate::settings::QuerySettings;

/// Who asks, through which door.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Whose rows it sees; from its credential, never from what it sends (I-10).
    pub tenant: String,
    /// `http`, `pg` or `cli`, for metrics.
    pub door: &'static str,
    /// Process id that its connection was told, by which a statement is stopped; none but on `pg`.
    pub pid: Option<i32>,
    /// Stops the query when the caller says so.
    pub cancel: CancellationToken,
    /// A deadline sooner than the server's.
    pub timeout: Option<Duration>,
}

/// A query that runs: its columns, and its batches as a stream.
pub struct Running {
    /// Unit of each column, where it has one.
    pub units: Vec<Option<&'static str>>,
    /// Versions of the tables it reads (I-12).
    pub tables: BTreeMap<&'static str, i64>,
    batches: Batches,
    meter: Meter,
    _listed: Listed,
}

/// Answers queries over one store. Cheap to clone.
#[derive(Clone)]
pub struct QueryService {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    store: Store,
    sessions: Sessions,
    executor: Executor,
    pub(crate) parser: StatementParser,
    pub(crate) settings: QuerySettings,
    pub(crate) settled_until: SettledUntil,
}

/// Says up to which instant calls are settled, in microseconds since the epoch; the ledger knows.
pub type SettledUntil = Arc<dyn Fn() -> Option<i64> + Send + Sync>;

impl QueryService {
    /// A service over the store. `settled_until` is asked for each answer of a question.
    ///
    /// # Errors
    /// When threads or the spill folder cannot be had.
    pub fn new(
        store: Store,
        settings: QuerySettings,
        settled_until: SettledUntil,
    ) -> Result<Self, QueryError> {
        let sessions = Sessions::new(&settings)?;
        let executor = Executor::new(&settings)?;
        let parser = StatementParser::new();
        let inner = Inner { store, sessions, executor, parser, settings, settled_until };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The caller without a credential, through a door.
    pub fn anyone(&self, door: &'static str) -> Caller {
        Caller {
            tenant: self.inner.settings.tenant.clone(),
            door,
            pid: None,
            cancel: CancellationToken::new(),
            timeout: None,
        }
    }

    /// Runs the one reading statement of a text.
    ///
    /// # Errors
    /// See [`QueryError`]; what happens while it runs comes through the stream.
    pub async fn sql(
        &self,
        caller: &Caller,
        text: &str,
        params: Option<ParamValues>,
    ) -> Result<Running, QueryError> {
        tracing::debug!(door = caller.door, sql = text, "query");
        let meter = Meter::start(caller.door);
        match self.inner.parser.parse_one(text) {
            Ok(statement) => self.start(meter, caller, statement, params, Ok).await,
            Err(error) => Err(meter.failed(error)),
        }
    }

    /// Runs a checked, expanded statement; `shape` suits its plan to the types of a door.
    pub(crate) async fn run(
        &self,
        caller: &Caller,
        statement: Statement,
        params: Option<ParamValues>,
        shape: Shape,
    ) -> Result<Running, QueryError> {
        self.start(Meter::start(caller.door), caller, statement, params, shape).await
    }

    /// The columns of a checked, expanded statement without running it: what a prepared statement
    /// describes. `parameters` says what the plan's parameters are, and gives values to stand for
    /// them.
    pub(crate) async fn describe<P: Send + 'static>(
        &self,
        caller: &Caller,
        statement: Statement,
        shape: Shape,
        parameters: impl FnOnce(&LogicalPlan) -> Result<(P, Option<ParamValues>), QueryError>
        + Send
        + 'static,
    ) -> Result<(P, SchemaRef), QueryError> {
        let bounds = self.bounds(caller);
        let session = self.open(caller, &bounds).await?;
        let describe = async move {
            let mut plan = session.plan(&statement, None).await?;
            let (parameters, values) = parameters(&plan)?;
            if let Some(values) = values {
                plan = plan.replace_params_with_values(&values)?;
            }
            let plan = session.typed(shape(plan)?)?;
            Ok((parameters, Arc::new(plan.schema().as_arrow().clone())))
        };
        self.inner.executor.compute(&bounds, describe).await
    }

    /// Pins one snapshot for several statements (I-12), which together are one query: one place
    /// among those that run, one deadline. Its outcome is to be told to [`Pinned::end`].
    ///
    /// # Errors
    /// When there is no place, or the tables cannot be read.
    pub(crate) async fn pin(&self, caller: &Caller) -> Result<Pinned, QueryError> {
        let meter = Meter::start(caller.door);
        let bounds = self.bounds(caller);
        let opened = async {
            let admission = self.inner.executor.admit().await?;
            Ok((admission, self.open(caller, &bounds).await?))
        };
        match opened.instrument(meter.span.clone()).await {
            Ok((admission, session)) => Ok(Pinned {
                service: self.clone(),
                tenant: caller.tenant.clone(),
                session,
                bounds,
                admission,
                meter,
                rows: AtomicU64::new(0),
            }),
            Err(error) => Err(meter.failed(error)),
        }
    }

    async fn start(
        &self,
        meter: Meter,
        caller: &Caller,
        statement: Statement,
        params: Option<ParamValues>,
        shape: Shape,
    ) -> Result<Running, QueryError> {
        let Caller { tenant, door, pid, .. } = caller;
        let activity = self.inner.sessions.activity();
        let listed = activity.enter(tenant, door, *pid, statement.to_string());
        let started = async {
            let bounds = self.bounds(caller);
            let admission = self.inner.executor.admit().await?;
            let session = self.open(caller, &bounds).await?;
            let Planned { plan, units, tables } =
                self.plan(&session, statement, params, shape, &bounds).await?;
            let batches = self.inner.executor.run(session.state(), plan, &bounds, admission)?;
            Ok((units, tables, batches))
        };
        match started.instrument(meter.span.clone()).await {
            Ok((units, tables, batches)) => {
                Ok(Running { units, tables, batches, meter, _listed: listed })
            }
            Err(error) => Err(meter.failed(error)),
        }
    }

    /// A session on the newest snapshot.
    async fn open(&self, caller: &Caller, bounds: &Bounds) -> Result<Arc<Session>, QueryError> {
        let (inner, tenant) = (Arc::clone(&self.inner), caller.tenant.clone());
        let open = async move {
            let snapshot = inner.store.snapshot().await?;
            let providers =
                tables::ALL.into_iter().map(|t| (t.name, snapshot.provider(t))).collect();
            Ok(Arc::new(inner.sessions.open(providers, snapshot.versions(), &tenant)?))
        };
        let span = tracing::debug_span!("snapshot");
        self.inner.executor.compute(bounds, open.instrument(span)).await
    }

    async fn plan(
        &self,
        session: &Arc<Session>,
        statement: Statement,
        params: Option<ParamValues>,
        shape: Shape,
        bounds: &Bounds,
    ) -> Result<Planned, QueryError> {
        let session = Arc::clone(session);
        let plan = async move {
            let plan = shape(session.plan(&statement, params).await?)?;
            let (units, tables) = (units::of(&plan), session.read_by(&plan));
            Ok(Planned { plan: session.typed(plan)?, units, tables })
        };
        let span = tracing::debug_span!("plan");
        self.inner.executor.compute(bounds, plan.instrument(span)).await
    }

    fn bounds(&self, caller: &Caller) -> Bounds {
        Bounds::of(&self.inner.settings, caller.timeout, caller.cancel.clone())
    }
}

/// Suits a plan to the types that a door can send.
pub(crate) type Shape = fn(LogicalPlan) -> Result<LogicalPlan, QueryError>;

/// A plan that can run, and what is known of it before it does.
struct Planned {
    plan: LogicalPlan,
    units: Vec<Option<&'static str>>,
    tables: BTreeMap<&'static str, i64>,
}

/// One snapshot, for several statements.
pub(crate) struct Pinned {
    service: QueryService,
    tenant: String,
    session: Arc<Session>,
    bounds: Bounds,
    admission: Admission,
    meter: Meter,
    rows: AtomicU64,
}

impl Pinned {
    /// All rows of a reading statement.
    pub(crate) async fn rows(&self, text: &str) -> Result<Rows, QueryError> {
        self.read(text).instrument(self.meter.span.clone()).await
    }

    async fn read(&self, text: &str) -> Result<Rows, QueryError> {
        let inner = &self.service.inner;
        let statement = inner.parser.parse_one(text)?;
        let activity = inner.sessions.activity();
        let _listed = activity.enter(&self.tenant, self.meter.door, None, text.to_owned());
        let planned = self.service.plan(&self.session, statement, None, Ok, &self.bounds).await?;
        let (state, admission) = (self.session.state(), self.admission.clone());
        let batches = inner.executor.run(state, planned.plan, &self.bounds, admission)?;
        let schema = batches.schema();
        let batches: Vec<RecordBatch> = batches.try_collect().await?;
        let count = batches.iter().map(|b| b.num_rows() as u64).sum();
        self.rows.fetch_add(count, Ordering::Relaxed);
        Ok(Rows { schema, batches, tables: planned.tables })
    }

    /// Time since the query arrived.
    pub(crate) fn elapsed(&self) -> Duration {
        self.meter.started.elapsed()
    }

    /// Counts the query by what came of it.
    pub(crate) fn end<T>(mut self, outcome: Result<T, QueryError>) -> Result<T, QueryError> {
        match outcome {
            Ok(answer) => {
                self.meter.rows = self.rows.into_inner();
                self.meter.end("ok");
                Ok(answer)
            }
            Err(error) => Err(self.meter.failed(error)),
        }
    }
}

/// All rows of an answer.
pub(crate) struct Rows {
    pub(crate) schema: SchemaRef,
    pub(crate) batches: Vec<RecordBatch>,
    pub(crate) tables: BTreeMap<&'static str, i64>,
}

impl Running {
    /// Columns of the batches.
    pub fn schema(&self) -> SchemaRef {
        self.batches.schema()
    }

    /// Time since the query arrived.
    pub fn elapsed(&self) -> Duration {
        self.meter.started.elapsed()
    }
}

impl Stream for Running {
    type Item = Result<RecordBatch, QueryError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = std::task::ready!(Pin::new(&mut self.batches).poll_next(cx));
        match &item {
            Some(Ok(batch)) => self.meter.rows += batch.num_rows() as u64,
            Some(Err(error)) => self.meter.end(error.outcome()),
            None => self.meter.end("ok"),
        }
        Poll::Ready(item)
    }
}

/// Counts and traces one query, however it ends: one that is dropped half-way was given up by its
/// client.
struct Meter {
    door: &'static str,
    span: tracing::Span,
    started: Instant,
    rows: u64,
    ended: bool,
}

impl Meter {
    fn start(door: &'static str) -> Self {
        metrics::gauge!("spanledger_queries_active", "door" => door).increment(1.0);
        let span = tracing::debug_span!(
            "query",
            otel.kind = "server",
            door,
            outcome = Empty,
            rows = Empty
        );
        Self { door, span, started: Instant::now(), rows: 0, ended: false }
    }

    fn failed(mut self, error: QueryError) -> QueryError {
        self.end(error.outcome());
        error
    }

    fn end(&mut self, outcome: &'static str) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let door = self.door;
        self.span.record("outcome", outcome).record("rows", self.rows);
        metrics::gauge!("spanledger_queries_active", "door" => door).decrement(1.0);
        metrics::counter!("spanledger_queries_total", "door" => door, "outcome" => outcome)
            .increment(1);
        metrics::counter!("spanledger_query_rows_total", "door" => door).increment(self.rows);
        metrics::histogram!("spanledger_query_seconds", "door" => door)
            .record(self.started.elapsed().as_secs_f64());
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.end("cancelled");
    }
}
