//! What `spans` must hold.

use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};

use super::call::{Call, call_cells};
use super::{
    ENVIRONMENTS, SECOND, day, entries, hex, in_range, is_content, is_event_content, is_unlisted,
    json_map, length, named, owner_in_resource, quoted, resource_map, some,
};
use crate::buffer::tests::{NOW, Row};

fn takes_span(s: &Span) -> bool {
    let id = |id: &[u8], length| id.len() == length && id.iter().any(|b| *b != 0);
    let parent = s.parent_span_id.is_empty() || s.parent_span_id.len() == 8;
    let (start, end) = (s.start_time_unix_nano, s.end_time_unix_nano);
    id(&s.trace_id, 16)
        && id(&s.span_id, 8)
        && parent
        && in_range(start)
        && in_range(end)
        && end as i64 >= start as i64 - SECOND
}

pub(in crate::buffer::tests) fn spans(request: &[ResourceSpans]) -> Vec<Row> {
    let mut rows = vec![];
    for rs in request {
        for ss in &rs.scope_spans {
            let conventions = ss.schema_url.contains("1.40") || rs.schema_url.contains("1.40");
            for s in ss.spans.iter().filter(|s| takes_span(s)) {
                rows.push(span_row(&rs.resource, &ss.scope, conventions, s));
            }
        }
    }
    rows
}

fn span_row(
    resource: &Option<Resource>,
    scope: &Option<InstrumentationScope>,
    conventions: bool,
    s: &Span,
) -> Row {
    let start = s.start_time_unix_nano as i64;
    let end = s.end_time_unix_nano as i64;
    let failed = s.status.as_ref().is_some_and(|status| status.code == 2);
    let call = call_cells(resource, scope, conventions, &s.attributes, failed);
    let Call { mut row, in_column, role } = call;
    let ai = row["dialect"].is_some();
    let mut set = |name: &str, value: Option<String>| {
        assert!(row.insert(name.to_owned(), value).is_none(), "{name} set twice");
    };
    set("date", Some(day(start)));
    set("tenant", Some("acme".into()));
    set("trace_id", Some(hex(&s.trace_id)));
    set("span_id", Some(hex(&s.span_id)));
    let root = s.parent_span_id.iter().all(|b| *b == 0);
    set("parent_span_id", (!root).then(|| hex(&s.parent_span_id)));
    set("name", Some(s.name.clone()));
    let kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"];
    set("kind", Some(named(s.kind, &kinds).into()));
    set("start_at", Some((start / 1000).to_string()));
    set("start_unix_ns", Some(start.to_string()));
    set("duration_ns", Some((end - start).to_string()));
    let status = s.status.clone().unwrap_or_default();
    set("status_code", Some(named(status.code, &["unset", "ok", "error"]).into()));
    set("status_message", some(&status.message));
    set("received_at", Some((NOW / 1000).to_string()));
    set("span_role", Some(role.into()));
    set("duplicate_of", None);
    set("covers_call", None);
    set("stream_ns", None);
    set("running_sum", None);

    let is_said = |a: &KeyValue| is_content(&a.key) || is_unlisted(ai, a);
    let mut content: Vec<i64> = vec![];
    content.extend(s.attributes.iter().filter(|a| is_said(a)).map(|a| length(&a.value)));
    let events: Vec<_> = s
        .events
        .iter()
        .map(|e| {
            let payload = |a: &&KeyValue| is_event_content(&e.name, &a.key) || is_unlisted(ai, a);
            content.extend(e.attributes.iter().filter(payload).map(|a| length(&a.value)));
            let kept = json_map(e.attributes.iter().filter(|a| !payload(a)), 0);
            let name = quoted(&e.name);
            format!(
                "{{\"name\":{name},\"time_unix_ns\":{},\"attributes\":{kept}}}",
                e.time_unix_nano
            )
        })
        .collect();
    set("events", (!events.is_empty()).then(|| format!("[{}]", events.join(","))));
    set("content_bytes", (!content.is_empty()).then(|| content.iter().sum::<i64>().to_string()));
    let links: Vec<_> = s
        .links
        .iter()
        .map(|l| {
            let (trace, span) = (hex(&l.trace_id), hex(&l.span_id));
            let kept = json_map(l.attributes.iter(), 0);
            format!("{{\"trace_id\":\"{trace}\",\"span_id\":\"{span}\",\"attributes\":{kept}}}")
        })
        .collect();
    set("links", (!links.is_empty()).then(|| format!("[{}]", links.join(","))));

    let state = some(&s.trace_state).map(|state| ("w3c.tracestate".to_owned(), Some(state)));
    let skip = |i: usize| in_column.contains(&i) || is_said(&s.attributes[i]);
    let (map, duplicates) = entries(&s.attributes, skip, scope, 0, state.into_iter().collect());
    set("span_attributes", Some(map));
    let mut in_columns = vec!["service.name", "service.version"];
    in_columns.extend(owner_in_resource(resource, &ENVIRONMENTS).map(|(key, _)| key));
    set("resource_attributes", Some(resource_map(resource, &in_columns)));
    let inner = s.events.iter().map(|e| e.dropped_attributes_count);
    let dropped = inner
        .chain(s.links.iter().map(|l| l.dropped_attributes_count))
        .chain([s.dropped_attributes_count, s.dropped_events_count, s.dropped_links_count])
        .map(u64::from)
        .sum::<u64>();
    set("dropped_items", Some((dropped + duplicates).to_string()));
    row
}
