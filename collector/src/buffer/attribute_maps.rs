//! The one way in which attributes become a map, of an item or of its resource: within the caps, each
//! key once, bags without their content, and what was left out said on the row itself. It knows no
//! table.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, MapBuilder, MapFieldNames, StringBuilder};

use crate::decode::{
    ATTRIBUTES_MAX, Attribute, DROPPED_MARKER, RESOURCE_BYTES_MAX, Resource, Scope, Value,
};
use crate::normalise::{ContentKind, Fate, without_content};

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
