//! The plan that folds points to increases: one pass over rows that come series by series. It asks
//! the planner for that order, which sorts and spills within the query's memory, and itself holds one
//! point. Takes the points of a query, gives the columns of `metric_increases` that it reads.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Float64Builder, Int64Array, Int64Builder,
    StringArray, StringBuilder,
};
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::{DataType, Float64Type, Int64Type, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{
    Distribution, EquivalenceProperties, LexRequirement, OrderingRequirements, PhysicalExpr,
    PhysicalSortRequirement,
};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    InputDistributionRequirements, Partitioning, PlanProperties, SendableRecordBatchStream,
};
use futures::StreamExt as _;

use super::fold::{Fold, Increase, Point, Told};

/// Columns that the fold reads, by the names it reads them under.
pub(super) const READ: [&str; 10] = [
    "series_id",
    "start_unix_ns",
    "time_unix_ns",
    "received_at",
    DELTA,
    "no_value",
    "value",
    "value_int",
    "count",
    "sum",
];

/// Temporality as the fold takes it: whether it is delta, null where it is not known. As text it would
/// be a sixth of what is sorted.
pub(super) const DELTA: &str = "delta";

/// The order of the rows: series by series, run by run, by time, what arrived first before what
/// repeats it.
const ORDER: [&str; 4] = ["series_id", "start_unix_ns", "time_unix_ns", "received_at"];

/// Columns that the fold writes.
pub(super) const WRITTEN: [&str; 8] = [
    "increase_basis",
    "increase_reason",
    "increase_start_unix_ns",
    "previous_unix_ns",
    "increase",
    "increase_int",
    "count_increase",
    "sum_increase",
];

/// Folds points to increases.
#[derive(Debug)]
pub(super) struct IncreasesExec {
    points: Arc<dyn ExecutionPlan>,
    schema: SchemaRef,
    read_from: Option<i64>,
    series: Arc<dyn PhysicalExpr>,
    order: OrderingRequirements,
    properties: Arc<PlanProperties>,
}

impl IncreasesExec {
    /// Over points with the columns of [`READ`] and those of `schema` that are not [`WRITTEN`];
    /// `read_from` is the instant before which points were not read.
    pub(super) fn new(
        points: Arc<dyn ExecutionPlan>,
        schema: SchemaRef,
        read_from: Option<i64>,
    ) -> Result<IncreasesExec> {
        let given = points.schema();
        if let Some(lacking) = READ.iter().find(|name| given.index_of(name).is_err()) {
            return internal_err!("points have no column `{lacking}`");
        }
        let ascending = SortOptions { descending: false, nulls_first: true };
        let requirements = ORDER
            .iter()
            .map(|name| Ok(PhysicalSortRequirement::new(col(name, &given)?, Some(ascending))));
        let requirements = requirements.collect::<Result<Vec<_>>>()?;
        let Some(order) = LexRequirement::new(requirements) else {
            return internal_err!("the order of points has no column");
        };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(points.output_partitioning().partition_count()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(IncreasesExec {
            series: col(ORDER[0], &given)?,
            order: OrderingRequirements::new(order),
            points,
            schema,
            read_from,
            properties: Arc::new(properties),
        })
    }
}

impl DisplayAs for IncreasesExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IncreasesExec")?;
        match self.read_from {
            Some(from) => write!(f, ": points from {from}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for IncreasesExec {
    fn name(&self) -> &str {
        "IncreasesExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        let series = Distribution::KeyPartitioned(vec![Arc::clone(&self.series)]);
        InputDistributionRequirements::new(vec![series])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![Some(self.order.clone())]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.points]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        f(&self.series)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(points), true) => {
                Ok(Arc::new(Self::new(points, Arc::clone(&self.schema), self.read_from)?))
            }
            _ => internal_err!("increases have one input"),
        }
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let points = self.points.execute(partition, context)?;
        let schema = Arc::clone(&self.schema);
        let mut pass = Pass { fold: Fold::new(self.read_from), series: None };
        let increases = points.map(move |batch| pass.over(&batch?, &schema));
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), increases)))
    }
}

/// One pass over the rows of a partition.
struct Pass {
    fold: Fold,
    /// The series of the row before.
    series: Option<String>,
}

impl Pass {
    fn over(&mut self, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
        let points = Points::of(batch)?;
        let mut written = Written::default();
        for row in 0..batch.num_rows() {
            let series = points.series.value(row);
            if self.series.as_deref() != Some(series) {
                self.series = Some(series.to_owned());
                self.fold.restart();
            }
            written.append(&self.fold.step(points.delta(row), points.point(row)));
        }
        let written = written.finish();
        let columns = schema.fields().iter().map(|field| {
            match WRITTEN.iter().position(|name| name == field.name()) {
                Some(i) => Ok(Arc::clone(&written[i])),
                None => match batch.column_by_name(field.name()) {
                    Some(column) => Ok(Arc::clone(column)),
                    None => internal_err!("points have no column `{}`", field.name()),
                },
            }
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &rows)?)
    }
}

/// The columns of a batch that the fold reads.
struct Points<'a> {
    series: StringArray,
    delta: &'a BooleanArray,
    no_value: &'a BooleanArray,
    start: &'a Int64Array,
    time: &'a Int64Array,
    value: &'a Float64Array,
    value_int: &'a Int64Array,
    count: &'a Int64Array,
    sum: &'a Float64Array,
}

impl<'a> Points<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Points<'a>> {
        fn int<'a>(batch: &'a RecordBatch, name: &str) -> &'a Int64Array {
            batch[name].as_primitive::<Int64Type>()
        }
        fn float<'a>(batch: &'a RecordBatch, name: &str) -> &'a Float64Array {
            batch[name].as_primitive::<Float64Type>()
        }
        Ok(Points {
            series: cast(&batch["series_id"], &DataType::Utf8)?.as_string().clone(),
            delta: batch[DELTA].as_boolean(),
            no_value: batch["no_value"].as_boolean(),
            start: int(batch, "start_unix_ns"),
            time: int(batch, "time_unix_ns"),
            value: float(batch, "value"),
            value_int: int(batch, "value_int"),
            count: int(batch, "count"),
            sum: float(batch, "sum"),
        })
    }

    fn delta(&self, row: usize) -> Option<bool> {
        self.delta.is_valid(row).then(|| self.delta.value(row))
    }

    fn point(&self, row: usize) -> Point {
        let int = |column: &Int64Array| column.is_valid(row).then(|| column.value(row));
        let float = |column: &Float64Array| column.is_valid(row).then(|| column.value(row));
        let number =
            float(self.value).map(|value| Told::Number { value, int: int(self.value_int) });
        let distribution =
            || int(self.count).map(|count| Told::Distribution { count, sum: float(self.sum) });
        let told = number.or_else(distribution);
        Point {
            start: int(self.start),
            time: self.time.value(row),
            told: told.filter(|_| !self.no_value.value(row)),
        }
    }
}

/// The columns that the fold writes.
#[derive(Default)]
struct Written {
    basis: StringBuilder,
    reason: StringBuilder,
    start: Int64Builder,
    previous: Int64Builder,
    increase: Float64Builder,
    increase_int: Int64Builder,
    count_increase: Int64Builder,
    sum_increase: Float64Builder,
}

impl Written {
    fn append(&mut self, of: &Increase) {
        self.basis.append_value(of.basis.word());
        self.reason.append_option(of.reason);
        self.start.append_option(of.start);
        self.previous.append_option(of.previous);
        let (value, int, count, sum) = match of.more {
            Some(Told::Number { value, int }) => (Some(value), int, None, None),
            Some(Told::Distribution { count, sum }) => (None, None, Some(count), sum),
            None => (None, None, None, None),
        };
        self.increase.append_option(value);
        self.increase_int.append_option(int);
        self.count_increase.append_option(count);
        self.sum_increase.append_option(sum);
    }

    /// In the order of [`WRITTEN`].
    fn finish(mut self) -> Vec<ArrayRef> {
        vec![
            Arc::new(self.basis.finish()),
            Arc::new(self.reason.finish()),
            Arc::new(self.start.finish()),
            Arc::new(self.previous.finish()),
            Arc::new(self.increase.finish()),
            Arc::new(self.increase_int.finish()),
            Arc::new(self.count_increase.finish()),
            Arc::new(self.sum_increase.finish()),
        ]
    }
}
