//! Reads the statements of the extended protocol: takes a text and the types that the client says
//! its parameters have, gives the work with its columns and parameters.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::Statement;
use pgwire::api::portal::Format;
use pgwire::api::results::FieldInfo;
use pgwire::api::stmt::QueryParser;
use pgwire::api::{ClientInfo, Type};
use pgwire::error::PgWireResult;

use super::cancel::Stop;
use super::cursor::Cursors;
use super::handlers::{Prepared, caller};
use super::titles::titled;
use super::work::{self, Work};
use super::{rows, session, types};
use crate::error::QueryError;
use crate::service::QueryService;

/// Reads for one connection.
pub(super) struct Reader {
    service: QueryService,
    stop: Arc<Stop>,
    cursors: Arc<Cursors>,
}

impl Reader {
    pub(super) fn new(service: QueryService, stop: Arc<Stop>, cursors: Arc<Cursors>) -> Self {
        Self { service, stop, cursors }
    }
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
        let mut all = work::read(&self.service.inner.parser, sql)?;
        let Some(work) = all.pop() else { return Ok(None) };
        if !all.is_empty() {
            let many = "cannot insert multiple commands into a prepared statement".to_owned();
            return Err(QueryError::Syntax(many).into());
        }
        let Some(query) = work.query() else {
            return Ok(Some(Prepared { work, schema: None, parameters: Arc::new([]) }));
        };
        let caller = caller(&self.service, &self.stop, client);
        let said = said.to_vec();
        let parameters = move |plan: &LogicalPlan| types::parameters(plan, &said);
        let asked = Statement::clone(query);
        let (parameters, schema) =
            self.service.describe(&caller, asked, types::shape, parameters).await?;
        let schema = Some(titled(&schema, query));
        Ok(Some(Prepared { work, schema, parameters: parameters.into() }))
    }

    fn get_parameter_types(&self, prepared: &Prepared) -> PgWireResult<Vec<Type>> {
        Ok(prepared.parameters.iter().map(|p| p.wire.clone()).collect())
    }

    fn get_result_schema(
        &self,
        prepared: &Prepared,
        format: Option<&Format>,
    ) -> PgWireResult<Vec<FieldInfo>> {
        let format = format.unwrap_or(&Format::UnifiedText);
        match &prepared.work {
            Work::Session(statement) => Ok(session::fields(statement)),
            Work::Query(_) => match &prepared.schema {
                Some(schema) => rows::fields(schema, format, None),
                None => Ok(vec![]),
            },
            // A cursor that is not there is the failure of the FETCH.
            Work::Fetch { cursor, .. } => match self.cursors.find(cursor) {
                Some(cursor) => rows::fields(&cursor.schema, format, None),
                None => Ok(vec![]),
            },
            Work::Declare(_) | Work::Close(_) | Work::Copy(..) => Ok(vec![]),
        }
    }
}
