//! Tokens: which count holds which, and what is a guess.

use serde_json::json;
use spanledger_schemas::usage_marks::{CACHED_UNTOLD, PERHAPS_ESTIMATED};

use super::{by, check};
use crate::buffer::tests::Row;

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

// LiteLLM 1.79 with callback `arize_phoenix`: OpenInference's names under its own scope.
#[test]
fn litellm_speaks_openinference_to_some() {
    let row = by("litellm", "").span(json!({
        "openinference.span.kind": "LLM", "llm.provider": "openai", "llm.model_name": "gpt-4o",
        "llm.response.id": "chatcmpl-k5", "llm.response.model": "gpt-4o-2024-08-06",
        "llm.is_streaming": "False", "llm.token_count.total": 5401,
        "llm.token_count.completion": 713, "llm.token_count.prompt": 4688,
    }));
    check(
        &row,
        &[
            ("dialect", "litellm"),
            ("span_role", "call"),
            ("provider", "openai"),
            ("response_id", "chatcmpl-k5"),
            ("response_model", "gpt-4o-2024-08-06"),
            ("input_tokens", "4688"),
            ("output_tokens", "713"),
        ],
    );
}

// VoltAgent 2.3: `llm:generateText`, and the sum of an agent's under names of no namespace.
#[test]
fn voltagent_names_its_model_as_nobody_else() {
    let row = by("@voltagent/core", "1.0.0").span(json!({
        "span.type": "llm", "llm.model": "gpt-4o-mini", "llm.usage.prompt_tokens": 218,
        "llm.usage.completion_tokens": 554, "llm.usage.total_tokens": 772,
    }));
    check(
        &row,
        &[
            ("span_role", "call"),
            ("request_model", "gpt-4o-mini"),
            ("input_tokens", "218"),
            ("output_tokens", "554"),
        ],
    );
    let agent = by("@voltagent/core", "1.0.0").span(json!({
        "ai.model.name": "gpt-4o-mini", "usage.prompt_tokens": 218, "usage.completion_tokens": 554,
    }));
    check(&agent, &[("span_role", "other"), ("input_tokens", "-")]);
}

// AI SDK 6.0 on `generateText` tells `promptTokens` alone, which contains cached tokens now, and
// `completionTokens`, which contains thoughts: 1996 + 1885 = 3881, 140 + 257 = 397. Version 5 told
// 1996 and 140 under the same names. What the provider said stands in `providerMetadata`.
#[test]
fn what_the_provider_counted_tells_what_vercel_made_of_it() {
    let anthropic = r#"{"anthropic":{"usage":{"input_tokens":1996,"output_tokens":611,
        "cache_creation_input_tokens":1885,"cache_read_input_tokens":0}}}"#;
    let google = r#"{"google":{"usageMetadata":{"cachedContentTokenCount":1700,
        "thoughtsTokenCount":257,"promptTokenCount":3574,"candidatesTokenCount":140,
        "totalTokenCount":3971}}}"#;
    let said = |provider: &str, model: &str, metadata: &str, input: i64, output: i64| {
        by("ai", "").span(json!({
            "ai.operationId": "ai.generateText.doGenerate", "ai.model.provider": provider,
            "ai.model.id": model, "ai.usage.promptTokens": input,
            "ai.usage.completionTokens": output, "ai.response.providerMetadata": metadata,
        }))
    };
    for input in [3881, 1996] {
        let row = said("anthropic.messages", "claude-sonnet-4-5", anthropic, input, 611);
        check(&row, &[("input_tokens", "3881"), ("input_uncached_tokens", "1996")]);
    }
    for output in [397, 140] {
        let row = said("google.generative-ai", "gemini-2.5-flash", google, 3574, output);
        check(&row, &[("output_tokens", "397"), ("reasoning_tokens", "257")]);
        check(&row, &[("input_tokens", "3574"), ("cache_read_tokens", "1700")]);
    }
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
