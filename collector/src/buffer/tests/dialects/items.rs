//! What an item is: its role, its times, its error, and log events that tell of calls.

use opentelemetry_proto::tonic::trace::v1::span::Event;
use serde_json::json;

use super::{Case, START, attributes, by, check};

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

// Claude Code 1.0.102 without a key asks for its small model all the same: no request is sent.
#[test]
fn an_error_before_a_request_is_no_call() {
    let failed = |error: &str| {
        by("com.anthropic.claude_code.events", "1.0.102").record(json!({
            "event.name": "api_error", "model": "claude-3-5-haiku-20241022", "error": error,
            "status_code": "undefined", "duration_ms": "24", "attempt": "1",
        }))
    };
    let refused = "Could not resolve authentication method. Expected either apiKey or authToken";
    check(&failed(refused), &[("record_role", "other")]);
    check(&failed("terminated"), &[("record_role", "call")]);
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

// semantic_kernel/utils/telemetry/model_diagnostics: operations `chat.completions`,
// `chat.streaming_completions`, `text.completions`.
#[test]
fn failed_calls_of_semantic_kernel_are_calls() {
    let said = |operation: &str| {
        let scope = "semantic_kernel.utils.telemetry.model_diagnostics.decorators";
        Case { failed: true, ..by(scope, "") }.span(json!({
            "gen_ai.operation.name": operation, "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-4o", "error.type": "RateLimitError",
        }))
    };
    check(&said("chat.completions"), &[("span_role", "call"), ("streaming", "-")]);
    let streamed = said("chat.streaming_completions");
    check(&streamed, &[("span_role", "call"), ("operation", "chat"), ("streaming", "true")]);
    check(&said("text.completions"), &[("operation", "text_completion"), ("span_role", "call")]);
}

// codex-rs/otel: `duration_ms` of `codex.sse_event` is the wait for that event; that of
// `codex.api_request` is the request's.
#[test]
fn events_of_codex_tell_how_long_a_request_took_and_that_it_failed() {
    let codex = || by("codex_otel.log_only", "");
    let end = codex().record(json!({
        "event.name": "codex.sse_event", "event.kind": "response.completed", "duration_ms": "0",
        "model": "gpt-5-mini", "input_token_count": "9422", "output_token_count": "405",
    }));
    check(&end, &[("record_role", "call"), ("duration_ms", "-"), ("input_tokens", "9422")]);
    let request = |status: &str| {
        codex().record(json!({
            "event.name": "codex.api_request", "duration_ms": "55", "model": "gpt-5-mini",
            "attempt": "0", "http.response.status_code": status,
        }))
    };
    check(&request("200"), &[("record_role", "other"), ("error_type", "-")]);
    let failed = request("429");
    check(&failed, &[("record_role", "call"), ("error_type", "429"), ("duration_ms", "55.0")]);
}

// Codex 0.169: usage is on `handle_responses`, of 0.5 to 2.5 ms, inside a request of 109 and 209.
#[test]
fn span_of_codex_that_tells_usage_is_not_as_long_as_the_call() {
    let part = by("codex_exec", "").span(json!({
        "gen_ai.usage.input_tokens": 9422, "gen_ai.usage.output_tokens": 405,
    }));
    check(&part, &[("span_role", "call"), ("covers_call", "false")]);
    let turn = by("codex_exec", "").span(json!({
        "model": "gpt-5-mini", "codex.turn.token_usage.input_tokens": 9422,
    }));
    check(&turn, &[("span_role", "rollup"), ("covers_call", "-")]);
}

// OpenLIT 1.45 told of 16 of 18 streams a first token before the server had sent its first byte.
#[test]
fn openlits_time_to_first_token_is_not_believed() {
    let row = by("openlit.instrumentation.openai", "").span(json!({
        "gen_ai.operation.name": "chat", "gen_ai.request.model": "m",
        "gen_ai.request.stream": true, "gen_ai.server.time_to_first_token": 0.0075,
    }));
    check(&row, &[("ttft_ms", "-"), ("streaming", "true")]);
}

// openinference-instrumentation-openai-agents: the parameters are the response without its output,
// so that the model there is the dated one.
#[test]
fn parameters_that_are_the_answer_tell_no_requested_model() {
    let said = |parameters: &str, model: &str| {
        by("openinference.instrumentation.openai_agents", "1.3.0").span(json!({
            "openinference.span.kind": "LLM", "llm.model_name": model,
            "llm.invocation_parameters": parameters,
        }))
    };
    let answer = r#"{"id": "resp_1", "created_at": 1.0, "model": "gpt-4.1-2025-04-14"}"#;
    check(
        &said(answer, "gpt-4.1-2025-04-14"),
        &[
            ("request_model", "-"),
            ("response_model", "gpt-4.1-2025-04-14"),
            ("response_id", "resp_1"),
        ],
    );
    check(&said(r#"{"model": "gpt-4.1"}"#, "gpt-4.1"), &[("request_model", "gpt-4.1")]);
}

// Logfire 4.20: the span of a stream ends when the stream begins, 85 ms into 290.
#[test]
fn span_of_a_stream_that_was_not_followed_is_not_as_long_as_the_call() {
    let stream = |scope: &str, usage: bool| {
        let mut said = json!({
            "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o",
            "gen_ai.request.stream": true,
        });
        if usage {
            said["gen_ai.usage.input_tokens"] = 9.into();
            said["gen_ai.usage.output_tokens"] = 8.into();
        }
        by(scope, "4.20.0").span(said)
    };
    check(&stream("logfire.openai", true), &[("covers_call", "false")]);
    check(&stream("my.app", true), &[("covers_call", "-")]);
    check(&stream("my.app", false), &[("covers_call", "false")]);
}

// Spring AI 1.1 asks, calls the tool and asks again; the second span tells the usage of both.
#[test]
fn call_of_spring_with_tools_tells_a_running_sum() {
    let asked = |reason: &str, tools: bool| {
        let mut said = json!({
            "gen_ai.operation.name": "chat", "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": "7879",
            "gen_ai.usage.output_tokens": "788", "gen_ai.response.finish_reasons": format!("[\"{reason}\"]"),
        });
        if tools {
            said["spring.ai.model.request.tool.names"] = "[\"get_weather\"]".into();
        }
        said
    };
    let spring = by("org.springframework.boot", "3.5.7");
    check(&spring.span(asked("TOOL_CALLS", true)), &[("running_sum", "goes-on")]);
    check(&spring.span(asked("tool_use", true)), &[("running_sum", "goes-on")]);
    let last = [("running_sum", "ends"), ("input_tokens", "7879")];
    check(&spring.span(asked("STOP", true)), &last);
    check(&spring.span(asked("STOP", false)), &[("running_sum", "-")]);
    check(&by("my.app", "1").span(asked("STOP", true)), &[("running_sum", "-")]);
    // A tool between two calls says it whatever the first one's reason was.
    let of_kind = |kind: &str| {
        spring.span(json!({
            "gen_ai.operation.name": "framework", "gen_ai.system": "spring_ai",
            "spring.ai.kind": kind, "spring.ai.tool.definition.name": "get_weather",
        }))
    };
    let tool = [
        ("span_role", "other"),
        ("operation", "execute_tool"),
        ("running_sum", "goes-on"),
        ("tool_name", "get_weather"),
    ];
    check(&of_kind("tool_call"), &tool);
    check(&of_kind("advisor"), &[("span_role", "other"), ("operation", "-"), ("running_sum", "-")]);
}

// Version 0.21.5 of OpenLLMetry's google-generativeai tells one call as the root of two traces.
#[test]
fn message_to_a_chat_of_googles_client_is_no_second_call() {
    let said = |name: &'static str, role: &str| {
        let row =
            Case { name, ..by("opentelemetry.instrumentation.google_generativeai", "0.21.5") }
                .span(json!({
                    "gen_ai.system": "Gemini", "llm.request.type": "completion",
                    "gen_ai.request.model": "unknown", "gen_ai.usage.completion_tokens": 190,
                    "gen_ai.usage.prompt_tokens": 1425,
                }));
        check(&row, &[("span_role", role), ("input_tokens", "1425")]);
    };
    said("gemini.generate_content", "call");
    said("gemini.send_message", "rollup");
}

// Logfire 4.0: neither an operation nor usage, and “Message with {request_data[model]!r}”.
#[test]
fn what_a_client_asks_of_a_model_is_a_call_without_usage_too() {
    let asked = |name: &'static str, scope: &'static str| {
        let said = json!({
            "request_data": r#"{"messages": [], "model": "claude-sonnet-4-5", "stream": true}"#,
        });
        Case { name, ..by(scope, "4.0.0") }.span(said)
    };
    check(
        &asked("Message with {request_data[model]!r}", "logfire.anthropic"),
        &[
            ("span_role", "call"),
            ("provider", "anthropic"),
            ("request_model", "claude-sonnet-4-5"),
            ("streaming", "true"),
            ("covers_call", "false"),
            ("usage_basis", "-"),
        ],
    );
    check(
        &asked("OpenAI API call to {url!r}", "logfire.openai"),
        &[("span_role", "other"), ("covers_call", "-")],
    );
    check(&asked("handle request", "logfire"), &[("span_role", "other")]);
}

// Logfire writes a log in the shape of a span when a stream is over, with its length in seconds.
#[test]
fn end_of_a_stream_tells_how_long_it_took() {
    let said = |seconds: f64| {
        json!({
            "request_data": r#"{"model": "gpt-4o", "stream": true}"#, "duration": seconds,
            "response_data": r#"{"usage": {"prompt_tokens": 9, "completion_tokens": 8}}"#,
        })
    };
    let end = Case { instant: true, ..by("logfire.openai", "4.20.0") };
    check(&end.span(said(0.205)), &[("span_role", "call"), ("stream_ns", "205000000")]);
    check(&end.span(said(-1.0)), &[("stream_ns", "-")]);
    check(&by("logfire.openai", "4.20.0").span(said(0.205)), &[("stream_ns", "-")]);
    check(&Case { instant: true, ..by("my.app", "1") }.span(said(0.205)), &[("stream_ns", "-")]);
}

// llama-index 0.14: a span of kind LLM around the making of a request, without one.
#[test]
fn making_of_a_request_is_no_call() {
    let said = || json!({ "openinference.span.kind": "LLM", "llm.model_name": "gpt-4o" });
    let scope = "openinference.instrumentation.llama_index";
    check(&by(scope, "4.3.4").span(said()), &[("span_role", "call")]);
    let making = Case { name: "OpenAI._prepare_chat_with_tools", ..by(scope, "4.3.4") };
    check(&making.span(said()), &[("span_role", "other")]);
    // Haystack builds prompts in components of their own.
    let building = Case { name: "ChatPromptBuilder.run", ..by("", "") };
    let said = json!({ "openinference.span.kind": "LLM" });
    check(&building.span(said), &[("span_role", "other")]);
}
