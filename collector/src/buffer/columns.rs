//! Column builders in the stored types of `schemas`, beyond those that arrow gives as they are,
//! and the one way in which attributes become a map. It knows no table.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BooleanBuilder, Decimal128Builder, Float64Builder, Int64Builder,
    ListBuilder, MapBuilder, MapFieldNames, RecordBatch, StringBuilder, StringViewBuilder,
    TimestampMicrosecondBuilder, UInt32Builder,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema};
use spanledger_schemas::money::Money;
use spanledger_schemas::{Kind, Table, time};

use crate::decode::{
    ATTRIBUTES_MAX, Attribute, DROPPED_MARKER, RESOURCE_BYTES_MAX, Resource, Scope, Value,
};
use crate::limits::SHARED_TEXTS_LATELY_MAX;
use crate::normalise::{ContentKind, Fate, without_content};

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

/// Maps of text to text.
#[derive(Debug)]
pub(super) struct TextMaps {
    builder: MapBuilder<StringBuilder, StringBuilder>,
    /// Used again for each value that is no text.
    text: String,
    /// Used again for each row: which of its attributes were put into the map.
    kept: Vec<usize>,
}

impl Default for TextMaps {
    fn default() -> Self {
        let names = MapFieldNames {
            entry: "key_value".to_owned(),
            key: "key".to_owned(),
            value: "value".to_owned(),
        };
        let builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
        Self { builder, text: String::new(), kept: Vec::new() }
    }
}

impl TextMaps {
    fn put(&mut self, key: &str, value: Option<&str>) {
        let (keys, values) = self.builder.entries();
        keys.append_value(key);
        values.append_option(value);
    }

    /// Ends the map of one row.
    fn close(&mut self) {
        // Fails only when keys and values differ in number; `put` appends to both.
        let closed = self.builder.append(true);
        debug_assert!(closed.is_ok(), "{closed:?}");
    }

    /// The map of a resource; returns its bytes.
    pub(super) fn append_prepared(&mut self, map: &PreparedMap<'_>) -> usize {
        for (key, value) in &map.entries {
            self.put(key, value.as_deref());
        }
        self.close();
        map.bytes
    }

    /// The map of an item: the attributes that `keep` says, of those that were `emptied` what is
    /// left, then `extra`, within the caps. A key
    /// is stored once, because readers of maps refuse a second. Returns bytes and what was left
    /// out; the marker says the latter on the row itself.
    pub(super) fn append_attributes(
        &mut self,
        attributes: &[Attribute<'_>],
        emptied: &Emptied,
        extra: &[(Cow<'_, str>, Option<Cow<'_, str>>)],
        bytes_max: usize,
        keep: impl Fn(usize, &Attribute<'_>) -> bool,
        mut left_out: LeftOut,
    ) -> (usize, LeftOut) {
        let mut bytes = 0;
        let mut seen = Seen::default();
        self.kept.clear();
        for (i, attribute) in attributes.iter().enumerate() {
            if !keep(i, attribute) {
                continue;
            }
            if self.kept.len() == ATTRIBUTES_MAX {
                left_out.attributes += 1;
                continue;
            }
            // Looked up among what is kept, which the cap bounds: a request of a million
            // attributes must not cost their square.
            if seen.before(attribute.key)
                && self.kept.iter().any(|k| attributes[*k].key == attribute.key)
            {
                left_out.duplicates += 1;
                continue;
            }
            let mut scratch = std::mem::take(&mut self.text);
            let text = match attribute.value {
                _ if let Some(left) = emptied.left(i) => left,
                Value::Text(text) => text,
                other => {
                    scratch.clear();
                    other.write_text(&mut scratch);
                    &scratch
                }
            };
            let length = attribute.key.len() + text.len();
            if bytes + length > bytes_max {
                left_out.attributes += 1;
            } else {
                bytes += length;
                self.kept.push(i);
                self.put(attribute.key, (!attribute.value.is_empty()).then_some(text));
            }
            self.text = scratch;
        }
        for (key, value) in extra {
            bytes += key.len() + value.as_ref().map_or(0, |v| v.len());
            self.put(key, value.as_deref());
        }
        if let Some(marker) = left_out.marker() {
            bytes += marker.len();
            self.put(DROPPED_MARKER, Some(&marker));
        }
        self.close();
        (bytes, left_out)
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

/// Whether a key may have come before: one bit per hash, so that the search for duplicates is
/// made only when it can find one.
#[derive(Default)]
struct Seen(u64);

impl Seen {
    fn before(&mut self, key: &str) -> bool {
        let last = key.as_bytes().last().copied().unwrap_or_default();
        let bit = 1 << ((key.len() * 31 + usize::from(last)) % 64);
        let before = self.0 & bit != 0;
        self.0 |= bit;
        before
    }
}

/// What is left of the bags of an item when content was taken out of them.
#[derive(Debug, Default)]
pub(super) struct Emptied(Vec<(usize, String)>);

impl Emptied {
    /// Takes the content out of the bags among the attributes and hands each piece to `add`, under
    /// the name `attribute→key`.
    pub(super) fn of(
        attributes: &[Attribute<'_>],
        fates: &[Fate],
        mut add: impl FnMut(ContentKind, &str, Value<'_>),
    ) -> Emptied {
        let mut emptied = Emptied::default();
        for (i, attribute) in attributes.iter().enumerate() {
            if fates.get(i) != Some(&Fate::Bag) {
                continue;
            }
            let Some(text) = attribute.value.text() else { continue };
            let left = without_content(&text, &mut |key, kind, piece| {
                add(kind, &format!("{}→{key}", attribute.key), Value::Text(piece));
            });
            emptied.0.extend(left.map(|left| (i, left)));
        }
        emptied
    }

    fn left(&self, attribute: usize) -> Option<&str> {
        let found = self.0.binary_search_by_key(&attribute, |(i, _)| *i).ok()?;
        self.0.get(found).map(|(_, left)| left.as_str())
    }
}

/// What the caps kept out of a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) attributes: u64,
    pub(super) duplicates: u64,
    pub(super) events: u64,
    pub(super) body_bytes: u64,
}

impl LeftOut {
    pub(super) fn items(&self) -> u64 {
        self.attributes + self.duplicates + self.events
    }

    fn marker(&self) -> Option<String> {
        let parts: Vec<_> = [
            (self.attributes, "attributes over the cap"),
            (self.duplicates, "attributes with a key already there"),
            (self.events, "events, links or exemplars over the cap"),
            (self.body_bytes, "bytes of the body over the cap"),
        ]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// A map worked out once per group and written on each of its rows.
#[derive(Debug, Default)]
pub(super) struct PreparedMap<'a> {
    entries: Vec<(Cow<'a, str>, Option<Cow<'a, str>>)>,
    bytes: usize,
}

impl<'a> PreparedMap<'a> {
    /// The attributes of a resource without those a column says verbatim.
    pub(super) fn of_resource(resource: &Resource<'a>, in_columns: &[&str]) -> Self {
        let mut map = Self::default();
        let mut left_out = LeftOut { attributes: resource.dropped, ..LeftOut::default() };
        for attribute in &resource.attributes {
            if map.entries.iter().any(|(key, _)| key == attribute.key) {
                left_out.duplicates += 1;
                continue;
            }
            if in_columns.contains(&attribute.key) {
                continue;
            }
            let value = attribute.value.text();
            let length = attribute.key.len() + value.as_ref().map_or(0, |v| v.len());
            if map.bytes + length > RESOURCE_BYTES_MAX {
                left_out.attributes += 1;
                continue;
            }
            map.bytes += length;
            map.entries.push((Cow::Borrowed(attribute.key), value));
        }
        if let Some(marker) = left_out.marker() {
            map.entries.push((Cow::Borrowed(DROPPED_MARKER), Some(Cow::Owned(marker))));
        }
        map
    }
}

/// What the attributes of a scope add to each of its items, under `otel.scope.`.
pub(super) fn scope_entries<'a>(scope: &Scope<'a>) -> Vec<(Cow<'a, str>, Option<Cow<'a, str>>)> {
    let list = &scope.attributes;
    let mut entries: Vec<(Cow<'a, str>, _)> = Vec::new();
    let mut bytes = 0;
    for (i, attribute) in list.iter().enumerate().take(ATTRIBUTES_MAX) {
        let (key, value) = (format!("otel.scope.{}", attribute.key), attribute.value.text());
        bytes += key.len() + value.as_ref().map_or(0, |v| v.len());
        if bytes > RESOURCE_BYTES_MAX {
            break;
        }
        if list[..i].iter().all(|a| a.key != attribute.key) {
            entries.push((Cow::Owned(key), value));
        }
    }
    entries
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
