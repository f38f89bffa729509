//! Streams that a library counts otherwise than the provider bills, read off real exports beside
//! what was billed.

use serde_json::json;

use super::{by, check};

const LANGCHAIN_JS: &str = "@arizeai/openinference-instrumentation-langchain";

/// LangChain's answer, as OpenInference writes it, read whole or by chunks.
fn answer(class: &str) -> String {
    json!({"generations": [[{"text": "\"AIMessageChunk\" is what it says", "message": {
        "lc": 1, "id": ["langchain_core", "messages", class],
    }}]]})
    .to_string()
}

// @langchain/google-genai 2.3.2: 2255 of 2925 tokens were read from the cache; each of five chunks
// repeats that.
#[test]
fn langchain_for_node_adds_up_what_the_chunks_of_a_stream_repeat() {
    let said = |class: &str, cached: i64| {
        by(LANGCHAIN_JS, "4.1.1").span(json!({
            "openinference.span.kind": "LLM", "llm.model_name": "gemini-2.5-flash",
            "metadata": r#"{"ls_provider":"google_genai"}"#, "output.value": answer(class),
            "llm.token_count.prompt": 2925, "llm.token_count.completion": 44,
            "llm.token_count.total": 2969, "llm.token_count.prompt_details.cache_read": cached,
        }))
    };
    for cached in [11_275, 2_255] {
        let row = said("AIMessageChunk", cached);
        check(&row, &[("streaming", "true"), ("usage_basis", "estimated"), ("input_tokens", "-")]);
    }
    let row = said("AIMessage", 2_255);
    check(&row, &[("streaming", "false"), ("input_tokens", "2925"), ("cache_read_tokens", "2255")]);
    // Whoever tells it: the API counts cached tokens inside input, and the total has no room for more.
    let row = by("my.app", "").span(json!({
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "gcp.gemini",
        "gen_ai.request.model": "gemini-2.5-flash", "gen_ai.usage.input_tokens": 2925,
        "gen_ai.usage.output_tokens": 44, "gen_ai.usage.total_tokens": 2969,
        "gen_ai.usage.cache_read.input_tokens": 11_275,
    }));
    check(&row, &[("usage_basis", "unknown"), ("input_tokens", "-"), ("output_tokens", "44")]);
}

// @langchain/anthropic 1.5.11: 22 were billed; the first event of the stream said 1.
#[test]
fn langchain_for_node_adds_the_first_count_of_claudes_stream() {
    let said = |class: &str| {
        by(LANGCHAIN_JS, "4.1.1").span(json!({
            "openinference.span.kind": "LLM", "llm.model_name": "claude-sonnet-4-5",
            "llm.invocation_parameters": r#"{"model":"claude-sonnet-4-5","stream":false}"#,
            "metadata": r#"{"ls_provider":"anthropic"}"#, "output.value": answer(class),
            "llm.token_count.prompt": 64, "llm.token_count.completion": 23,
            "llm.token_count.total": 87,
        }))
    };
    check(&said("AIMessageChunk"), &[("streaming", "true"), ("output_tokens", "-")]);
    check(&said("AIMessage"), &[("streaming", "false"), ("output_tokens", "23")]);
}

// Claude Code 1.0.24 logged 25246 written where 12623 were billed, and 34 out where 32 were. Its
// spans, which came later, have a version of their own.
#[test]
fn claude_code_of_old_adds_up_the_events_of_a_stream() {
    let said = json!({
        "event.name": "claude_code.api_request", "model": "claude-sonnet-4-5-20250929", "input_tokens": "22",
        "output_tokens": "34", "cache_read_tokens": "0", "cache_creation_tokens": "25246",
    });
    let scope = "com.anthropic.claude_code.events";
    let old = by(scope, "1.0.24").record(said.clone());
    check(&old, &[("usage_basis", "estimated"), ("input_tokens", "-"), ("output_tokens", "-")]);
    let new = by(scope, "1.0.110").record(said);
    // 22 + 25246
    check(
        &new,
        &[("usage_basis", "exclusive"), ("input_tokens", "25268"), ("output_tokens", "34")],
    );
    let span = by("com.anthropic.claude_code.tracing", "1.0.0").span(json!({
        "span.type": "llm_request", "model": "claude-haiku-4-5", "input_tokens": 241,
        "output_tokens": 172, "cache_read_tokens": 0, "cache_creation_tokens": 0,
    }));
    check(&span, &[("input_tokens", "241"), ("output_tokens", "172")]);
}

// agentops 0.4.21 wrote 2 where 52 were billed.
#[test]
fn agentops_tells_the_first_count_of_a_stream() {
    let said = |streaming: bool| {
        by("anthropic", "2.14.0").span(json!({
            "gen_ai.request.type": "chat", "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.request.streaming": streaming, "gen_ai.usage.prompt_tokens": 34,
            "gen_ai.usage.completion_tokens": 2, "gen_ai.usage.total_tokens": 36,
        }))
    };
    check(&said(true), &[("input_uncached_tokens", "34"), ("output_tokens", "-")]);
    check(&said(false), &[("input_uncached_tokens", "34"), ("output_tokens", "2")]);
}

// openinference-instrumentation-bedrock 0.1.22 wrote 86 of 3744 tokens, and of a stream all 1878.
#[test]
fn openinference_bedrock_of_old_tells_no_cached_tokens() {
    let said = |version: &str| {
        by("openinference.instrumentation.bedrock", version).span(json!({
            "openinference.span.kind": "LLM", "llm.token_count.prompt": 86,
            "llm.model_name": "anthropic.claude-3-5-sonnet-20241022-v2:0",
            "llm.token_count.completion": 27,
        }))
    };
    check(&said("0.1.22"), &[("input_tokens", "-"), ("input_uncached_tokens", "86")]);
    check(&said("0.1.28"), &[("input_tokens", "86"), ("output_tokens", "27")]);
}

// opentelemetry-instrumentation-google-generativeai 0.21.5 wrote 10 of a stream's 60 tokens and more.
#[test]
fn openllmetry_of_googles_older_client_tells_a_first_chunk() {
    let said = |model: &str| {
        let row = by("opentelemetry.instrumentation.google_generativeai", "0.21.5").span(json!({
            "gen_ai.system": "Gemini", "gen_ai.request.model": model,
            "gen_ai.usage.prompt_tokens": 38, "gen_ai.usage.completion_tokens": 10,
            "llm.usage.total_tokens": 48, "llm.request.type": "completion",
        }));
        row["usage_reason"].clone().unwrap_or_default()
    };
    assert!(said("models/gemini-2.5-flash").contains("[perhaps-estimated]"));
    assert!(!said("gemini-2.5-flash").contains("[perhaps-estimated]"));
}

// langsmith 0.12 for node told 55 where 54 were billed of a stream.
#[test]
fn langsmith_for_node_adds_the_first_count_of_claudes_stream() {
    let said = |class: &str| {
        let usage = json!({"input_tokens": 72, "output_tokens": 55, "total_tokens": 127,
            "input_token_details": {"cache_read": 0, "cache_creation": 0}});
        by("langsmith", "0.12.0").span(json!({
            "gen_ai.operation.name": "chat", "langsmith.span.kind": "llm",
            "langsmith.metadata.ls_provider": "anthropic", "gen_ai.request.model": "claude-sonnet-4-5",
            "langsmith.metadata.usage_metadata": usage.to_string(), "gen_ai.completion": answer(class),
        }))
    };
    check(&said("AIMessageChunk"), &[("input_tokens", "72"), ("output_tokens", "-")]);
    check(&said("AIMessage"), &[("input_tokens", "72"), ("output_tokens", "55")]);
}

// @traceloop/instrumentation-langchain 0.27 told 53 where 52 were billed, and does not say of which.
#[test]
fn openllmetry_for_node_does_not_say_what_langchain_streamed() {
    let row = by("@traceloop/instrumentation-langchain", "0.27.0").span(json!({
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-sonnet-4-5", "gen_ai.usage.input_tokens": 50,
        "gen_ai.usage.output_tokens": 53, "gen_ai.usage.total_tokens": 103,
    }));
    assert!(row["usage_reason"].as_deref().unwrap().contains("[perhaps-estimated]"));
}

// opentelemetry-instrumentation-bedrock 0.33.12 wrote 3 where 27 were billed.
#[test]
fn openllmetry_bedrock_of_old_does_not_say_what_was_streamed() {
    let row = by("opentelemetry.instrumentation.bedrock", "0.33.12").span(json!({
        "gen_ai.system": "anthropic", "gen_ai.request.model": "claude-3-5-sonnet-20241022-v2:0",
        "gen_ai.usage.prompt_tokens": 84, "gen_ai.usage.completion_tokens": 3,
        "llm.usage.total_tokens": 87, "llm.request.type": "chat",
    }));
    assert!(row["usage_reason"].as_deref().unwrap().contains("[perhaps-estimated]"));
}
