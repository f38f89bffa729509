//! What a client may say on this door: reading statements (queries, cursors over them, COPY of
//! them to the client) and those about the connection. Takes texts, gives what is to be done;
//! everything else is refused here, before anything of the text is done.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{
    CloseCursor, CopySource, CopyTarget, Declare, FetchDirection, Ident, Query, Statement,
    ValueWithSpan,
};
use pgwire::api::ClientInfo;
use pgwire::error::PgWireResult;
use pgwire::messages::response::TransactionStatus;

use super::copy::Form;
use super::rows::failure;
use super::session;
use crate::error::QueryError;
use crate::session::statement::{self, StatementParser, refusal};

/// One statement that was checked, with questions expanded.
#[derive(Debug, Clone)]
pub(super) enum Work {
    /// About the connection.
    Session(Arc<Statement>),
    /// A query whose rows are sent.
    Query(Arc<Statement>),
    /// A query whose rows are kept under a name.
    Declare(Declared),
    /// Rows of a cursor.
    Fetch {
        /// Its name.
        cursor: String,
        /// Rows at most; none: all that are left.
        rows: Option<usize>,
    },
    /// The end of a cursor, or of all.
    Close(Option<String>),
    /// A query whose rows are sent as a file.
    Copy(Arc<Statement>, Form),
}

/// A cursor as it is declared.
#[derive(Debug, Clone)]
pub(super) struct Declared {
    pub(super) name: String,
    /// Whether it outlives its transaction.
    pub(super) hold: bool,
    /// Whether its rows are binary where the protocol does not say.
    pub(super) binary: bool,
    pub(super) query: Arc<Statement>,
}

impl Work {
    /// The statement whose columns and parameters are those of the work.
    pub(super) fn query(&self) -> Option<&Arc<Statement>> {
        match self {
            Self::Query(query) | Self::Copy(query, _) => Some(query),
            Self::Declare(declared) => Some(&declared.query),
            Self::Session(_) | Self::Fetch { .. } | Self::Close(_) => None,
        }
    }

    /// Refuses work of a transaction that has failed, which takes nothing but its end.
    pub(super) fn refuse_if_aborted<C: ClientInfo + ?Sized>(&self, client: &C) -> PgWireResult<()> {
        let ends = matches!(self, Self::Session(statement)
            if matches!(**statement, Statement::Commit { .. } | Statement::Rollback { .. }));
        if ends || client.transaction_status() != TransactionStatus::Error {
            return Ok(());
        }
        let message =
            "current transaction is aborted, commands ignored until end of transaction block";
        Err(failure("25P02", message.to_owned(), "send ROLLBACK"))
    }
}

/// Reads a text, all of it before the first statement is done.
pub(super) fn read(parser: &StatementParser, text: &str) -> PgWireResult<Vec<Work>> {
    let statements = parser.parse(text)?;
    let many = statements.len() > 1;
    let work: Vec<_> =
        statements.into_iter().map(|one| of(parser, one)).collect::<PgWireResult<_>>()?;
    if many && work.iter().any(|work| matches!(work, Work::Copy(..))) {
        let alone = "COPY is refused among other statements".to_owned();
        return Err(failure("0A000", alone, "send COPY alone"));
    }
    Ok(work)
}

fn of(parser: &StatementParser, statement: Statement) -> PgWireResult<Work> {
    let reading = |statement: Statement| -> PgWireResult<Arc<Statement>> {
        statement::check(&statement)?;
        Ok(Arc::new(parser.expand(statement)?))
    };
    if session::concerns(&statement) {
        session::check(&statement)?;
        return Ok(Work::Session(Arc::new(statement)));
    }
    match statement {
        Statement::Declare { ref stmts } => {
            let [Declare { names, hold, binary, for_query: Some(query), .. }] = stmts.as_slice()
            else {
                return Err(refusal(&statement).into());
            };
            let [name] = names.as_slice() else { return Err(refusal(&statement).into()) };
            Ok(Work::Declare(Declared {
                name: folded(name),
                hold: *hold == Some(true),
                binary: *binary == Some(true),
                query: reading(Statement::Query(query.clone()))?,
            }))
        }
        Statement::Fetch { name, direction, into: None, .. } => {
            Ok(Work::Fetch { cursor: folded(&name), rows: rows(&direction)? })
        }
        Statement::Close { cursor } => Ok(Work::Close(match cursor {
            CloseCursor::All => None,
            CloseCursor::Specific { name } => Some(folded(&name)),
        })),
        Statement::Copy { ref source, to: true, target: CopyTarget::Stdout, .. } => {
            let form = Form::of(&statement)?;
            Ok(Work::Copy(reading(Statement::Query(copied(parser, source)?))?, form))
        }
        Statement::Copy { to: true, .. } => {
            let file = "COPY to a file or a program of the server is refused".to_owned();
            Err(failure("42501", file, "use COPY ... TO STDOUT, or \\copy in psql"))
        }
        statement => Ok(Work::Query(reading(statement)?)),
    }
}

/// The query that COPY reads from.
fn copied(parser: &StatementParser, source: &CopySource) -> PgWireResult<Box<Query>> {
    let (table, columns) = match source {
        CopySource::Query(query) => return Ok(query.clone()),
        CopySource::Table { table_name, columns } => (table_name, columns),
    };
    let columns: Vec<_> = columns.iter().map(ToString::to_string).collect();
    let columns = if columns.is_empty() { "*".to_owned() } else { columns.join(", ") };
    let text = format!("SELECT {columns} FROM {table}");
    match parser.parse(&text)?.pop() {
        Some(Statement::Query(query)) => Ok(query),
        _ => Err(QueryError::Syntax(format!("cannot copy from `{table}`")).into()),
    }
}

/// Rows that a FETCH takes at most.
fn rows(direction: &FetchDirection) -> PgWireResult<Option<usize>> {
    let count = |limit: &ValueWithSpan| {
        let text = limit.value.to_string();
        let count = text.parse().map(Some);
        count.map_err(|_| {
            failure("22023", format!("cannot fetch `{text}` rows"), "say a number, or ALL")
        })
    };
    match direction {
        FetchDirection::Next | FetchDirection::Forward { limit: None } => Ok(Some(1)),
        FetchDirection::All | FetchDirection::ForwardAll => Ok(None),
        FetchDirection::Count { limit } | FetchDirection::Forward { limit: Some(limit) } => {
            count(limit)
        }
        _ => {
            let forward = "cursor can only scan forward".to_owned();
            Err(failure("55000", forward, "declare the cursor again to start over"))
        }
    }
}

/// A name as PostgreSQL takes it: in small letters, unless it is quoted.
fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}
