//! Table `spans` as clients see it: `span_role` and `duplicate_of` are those of the whole trace,
//! which settle writes to `span_verdicts`, else the span's own. A query that names neither column
//! scans `spans` alone; one that does pays a join. It decides nothing of what a span is.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Column, DFSchema, NullEquality, Result, ToDFSchema};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, JoinType, TableProviderFilterPushDown, TableType, when};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::col;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::projection::ProjectionExec;

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

    /// The rows with the verdicts joined. The plan is made by hand: the planner would optimize it
    /// for itself, and then once more as a part of the query's, which takes longer than to find a
    /// trace.
    async fn joined(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.schema();
        let shown: Vec<usize> =
            projection.cloned().unwrap_or_else(|| (0..schema.fields().len()).collect());
        let on_key = |filter: &&Expr| {
            filter.column_refs().iter().all(|column| KEY.contains(&column.name.as_str()))
        };
        let of_traces: Vec<Expr> = filters.iter().filter(on_key).cloned().collect();
        let names = shown.iter().map(|i| schema.field(*i).name().as_str());
        let spans = read(&self.spans, state, names.chain(KEY), filters).await?;
        let verdicts = read(&self.verdicts, state, KEY.into_iter().chain(DECIDED), &of_traces);
        let verdicts = verdicts.await?;
        let keys = KEY.iter().map(|key| {
            let own: Arc<dyn PhysicalExpr> = col(key, &spans.schema())?;
            Ok((own, col(key, &verdicts.schema())?))
        });
        let on = keys.collect::<Result<Vec<_>>>()?;
        let rows =
            named("of_span", &spans.schema())?.join(&named("of_trace", &verdicts.schema())?)?;
        let joined = HashJoinExec::try_new(
            spans,
            verdicts,
            on,
            None,
            &JoinType::Left,
            None,
            // The optimizer of the query chooses by the sizes.
            PartitionMode::Auto,
            NullEquality::NullEqualsNothing,
            false,
        )?;
        let of = |table: &'static str, name: &str| Expr::Column(Column::new(Some(table), name));
        let columns = shown.iter().map(|i| {
            let name = schema.field(*i).name().as_str();
            let (own, decided) = (of("of_span", name), of("of_trace", name));
            let column = match DECIDED.contains(&name) {
                true => when(decided.clone().is_not_null(), decided).otherwise(own)?,
                false => own,
            };
            Ok((state.create_physical_expr(column, &rows)?, name.to_owned()))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(ProjectionExec::try_new(columns, Arc::new(joined))?))
    }
}

/// The rows of a table that pass the filters: columns of these names, and those of the filters.
async fn read(
    table: &Arc<dyn TableProvider>,
    state: &dyn Session,
    names: impl Iterator<Item = &str>,
    filters: &[Expr],
) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = table.schema();
    let mut columns = names.map(|name| schema.index_of(name)).collect::<Result<Vec<_>, _>>()?;
    for column in filters.iter().flat_map(Expr::column_refs) {
        columns.push(schema.index_of(&column.name)?);
    }
    columns.sort_unstable();
    columns.dedup();
    let rows = table.scan(state, Some(&columns), filters, None).await?;
    let Some(filter) = conjunction(filters.to_vec()) else { return Ok(rows) };
    // The scan alone only leaves out what it surely can; the optimizer moves the filter into it.
    let filter = state.create_physical_expr(filter, &rows.schema().to_dfschema()?)?;
    Ok(Arc::new(FilterExec::try_new(filter, rows)?))
}

fn named(table: &str, schema: &Schema) -> Result<DFSchema> {
    DFSchema::try_from_qualified_schema(table, schema)
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
