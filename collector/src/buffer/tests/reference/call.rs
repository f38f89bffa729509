//! What the columns must hold that spans and log records share.

use std::collections::{HashMap, HashSet};

use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::{ENVIRONMENTS, of_resource, owner_in_resource, says, single, some};
use crate::buffer::tests::Row;
use crate::normalise::{Reported, Reporter, leaves};

/// The columns that spans and log records share.
pub(super) struct Call {
    pub(super) row: Row,
    pub(super) in_column: HashSet<usize>,
    pub(super) role: &'static str,
}

pub(super) fn call_cells(
    resource: &Option<Resource>,
    scope: &Option<InstrumentationScope>,
    conventions: bool,
    attributes: &[KeyValue],
    failed: bool,
) -> Call {
    let none = InstrumentationScope::default();
    let said_scope = scope.as_ref().unwrap_or(&none);
    let ai = said_scope.name == "opentelemetry.instrumentation.openai_v2"
        || attributes.iter().any(|a| a.key.starts_with("gen_ai."));
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
        let owner = owner_in_resource(resource, names).filter(|_| own.is_none());
        inherited.extend(owner.iter().map(|(key, _)| (name, format!("resource:{key}"))));
        set(name, own.or(owner.map(|(_, value)| value)));
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
        "rerank_searches",
        "tool_calls",
        "input_images",
        "output_images",
        "output_image_tokens",
        "audio_seconds",
        "input_audio_seconds",
        "output_audio_seconds",
        "input_characters",
        "input_document_pages",
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
        // The service's name, after which it names its scope.
        // An address, by its port.
        && name.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_err())
        && (name != said_scope.name || ["openai", "anthropic"].contains(&&*name.to_lowercase()))
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
            // Not told, as JavaScript, JSON and Python write it.
            Some(Value::DoubleValue(d)) if d.is_nan() => return None,
            Some(Value::StringValue(t)) if t == "null" || t == "None" => return None,
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
            failed,
            model: response_model.as_deref().or(request_model.as_deref()).unwrap_or_default(),
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
