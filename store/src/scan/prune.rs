//! Which files can hold a row that passes the filters: by the partition column and by the bounds
//! in the log. Takes a predicate, gives the files to open; in doubt a file is opened.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, Result};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::{Guarantee, LiteralGuarantee};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::scalar::ScalarValue;
use spanledger_schemas::Table;
use spanledger_schemas::table::PARTITION_COLUMN;

use crate::limits;
use crate::log::ActiveFile;
use crate::write::stats::Bounds;

/// What may hold a matching row.
#[derive(Debug)]
pub(crate) struct Pruned {
    /// The files, in their order.
    pub(crate) files: Vec<Arc<ActiveFile>>,
    /// Ids of which a row must have one, if there are any with bloom filters.
    pub(crate) ids: Option<Ids>,
}

/// Values of a column with bloom filters.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) column: &'static str,
    pub(crate) values: Vec<String>,
}

/// What may hold a matching row by the log.
pub(crate) fn prune(
    table: &'static Table,
    schema: &SchemaRef,
    predicate: Arc<dyn PhysicalExpr>,
    files: Vec<Arc<ActiveFile>>,
) -> Result<Pruned> {
    let builder = PruningPredicateBuilder::new().with_file_schema(schema.clone());
    let Some(predicate) = builder.build(predicate) else {
        return Ok(Pruned { files, ids: None });
    };
    let kept = predicate.prune(&LogStatistics { table, schema, files: &files })?;
    let files = files.into_iter().zip(kept).filter_map(|(file, kept)| kept.then_some(file));
    let ids = predicate.literal_guarantees().iter().find_map(|must| ids(table, must));
    Ok(Pruned { files: files.collect(), ids })
}

fn ids(table: &'static Table, must: &LiteralGuarantee) -> Option<Ids> {
    let column = table.bloom.iter().find(|name| **name == must.column.name())?;
    let few = must.guarantee == Guarantee::In && must.literals.len() <= limits::BLOOM_VALUES_MAX;
    let text = |value: &ScalarValue| value.try_as_str().flatten().map(str::to_owned);
    let values: Option<Vec<String>> = must.literals.iter().map(text).collect();
    values.filter(|_| few).map(|values| Ids { column, values })
}

/// The log's statistics, a file each.
struct LogStatistics<'a> {
    table: &'static Table,
    schema: &'a SchemaRef,
    files: &'a [Arc<ActiveFile>],
}

impl LogStatistics<'_> {
    fn bounds(
        &self,
        column: &Column,
        of: impl Fn(&Bounds) -> Option<ScalarValue>,
    ) -> Option<ArrayRef> {
        let field = self.schema.field_with_name(column.name()).ok()?;
        let unknown = ScalarValue::try_from(field.data_type()).ok()?;
        let value = |file: &Arc<ActiveFile>| {
            if column.name() == PARTITION_COLUMN {
                return ScalarValue::Date32(Some(file.file.date));
            }
            let stats = file.stats(self.table);
            stats.columns.get(column.name()).and_then(&of).unwrap_or_else(|| unknown.clone())
        };
        ScalarValue::iter_to_array(self.files.iter().map(value)).ok()
    }
}

impl PruningStatistics for LogStatistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |b| b.min.clone())
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |b| b.max.clone())
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let nulls = |file: &Arc<ActiveFile>| {
            if column.name() == PARTITION_COLUMN {
                return Some(0);
            }
            file.stats(self.table).columns.get(column.name()).and_then(|b| b.nulls)
        };
        Some(Arc::new(self.files.iter().map(nulls).collect::<UInt64Array>()))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(self.files.iter().map(|f| Some(f.file.rows)).collect::<UInt64Array>()))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
