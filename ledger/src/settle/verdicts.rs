//! Rows of table `span_verdicts`: what traces say of spans that are no calls. Takes verdicts with
//! the ids of their traces. It decides nothing and writes nothing.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Date32Array, Int64Array, RecordBatch, StringViewArray,
    TimestampMicrosecondArray,
};
use spanledger_schemas::tables::span_verdicts::TABLE;
use spanledger_schemas::time;

use super::SettleError;
use super::open::TraceKey;
use super::verdict::{Judged, Verdict};

/// A verdict on a span of a trace.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfTrace {
    pub(super) trace: TraceKey,
    /// The trace of the call that a duplicate tells of.
    pub(super) call_trace: Option<u128>,
    pub(super) judged: Judged,
}

/// Builds the rows. `tenant` tells the name of a tenant by its number.
///
/// # Errors
/// When a column is not what the table says.
pub(super) fn build<'a>(
    verdicts: &[OfTrace],
    tenant: impl Fn(u32) -> &'a str,
    now: i64,
) -> Result<RecordBatch, SettleError> {
    let schema = TABLE.scan_schema();
    let texts = |text: &dyn Fn(&OfTrace) -> Option<String>| -> ArrayRef {
        Arc::new(verdicts.iter().map(text).collect::<StringViewArray>())
    };
    let counts = |count: &dyn Fn(&OfTrace) -> i64| -> ArrayRef {
        let told = |v: &OfTrace| Some(count(v)).filter(|n| *n > 0);
        Arc::new(verdicts.iter().map(told).collect::<Int64Array>())
    };
    let columns = schema.fields().iter().map(|field| -> Result<ArrayRef, SettleError> {
        Ok(match field.name().as_str() {
            "date" => {
                let days = verdicts.iter().map(|v| Some(time::day(v.judged.start_ns)));
                Arc::new(days.collect::<Date32Array>())
            }
            "tenant" => texts(&|v| Some(tenant(v.trace.tenant).to_owned())),
            "trace_id" => texts(&|v| Some(format!("{:032x}", v.trace.trace))),
            "span_id" => texts(&|v| Some(format!("{:016x}", v.judged.span))),
            "span_role" => texts(&|v| Some(role(v).to_owned())),
            "duplicate_of" => texts(&|v| match v.judged.verdict {
                Verdict::Duplicate(_, of) => Some(format!("{:016x}", of.span)),
                Verdict::Rollup(_) => None,
            }),
            "duplicate_of_trace" => texts(&|v| v.call_trace.map(|t| format!("{t:032x}"))),
            "rule" => texts(&|v| Some(rule(v).to_owned())),
            "uncounted_input_tokens" => counts(&|v| v.judged.uncounted.input),
            "uncounted_output_tokens" => counts(&|v| v.judged.uncounted.output),
            "settled_at" => Arc::new(
                TimestampMicrosecondArray::from_value(now, verdicts.len()).with_timezone("UTC"),
            ),
            _ => return Err(SettleError::Invariant("a column of `span_verdicts` without a rule")),
        })
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    debug_assert!(columns.iter().all(|c| c.len() == verdicts.len()), "one value a verdict");
    Ok(RecordBatch::try_new(schema, columns)?)
}

fn role(of: &OfTrace) -> &'static str {
    match of.judged.verdict {
        Verdict::Rollup(_) => "rollup",
        Verdict::Duplicate(..) => "duplicate",
    }
}

fn rule(of: &OfTrace) -> &'static str {
    match of.judged.verdict {
        Verdict::Rollup(rule) | Verdict::Duplicate(rule, _) => rule.word(),
    }
}
