//! Rows seen twice, kept once (I-2): a row with the same key and the same content as another but
//! for the time it was received. Takes the sorted stream of a merge, gives it without the
//! repetitions. Rows with one key and different content are both kept: which of them counts is
//! the ledger's business.

use std::collections::HashMap;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::compute::filter_record_batch;
use arrow::record_batch::RecordBatch;
use arrow::row::{OwnedRow, RowConverter, Rows, SortField};
use spanledger_schemas::Table;

use crate::{StoreError, limits};

/// The one column in which repetitions differ.
const RECEIVED: &str = "received_at";

/// Equal rows have equal sort keys and are neighbours in the stream, so only the rows of the
/// current sort key are remembered.
pub(crate) struct Dedup {
    table: &'static Table,
    /// Encodes the sort key; `None` for tables without a key.
    converters: Option<Converters>,
    /// The current sort key.
    run: Option<OwnedRow>,
    /// Rows kept of the current sort key, by their table key.
    seen: HashMap<Box<[u8]>, Vec<(RecordBatch, usize)>>,
    remembered: usize,
}

struct Converters {
    order: RowConverter,
    key: RowConverter,
}

impl Dedup {
    pub(crate) fn new(table: &'static Table) -> Result<Dedup, StoreError> {
        let converters = if table.key.is_empty() {
            None
        } else {
            Some(Converters {
                order: converter(table, table.sort_by)?,
                key: converter(table, table.key)?,
            })
        };
        Ok(Dedup { table, converters, run: None, seen: HashMap::new(), remembered: 0 })
    }

    /// The rows of the next batch that are no repetition.
    pub(crate) fn keep(&mut self, batch: RecordBatch) -> Result<RecordBatch, StoreError> {
        let Some(converters) = &self.converters else { return Ok(batch) };
        let rows = batch.num_rows();
        let order = encode(self.table, &converters.order, self.table.sort_by, &batch)?;
        let key = encode(self.table, &converters.key, self.table.key, &batch)?;
        let mut kept = vec![true; rows];
        for (row, kept) in kept.iter_mut().enumerate() {
            let this = order.row(row);
            if self.run.as_ref().is_none_or(|run| run.row() != this) {
                self.seen.clear();
                self.remembered = 0;
                // A sort key of a single row, by far the most frequent: nothing to remember.
                // The last row of a batch may go on in the next.
                if row + 1 < rows && order.row(row + 1) != this {
                    self.run = None;
                    continue;
                }
                self.run = Some(this.owned());
            }
            *kept = self.is_new(key.row(row).data(), &batch, row);
        }
        if kept.iter().all(|kept| *kept) {
            return Ok(batch);
        }
        filter_record_batch(&batch, &BooleanArray::from(kept)).map_err(arrow_error(self.table))
    }

    /// Whether no row like it was seen in this run; remembers it then.
    fn is_new(&mut self, key: &[u8], batch: &RecordBatch, row: usize) -> bool {
        if self.remembered >= limits::DEDUP_RUN_ROWS {
            self.seen.clear();
            self.remembered = 0;
        }
        let alike = self.seen.entry(key.into()).or_default();
        if alike.iter().any(|(other, at)| same_content(other, *at, batch, row)) {
            return false;
        }
        alike.push((batch.clone(), row));
        self.remembered += 1;
        true
    }
}

fn same_content(a: &RecordBatch, at_a: usize, b: &RecordBatch, at_b: usize) -> bool {
    let columns = a.columns().iter().zip(b.columns()).zip(a.schema_ref().fields());
    columns
        .filter(|(_, field)| field.name() != RECEIVED)
        .all(|((a, b), _)| a.slice(at_a, 1) == b.slice(at_b, 1))
}

fn converter(table: &'static Table, names: &[&str]) -> Result<RowConverter, StoreError> {
    let columns = names.iter().filter_map(|name| table.column(name));
    RowConverter::new(columns.map(|c| SortField::new(c.kind.scan())).collect())
        .map_err(arrow_error(table))
}

fn encode(
    table: &'static Table,
    converter: &RowConverter,
    names: &[&str],
    batch: &RecordBatch,
) -> Result<Rows, StoreError> {
    let columns: Vec<ArrayRef> =
        names.iter().filter_map(|name| batch.column_by_name(name)).cloned().collect();
    converter.convert_columns(&columns).map_err(arrow_error(table))
}

fn arrow_error(table: &'static Table) -> impl FnOnce(arrow::error::ArrowError) -> StoreError {
    move |e| StoreError::Rows { table: table.name, detail: e.to_string() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{StringViewArray, TimestampMicrosecondArray, new_null_array};
    use proptest::prelude::*;
    use spanledger_schemas::tables::spans;

    use super::*;

    /// A span as far as it matters here: sort key, table key, content, time received.
    type Span = (u8, u8, u8, i64);

    fn batch(spans: &[Span]) -> RecordBatch {
        let texts = |of: fn(&Span) -> u8| -> ArrayRef {
            Arc::new(StringViewArray::from_iter_values(spans.iter().map(|s| of(s).to_string())))
        };
        let schema = spans::TABLE.scan_schema();
        let fields: Vec<_> =
            schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
        let columns = fields.iter().map(|field| match field.name().as_str() {
            "service_name" => texts(|s| s.0),
            "span_id" => texts(|s| s.1),
            "name" => texts(|s| s.2),
            RECEIVED => {
                let at: TimestampMicrosecondArray = spans.iter().map(|s| Some(s.3)).collect();
                Arc::new(at.with_timezone("UTC"))
            }
            _ => new_null_array(field.data_type(), spans.len()),
        });
        let columns = columns.collect();
        RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(fields)), columns).unwrap()
    }

    proptest! {
        /// Against a set that remembers everything: same rows, same order, whatever the batches.
        #[test]
        fn the_first_of_each_alike_is_kept(
            mut spans in prop::collection::vec((0u8..4, 0u8..3, 0u8..2, any::<i32>()), 0..60),
            size in 1usize..20,
        ) {
            spans.sort_by_key(|s| s.0.to_string());
            let spans: Vec<Span> =
                spans.into_iter().map(|(a, b, c, at)| (a, b, c, i64::from(at))).collect();
            let mut known = std::collections::HashSet::new();
            let expected: Vec<Span> =
                spans.iter().copied().filter(|s| known.insert((s.0, s.1, s.2))).collect();

            let mut dedup = Dedup::new(&spans::TABLE).unwrap();
            let mut kept = Vec::new();
            for part in spans.chunks(size) {
                kept.push(dedup.keep(batch(part)).unwrap());
            }
            let schema = batch(&[]).schema();
            let kept = arrow::compute::concat_batches(&schema, &kept).unwrap();
            prop_assert_eq!(kept, batch(&expected));
        }
    }
}
