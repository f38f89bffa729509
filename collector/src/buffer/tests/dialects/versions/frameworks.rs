//! Frameworks and agents that tell of themselves.

use serde_json::{Value, json};
use spanledger_schemas::usage_marks::CACHED_UNTOLD;

use super::{by, chat, check, marked, with};

// Google ADK 1.22.1 of a stream that was left: 93 and 2376 of what was billed.
#[test]
fn a_part_of_an_answer_of_adk_is_not_all_of_it() {
    let said = |partial: bool| {
        let answer = json!({
            "partial": partial, "usage_metadata": {
                "candidates_token_count": 93, "prompt_token_count": 2326,
                "thoughts_token_count": 2376, "total_token_count": 4795,
            },
        });
        by("gcp.vertex.agent", "1.22.1").span(json!({
            "gen_ai.system": "gcp.vertex.agent", "gen_ai.request.model": "gemini-2.5-flash",
            "gcp.vertex.agent.llm_response": answer.to_string(),
        }))
    };
    check(&said(true), &[("input_tokens", "2326"), ("output_tokens", "-")]);
    check(&said(false), &[("output_tokens", "2469")]);
}

// pydantic-ai 0.2.16 of Gemini: 184 and 31 thoughts were billed as 215; 3317 of 3874 were cached.
#[test]
fn pydantic_ai_of_old_tells_geminis_thoughts_beside_output() {
    let said = with(
        chat("google-gla", "gemini-2.5-flash", 3874, 184),
        json!({
            "gen_ai.usage.details.thoughts_tokens": 31,
            "gen_ai.usage.details.cached_content_tokens": 3317,
        }),
    );
    let row = by("pydantic-ai", "0.2.16").span(said);
    check(&row, &[("output_tokens", "215"), ("output_text_tokens", "184")]);
    check(&row, &[("input_tokens", "3874"), ("input_uncached_tokens", "557")]);
}

// Qwen Code 0.10.1, by OpenAI's protocol: 42 of 125 are thoughts, 3203 of 4152 were cached.
#[test]
fn qwen_code_tells_of_calls_by_log_events() {
    let row = by("qwen-code", "").record(json!({
        "event.name": "qwen-code.api_response", "session.id": "s", "model": "gpt-4.1-mini",
        "response_id": "chatcmpl-1", "status_code": 200, "duration_ms": 1820,
        "input_token_count": 4152, "output_token_count": 125, "cached_content_token_count": 3203,
        "thoughts_token_count": 42, "total_token_count": 4277, "auth_type": "openai",
        "response_text": "[{\"candidates\":[]}]",
    }));
    check(
        &row,
        &[("dialect", "qwen-code"), ("record_role", "call"), ("response_id", "chatcmpl-1")],
    );
    check(&row, &[("input_tokens", "4152"), ("input_uncached_tokens", "949")]);
    check(&row, &[("output_tokens", "125"), ("output_text_tokens", "83")]);
    assert!(!row["log_attributes"].as_deref().unwrap_or_default().contains("candidates"));
    // Of Claude it adds the cached tokens or does not, as they are more or less than the input.
    let row = by("qwen-code", "").record(json!({
        "event.name": "qwen-code.api_response", "model": "claude-sonnet-4-5", "input_token_count": 2000,
        "output_token_count": 5, "cached_content_token_count": 1000, "auth_type": "anthropic",
    }));
    check(&row, &[("usage_basis", "unknown"), ("input_tokens", "-"), ("output_tokens", "5")]);
}

// Pipecat 1.8.1 of Claude: 1218 for 609; 0.0.81 of Gemini: 985 for 197.
#[test]
fn pipecat_adds_up_the_events_of_streams() {
    let said = |name: &str, provider: &str| {
        by("pipecat", "").span(json!({
            "gen_ai.operation.name": "chat", name: provider, "gen_ai.request.model": "m",
            "gen_ai.usage.input_tokens": 1218, "gen_ai.usage.output_tokens": 40,
        }))
    };
    let estimated = [("usage_basis", "estimated"), ("input_tokens", "-")];
    check(&said("gen_ai.provider.name", "anthropic"), &estimated);
    check(&said("gen_ai.system", "gcp.gemini"), &estimated);
    check(&said("gen_ai.provider.name", "gcp.gemini"), &[("input_tokens", "1218")]);
}

// Mirascope 2.5.0: details in an object of its own, thoughts missing in streams, a model with its API.
#[test]
fn mirascope_tells_details_in_an_object() {
    let said = |model: &str, usage: Value| {
        by("mirascope.llm", "2.5.0").span(json!({
            "gen_ai.operation.name": "chat", "gen_ai.request.model": model,
            "gen_ai.usage.input_tokens": usage["input_tokens"],
            "gen_ai.usage.output_tokens": usage["output_tokens"],
            "mirascope.response.usage": usage.to_string(),
        }))
    };
    let row = said(
        "openai/gpt-5-mini:responses",
        json!({
            "input_tokens": 2089, "output_tokens": 49, "cache_read_tokens": 1747,
            "cache_write_tokens": 0, "reasoning_tokens": 12, "total_tokens": 2138,
        }),
    );
    check(&row, &[("request_model", "gpt-5-mini"), ("provider", "openai")]);
    check(&row, &[("input_uncached_tokens", "342"), ("reasoning_tokens", "12")]);
    let row = said(
        "google/gemini-2.5-flash",
        json!({ "input_tokens": 20, "output_tokens": 275, "reasoning_tokens": 0, "total_tokens": 295 }),
    );
    assert!(row["usage_reason"].as_deref().unwrap().contains("[perhaps-estimated]"));
}

// Google's ADK for Java 1.4.0 shows the answer: 3138 of 3872 were read, thoughts stand beside.
#[test]
fn adk_for_java_shows_geminis_usage() {
    let answer = json!({ "finishReason": "STOP", "usageMetadata": {
        "promptTokenCount": 3872, "candidatesTokenCount": 195, "thoughtsTokenCount": 60,
        "cachedContentTokenCount": 3138, "totalTokenCount": 4127,
    } });
    let row = by("gcp.vertex.agent", "").span(json!({
        "gen_ai.operation.name": "call_llm", "gen_ai.system": "gcp.vertex.agent",
        "gen_ai.request.model": "gemini-2.5-flash", "gen_ai.usage.input_tokens": 3872,
        "gen_ai.usage.output_tokens": 195, "gcp.vertex.agent.llm_response": answer.to_string(),
    }));
    check(&row, &[("input_uncached_tokens", "734"), ("output_tokens", "255")]);
}

// Genkit for Go 1.4.0 with Anthropic's plugin: 487 of 3073.
#[test]
fn genkit_passes_on_anthropics_counts() {
    let row = by("genkit-tracer", "v1").span(json!({
        "genkit:type": "action", "genkit:name": "anthropic/claude-sonnet-4-5",
        "genkit:metadata:subtype": "model",
        "genkit:output": json!({ "usage": { "inputTokens": 487, "outputTokens": 258 } }).to_string(),
    }));
    check(&row, &[("provider", "anthropic"), ("input_tokens", "-")]);
    check(&row, &[("input_uncached_tokens", "487"), ("output_tokens", "258")]);
}

// Strands 1.23 of `llama3.2`: 349 were read and 25 written.
#[test]
fn a_bare_name_of_a_family_is_ollamas() {
    let said = |model: &str| {
        by("strands.telemetry.tracer", "").span(json!({
            "gen_ai.operation.name": "chat", "gen_ai.system": "strands-agents",
            "gen_ai.request.model": model, "gen_ai.usage.input_tokens": 25,
            "gen_ai.usage.output_tokens": 349,
        }))
    };
    check(&said("llama3.2"), &[("usage_basis", "estimated")]);
    check(&said("mistral-large-latest"), &[("output_tokens", "349")]);
}

// Strands for node 1.7.0 names the service where the provider belongs.
#[test]
fn the_name_of_its_scope_is_no_provider() {
    let row = by("support-api", "").span(chat("support-api", "gpt-4o", 100, 16));
    check(&row, &[("provider", "-"), ("input_tokens", "100")]);
    // LiveKit's agents name the address of a gateway.
    let row = by("livekit-agents", "").span(chat("127.0.0.1:9702", "gpt-4o", 100, 16));
    check(&row, &[("provider", "-"), ("input_tokens", "100")]);
}

// pydantic-ai 1.58.0 of Groq: 948 of 5510 were uncached, 2.0.0 584 of 4452 read, and nothing is told.
#[test]
fn pydantic_ai_tells_no_cached_tokens_of_groq_before_2_6() {
    for (version, untold) in [("1.58.0", true), ("2.0.0", true), ("2.6.0", false)] {
        let row =
            by("pydantic-ai", version).span(chat("groq", "llama-3.3-70b-versatile", 5510, 20));
        assert_eq!(marked(&row, CACHED_UNTOLD), untold, "{version}");
    }
}

// The extractors of genai-prices 0.0.48 and 0.0.62, which pydantic-ai 1 and 2.0 ask for at least.
#[test]
fn pydantic_ai_tells_the_cached_tokens_that_genai_prices_knows() {
    for (provider, version, untold) in [
        ("mistral", "2.0.0", true),
        ("mistral", "2.6.0", false),
        ("openrouter", "1.58.0", true),
        ("openrouter", "2.0.0", false),
    ] {
        let row = by("pydantic-ai", version).span(chat(provider, "mistral-large", 5510, 20));
        assert_eq!(marked(&row, CACHED_UNTOLD), untold, "{provider} {version}");
    }
}

// Copilot CLI 1.0.64 of Claude: 6 for 389, its own count of the thoughts that are shown.
#[test]
fn copilot_guesses_the_reasoning_of_claude() {
    let said = |model: &str| {
        let reasoning = json!({ "gen_ai.usage.reasoning.output_tokens": 6 });
        by("github.copilot", "").span(with(chat("anthropic", model, 3869, 526), reasoning))
    };
    let row = said("claude-sonnet-4-5");
    check(
        &row,
        &[("output_tokens", "526"), ("reasoning_tokens", "-"), ("output_text_tokens", "-")],
    );
}

// LiveKit's agents 1.3.5: 291 for 290 of every stream of Claude, whose provider is not named.
#[test]
fn livekit_adds_the_first_count_of_claudes_streams() {
    let row = by("livekit-agents", "").span(json!({
        "gen_ai.request.model": "claude-sonnet-4-5", "gen_ai.usage.input_tokens": 409,
        "gen_ai.usage.output_tokens": 291,
    }));
    check(&row, &[("output_tokens", "-"), ("input_tokens", "409")]);
}

// OpenInference's listener of CrewAI 1.10.1 and 1.15.30, which is not told: 129937 input tokens and 17012 read
// and 2427 written beside them; 4901 beside 141748 and 2422; 94321 + 12308 + 1755 as one.
#[test]
fn crewais_input_of_claude_is_clear_only_below_its_cached_tokens() {
    let said = |input: i64, read: Option<i64>| {
        let mut said = json!({
            "openinference.span.kind": "LLM", "llm.model_name": "claude-sonnet-4-20250514",
            "llm.token_count.prompt": input, "llm.token_count.completion": 300,
        });
        if let Some(read) = read {
            said["llm.token_count.prompt_details.cache_read"] = read.into();
        }
        by("openinference.instrumentation.crewai._event_listener", "1.1.21").span(said)
    };
    for (input, read) in [(129_937, 17_012), (108_384, 12_308)] {
        let row = said(input, Some(read));
        check(&row, &[("input_tokens", "-"), ("input_uncached_tokens", "-")]);
    }
    let row = said(4_901, Some(141_748));
    check(&row, &[("input_uncached_tokens", "4901"), ("cache_read_tokens", "141748")]);
    assert!(marked(&row, CACHED_UNTOLD));
    assert!(marked(&said(500, None), CACHED_UNTOLD));
}

// ADK for Java 1.0.0 hands on no usage of Claude.
#[test]
fn call_of_an_agent_kit_without_usage_is_a_call() {
    let row = by("gcp.vertex.agent", "").span(json!({
        "gen_ai.operation.name": "call_llm", "gen_ai.system": "gcp.vertex.agent",
        "gen_ai.request.model": "claude-sonnet-4-5",
    }));
    check(&row, &[("span_role", "call"), ("input_tokens", "-"), ("usage_basis", "-")]);
}
