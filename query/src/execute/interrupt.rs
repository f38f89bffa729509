//! Makes plans stoppable. DataFusion gives the thread back at the leaves of a plan only: a join
//! above them may work for hours on two batches, and neither deadline nor cancellation gets in.
//! Takes a physical plan, gives the same with places to stop after what multiplies rows, and
//! inside the conditions of joins, which may reject every pair without ever making a batch.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::exec_err;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    HashJoinExec, HashJoinExecBuilder, NestedLoopJoinExec, NestedLoopJoinExecBuilder,
};
use datafusion::physical_plan::unnest::UnnestExec;
use tokio_util::sync::CancellationToken;

/// The plan, which stops soon after `halt` is cancelled.
pub(super) fn stoppable(
    plan: Arc<dyn ExecutionPlan>,
    halt: &CancellationToken,
) -> Result<Arc<dyn ExecutionPlan>> {
    let stoppable = plan.transform_up(|node| {
        let multiplies = node.children().len() > 1 || node.is::<UnnestExec>();
        if !multiplies {
            return Ok(Transformed::no(node));
        }
        let node = with_stoppable_condition(node, halt)?;
        Ok(Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>))
    });
    Ok(stoppable?.data)
}

fn with_stoppable_condition(
    node: Arc<dyn ExecutionPlan>,
    halt: &CancellationToken,
) -> Result<Arc<dyn ExecutionPlan>> {
    let wrapped = |filter: &JoinFilter| {
        let condition =
            Interrupted { condition: Arc::clone(filter.expression()), halt: halt.clone() };
        let indices = filter.column_indices().to_vec();
        Some(JoinFilter::new(Arc::new(condition), indices, Arc::clone(filter.schema())))
    };
    if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>()
        && let Some(filter) = join.filter()
    {
        let (left, right) = (Arc::clone(join.left()), Arc::clone(join.right()));
        let stoppable = NestedLoopJoinExecBuilder::new(left, right, *join.join_type())
            .with_projection_ref(join.projection().clone())
            .with_filter(wrapped(filter));
        return Ok(Arc::new(stoppable.build()?));
    }
    if let Some(join) = node.downcast_ref::<HashJoinExec>()
        && let Some(filter) = join.filter()
    {
        let stoppable = HashJoinExecBuilder::from(join).with_filter(wrapped(filter));
        return Ok(Arc::new(stoppable.build()?));
    }
    Ok(node)
}

/// A condition that fails once the query is to stop.
#[derive(Debug)]
struct Interrupted {
    condition: Arc<dyn PhysicalExpr>,
    halt: CancellationToken,
}

impl PartialEq for Interrupted {
    fn eq(&self, other: &Self) -> bool {
        self.condition.eq(&other.condition)
    }
}

impl Eq for Interrupted {}

impl Hash for Interrupted {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.condition.hash(state);
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt(f)
    }
}

impl PhysicalExpr for Interrupted {
    fn data_type(&self, schema: &Schema) -> Result<DataType> {
        self.condition.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.condition.nullable(schema)
    }

    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.condition.return_field(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        if self.halt.is_cancelled() {
            return exec_err!("the query was stopped");
        }
        self.condition.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.condition]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        match children.pop() {
            Some(condition) => Ok(Arc::new(Self { condition, halt: self.halt.clone() })),
            None => exec_err!("a condition has one child"),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt_sql(f)
    }
}
