//! Queries inside a query that ask PostgreSQL's catalog for one value per row, such as `(SELECT
//! typname FROM pg_type WHERE oid = atttypid)`: the planner takes them only when they are aggregated
//! and compare columns for equality. Takes a plan as it was read, gives one that joins them.
//!
//! Only the catalog's are joined: what they look up is told by its object id, so that there is one row
//! at most. Of a table of rows nobody knows that, and PostgreSQL fails where there are two; there the
//! planner's refusal stands, and says that the value is to be aggregated.

use std::collections::HashMap;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::{Projection, Subquery};
use datafusion::logical_expr::{JoinType, LogicalPlan, LogicalPlanBuilder, lit, when};
use datafusion::prelude::Expr;
use spanledger_schemas::tables;

/// What the joined queries are called, with a number behind it.
const NAME: &str = "__looked_up_";
/// The column that says that there was a row.
const FOUND: &str = "found";

/// The plan with queries of the catalog joined where they stand in a column or a condition.
///
/// # Errors
/// When a plan that was read cannot be built again, which is a fault of ours.
pub(super) fn joined(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut number = 0;
    plan.transform_up_with_subqueries(|node| of_node(node, &mut number)).data()
}

fn of_node(node: LogicalPlan, number: &mut usize) -> Result<Transformed<LogicalPlan>> {
    let input = match &node {
        LogicalPlan::Projection(projection) => &projection.input,
        LogicalPlan::Filter(filter) => &filter.input,
        _ => return Ok(Transformed::no(node)),
    };
    let mut joins = Joins { input: input.as_ref().clone(), number, any: false };
    let names = NamePreserver::new(&node);
    let exprs = node.expressions().into_iter().map(|expr| {
        let name = names.save(&expr);
        Ok(name.restore(joins.instead_of(expr)?))
    });
    let exprs = exprs.collect::<Result<Vec<Expr>>>()?;
    if !joins.any {
        return Ok(Transformed::no(node));
    }
    let rows = LogicalPlanBuilder::from(joins.input);
    let rows = match &node {
        LogicalPlan::Filter(filter) => {
            let columns = filter.input.schema().columns();
            let condition = exprs.into_iter().fold(lit(true), Expr::and);
            rows.filter(condition)?.project(columns.into_iter().map(Expr::Column))?
        }
        _ => rows.project(exprs)?,
    };
    Ok(Transformed::yes(rows.build()?))
}

/// The rows that a node takes, with what was joined to them so far.
struct Joins<'n> {
    input: LogicalPlan,
    number: &'n mut usize,
    any: bool,
}

impl Joins<'_> {
    /// An expression with the joined columns instead of the queries.
    fn instead_of(&mut self, expr: Expr) -> Result<Expr> {
        let instead = expr.transform_up(|expr| match &expr {
            Expr::ScalarSubquery(query) => match Asked::of(query, &self.input) {
                Some(asked) => Ok(Transformed::yes(self.join(&asked)?)),
                None => Ok(Transformed::no(expr)),
            },
            _ => Ok(Transformed::no(expr)),
        });
        instead.data()
    }

    /// Joins a query; gives its value.
    fn join(&mut self, asked: &Asked<'_>) -> Result<Expr> {
        *self.number += 1;
        let name = format!("{NAME}{}", self.number);
        let mut own = HashMap::new();
        let mut columns = vec![lit(true).alias(FOUND)];
        for (at, column) in asked.rows.schema().columns().into_iter().enumerate() {
            let renamed = format!("c{at}");
            columns.push(Expr::Column(column.clone()).alias(&renamed));
            own.insert(column, Column::new(Some(name.as_str()), renamed));
        }
        let rows = LogicalPlanBuilder::from(asked.rows.clone()).project(columns)?;
        let rows = rows.alias(name.as_str())?.build()?;
        let condition = renamed(asked.condition, &own)?;
        let input = LogicalPlanBuilder::from(self.input.clone());
        self.input = input.join_on(rows, JoinType::Left, [condition])?.build()?;
        self.any = true;
        let found = Expr::Column(Column::new(Some(name.as_str()), FOUND));
        when(found.is_not_null(), renamed(asked.value, &own)?).end()
    }
}

/// The expression of a query over the rows that it was joined to.
fn renamed(expr: &Expr, own: &HashMap<Column, Column>) -> Result<Expr> {
    let renamed = expr.clone().transform_up(|expr| {
        Ok(match expr {
            Expr::OuterReferenceColumn(_, column) => Transformed::yes(Expr::Column(column)),
            Expr::Column(column) => match own.get(&column) {
                Some(renamed) => Transformed::yes(Expr::Column(renamed.clone())),
                None => Transformed::no(Expr::Column(column)),
            },
            expr => Transformed::no(expr),
        })
    });
    renamed.data()
}

/// `SELECT value FROM rows WHERE condition`, where value and condition may name the outer row.
struct Asked<'q> {
    value: &'q Expr,
    rows: &'q LogicalPlan,
    condition: &'q Expr,
}

impl<'q> Asked<'q> {
    /// The query, if it is of the catalog, of that form, and asks for each row of the outer ones.
    fn of(query: &'q Subquery, outer: &LogicalPlan) -> Option<Self> {
        if query.outer_ref_columns.is_empty() || !of_catalog(&query.subquery) {
            return None;
        }
        let LogicalPlan::Projection(Projection { expr, input, .. }) = query.subquery.as_ref()
        else {
            return None;
        };
        let ([value], LogicalPlan::Filter(filter)) = (expr.as_slice(), input.as_ref()) else {
            return None;
        };
        let asked = Self { value, rows: &filter.input, condition: &filter.predicate };
        let known = |expr: &Expr| match expr {
            Expr::OuterReferenceColumn(_, column) => outer.schema().has_column(column),
            Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) => false,
            _ => true,
        };
        let all = |expr: &Expr| !expr.exists(|expr| Ok(!known(expr))).unwrap_or(true);
        let plain = asked.rows.all_out_ref_exprs().is_empty();
        (plain && all(value) && all(asked.condition)).then_some(asked)
    }
}

/// Whether a plan reads none of our tables.
fn of_catalog(plan: &LogicalPlan) -> bool {
    let mut ours = false;
    let looked = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            ours |= tables::find(scan.table_name.table()).is_some();
        }
        Ok(TreeNodeRecursion::Continue)
    });
    debug_assert!(looked.is_ok(), "the visitor never fails");
    !ours
}
