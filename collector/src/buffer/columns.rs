//! Column builders in the types of `schemas`, beyond those that arrow gives as they are: instants,
//! amounts, texts that rows share, columns that are mostly empty. It knows no table.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BooleanBuilder, Decimal128Builder, Float64Builder, Int64Builder,
    ListBuilder, RecordBatch, StringBuilder, StringViewBuilder, TimestampMicrosecondBuilder,
    UInt32Builder,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema};
use spanledger_schemas::money::Money;
use spanledger_schemas::{Kind, Table, time};

use crate::limits::SHARED_TEXTS_LATELY_MAX;

/// Instants in UTC, microseconds.
#[derive(Debug)]
pub(super) struct Instants(TimestampMicrosecondBuilder);

impl Default for Instants {
    fn default() -> Self {
        Self(TimestampMicrosecondBuilder::new().with_timezone("UTC"))
    }
}

impl Instants {
    pub(super) fn append_ns(&mut self, unix_ns: i64) {
        self.0.append_value(time::micros(unix_ns));
    }

    pub(super) fn append_ns_option(&mut self, unix_ns: Option<i64>) {
        self.0.append_option(unix_ns.map(time::micros));
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

/// Long texts of few kinds that many rows share: each is there once, and a row points at it.
#[derive(Debug, Default)]
pub(super) struct SharedTexts {
    texts: StringViewBuilder,
    /// Place of each row's text.
    rows: UInt32Builder,
    /// Texts that came lately and their places, the newest last.
    lately: VecDeque<(Box<str>, u32)>,
}

impl SharedTexts {
    pub(super) fn append_option(&mut self, text: Option<&str>) {
        let place = text.map(|text| {
            let mut lately = self.lately.iter().rev();
            let known = lately.find(|(known, _)| **known == *text).map(|(_, place)| *place);
            known.unwrap_or_else(|| self.add(text))
        });
        self.rows.append_option(place);
    }

    fn add(&mut self, text: &str) -> u32 {
        if self.lately.len() == SHARED_TEXTS_LATELY_MAX {
            self.lately.pop_front();
        }
        let place = self.texts.len() as u32;
        self.texts.append_value(text);
        self.lately.push_back((text.into(), place));
        place
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        self.lately.clear();
        let (texts, rows) = (self.texts.finish(), self.rows.finish());
        match take(&texts, &rows, None) {
            Ok(rows) => rows,
            // Every place is that of a text.
            Err(e) => panic!("texts that rows share: {e}"),
        }
    }
}

/// A builder of columns.
pub(super) trait Column {
    /// What a row holds.
    type Value<'v>;

    fn append(&mut self, value: Self::Value<'_>);

    fn append_nulls(&mut self, rows: usize);

    fn finish(&mut self) -> ArrayRef;
}

/// Amounts of money, in the decimals of all tables.
#[derive(Debug)]
pub(super) struct Amounts(Decimal128Builder);

impl Default for Amounts {
    fn default() -> Self {
        Self(Decimal128Builder::new().with_data_type(Kind::Decimal.arrow()))
    }
}

impl Column for Amounts {
    type Value<'v> = Money;

    fn append(&mut self, value: Money) {
        self.0.append_value(value.0);
    }

    fn append_nulls(&mut self, rows: usize) {
        self.0.append_nulls(rows);
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

macro_rules! columns {
    ($($builder:ident: $value:ty),*) => {$(
        impl Column for $builder {
            type Value<'v> = $value;

            #[inline]
            fn append(&mut self, value: Self::Value<'_>) {
                self.append_value(value);
            }

            fn append_nulls(&mut self, rows: usize) {
                $builder::append_nulls(self, rows);
            }

            fn finish(&mut self) -> ArrayRef {
                Arc::new($builder::finish(self))
            }
        }
    )*};
}

columns!(StringBuilder: &'v str, Int64Builder: i64, Float64Builder: f64, BooleanBuilder: bool);

/// A column of which most items say nothing: rows without a value are counted until one comes.
#[derive(Debug, Default)]
pub(super) struct Sparse<B> {
    builder: B,
    nulls: usize,
}

impl<B: Column> Sparse<B> {
    #[inline]
    pub(super) fn append_option(&mut self, value: Option<B::Value<'_>>) {
        match value {
            None => self.nulls += 1,
            Some(value) => self.filled().append(value),
        }
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        self.filled().finish()
    }

    fn filled(&mut self) -> &mut B {
        if self.nulls > 0 {
            self.builder.append_nulls(std::mem::take(&mut self.nulls));
        }
        &mut self.builder
    }
}

/// Lists of integers.
pub(super) fn int_lists() -> ListBuilder<Int64Builder> {
    let element = Field::new("element", DataType::Int64, true);
    ListBuilder::new(Int64Builder::new()).with_field(element)
}

/// Lists of floats.
pub(super) fn float_lists() -> ListBuilder<Float64Builder> {
    let element = Field::new("element", DataType::Float64, true);
    ListBuilder::new(Float64Builder::new()).with_field(element)
}

/// A finished column.
pub(super) fn done(builder: &mut impl ArrayBuilder) -> ArrayRef {
    builder.finish()
}

/// Text, or null where the source has the empty text that stands for “not said”.
pub(super) fn said(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// The batch of a table, whose texts are as they are written or, where they are shared, as they are
/// read.
pub(super) fn batch(table: &'static Table, columns: Vec<ArrayRef>) -> RecordBatch {
    let schema = table.arrow_schema();
    let fields = schema.fields().iter().zip(&columns).map(|(field, column)| {
        field.as_ref().clone().with_data_type(match column.data_type() {
            DataType::Utf8View => DataType::Utf8View,
            _ => field.data_type().clone(),
        })
    });
    match RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns) {
        Ok(batch) => batch,
        // The test `columns_agree_with_the_schemas` proves order, types and nulls of all four.
        Err(e) => panic!("table `{}`: the builders disagree with its schema: {e}", table.name),
    }
}

/// The longest beginning of `text` of at most `bytes_max` bytes that ends between characters.
pub(super) fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn texts_that_rows_share_are_there_once_whatever_takes_turns() {
        // Longer than the twelve bytes that a view holds itself.
        let text = |n: usize| format!("input_tokens=gen_ai.usage.input_tokens.{n:04}");
        let built = |kinds: usize| {
            let mut texts = SharedTexts::default();
            let rows: Vec<_> = (0..600).map(|i| (i % 7 > 0).then(|| text(i % kinds))).collect();
            for row in &rows {
                texts.append_option(row.as_deref());
            }
            let built = texts.finish();
            let built = built.as_string_view();
            assert!(built.iter().eq(rows.iter().map(Option::as_deref)), "{kinds} kinds");
            built.data_buffers().iter().map(|buffer| buffer.len()).sum::<usize>()
        };
        let each = text(0).len();
        assert_eq!(built(3), 3 * each);
        assert_eq!(built(SHARED_TEXTS_LATELY_MAX), SHARED_TEXTS_LATELY_MAX * each);
        // Of more, each may be there as often as it comes: 514 of 600 rows have a text.
        assert!(built(SHARED_TEXTS_LATELY_MAX * 2) <= 514 * each);
    }

    #[test]
    fn rows_without_a_value_stand_where_they_came() {
        let rows = [None, None, Some(7), None, Some(8), None, None];
        let mut column = Sparse::<Int64Builder>::default();
        for row in rows {
            column.append_option(row);
        }
        assert!(column.finish().as_primitive::<Int64Type>().iter().eq(rows));
        // What was counted is not there a second time.
        assert_eq!(column.finish().len(), 0);
        let mut empty = Sparse::<StringBuilder>::default();
        (0..3).for_each(|_| empty.append_option(None));
        assert_eq!(empty.finish().null_count(), 3);
    }
}
