//! A table at a fixed version as a DataFusion provider. Takes projections and filters of a query,
//! gives plain `ParquetSource` plans over the files that can match.

use std::cmp::Reverse;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::TableParquetOptions;
use datafusion::common::{DataFusionError, Result, ToDFSchema};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use spanledger_schemas::Table;

use super::plan::{self, Files, Reading, RowGroups};
use super::prune::{Ids, prune};
use crate::error::blocking;
use crate::log::ActiveFile;

/// Some files of a table.
#[derive(Debug)]
pub(crate) struct Provider {
    table: &'static Table,
    table_dir: PathBuf,
    schema: SchemaRef,
    files: Vec<Arc<ActiveFile>>,
    reading: Reading,
}

impl Provider {
    /// Over these files.
    pub(crate) fn new(
        table: &'static Table,
        table_dir: PathBuf,
        mut files: Vec<Arc<ActiveFile>>,
        reading: Reading,
    ) -> Provider {
        // Newest first: a query for the latest rows finds them at once and the bound that it
        // learns skips the rest.
        files.sort_by_key(|f| Reverse((f.file.date, f.added_ms)));
        Provider { table, table_dir, schema: table.scan_schema(), files, reading }
    }
}

impl Provider {
    /// The files, and their row groups, whose bloom filters say that they may hold one of the ids.
    async fn that_may_hold(
        &self,
        ids: Ids,
        files: Vec<Arc<ActiveFile>>,
    ) -> Result<(Vec<Arc<ActiveFile>>, Vec<Option<RowGroups>>)> {
        let (blooms, table_dir) = (self.reading.blooms.clone(), self.table_dir.clone());
        let look = blocking("reading bloom filters", move || {
            let values: Vec<&str> = ids.values.iter().map(String::as_str).collect();
            let look = |file: Arc<ActiveFile>| {
                let groups = blooms.may_hold(&table_dir, &file, ids.column, &values);
                let none = groups.as_ref().is_some_and(|groups| groups.at.is_empty());
                (!none).then_some((file, groups))
            };
            Ok(files.into_iter().filter_map(look).unzip())
        });
        look.await.map_err(|e| DataFusionError::External(Box::new(e)))
    }
}

#[async_trait]
impl TableProvider for Provider {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Inexact: pruning and the scan use every filter, and the filter node that stays in the plan
    /// is pushed into the scan by the optimizer where Parquet can evaluate it exactly.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut files = self.files.clone();
        let mut groups = Vec::new();
        if let Some(filter) = conjunction(filters.to_vec()) {
            let schema = self.schema.clone().to_dfschema()?;
            let predicate = state.create_physical_expr(filter, &schema)?;
            let pruned = prune(self.table, &self.schema, predicate, files)?;
            (files, groups) = match pruned.ids {
                Some(ids) => self.that_may_hold(ids, pruned.files).await?,
                None => (pruned.files, Vec::new()),
            };
        } else if let Some(limit) = limit {
            let mut rows = 0;
            files.retain(|file| {
                let needed = rows < limit as u64;
                rows += file.file.rows;
                needed
            });
        }
        if files.is_empty() {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema.project(columns)?),
                None => self.schema.clone(),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let options = TableParquetOptions {
            global: state.config_options().execution.parquet.clone(),
            ..TableParquetOptions::default()
        };
        plan::read(
            &self.reading,
            Files {
                table: self.table,
                table_dir: &self.table_dir,
                files: &files,
                groups: &groups,
                projection,
                // With filters the scan cannot know which rows count.
                limit: if filters.is_empty() { limit } else { None },
                partitions: state.config().target_partitions(),
                options,
            },
        )
    }
}
