//! The tables a query sees: each one of the snapshot, cut to the tenant's rows (I-10), with the
//! columns that follow from others. They are views, inlined by the planner, so that filters and
//! projections reach the scan: pruning and pushdown stay whole.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::datasource::{TableType, ViewTable, provider_as_source};
use datafusion::error::{DataFusionError, Result};
use datafusion::functions::expr_fn::coalesce;
use datafusion::logical_expr::{LogicalPlanBuilder, cast, ident, lit};
use datafusion::prelude::Expr;
use spanledger_ledger::prices::SHARED_TENANT;
use spanledger_schemas::{Table, tables};

use super::increases::Increases;
use super::overlay::Overlaid;
use super::{Providers, series};

/// A column that follows from stored ones.
pub struct Derived {
    /// Table it is added to.
    pub table: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its unit, as in [`spanledger_schemas::Column::unit`].
    pub unit: &'static str,
    /// How it is computed.
    expr: fn() -> Expr,
}

/// Every derived column: those that make `spans` read like `calls`, and the series of a point.
pub static DERIVED: [Derived; 4] = [
    Derived {
        table: "metric_points",
        name: "series_id",
        unit: "32 hex digits",
        expr: series::of_point,
    },
    Derived { table: "spans", name: "started_at", unit: "", expr: || ident("start_at") },
    Derived {
        table: "spans",
        name: "duration_ms",
        unit: "ms",
        expr: || cast(ident("duration_ns"), DataType::Float64) / lit(1e6),
    },
    Derived {
        table: "spans",
        name: "model",
        unit: "",
        expr: || coalesce(vec![ident("response_model"), ident("request_model")]),
    },
];

/// The `public` schema of one query.
#[derive(Debug)]
pub(super) struct TenantTables {
    tables: Providers,
    tenant: String,
}

impl TenantTables {
    pub(super) fn new(tables: Providers, tenant: &str) -> Self {
        Self { tables, tenant: tenant.to_owned() }
    }
}

#[async_trait]
impl SchemaProvider for TenantTables {
    fn table_names(&self) -> Vec<String> {
        let views = tables::VIEWS.iter().map(|view| view.name);
        self.tables.keys().copied().chain(views).map(str::to_owned).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if name == tables::metric_increases::TABLE.name {
            let Some(points) = self.tables.get(stored(name)) else { return Ok(None) };
            let points = view(stored(name), Arc::clone(points), Some(&self.tenant))?;
            return Ok(Some(Arc::new(Increases::new(Arc::new(points)))));
        }
        let Some((name, stored)) = self.tables.get_key_value(name) else { return Ok(None) };
        let verdicts = self.tables.get(tables::span_verdicts::TABLE.name);
        let stored: Arc<dyn TableProvider> = match verdicts {
            Some(verdicts) if *name == tables::spans::TABLE.name => {
                Arc::new(Overlaid::new(Arc::clone(stored), Arc::clone(verdicts)))
            }
            _ => Arc::clone(stored),
        };
        Ok(Some(Arc::new(view(name, stored, Some(&self.tenant))?)))
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>, DataFusionError> {
        // They are tables to a client, and BI tools list only those by default.
        Ok(self.table_exist(name).then_some(TableType::Base))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.contains_key(stored(name))
    }
}

/// The columns a client sees of a table, in order.
pub(super) fn shape(table: &'static Table) -> Result<SchemaRef> {
    if tables::VIEWS.iter().any(|view| view.name == table.name) {
        return Ok(table.arrow_schema());
    }
    let stored = Arc::new(datafusion::datasource::empty::EmptyTable::new(table.arrow_schema()));
    Ok(view(table.name, stored, None)?.schema())
}

/// The table that a name is read from: a view's is another one.
pub(super) fn stored(name: &str) -> &str {
    match name {
        _ if name == tables::metric_increases::TABLE.name => tables::metric_points::TABLE.name,
        _ => name,
    }
}

/// Unit of a column of a table as clients see it.
pub(super) fn unit(table: &str, column: &str) -> Option<&'static str> {
    let derived = DERIVED.iter().find(|d| d.table == table && d.name == column).map(|d| d.unit);
    let unit = derived.or_else(|| Some(tables::find(table)?.column(column)?.unit))?;
    (!unit.is_empty()).then_some(unit)
}

fn view(
    name: &str,
    stored: Arc<dyn TableProvider>,
    tenant: Option<&str>,
) -> Result<ViewTable, DataFusionError> {
    let columns: Vec<Expr> = stored.schema().fields().iter().map(|f| ident(f.name())).collect();
    let derived = DERIVED.iter().filter(|d| d.table == name);
    let all = columns.into_iter().chain(derived.map(|d| (d.expr)().alias(d.name)));
    let mut rows = LogicalPlanBuilder::scan(name, provider_as_source(stored), None)?;
    if let Some(tenant) = tenant {
        let own = ident("tenant").eq(lit(tenant));
        // Prices of the bundled book hold for every tenant.
        let shared = ident("tenant").eq(lit(SHARED_TENANT));
        rows = rows.filter(if name == "prices" { own.or(shared) } else { own })?;
    }
    Ok(ViewTable::new(rows.project(all)?.build()?, None))
}
