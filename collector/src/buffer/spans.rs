//! Rows of `spans` (and, with capture, of `contents`) from span views. Takes a view with what its
//! group says, normalises it, and appends one value to every column.

use std::borrow::Cow;
use std::fmt::Write as _;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Int64Builder, RecordBatch, StringBuilder,
};
use spanledger_schemas::running_sum::RunningSum;
use spanledger_schemas::{semconv, tables, time};

use super::attribute_maps::{Emptied, LeftOut, PreparedMap, TextMaps, scope_entries};
use super::call_columns::{CallColumns, first};
use super::columns::{Instants, batch, done, said};
use super::contents::{ContentColumns, ContentRules, Place};
use crate::decode::{
    ATTRIBUTE_BYTES_MAX, Attribute, EVENTS_BYTES_MAX, Group, SpanView, Value, write_json_map,
    write_json_text,
};
use crate::normalise::{self, Fate, Names, Normalised, ResourceFacts, ScopeFacts};

/// What a group says about all its spans.
#[derive(Debug)]
pub(super) struct SpanGroup<'a> {
    resource: ResourceFacts<'a>,
    scope: ScopeFacts<'a>,
    resource_map: PreparedMap<'a>,
    scope_entries: Vec<(Cow<'a, str>, Option<Cow<'a, str>>)>,
}

impl<'a> SpanGroup<'a> {
    pub(super) fn of(names: &Names, group: &Group<'a, '_>) -> Self {
        let resource = ResourceFacts::of(names, group.resource);
        let mut in_columns = vec![semconv::SERVICE_NAME, semconv::SERVICE_VERSION];
        in_columns.extend(resource.environment_key());
        Self {
            resource,
            scope: ScopeFacts::of(group.scope, group.resource),
            resource_map: PreparedMap::of_resource(group.resource, &in_columns),
            scope_entries: scope_entries(group.scope),
        }
    }
}

/// What the request says about all its rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Receipt<'t> {
    pub(super) tenant: &'t str,
    pub(super) received_unix_ns: i64,
}

/// Columns of `spans`, in the order of the schema.
#[derive(Debug, Default)]
pub(super) struct SpanColumns {
    pub(super) rows: usize,
    pub(super) bytes: usize,
    json: String,
    date: Date32Builder,
    tenant: StringBuilder,
    trace_id: StringBuilder,
    span_id: StringBuilder,
    parent_span_id: StringBuilder,
    name: StringBuilder,
    kind: StringBuilder,
    start_at: Instants,
    start_unix_ns: Int64Builder,
    duration_ns: Int64Builder,
    status_code: StringBuilder,
    status_message: StringBuilder,
    received_at: Instants,
    service_name: StringBuilder,
    service_version: StringBuilder,
    environment: StringBuilder,
    scope_name: StringBuilder,
    scope_version: StringBuilder,
    span_role: StringBuilder,
    duplicate_of: StringBuilder,
    call: CallColumns,
    covers_call: BooleanBuilder,
    stream_ns: Int64Builder,
    running_sum: StringBuilder,
    content_bytes: Int64Builder,
    span_attributes: TextMaps,
    resource_attributes: TextMaps,
    events: StringBuilder,
    links: StringBuilder,
    dropped_items: Int64Builder,
}

impl SpanColumns {
    pub(super) fn append<'a>(
        &mut self,
        receipt: &Receipt<'_>,
        group: &SpanGroup<'a>,
        span: &SpanView<'a, '_>,
        builder: &mut normalise::Builder,
        rules: &ContentRules,
        contents: &mut ContentColumns,
    ) {
        let normal = normalise::span(builder, &group.resource, &group.scope, span);
        self.identity(receipt, group, span, &normal);
        self.call.append(&normal, builder.sources(&normal));
        self.covers_call.append_option(normal.covers_call);
        self.stream_ns.append_option(normal.stream_ns);
        self.running_sum.append_option(normal.running_sum.map(RunningSum::word));
        let fates = builder.fates();
        let place = Place {
            tenant: receipt.tenant,
            trace_id: span.trace_id,
            span_id: span.span_id,
            at_unix_ns: span.start_unix_ns,
        };
        let mut content = Content { place, rules, contents, bytes: 0, position: 0 };
        for (attribute, fate) in span.attributes.iter().zip(fates) {
            if let Fate::Content(kind) = fate {
                content.add(*kind, attribute.key, attribute.value);
            }
        }
        let emptied = Emptied::of(span.attributes, fates, |kind, field, value| {
            content.add(kind, field, value);
        });
        let mut left_out = LeftOut::default();
        let ai = normal.dialect.is_some();
        let json_bytes = self.events(builder.names(), group, ai, span, &mut content, &mut left_out)
            + self.links(span, &mut left_out);
        self.content_bytes.append_option((content.position > 0).then_some(content.bytes));
        let trace_state = said(span.trace_state)
            .map(|state| (Cow::Borrowed("w3c.tracestate"), Some(Cow::Borrowed(state))));
        let (attribute_bytes, left_out) = match trace_state {
            None => self.attributes(span, &emptied, &group.scope_entries, fates, left_out),
            Some(entry) => {
                let mut extra = group.scope_entries.clone();
                extra.push(entry);
                self.attributes(span, &emptied, &extra, fates, left_out)
            }
        };
        let resource_bytes = self.resource_attributes.append_prepared(&group.resource_map);
        self.dropped_items.append_value((span.dropped + left_out.items()) as i64);
        self.rows += 1;
        // Fixed widths and short texts of the typed columns come to about 700 bytes.
        self.bytes += 700 + span.name.len() + attribute_bytes + resource_bytes + json_bytes;
    }

    fn attributes(
        &mut self,
        span: &SpanView<'_, '_>,
        emptied: &Emptied,
        extra: &[(Cow<'_, str>, Option<Cow<'_, str>>)],
        fates: &[Fate],
        left_out: LeftOut,
    ) -> (usize, LeftOut) {
        self.span_attributes.append_attributes(
            span.attributes,
            emptied,
            extra,
            ATTRIBUTE_BYTES_MAX,
            |i, _| matches!(fates[i], Fate::Kept | Fate::Bag),
            left_out,
        )
    }

    fn identity(
        &mut self,
        receipt: &Receipt<'_>,
        group: &SpanGroup<'_>,
        span: &SpanView<'_, '_>,
        normal: &Normalised<'_>,
    ) {
        self.date.append_value(time::day(span.start_unix_ns));
        self.tenant.append_value(receipt.tenant);
        self.trace_id.append_value(ascii(&span.trace_id.hex()));
        self.span_id.append_value(ascii(&span.span_id.hex()));
        match span.parent_span_id {
            Some(parent) => self.parent_span_id.append_value(ascii(&parent.hex())),
            None => self.parent_span_id.append_null(),
        }
        self.name.append_value(span.name);
        self.kind.append_value(match span.kind as i32 {
            1 => "internal",
            2 => "server",
            3 => "client",
            4 => "producer",
            5 => "consumer",
            _ => "unspecified",
        });
        self.start_at.append_ns(span.start_unix_ns);
        self.start_unix_ns.append_value(span.start_unix_ns);
        self.duration_ns.append_value(span.end_unix_ns - span.start_unix_ns);
        self.status_code.append_value(match span.status_code as i32 {
            1 => "ok",
            2 => "error",
            _ => "unset",
        });
        self.status_message.append_option(said(span.status_message));
        self.received_at.append_ns(receipt.received_unix_ns);
        self.service_name.append_option(first(&group.resource.service_name, &normal.service_name));
        self.service_version
            .append_option(first(&group.resource.service_version, &normal.service_version));
        self.environment.append_option(normal.environment.as_deref());
        self.scope_name.append_option(said(group.scope.name));
        self.scope_version.append_option(said(group.scope.version));
        self.span_role.append_value(normal.role.word());
        // Only the whole trace shows duplicates; `settle` decides.
        self.duplicate_of.append_null();
    }

    /// Appends `events`; content goes to `content`. Returns its bytes.
    fn events<'a>(
        &mut self,
        names: &Names,
        group: &SpanGroup<'a>,
        ai: bool,
        span: &SpanView<'a, '_>,
        content: &mut Content<'_, '_>,
        left_out: &mut LeftOut,
    ) -> usize {
        let mut list = JsonList::start(&mut self.json);
        for event in span.events {
            let attributes = span.event_attributes(event);
            let of_event = normalise::of_event(event.name);
            let kind =
                |a: &Attribute<'_>| normalise::content_of(names, &group.scope, of_event, ai, a);
            for attribute in attributes {
                if let Some(kind) = kind(attribute) {
                    content.add(kind, attribute.key, attribute.value);
                }
            }
            list.item(left_out, |json| {
                json.push_str("{\"name\":");
                write_json_text(event.name, json);
                // Writing to a String cannot fail.
                let _ = write!(json, ",\"time_unix_ns\":{},\"attributes\":", event.time_unix_ns);
                write_json_map(attributes.iter().copied().filter(|a| kind(a).is_none()), json);
                json.push('}');
            });
        }
        self.events.append_option(list.end());
        self.json.len()
    }

    /// Appends `links`; returns its bytes.
    fn links(&mut self, span: &SpanView<'_, '_>, left_out: &mut LeftOut) -> usize {
        let mut list = JsonList::start(&mut self.json);
        for link in span.links {
            list.item(left_out, |json| {
                json.push_str("{\"trace_id\":\"");
                write_hex(link.trace_id, json);
                json.push_str("\",\"span_id\":\"");
                write_hex(link.span_id, json);
                json.push_str("\",\"attributes\":");
                write_json_map(span.link_attributes(link).iter().copied(), json);
                json.push('}');
            });
        }
        self.links.append_option(list.end());
        self.json.len()
    }

    pub(super) fn finish(mut self) -> RecordBatch {
        let mut columns: Vec<ArrayRef> = vec![
            done(&mut self.date),
            done(&mut self.tenant),
            done(&mut self.trace_id),
            done(&mut self.span_id),
            done(&mut self.parent_span_id),
            done(&mut self.name),
            done(&mut self.kind),
            self.start_at.finish(),
            done(&mut self.start_unix_ns),
            done(&mut self.duration_ns),
            done(&mut self.status_code),
            done(&mut self.status_message),
            self.received_at.finish(),
            done(&mut self.service_name),
            done(&mut self.service_version),
            done(&mut self.environment),
            done(&mut self.scope_name),
            done(&mut self.scope_version),
            done(&mut self.span_role),
            done(&mut self.duplicate_of),
        ];
        columns.extend(self.call.finish());
        columns.extend([
            done(&mut self.covers_call),
            done(&mut self.stream_ns),
            done(&mut self.running_sum),
            done(&mut self.content_bytes),
            self.span_attributes.finish(),
            self.resource_attributes.finish(),
            done(&mut self.events),
            done(&mut self.links),
            done(&mut self.dropped_items),
        ]);
        batch(&tables::spans::TABLE, columns)
    }
}

/// Content found on one span: measured always, kept when the rules say so.
struct Content<'t, 'c> {
    place: Place<'t>,
    rules: &'c ContentRules,
    contents: &'c mut ContentColumns,
    bytes: i64,
    position: i64,
}

impl Content<'_, '_> {
    fn add(&mut self, kind: normalise::ContentKind, field: &str, value: Value<'_>) {
        let position = self.position;
        if self.rules.capture {
            self.contents.append(&self.place, kind, field, position, value, self.rules);
        }
        self.bytes += value.len() as i64;
        self.position += 1;
    }
}

/// A JSON array in a buffer that is used again, within the cap of [`EVENTS_BYTES_MAX`].
pub(super) struct JsonList<'j> {
    json: &'j mut String,
}

impl<'j> JsonList<'j> {
    pub(super) fn start(json: &'j mut String) -> Self {
        json.clear();
        Self { json }
    }

    /// Writes one item, or takes it back and counts it when the cap is hit.
    pub(super) fn item(&mut self, left_out: &mut LeftOut, write: impl FnOnce(&mut String)) {
        let before = self.json.len();
        self.json.push(if before == 0 { '[' } else { ',' });
        write(self.json);
        if self.json.len() > EVENTS_BYTES_MAX {
            self.json.truncate(before);
            left_out.events += 1;
        }
    }

    /// The whole list; none when nothing was written.
    pub(super) fn end(self) -> Option<&'j str> {
        if self.json.is_empty() {
            return None;
        }
        self.json.push(']');
        Some(self.json)
    }
}

/// The digits of an id as text.
pub(super) fn ascii(digits: &[u8]) -> &str {
    // Digits are ASCII; the check costs less than proving it to the compiler otherwise.
    std::str::from_utf8(digits).unwrap_or_default()
}

/// Appends lower-case hex of an id of any length.
pub(super) fn write_hex(id: &[u8], out: &mut String) {
    for byte in id {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
}
