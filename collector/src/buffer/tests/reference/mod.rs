//! The slow reference: reads with prost and says for each column in a line what it must hold.
//! It shares with the code under test only `normalise::leaves`, which has tests of its own.

mod call;
mod log_records;
mod metric_points;
mod spans;

use std::collections::HashSet;

use base64::Engine as _;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

pub(super) use log_records::log_records;
pub(super) use metric_points::metric_points;
pub(super) use spans::spans;

use super::NOW;

const SECOND: i64 = 1_000_000_000;
const Y2010: i64 = 1_262_304_000 * SECOND;

type Entries = Vec<(String, Option<String>)>;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn double(d: f64) -> String {
    match d {
        d if d.is_nan() => "NaN".into(),
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        d => serde_json::to_string(&d).unwrap(),
    }
}

fn json_double(d: f64) -> String {
    if d.is_finite() { double(d) } else { quoted(&double(d)) }
}

fn json(value: &Option<AnyValue>, depth: usize) -> String {
    let too_deep = || "\"(not kept: nested deeper than 32 levels)\"".to_owned();
    match value.as_ref().and_then(|v| v.value.as_ref()) {
        None | Some(Value::StringValueStrindex(_)) => "null".into(),
        Some(Value::StringValue(s)) => quoted(s),
        Some(Value::BoolValue(b)) => b.to_string(),
        Some(Value::IntValue(i)) => i.to_string(),
        Some(Value::DoubleValue(d)) => json_double(*d),
        Some(Value::BytesValue(b)) => quoted(&base64::engine::general_purpose::STANDARD.encode(b)),
        Some(Value::ArrayValue(_) | Value::KvlistValue(_)) if depth == 32 => too_deep(),
        Some(Value::ArrayValue(a)) => {
            let items: Vec<_> =
                a.values.iter().map(|v| json(&Some(v.clone()), depth + 1)).collect();
            format!("[{}]", items.join(","))
        }
        Some(Value::KvlistValue(m)) => json_map(m.values.iter(), depth + 1),
    }
}

fn json_map<'k>(entries: impl Iterator<Item = &'k KeyValue>, depth: usize) -> String {
    let items: Vec<_> =
        entries.map(|e| format!("{}:{}", quoted(&e.key), json(&e.value, depth))).collect();
    format!("{{{}}}", items.join(","))
}

fn text(value: &Option<AnyValue>) -> Option<String> {
    match value.as_ref().and_then(|v| v.value.as_ref()) {
        None | Some(Value::StringValueStrindex(_)) => None,
        Some(Value::StringValue(s)) => Some(s.clone()),
        Some(Value::DoubleValue(d)) => Some(double(*d)),
        Some(Value::BytesValue(b)) => Some(base64::engine::general_purpose::STANDARD.encode(b)),
        _ => Some(json(value, 0)),
    }
}

/// Text of a single, non-empty value.
fn single(value: &Option<AnyValue>) -> Option<String> {
    match value.as_ref()?.value.as_ref()? {
        Value::ArrayValue(_) | Value::KvlistValue(_) | Value::BytesValue(_) => None,
        _ => text(value).filter(|t| !t.is_empty()),
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn length(value: &Option<AnyValue>) -> i64 {
    use prost::Message;
    match value.as_ref().and_then(|v| v.value.as_ref()) {
        None | Some(Value::StringValueStrindex(_)) => 0,
        Some(Value::StringValue(s)) => s.len() as i64,
        Some(Value::BoolValue(_)) => 1,
        Some(Value::IntValue(_) | Value::DoubleValue(_)) => 8,
        Some(Value::BytesValue(b)) => b.len() as i64,
        Some(Value::ArrayValue(a)) => a.encoded_len() as i64,
        Some(Value::KvlistValue(m)) => m.encoded_len() as i64,
    }
}

fn is_content(key: &str) -> bool {
    ["gen_ai.input.messages", "gen_ai.prompt.0.content", "input.value"].contains(&key)
}

/// Content under a name that no list has: of the generator's names only this one, where it is
/// neither a number nor a word of a state.
fn is_unlisted(ai: bool, a: &KeyValue) -> bool {
    let said = match a.value.as_ref().and_then(|v| v.value.as_ref()) {
        Some(Value::ArrayValue(_) | Value::KvlistValue(_)) => text(&a.value).unwrap(),
        Some(Value::StringValue(text)) => text.trim().to_owned(),
        _ => return false,
    };
    let state =
        ["", "None", "true", "[]", "{}"].contains(&said.as_str()) || said.parse::<f64>().is_ok();
    ai && a.key == "content" && !state
}

fn is_event_content(name: &str, key: &str) -> bool {
    let content = ["gen_ai.choice", "gen_ai.user.message"].contains(&name);
    let bare = !key.contains('.')
        && ![
            "role",
            "team",
            "feature",
            "id",
            "index",
            "finish_reason",
            "team_id",
            "user_id",
            "session_id",
            "feature_name",
        ]
        .contains(&key);
    is_content(key) || content && bare
}

/// The entries of a map: each key once, without those of `skip`, then what else is said.
fn entries(
    attributes: &[KeyValue],
    skip: impl Fn(usize) -> bool,
    scope: &Option<InstrumentationScope>,
    mut dropped_attributes: u64,
    extra: Entries,
) -> (String, u64) {
    let (mut out, mut seen, mut duplicates): (Entries, HashSet<&str>, u64) = Default::default();
    for (i, a) in attributes.iter().enumerate() {
        if skip(i) {
            continue;
        }
        match seen.insert(&a.key) {
            true => out.push((a.key.clone(), text(&a.value))),
            false => duplicates += 1,
        }
    }
    let mut seen = HashSet::new();
    for a in scope.iter().flat_map(|s| &s.attributes) {
        if seen.insert(&a.key) {
            out.push((format!("otel.scope.{}", a.key), text(&a.value)));
        }
    }
    out.extend(extra);
    let mut marker = vec![];
    if dropped_attributes > 0 {
        marker.push(format!("{dropped_attributes} attributes over the cap"));
    }
    if duplicates > 0 {
        marker.push(format!("{duplicates} attributes with a key already there"));
    }
    if !marker.is_empty() {
        out.push(("spanledger.dropped".to_owned(), Some(marker.join("; "))));
    }
    dropped_attributes = duplicates;
    (format!("{out:?}"), dropped_attributes)
}

fn resource_map(resource: &Option<Resource>, in_columns: &[&str]) -> String {
    let none = Resource::default();
    let resource = resource.as_ref().unwrap_or(&none);
    let list = &resource.attributes;
    let skip = |i: usize| in_columns.contains(&list[i].key.as_str());
    entries(list, skip, &None, u64::from(resource.dropped_attributes_count), vec![]).0
}

fn of_resource(resource: &Option<Resource>, names: &[&str]) -> Option<String> {
    let list = &resource.as_ref()?.attributes;
    names.iter().find_map(|name| single(&list.iter().find(|a| a.key == *name)?.value))
}

/// The attribute of a resource that says an owner: of the first name that is there.
fn owner_in_resource<'r>(
    resource: &'r Option<Resource>,
    names: &[&str],
) -> Option<(&'r str, String)> {
    let list = &resource.as_ref()?.attributes;
    let said = |name: &&str| list.iter().find(|a| a.key == *name && says(a));
    let owner = names.iter().find_map(said)?;
    Some((&owner.key, single(&owner.value)?))
}

/// Whether an attribute says what its key names: an empty text does not; of models and owners, no
/// blank and no word for nothing does.
fn says(a: &KeyValue) -> bool {
    const NAMES: [&str; 7] = [
        "gen_ai.request.model",
        "gen_ai.response.model",
        "team",
        "user.id",
        "enduser.id",
        "session.id",
        "app.feature",
    ];
    match a.value.as_ref().and_then(|v| v.value.as_ref()) {
        Some(Value::StringValue(text)) if NAMES.contains(&a.key.as_str()) => {
            !["", "none"].contains(&text.trim().to_lowercase().as_str())
        }
        Some(Value::StringValue(text)) => !text.is_empty(),
        _ => true,
    }
}

fn in_range(time: u64) -> bool {
    i64::try_from(time).is_ok_and(|t| (Y2010..=NOW + 86_400 * SECOND).contains(&t))
}

fn day(ns: i64) -> String {
    (ns / (86_400 * SECOND)).to_string()
}

fn named(code: i32, names: &[&'static str]) -> &'static str {
    usize::try_from(code).ok().and_then(|i| names.get(i)).copied().unwrap_or(names[0])
}

const ENVIRONMENTS: [&str; 2] = ["deployment.environment.name", "deployment.environment"];
