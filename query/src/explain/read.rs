//! Rows for an explanation: several statements over one pinned snapshot, each row as an object, so
//! that a column which this version of a table has more, or less, is no matter. It knows what was
//! read, not what it means.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use serde_json::{Map, Value};

use crate::error::QueryError;
use crate::render::json::objects;
use crate::service::Pinned;

/// Reads rows of one snapshot.
pub(crate) struct Reader {
    pinned: Pinned,
    tables: Mutex<BTreeMap<&'static str, i64>>,
}

/// One row, by column.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row(pub(crate) Map<String, Value>);

impl Reader {
    pub(crate) fn new(pinned: Pinned) -> Self {
        Self { pinned, tables: Mutex::default() }
    }

    /// The rows of a statement.
    pub(crate) async fn rows(&self, sql: &str) -> Result<Vec<Row>, QueryError> {
        Ok(self.both(sql).await?.0)
    }

    /// The rows of a statement, and the batches they came in.
    pub(crate) async fn both(&self, sql: &str) -> Result<(Vec<Row>, Vec<RecordBatch>), QueryError> {
        let rows = self.pinned.rows(sql).await?;
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).extend(&rows.tables);
        let objects = objects(&rows.schema, &rows.batches)?;
        Ok((objects.into_iter().map(Row).collect(), rows.batches))
    }

    /// Ends the reading: the versions of the tables read, the time it took, what came of it.
    pub(crate) fn end<T>(
        self,
        outcome: Result<T, QueryError>,
    ) -> Result<(BTreeMap<&'static str, i64>, Duration, T), QueryError> {
        let elapsed = self.pinned.elapsed();
        let outcome = self.pinned.end(outcome)?;
        Ok((self.tables.into_inner().unwrap_or_else(PoisonError::into_inner), elapsed, outcome))
    }
}

impl Row {
    /// The value of a column; null where the table has none of that name.
    pub(crate) fn value(&self, column: &str) -> &Value {
        self.0.get(column).unwrap_or(&Value::Null)
    }

    /// The value, when it is there.
    pub(crate) fn known(&self, column: &str) -> Option<&Value> {
        self.0.get(column).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, column: &str) -> Option<&str> {
        self.known(column)?.as_str()
    }

    pub(crate) fn int(&self, column: &str) -> Option<i64> {
        self.known(column)?.as_i64()
    }

    /// The entries of a map, by key.
    pub(crate) fn map(&self, column: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.known(column).and_then(Value::as_object).into_iter().flatten()
    }
}
