//! What of an item is content, and so in no column of `spans` or `log_records`.

use opentelemetry_proto::tonic::trace::v1::span::Event;
use serde_json::{Value, json};

use super::{Case, START, attributes, by};
use crate::buffer::ContentRules;
use crate::buffer::tests::{Row, rows_of};
use crate::frame::Signal;

const SAID: &str = "my mail is alice@example.com";

/// Checks that nothing of what was said is in the row, and that each of the facts is.
fn check(row: &Row, facts: &[&str]) {
    let stored = format!("{row:?}");
    assert!(!stored.contains("alice"), "{stored}");
    for fact in facts {
        assert!(stored.contains(fact), "{fact} is not in {stored}");
    }
    assert!(row["content_bytes"].is_some(), "{stored}");
}

fn span(scope: &str, said: Value, facts: &[&str]) {
    check(&by(scope, "").span(said), facts);
}

// The names are those that the libraries' sources write.
#[test]
fn payloads_of_frameworks_stay_out_of_spans() {
    let messages = json!([{"role": "user", "content": SAID}]).to_string();
    span(
        "gcp.vertex.agent",
        json!({
            "gen_ai.system": "gcp.vertex.agent", "gcp.vertex.agent.llm_request": messages,
            "gcp.vertex.agent.llm_response": messages, "gcp.vertex.agent.tool_call_args": SAID,
            "gcp.vertex.agent.tool_response": SAID, "gcp.vertex.agent.data": SAID,
            "gcp.vertex.agent.invocation_id": "e-1",
        }),
        &["e-1"],
    );
    span(
        "pydantic-ai",
        json!({
            "gen_ai.request.model": "gpt-4o", "events": messages, "all_messages_events": messages,
            "final_result": SAID, "model_name": "gpt-4o-name",
        }),
        &["gpt-4o-name"],
    );
    span(
        "openinference.instrumentation.beeai",
        json!({
            "openinference.span.kind": "LLM", "history": messages, "thought": SAID,
            "llm.tools": messages, "target": "tool.search.success",
            "llm.prompts.0.prompt.text": SAID,
        }),
        &["tool.search.success"],
    );
    span(
        "crewai.telemetry",
        json!({
            "crew_agents": messages, "crew_tasks": messages, "crew_inputs": messages,
            "crewai.task.description": SAID, "task_output": SAID, "crew_id": "7aaad2cf",
        }),
        &["7aaad2cf"],
    );
    span(
        "@mastra/otel-exporter",
        json!({
            "mastra.span.type": "agent_run", "mastra.agent_run.input": SAID,
            "mastra.agent_run.output": SAID, "mastra.metadata.run": "r-1",
        }),
        &["agent_run", "r-1"],
    );
    span(
        "opentelemetry.instrumentation.mcp",
        json!({
            "traceloop.span.kind": "tool", "mcp.request.argument": SAID, "mcp.response.value": SAID,
            "mcp.method.name": "tools/call",
        }),
        &["tools/call"],
    );
    span(
        "haystack",
        json!({
            "haystack.component.input": SAID, "haystack.component.output": SAID,
            "haystack.component.type": "OpenAIGenerator",
        }),
        &["OpenAIGenerator"],
    );
    span(
        "copilot-chat",
        json!({"gen_ai.operation.name": "chat", "copilot_chat.user_request": SAID}),
        &["chat"],
    );
}

// litellm/integrations/opentelemetry.py: `llm.{custom_llm_provider}.{param}` of each parameter.
#[test]
fn parameters_that_litellm_repeats_stay_out_whoever_serves() {
    for provider in ["openai", "mistral", "vertex_ai", "hosted_vllm", "None"] {
        let messages = json!([{"role": "user", "content": SAID}]).to_string();
        let mut said = json!({});
        for parameter in [
            "messages",
            "choices",
            "contents",
            "input",
            "instructions",
            "output",
            "tools",
            "prompt",
            "system",
        ] {
            said[format!("llm.{provider}.{parameter}")] = json!(messages);
        }
        said[format!("llm.{provider}.max_tokens")] = json!("77");
        span("litellm", said, &["77"]);
    }
}

// strands/telemetry/tracer.py: `tool.result` on the event `gen_ai.choice`.
#[test]
fn results_of_tools_on_an_event_stay_out() {
    let events = vec![Event {
        name: "gen_ai.choice".to_owned(),
        time_unix_nano: START,
        attributes: attributes(&json!({
            "message": SAID, "tool.result": format!("[{{'text': '{SAID}'}}]"),
            "finish_reason": "end_turn",
        })),
        ..Event::default()
    }];
    let case = Case { events, ..by("strands.telemetry.tracer", "") };
    check(&case.span(json!({"gen_ai.operation.name": "chat"})), &["end_turn"]);
}

#[test]
fn payloads_of_a_library_that_was_never_met_stay_out() {
    let said = json!({
        "gen_ai.request.model": "m", "acme.user_prompt": SAID, "acme.toolArgs": SAID,
        "acme.turns": json!([{"role": "user", "parts": [{"text": SAID}]}]).to_string(),
        "acme.trace": format!("{SAID} {}", "and so on ".repeat(200)), "acme.kind": "planner",
        "acme.score": 0.5,
    });
    span("acme.agents", said.clone(), &["planner", "0.5"]);
    check(&by("acme.agents", "").record(said.clone()), &["planner", "0.5"]);
    // What is of no AI is the application's own.
    let row = by("acme.web", "").span(json!({"acme.user_prompt": SAID}));
    assert!(format!("{row:?}").contains("alice"));
    assert_eq!(row["content_bytes"], None);
}

// Codex writes `codex.user_prompt` in no span. The trace is the one that `calls` has for records of
// the session: XXH3 of its name, 128 bits (by Python's `xxhash`).
#[test]
fn what_was_said_in_no_span_is_kept_by_session() {
    let rules = || ContentRules { capture: true, ..ContentRules::default() };
    let kept = |said: Value| {
        let body = by("codex_exec", "").logs(said);
        let again = rows_of(Signal::Logs, body.clone(), "contents", rules());
        let rows = rows_of(Signal::Logs, body, "contents", rules());
        assert_eq!(rows, again);
        let [row] = <[Row; 1]>::try_from(rows).unwrap();
        row
    };
    let mut said = json!({ "event.name": "codex.user_prompt", "prompt": SAID });
    let alone = kept(said.clone());
    said["conversation.id"] = "s-1".into();
    let row = kept(said);
    assert_eq!(row["body"].as_deref(), Some(SAID));
    assert_eq!(row["field"].as_deref(), Some("prompt"));
    assert_eq!(row["trace_id"].as_deref(), Some("83e7aecf49b0c8236c0a94fc1286f81b"));
    assert_eq!(alone["body"].as_deref(), Some(SAID));
    assert_ne!(alone["trace_id"], row["trace_id"]);
}
