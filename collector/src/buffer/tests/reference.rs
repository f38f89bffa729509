//! The slow reference: reads with prost and says for each column in a line what it must hold.
//! It shares with the code under test only `normalise::leaves`, which has tests of its own.

use std::collections::{HashMap, HashSet};

use base64::Engine as _;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ResourceMetrics, exemplar, metric::Data, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};

use super::{NOW, Row};
use crate::normalise::{Reported, Reporter, leaves};

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

/// As `of_resource`, but the first name that is there decides.
fn owner_of_resource(resource: &Option<Resource>, names: &[&str]) -> Option<String> {
    let list = &resource.as_ref()?.attributes;
    single(&names.iter().find_map(|name| list.iter().find(|a| a.key == *name))?.value)
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

pub(super) fn takes_span(s: &Span) -> bool {
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

pub(super) fn spans(request: &[ResourceSpans]) -> Vec<Row> {
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

const ENVIRONMENTS: [&str; 2] = ["deployment.environment.name", "deployment.environment"];

/// The columns that spans and log records share.
struct Call {
    row: Row,
    in_column: HashSet<usize>,
    role: &'static str,
}

fn call_cells(
    resource: &Option<Resource>,
    scope: &Option<InstrumentationScope>,
    conventions: bool,
    attributes: &[KeyValue],
) -> Call {
    let none = InstrumentationScope::default();
    let said_scope = scope.as_ref().unwrap_or(&none);
    let ai = said_scope.name == "opentelemetry.instrumentation.openai_v2"
        || attributes.iter().any(|a| a.key.starts_with("gen_ai."));
    // What is empty says nothing.
    let says = |a: &KeyValue| {
        let value = a.value.as_ref().and_then(|v| v.value.as_ref());
        !matches!(value, Some(Value::StringValue(text)) if text.is_empty())
    };
    let at = |names: &[&str]| {
        let of = |name: &&str| attributes.iter().position(|a| a.key == **name && says(a));
        names.iter().find_map(of)
    };
    let mut in_column = HashSet::new();
    // Column to the attribute it came from.
    let mut sources: HashMap<&'static str, String> = HashMap::new();
    let mut column = |name: &'static str, names: &[&str]| {
        let i = at(names)?;
        let text = single(&attributes[i].value)?;
        in_column.insert(i);
        sources.insert(name, attributes[i].key.clone());
        Some(text)
    };
    let genai = |names: &'static [&'static str]| if ai { names } else { &[] };

    let mut row = Row::new();
    let mut set = |name: &str, value: Option<String>| {
        assert!(row.insert(name.to_owned(), value).is_none(), "{name} set twice");
    };
    set("scope_name", some(&said_scope.name));
    set("scope_version", some(&said_scope.version));
    set("dialect", ai.then(|| "otel-genai".into()));

    let operation = column("operation", genai(&["gen_ai.operation.name"]));
    let request_model = column("request_model", genai(&["gen_ai.request.model"]));
    let response_model = column("response_model", genai(&["gen_ai.response.model"]));
    set("error_type", column("error_type", &["error.type"]));
    set("server_address", column("server_address", &["server.address"]));
    for (name, names) in
        [("service_name", &["service.name"][..]), ("service_version", &["service.version"])]
    {
        set(name, of_resource(resource, names).or_else(|| column(name, names)));
    }
    let mut inherited = vec![];
    for (name, names) in [
        ("team", &["team"][..]),
        ("user_id", &["user.id", "enduser.id"]),
        ("session_id", &["session.id"]),
        ("feature", &["app.feature"]),
        ("environment", &ENVIRONMENTS),
        ("region", &["cloud.region"]),
    ] {
        let own = column(name, names);
        if own.is_none() && owner_of_resource(resource, names).is_some() {
            let list = &resource.as_ref().unwrap().attributes;
            let key = names.iter().find(|name| list.iter().any(|a| a.key == **name));
            inherited.push((name, format!("resource:{}", key.unwrap())));
        }
        set(name, own.or_else(|| owner_of_resource(resource, names)));
    }
    for name in [
        "response_id",
        "service_tier",
        "agent_name",
        "workflow_name",
        "tool_name",
        "queue_ms",
        "retries",
        "web_searches",
        "tool_calls",
        "output_images",
        "output_image_tokens",
        "audio_seconds",
        "reported_cost",
        "reported_cost_currency",
        "reported_cost_kind",
        "gateway_cache_hit",
    ] {
        set(name, None);
    }
    sources.extend(inherited);
    let mut from = |name: &'static str, i: usize| {
        sources.insert(name, attributes[i].key.clone());
    };

    let raw = |names: &'static [&'static str]| {
        let i = at(genai(names))?;
        Some((i, attributes[i].value.as_ref().and_then(|v| v.value.clone())))
    };
    let mut provider = None;
    if let Some((i, Some(Value::StringValue(name)))) =
        raw(&["gen_ai.provider.name", "gen_ai.system"])
        && !name.is_empty()
    {
        let lower = name.to_lowercase();
        if lower == name {
            in_column.insert(i);
        }
        provider = Some(lower);
        from("provider", i);
    }
    set("provider", provider.clone());
    let ttft = raw(&["gen_ai.response.time_to_first_chunk"]).and_then(|(i, v)| {
        let seconds = match v? {
            Value::DoubleValue(d) => d,
            Value::IntValue(i) => i as f64,
            Value::StringValue(t) => t.parse().ok()?,
            _ => return None,
        };
        Some((i, seconds * 1e3)).filter(|(_, ms)| ms.is_finite() && *ms > 0.0)
    });
    if let Some((i, _)) = ttft {
        from("ttft_ms", i);
    }
    let ttft = ttft.map(|(_, ms)| ms);
    set("ttft_ms", ttft.map(|ms| format!("{ms:?}")));
    let streaming = raw(&["gen_ai.request.stream"]).and_then(|(i, v)| match v? {
        Value::BoolValue(b) => Some((i, b)),
        Value::StringValue(t) if t == "true" => Some((i, true)),
        _ => None,
    });
    if let Some((i, _)) = streaming {
        in_column.insert(i);
        from("streaming", i);
    }
    set("streaming", streaming.map(|(_, b)| b).or(ttft.map(|_| true)).map(|b| b.to_string()));
    let reason = raw(&["gen_ai.response.finish_reasons"]).and_then(|(i, v)| {
        let (reason, whole) = first_reason(v?)?;
        if whole {
            in_column.insert(i);
        }
        from("finish_reason", i);
        Some(reason)
    });
    set("finish_reason", reason);

    let mut unreadable = false;
    let mut tokens = |name: &'static [&'static str]| {
        let (i, value) = raw(name)?;
        let tokens = match value {
            Some(Value::IntValue(n)) => Some(n),
            Some(Value::DoubleValue(d)) if d.fract() == 0.0 && d.abs() < 1e15 => Some(d as i64),
            Some(Value::StringValue(t)) => t.trim().parse().ok(),
            _ => None,
        };
        let tokens = tokens.filter(|n| (0..=1_000_000_000_000_000).contains(n));
        unreadable |= tokens.is_none();
        tokens.map(|n| (i, n))
    };
    let input = tokens(&["gen_ai.usage.input_tokens"]);
    let output = tokens(&["gen_ai.usage.output_tokens"]);
    let read = tokens(&["gen_ai.usage.cache_read.input_tokens"]);
    let reported = Reported {
        input: input.map(|t| t.1),
        output: output.map(|t| t.1),
        cache_read: read.map(|t| t.1),
        unreadable,
        ..Default::default()
    };
    let usage = leaves(
        &reported,
        &Reporter {
            scope: &said_scope.name,
            version: &said_scope.version,
            provider: provider.as_deref(),
            conventions: conventions.then_some((1, 40)),
            dialect: if ai { "otel-genai" } else { "" },
            input_name: if input.is_some() { "gen_ai.usage.input_tokens" } else { "" },
            cache_name: if read.is_some() { "gen_ai.usage.cache_read.input_tokens" } else { "" },
            streaming: streaming.map(|(_, b)| b).or(ttft.map(|_| true)),
            finished: raw(&["gen_ai.response.finish_reasons"]).is_some(),
            ..Reporter::default()
        },
    );
    for (name, counted) in [
        ("reported_input_tokens", input),
        ("reported_output_tokens", output),
        ("cache_read_tokens", read.filter(|_| usage.cache_read.is_some())),
    ] {
        if let Some((i, _)) = counted {
            in_column.insert(i);
            from(name, i);
        }
    }
    let number = |n: Option<i64>| n.map(|n| n.to_string());
    set("usage_basis", usage.basis.map(|b| b.word().to_owned()));
    set("usage_reason", usage.reason.map(str::to_owned));
    set("reported_input_tokens", number(reported.input));
    set("reported_output_tokens", number(reported.output));
    set("input_tokens", number(usage.input));
    set("output_tokens", number(usage.output));
    set("input_uncached_tokens", number(usage.input_uncached));
    set("cache_read_tokens", number(usage.cache_read));
    set("output_text_tokens", number(usage.output_text));
    for name in [
        "cache_write_tokens",
        "cache_write_5m_tokens",
        "cache_write_1h_tokens",
        "reasoning_tokens",
        "input_audio_tokens",
        "output_audio_tokens",
        "input_image_tokens",
    ] {
        set(name, None);
    }
    let has_usage = usage.basis.is_some();
    let has_model = request_model.is_some() || response_model.is_some();
    let role = match operation.as_deref() {
        _ if !ai => "other",
        Some("chat") => "call",
        Some("invoke_agent") if has_usage => "rollup",
        Some("invoke_agent") => "other",
        _ if has_usage && has_model => "call",
        _ => "other",
    };
    set("operation", operation);
    set("request_model", request_model);
    set("response_model", response_model);
    // In the order of the table of the columns.
    let order = [
        "operation",
        "provider",
        "request_model",
        "response_model",
        "streaming",
        "finish_reason",
        "error_type",
        "ttft_ms",
        "server_address",
        "region",
        "service_name",
        "service_version",
        "environment",
        "team",
        "user_id",
        "session_id",
        "feature",
        "reported_input_tokens",
        "reported_output_tokens",
        "cache_read_tokens",
    ];
    let said: Vec<_> = order
        .iter()
        .filter_map(|column| Some(format!("{column}={}", sources.get(column)?)))
        .collect();
    assert_eq!(said.len(), sources.len(), "{sources:?}");
    set("column_sources", (!said.is_empty()).then(|| said.join(" ")));
    Call { row, in_column, role }
}

/// The first finish reason, and whether it is the whole value.
fn first_reason(value: Value) -> Option<(String, bool)> {
    let (whole, first) = match value {
        Value::StringValue(text) => (true, text),
        Value::ArrayValue(a) => match a.values.into_iter().next()?.value? {
            Value::StringValue(text) => (false, text),
            _ => return None,
        },
        _ => return None,
    };
    match first.as_str() {
        "" => None,
        list if list.starts_with('[') => {
            let list: Vec<String> = serde_json::from_str(list).ok()?;
            list.into_iter().next().filter(|r| !r.is_empty()).map(|reason| (reason, false))
        }
        _ => Some((first, whole)),
    }
}

fn span_row(
    resource: &Option<Resource>,
    scope: &Option<InstrumentationScope>,
    conventions: bool,
    s: &Span,
) -> Row {
    let start = s.start_time_unix_nano as i64;
    let end = s.end_time_unix_nano as i64;
    let call = call_cells(resource, scope, conventions, &s.attributes);
    let Call { mut row, in_column, role } = call;
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

    let mut content: Vec<i64> = vec![];
    content.extend(s.attributes.iter().filter(|a| is_content(&a.key)).map(|a| length(&a.value)));
    let events: Vec<_> = s
        .events
        .iter()
        .map(|e| {
            let payload = |a: &&KeyValue| is_event_content(&e.name, &a.key);
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
    let skip = |i: usize| in_column.contains(&i) || is_content(&s.attributes[i].key);
    let (map, duplicates) = entries(&s.attributes, skip, scope, 0, state.into_iter().collect());
    set("span_attributes", Some(map));
    let mut in_columns = vec!["service.name", "service.version"];
    if owner_of_resource(resource, &ENVIRONMENTS).is_some() {
        let list = &resource.as_ref().unwrap().attributes;
        in_columns.extend(ENVIRONMENTS.iter().find(|e| list.iter().any(|a| a.key == **e)));
    }
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

fn takes_log(r: &LogRecord) -> bool {
    let fits = |time: u64| time == 0 || in_range(time);
    fits(r.time_unix_nano) && fits(r.observed_time_unix_nano)
}

pub(super) fn log_records(request: &[ResourceLogs]) -> Vec<Row> {
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
    let Call { row, in_column, .. } = call_cells(resource, scope, conventions, &r.attributes);
    let named_by = r.attributes.iter().position(|a| {
        let value = a.value.as_ref().and_then(|v| v.value.as_ref());
        a.key == "event.name" && matches!(value, Some(Value::StringValue(name)) if !name.is_empty())
    });
    let named_by = named_by.filter(|_| r.event_name.is_empty());
    let event = some(&r.event_name).or(named_by.and_then(|i| text(&r.attributes[i].value)));
    let event_name = event.clone().unwrap_or_default();
    let is_payload = |a: &KeyValue| is_event_content(&event_name, &a.key);
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

/// What differs between the kinds of points.
#[derive(Default)]
struct Point<'p> {
    attributes: &'p [KeyValue],
    start: u64,
    time: u64,
    flags: u32,
    exemplars: &'p [Exemplar],
    value: Option<f64>,
    value_int: Option<i64>,
    count: Option<u64>,
    sum: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    histogram: Option<(&'p [f64], &'p [u64])>,
    detail: Option<String>,
    counts: Vec<u64>,
}

pub(super) fn metric_points(request: &[ResourceMetrics]) -> Vec<Row> {
    let mut rows = vec![];
    for rm in request {
        for sm in &rm.scope_metrics {
            for m in sm.metrics.iter().filter(|m| !m.name.is_empty()) {
                let (kind, temporality, monotonic) = match &m.data {
                    None => continue,
                    Some(Data::Gauge(_)) => ("gauge", None, None),
                    Some(Data::Sum(s)) => {
                        ("sum", Some(s.aggregation_temporality), Some(s.is_monotonic))
                    }
                    Some(Data::Histogram(h)) => {
                        ("histogram", Some(h.aggregation_temporality), None)
                    }
                    Some(Data::ExponentialHistogram(h)) => {
                        ("exponential-histogram", Some(h.aggregation_temporality), None)
                    }
                    Some(Data::Summary(_)) => ("summary", None, None),
                };
                let temporality = match temporality {
                    Some(1) => Some("delta".to_owned()),
                    Some(2) => Some("cumulative".to_owned()),
                    _ => None,
                };
                for point in points(m.data.as_ref().unwrap()).iter().filter(|p| takes_point(p)) {
                    let mut row = point_row(&rm.resource, &sm.scope, point);
                    row.insert("metric_name".into(), Some(m.name.clone()));
                    row.insert("metric_kind".into(), Some(kind.into()));
                    row.insert("unit".into(), some(&m.unit));
                    row.insert("description".into(), some(&m.description));
                    row.insert("temporality".into(), temporality.clone());
                    row.insert("monotonic".into(), monotonic.map(|m| m.to_string()));
                    rows.push(row);
                }
            }
        }
    }
    rows
}

fn takes_point(p: &Point<'_>) -> bool {
    let fits = match p.histogram {
        Some((bounds, counts)) => counts.is_empty() || counts.len() == bounds.len() + 1,
        None => true,
    };
    let counts = p.counts.iter().chain(&p.count).all(|c| *c <= i64::MAX as u64);
    in_range(p.time) && (p.start == 0 || in_range(p.start)) && fits && counts
}

fn points(data: &Data) -> Vec<Point<'_>> {
    match data {
        Data::Gauge(g) => g.data_points.iter().map(number_point).collect(),
        Data::Sum(s) => s.data_points.iter().map(number_point).collect(),
        Data::Histogram(h) => h
            .data_points
            .iter()
            .map(|p| Point {
                attributes: &p.attributes,
                start: p.start_time_unix_nano,
                time: p.time_unix_nano,
                flags: p.flags,
                exemplars: &p.exemplars,
                count: Some(p.count),
                sum: p.sum,
                min: p.min,
                max: p.max,
                histogram: Some((&p.explicit_bounds, &p.bucket_counts)),
                counts: p.bucket_counts.clone(),
                ..Default::default()
            })
            .collect(),
        Data::ExponentialHistogram(h) => h
            .data_points
            .iter()
            .map(|p| {
                let (positive, negative) = (
                    p.positive.clone().unwrap_or_default(),
                    p.negative.clone().unwrap_or_default(),
                );
                let list = |counts: &[u64]| {
                    let texts: Vec<_> = counts.iter().map(u64::to_string).collect();
                    texts.join(",")
                };
                Point {
                    attributes: &p.attributes,
                    start: p.start_time_unix_nano,
                    time: p.time_unix_nano,
                    flags: p.flags,
                    exemplars: &p.exemplars,
                    count: Some(p.count),
                    sum: p.sum,
                    min: p.min,
                    max: p.max,
                    detail: Some(format!(
                        "{{\"scale\":{},\"zero_count\":{},\"zero_threshold\":{},\
                         \"positive\":{{\"offset\":{},\"bucket_counts\":[{}]}},\
                         \"negative\":{{\"offset\":{},\"bucket_counts\":[{}]}}}}",
                        p.scale,
                        p.zero_count,
                        json_double(p.zero_threshold),
                        positive.offset,
                        list(&positive.bucket_counts),
                        negative.offset,
                        list(&negative.bucket_counts),
                    )),
                    counts: [positive.bucket_counts, negative.bucket_counts, vec![p.zero_count]]
                        .concat(),
                    ..Default::default()
                }
            })
            .collect(),
        Data::Summary(s) => s
            .data_points
            .iter()
            .map(|p| {
                let quantiles: Vec<_> = p
                    .quantile_values
                    .iter()
                    .map(|q| {
                        let (quantile, value) = (json_double(q.quantile), json_double(q.value));
                        format!("{{\"quantile\":{quantile},\"value\":{value}}}")
                    })
                    .collect();
                Point {
                    attributes: &p.attributes,
                    start: p.start_time_unix_nano,
                    time: p.time_unix_nano,
                    flags: p.flags,
                    count: Some(p.count),
                    sum: Some(p.sum),
                    detail: Some(format!("{{\"quantiles\":[{}]}}", quantiles.join(","))),
                    ..Default::default()
                }
            })
            .collect(),
    }
}

fn number_point(p: &opentelemetry_proto::tonic::metrics::v1::NumberDataPoint) -> Point<'_> {
    let value = p.value.filter(|_| p.flags & 1 == 0);
    Point {
        attributes: &p.attributes,
        start: p.start_time_unix_nano,
        time: p.time_unix_nano,
        flags: p.flags,
        exemplars: &p.exemplars,
        value: value.map(|v| match v {
            number_data_point::Value::AsDouble(d) => d,
            number_data_point::Value::AsInt(i) => i as f64,
        }),
        value_int: match value {
            Some(number_data_point::Value::AsInt(i)) => Some(i),
            _ => None,
        },
        ..Default::default()
    }
}

fn point_row(
    resource: &Option<Resource>,
    scope: &Option<InstrumentationScope>,
    p: &Point<'_>,
) -> Row {
    let float = |f: Option<f64>| f.map(|f| format!("{f:?}"));
    let label =
        |name: &str| match p.attributes.iter().find(|a| a.key == name)?.value.as_ref()?.value {
            Some(Value::StringValue(ref text)) => some(text),
            _ => None,
        };
    let exemplars: Vec<_> = p
        .exemplars
        .iter()
        .map(|e| {
            let value = match e.value {
                None => "null".to_owned(),
                Some(exemplar::Value::AsDouble(d)) => json_double(d),
                Some(exemplar::Value::AsInt(i)) => i.to_string(),
            };
            format!(
                "{{\"value\":{value},\"time_unix_ns\":{},\"trace_id\":\"{}\",\"span_id\":\"{}\",\
                 \"attributes\":{}}}",
                e.time_unix_nano,
                hex(&e.trace_id),
                hex(&e.span_id),
                json_map(e.filtered_attributes.iter(), 0),
            )
        })
        .collect();
    let texts = |list: Vec<String>| format!("{list:?}");
    let bounds = p.histogram.map(|(b, _)| texts(b.iter().map(|b| format!("{b:?}")).collect()));
    let counts = p.histogram.map(|(_, c)| texts(c.iter().map(u64::to_string).collect()));
    let cells = [
        ("date", Some(day(p.time as i64))),
        ("tenant", Some("acme".into())),
        ("start_unix_ns", (p.start != 0).then(|| p.start.to_string())),
        ("at", Some((p.time / 1000).to_string())),
        ("time_unix_ns", Some(p.time.to_string())),
        ("received_at", Some((NOW / 1000).to_string())),
        ("value", float(p.value)),
        ("value_int", p.value_int.map(|i| i.to_string())),
        ("count", p.count.map(|c| c.to_string())),
        ("sum", float(p.sum)),
        ("min", float(p.min)),
        ("max", float(p.max)),
        ("bucket_bounds", bounds),
        ("bucket_counts", counts),
        ("detail", p.detail.clone()),
        ("exemplars", (!exemplars.is_empty()).then(|| format!("[{}]", exemplars.join(",")))),
        ("no_value", Some((p.flags & 1 == 1).to_string())),
        ("service_name", of_resource(resource, &["service.name"])),
        ("scope_name", scope.as_ref().and_then(|s| some(&s.name))),
        (
            "model",
            label("gen_ai.response.model")
                .or_else(|| label("gen_ai.request.model"))
                .or_else(|| label("model_name")),
        ),
        ("gpu_uuid", label("UUID")),
        ("host", label("host.name").or_else(|| of_resource(resource, &["host.name"]))),
        ("metric_attributes", Some(entries(p.attributes, |_| false, scope, 0, vec![]).0)),
        ("resource_attributes", Some(resource_map(resource, &[]))),
    ];
    cells.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
