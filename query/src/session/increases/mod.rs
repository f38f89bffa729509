//! View `metric_increases`: what each point of a counter adds, whatever the temporality, the resets,
//! the repetitions and the order in which the points came. Takes the filters and columns of a query,
//! gives a plan over `metric_points`; how a point is judged is in [`fold`], the pass in [`exec`].
//!
//! Filters on what is the same in a whole series (its name, service, model, attributes …) and upper
//! bounds of time reach the files as they are. A lower bound reaches them earlier by
//! [`INCREASE_LOOK_BACK`], for the points that those in the window are counted from: a counter of
//! which no point came for longer is `unknown` at its first point in the window, never wrong.

mod exec;
mod fold;

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    BinaryExpr, LogicalPlanBuilder, Operator, TableProviderFilterPushDown, TableType, ident, lit,
    when,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::Expr;
use datafusion::scalar::ScalarValue;
use spanledger_schemas::tables::{metric_increases, metric_points};

use crate::limits::INCREASE_LOOK_BACK;
use exec::{DELTA, IncreasesExec, READ, WRITTEN};

/// Columns that are the same for all points of a series: a filter on them takes or leaves it whole.
const OF_SERIES: [&str; 13] = [
    "tenant",
    "series_id",
    "metric_name",
    "metric_kind",
    "unit",
    "temporality",
    "service_name",
    "scope_name",
    "model",
    "gpu_uuid",
    "host",
    "metric_attributes",
    "resource_attributes",
];

/// The view, over one tenant's points.
#[derive(Debug)]
pub(super) struct Increases {
    points: Arc<dyn TableProvider>,
    schema: SchemaRef,
}

impl Increases {
    /// Over `metric_points` as clients see it.
    pub(super) fn new(points: Arc<dyn TableProvider>) -> Increases {
        let given = points.schema();
        let field = |column: &spanledger_schemas::Column| match given.field_with_name(column.name) {
            Ok(field) => field.clone(),
            Err(_) => Field::new(column.name, column.kind.arrow(), column.nullable),
        };
        let fields: Vec<Field> = metric_increases::TABLE.columns.iter().map(field).collect();
        Increases { points, schema: Arc::new(Schema::new(fields)) }
    }
}

#[async_trait]
impl TableProvider for Increases {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    /// What can be used is used to read less; all is asked again of the rows, since what is read
    /// for the look-back is no answer.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let each = filters.iter().map(|filter| match Reach::of(filter) {
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        });
        Ok(each.collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => Arc::clone(&self.schema),
        };
        let (mut conditions, mut read_from) = (vec![counters()], None);
        for filter in filters {
            match Reach::of(filter) {
                Some(Reach::Whole(filter)) => conditions.push(filter),
                Some(Reach::Before(filter)) => conditions.push(filter),
                Some(Reach::From(ns)) => read_from = read_from.max(Some(ns)),
                Some(Reach::At(ns, filter)) => {
                    read_from = read_from.max(Some(ns));
                    conditions.push(filter);
                }
                None => {}
            }
        }
        // To the microsecond, as the column that the files know bounds of.
        let read_from = read_from.map(|ns| (ns - ns_of(INCREASE_LOOK_BACK)).div_euclid(1_000));
        if let Some(us) = read_from {
            let from = ScalarValue::TimestampMicrosecond(Some(us), Some("UTC".into()));
            conditions.push(ident("at").gt_eq(lit(from)));
        }
        let wanted = schema.fields().iter().map(|field| field.name().as_str());
        let passed = wanted.filter(|name| !WRITTEN.contains(name) && !READ.contains(name));
        let columns: Vec<Expr> = READ
            .into_iter()
            .map(|name| if name == DELTA { delta() } else { Ok(ident(name)) })
            .chain(passed.map(|name| Ok(ident(name))))
            .collect::<Result<_>>()?;
        let points = provider_as_source(Arc::clone(&self.points));
        let mut points = LogicalPlanBuilder::scan(metric_points::TABLE.name, points, None)?;
        if let Some(condition) = conjunction(conditions) {
            points = points.filter(condition)?;
        }
        let points = state.create_physical_plan(&points.project(columns)?.build()?).await?;
        let read_from = read_from.map(|us| us.saturating_mul(1_000));
        Ok(Arc::new(IncreasesExec::new(points, schema, read_from)?))
    }
}

/// The points that count: sums that only grow, and distributions.
fn counters() -> Expr {
    let kinds = ["histogram", "exponential-histogram", "summary"].map(lit).to_vec();
    let sum = ident("metric_kind").eq(lit("sum")).and(ident("monotonic"));
    sum.or(ident("metric_kind").in_list(kinds, false))
}

/// Temporality; a summary counts from its start ("Summary (Legacy)" of the data model), though OTLP
/// does not say so.
fn delta() -> Result<Expr> {
    let told = |word: &str| ident("temporality").eq(lit(word));
    let summary = ident("temporality").is_null().and(ident("metric_kind").eq(lit("summary")));
    let known = when(told("delta"), lit(true)).when(told("cumulative").or(summary), lit(false));
    Ok(known.end()?.alias(DELTA))
}

fn ns_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// How far a filter on increases holds for the points they are counted from.
#[derive(Debug, PartialEq)]
enum Reach {
    /// For all points of a series alike.
    Whole(Expr),
    /// It bounds time from above: later points are never needed.
    Before(Expr),
    /// It bounds time from below, at this instant in nanoseconds since the epoch.
    From(i64),
    /// It is one instant, or day.
    At(i64, Expr),
}

impl Reach {
    fn of(filter: &Expr) -> Option<Reach> {
        if filter.is_volatile() || filter.column_refs().is_empty() {
            return None;
        }
        let of_series = |c: &&datafusion::common::Column| OF_SERIES.contains(&c.name.as_str());
        if filter.column_refs().iter().all(of_series) {
            return Some(Reach::Whole(unqualified(filter)));
        }
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else { return None };
        let (column, op, value) = match (&**left, &**right) {
            (Expr::Column(column), Expr::Literal(value, _)) => (column, *op, value),
            (Expr::Literal(value, _), Expr::Column(column)) => (column, op.swap()?, value),
            _ => return None,
        };
        let ns = instant(&column.name, value)?;
        match op {
            Operator::Gt | Operator::GtEq => Some(Reach::From(ns)),
            Operator::Lt | Operator::LtEq => Some(Reach::Before(unqualified(filter))),
            Operator::Eq => {
                let until = ident(&column.name).lt_eq(lit(value.clone()));
                Some(Reach::At(ns, until))
            }
            _ => None,
        }
    }
}

/// The instant of a constant that a column of time is compared with, nanoseconds since the epoch.
fn instant(column: &str, value: &ScalarValue) -> Option<i64> {
    match (column, value) {
        ("time_unix_ns", ScalarValue::Int64(ns)) => *ns,
        ("date", ScalarValue::Date32(day)) => i64::from((*day)?).checked_mul(86_400_000_000_000),
        ("at", value) => {
            let kind = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
            match value.cast_to(&kind).ok()? {
                ScalarValue::TimestampNanosecond(ns, _) => ns,
                _ => None,
            }
        }
        _ => None,
    }
}

/// The filter with its columns by name alone: those of the points are meant.
fn unqualified(filter: &Expr) -> Expr {
    let plain = filter.clone().transform(|expr| {
        Ok(match expr {
            Expr::Column(column) => Transformed::yes(ident(column.name)),
            other => Transformed::no(other),
        })
    });
    plain.map_or_else(|_| filter.clone(), |plain| plain.data)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-25T00:00:00Z, in microseconds.
    const DAY_US: i64 = 1_795_564_800_000_000;

    fn at(us: i64) -> Expr {
        lit(ScalarValue::TimestampMicrosecond(Some(us), Some("UTC".into())))
    }

    #[test]
    fn what_holds_for_a_series_or_bounds_time_reaches_the_points() {
        let named = ident("metric_name").eq(lit("a")).or(ident("model").is_null());
        assert_eq!(Reach::of(&named), Some(Reach::Whole(named)));
        let before = ident("at").lt(at(DAY_US));
        assert_eq!(Reach::of(&before), Some(Reach::Before(before)));
        assert_eq!(Reach::of(&ident("at").gt_eq(at(DAY_US))), Some(Reach::From(DAY_US * 1_000)));
        assert_eq!(Reach::of(&at(DAY_US).lt(ident("at"))), Some(Reach::From(DAY_US * 1_000)));
        // 2026-11-25 is day 20782.
        let day = ident("date").gt(lit(ScalarValue::Date32(Some(20_782))));
        assert_eq!(Reach::of(&day), Some(Reach::From(DAY_US * 1_000)));
    }

    #[test]
    fn what_is_said_of_the_increase_does_not() {
        for filter in [
            ident("increase").gt(lit(1.0)),
            ident("increase_basis").eq(lit("reset")),
            ident("value").gt(lit(1.0)),
            ident("metric_name").eq(lit("a")).or(ident("at").gt(at(DAY_US))),
            ident("at").gt(ident("received_at")),
            ident("at").not_eq(at(DAY_US)),
        ] {
            assert_eq!(Reach::of(&filter), None, "{filter}");
        }
    }
}
