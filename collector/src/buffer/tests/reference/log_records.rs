//! What `log_records` must hold.

use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::call::{Call, call_cells};
use super::{
    day, entries, hex, in_range, is_event_content, is_unlisted, length, resource_map, some, text,
};
use crate::buffer::tests::{NOW, Row};

fn takes_log(r: &LogRecord) -> bool {
    let fits = |time: u64| time == 0 || in_range(time);
    fits(r.time_unix_nano) && fits(r.observed_time_unix_nano)
}

pub(in crate::buffer::tests) fn log_records(request: &[ResourceLogs]) -> Vec<Row> {
    let mut rows = vec![];
    for rl in request {
        for sl in &rl.scope_logs {
            let conventions = sl.schema_url.contains("1.40") || rl.schema_url.contains("1.40");
            for r in sl.log_records.iter().filter(|r| takes_log(r)) {
                rows.push(log_row(&rl.resource, &sl.scope, conventions, r));
            }
        }
    }
    rows
}

fn log_row(
    resource: &Option<Resource>,
    scope: &Option<InstrumentationScope>,
    conventions: bool,
    r: &LogRecord,
) -> Row {
    let Call { row, in_column, .. } =
        call_cells(resource, scope, conventions, &r.attributes, false);
    let named_by = r.attributes.iter().position(|a| {
        let value = a.value.as_ref().and_then(|v| v.value.as_ref());
        a.key == "event.name" && matches!(value, Some(Value::StringValue(name)) if !name.is_empty())
    });
    let named_by = named_by.filter(|_| r.event_name.is_empty());
    let event = some(&r.event_name).or(named_by.and_then(|i| text(&r.attributes[i].value)));
    let event_name = event.clone().unwrap_or_default();
    let ai = row["dialect"].is_some();
    let is_payload = |a: &KeyValue| is_event_content(&event_name, &a.key) || is_unlisted(ai, a);
    let has_body = text(&r.body).is_some();
    let content_event = ["gen_ai.choice", "gen_ai.user.message"].contains(&event_name.as_str());
    let mut content: Vec<i64> =
        r.attributes.iter().filter(|a| is_payload(a)).map(|a| length(&a.value)).collect();
    if content_event && has_body {
        content.push(length(&r.body));
    }
    let time = match (r.time_unix_nano, r.observed_time_unix_nano) {
        (0, 0) => NOW,
        (0, observed) => observed as i64,
        (time, _) => time as i64,
    };
    let id = |id: &[u8], len| (id.len() == len && id.iter().any(|b| *b != 0)).then(|| hex(id));
    let skip =
        |i: usize| named_by == Some(i) || in_column.contains(&i) || is_payload(&r.attributes[i]);
    let dropped = u64::from(r.dropped_attributes_count);
    let map = entries(&r.attributes, skip, scope, dropped, vec![]).0;
    let cells = [
        ("date", Some(day(time))),
        ("tenant", Some("acme".into())),
        ("at", Some((time / 1000).to_string())),
        ("time_unix_ns", Some(time.to_string())),
        (
            "observed_at",
            (r.observed_time_unix_nano != 0)
                .then(|| (r.observed_time_unix_nano / 1000).to_string()),
        ),
        ("received_at", Some((NOW / 1000).to_string())),
        (
            "severity_number",
            (1..=24).contains(&r.severity_number).then(|| r.severity_number.to_string()),
        ),
        ("severity_text", some(&r.severity_text)),
        ("event_name", event),
        ("body", text(&r.body).filter(|_| !content_event)),
        ("trace_id", id(&r.trace_id, 16)),
        ("span_id", id(&r.span_id, 8)),
        ("record_role", Some("other".into())),
        ("duration_ms", None),
        ("content_bytes", (!content.is_empty()).then(|| content.iter().sum::<i64>().to_string())),
        ("log_attributes", Some(map)),
        ("resource_attributes", Some(resource_map(resource, &[]))),
    ];
    let cells = cells.into_iter().map(|(name, value)| (name.to_owned(), value));
    row.into_iter().chain(cells).collect()
}
