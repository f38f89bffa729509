//! Rows that a client takes in parts: cursors (DECLARE, FETCH, CLOSE). A cursor runs from its first
//! FETCH on, under the deadline of any query; each FETCH may be stopped by itself, and takes the
//! cursor with it. Owns the cursors of one connection; portals in parts are the protocol's own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::ParamValues;
use futures::stream::{self, Stream, StreamExt};
use pgwire::error::{PgWireError, PgWireResult};

use super::rows::failure;
use super::types;
use super::work::Declared;
use crate::error::QueryError;
use crate::limits;
use crate::service::{Caller, QueryService, Running};

/// The cursors of one connection, by name.
#[derive(Default)]
pub(super) struct Cursors(Mutex<BTreeMap<String, Arc<Cursor>>>);

/// One cursor.
pub(super) struct Cursor {
    /// Its columns.
    pub(super) schema: SchemaRef,
    declared: Declared,
    rows: tokio::sync::Mutex<Rows>,
}

/// How far a cursor is.
enum Rows {
    /// Not begun: the parameters of its query.
    Waiting(Option<ParamValues>),
    /// What runs, and what was left of its last batch.
    Open(Running, Option<RecordBatch>),
    /// All rows were taken.
    Ended,
    /// A FETCH failed or was stopped: what is left is not known.
    Failed,
}

impl Cursors {
    /// Takes a cursor in.
    ///
    /// # Errors
    /// When there is one of that name, or too many.
    pub(super) fn declare(
        &self,
        declared: &Declared,
        schema: SchemaRef,
        params: Option<ParamValues>,
    ) -> PgWireResult<()> {
        let mut cursors = self.map();
        if cursors.contains_key(&declared.name) {
            let exists = format!("cursor \"{}\" already exists", declared.name);
            return Err(failure("42P03", exists, "close it, or choose another name"));
        }
        if cursors.len() >= limits::PG_CURSORS_MAX {
            let many = format!("the connection has {} cursors, the most allowed", cursors.len());
            return Err(failure("53400", many, "close some"));
        }
        let rows = tokio::sync::Mutex::new(Rows::Waiting(params));
        let cursor = Cursor { schema, declared: declared.clone(), rows };
        cursors.insert(declared.name.clone(), Arc::new(cursor));
        Ok(())
    }

    /// The cursor of a name.
    pub(super) fn find(&self, name: &str) -> Option<Arc<Cursor>> {
        self.map().get(name).cloned()
    }

    /// The cursor of a name, which must be there.
    pub(super) fn get(&self, name: &str) -> PgWireResult<Arc<Cursor>> {
        self.find(name).ok_or_else(|| unknown(name))
    }

    /// Lets a cursor go, or all.
    pub(super) fn close(&self, name: Option<&str>) -> PgWireResult<()> {
        let Some(name) = name else {
            self.map().clear();
            return Ok(());
        };
        self.map().remove(name).map(drop).ok_or_else(|| unknown(name))
    }

    /// Lets those go that do not outlive their transaction.
    pub(super) fn end_of_transaction(&self) {
        self.map().retain(|_, cursor| cursor.declared.hold);
    }

    fn map(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Cursor>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown(name: &str) -> PgWireError {
    let message = format!("cursor \"{name}\" does not exist");
    failure("34000", message, "without WITH HOLD a cursor ends with its transaction")
}

impl Cursor {
    /// Whether its rows are binary where the protocol does not say.
    pub(super) fn binary(&self) -> bool {
        self.declared.binary
    }

    /// Its next rows, at most so many. The caller's cancellation and timeout are those of this
    /// FETCH; what it leaves waits for the next one, until the deadline of any query.
    pub(super) fn fetch(
        self: Arc<Self>,
        service: QueryService,
        caller: Caller,
        most: Option<usize>,
    ) -> impl Stream<Item = Result<RecordBatch, QueryError>> + Send + 'static {
        let patience = caller.timeout;
        let late = async move {
            match patience {
                Some(patience) => tokio::time::sleep(patience).await,
                None => std::future::pending().await,
            }
        };
        let late = Box::pin(late);
        let start = (self, service, caller, late, most.unwrap_or(usize::MAX));
        stream::unfold(Some(start), move |state| async move {
            let (cursor, service, caller, mut late, left) = state?;
            if left == 0 {
                return None;
            }
            let mut rows = cursor.rows.lock().await;
            let next = tokio::select! {
                biased;
                () = caller.cancel.cancelled() => Some(Err(QueryError::Cancelled)),
                () = &mut late => Some(Err(QueryError::Deadline(patience.unwrap_or(Duration::ZERO)))),
                next = rows.next(&cursor.declared, &service, &caller, left) => next,
            };
            let next = next?;
            let rest = match &next {
                Ok(batch) => Some(left - batch.num_rows()),
                Err(_) => {
                    *rows = Rows::Failed;
                    None
                }
            };
            drop(rows);
            Some((next, rest.map(|left| (cursor, service, caller, late, left))))
        })
    }
}

impl Rows {
    /// The next batch, of at most so many rows.
    async fn next(
        &mut self,
        declared: &Declared,
        service: &QueryService,
        caller: &Caller,
        most: usize,
    ) -> Option<Result<RecordBatch, QueryError>> {
        if let Self::Waiting(params) = self {
            let params = params.take();
            // Its own deadline is the server's: the caller's is that of one FETCH.
            let caller = Caller { timeout: None, ..caller.clone() };
            let query = declared.query.as_ref().clone();
            match service.run(&caller, query, params, types::shape).await {
                Ok(running) => *self = Self::Open(running, None),
                Err(error) => return Some(Err(error)),
            }
        }
        let (running, kept) = match self {
            Self::Open(running, kept) => (running, kept),
            Self::Failed => return Some(Err(stopped(&declared.name))),
            Self::Waiting(_) | Self::Ended => return None,
        };
        let batch = match kept.take() {
            Some(batch) => Some(Ok(batch)),
            None => loop {
                match running.next().await {
                    Some(Ok(batch)) if batch.num_rows() == 0 => {}
                    next => break next,
                }
            },
        };
        match batch {
            Some(Ok(batch)) if batch.num_rows() > most => {
                *kept = Some(batch.slice(most, batch.num_rows() - most));
                Some(Ok(batch.slice(0, most)))
            }
            None => {
                *self = Self::Ended;
                None
            }
            batch => batch,
        }
    }
}

fn stopped(name: &str) -> QueryError {
    QueryError::Invalid(format!(
        "cursor \"{name}\" was stopped by the FETCH before: declare it again"
    ))
}
