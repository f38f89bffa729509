//! `pg_stat_activity`: which statements run. Holds what each query that was let in asks, for as long as
//! it runs; gives a caller those of its own tenant alone (I-10).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::{ArrayRef, Int32Array, StringArray, TimestampMicrosecondArray, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::MemTable;
use datafusion::error::Result;

use super::CATALOG;

/// Name of the table.
pub(super) const NAME: &str = "pg_stat_activity";

/// One statement that runs.
#[derive(Debug, Clone)]
struct Statement {
    tenant: String,
    door: &'static str,
    pid: Option<i32>,
    text: String,
    since_us: i64,
}

#[derive(Debug, Default)]
struct Statements {
    next: u64,
    running: BTreeMap<u64, Statement>,
}

/// The statements that run, in the order of their start. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Activity(Arc<Mutex<Statements>>);

/// That a statement runs, until it is dropped.
#[derive(Debug)]
pub(crate) struct Listed {
    activity: Activity,
    number: u64,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.activity.statements().running.remove(&self.number);
    }
}

impl Activity {
    /// Lists a statement. `pid` is the process id that its connection was told, if it was told one.
    pub(crate) fn enter(
        &self,
        tenant: &str,
        door: &'static str,
        pid: Option<i32>,
        text: String,
    ) -> Listed {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let since_us = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        let statement = Statement { tenant: tenant.to_owned(), door, pid, text, since_us };
        let mut statements = self.statements();
        statements.next += 1;
        let number = statements.next;
        statements.running.insert(number, statement);
        Listed { activity: self.clone(), number }
    }

    fn statements(&self) -> MutexGuard<'_, Statements> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows that a tenant sees, with PostgreSQL's columns (27.2.3); what has no meaning here is null.
    ///
    /// # Errors
    /// None that we know: the columns are those of the shape.
    pub(super) fn rows(&self, tenant: &str) -> Result<MemTable> {
        let own: Vec<Statement> = {
            let statements = self.statements();
            statements.running.values().filter(|s| s.tenant == tenant).cloned().collect()
        };
        let zoned = |micros: TimestampMicrosecondArray| -> ArrayRef {
            Arc::new(micros.with_timezone("UTC"))
        };
        let all = |text: &'static str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(own.iter().map(|_| text)))
        };
        let columns = COLUMNS.iter().map(|(name, kind)| -> (Field, ArrayRef) {
            let column = match *name {
                "datname" => all(CATALOG),
                "pid" => Arc::new(own.iter().map(|s| s.pid).collect::<Int32Array>()),
                "application_name" => {
                    Arc::new(StringArray::from_iter_values(own.iter().map(|s| s.door)))
                }
                "xact_start" | "query_start" | "state_change" => {
                    zoned(own.iter().map(|s| Some(s.since_us)).collect())
                }
                "state" => all("active"),
                "query" => Arc::new(StringArray::from_iter_values(own.iter().map(|s| &s.text))),
                "backend_type" => all("client backend"),
                _ => new_null_array(&kind(), own.len()),
            };
            (Field::new(*name, column.data_type().clone(), true), column)
        });
        let (fields, columns): (Vec<_>, Vec<_>) = columns.unzip();
        let schema = Arc::new(Schema::new(fields));
        let rows = RecordBatch::try_new(Arc::clone(&schema), columns)?;
        MemTable::try_new(schema, vec![vec![rows]])
    }
}

type KindOf = fn() -> DataType;

const INT: KindOf = || DataType::Int32;
const TEXT: KindOf = || DataType::Utf8;
const INSTANT: KindOf = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));

const COLUMNS: [(&str, KindOf); 22] = [
    ("datid", INT),
    ("datname", TEXT),
    ("pid", INT),
    ("leader_pid", INT),
    ("usesysid", INT),
    ("usename", TEXT),
    ("application_name", TEXT),
    ("client_addr", TEXT),
    ("client_hostname", TEXT),
    ("client_port", INT),
    ("backend_start", INSTANT),
    ("xact_start", INSTANT),
    ("query_start", INSTANT),
    ("state_change", INSTANT),
    ("wait_event_type", TEXT),
    ("wait_event", TEXT),
    ("state", TEXT),
    ("backend_xid", INT),
    ("backend_xmin", INT),
    ("query_id", || DataType::Int64),
    ("query", TEXT),
    ("backend_type", TEXT),
];
