//! Rows of `log_records` (and, with capture, of `contents`) from log record views.

use std::borrow::Cow;

use arrow::array::{
    ArrayRef, Date32Builder, Float64Builder, Int64Builder, RecordBatch, StringBuilder,
};
use spanledger_schemas::ids::{SpanId, TraceId};
use spanledger_schemas::{tables, time};
use xxhash_rust::xxh3::Xxh3;

use super::attribute_maps::{Emptied, LeftOut, PreparedMap, TextMaps, scope_entries};
use super::call_columns::{CallColumns, first};
use super::columns::{Instants, batch, cut, done, said};
use super::contents::{ContentColumns, ContentRules, Place};
use super::spans::{Receipt, ascii};
use crate::decode::{
    ATTRIBUTE_BYTES_MAX, Attribute, Group, LOG_BODY_BYTES_MAX, LogRecordView, Value,
};
use crate::normalise::{self, ContentKind, Fate, Names, Normalised, ResourceFacts, ScopeFacts};

/// What a group says about all its records.
#[derive(Debug)]
pub(super) struct LogGroup<'a> {
    resource: ResourceFacts<'a>,
    scope: ScopeFacts<'a>,
    resource_map: PreparedMap<'a>,
    scope_entries: Vec<(Cow<'a, str>, Option<Cow<'a, str>>)>,
}

impl<'a> LogGroup<'a> {
    pub(super) fn of(names: &Names, group: &Group<'a, '_>) -> Self {
        Self {
            resource: ResourceFacts::of(names, group.resource),
            scope: ScopeFacts::of(group.scope, group.resource),
            resource_map: PreparedMap::of_resource(group.resource, &[]),
            scope_entries: scope_entries(group.scope),
        }
    }
}

/// Whether an attribute names the event, as clients did before OTLP had a field for it.
fn names_event(attribute: &Attribute<'_>) -> bool {
    matches!(attribute.key, "event.name" | "event_name")
        && matches!(attribute.value, Value::Text(name) if !name.is_empty())
}

/// Columns of `log_records`, in the order of the schema.
#[derive(Debug, Default)]
pub(super) struct LogColumns {
    pub(super) rows: usize,
    pub(super) bytes: usize,
    body_text: String,
    date: Date32Builder,
    tenant: StringBuilder,
    at: Instants,
    time_unix_ns: Int64Builder,
    observed_at: Instants,
    received_at: Instants,
    severity_number: Int64Builder,
    severity_text: StringBuilder,
    event_name: StringBuilder,
    body: StringBuilder,
    trace_id: StringBuilder,
    span_id: StringBuilder,
    service_name: StringBuilder,
    service_version: StringBuilder,
    environment: StringBuilder,
    scope_name: StringBuilder,
    scope_version: StringBuilder,
    record_role: StringBuilder,
    duration_ms: Float64Builder,
    call: CallColumns,
    content_bytes: Int64Builder,
    log_attributes: TextMaps,
    resource_attributes: TextMaps,
}

impl LogColumns {
    /// `record_number` counts the records of the request: by it, content of several records of one
    /// span and time gets different positions.
    #[expect(clippy::too_many_arguments, reason = "the parts of one flush, each lent for a row")]
    pub(super) fn append<'a>(
        &mut self,
        receipt: &Receipt<'_>,
        group: &LogGroup<'a>,
        record: &LogRecordView<'a, '_>,
        record_number: i64,
        builder: &mut normalise::Builder,
        rules: &ContentRules,
        contents: &mut ContentColumns,
    ) {
        let named_by = match record.event_name {
            // Rust's tracing names an event after its place in the code: `event src/x.rs:1`.
            name if name.is_empty() || name.starts_with("event ") => {
                record.attributes.iter().position(names_event)
            }
            _ => None,
        };
        let event_name = match named_by.map(|i| record.attributes[i].value) {
            Some(Value::Text(name)) => Some(name),
            _ => said(record.event_name),
        };
        let of_event = event_name.and_then(normalise::of_event);
        let normal = normalise::record(
            builder,
            &group.resource,
            &group.scope,
            record,
            event_name.unwrap_or_default(),
        );
        let builder = &*builder;
        let (names, fates) = (builder.names(), builder.fates());
        // What the dialect's own names say comes before a guess by the look of an attribute.
        let content_of = |i: usize, a: &Attribute<'_>| match fates[i] {
            Fate::Content(kind) if of_event.is_none() => Some(kind),
            Fate::Kept | Fate::Content(_) => {
                normalise::content_of(names, &group.scope, of_event, false, a)
            }
            Fate::InColumn | Fate::Bag => None,
        };

        let mut content_bytes = None;
        let mut position = record.time_unix_ns.saturating_add(record_number);
        let mut place = None;
        let mut content = |kind: ContentKind, field: &str, value: Value<'_>| {
            *content_bytes.get_or_insert(0) += value.len() as i64;
            if rules.capture {
                let place = place.get_or_insert_with(|| {
                    place_of(receipt, group, record, record_number, event_name, &normal)
                });
                contents.append(place, kind, field, position, value, rules);
                position += 1;
            }
        };
        for (i, attribute) in record.attributes.iter().enumerate() {
            if let Some(kind) = content_of(i, attribute) {
                content(kind, attribute.key, attribute.value);
            }
        }
        let emptied = Emptied::of(record.attributes, fates, &mut content);
        let body_is_content = of_event.filter(|_| !record.body.is_empty());
        if let Some(kind) = body_is_content {
            content(kind, event_name.unwrap_or_default(), record.body);
        }

        self.identity(receipt, group, record, event_name, &normal);
        self.call.append(&normal, builder.sources(&normal));
        let mut left_out = LeftOut::default();
        let body_bytes = self.body(record, body_is_content.is_some(), &mut left_out);
        self.content_bytes.append_option(content_bytes);
        left_out.attributes = record.dropped;
        let (attribute_bytes, _) = self.log_attributes.append_attributes(
            record.attributes,
            &emptied,
            &group.scope_entries,
            ATTRIBUTE_BYTES_MAX,
            |i, a| named_by != Some(i) && fates[i] != Fate::InColumn && content_of(i, a).is_none(),
            left_out,
        );
        let resource_bytes = self.resource_attributes.append_prepared(&group.resource_map);
        self.rows += 1;
        // Fixed widths and short texts of the typed columns come to about 400 bytes.
        self.bytes += 400 + body_bytes + attribute_bytes + resource_bytes;
    }

    fn identity(
        &mut self,
        receipt: &Receipt<'_>,
        group: &LogGroup<'_>,
        record: &LogRecordView<'_, '_>,
        event_name: Option<&str>,
        normal: &Normalised<'_>,
    ) {
        self.date.append_value(time::day(record.time_unix_ns));
        self.tenant.append_value(receipt.tenant);
        self.at.append_ns(record.time_unix_ns);
        self.time_unix_ns.append_value(record.time_unix_ns);
        self.observed_at.append_ns_option(record.observed_unix_ns);
        self.received_at.append_ns(receipt.received_unix_ns);
        let severity = i64::from(record.severity_number as i32);
        self.severity_number.append_option((1..=24).contains(&severity).then_some(severity));
        self.severity_text.append_option(said(record.severity_text));
        self.event_name.append_option(event_name);
        match record.trace_id {
            Some(id) => self.trace_id.append_value(ascii(&id.hex())),
            None => self.trace_id.append_null(),
        }
        match record.span_id {
            Some(id) => self.span_id.append_value(ascii(&id.hex())),
            None => self.span_id.append_null(),
        }
        let resource = &group.resource;
        self.service_name.append_option(first(&resource.service_name, &normal.service_name));
        self.service_version
            .append_option(first(&resource.service_version, &normal.service_version));
        self.environment.append_option(normal.environment.as_deref());
        self.scope_name.append_option(said(group.scope.name));
        self.scope_version.append_option(said(group.scope.version));
        self.record_role.append_value(if normal.record_is_call { "call" } else { "other" });
        self.duration_ms.append_option(normal.duration_ms);
    }

    /// Appends the body, unless it is content; returns its bytes.
    fn body(
        &mut self,
        record: &LogRecordView<'_, '_>,
        is_content: bool,
        left_out: &mut LeftOut,
    ) -> usize {
        if is_content || record.body.is_empty() {
            self.body.append_null();
            return 0;
        }
        self.body_text.clear();
        record.body.write_text(&mut self.body_text);
        let kept = cut(&self.body_text, LOG_BODY_BYTES_MAX);
        left_out.body_bytes = (self.body_text.len() - kept.len()) as u64;
        self.body.append_value(kept);
        kept.len()
    }

    pub(super) fn finish(mut self) -> RecordBatch {
        let mut columns: Vec<ArrayRef> = vec![
            done(&mut self.date),
            done(&mut self.tenant),
            self.at.finish(),
            done(&mut self.time_unix_ns),
            self.observed_at.finish(),
            self.received_at.finish(),
            done(&mut self.severity_number),
            done(&mut self.severity_text),
            done(&mut self.event_name),
            done(&mut self.body),
            done(&mut self.trace_id),
            done(&mut self.span_id),
            done(&mut self.service_name),
            done(&mut self.service_version),
            done(&mut self.environment),
            done(&mut self.scope_name),
            done(&mut self.scope_version),
            done(&mut self.record_role),
            done(&mut self.duration_ms),
        ];
        columns.extend(self.call.finish());
        columns.extend([
            done(&mut self.content_bytes),
            self.log_attributes.finish(),
            self.resource_attributes.finish(),
        ]);
        batch(&tables::log_records::TABLE, columns)
    }
}

/// Where the content of a record belongs: to the span it was written in, else to the record itself,
/// in the trace of its session. `number` is the record's in its request: what comes twice gets the
/// same place.
fn place_of<'t>(
    receipt: &Receipt<'t>,
    group: &LogGroup<'_>,
    record: &LogRecordView<'_, '_>,
    number: i64,
    event_name: Option<&str>,
    normal: &Normalised<'_>,
) -> Place<'t> {
    let mut hash = Xxh3::new();
    let service = first(&group.resource.service_name, &normal.service_name);
    for text in [service.unwrap_or_default(), group.scope.name, event_name.unwrap_or_default()] {
        hash.update(text.as_bytes());
        hash.update(b"\0");
    }
    hash.update(&record.time_unix_ns.to_le_bytes());
    hash.update(&number.to_le_bytes());
    let of_session = || normal.session.as_deref().map(TraceId::of_session);
    let trace_id = record.trace_id.or_else(of_session);
    Place {
        tenant: receipt.tenant,
        trace_id: trace_id.unwrap_or_else(|| TraceId(hash.digest128().to_be_bytes())),
        span_id: record.span_id.unwrap_or_else(|| SpanId(hash.digest().to_be_bytes())),
        at_unix_ns: record.time_unix_ns,
    }
}
