//! Counts that frameworks and clients pass on otherwise than the provider bills, read off real
//! exports beside what was billed.

use serde_json::json;

use super::{by, check};

// strands-agents 1.5.0 of Claude: 89 of 1694 tokens, the rest read from the cache; 1.12 says of the same
// that none was. 1.62 adds and tells them.
#[test]
fn strands_does_not_always_tell_the_cached_tokens_of_claude() {
    let said = |input: i64, cached: Option<(&str, i64)>| {
        let mut attributes = json!({
            "gen_ai.operation.name": "chat", "gen_ai.system": "strands-agents",
            "gen_ai.request.model": "claude-sonnet-4-5", "gen_ai.usage.input_tokens": input,
            "gen_ai.usage.output_tokens": 55,
        });
        if let Some((name, cached)) = cached {
            attributes[name] = cached.into();
        }
        by("strands.telemetry.tracer", "").span(attributes)
    };
    for untold in [None, Some(("gen_ai.usage.cache_read_input_tokens", 0))] {
        let row = said(89, untold);
        check(&row, &[("input_tokens", "-"), ("input_uncached_tokens", "89")]);
        check(&row, &[("cache_read_tokens", "-"), ("output_tokens", "55")]);
    }
    let row = said(1694, Some(("gen_ai.usage.cache_read.input_tokens", 1605)));
    check(&row, &[("input_tokens", "1694"), ("input_uncached_tokens", "89")]);
}

// strands-agents 0.2 to 1.20 told 43 in and 143 out where 143 and 43 were counted.
#[test]
fn strands_takes_ollamas_counts_one_for_the_other() {
    let said = |model: &str| {
        by("strands.telemetry.tracer", "").span(json!({
            "gen_ai.operation.name": "chat", "gen_ai.request.model": model,
            "gen_ai.usage.input_tokens": 43, "gen_ai.usage.output_tokens": 143,
        }))
    };
    check(&said("llama3.1:8b"), &[("usage_basis", "estimated"), ("input_tokens", "-")]);
    check(&said("us.meta.llama3-1-8b-instruct-v1:0"), &[("input_tokens", "43")]);
}

// pydantic-ai 0.4.5 of Bedrock: 85 of 4765 tokens; what 1.33 and later tell is added.
#[test]
fn pydantic_ai_of_old_tells_no_cached_tokens_of_bedrock() {
    let said = |version: &str| {
        by("pydantic-ai", version).span(json!({
            "gen_ai.operation.name": "chat", "gen_ai.system": "bedrock",
            "gen_ai.request.model": "us.anthropic.claude-sonnet-4-20250514-v1:0",
            "gen_ai.usage.input_tokens": 85, "gen_ai.usage.output_tokens": 20,
        }))
    };
    for old in ["0.4.5", "1.4.0", "1.30.0"] {
        check(&said(old), &[("input_tokens", "-"), ("input_uncached_tokens", "85")]);
    }
    check(&said("1.44.0"), &[("input_tokens", "85")]);
}

// google.golang.org/adk 1.5: 722 were billed as output, 663 of them thoughts. Its scope says 1.2.0.
#[test]
fn thoughts_are_inside_the_output_of_adk_for_go() {
    let row = by("gcp.vertex.agent", "1.2.0").span(json!({
        "gen_ai.operation.name": "generate_content", "gen_ai.request.model": "gemini-2.5-flash",
        "gen_ai.usage.input_tokens": 1323, "gen_ai.usage.cache_read.input_tokens": 1141,
        "gen_ai.usage.output_tokens": 722, "gen_ai.usage.reasoning.output_tokens": 663,
    }));
    check(&row, &[("input_tokens", "1323"), ("input_uncached_tokens", "182")]);
    check(&row, &[("output_tokens", "722"), ("reasoning_tokens", "663")]);
}

// google-adk for Java 1.8: 131 of Claude's 4692 tokens; of Gemini 1509 of 1632 cached, and no thoughts.
// Python's 1.5 names no operation, and its output is the total.
#[test]
fn adk_for_java_is_told_from_the_python_of_old() {
    let said = |operation: Option<&str>, model: &str, input: i64| {
        let mut attributes = json!({
            "gen_ai.system": "gcp.vertex.agent", "gen_ai.request.model": model,
            "gen_ai.usage.input_tokens": input, "gen_ai.usage.output_tokens": 12,
        });
        if let Some(operation) = operation {
            attributes["gen_ai.operation.name"] = operation.into();
        }
        by("gcp.vertex.agent", "").span(attributes)
    };
    let claude = said(Some("call_llm"), "claude-sonnet-4-5", 131);
    check(&claude, &[("input_tokens", "-"), ("input_uncached_tokens", "131")]);
    check(&claude, &[("output_tokens", "12")]);
    let gemini = said(Some("call_llm"), "gemini-2.5-flash", 1632);
    check(&gemini, &[("input_tokens", "1632"), ("output_tokens", "12")]);
    check(&said(None, "gemini-2.5-flash", 1632), &[("output_tokens", "-")]);
}

// langchain-cohere told 352 in and 117 out where 126 and 115 were billed.
#[test]
fn langchain_tells_other_tokens_of_cohere_than_are_billed() {
    let row = by("openinference.instrumentation.langchain", "0.1.75").span(json!({
        "openinference.span.kind": "LLM", "llm.provider": "cohere", "llm.model_name": "command-r-plus",
        "llm.token_count.prompt": 352, "llm.token_count.completion": 117,
        "llm.token_count.total": 469,
    }));
    check(&row, &[("usage_basis", "estimated"), ("input_tokens", "-"), ("output_tokens", "-")]);
}

// opentelemetry openai-v2 2.0b0 told 41 where xAI billed 207, 166 of them for reasoning.
#[test]
fn output_of_grok_is_a_lower_bound() {
    let row = by("opentelemetry.instrumentation.openai_v2", "2.0b0").span(json!({
        "gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "grok-4",
        "gen_ai.usage.input_tokens": 36, "gen_ai.usage.output_tokens": 41,
    }));
    check(&row, &[("input_tokens", "36"), ("output_tokens", "-"), ("output_text_tokens", "41")]);
}

// @opentelemetry/instrumentation-aws-sdk 0.79 told 3 where 41 were billed; of ConverseStream it tells all.
#[test]
fn opentelemetrys_aws_sdk_tells_the_first_count_of_an_invoked_stream() {
    let said = |method: &str| {
        by("@opentelemetry/instrumentation-aws-sdk", "0.79.0").span(json!({
            "gen_ai.system": "aws.bedrock", "rpc.method": method,
            "gen_ai.request.model": "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "gen_ai.usage.input_tokens": 16, "gen_ai.usage.output_tokens": 3,
        }))
    };
    let first = said("InvokeModelWithResponseStream");
    check(
        &first,
        &[("streaming", "true"), ("input_uncached_tokens", "16"), ("output_tokens", "-")],
    );
    check(&said("ConverseStream"), &[("streaming", "true"), ("output_tokens", "3")]);
    check(&said("InvokeModel"), &[("input_tokens", "-"), ("output_tokens", "3")]);
}

// OpenTelemetry's Java agent 2.33 told 5 in and 28 out where Cohere's model took 10 and gave 45.
#[test]
fn javas_agent_counts_the_characters_of_some_models() {
    let said = |method: &str, model: &str| {
        by("io.opentelemetry.aws-sdk-2.2", "2.33.1-alpha").span(json!({
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "aws.bedrock",
            "gen_ai.request.model": model, "rpc.method": method,
            "gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 28,
        }))
    };
    let invoked = said("InvokeModel", "cohere.command-r-v1:0");
    check(&invoked, &[("usage_basis", "estimated"), ("output_tokens", "-")]);
    let conversed = said("Converse", "cohere.command-r-v1:0");
    check(&conversed, &[("input_uncached_tokens", "5"), ("output_tokens", "28")]);
}

// opentelemetry-instrumentation-llamaindex 0.62.4 tells no usage of what its Bedrock model was asked.
#[test]
fn model_that_llamaindex_asked_is_a_call_and_its_other_workflows_are_none() {
    let said =
        |attributes| by("opentelemetry.instrumentation.llamaindex", "0.62.4").span(attributes);
    let asked = said(json!({
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "bedrock_converse_llm",
        "gen_ai.request.model": "anthropic.claude-3-5-sonnet-20240620-v1:0",
        "traceloop.span.kind": "workflow", "traceloop.entity.name": "BedrockConverse.workflow",
    }));
    check(&asked, &[("span_role", "call"), ("provider", "aws.bedrock"), ("input_tokens", "-")]);
    let other = said(json!({
        "traceloop.span.kind": "workflow", "traceloop.entity.name": "VectorIndexRetriever.workflow",
    }));
    check(&other, &[("span_role", "other")]);
}

// Haystack 2.8 with its content traced, in the application's own scope: the output of each component
// holds the usage as the provider's client told it. Claude: 185 beside 2041 written and 4989 read.
#[test]
fn haystacks_components_tell_usage_in_their_output() {
    let ran = |class: &str, output: serde_json::Value| {
        by("my_app", "").span(json!({
            "haystack.component.name": "llm", "haystack.component.type": class,
            "haystack.component.visits": 1, "haystack.component.output": output.to_string(),
        }))
    };
    let reply = |model: &str, usage: serde_json::Value| {
        let meta = json!({ "model": model, "index": 0, "finish_reason": "stop", "usage": usage });
        json!({ "replies": [{ "content": "Paris.", "role": "assistant", "meta": meta }] })
    };
    let row = ran(
        "OpenAIChatGenerator",
        reply(
            "gpt-4o-2024-08-06",
            json!({
                "completion_tokens": 764, "prompt_tokens": 422, "total_tokens": 1186,
                "completion_tokens_details": { "reasoning_tokens": 602 },
                "prompt_tokens_details": { "cached_tokens": 0 },
            }),
        ),
    );
    check(&row, &[("dialect", "haystack"), ("span_role", "call"), ("operation", "chat")]);
    check(&row, &[("provider", "openai"), ("response_model", "gpt-4o-2024-08-06")]);
    check(&row, &[("input_tokens", "422"), ("output_tokens", "764"), ("reasoning_tokens", "602")]);
    check(&row, &[("finish_reason", "stop"), ("cache_read_tokens", "0")]);
    let row = ran(
        "AnthropicChatGenerator",
        reply(
            "claude-sonnet-4-5-20250929",
            json!({
                "cache_creation_input_tokens": 2041, "cache_read_input_tokens": 4989,
                "prompt_tokens": 185, "completion_tokens": 143,
            }),
        ),
    );
    check(&row, &[("input_tokens", "7215"), ("input_uncached_tokens", "185")]);
    // anthropic-haystack 8 adds them: where they do not show it, nothing tells which it was.
    let row = ran(
        "AnthropicChatGenerator",
        reply(
            "claude-sonnet-4-5-20250929",
            json!({
                "cache_creation_input_tokens": 0, "cache_read_input_tokens": 40,
                "prompt_tokens": 185, "completion_tokens": 143,
            }),
        ),
    );
    check(&row, &[("usage_basis", "unknown"), ("input_tokens", "-"), ("output_tokens", "143")]);
    // A generator of text tells it beside, an embedder too.
    let meta =
        json!({ "model": "gpt-4o", "usage": { "prompt_tokens": 12, "completion_tokens": 3 } });
    let row = ran("OpenAIGenerator", json!({ "replies": ["Paris."], "meta": [meta] }));
    check(&row, &[("operation", "text_completion"), ("input_tokens", "12")]);
    let meta = json!({ "model": "text-embedding-ada-002", "usage": { "prompt_tokens": 9 } });
    let row = ran("OpenAITextEmbedder", json!({ "embedding": [0.1], "meta": meta }));
    check(&row, &[("operation", "embeddings"), ("input_uncached_tokens", "9")]);
    // Without its content a call all the same; what asks no model is none.
    let untold = by("my_app", "").span(json!({ "haystack.component.type": "CohereChatGenerator" }));
    check(&untold, &[("span_role", "call"), ("provider", "cohere"), ("usage_basis", "-")]);
    for class in ["PromptBuilder", "SentenceTransformersTextEmbedder", "Agent"] {
        check(&ran(class, json!({})), &[("span_role", "other"), ("dialect", "haystack")]);
    }
}

// Mastra 1.15 (observability 1.5): a loop of two requests is one generation, whose steps hold what
// the provider answered. Claude's cached tokens it may add a second time.
#[test]
fn mastras_steps_show_the_answers_of_its_requests() {
    let said = |kind: &str, operation: &str, more: serde_json::Value| {
        let mut said = json!({ "gen_ai.operation.name": operation, "mastra.span.type": kind });
        said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        by("@mastra/otel-exporter", "unknown").span(said)
    };
    let answer = json!({
        "id": "resp_1", "model": "gpt-5-mini-2025-08-07", "usage": {
            "input_tokens": 2089, "input_tokens_details": { "cached_tokens": 1747 },
            "output_tokens": 49, "output_tokens_details": { "reasoning_tokens": 0 },
            "total_tokens": 2138,
        },
    });
    let asked = r#"{"modelId":"gpt-5-mini","modelProvider":"openai.responses"}"#;
    let row = said(
        "model_step",
        "model_step",
        json!({
            "mastra.metadata.body": answer.to_string(), "mastra.metadata.modelMetadata": asked,
        }),
    );
    check(&row, &[("span_role", "call"), ("provider", "openai"), ("request_model", "gpt-5-mini")]);
    check(&row, &[("response_id", "resp_1"), ("response_model", "gpt-5-mini-2025-08-07")]);
    check(&row, &[("input_tokens", "2089"), ("input_uncached_tokens", "342")]);
    // 6422 were billed, 169 of them uncached.
    let row = said(
        "model_generation",
        "chat",
        json!({
            "gen_ai.request.model": "claude-sonnet-4-5", "gen_ai.usage.input_tokens": 12675,
            "gen_ai.usage.output_tokens": 254, "gen_ai.usage.cache_read.input_tokens": 2340,
            "gen_ai.usage.cache_creation.input_tokens": 3913,
        }),
    );
    check(&row, &[("usage_basis", "unknown"), ("input_tokens", "-"), ("output_tokens", "254")]);
    let answer = json!({ "usage": {
        "input_tokens": 169, "cache_read_input_tokens": 2340, "cache_creation_input_tokens": 3913,
        "output_tokens": 254,
    } });
    let asked = r#"{"modelId":"claude-sonnet-4-5","modelProvider":"anthropic.messages"}"#;
    let row = said(
        "model_step",
        "model_step",
        json!({
            "mastra.metadata.body": answer.to_string(), "mastra.metadata.modelMetadata": asked,
        }),
    );
    check(&row, &[("provider", "anthropic"), ("input_tokens", "6422")]);
    check(&said("model_chunk", "model_chunk", json!({})), &[("span_role", "other")]);
}

// AG2 1.1.2 tells each call twice: by a span of it, and by one without a length beside.
#[test]
fn ag2s_note_of_usage_is_no_call() {
    let said = |more: serde_json::Value| {
        let mut said = json!({
            "gen_ai.provider.name": "openai", "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.usage.input_tokens": 334, "gen_ai.usage.output_tokens": 117,
        });
        said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        by("opentelemetry.instrumentation.ag2", "1.1.2").span(said)
    };
    check(&said(json!({ "gen_ai.operation.name": "chat" })), &[("span_role", "call")]);
    let note = json!({ "ag2.span.type": "usage", "ag2.usage.kind": "model_call" });
    check(&said(note), &[("span_role", "other")]);
}
