//! Statements of one connection, by the simple and the extended protocol. Both check each statement
//! against the allow-list before anything else, run it on its own snapshot, and send rows as they
//! come.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::common::ParamValues;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::Statement;
use datafusion_postgres::arrow_pg::datatypes::{arrow_schema_to_pg_fields, encode_recordbatch};
use futures::Sink;
use futures::stream::{self, StreamExt, TryStreamExt};
use pgwire::api::portal::{Format, Portal, PortalExecutionState};
use pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler, send_query_response};
use pgwire::api::results::{FieldInfo, QueryResponse, Response};
use pgwire::api::stmt::QueryParser;
use pgwire::api::store::{Entry, PortalStore};
use pgwire::api::{ClientInfo, ClientPortalStore, DEFAULT_NAME, PgWireConnectionState, Type};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::extendedquery::Execute;
use pgwire::messages::response::TransactionStatus;
use pgwire::types::format::FormatOptions;

use super::cancel::Stop;
use super::session;
use super::types::{self, Parameter};
use crate::error::QueryError;
use crate::service::{Caller, QueryService, Running};
use crate::session::statement;

/// One connection.
pub(super) struct Connection {
    service: QueryService,
    stop: Arc<Stop>,
    reader: Arc<Reader>,
}

/// A statement that was read, checked and, if it is a query, planned.
#[derive(Clone)]
pub(super) enum Prepared {
    /// About the connection.
    Session(Arc<Statement>),
    /// A query: its columns and parameters as described to the client.
    Query { statement: Arc<Statement>, schema: SchemaRef, parameters: Arc<[Parameter]> },
}

impl Connection {
    pub(super) fn new(service: QueryService, stop: Arc<Stop>) -> Self {
        let reader = Arc::new(Reader { service: service.clone(), stop: Arc::clone(&stop) });
        Self { service, stop, reader }
    }

    /// A query whose rows are sent as they come.
    async fn query<C: ClientInfo>(
        &self,
        client: &C,
        caller: &Caller,
        statement: Statement,
        params: Option<ParamValues>,
        format: &Format,
    ) -> PgWireResult<QueryResponse> {
        let running = self.service.run(caller, statement, params, types::shape).await?;
        let options = Arc::new(FormatOptions::from_client_metadata(client.metadata()));
        let fields = arrow_schema_to_pg_fields(&running.schema(), format, Some(options))?;
        Ok(rows(running, Arc::new(fields)))
    }

    /// The same, started only when its first row is asked for: of several statements in one text
    /// the next runs when the one before has been sent.
    async fn later<C: ClientInfo>(
        &self,
        client: &C,
        caller: Caller,
        statement: Statement,
    ) -> PgWireResult<QueryResponse> {
        let ((), schema) = self
            .service
            .describe(&caller, statement.clone(), types::shape, |_| Ok(((), None)))
            .await?;
        let options = Arc::new(FormatOptions::from_client_metadata(client.metadata()));
        let fields = arrow_schema_to_pg_fields(&schema, &Format::UnifiedText, Some(options))?;
        let fields = Arc::new(fields);
        let (service, columns) = (self.service.clone(), Arc::clone(&fields));
        let started = stream::once(async move {
            let running = service.run(&caller, statement, None, types::shape).await?;
            Ok::<_, PgWireError>(rows(running, columns).data_rows)
        });
        Ok(QueryResponse::new(fields, started.try_flatten()))
    }
}

/// Whoever sends the next statement of a connection.
fn caller<C: ClientInfo + ?Sized>(service: &QueryService, stop: &Stop, client: &C) -> Caller {
    Caller {
        cancel: stop.next(),
        timeout: session::statement_timeout(client),
        ..service.anyone("pg")
    }
}

fn rows(running: Running, fields: Arc<Vec<FieldInfo>>) -> QueryResponse {
    let columns = Arc::clone(&fields);
    let rows = running.map(move |batch| match batch {
        Ok(batch) => stream::iter(encode_recordbatch(Arc::clone(&columns), batch)).left_stream(),
        Err(error) => stream::iter([Err(PgWireError::from(error))]).right_stream(),
    });
    QueryResponse::new(fields, rows.flatten())
}

/// A transaction that has failed takes nothing but its end, as in PostgreSQL.
fn refuse_if_aborted<C: ClientInfo + ?Sized>(
    client: &C,
    statement: &Statement,
) -> PgWireResult<()> {
    let ends = matches!(statement, Statement::Commit { .. } | Statement::Rollback { .. });
    if ends || client.transaction_status() != TransactionStatus::Error {
        return Ok(());
    }
    Err(PgWireError::UserError(Box::new(ErrorInfo::new(
        "ERROR".to_owned(),
        "25P02".to_owned(),
        "current transaction is aborted, commands ignored until end of transaction block"
            .to_owned(),
    ))))
}

#[async_trait]
impl SimpleQueryHandler for Connection {
    async fn do_query<C>(&self, client: &mut C, query: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let parser = &self.service.inner.parser;
        let mut statements = parser.parse(query)?;
        // All are checked before the first one runs.
        for statement in &mut statements {
            refuse_if_aborted(client, statement)?;
            if session::concerns(statement) {
                session::check(statement)?;
            } else {
                statement::check(statement)?;
                *statement = parser.expand(statement.clone())?;
            }
        }
        let alone = statements.len() == 1;
        // One for the whole text: a cancellation stops all of it, whichever statement runs.
        let caller = caller(&self.service, &self.stop, client);
        let mut responses = Vec::with_capacity(statements.len());
        for statement in statements {
            responses.push(if session::concerns(&statement) {
                session::answer(client, &statement)?
            } else if alone {
                let format = Format::UnifiedText;
                Response::Query(self.query(client, &caller, statement, None, &format).await?)
            } else {
                Response::Query(self.later(client, caller.clone(), statement).await?)
            });
        }
        if responses.is_empty() {
            responses.push(Response::EmptyQuery);
        }
        Ok(responses)
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
        _max_rows: usize,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        match &portal.statement.statement {
            Prepared::Session(statement) => {
                refuse_if_aborted(client, statement)?;
                session::answer(client, statement)
            }
            Prepared::Query { statement, parameters, .. } => {
                refuse_if_aborted(client, statement)?;
                let params = types::values(portal, parameters)?;
                let statement = Statement::clone(statement);
                let caller = caller(&self.service, &self.stop, client);
                let format = &portal.result_column_format;
                Ok(Response::Query(self.query(client, &caller, statement, params, format).await?))
            }
        }
    }

    /// Sends all rows of a query as they come. The default gathers them first.
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
        let state = portal.state();
        let fresh = matches!(&*state.lock().await, PortalExecutionState::Initial);
        let query = matches!(portal.statement.statement, Prepared::Query { .. });
        let ready = matches!(client.state(), PgWireConnectionState::ReadyForQuery);
        if message.max_rows != 0 || !fresh || !query || !ready {
            return self._on_execute(client, message).await;
        }
        client.set_state(PgWireConnectionState::QueryInProgress);
        if let Response::Query(rows) =
            ExtendedQueryHandler::do_query(self, client, &portal, 0).await?
        {
            send_query_response(client, rows, false).await?;
        }
        *state.lock().await = PortalExecutionState::Finished;
        client.set_state(PgWireConnectionState::ReadyForQuery);
        Ok(())
    }
}

/// Reads the statements of the extended protocol.
pub(super) struct Reader {
    service: QueryService,
    stop: Arc<Stop>,
}

#[async_trait]
impl QueryParser for Reader {
    type Statement = Prepared;

    async fn parse_sql<C>(
        &self,
        client: &C,
        sql: &str,
        said: &[Option<Type>],
    ) -> PgWireResult<Option<Prepared>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        let parser = &self.service.inner.parser;
        let mut statements = parser.parse(sql)?;
        let Some(statement) = statements.pop() else { return Ok(None) };
        if !statements.is_empty() {
            let many = "cannot insert multiple commands into a prepared statement".to_owned();
            return Err(QueryError::Syntax(many).into());
        }
        if session::concerns(&statement) {
            session::check(&statement)?;
            return Ok(Some(Prepared::Session(Arc::new(statement))));
        }
        statement::check(&statement)?;
        let statement = parser.expand(statement)?;
        let caller = caller(&self.service, &self.stop, client);
        let said = said.to_vec();
        let parameters = move |plan: &LogicalPlan| types::parameters(plan, &said);
        let (parameters, schema) =
            self.service.describe(&caller, statement.clone(), types::shape, parameters).await?;
        let (statement, parameters) = (Arc::new(statement), parameters.into());
        Ok(Some(Prepared::Query { statement, schema, parameters }))
    }

    fn get_parameter_types(&self, prepared: &Prepared) -> PgWireResult<Vec<Type>> {
        Ok(match prepared {
            Prepared::Session(_) => vec![],
            Prepared::Query { parameters, .. } => {
                parameters.iter().map(|p| p.wire.clone()).collect()
            }
        })
    }

    fn get_result_schema(
        &self,
        prepared: &Prepared,
        format: Option<&Format>,
    ) -> PgWireResult<Vec<FieldInfo>> {
        match prepared {
            Prepared::Session(statement) => Ok(session::fields(statement)),
            Prepared::Query { schema, .. } => {
                arrow_schema_to_pg_fields(schema, format.unwrap_or(&Format::UnifiedText), None)
            }
        }
    }
}
