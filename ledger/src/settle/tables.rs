//! What settle reads from the tables: newly committed spans as a stream, all spans or calls of
//! given traces, and the files their calls are in. Owns the queries; it holds no state of traces
//! and writes nothing.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use datafusion::scalar::ScalarValue;
use futures::TryStreamExt;
use spanledger_schemas::Table;
use spanledger_schemas::tables::{calls, log_records, spans};
use spanledger_store::{DataFile, Snapshot, Store};

use super::{SettleError, TXN_APP, chunk, record_rows};
use crate::limits::TRACES_PER_LOOKUP;

/// Bits of a recorded version that count commits; the rest is the instant in milliseconds.
const COUNTER_BITS: u32 = 20;

/// The version to record for an instant, above every earlier one.
pub(super) fn version_for(settled_until: i64, recorded: Option<i64>) -> i64 {
    let floor = settled_until.div_euclid(1_000).max(0) << COUNTER_BITS;
    recorded.map_or(floor, |r| floor.max(r + 1))
}

/// The instant of a recorded version, in microseconds.
pub(super) fn instant_of(version: i64) -> i64 {
    (version >> COUNTER_BITS) * 1_000
}

/// The instant before which every received span is settled, as the last commit to `calls` says:
/// for readers in other processes. `None` before the first commit.
///
/// # Errors
/// When the log of the table cannot be read.
pub async fn settled_until(store: &Store) -> Result<Option<jiff::Timestamp>, SettleError> {
    let version = store.txn_version(&calls::TABLE, TXN_APP).await?;
    Ok(version.and_then(|v| jiff::Timestamp::from_microsecond(instant_of(v)).ok()))
}

/// A session for settle's own small reads: one partition, because it shares the machine with
/// queries that people wait for, and filters inside the scan, because they pass few rows.
pub(super) fn session() -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(1)
        .set_bool("datafusion.execution.parquet.pushdown_filters", true);
    SessionContext::new_with_config(config)
}

/// The spans of a file, in its order, with the columns that decide.
pub(super) async fn spans_in(
    session: &SessionContext,
    snapshot: &Snapshot,
    file: &DataFile,
) -> Result<SendableRecordBatchStream, SettleError> {
    let columns: Vec<&str> = chunk::columns_deciding().collect();
    let table = snapshot.provider_of(&spans::TABLE, std::slice::from_ref(file));
    Ok(session.read_table(table)?.select_columns(&columns)?.execute_stream().await?)
}

/// Whether a log record tells of a call.
pub(super) async fn has_records(
    session: &SessionContext,
    snapshot: &Snapshot,
) -> Result<bool, SettleError> {
    let records = session.read_table(snapshot.provider(&log_records::TABLE))?;
    let one = records.filter(col("record_role").eq(lit("call")))?.limit(0, Some(1))?;
    Ok(one.select_columns(&["received_at"])?.collect().await?.iter().any(|b| b.num_rows() > 0))
}

/// Tenant, trace, response id and start of the spans received in `from..to`.
pub(super) async fn traces_between(
    session: &SessionContext,
    snapshot: &Snapshot,
    from: i64,
    to: i64,
) -> Result<SendableRecordBatchStream, SettleError> {
    let rows = session
        .read_table(snapshot.provider(&spans::TABLE))?
        .filter(received_in(from, to))?
        .select_columns(&["tenant", "trace_id", "response_id", "start_unix_ns"])?;
    Ok(rows.execute_stream().await?)
}

/// The log records that tell of calls in a file.
pub(super) async fn records_in(
    session: &SessionContext,
    snapshot: &Snapshot,
    file: &DataFile,
) -> Result<SendableRecordBatchStream, SettleError> {
    let table = snapshot.provider_of(&log_records::TABLE, std::slice::from_ref(file));
    Ok(calls_of(session.read_table(table)?)?.execute_stream().await?)
}

/// The log records received in `from..to` that tell of calls.
pub(super) async fn records_between(
    session: &SessionContext,
    snapshot: &Snapshot,
    from: i64,
    to: i64,
) -> Result<SendableRecordBatchStream, SettleError> {
    let rows = session.read_table(snapshot.provider(&log_records::TABLE))?;
    Ok(calls_of(rows.filter(received_in(from, to))?)?.execute_stream().await?)
}

/// The log records from a day on that tell of calls.
pub(super) async fn records_since(
    session: &SessionContext,
    snapshot: &Snapshot,
    date: i32,
) -> Result<Vec<RecordBatch>, SettleError> {
    let rows = session.read_table(snapshot.provider(&log_records::TABLE))?;
    let rows = rows.filter(col("date").gt_eq(lit(ScalarValue::Date32(Some(date)))))?;
    Ok(calls_of(rows)?.collect().await?)
}

fn calls_of(records: DataFrame) -> Result<DataFrame, SettleError> {
    let calls = records.filter(col("record_role").eq(lit("call")))?;
    Ok(calls.select_columns(&record_rows::columns())?)
}

/// The rows of a table on or after a day.
pub(super) async fn rows_since(
    session: &SessionContext,
    snapshot: &Snapshot,
    table: &'static Table,
    date: i32,
) -> Result<SendableRecordBatchStream, SettleError> {
    let rows = session
        .read_table(snapshot.provider(table))?
        .filter(col("date").gt_eq(lit(ScalarValue::Date32(Some(date)))))?;
    Ok(rows.execute_stream().await?)
}

/// All rows of a table that belong to traces, from a day on; `traces` is sorted. Few traces are
/// looked up by id, where bloom filters help; many are picked out of one scan. Ids that are alike
/// in two tenants are told apart by the caller.
pub(super) async fn rows_of(
    session: &SessionContext,
    snapshot: &Snapshot,
    table: &'static Table,
    columns: Option<&[&str]>,
    traces: &[u128],
    from_date: i32,
) -> Result<Vec<RecordBatch>, SettleError> {
    let few = traces.len() <= TRACES_PER_LOOKUP;
    let mut rows = session
        .read_table(snapshot.provider(table))?
        .filter(col("date").gt_eq(lit(ScalarValue::Date32(Some(from_date)))))?;
    if few {
        rows = rows.filter(one_of(traces))?;
    }
    if let Some(columns) = columns {
        rows = rows.select_columns(columns)?;
    }
    let mut rows = rows.execute_stream().await?;
    let mut found = Vec::new();
    while let Some(batch) = rows.try_next().await? {
        let batch = if few { batch } else { of_traces(&batch, traces)? };
        if batch.num_rows() > 0 {
            found.push(unpinned(&batch)?);
        }
    }
    Ok(found)
}

/// The rows of a batch whose trace is among the sorted `traces`.
fn of_traces(batch: &RecordBatch, traces: &[u128]) -> Result<RecordBatch, SettleError> {
    let ids = crate::prices::columns::text(batch, "trace_id")?;
    let wanted = |id: Option<&str>| id.map(|id| traces.binary_search(&chunk::trace_id(id)).is_ok());
    let wanted: BooleanArray = ids.iter().map(wanted).collect();
    Ok(filter_record_batch(batch, &wanted)?)
}

/// The same rows with text of their own: a view keeps the whole page alive that it points into.
pub(super) fn unpinned(batch: &RecordBatch) -> Result<RecordBatch, SettleError> {
    let own = |column: &ArrayRef| match column.as_string_view_opt() {
        Some(views) => Arc::new(views.gc()) as ArrayRef,
        None => Arc::clone(column),
    };
    let columns = batch.columns().iter().map(own).collect();
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

/// Whether a file has rows of these few traces: mostly its bloom filters say that it has none.
pub(super) async fn has_traces(
    session: &SessionContext,
    snapshot: &Snapshot,
    of: &'static Table,
    file: &DataFile,
    traces: &[u128],
) -> Result<bool, SettleError> {
    let table = snapshot.provider_of(of, std::slice::from_ref(file));
    let one = session.read_table(table)?.filter(one_of(traces))?.limit(0, Some(1))?;
    Ok(one.select_columns(&["trace_id"])?.collect().await?.iter().any(|b| b.num_rows() > 0))
}

/// The tenants and traces of the rows of a file, in its order.
pub(super) async fn traces_in(
    session: &SessionContext,
    snapshot: &Snapshot,
    of: &'static Table,
    file: &DataFile,
) -> Result<SendableRecordBatchStream, SettleError> {
    let table = snapshot.provider_of(of, std::slice::from_ref(file));
    Ok(session.read_table(table)?.select_columns(&["tenant", "trace_id"])?.execute_stream().await?)
}

fn one_of(traces: &[u128]) -> Expr {
    col("trace_id").in_list(traces.iter().map(|t| lit(format!("{t:032x}"))).collect(), false)
}

fn received_in(from: i64, to: i64) -> Expr {
    let received = col("received_at");
    received.clone().gt_eq(instant(from)).and(received.lt(instant(to)))
}

fn instant(micros: i64) -> Expr {
    lit(ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringViewArray};

    use super::*;

    #[test]
    fn rows_of_many_traces_are_picked_out_of_one_scan() {
        let ids = ["0000000000000000000000000000000a", "0000000000000000000000000000000b"];
        let id = StringViewArray::from(vec![ids[0], ids[1], ids[0]]);
        let number = Int64Array::from(vec![1, 2, 3]);
        let batch = RecordBatch::try_from_iter([
            ("trace_id", Arc::new(id) as ArrayRef),
            ("n", Arc::new(number) as ArrayRef),
        ])
        .unwrap();
        let picked = unpinned(&of_traces(&batch, &[3, 10, 12]).unwrap()).unwrap();
        assert_eq!(picked["n"].as_ref(), &Int64Array::from(vec![1, 3]));
        let held = picked["trace_id"].as_string_view().data_buffers();
        // Two ids of 32 digits, and nothing of the row that was left out.
        assert_eq!(held.iter().map(|b| b.len()).sum::<usize>(), 64);
    }

    #[test]
    fn versions_grow_and_keep_the_instant() {
        // 2026-11-25T00:00:00.123456Z
        let instant = 1_795_564_800_123_456;
        let first = version_for(instant, None);
        assert_eq!(instant_of(first), 1_795_564_800_123_000);
        let second = version_for(instant, Some(first));
        assert_eq!(second, first + 1);
        assert_eq!(instant_of(second), instant_of(first));
        // An instant that is behind the recorded one does not take it back.
        assert_eq!(version_for(instant - 5_000_000, Some(second)), second + 1);
        assert_eq!(instant_of(version_for(instant + 1_000, Some(second))), 1_795_564_800_124_000);
    }
}
