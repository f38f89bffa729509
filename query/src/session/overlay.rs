//! Table `spans` as clients see it: `span_role` and `duplicate_of` are those of the whole trace,
//! which settle writes to `span_verdicts`, else the span's own. A query that names neither column
//! scans `spans` alone; one that does pays a join. It decides nothing of what a span is.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Column, Result};
use datafusion::datasource::provider_as_source;
use datafusion::functions::expr_fn::coalesce;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    Expr, JoinType, LogicalPlanBuilder, TableProviderFilterPushDown, TableType,
};
use datafusion::physical_plan::ExecutionPlan;

/// The columns that the trace decides.
const DECIDED: [&str; 2] = ["span_role", "duplicate_of"];

/// By which a verdict finds its span.
const KEY: [&str; 3] = ["tenant", "trace_id", "span_id"];

/// `spans` with the verdicts of their traces.
#[derive(Debug)]
pub(super) struct Overlaid {
    spans: Arc<dyn TableProvider>,
    verdicts: Arc<dyn TableProvider>,
}

impl Overlaid {
    pub(super) fn new(spans: Arc<dyn TableProvider>, verdicts: Arc<dyn TableProvider>) -> Self {
        Overlaid { spans, verdicts }
    }

    /// The rows with the verdicts joined, as a plan of its own.
    async fn joined(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let scan = |name, table: &Arc<dyn TableProvider>| {
            LogicalPlanBuilder::scan(name, provider_as_source(Arc::clone(table)), None)
        };
        let mut spans = scan("of_span", &self.spans)?;
        if let Some(filter) = conjunction(filters.to_vec()) {
            spans = spans.filter(filter)?;
        }
        let verdicts = scan("of_trace", &self.verdicts)?.build()?;
        let keys = |table: &'static str| KEY.map(|c| Column::new(Some(table), c)).to_vec();
        let on = (keys("of_span"), keys("of_trace"));
        let joined = spans.join(verdicts, JoinType::Left, on, None)?;
        let of = |table: &'static str, name: &str| Expr::Column(Column::new(Some(table), name));
        let schema = self.schema();
        let shown = |i: usize| {
            let name = schema.field(i).name().as_str();
            let own = of("of_span", name);
            match DECIDED.contains(&name) {
                true => coalesce(vec![of("of_trace", name), own]).alias(name),
                false => own.alias(name),
            }
        };
        let columns: Vec<Expr> = match projection {
            Some(columns) => columns.iter().map(|i| shown(*i)).collect(),
            None => (0..schema.fields().len()).map(shown).collect(),
        };
        state.create_physical_plan(&joined.project(columns)?.build()?).await
    }
}

/// Whether columns of `spans` are among those that the trace decides.
pub(super) fn reads_verdicts(schema: &SchemaRef, projection: Option<&Vec<usize>>) -> bool {
    let decided = |i: usize| DECIDED.contains(&schema.field(i).name().as_str());
    projection.is_none_or(|columns| columns.iter().any(|i| decided(*i)))
}

#[async_trait]
impl TableProvider for Overlaid {
    fn schema(&self) -> SchemaRef {
        self.spans.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// What asks for a decided column is answered above the join; the rest is for the scan.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let own = self.spans.supports_filters_pushdown(filters)?;
        let asks = |filter: &Expr| {
            filter.column_refs().iter().any(|column| DECIDED.contains(&column.name.as_str()))
        };
        let each = filters.iter().zip(own);
        let each = each.map(|(filter, own)| match asks(filter) {
            true => TableProviderFilterPushDown::Unsupported,
            false => own,
        });
        Ok(each.collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if reads_verdicts(&self.schema(), projection) {
            self.joined(state, projection, filters).await
        } else {
            self.spans.scan(state, projection, filters, limit).await
        }
    }
}
