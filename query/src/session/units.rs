//! The unit of each column of an answer: followed back through the plan to the table column it
//! comes from. A column that is computed otherwise than by sum, min, max, mean or quantile of one
//! column has none: better no unit than a wrong one.

use datafusion::logical_expr::{Aggregate, LogicalPlan, Projection, SubqueryAlias};
use datafusion::prelude::Expr;

use super::catalog;

/// Aggregates whose result has the unit of their argument.
const KEEPS_UNIT: [&str; 7] =
    ["sum", "min", "max", "avg", "median", "percentile_cont", "approx_percentile_cont"];

/// Units of the plan's columns, in their order.
pub(crate) fn of(plan: &LogicalPlan) -> Vec<Option<&'static str>> {
    (0..plan.schema().fields().len()).map(|index| of_column(plan, index)).collect()
}

fn of_column(plan: &LogicalPlan, index: usize) -> Option<&'static str> {
    match plan {
        LogicalPlan::Projection(Projection { expr, input, .. }) => of_expr(expr.get(index)?, input),
        LogicalPlan::Aggregate(Aggregate { input, group_expr, aggr_expr, .. }) => {
            let expr = group_expr.get(index);
            of_expr(expr.or_else(|| aggr_expr.get(index - group_expr.len()))?, input)
        }
        LogicalPlan::SubqueryAlias(SubqueryAlias { input, alias, schema, .. }) => {
            // A table as its clients see it ends here; its derived columns are named there only.
            let column = schema.field(index).name();
            catalog::unit(alias.table(), column)
                .filter(|_| is_table(input))
                .or_else(|| of_column(input, index))
        }
        LogicalPlan::TableScan(scan) => {
            let column = scan.projected_schema.fields().get(index)?.name();
            catalog::unit(scan.table_name.table(), column)
        }
        LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Repartition(_) => of_column(plan.inputs().first()?, index),
        _ => None,
    }
}

fn of_expr(expr: &Expr, input: &LogicalPlan) -> Option<&'static str> {
    match expr {
        Expr::Column(column) => of_column(input, input.schema().index_of_column(column).ok()?),
        Expr::Alias(alias) => of_expr(&alias.expr, input),
        Expr::AggregateFunction(call) if KEEPS_UNIT.contains(&call.func.name()) => {
            of_expr(call.params.args.first()?, input)
        }
        _ => None,
    }
}

/// Whether the plan is a table's view: the tenant's rows with the derived columns.
fn is_table(plan: &LogicalPlan) -> bool {
    let LogicalPlan::Projection(Projection { input, .. }) = plan else { return false };
    match &**input {
        LogicalPlan::Filter(filter) => matches!(&*filter.input, LogicalPlan::TableScan(_)),
        LogicalPlan::TableScan(_) => true,
        _ => false,
    }
}
