//! Tests of the whole way from bytes to rows: against a slow reference that reads with prost,
//! against bodies that real libraries sent, and against what these were billed.

mod caps;
mod dialects;
mod exports;
mod generate;
mod oracle;
mod real;
mod reference;
mod truth;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use bytes::Bytes;
use spanledger_schemas::ids::LogSeq;
use spanledger_schemas::money::Money;
use spanledger_schemas::tables;

use super::contents::ContentColumns;
use super::log_records::LogColumns;
use super::metric_points::PointColumns;
use super::spans::SpanColumns;
use super::{Builders, ContentRules};
use crate::frame::{Frame, Signal};

/// 2026-11-25T00:00:00Z, after all captured bodies.
const NOW: i64 = 1_795_564_800_000_000_000;

/// One row: column to text; null is none. Maps and lists are written as Rust's debug text.
type Row = BTreeMap<String, Option<String>>;

fn frame(signal: Signal, body: impl Into<Bytes>) -> Frame {
    Frame {
        seq: LogSeq(1),
        tenant: Arc::from("acme"),
        signal,
        received_unix_ns: NOW,
        body: body.into(),
    }
}

/// The rows of one table that a body gives.
fn rows_of(signal: Signal, body: impl Into<Bytes>, table: &str, rules: ContentRules) -> Vec<Row> {
    let mut builders = Builders::new(rules);
    builders.append(&frame(signal, body)).unwrap();
    let all = builders.rows();
    let batches = builders.finish();
    assert_eq!(all, batches.iter().map(|(_, b)| b.num_rows()).sum::<usize>());
    batches
        .into_iter()
        .find(|(t, _)| t.name == table)
        .map(|(_, batch)| rows(&batch))
        .unwrap_or_default()
}

fn rows(batch: &RecordBatch) -> Vec<Row> {
    let schema = batch.schema();
    let row = |i: usize| {
        let cell = |(field, column): (&Arc<_>, &Arc<dyn Array>)| {
            let field: &arrow::datatypes::Field = field;
            (field.name().clone(), cell(column, i))
        };
        schema.fields().iter().zip(batch.columns()).map(cell).collect()
    };
    (0..batch.num_rows()).map(row).collect()
}

fn cell(column: &Arc<dyn Array>, i: usize) -> Option<String> {
    if column.is_null(i) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(i).to_owned(),
        DataType::Utf8View => column.as_string_view().value(i).to_owned(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(i).to_string(),
        DataType::Float64 => format!("{:?}", column.as_primitive::<Float64Type>().value(i)),
        DataType::Boolean => column.as_boolean().value(i).to_string(),
        DataType::Decimal128(..) => {
            Money(column.as_primitive::<Decimal128Type>().value(i)).to_string()
        }
        DataType::Date32 => column.as_primitive::<Date32Type>().value(i).to_string(),
        DataType::Timestamp(..) => {
            column.as_primitive::<TimestampMicrosecondType>().value(i).to_string()
        }
        DataType::List(_) => {
            let list = column.as_list::<i32>().value(i);
            let cells: Vec<_> = (0..list.len()).map(|j| cell(&list, j).unwrap()).collect();
            format!("{cells:?}")
        }
        DataType::Map(..) => {
            let map = column.as_map().value(i);
            let (keys, values) = (map.column(0), map.column(1));
            let entries: Vec<_> =
                (0..map.len()).map(|j| (cell(keys, j).unwrap(), cell(values, j))).collect();
            format!("{entries:?}")
        }
        other => panic!("no column has the type {other}"),
    })
}

#[test]
fn columns_agree_with_the_schemas() {
    for (table, batch) in [
        (&tables::spans::TABLE, SpanColumns::default().finish()),
        (&tables::contents::TABLE, ContentColumns::default().finish()),
        (&tables::metric_points::TABLE, PointColumns::default().finish()),
        (&tables::log_records::TABLE, LogColumns::default().finish()),
    ] {
        // The builders' own types, not the schema the batch was given.
        let built: Vec<_> = batch.columns().iter().map(|c| c.data_type()).collect();
        let (stored, read) = (table.arrow_schema(), table.scan_schema());
        assert_eq!(built.len(), stored.fields().len(), "{}", table.name);
        for ((built, stored), read) in built.iter().zip(stored.fields()).zip(read.fields()) {
            assert!([stored, read].iter().any(|f| f.data_type() == *built), "{stored:?}: {built}");
        }
    }
}
