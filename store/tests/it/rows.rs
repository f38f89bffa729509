//! Rows of any table, made from its columns alone, and rows read back in a form that compares.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Float64Builder, Int64Array,
    Int64Builder, ListBuilder, MapBuilder, MapFieldNames, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{Field, Schema};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::catalog::TableProvider;
use datafusion::prelude::{SessionConfig, SessionContext};
use spanledger_schemas::{Column, Kind, Table, money};

/// 2026-11-25.
pub(crate) const DAY: i32 = 20_782;

/// A sequence of numbers that a seed fixes (splitmix64).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Numbers {
        Numbers(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// `count` rows over the days `DAY - days + 1 ..= DAY`.
pub(crate) fn rows(table: &'static Table, count: usize, days: u64, seed: u64) -> RecordBatch {
    let mut numbers = Numbers::new(seed);
    let dates: Vec<i32> = (0..count).map(|_| DAY - numbers.below(days) as i32).collect();
    let columns = table
        .columns
        .iter()
        .map(|column| match column.kind {
            Kind::Date => Arc::new(Date32Array::from(dates.clone())) as ArrayRef,
            _ => array(column, count, &dates, &mut numbers),
        })
        .collect();
    RecordBatch::try_new(table.arrow_schema(), columns).unwrap()
}

fn array(column: &Column, count: usize, dates: &[i32], numbers: &mut Numbers) -> ArrayRef {
    let lacks = |numbers: &mut Numbers| column.nullable && numbers.below(4) == 0;
    match column.kind {
        Kind::Text => {
            let value = |numbers: &mut Numbers| match column.name {
                "trace_id" => format!("{:032x}", numbers.below(1 << 40)),
                "span_id" | "parent_span_id" => format!("{:016x}", numbers.next()),
                name => format!(
                    "{name}-{}-é{}",
                    numbers.below(7),
                    "x".repeat(numbers.below(60) as usize)
                ),
            };
            let values = (0..count).map(|_| (!lacks(numbers)).then(|| value(numbers)));
            Arc::new(values.collect::<StringArray>())
        }
        Kind::Int => {
            let values = (0..count).map(|_| (!lacks(numbers)).then(|| numbers.next() as i64 >> 20));
            Arc::new(values.collect::<Int64Array>())
        }
        Kind::Float => {
            let value = |n: &mut Numbers| n.below(1_000_000) as f64 / 64.0 - 1_000.0;
            let values = (0..count).map(|_| (!lacks(numbers)).then(|| value(numbers)));
            Arc::new(values.collect::<Float64Array>())
        }
        Kind::Decimal => {
            let value = |n: &mut Numbers| i128::from(n.next() as i64) * 10_007;
            let values = (0..count).map(|_| (!lacks(numbers)).then(|| value(numbers)));
            let array = values.collect::<Decimal128Array>();
            Arc::new(array.with_precision_and_scale(money::PRECISION, money::SCALE).unwrap())
        }
        Kind::Bool => {
            let values = (0..count).map(|_| (!lacks(numbers)).then(|| numbers.below(2) == 1));
            Arc::new(values.collect::<BooleanArray>())
        }
        Kind::Instant => {
            let at = |date: i32, n: &mut Numbers| {
                i64::from(date) * 86_400_000_000 + n.below(86_400_000_000) as i64
            };
            let values = dates.iter().map(|d| (!lacks(numbers)).then(|| at(*d, numbers)));
            let array = values.collect::<TimestampMicrosecondArray>();
            Arc::new(array.with_timezone("UTC"))
        }
        Kind::Date => panic!("made by the caller"),
        Kind::TextMap => {
            let names = MapFieldNames {
                entry: "key_value".to_owned(),
                key: "key".to_owned(),
                value: "value".to_owned(),
            };
            let mut map = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
            for _ in 0..count {
                for key in 0..numbers.below(3) {
                    map.keys().append_value(format!("key.{key}"));
                    map.values().append_option((key != 1).then(|| numbers.below(100).to_string()));
                }
                map.append(true).unwrap();
            }
            Arc::new(map.finish())
        }
        Kind::IntList => {
            let field = Field::new("element", arrow::datatypes::DataType::Int64, true);
            let mut list = ListBuilder::new(Int64Builder::new()).with_field(field);
            for _ in 0..count {
                for _ in 0..numbers.below(4) {
                    list.values().append_value(numbers.below(50) as i64);
                }
                list.append(!lacks(numbers));
            }
            Arc::new(list.finish())
        }
        Kind::FloatList => {
            let field = Field::new("element", arrow::datatypes::DataType::Float64, true);
            let mut list = ListBuilder::new(Float64Builder::new()).with_field(field);
            for _ in 0..count {
                for _ in 0..numbers.below(4) {
                    list.values().append_value(numbers.below(50) as f64 / 8.0);
                }
                list.append(!lacks(numbers));
            }
            Arc::new(list.finish())
        }
    }
}

/// Every row as one line of text; equal multisets of rows give equal sorted lines.
pub(crate) fn lines(batches: &[RecordBatch]) -> Vec<String> {
    let mut lines = in_order(batches);
    lines.sort_unstable();
    lines
}

/// The same in the order of the batches.
pub(crate) fn in_order(batches: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::new().with_null("∅");
    let mut lines = Vec::new();
    for batch in batches {
        let columns: Vec<_> =
            batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<_> = columns.iter().map(|c| c.value(row).to_string()).collect();
            lines.push(cells.join("|"));
        }
    }
    lines
}

/// All rows of a provider, with the table's own types.
pub(crate) async fn read(
    table: &'static Table,
    provider: Arc<dyn TableProvider>,
) -> Vec<RecordBatch> {
    read_by(SessionContext::new(), table, provider).await
}

/// The same in the order of a provider's one file.
pub(crate) async fn read_in_order(
    table: &'static Table,
    provider: Arc<dyn TableProvider>,
) -> Vec<RecordBatch> {
    let config = SessionConfig::new().with_target_partitions(1);
    read_by(SessionContext::new_with_config(config), table, provider).await
}

async fn read_by(
    context: SessionContext,
    table: &'static Table,
    provider: Arc<dyn TableProvider>,
) -> Vec<RecordBatch> {
    let batches = context.read_table(provider).unwrap().collect().await.unwrap();
    batches.iter().map(|batch| as_written(table, batch)).collect()
}

/// Casts text views back to text.
fn as_written(table: &'static Table, batch: &RecordBatch) -> RecordBatch {
    let schema = table.arrow_schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
        assert_eq!(batch.schema().field_with_name(field.name()).unwrap().name(), field.name());
        cast(column, field.data_type()).unwrap()
    });
    let fields = Schema::new(schema.fields().clone());
    RecordBatch::try_new(Arc::new(fields), columns.collect()).unwrap()
}

/// Rows of a query over one table.
pub(crate) async fn query(
    name: &str,
    provider: Arc<dyn TableProvider>,
    sql: &str,
) -> Vec<RecordBatch> {
    let context = SessionContext::new();
    context.register_table(name, provider).unwrap();
    context.sql(sql).await.unwrap().collect().await.unwrap()
}
