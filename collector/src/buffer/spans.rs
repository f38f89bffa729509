//! Rows of `spans` (and, with capture, of `contents`) from span views. Takes a view with what its
//! group says, normalises it, and appends one value to every column.

use std::borrow::Cow;
use std::fmt::Write as _;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, RecordBatch,
    StringBuilder,
};
use spanledger_schemas::{semconv, tables, time};

use super::columns::{Instants, LeftOut, PreparedMap, TextMaps, batch, done, said, scope_entries};
use super::contents::{ContentColumns, ContentRules, Place};
use crate::decode::{
    ATTRIBUTE_BYTES_MAX, Attribute, EVENTS_BYTES_MAX, Group, SpanView, write_json_map,
    write_json_text,
};
use crate::normalise::{self, Fate, Normalised, ResourceFacts, ScopeFacts};

/// What a group says about all its spans.
#[derive(Debug)]
pub(super) struct SpanGroup<'a> {
    resource: ResourceFacts<'a>,
    scope: ScopeFacts<'a>,
    resource_map: PreparedMap<'a>,
    scope_entries: Vec<(Cow<'a, str>, Option<Cow<'a, str>>)>,
}

impl<'a> SpanGroup<'a> {
    pub(super) fn of(group: &Group<'a, '_>) -> Self {
        let resource = ResourceFacts::of(group.resource);
        let mut in_columns = vec![semconv::SERVICE_NAME, semconv::SERVICE_VERSION];
        let current = group.resource.attributes.iter();
        in_columns.push(
            match current.into_iter().any(|a| a.key == semconv::DEPLOYMENT_ENVIRONMENT_NAME) {
                true => semconv::DEPLOYMENT_ENVIRONMENT_NAME,
                false => semconv::DEPLOYMENT_ENVIRONMENT,
            },
        );
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
    fates: Vec<Fate>,
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
    region: StringBuilder,
    scope_name: StringBuilder,
    scope_version: StringBuilder,
    dialect: StringBuilder,
    span_role: StringBuilder,
    duplicate_of: StringBuilder,
    operation: StringBuilder,
    provider: StringBuilder,
    request_model: StringBuilder,
    response_model: StringBuilder,
    response_id: StringBuilder,
    service_tier: StringBuilder,
    streaming: BooleanBuilder,
    finish_reason: StringBuilder,
    error_type: StringBuilder,
    ttft_ms: Float64Builder,
    server_address: StringBuilder,
    agent_name: StringBuilder,
    tool_name: StringBuilder,
    team: StringBuilder,
    user_id: StringBuilder,
    session_id: StringBuilder,
    feature: StringBuilder,
    usage_basis: StringBuilder,
    usage_reason: StringBuilder,
    reported_input_tokens: Int64Builder,
    reported_output_tokens: Int64Builder,
    input_tokens: Int64Builder,
    output_tokens: Int64Builder,
    input_uncached_tokens: Int64Builder,
    cache_read_tokens: Int64Builder,
    cache_write_tokens: Int64Builder,
    cache_write_5m_tokens: Int64Builder,
    cache_write_1h_tokens: Int64Builder,
    output_text_tokens: Int64Builder,
    reasoning_tokens: Int64Builder,
    input_audio_tokens: Int64Builder,
    output_audio_tokens: Int64Builder,
    input_image_tokens: Int64Builder,
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
        rules: &ContentRules,
        contents: &mut ContentColumns,
    ) {
        let mut fates = std::mem::take(&mut self.fates);
        let normal = normalise::span(&group.resource, &group.scope, span, &mut fates);
        self.identity(receipt, group, span);
        self.call(&normal);
        let place = Place {
            tenant: receipt.tenant,
            trace_id: span.trace_id,
            span_id: span.span_id,
            at_unix_ns: span.start_unix_ns,
        };
        let mut content = Content { place, rules, contents, bytes: 0, position: 0 };
        for (attribute, fate) in span.attributes.iter().zip(&fates) {
            if let Fate::Content(kind) = fate {
                content.add(*kind, attribute);
            }
        }
        let mut left_out = LeftOut::default();
        let json_bytes =
            self.events(group, span, &mut content, &mut left_out) + self.links(span, &mut left_out);
        self.content_bytes.append_option((content.position > 0).then_some(content.bytes));
        let trace_state = said(span.trace_state)
            .map(|state| (Cow::Borrowed("w3c.tracestate"), Some(Cow::Borrowed(state))));
        let (attribute_bytes, left_out) = match trace_state {
            None => self.attributes(span, &group.scope_entries, &fates, left_out),
            Some(entry) => {
                let mut extra = group.scope_entries.clone();
                extra.push(entry);
                self.attributes(span, &extra, &fates, left_out)
            }
        };
        let resource_bytes = self.resource_attributes.append_prepared(&group.resource_map);
        self.dropped_items.append_value((span.dropped + left_out.items()) as i64);
        self.fates = fates;
        self.rows += 1;
        // Fixed widths and short texts of the typed columns come to about 600 bytes.
        self.bytes += 600 + span.name.len() + attribute_bytes + resource_bytes + json_bytes;
    }

    fn attributes(
        &mut self,
        span: &SpanView<'_, '_>,
        extra: &[(Cow<'_, str>, Option<Cow<'_, str>>)],
        fates: &[Fate],
        left_out: LeftOut,
    ) -> (usize, LeftOut) {
        self.span_attributes.append_attributes(
            span.attributes,
            extra,
            ATTRIBUTE_BYTES_MAX,
            |i, _| fates[i] == Fate::Kept,
            left_out,
        )
    }

    fn identity(&mut self, receipt: &Receipt<'_>, group: &SpanGroup<'_>, span: &SpanView<'_, '_>) {
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
        self.service_name.append_option(group.resource.service_name.as_deref());
        self.service_version.append_option(group.resource.service_version.as_deref());
        self.environment.append_option(group.resource.environment.as_deref());
        self.scope_name.append_option(said(group.scope.name));
        self.scope_version.append_option(said(group.scope.version));
    }

    fn call(&mut self, normal: &Normalised<'_>) {
        self.region.append_option(normal.region.as_deref());
        self.dialect.append_option(normal.dialect);
        self.span_role.append_value(normal.role.word());
        // Only the whole trace shows duplicates; `settle` decides.
        self.duplicate_of.append_null();
        self.operation.append_option(normal.operation.as_deref());
        self.provider.append_option(normal.provider.as_deref());
        self.request_model.append_option(normal.request_model.as_deref());
        self.response_model.append_option(normal.response_model.as_deref());
        self.response_id.append_option(normal.response_id.as_deref());
        self.service_tier.append_option(normal.service_tier.as_deref());
        self.streaming.append_option(normal.streaming);
        self.finish_reason.append_option(normal.finish_reason.as_deref());
        self.error_type.append_option(normal.error_type.as_deref());
        self.ttft_ms.append_option(normal.ttft_ms);
        self.server_address.append_option(normal.server_address.as_deref());
        self.agent_name.append_option(normal.agent.as_deref());
        self.tool_name.append_option(normal.tool.as_deref());
        self.team.append_option(normal.team.as_deref());
        self.user_id.append_option(normal.user.as_deref());
        self.session_id.append_option(normal.session.as_deref());
        self.feature.append_option(normal.feature.as_deref());
        let usage = &normal.usage;
        self.usage_basis.append_option(usage.basis.map(normalise::Basis::word));
        self.usage_reason.append_option(usage.reason);
        self.reported_input_tokens.append_option(usage.reported_input);
        self.reported_output_tokens.append_option(usage.reported_output);
        self.input_tokens.append_option(usage.input);
        self.output_tokens.append_option(usage.output);
        self.input_uncached_tokens.append_option(usage.input_uncached);
        self.cache_read_tokens.append_option(usage.cache_read);
        self.cache_write_tokens.append_option(usage.cache_write);
        self.cache_write_5m_tokens.append_option(usage.cache_write_5m);
        self.cache_write_1h_tokens.append_option(usage.cache_write_1h);
        self.output_text_tokens.append_option(usage.output_text);
        self.reasoning_tokens.append_option(usage.reasoning);
        self.input_audio_tokens.append_option(usage.audio_in);
        self.output_audio_tokens.append_option(usage.audio_out);
        self.input_image_tokens.append_option(usage.image_in);
    }

    /// Appends `events`; content goes to `content`. Returns its bytes.
    fn events<'a>(
        &mut self,
        group: &SpanGroup<'a>,
        span: &SpanView<'a, '_>,
        content: &mut Content<'_, '_>,
        left_out: &mut LeftOut,
    ) -> usize {
        let mut list = JsonList::start(&mut self.json);
        for event in span.events {
            let attributes = span.event_attributes(event);
            let of_event = normalise::of_event(event.name);
            let kind = |a: &Attribute<'_>| normalise::content_of(&group.scope, of_event, a.key);
            for attribute in attributes {
                if let Some(kind) = kind(attribute) {
                    content.add(kind, attribute);
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
        let columns: Vec<ArrayRef> = vec![
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
            done(&mut self.region),
            done(&mut self.scope_name),
            done(&mut self.scope_version),
            done(&mut self.dialect),
            done(&mut self.span_role),
            done(&mut self.duplicate_of),
            done(&mut self.operation),
            done(&mut self.provider),
            done(&mut self.request_model),
            done(&mut self.response_model),
            done(&mut self.response_id),
            done(&mut self.service_tier),
            done(&mut self.streaming),
            done(&mut self.finish_reason),
            done(&mut self.error_type),
            done(&mut self.ttft_ms),
            done(&mut self.server_address),
            done(&mut self.agent_name),
            done(&mut self.tool_name),
            done(&mut self.team),
            done(&mut self.user_id),
            done(&mut self.session_id),
            done(&mut self.feature),
            done(&mut self.usage_basis),
            done(&mut self.usage_reason),
            done(&mut self.reported_input_tokens),
            done(&mut self.reported_output_tokens),
            done(&mut self.input_tokens),
            done(&mut self.output_tokens),
            done(&mut self.input_uncached_tokens),
            done(&mut self.cache_read_tokens),
            done(&mut self.cache_write_tokens),
            done(&mut self.cache_write_5m_tokens),
            done(&mut self.cache_write_1h_tokens),
            done(&mut self.output_text_tokens),
            done(&mut self.reasoning_tokens),
            done(&mut self.input_audio_tokens),
            done(&mut self.output_audio_tokens),
            done(&mut self.input_image_tokens),
            done(&mut self.content_bytes),
            self.span_attributes.finish(),
            self.resource_attributes.finish(),
            done(&mut self.events),
            done(&mut self.links),
            done(&mut self.dropped_items),
        ];
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
    fn add(&mut self, kind: normalise::ContentKind, attribute: &Attribute<'_>) {
        let position = self.position;
        if self.rules.capture {
            let (field, value) = (attribute.key, attribute.value);
            self.contents.append(&self.place, kind, field, position, value, self.rules);
        }
        self.bytes += attribute.value.len() as i64;
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
