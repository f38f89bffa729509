//! Statements of one connection, by the simple and the extended protocol. Both let the same work
//! through (`work`), run each query on its own snapshot, and send rows as they come.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::common::ParamValues;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::Statement;
use futures::{Sink, SinkExt};
use pgwire::api::portal::{Format, Portal, PortalExecutionState};
use pgwire::api::query::{
    ExtendedQueryHandler, SimpleQueryHandler, send_describe_response, send_execution_response,
    send_ready_for_query,
};
use pgwire::api::results::{DescribePortalResponse, Response, Tag};
use pgwire::api::store::{Entry, PortalStore};
use pgwire::api::{ClientInfo, ClientPortalStore, DEFAULT_NAME, PgWireConnectionState};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::extendedquery::{
    Describe, Execute, Sync as Synchronize, TARGET_TYPE_BYTE_PORTAL,
};
use pgwire::messages::response::{EmptyQueryResponse, TransactionStatus};
use pgwire::messages::simplequery::Query;
use tokio_util::sync::CancellationToken;

use super::cancel::Stop;
use super::cursor::Cursors;
use super::parser::Reader;
use super::send::{Suspended, send, send_part};
use super::titles::titled;
use super::types::{self, Parameter};
use super::work::{self, Work};
use super::{rows, session};
use crate::error::QueryError;
use crate::service::{Caller, QueryService};

/// One connection.
pub(super) struct Connection {
    service: QueryService,
    stop: Arc<Stop>,
    reader: Arc<Reader>,
    cursors: Arc<Cursors>,
    suspended: Suspended,
}

/// A statement of the extended protocol that was read, checked and, if it is a query, planned.
#[derive(Clone)]
pub(super) struct Prepared {
    pub(super) work: Work,
    /// Columns of its query, as described to the client.
    pub(super) schema: Option<SchemaRef>,
    pub(super) parameters: Arc<[Parameter]>,
}

/// What a statement is given when it is done.
struct Given<'a> {
    caller: Caller,
    params: Option<ParamValues>,
    /// Columns of its query, where they are known.
    schema: Option<SchemaRef>,
    format: &'a Format,
    /// Whether the protocol says which format that is.
    says_format: bool,
    /// Whether it is a transaction by itself.
    alone: bool,
}

impl Connection {
    pub(super) fn new(service: QueryService, stop: Arc<Stop>) -> Self {
        let cursors = Arc::default();
        let reader = Reader::new(service.clone(), Arc::clone(&stop), Arc::clone(&cursors));
        Self { service, stop, reader: Arc::new(reader), cursors, suspended: Suspended::default() }
    }

    /// Does one statement. Rows come when they are asked for; a COPY is sent at once.
    async fn answer<C>(
        &self,
        client: &mut C,
        work: &Work,
        given: Given<'_>,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let done = |tag: &str| Ok(Response::Execution(Tag::new(tag)));
        let Given { caller, params, schema, format, says_format, alone } = given;
        match work {
            Work::Session(statement) => {
                match &**statement {
                    Statement::Discard { .. } => self.cursors.close(None)?,
                    Statement::Deallocate { name, .. } => {
                        client.portal_store().rm_statement(&name.value);
                    }
                    _ => {}
                }
                session::answer(client, statement)
            }
            Work::Query(query) => {
                let asked = Statement::clone(query);
                let running = self.service.run(&caller, asked, params, types::shape).await?;
                let options = Some(rows::options(client));
                let fields = rows::fields(&titled(&running.schema(), query), format, options)?;
                Ok(Response::Query(rows::response(Arc::new(fields), running)))
            }
            Work::Declare(declared) => {
                if alone && !declared.hold {
                    session::inside(client, "DECLARE CURSOR")?;
                }
                let schema = match schema {
                    Some(schema) => schema,
                    None => {
                        let none = |_: &LogicalPlan| Ok(((), None));
                        let query = Statement::clone(&declared.query);
                        let (_, schema) =
                            self.service.describe(&caller, query, types::shape, none).await?;
                        titled(&schema, &declared.query)
                    }
                };
                self.cursors.declare(declared, schema, params)?;
                done("DECLARE CURSOR")
            }
            Work::Fetch { cursor, rows: most } => {
                let cursor = self.cursors.get(cursor)?;
                let binary = !says_format && cursor.binary();
                let format = if binary { &Format::UnifiedBinary } else { format };
                let options = Some(rows::options(client));
                let fields = rows::fields(&cursor.schema, format, options)?;
                let batches = cursor.fetch(self.service.clone(), caller, *most);
                let mut response = rows::response(Arc::new(fields), batches);
                response.set_command_tag("FETCH");
                Ok(Response::Query(response))
            }
            Work::Close(name) => {
                self.cursors.close(name.as_deref())?;
                done(if name.is_some() { "CLOSE CURSOR" } else { "CLOSE CURSOR ALL" })
            }
            Work::Copy(query, form) => {
                let asked = Statement::clone(query);
                let running = self.service.run(&caller, asked, params, types::shape).await?;
                let schema = titled(&running.schema(), query);
                Ok(Response::Execution(form.send(client, running, &schema).await?))
            }
        }
    }

    /// Runs a portal, or goes on with it; sends at most so many rows, or all when that is zero.
    async fn execute<C>(
        &self,
        client: &mut C,
        portal: &Portal<Prepared>,
        state: &mut PortalExecutionState,
        most: usize,
    ) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        portal.statement.statement.work.refuse_if_aborted(client)?;
        // What runs now knows its own cancellation; what ran before knows that of its start.
        let mut stopped = CancellationToken::new();
        if matches!(state, PortalExecutionState::Initial) {
            match ExtendedQueryHandler::do_query(self, client, portal, most).await? {
                Response::Query(rows) => *state = PortalExecutionState::Suspended(rows),
                response => {
                    *state = PortalExecutionState::Finished;
                    return send(client, response, false).await;
                }
            }
        } else {
            stopped = self.stop.next();
        }
        let PortalExecutionState::Suspended(rows) = state else {
            return send_execution_response(client, Tag::new("SELECT").with_rows(0)).await;
        };
        let more = tokio::select! {
            biased;
            () = stopped.cancelled() => return Err(QueryError::Cancelled.into()),
            more = send_part(client, rows, most) => more?,
        };
        if more {
            return self.suspended.note(portal);
        }
        *state = PortalExecutionState::Finished;
        Ok(())
    }

    /// Lets go of what ends with a transaction, once there is none.
    fn settle<C>(&self, client: &C)
    where
        C: ClientInfo + ClientPortalStore,
        C::PortalStore: PortalStore,
    {
        if client.transaction_status() == TransactionStatus::Idle {
            self.cursors.end_of_transaction();
            client.portal_store().clear_portals();
        }
    }
}

/// Whoever sends the next statement of a connection.
pub(super) fn caller<C: ClientInfo + ?Sized>(
    service: &QueryService,
    stop: &Stop,
    client: &C,
) -> Caller {
    let (pid, _) = client.pid_and_secret_key();
    Caller {
        pid: Some(pid),
        cancel: stop.next(),
        timeout: session::statement_timeout(client),
        ..service.anyone("pg")
    }
}

#[async_trait]
impl SimpleQueryHandler for Connection {
    /// Does the statements of a text one after another: each one's answer is sent before the next
    /// one starts.
    async fn on_query<C>(&self, client: &mut C, query: Query) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if !matches!(client.state(), PgWireConnectionState::ReadyForQuery) {
            return Err(PgWireError::NotReadyForQuery);
        }
        client.set_state(PgWireConnectionState::QueryInProgress);
        let all = work::read(&self.service.inner.parser, &query.query)?;
        if all.is_empty() {
            client
                .feed(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new()))
                .await?;
        }
        // One for the whole text: a cancellation stops all of it, whichever statement runs.
        let caller = caller(&self.service, &self.stop, client);
        for work in &all {
            work.refuse_if_aborted(client)?;
            let given = Given {
                caller: caller.clone(),
                params: None,
                schema: None,
                format: &Format::UnifiedText,
                says_format: false,
                alone: all.len() == 1,
            };
            let response = self.answer(client, work, given).await?;
            send(client, response, true).await?;
        }
        self.settle(client);
        client.set_state(PgWireConnectionState::ReadyForQuery);
        let status = client.transaction_status();
        send_ready_for_query(client, status).await
    }

    /// Never asked for: [`Self::on_query`] answers.
    async fn do_query<C>(&self, _: &mut C, _: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        Err(PgWireError::NotReadyForQuery)
    }
}

#[async_trait]
impl ExtendedQueryHandler for Connection {
    type Statement = Prepared;
    type QueryParser = Reader;

    fn query_parser(&self) -> Arc<Reader> {
        Arc::clone(&self.reader)
    }

    async fn do_query<C>(
        &self,
        client: &mut C,
        portal: &Portal<Prepared>,
        max_rows: usize,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let Prepared { work, schema, parameters } = &portal.statement.statement;
        let mut caller = caller(&self.service, &self.stop, client);
        // A timeout is of one message: rows in parts are bounded by that of each part.
        caller.timeout = caller.timeout.filter(|_| max_rows == 0);
        let given = Given {
            caller,
            params: types::values(portal, parameters)?,
            schema: schema.clone(),
            format: &portal.result_column_format,
            says_format: true,
            alone: true,
        };
        self.answer(client, work, given).await
    }

    /// Sends rows as they come, and keeps what is left of them for the next message. The default
    /// gathers them first, and takes as much memory as the client says it wants rows.
    async fn on_execute<C>(&self, client: &mut C, message: Execute) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        let Some(Entry::Value(portal)) = client.portal_store().get_portal(name) else {
            return self._on_execute(client, message).await;
        };
        if !matches!(client.state(), PgWireConnectionState::ReadyForQuery) {
            return Err(PgWireError::NotReadyForQuery);
        }
        client.set_state(PgWireConnectionState::QueryInProgress);
        let most = usize::try_from(message.max_rows).unwrap_or(0);
        let patience = session::statement_timeout(client);
        let state = portal.state();
        let mut state = state.lock().await;
        let run = self.execute(client, &portal, &mut state, most);
        let done = match patience {
            Some(patience) => match tokio::time::timeout(patience, run).await {
                Ok(done) => done,
                Err(_) => Err(QueryError::Deadline(patience).into()),
            },
            None => run.await,
        };
        if done.is_err() {
            *state = PortalExecutionState::Finished;
        }
        done?;
        client.set_state(PgWireConnectionState::ReadyForQuery);
        Ok(())
    }

    /// Describes cursors by their names, as portals: they are of one kind to PostgreSQL.
    async fn on_describe<C>(&self, client: &mut C, message: Describe) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        let portal = message.target_type == TARGET_TYPE_BYTE_PORTAL;
        let Some(cursor) = self.cursors.find(name).filter(|_| portal) else {
            return self._on_describe(client, message).await;
        };
        let fields = rows::fields(&cursor.schema, &Format::UnifiedText, None)?;
        send_describe_response(client, &DescribePortalResponse::new(fields)).await
    }

    async fn on_sync<C>(&self, client: &mut C, _: Synchronize) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        self.settle(client);
        let status = client.transaction_status();
        send_ready_for_query(client, status).await
    }
}
