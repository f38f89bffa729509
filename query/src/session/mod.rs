//! One session per query: a catalog over one snapshot of all tables (I-12), filtered to one
//! tenant (I-10), with the functions and the memory that queries may use.
//! Takes the snapshot's providers and SQL text, gives checked logical plans. It runs nothing.

pub(crate) mod activity;
mod bins;
pub mod catalog;
mod correlated;
mod describe;
pub mod functions;
mod increases;
mod information_schema;
mod json_build;
pub mod memory;
mod one_group;
mod operators;
mod overlay;
mod patterns;
mod periods;
mod pg_catalog;
mod pg_functions;
pub(crate) mod pg_types;
mod prices;
mod quantiles;
mod reader;
pub(crate) mod rewrites;
mod samples;
mod series;
mod spilled;
pub mod statement;
pub mod units;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider, TableProvider,
};
use datafusion::common::ParamValues;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::Optimizer;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::Statement;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_postgres::datafusion_pg_catalog::setup_pg_catalog;

use spanledger_schemas::tables as tables_of;
use spanledger_schemas::tables::{span_verdicts, spans};

use crate::error::QueryError;
use crate::limits;
use crate::settings::QuerySettings;
use activity::Activity;
use catalog::TenantTables;
use information_schema::InformationSchema;
use memory::{Budget, Pool};
use pg_catalog::PgCatalog;
use prices::{PriceCache, SnapshotPrices};
use spilled::Spilled;

/// Name of the catalog that holds the tables; PostgreSQL clients call it the database.
pub const CATALOG: &str = "spanledger";
/// Name of the schema that holds the tables.
pub const SCHEMA: &str = "public";

/// Every table of one snapshot, by name.
pub type Providers = BTreeMap<&'static str, Arc<dyn TableProvider>>;

/// What all sessions share: functions, PostgreSQL's catalog, memory, spill space, caches.
pub(crate) struct Sessions {
    template: SessionState,
    pg_catalog: PgCatalog,
    described: Arc<describe::Tables>,
    runtime: Arc<RuntimeEnv>,
    query_max: usize,
    prices: Arc<PriceCache>,
    _spilled: Option<Spilled>,
}

impl Sessions {
    /// Builds what sessions share.
    ///
    /// # Errors
    /// When the spill folder cannot be used.
    pub(crate) fn new(settings: &QuerySettings) -> Result<Self, QueryError> {
        let memory_max = usize::try_from(settings.memory_max).unwrap_or(usize::MAX);
        let budget = Budget::of(settings);
        let mut runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(Pool::of_all(memory_max)))
            .with_max_temp_directory_size(settings.spill_max)
            .with_max_spill_merge_fan_in(limits::SPILL_MERGE_FILES_MAX)
            .with_metadata_cache_limit(limits::METADATA_CACHE_BYTES);
        let mut spilled = None;
        if let Some(folder) = &settings.spill_dir {
            spilled = Some(Spilled::claim(folder)?);
            runtime = runtime.with_temp_file_path(folder);
        }
        let runtime = runtime.build_arc()?;
        let context = SessionContext::new_with_state(
            SessionStateBuilder::new_with_default_features()
                .with_config(config(&budget))
                .with_runtime_env(Arc::clone(&runtime))
                .with_catalog_list(catalogs_of(described_tables()?, None)?)
                .build(),
        );
        setup_pg_catalog(&context, CATALOG, EmptyContextProvider).map_err(|e| *e)?;
        functions::register(&context);
        operators::register(&context)?;
        pg_functions::register(&context);
        let described = Arc::<describe::Tables>::default();
        describe::register(&context, &described);
        let pg_catalog = context
            .catalog(CATALOG)
            .and_then(|catalog| catalog.schema("pg_catalog"))
            .ok_or_else(|| QueryError::Failed("pg_catalog was not set up".to_owned()))?;
        let pg_catalog = PgCatalog::new(pg_catalog, Arc::clone(&described));
        Ok(Self {
            template: context.state(),
            pg_catalog,
            described,
            runtime,
            query_max: budget.query_max,
            prices: Arc::default(),
            _spilled: spilled,
        })
    }

    /// The statements that run.
    pub(crate) fn activity(&self) -> &Activity {
        self.pg_catalog.activity()
    }

    /// A session for one query of one tenant.
    pub(crate) fn open(
        &self,
        tables: Providers,
        versions: BTreeMap<&'static str, i64>,
        tenant: &str,
    ) -> Result<Session, QueryError> {
        let shared = &self.runtime.memory_pool;
        let pool: Arc<dyn MemoryPool> =
            Arc::new(Pool::of_query(Arc::clone(shared), self.query_max));
        let runtime = RuntimeEnvBuilder::from_runtime_env(&self.runtime)
            .with_memory_pool(pool)
            .build_arc()?;
        let priced = tables.get(tables_of::prices::TABLE.name).cloned();
        let version = versions.get(tables_of::prices::TABLE.name).copied().unwrap_or_default();
        let prices = SnapshotPrices::new(priced, version, tenant, Arc::clone(&self.prices));
        let tables: Arc<dyn SchemaProvider> = Arc::new(TenantTables::new(tables, tenant));
        let pg_catalog = Arc::new(self.pg_catalog.of(tenant));
        let mut state = SessionStateBuilder::new_from_existing(self.template.clone())
            .with_runtime_env(runtime)
            .with_catalog_list(catalogs_of(
                tables,
                Some(Arc::clone(&pg_catalog) as Arc<dyn SchemaProvider>),
            )?)
            .build();
        prices.register(&mut state)?;
        let context = SessionContext::new_with_state(state);
        let described = Arc::clone(&self.described);
        Ok(Session { context, versions, prices, pg_catalog, described })
    }
}

/// One query's view of the tables.
pub(crate) struct Session {
    context: SessionContext,
    versions: BTreeMap<&'static str, i64>,
    prices: Arc<SnapshotPrices>,
    pg_catalog: Arc<PgCatalog>,
    described: Arc<describe::Tables>,
}

impl Session {
    /// The plan of a statement that [`statement::check`] has let pass, with its parameters.
    pub(crate) async fn plan(
        &self,
        statement: &Statement,
        params: Option<ParamValues>,
    ) -> Result<LogicalPlan, QueryError> {
        let statement = DfStatement::Statement(Box::new(statement.clone()));
        let plan = correlated::joined(self.context.state().statement_to_plan(statement).await?)?;
        // The second lock on the same door: no plan that writes, whatever the text was.
        let reading = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        reading.verify_plan(&plan)?;
        functions::check_sizes(&plan)?;
        self.prices.prepare(&plan).await?;
        if describe::needed_by(&plan)
            && let Some(pg_class) = self.pg_catalog.table("pg_class").await?
        {
            self.described.load(pg_class).await?;
        }
        match params {
            Some(params) => Ok(plan.replace_params_with_values(&params)?),
            None => Ok(plan),
        }
    }

    /// The plan with the types its columns will truly have: the planner's own take an expression
    /// at its first branch's word (`CASE WHEN a THEN 0 ELSE 0.5 END` as an integer).
    pub(crate) fn typed(&self, plan: LogicalPlan) -> Result<LogicalPlan, QueryError> {
        let state = self.context.state();
        Ok(state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {})?)
    }

    /// Versions of those tables that a plan scans.
    pub(crate) fn read_by(&self, plan: &LogicalPlan) -> BTreeMap<&'static str, i64> {
        let mut read = BTreeMap::new();
        let mut note = |name: &str| {
            if let Some((name, version)) = self.versions.get_key_value(name) {
                read.insert(*name, *version);
            }
        };
        let mut of_spans = false;
        let noted = plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                let name = scan.table_name.table();
                note(catalog::stored(name));
                of_spans |= scan.table_name.table() == spans::TABLE.name;
            }
            Ok(TreeNodeRecursion::Continue)
        });
        debug_assert!(noted.is_ok(), "the visitor never fails");
        if prices::used_by(plan) {
            note(tables_of::prices::TABLE.name);
        }
        if of_spans && self.reads_verdicts(plan) {
            note(span_verdicts::TABLE.name);
        }
        read
    }

    /// Whether a scan of `spans` needs what traces decide. Which columns are needed is known once
    /// projections are pushed down; when they cannot be, all are taken to be.
    fn reads_verdicts(&self, plan: &LogicalPlan) -> bool {
        let optimizer = Optimizer::with_rules(vec![Arc::new(OptimizeProjections::new())]);
        let Ok(plan) = optimizer.optimize(plan.clone(), &self.context.state(), |_, _| {}) else {
            return true;
        };
        let mut reads = false;
        let looked = plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node
                && scan.table_name.table() == spans::TABLE.name
            {
                let schema = scan.source.schema();
                reads |= overlay::reads_verdicts(&schema, scan.projection.as_ref());
            }
            Ok(TreeNodeRecursion::Continue)
        });
        debug_assert!(looked.is_ok(), "the visitor never fails");
        reads
    }

    /// The state to optimise and run a plan with.
    pub(crate) fn state(&self) -> SessionState {
        self.context.state()
    }
}

fn config(budget: &Budget) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        // Ours, in the catalog: the planner would put its own before it.
        .with_information_schema(false)
        .with_target_partitions(budget.partitions);
    let options = config.options_mut();
    options.sql_parser.dialect = datafusion::config::Dialect::PostgreSQL;
    // What a text literal or a cast to `timestamp with time zone` means, and what it prints as.
    options.execution.time_zone = Some("UTC".to_owned());
    budget.configure(&mut options.execution);
    // Estimates know of no grouping: what is grouped by model counts as all calls, so that without
    // these both sides of its join are dealt out by hash, every call with them.
    options.optimizer.hash_join_single_partition_threshold = limits::JOIN_SIDE_HELD_ONCE_BYTES;
    options.optimizer.hash_join_single_partition_threshold_rows = limits::JOIN_SIDE_HELD_ONCE_ROWS;
    config
}

/// The tables' shapes without rows: what PostgreSQL's catalog describes, the same for every
/// snapshot, so that object ids stay the same from one statement to the next.
fn described_tables() -> Result<Arc<dyn SchemaProvider>, DataFusionError> {
    let schema = MemorySchemaProvider::new();
    for table in tables_of::ALL.into_iter().chain(tables_of::VIEWS) {
        let shape = catalog::shape(table)?;
        schema.register_table(table.name.to_owned(), Arc::new(EmptyTable::new(shape)))?;
    }
    Ok(Arc::new(schema))
}

fn catalogs_of(
    tables: Arc<dyn SchemaProvider>,
    pg_catalog: Option<Arc<dyn SchemaProvider>>,
) -> Result<Arc<dyn CatalogProviderList>, DataFusionError> {
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(SCHEMA, tables)?;
    if let Some(pg_catalog) = pg_catalog {
        catalog.register_schema("pg_catalog", pg_catalog)?;
    }
    let list = Arc::new_cyclic(|list: &Weak<MemoryCatalogProviderList>| {
        let list = Weak::clone(list) as Weak<dyn CatalogProviderList>;
        let described = catalog
            .register_schema(information_schema::NAME, Arc::new(InformationSchema::new(list)));
        debug_assert!(described.is_ok(), "a catalog in memory takes every schema");
        let list = MemoryCatalogProviderList::new();
        list.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
        list
    });
    Ok(list)
}
