//! Spans and records that follow the documentation of libraries which no captured suite has:
//! older versions, other providers, gateways. Each case names where it is documented.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest,
};
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use serde_json::json;
use spanledger_schemas::usage_marks::{CACHED_UNTOLD, PERHAPS_ESTIMATED};

use super::{NOW, Row, frame, rows};
use crate::buffer::{Builders, ContentRules};
use crate::frame::Signal;
use crate::normalise::{Names, OwnerSettings};

fn value(value: &serde_json::Value) -> AnyValue {
    let value = match value {
        serde_json::Value::Bool(truth) => Value::BoolValue(*truth),
        serde_json::Value::Number(n) if n.is_i64() => Value::IntValue(n.as_i64().unwrap()),
        serde_json::Value::Number(n) => Value::DoubleValue(n.as_f64().unwrap()),
        serde_json::Value::String(text) => Value::StringValue(text.clone()),
        other => panic!("no attribute is written so: {other}"),
    };
    AnyValue { value: Some(value) }
}

fn attributes(object: &serde_json::Value) -> Vec<KeyValue> {
    let entry = |(key, v): (&String, &serde_json::Value)| KeyValue {
        key: key.clone(),
        value: Some(value(v)),
        ..KeyValue::default()
    };
    object.as_object().unwrap().iter().map(entry).collect()
}

/// One case: who wrote the item, what it says, and what its columns hold.
#[derive(Default)]
struct Case<'c> {
    scope: &'c str,
    version: &'c str,
    resource: Option<serde_json::Value>,
    owner: OwnerSettings,
    events: Vec<Event>,
    failed: bool,
}

fn by<'c>(scope: &'c str, version: &'c str) -> Case<'c> {
    Case { scope, version, ..Case::default() }
}

const START: u64 = NOW as u64 - 3_600_000_000_000;

impl Case<'_> {
    fn parts(&self) -> (Option<Resource>, Option<InstrumentationScope>) {
        let resource = self
            .resource
            .as_ref()
            .map(|r| Resource { attributes: attributes(r), ..Resource::default() });
        let scope = InstrumentationScope {
            name: self.scope.to_owned(),
            version: self.version.to_owned(),
            ..InstrumentationScope::default()
        };
        (resource, Some(scope))
    }

    fn row(&self, signal: Signal, body: Vec<u8>) -> Row {
        let names = Arc::new(Names::with(&self.owner));
        let mut builders = Builders::new(ContentRules::default()).with_names(names);
        builders.append(&frame(signal, body)).unwrap();
        rows(&builders.finish()[0].1).remove(0)
    }

    /// A span of two seconds.
    fn span(&self, said: serde_json::Value) -> Row {
        let (resource, scope) = self.parts();
        let span = Span {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            name: "s".to_owned(),
            start_time_unix_nano: START,
            end_time_unix_nano: START + 2_000_000_000,
            attributes: attributes(&said),
            events: self.events.clone(),
            status: self.failed.then(|| Status { code: 2, ..Status::default() }),
            ..Span::default()
        };
        let scope_spans = vec![ScopeSpans { scope, spans: vec![span], schema_url: String::new() }];
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource,
                scope_spans,
                schema_url: String::new(),
            }],
        };
        self.row(Signal::Traces, request.encode_to_vec())
    }

    fn record(&self, said: serde_json::Value) -> Row {
        let (resource, scope) = self.parts();
        let record = LogRecord {
            time_unix_nano: START,
            attributes: attributes(&said),
            ..LogRecord::default()
        };
        let scope_logs =
            vec![ScopeLogs { scope, log_records: vec![record], schema_url: String::new() }];
        let request = ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs { resource, scope_logs, schema_url: String::new() }],
        };
        self.row(Signal::Logs, request.encode_to_vec())
    }
}

/// Checks columns; `-` stands for null.
fn check(row: &Row, expect: &[(&str, &str)]) {
    for (column, expect) in expect {
        let got = row[*column].as_deref().unwrap_or("-");
        assert_eq!(got, *expect, "{column}; {}", row["usage_reason"].as_deref().unwrap_or("-"));
    }
}

// opentelemetry-semantic-conventions-ai 0.3: `llm.request.type`, `gen_ai.usage.prompt_tokens`.
#[test]
fn openllmetry_before_the_conventions() {
    let row = by("opentelemetry.instrumentation.openai.v1", "0.30.0").span(json!({
        "llm.request.type": "completion", "gen_ai.system": "OpenAI", "llm.is_streaming": false,
        "gen_ai.request.model": "gpt-3.5-turbo-instruct", "llm.usage.total_tokens": 30,
        "gen_ai.usage.prompt_tokens": 10, "gen_ai.usage.completion_tokens": 20,
        "gen_ai.completion.0.finish_reason": "stop",
        "traceloop.association.properties.user_id": "u", "traceloop.workflow.name": "w",
    }));
    check(
        &row,
        &[
            ("dialect", "openllmetry"),
            ("span_role", "call"),
            ("operation", "text_completion"),
            ("provider", "openai"),
            ("input_tokens", "10"),
            ("output_tokens", "20"),
            ("streaming", "false"),
            ("finish_reason", "stop"),
            ("user_id", "u"),
            ("workflow_name", "w"),
        ],
    );
}

// semantic-conventions 1.26: `gen_ai.system`, `gen_ai.usage.prompt_tokens`; 1.27 renamed them.
#[test]
fn opentelemetry_before_1_27() {
    let row = by("my.app", "").span(json!({
        "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4",
        "gen_ai.usage.prompt_tokens": 100, "gen_ai.usage.completion_tokens": 180,
    }));
    check(
        &row,
        &[
            ("dialect", "otel-genai"),
            ("span_role", "call"),
            ("usage_basis", "inclusive"),
            ("input_tokens", "100"),
            ("output_tokens", "180"),
            ("cache_read_tokens", "-"),
        ],
    );
}

// AI SDK 4, `ai.usage.promptTokens` of Anthropic without cached tokens, which stand in
// `providerMetadata.anthropic.cacheReadInputTokens`: 8 + 1901 + 0.
#[test]
fn vercel_4_leaves_cached_tokens_to_the_metadata() {
    let metadata = r#"{"anthropic":{"cacheCreationInputTokens":0,"cacheReadInputTokens":1901}}"#;
    let said = |operation: &str| {
        by("ai", "").span(json!({
            "ai.operationId": operation, "ai.model.provider": "anthropic.messages",
            "ai.model.id": "claude-3-7-sonnet", "ai.usage.promptTokens": 8,
            "ai.usage.completionTokens": 40, "ai.response.providerMetadata": metadata,
            "ai.response.msToFirstChunk": 250.5, "ai.telemetry.metadata.userId": "u",
        }))
    };
    check(
        &said("ai.streamText.doStream"),
        &[
            ("dialect", "vercel-ai"),
            ("span_role", "call"),
            ("operation", "chat"),
            ("provider", "anthropic"),
            ("input_tokens", "1909"),
            ("input_uncached_tokens", "8"),
            ("cache_read_tokens", "1901"),
            ("output_tokens", "40"),
            ("streaming", "true"),
            ("ttft_ms", "250.5"),
            ("user_id", "u"),
        ],
    );
    check(&said("ai.streamText"), &[("span_role", "rollup"), ("input_tokens", "1909")]);
}

// AI SDK 5 on Gemini: `totalTokens` = input + output + reasoning proves reasoning beside output.
#[test]
fn a_total_proves_reasoning_beside_output() {
    let row = by("ai", "").span(json!({
        "ai.operationId": "ai.generateText.doGenerate", "ai.model.provider": "google.generative-ai",
        "ai.model.id": "gemini-2.5-flash", "ai.usage.inputTokens": 20, "ai.usage.outputTokens": 16,
        "ai.usage.reasoningTokens": 300, "ai.usage.totalTokens": 336,
    }));
    check(
        &row,
        &[
            ("provider", "gcp.gemini"),
            ("output_tokens", "316"),
            ("output_text_tokens", "16"),
            ("reasoning_tokens", "300"),
        ],
    );
}

// LiteLLM proxy: the key's hash and team; `response_cost` is the gateway's.
#[test]
fn cost_of_a_gateway_is_its_own_kind() {
    let row = by("litellm", "").span(json!({
        "gen_ai.operation.name": "acompletion", "gen_ai.system": "azure",
        "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 5,
        "gen_ai.usage.output_tokens": 6, "gen_ai.cost.total_cost": 0.00001234,
        "metadata.user_api_key_hash": "88dc", "metadata.user_api_key_team_alias": "core",
        "metadata.requester_metadata": "{'user_id': 'u-7', 'feature': 'search'}",
        "hidden_params": "{\"api_base\": \"https://acme.openai.azure.com\", \"cache_hit\": true}",
    }));
    check(
        &row,
        &[
            ("operation", "chat"),
            ("provider", "azure.ai.openai"),
            ("team", "core"),
            ("user_id", "u-7"),
            ("feature", "search"),
            ("gateway_cache_hit", "true"),
            ("reported_cost", "0.00001234"),
            ("reported_cost_currency", "USD"),
            ("reported_cost_kind", "gateway"),
            ("server_address", "acme.openai.azure.com"),
        ],
    );
}

// OpenRouter: `usage.cost` of the answer, in credits of one dollar.
#[test]
fn cost_of_a_provider_is_its_own_kind() {
    let usage = r#"{"prompt_tokens":22,"completion_tokens":48,"total_tokens":70,"cost":0.00095}"#;
    let row = by("langfuse-sdk", "3.0.0").span(json!({
        "langfuse.observation.type": "generation", "langfuse.observation.model.name": "qwen",
        "langfuse.observation.usage_details": usage,
    }));
    check(
        &row,
        &[
            ("span_role", "call"),
            ("input_tokens", "22"),
            ("reported_cost", "0.00095"),
            ("reported_cost_kind", "provider"),
        ],
    );
}

// Langfuse: “usage types of one generation sum up to its total”.
#[test]
fn parts_of_langfuse_add_up() {
    let usage = r#"{"input":5,"input_cached_tokens":95,"input_audio_tokens":7,"output":3,
        "output_reasoning_tokens":40,"output_audio_tokens":2}"#;
    let row = by("langfuse-sdk", "4.0.0").span(json!({
        "langfuse.observation.type": "generation", "langfuse.observation.usage_details": usage,
        "langfuse.observation.level": "ERROR", "langfuse.environment": "staging",
    }));
    check(
        &row,
        &[
            ("input_tokens", "107"),
            ("input_uncached_tokens", "5"),
            ("cache_read_tokens", "95"),
            ("output_tokens", "45"),
            ("output_text_tokens", "3"),
            ("error_type", "_OTHER"),
            ("environment", "staging"),
        ],
    );
}

// Langfuse's handler of LangChain takes the details off input and output: 60 + 40 and 15 + 25.
#[test]
fn parts_of_langfuse_have_langchains_names_too() {
    let usage = r#"{"input":60,"output":15,"total":140,"input_audio":0,"input_cache_read":40,
        "output_audio":0,"output_reasoning":25}"#;
    let row = by("langfuse-sdk", "3.3.0").span(json!({
        "langfuse.observation.type": "generation", "langfuse.observation.usage_details": usage,
    }));
    check(
        &row,
        &[
            ("input_tokens", "100"),
            ("input_uncached_tokens", "60"),
            ("cache_read_tokens", "40"),
            ("output_tokens", "40"),
            ("output_text_tokens", "15"),
            ("reasoning_tokens", "25"),
        ],
    );
}

// ADK's `trace_call_llm`: Gemini's prompt and candidates counts, the framework as `gen_ai.system`.
#[test]
fn googles_agent_kit_is_no_provider_and_tells_no_thoughts() {
    let said = |extra: Option<i64>| {
        let mut said = json!({
            "gen_ai.system": "gcp.vertex.agent", "gen_ai.request.model": "gemini-2.5-flash",
            "gen_ai.usage.input_tokens": 39, "gen_ai.usage.output_tokens": 6,
        });
        if let Some(thoughts) = extra {
            said["gen_ai.usage.experimental.reasoning_tokens"] = json!(thoughts);
        }
        by("gcp.vertex.agent", "1.20.0").span(said)
    };
    check(
        &said(None),
        &[
            ("provider", "-"),
            ("input_tokens", "39"),
            ("output_tokens", "-"),
            ("output_text_tokens", "6"),
            ("span_role", "call"),
        ],
    );
    check(&said(Some(90)), &[("output_tokens", "96"), ("reasoning_tokens", "90")]);
}

// MLflow: every value is JSON; two prices of one model are not told apart from the request.
#[test]
fn values_of_mlflow_are_unquoted() {
    let row = by("mlflow.tracing.provider", "").span(json!({
        "mlflow.spanType": "\"CHAT_MODEL\"", "model": "\"gpt-4o\"", "stream": "true",
        "mlflow.llm.model": "\"gpt-4o-2024-08-06\"", "mlflow.llm.provider": "\"bedrock\"",
        "mlflow.chat.tokenUsage": "{\"input_tokens\": 31, \"output_tokens\": 29}",
        "mlflow.trace.user": "\"u\"",
    }));
    check(
        &row,
        &[
            ("request_model", "gpt-4o"),
            ("response_model", "gpt-4o-2024-08-06"),
            ("streaming", "true"),
            ("provider", "aws.bedrock"),
            ("input_tokens", "31"),
            ("user_id", "u"),
        ],
    );
}

// LangChain's `usage_metadata`: input_tokens is the sum of all input, details are parts of it.
#[test]
fn langsmith_names_the_provider_among_its_metadata() {
    let usage = "{'input_tokens': 100, 'output_tokens': 9, 'total_tokens': 109, \
                 'input_token_details': {'cache_read': 80, 'cache_creation': 10}}";
    let row = by("langsmith", "").span(json!({
        "langsmith.span.kind": "llm", "gen_ai.operation.name": "chat", "gen_ai.system": "langchain",
        "langsmith.metadata.ls_provider": "anthropic", "gen_ai.request.model": "claude-haiku-4-5",
        "langsmith.metadata.usage_metadata": usage, "langsmith.metadata.thread_id": "t",
    }));
    check(
        &row,
        &[
            ("provider", "anthropic"),
            ("input_tokens", "100"),
            ("input_uncached_tokens", "10"),
            ("cache_read_tokens", "80"),
            ("cache_write_tokens", "10"),
            ("session_id", "t"),
        ],
    );
}

// Pydantic AI 1: the agent's span repeats `gen_ai.usage.*` and has no operation.
#[test]
fn an_agent_without_operation_is_a_rollup() {
    let row = by("pydantic-ai", "1.26.0").span(json!({
        "agent_name": "joker", "model_name": "gpt-4o", "gen_ai.usage.input_tokens": 50,
        "gen_ai.usage.output_tokens": 5,
    }));
    check(&row, &[("span_role", "rollup"), ("agent_name", "joker")]);
}

// vLLM's tracing (docs/design/metrics): latencies in seconds, as seen by the server.
#[test]
fn vllm_tells_its_queue() {
    let row = by("vllm.llm_engine", "").span(json!({
        "gen_ai.response.model": "llama", "gen_ai.usage.prompt_tokens": 7,
        "gen_ai.usage.completion_tokens": 9, "gen_ai.latency.time_in_queue": 0.25,
        "gen_ai.latency.time_to_first_token": 0.5,
    }));
    check(
        &row,
        &[
            ("span_role", "call"),
            ("queue_ms", "250.0"),
            ("ttft_ms", "500.0"),
            ("input_tokens", "7"),
        ],
    );
}

// The same name in two units: a span of two seconds cannot begin to answer after 900 seconds.
#[test]
fn a_time_to_first_token_after_the_end_is_in_milliseconds() {
    let said = |scope: &str, number: f64| {
        by(scope, "").span(json!({
            "gen_ai.operation.name": "chat", "gen_ai.request.model": "m",
            "gen_ai.server.time_to_first_token": number,
        }))
    };
    check(&said("my.app", 0.9), &[("ttft_ms", "900.0")]);
    check(&said("my.app", 900.0), &[("ttft_ms", "900.0")]);
    check(&said("strands.telemetry.tracer", 0.9), &[("ttft_ms", "0.9")]);
    // OpenLIT writes the duration there when nothing is streamed.
    check(&said("openlit.instrumentation.openai", 0.9), &[("ttft_ms", "-"), ("streaming", "-")]);
}

#[test]
fn a_first_chunk_event_is_a_time_to_first_token() {
    let event = |name: &str, ms: u64| Event {
        name: name.to_owned(),
        time_unix_nano: START + ms * 1_000_000,
        ..Event::default()
    };
    let events = vec![
        event("gen_ai.content.completion.chunk", 300),
        event("gen_ai.content.completion.chunk", 100),
    ];
    let case = Case { events, ..by("opentelemetry.instrumentation.openai.v1", "0.60.0") };
    let row = case.span(json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}));
    check(
        &row,
        &[
            ("ttft_ms", "100.0"),
            ("streaming", "true"),
            (
                "column_sources",
                "operation=gen_ai.operation.name request_model=gen_ai.request.model",
            ),
        ],
    );
}

#[test]
fn zeros_and_guesses_are_not_counted() {
    let litellm = by("litellm", "").span(json!({
        "gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "m",
        "gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0,
    }));
    check(
        &litellm,
        &[("usage_basis", "unknown"), ("input_tokens", "-"), ("reported_input_tokens", "0")],
    );
    let openlit = by("openlit.instrumentation.openai", "").span(json!({
        "gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "m",
        "gen_ai.request.stream": true, "gen_ai.usage.input_tokens": 40,
        "gen_ai.usage.output_tokens": 139, "gen_ai.usage.cost": 0,
    }));
    check(
        &openlit,
        &[
            ("usage_basis", "estimated"),
            ("input_tokens", "-"),
            ("output_tokens", "-"),
            ("reported_output_tokens", "139"),
            ("reported_cost", "-"),
        ],
    );
}

// OpenLLMetry for node reckons the tokens of every stream itself, and marks neither.
#[test]
fn counts_that_may_be_a_guess_carry_a_mark() {
    let node = |more: serde_json::Value| {
        let mut said = json!({
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 6,
            "gen_ai.usage.output_tokens": 51,
        });
        said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        by("@traceloop/instrumentation-openai", "0.27.0").span(said)
    };
    let marked = |row: &Row, mark: &str| row["usage_reason"].as_ref().unwrap().contains(mark);
    let unsaid = node(json!({}));
    check(&unsaid, &[("usage_basis", "inclusive"), ("output_tokens", "51")]);
    assert!(marked(&unsaid, CACHED_UNTOLD) && marked(&unsaid, PERHAPS_ESTIMATED));
    let whole = node(json!({"gen_ai.request.stream": false}));
    check(&whole, &[("usage_basis", "inclusive"), ("output_tokens", "51")]);
    assert!(marked(&whole, CACHED_UNTOLD) && !marked(&whole, PERHAPS_ESTIMATED));
    let stream = node(json!({"gen_ai.request.stream": true}));
    check(&stream, &[("usage_basis", "estimated"), ("output_tokens", "-")]);
}

// Claude Code documentation, “Monitoring usage”: `claude_code.api_request`, before `ttft_ms`.
#[test]
fn a_log_event_of_a_call_has_the_same_columns() {
    let row = by("com.anthropic.claude_code", "1.0.60").record(json!({
        "event.name": "api_request", "model": "claude-sonnet-4-20250514", "input_tokens": "4",
        "output_tokens": "250", "cache_read_tokens": "20000", "cache_creation_tokens": "100",
        "cost_usd": "0.01", "duration_ms": "3210", "user.id": "u", "session.id": "s",
        "organization.id": "o", "terminal.type": "vscode",
    }));
    check(
        &row,
        &[
            ("dialect", "claude-code"),
            ("record_role", "call"),
            ("input_tokens", "20104"),
            ("input_uncached_tokens", "4"),
            ("cache_read_tokens", "20000"),
            ("cache_write_tokens", "100"),
            ("duration_ms", "3210.0"),
            ("reported_cost", "0.01"),
            ("reported_cost_kind", "sdk"),
            ("user_id", "u"),
            ("session_id", "s"),
            ("response_model", "claude-sonnet-4-20250514"),
        ],
    );
    let prompt = by("com.anthropic.claude_code", "1.0.60")
        .record(json!({"event.name": "user_prompt", "session.id": "s"}));
    check(&prompt, &[("record_role", "other"), ("session_id", "s")]);
}

// Gemini CLI documentation, “Observability”: `gemini_cli.api_response`.
#[test]
fn gemini_cli_tells_thoughts_in_its_log_alone() {
    let row = by("gemini-cli", "v1").record(json!({
        "event.name": "gemini_cli.api_response", "model": "gemini-2.5-pro", "duration_ms": 900,
        "input_token_count": 1000, "output_token_count": 20, "cached_content_token_count": 600,
        "thoughts_token_count": 300, "total_token_count": 1320, "prompt_id": "p",
    }));
    check(
        &row,
        &[
            ("record_role", "call"),
            ("provider", "gcp.gen_ai"),
            ("input_tokens", "1000"),
            ("input_uncached_tokens", "400"),
            ("output_tokens", "320"),
            ("reasoning_tokens", "300"),
        ],
    );
}

// OpenInference semantic conventions: `metadata` is a JSON string of the application's own.
#[test]
fn metadata_names_owners() {
    let case = Case {
        resource: Some(json!({"team": "platform", "service.name": "api"})),
        ..by("openinference.instrumentation.openai", "0.1.30")
    };
    let row = case.span(json!({
        "openinference.span.kind": "LLM", "llm.provider": "aws", "llm.model_name": "claude",
        "llm.invocation_parameters": "{\"model\": \"claude\", \"stream\": true}",
        "metadata": "{\"user_id\": \"u\", \"thread_id\": \"t\", \"feature\": \"f\"}",
        "output.value": "{\"id\": \"chatcmpl-9\", \"choices\": []}",
    }));
    check(
        &row,
        &[
            ("user_id", "u"),
            ("session_id", "t"),
            ("feature", "f"),
            ("team", "platform"),
            ("provider", "aws.bedrock"),
            ("request_model", "claude"),
            ("response_model", "-"),
            ("streaming", "true"),
            ("response_id", "chatcmpl-9"),
            (
                "column_sources",
                "operation=openinference.span.kind provider=llm.provider \
          request_model=llm.invocation_parameters→model model=llm.model_name \
          streaming=llm.invocation_parameters→stream team=resource:team \
          user_id=metadata→user_id session_id=metadata→thread_id feature=metadata→feature",
            ),
        ],
    );
}

#[test]
fn names_of_the_users_own_go_first() {
    let owner = OwnerSettings {
        team: vec!["acme.team".into(), "acme.squad".into()],
        user: vec!["acme.user".into()],
        ..OwnerSettings::default()
    };
    let case = Case {
        owner,
        resource: Some(json!({"acme.team": "of-resource"})),
        ..by("langfuse-sdk", "5.0.0")
    };
    let row = case.span(json!({
        "team": "default", "acme.squad": "own", "acme.user": "me", "user.id": "other",
        "langfuse.observation.type": "tool",
    }));
    check(
        &row,
        &[
            ("team", "own"),
            ("user_id", "me"),
            (
                "column_sources",
                "operation=langfuse.observation.type team=acme.squad user_id=acme.user",
            ),
        ],
    );
    let row = case.span(json!({"langfuse.observation.type": "tool"}));
    check(
        &row,
        &[
            ("team", "of-resource"),
            ("column_sources", "operation=langfuse.observation.type team=resource:acme.team"),
        ],
    );
}

#[test]
fn the_exception_of_a_failed_call_is_its_error() {
    let exception = Event {
        name: "exception".to_owned(),
        time_unix_nano: START,
        attributes: attributes(&json!({"exception.type": "openai.RateLimitError"})),
        ..Event::default()
    };
    let case = Case {
        events: vec![exception],
        failed: true,
        ..by("openinference.instrumentation.openai", "0.1.30")
    };
    let row = case.span(json!({"openinference.span.kind": "LLM"}));
    check(&row, &[("error_type", "RateLimitError"), ("span_role", "call"), ("usage_basis", "-")]);
}

// A user's own name for the environment beats OpenTelemetry's, which then stays an attribute.
#[test]
fn the_environment_is_an_owner_too() {
    let environment = vec!["acme.stage".into()];
    let case = Case {
        owner: OwnerSettings { environment, ..OwnerSettings::default() },
        resource: Some(json!({"acme.stage": "blue", "deployment.environment.name": "prod"})),
        ..by("my.app", "")
    };
    let row = case.span(json!({"k": "v"}));
    check(&row, &[("environment", "blue"), ("column_sources", "environment=resource:acme.stage")]);
    assert!(row["resource_attributes"].as_ref().unwrap().contains("prod"));
    let near = case.span(json!({"acme.stage": "green"}));
    check(&near, &[("environment", "green")]);
}
