//! PostgreSQL's operators on JSON, for columns that are maps here: BI tools take values out of a
//! column that they are told is JSON by `->`, `->>` and `#>>`.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::functions::core::get_field;
use datafusion::logical_expr::ExprSchemable;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::prelude::{Expr, SessionContext, lit};
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::BinaryOperator;

/// Adds the operators.
pub(super) fn register(context: &SessionContext) -> Result<()> {
    context.state_ref().write().register_expr_planner(Arc::new(MapOperators))
}

#[derive(Debug)]
struct MapOperators;

impl ExprPlanner for MapOperators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator::{Arrow, HashArrow, HashLongArrow, LongArrow};
        let key = match expr.op {
            Arrow | LongArrow => Some(expr.right.clone()),
            HashArrow | HashLongArrow => only_step(&expr.right),
            _ => None,
        };
        match key {
            Some(key) if matches!(expr.left.get_type(schema), Ok(DataType::Map(..))) => {
                Ok(PlannerResult::Planned(get_field().call(vec![expr.left, key])))
            }
            _ => Ok(PlannerResult::Original(expr)),
        }
    }
}

/// The one step of a path: `ARRAY['key']` or `'{key}'`, cast or not. A map has no values within
/// values, so a longer path leads nowhere.
fn only_step(path: &Expr) -> Option<Expr> {
    match path {
        Expr::Cast(cast) => only_step(&cast.expr),
        Expr::ScalarFunction(call) if call.func.name() == "make_array" => match &call.args[..] {
            [step] => Some(step.clone()),
            _ => None,
        },
        Expr::Literal(ScalarValue::Utf8(Some(text)), _) => {
            let step = text.strip_prefix('{')?.strip_suffix('}')?.trim_matches('"');
            (!step.contains(',')).then(|| lit(step))
        }
        _ => None,
    }
}
