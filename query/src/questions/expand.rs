//! Questions as table functions: `SELECT * FROM spend(by => 'team', "from" => '-7d')` becomes a query
//! over `calls`, in the text of the statement, before it is planned. Arguments are constants, by
//! name or in the order of [`AskParams::NAMES`]; several filters in one text stand apart by `;`.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, Query, SelectItem, SetExpr, Statement,
    TableAlias, TableFactor, Value, VisitMut, VisitorMut,
};

use super::{ALL, AskParams, Question};
use crate::error::QueryError;

/// The statement with each call of a question replaced by its query. `parse` reads SQL.
pub(crate) fn expand(
    mut statement: Statement,
    parse: impl Fn(&str) -> Result<Vec<Statement>, QueryError>,
) -> Result<Statement, QueryError> {
    struct Expander<P>(P);
    impl<P: Fn(&str) -> Result<Vec<Statement>, QueryError>> VisitorMut for Expander<P> {
        type Break = QueryError;

        fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<QueryError> {
            match expanded(factor, &self.0) {
                Ok(Some(derived)) => {
                    *factor = derived;
                    ControlFlow::Continue(())
                }
                Ok(None) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error),
            }
        }
    }
    let alone = matches!(&statement, Statement::Query(query) if asks_only(query));
    match statement.visit(&mut Expander(parse)) {
        ControlFlow::Continue(()) => {
            if let (true, Statement::Query(query)) = (alone, &mut statement) {
                keep_order(query);
            }
            Ok(statement)
        }
        ControlFlow::Break(error) => Err(error),
    }
}

/// Whether the query is `SELECT * FROM something` without an order of its own.
fn asks_only(query: &Query) -> bool {
    let SetExpr::Select(select) = &*query.body else { return false };
    query.order_by.is_none()
        && matches!(select.projection.as_slice(), [SelectItem::Wildcard(_)])
        && matches!(select.from.as_slice(), [one] if one.joins.is_empty())
}

/// Puts the order of the query in FROM on the query itself: the planner drops the inner one, since
/// SQL knows no order of a table, and a question's rows would come in any.
fn keep_order(query: &mut Query) {
    let SetExpr::Select(select) = &*query.body else { return };
    if let Some(TableFactor::Derived { subquery, .. }) = select.from.first().map(|f| &f.relation) {
        query.order_by.clone_from(&subquery.order_by);
    }
}

fn expanded(
    factor: &TableFactor,
    parse: impl Fn(&str) -> Result<Vec<Statement>, QueryError>,
) -> Result<Option<TableFactor>, QueryError> {
    let (name, args, alias) = match factor {
        TableFactor::Table { name, args: Some(args), alias, .. } => (name, &args.args, alias),
        TableFactor::Function { name, args, alias, .. } => (name, args, alias),
        _ => return Ok(None),
    };
    let Some(question) = named(name) else { return Ok(None) };
    let sql = question.sql(&params(question, args)?, jiff::Timestamp::now())?;
    let query = match parse(&sql)?.pop() {
        Some(Statement::Query(query)) => query,
        _ => return Err(QueryError::Failed(format!("{} is not a query: {sql}", question.name))),
    };
    let alias = alias.clone().unwrap_or_else(|| TableAlias {
        explicit: true,
        name: Ident::new(question.name),
        columns: vec![],
        at: None,
    });
    Ok(Some(derived(query, alias)))
}

fn derived(subquery: Box<Query>, alias: TableAlias) -> TableFactor {
    TableFactor::Derived { lateral: false, subquery, alias: Some(alias), sample: None }
}

/// The question that a function's name means, with or without the schema before it.
fn named(name: &ObjectName) -> Option<&'static Question> {
    let ident = name.0.last()?.as_ident()?;
    // SQL has no hyphen in a name: `what-if` is `what_if(…)`.
    let name = ident.value.replace('_', "-");
    ALL.into_iter().find(|q| name.eq_ignore_ascii_case(q.name))
}

fn params(question: &Question, args: &[FunctionArg]) -> Result<AskParams, QueryError> {
    let mut params = AskParams::default();
    for (position, arg) in args.iter().enumerate() {
        let (name, value) = match arg {
            FunctionArg::Named { name, arg, .. } => (name.value.to_lowercase(), arg),
            FunctionArg::ExprNamed { name: Expr::Identifier(name), arg, .. } => {
                (name.value.to_lowercase(), arg)
            }
            FunctionArg::Unnamed(arg) => {
                let name = AskParams::NAMES.get(position).ok_or_else(|| QueryError::Parameter {
                    what: format!("number of arguments of {}", question.name),
                    found: args.len().to_string(),
                    expected: format!("at most {}", AskParams::NAMES.len()),
                })?;
                ((*name).to_owned(), arg)
            }
            FunctionArg::ExprNamed { .. } => return Err(not_constant(question, arg)),
        };
        let FunctionArgExpr::Expr(value) = value else { return Err(not_constant(question, arg)) };
        match constant(value) {
            Some(Some(text)) if name == "filter" => {
                for one in text.split(';').filter(|one| !one.trim().is_empty()) {
                    params.set(&name, one.trim())?;
                }
            }
            Some(Some(text)) => params.set(&name, text)?,
            Some(None) => {}
            None => return Err(not_constant(question, arg)),
        }
    }
    Ok(params)
}

fn not_constant(question: &Question, arg: &FunctionArg) -> QueryError {
    QueryError::Parameter {
        what: format!("argument of {}", question.name),
        found: arg.to_string(),
        expected: "a text, such as by => 'team' or \"from\" => '-7d'".to_owned(),
    }
}

/// The text of a constant, with or without a type; `Some(None)` for NULL.
fn constant(expr: &Expr) -> Option<Option<&str>> {
    let value = match expr {
        Expr::Value(value) => &value.value,
        Expr::TypedString(typed) => &typed.value.value,
        Expr::Cast { expr, .. } | Expr::Nested(expr) => return constant(expr),
        _ => return None,
    };
    match value {
        Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(Some(text)),
        Value::Number(number, _) => Some(Some(number)),
        Value::Null => Some(None),
        _ => None,
    }
}
