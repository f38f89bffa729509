//! Reads texts with the rewrites that the catalog queries of PostgreSQL's clients need. All but one are
//! those of the crate that has the catalog: it puts NULL in the place of a query among the selected
//! columns that names one of the outer row, and takes the first row of any other, and says so to
//! nobody. That is for catalog queries that nothing here can plan; it must never happen to rows.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Query, Select, SelectItem, SetExpr, Statement, Visit, Visitor,
    visit_relations,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion_postgres::datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use datafusion_postgres::datafusion_pg_catalog::sql::rules::{
    AliasDuplicatedProjectionRewrite, CurrentUserVariableToSessionUserFunctionCall,
    FixArrayLiteral, FixVersionColumnName, PrependUnqualifiedPgTableName,
    ResolveUnqualifiedIdentifier, RewriteArrayAnyAllOperation, RewritePgCatalogOperator,
    RewriteRegCastToSubquery, SqlStatementRewriteRule, StripCallableQualifier, StripCollate,
};

/// Reads texts.
pub(super) struct Reader {
    crates: PostgresCompatibilityParser,
    /// The crate's, without the one of queries among the columns, in its order.
    rules: Vec<Arc<dyn SqlStatementRewriteRule>>,
}

impl Reader {
    pub(super) fn new() -> Self {
        let rules: Vec<Arc<dyn SqlStatementRewriteRule>> = vec![
            Arc::new(AliasDuplicatedProjectionRewrite),
            Arc::new(ResolveUnqualifiedIdentifier),
            Arc::new(RewriteArrayAnyAllOperation),
            Arc::new(PrependUnqualifiedPgTableName),
            Arc::new(StripCallableQualifier),
            Arc::new(FixArrayLiteral),
            Arc::new(CurrentUserVariableToSessionUserFunctionCall),
            Arc::new(StripCollate),
            Arc::new(RewritePgCatalogOperator),
            Arc::new(RewriteRegCastToSubquery::new()),
            Arc::new(FixVersionColumnName),
        ];
        Self { crates: PostgresCompatibilityParser::new(), rules }
    }

    /// The statements of a text.
    ///
    /// # Errors
    /// When it is no SQL.
    pub(super) fn read(&self, text: &str) -> Result<Vec<Statement>, ParserError> {
        match Parser::parse_sql(&PostgreSqlDialect {}, text) {
            Ok(statements) if statements.iter().any(keeps_queries) => {
                let rewritten = statements.into_iter().map(|statement| {
                    self.rules.iter().fold(statement, |statement, rule| rule.rewrite(statement))
                });
                Ok(rewritten.collect())
            }
            // The crate knows some questions by their text, which need not be SQL that is read here.
            _ => self.crates.parse(text),
        }
    }
}

/// Whether the queries among the columns of a statement are to stay what they are: those of rows
/// always, those of the catalog when all of them can be joined (see `correlated`).
fn keeps_queries(statement: &Statement) -> bool {
    let mut found = Among::default();
    let _ = statement.visit(&mut found);
    found.of_rows || (found.lookups && !found.others)
}

/// Queries that stand among the columns of others.
#[derive(Default)]
struct Among {
    /// Of our tables, or of what is no table.
    of_rows: bool,
    /// Of the catalog, that can be joined.
    lookups: bool,
    /// Others of the catalog.
    others: bool,
}

impl Visitor for Among {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for item in &select.projection {
            if let SelectItem::UnnamedExpr(Expr::Subquery(query))
            | SelectItem::ExprWithAlias { expr: Expr::Subquery(query), .. } = item
            {
                match (of_catalog(query), is_lookup(query)) {
                    (false, _) => self.of_rows = true,
                    (true, true) => self.lookups = true,
                    (true, false) => self.others = true,
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// Whether a query reads tables of PostgreSQL's catalog or the information schema, and no others.
fn of_catalog(query: &Query) -> bool {
    let (mut any, mut all) = (false, true);
    let _ = visit_relations(query, |name| {
        let name = name.to_string().to_lowercase();
        let catalog = ["pg_", "information_schema."].iter().any(|start| name.starts_with(start));
        (any, all) = (true, all && catalog);
        ControlFlow::<()>::Continue(())
    });
    any && all
}

/// Whether a query is `SELECT value FROM tables WHERE condition`, without aggregates.
fn is_lookup(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else { return false };
    let plain = query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none();
    let grouped = match &select.group_by {
        GroupByExpr::Expressions(by, _) => !by.is_empty(),
        GroupByExpr::All(_) => true,
    };
    let aggregates = select.projection.iter().any(|item| item.visit(&mut Aggregate).is_break());
    let whole = select.distinct.is_none() && select.having.is_none() && select.selection.is_some();
    plain && whole && !grouped && !aggregates && select.projection.len() == 1
}

/// Stops at a call of a function that takes many rows.
struct Aggregate;

impl Visitor for Aggregate {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(call) => {
                let name = call.name.to_string().to_lowercase();
                let plain = name.strip_prefix("pg_catalog.").unwrap_or(&name);
                let names = ["count", "min", "max", "sum", "avg", "bool_and", "bool_or"];
                match plain.ends_with("_agg") || names.contains(&plain) {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_of_rows_are_never_taken_out() {
        let check = |text: &str, keeps: bool| {
            let statements = Parser::parse_sql(&PostgreSqlDialect {}, text).unwrap();
            assert_eq!(statements.iter().any(keeps_queries), keeps, "{text}");
        };
        check(
            "SELECT (SELECT max(s.name) FROM spans s WHERE s.span_id = c.span_id) FROM calls c",
            true,
        );
        check("SELECT (SELECT 5)", true);
        check("WITH t AS (SELECT (SELECT x FROM u WHERE y = z) AS a FROM v) SELECT a FROM t", true);
        check(
            "SELECT (SELECT c.collname FROM pg_catalog.pg_collation c WHERE c.oid = a.attcollation) \
             FROM pg_catalog.pg_attribute a",
            true,
        );
        check(
            "SELECT (SELECT count(*) FROM pg_class c WHERE c.oid = a.attrelid) FROM pg_attribute a",
            false,
        );
        check("SELECT 1", false);
    }
}
