//! From text to statements, and the allow-list that lets only reading ones pass. Both doors read
//! the same SQL: PostgreSQL's dialect, with the rewrites that its clients' catalog queries need.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Query, Select, SetExpr, Statement, Visit, Visitor};

use super::reader::Reader;
use super::rewrites;
use crate::error::QueryError;
use crate::limits;
use crate::questions::expand;

/// Reads SQL texts.
pub(crate) struct StatementParser(Reader);

impl StatementParser {
    pub(crate) fn new() -> Self {
        Self(Reader::new())
    }

    /// Every statement of the text, unchecked.
    pub(crate) fn parse(&self, text: &str) -> Result<Vec<Statement>, QueryError> {
        if text.len() > limits::QUERY_TEXT_BYTES_MAX {
            return Err(QueryError::Syntax(format!(
                "it has {} bytes, more than {}",
                text.len(),
                limits::QUERY_TEXT_BYTES_MAX
            )));
        }
        let text = rewrites::of_text(text);
        let mut statements = self.0.read(&text).map_err(|e| QueryError::Syntax(e.to_string()))?;
        rewrites::of_statements(&mut statements)?;
        if statements.len() > limits::STATEMENTS_MAX {
            return Err(QueryError::Syntax(format!(
                "it has {} statements, more than {}",
                statements.len(),
                limits::STATEMENTS_MAX
            )));
        }
        Ok(statements)
    }

    /// The one reading statement of the text, with its questions expanded.
    pub(crate) fn parse_one(&self, text: &str) -> Result<Statement, QueryError> {
        let mut statements = self.parse(text)?;
        match (statements.pop(), statements.len()) {
            (Some(statement), 0) => {
                check(&statement)?;
                self.expand(statement)
            }
            (None, _) => Err(QueryError::Syntax("it is empty".to_owned())),
            (_, more) => {
                Err(QueryError::Syntax(format!("it has {} statements, expected one", more + 1)))
            }
        }
    }

    /// Replaces calls of questions in FROM by their SQL.
    pub(crate) fn expand(&self, statement: Statement) -> Result<Statement, QueryError> {
        expand::expand(statement, |sql| self.parse(sql))
    }
}

/// Lets a statement pass that only reads: a query, an explained query, a look at the catalog.
///
/// # Errors
/// [`QueryError::ReadOnly`] for everything else, whatever it is: the list names what may pass.
pub(crate) fn check(statement: &Statement) -> Result<(), QueryError> {
    let passes = match statement {
        Statement::Query(query) => only_reads(query),
        Statement::Explain { statement, .. } => {
            matches!(&**statement, Statement::Query(query) if only_reads(query))
        }
        Statement::ExplainTable { .. }
        | Statement::ShowVariable { .. }
        | Statement::ShowTables { .. }
        | Statement::ShowColumns { .. }
        | Statement::ShowFunctions { .. } => true,
        _ => false,
    };
    if passes { Ok(()) } else { Err(refusal(statement)) }
}

/// The refusal of a statement, naming it by its first words only: the rest may hold secrets.
pub(crate) fn refusal(statement: &Statement) -> QueryError {
    let text = statement.to_string();
    let words: Vec<_> = text
        .split_whitespace()
        .take_while(|word| word.chars().all(|c| c.is_ascii_alphabetic()))
        .take(2)
        .collect();
    QueryError::ReadOnly { statement: words.join(" ").to_uppercase() }
}

/// Whether no part of the query, at any depth, does anything but read.
fn only_reads(query: &Query) -> bool {
    struct Writes;
    impl Visitor for Writes {
        type Break = ();

        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            if reads(&query.body) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        }

        fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
            if select.into.is_none() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        }

        fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
            if matches!(statement, Statement::Query(_)) {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        }
    }
    fn reads(body: &SetExpr) -> bool {
        match body {
            SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) | SetExpr::Table(_) => true,
            SetExpr::SetOperation { left, right, .. } => reads(left) && reads(right),
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                false
            }
        }
    }
    query.visit(&mut Writes).is_continue()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(text: &str) -> Vec<bool> {
        let statements = StatementParser::new().parse(text).unwrap();
        statements.iter().map(|s| check(s).is_ok()).collect()
    }

    #[test]
    fn reading_statements_pass() {
        for text in [
            "SELECT 1",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "VALUES (1), (2)",
            "SELECT 1 UNION SELECT 2",
            "EXPLAIN SELECT * FROM spans",
            "EXPLAIN ANALYZE SELECT 1",
            "SHOW TABLES",
            "SHOW server_version",
        ] {
            assert_eq!(verdicts(text), [true], "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "INSERT INTO spans SELECT * FROM spans",
            "UPDATE spans SET name = 'x'",
            "DELETE FROM spans",
            "TRUNCATE spans",
            "CREATE TABLE t (a int)",
            "CREATE TABLE t AS SELECT 1",
            "CREATE VIEW v AS SELECT 1",
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "DROP TABLE spans",
            "ALTER TABLE spans ADD COLUMN a int",
            "COPY spans TO '/tmp/spans.csv'",
            "COPY (SELECT 1) TO STDOUT",
            "SELECT 1 INTO t",
            "WITH a AS (INSERT INTO spans VALUES (1) RETURNING 1) SELECT * FROM a",
            "WITH a AS (DELETE FROM spans RETURNING 1) SELECT * FROM a",
            "EXPLAIN ANALYZE DELETE FROM spans",
            "EXPLAIN COPY spans TO '/tmp/x'",
            "SET datafusion.execution.target_partitions = 1",
            "PREPARE p AS DELETE FROM spans",
            "EXECUTE p",
            "CALL f()",
            "VACUUM",
            "GRANT ALL ON spans TO public",
            "LOCK TABLE spans",
        ] {
            match StatementParser::new().parse(text) {
                Ok(statements) => assert!(statements.iter().all(|s| check(s).is_err()), "{text}"),
                Err(error) => assert!(matches!(error, QueryError::Syntax(_)), "{text}"),
            }
        }
        assert_eq!(verdicts("SELECT 1; DELETE FROM spans"), [true, false]);
    }

    #[test]
    fn one_statement_means_one() {
        let parser = StatementParser::new();
        assert!(matches!(parser.parse_one("SELECT 1; SELECT 2"), Err(QueryError::Syntax(_))));
        assert!(matches!(parser.parse_one(" ;"), Err(QueryError::Syntax(_))));
        assert!(parser.parse_one("SELECT 1;").is_ok());
    }
}
