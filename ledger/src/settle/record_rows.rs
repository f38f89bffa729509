//! Log records that tell of a model call, in the shape of spans, so that one reading serves both.
//! Takes batches of `log_records`, gives batches with the columns that settle reads of `spans`.
//! A record has no id of its own: it gets one from what it says, so that reading it twice is
//! reading it once. One without a trace is put into a trace of its session, else of its own.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, StringViewArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Schema};
use spanledger_schemas::ids::TraceId;
use spanledger_schemas::tables::{log_records, spans};
use xxhash_rust::xxh3::Xxh3;

use super::SettleError;
use super::calls::named;
use super::chunk::columns_all;
use super::facts;
use crate::prices::columns::{int, text};

/// Columns of `log_records` that make a span's beside those of the same name.
const BESIDE: [&str; 6] =
    ["time_unix_ns", "duration_ms", "event_name", "trace_id", "span_id", "received_at"];

/// The columns of `log_records` that are read.
pub(super) fn columns() -> Vec<&'static str> {
    let shared = columns_all().into_iter().filter(|c| log_records::TABLE.column(c).is_some());
    let shared: Vec<&str> = shared.filter(|c| !BESIDE.contains(c)).collect();
    shared.into_iter().chain(BESIDE).collect()
}

/// The records of a batch with [`columns`] as spans with
/// [`columns_all`](super::chunk::columns_all).
///
/// # Errors
/// When a column is missing or of another type.
pub(super) fn as_spans(records: &RecordBatch) -> Result<RecordBatch, SettleError> {
    let rows = records.num_rows();
    let ids = Ids::of(records)?;
    let end = int(records, "time_unix_ns")?;
    let took = cast(&named(records, "duration_ms")?, &DataType::Float64)?;
    let took = took.as_primitive::<Float64Type>();
    // Unknown stays unknown: the call began when the record was written, for want of more.
    let duration: Int64Array = took.iter().map(nanos).collect();
    let start = end.iter().zip(&duration);
    let start: Int64Array = start.map(|(e, d)| Some(e?.saturating_sub(d.unwrap_or(0)))).collect();
    let own = spans::TABLE.scan_schema();
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for name in columns_all() {
        let field = own.field_with_name(name)?;
        let column: ArrayRef = match name {
            "trace_id" => Arc::new(StringArray::from_iter_values(&ids.trace)),
            "span_id" => Arc::new(StringArray::from_iter_values(&ids.record)),
            "parent_span_id" => named(records, "span_id")?,
            "start_unix_ns" => Arc::new(start.clone()),
            "start_at" => {
                let micros = start.iter().map(|ns| ns.map(|ns| ns.div_euclid(1_000)));
                Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
            }
            "duration_ns" => Arc::new(duration.clone()),
            "span_role" => Arc::new(StringArray::from_iter_values((0..rows).map(|_| "call"))),
            "status_code" => Arc::new(status(records)?),
            "scope_name" => Arc::new(kind(records)?),
            _ if records.column_by_name(name).is_some() => named(records, name)?,
            _ => new_null_array(field.data_type(), rows),
        };
        columns.push(cast(&column, field.data_type())?);
        fields.push(Field::new(name, field.data_type().clone(), true));
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

fn nanos(ms: Option<f64>) -> Option<i64> {
    ms.filter(|ms| *ms > 0.0).map(|ms| (ms * 1e6) as i64)
}

/// A record that names an error failed.
fn status(records: &RecordBatch) -> Result<StringArray, SettleError> {
    let error = text(records, "error_type")?;
    Ok(error.iter().map(|e| Some(if e.is_some() { "error" } else { "unset" })).collect())
}

/// Library and event together, on two lines: two kinds of event may tell of one call, two of one kind do not.
fn kind(records: &RecordBatch) -> Result<StringArray, SettleError> {
    let (scope, event) = (text(records, "scope_name")?, text(records, "event_name")?);
    let both = scope.iter().zip(&event);
    let both = both.map(|(s, e)| format!("{}\n{}", s.unwrap_or_default(), e.unwrap_or_default()));
    Ok(both.map(Some).collect())
}

/// Ids of the records and of the traces they are in, as hex.
struct Ids {
    trace: Vec<String>,
    record: Vec<String>,
}

impl Ids {
    fn of(records: &RecordBatch) -> Result<Ids, SettleError> {
        let told = ["tenant", "trace_id", "span_id", "session_id", "event_name", "scope_name"];
        let told = [told.as_slice(), &["response_id", "request_model", "response_model"]].concat();
        let texts: Vec<StringViewArray> =
            told.iter().map(|c| text(records, c)).collect::<Result<_, _>>()?;
        let tokens = facts::COLUMNS.iter().filter(|c| c.ends_with("_tokens"));
        let mut numbers = vec![int(records, "time_unix_ns")?];
        for name in tokens {
            numbers.push(int(records, name)?);
        }
        let (mut trace, mut record) = (Vec::new(), Vec::new());
        for i in 0..records.num_rows() {
            let mut hash = Xxh3::new();
            // What a null holds is nobody's word.
            for column in &texts {
                hash.update(&[u8::from(column.is_valid(i))]);
                hash.update(if column.is_valid(i) { column.value(i).as_bytes() } else { b"" });
                hash.update(b"\0");
            }
            for column in &numbers {
                let value = if column.is_valid(i) { column.value(i) } else { 0 };
                hash.update(&[u8::from(column.is_valid(i))]);
                hash.update(&value.to_le_bytes());
            }
            let (session, of_trace) = (&texts[3], &texts[1]);
            trace.push(match (of_trace.is_valid(i), session.is_valid(i)) {
                (true, _) => of_trace.value(i).to_owned(),
                (_, true) => TraceId::of_session(session.value(i)).to_string(),
                _ => format!("{:032x}", hash.digest128()),
            });
            record.push(format!("{:016x}", hash.digest()));
        }
        Ok(Ids { trace, record })
    }
}
