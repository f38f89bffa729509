//! Statements about the connection, not about data: SET, SHOW, transactions, DISCARD. Clients send
//! them unasked when they connect; they change nothing but the connection's own settings.

use std::sync::Arc;
use std::time::Duration;

use datafusion::sql::sqlparser::ast::{Expr, ObjectName, Set, Statement, Value};
use pgwire::api::ClientInfo;
use pgwire::api::Type;
use pgwire::api::results::{DataRowEncoder, FieldFormat, FieldInfo, QueryResponse, Response, Tag};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::response::TransactionStatus;

use super::rows::failure;
use crate::error::QueryError;
use crate::session::functions::pg_setting;
use crate::session::statement::refusal;

/// Settings that are taken beside those PostgreSQL shows, since they change nothing here.
const TAKEN: [&str; 11] = [
    "application_name",
    "client_min_messages",
    "default_tablespace",
    "enable_seqscan",
    "idle_in_transaction_session_timeout",
    "lock_timeout",
    "max_parallel_workers_per_gather",
    "row_security",
    "session_characteristics",
    "synchronous_commit",
    "work_mem",
];

/// Whether a statement is about the connection.
pub(super) fn concerns(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::Set(_)
            | Statement::ShowVariable { .. }
            | Statement::Reset(_)
            | Statement::StartTransaction { .. }
            | Statement::Commit { .. }
            | Statement::Rollback { .. }
            | Statement::Savepoint { .. }
            | Statement::ReleaseSavepoint { .. }
            | Statement::Discard { .. }
            | Statement::Deallocate { .. }
            | Statement::UNLISTEN { .. }
    )
}

/// Columns of the statement's answer.
pub(super) fn fields(statement: &Statement) -> Vec<FieldInfo> {
    match statement {
        Statement::ShowVariable { variable } => {
            let name = shown(&words(variable));
            vec![FieldInfo::new(name, None, None, Type::TEXT, FieldFormat::Text)]
        }
        _ => vec![],
    }
}

/// Does a statement that [`check`] let pass.
pub(super) fn answer<C: ClientInfo>(
    client: &mut C,
    statement: &Statement,
) -> PgWireResult<Response> {
    let done = |tag: &str| Ok(Response::Execution(Tag::new(tag)));
    match statement {
        Statement::Set(set) => {
            assign(client, set);
            done("SET")
        }
        Statement::Reset(_) => {
            client.metadata_mut().remove("statement_timeout");
            done("RESET")
        }
        Statement::ShowVariable { variable } => show(client, statement, &words(variable)),
        Statement::StartTransaction { .. } => Ok(Response::TransactionStart(Tag::new("BEGIN"))),
        Statement::Commit { .. } => {
            let failed = client.transaction_status() == TransactionStatus::Error;
            Ok(Response::TransactionEnd(Tag::new(if failed { "ROLLBACK" } else { "COMMIT" })))
        }
        Statement::Rollback { savepoint: None, .. } => {
            Ok(Response::TransactionEnd(Tag::new("ROLLBACK")))
        }
        // Nothing was written since: the transaction goes on, even one that had failed.
        Statement::Rollback { .. } => {
            inside(client, "ROLLBACK TO SAVEPOINT")?;
            client.set_transaction_status(TransactionStatus::Transaction);
            done("ROLLBACK")
        }
        Statement::Savepoint { .. } => {
            inside(client, "SAVEPOINT")?;
            done("SAVEPOINT")
        }
        Statement::ReleaseSavepoint { .. } => {
            inside(client, "RELEASE SAVEPOINT")?;
            done("RELEASE")
        }
        Statement::Discard { .. } => {
            client.metadata_mut().remove("statement_timeout");
            done("DISCARD ALL")
        }
        Statement::Deallocate { .. } => done("DEALLOCATE"),
        Statement::UNLISTEN { .. } => done("UNLISTEN"),
        _ => Err(refusal(statement).into()),
    }
}

/// Refuses what makes sense inside a transaction only.
pub(super) fn inside<C: ClientInfo + ?Sized>(client: &C, what: &str) -> PgWireResult<()> {
    if client.transaction_status() != TransactionStatus::Idle {
        return Ok(());
    }
    let message = format!("{what} can only be used in transaction blocks");
    Err(failure("25P01", message, "send BEGIN first"))
}

/// The deadline that the client has set for its statements.
pub(super) fn statement_timeout<C: ClientInfo + ?Sized>(client: &C) -> Option<Duration> {
    let text = client.metadata().get("statement_timeout")?;
    duration(text).filter(|timeout| !timeout.is_zero())
}

/// Whether the statement may be done.
pub(super) fn check(statement: &Statement) -> PgWireResult<()> {
    let Statement::Set(set) = statement else { return Ok(()) };
    match set {
        Set::SingleAssignment { variable, values, .. } => {
            let (name, value) = (name_of(variable), value_of(values));
            if pg_setting(&name).is_none() && !TAKEN.contains(&name.as_str()) {
                return Err(unknown(&name));
            }
            if name == "statement_timeout" && duration(&value).is_none() {
                return Err(QueryError::Parameter {
                    what: name,
                    found: value,
                    expected: "milliseconds, or a duration such as 5s or 2min".to_owned(),
                }
                .into());
            }
            Ok(())
        }
        // Instants carry their offset in every format: their zone changes no value.
        Set::SetTimeZone { .. } | Set::SetNames { .. } | Set::SetTransaction { .. } => Ok(()),
        _ => Err(refusal(statement).into()),
    }
}

fn assign<C: ClientInfo>(client: &mut C, set: &Set) {
    if let Set::SingleAssignment { variable, values, .. } = set {
        client.metadata_mut().insert(name_of(variable), value_of(values));
    }
}

fn name_of(variable: &ObjectName) -> String {
    variable.to_string().to_lowercase().replace('"', "")
}

fn value_of(values: &[Expr]) -> String {
    values.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn show<C: ClientInfo>(client: &C, statement: &Statement, name: &str) -> PgWireResult<Response> {
    let own = client.metadata().get(name).map(String::as_str);
    let value = own.or_else(|| pg_setting(name)).ok_or_else(|| unknown(name))?;
    let fields = Arc::new(fields(statement));
    let mut row = DataRowEncoder::new(Arc::clone(&fields));
    row.encode_field(&Some(value))?;
    let row = row.take_row();
    let mut response = QueryResponse::new(fields, futures::stream::iter([Ok(row)]));
    response.set_command_tag("SHOW");
    Ok(Response::Query(response))
}

/// The setting's name: PostgreSQL writes two of them in words.
fn words(variable: &[datafusion::sql::sqlparser::ast::Ident]) -> String {
    let words: Vec<_> = variable.iter().map(|word| word.value.to_lowercase()).collect();
    match words.join(" ").as_str() {
        "time zone" => "timezone".to_owned(),
        "transaction isolation level" => "transaction_isolation".to_owned(),
        _ => words.join("."),
    }
}

/// The name as PostgreSQL heads the column.
fn shown(name: &str) -> String {
    match name {
        "timezone" => "TimeZone".to_owned(),
        "datestyle" => "DateStyle".to_owned(),
        "intervalstyle" => "IntervalStyle".to_owned(),
        name => name.to_owned(),
    }
}

fn unknown(name: &str) -> PgWireError {
    let message = format!("unrecognized configuration parameter \"{name}\"");
    failure("42704", message, "settings of the server itself are in its settings file")
}

fn text(value: &Expr) -> String {
    match value {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => text.clone(),
            other => other.to_string(),
        },
        other => other.to_string(),
    }
}

/// `5000`, `500ms`, `5s`, `2min`, `1h`, as PostgreSQL reads a time of unit milliseconds.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let count: u64 = digits.parse().ok()?;
    let ms = match text[digits.len()..].trim() {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    count.checked_mul(ms).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_postgresql_reads_them() {
        assert_eq!(duration("5000"), Some(Duration::from_secs(5)));
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("2 min"), Some(Duration::from_secs(120)));
        assert_eq!(duration("0"), Some(Duration::ZERO));
        assert_eq!(duration("soon"), None);
    }
}
