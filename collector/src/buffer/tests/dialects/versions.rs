//! Counts that differ between versions of one library, or of what it instruments. The numbers are of
//! captures of versions drawn at random, beside what was billed.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::span::Event;
use serde_json::{Value, json};

use super::{Case, by, check};

/// A call with OpenTelemetry's names.
fn chat(provider: &str, model: &str, input: i64, output: i64) -> Value {
    json!({
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": provider,
        "gen_ai.request.model": model, "gen_ai.usage.input_tokens": input,
        "gen_ai.usage.output_tokens": output,
    })
}

fn with(mut attributes: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("{more}") };
    attributes.as_object_mut().unwrap().extend(more);
    attributes
}

// LangChain through opentelemetry-instrumentation-genai-langchain 1.0b0: 385 of 6498 were uncached, and
// nothing is told of a cache. The one of Anthropic's client tells both, be they nothing.
#[test]
fn opentelemetrys_langchain_does_not_tell_what_was_written_to_a_cache() {
    let claude = chat("anthropic", "claude-sonnet-4-5", 6498, 20);
    let read = json!({ "gen_ai.usage.cache_read.input_tokens": 5000 });
    let both = json!({
        "gen_ai.usage.cache_read.input_tokens": 5000,
        "gen_ai.usage.cache_creation.input_tokens": 1113,
    });
    let langchain = by("opentelemetry.util.genai.handler", "1.0b0");
    let newer = by("opentelemetry.instrumentation.genai.langchain", "1.2b0");
    for row in [langchain.span(claude.clone()), newer.span(with(claude.clone(), read))] {
        check(&row, &[("input_tokens", "6498"), ("usage_basis", "inclusive")]);
        assert!(row["usage_reason"].as_deref().unwrap().contains("[cached-untold]"));
    }
    for scope in
        ["opentelemetry.util.genai.handler", "opentelemetry.instrumentation.genai.anthropic"]
    {
        let row = by(scope, "1.2b0").span(with(claude.clone(), both.clone()));
        check(&row, &[("input_tokens", "6498"), ("input_uncached_tokens", "385")]);
    }
}

// opentelemetry-instrumentation-genai-bedrock 1.3b0, Converse: 700 beside 600 that were read.
#[test]
fn opentelemetrys_bedrock_passes_on_exclusive_counts() {
    let said = chat("aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", 700, 30);
    let said = with(said, json!({ "gen_ai.usage.cache_read.input_tokens": 600 }));
    let row = by("opentelemetry.instrumentation.genai.bedrock", "1.3b0").span(said);
    check(&row, &[("input_tokens", "1300"), ("input_uncached_tokens", "700")]);
}

// openinference-litellm 0.1.28 of a call of Gemini with 845 tokens, none of them cached.
#[test]
fn tokens_of_text_are_no_cached_ones() {
    let said = |version: &str| {
        by("openinference.instrumentation.litellm", version).span(json!({
            "openinference.span.kind": "LLM", "llm.model_name": "gemini/gemini-2.5-flash",
            "llm.token_count.prompt": 845, "llm.token_count.completion": 20,
            "llm.token_count.total": 865, "llm.token_count.prompt_details.cache_input": 845,
        }))
    };
    let row = said("0.1.28");
    check(&row, &[("input_tokens", "845"), ("cache_read_tokens", "-")]);
    check(&row, &[("input_uncached_tokens", "845")]);
    check(&said("0.1.45"), &[("cache_read_tokens", "845")]);
}

// langsmith 0.3.42, `wrap_anthropic`: 647 of 9568. LangChain's own runs add up.
#[test]
fn langsmith_loses_the_cached_tokens_of_anthropics_client() {
    let said = |method: Option<&str>| {
        let mut said = json!({
            "langsmith.span.kind": "llm", "langsmith.metadata.ls_provider": "anthropic",
            "gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.usage.input_tokens": 647, "gen_ai.usage.output_tokens": 20,
            "gen_ai.usage.total_tokens": 667,
        });
        if let Some(method) = method {
            said["langsmith.metadata.ls_method"] = method.into();
        }
        by("langsmith", "").span(said)
    };
    check(&said(Some("traceable")), &[("input_tokens", "-"), ("input_uncached_tokens", "647")]);
    check(&said(None), &[("input_tokens", "647")]);
}

// OpenTelemetry google-genai 1.2b0, a stream in which tools were called: input of the second answer
// beside cached tokens of the first.
#[test]
fn cached_tokens_of_gemini_above_its_input_are_those_of_another_answer() {
    let said = with(
        chat("gcp.gemini", "gemini-2.5-flash", 450, 20),
        json!({ "gen_ai.usage.cache_read.input_tokens": 2054 }),
    );
    let row = by("opentelemetry.instrumentation.google_genai", "1.2b0").span(said);
    check(
        &row,
        &[("usage_basis", "unknown"), ("input_tokens", "-"), ("input_uncached_tokens", "-")],
    );
}

// Elastic's instrumentation 1.1.1 told 238 of 443, that of OpenTelemetry 253 of 471, 218 of them
// reasoning. grok-3 does not reason.
#[test]
fn reasoning_of_grok_stands_beside_output_whoever_passes_it_on() {
    let said = |model: &str| chat("openai", model, 36, 253);
    let elastic = by("opentelemetry.instrumentation.openai", "1.1.1");
    check(&elastic.span(said("grok-4")), &[("output_tokens", "-"), ("output_text_tokens", "253")]);
    check(&elastic.span(said("grok-3")), &[("output_tokens", "253")]);
    let told = with(said("grok-4"), json!({ "gen_ai.usage.reasoning.output_tokens": 218 }));
    let row = by("opentelemetry.instrumentation.genai.openai", "1.2b0").span(told);
    check(&row, &[("output_tokens", "471"), ("output_text_tokens", "253")]);
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

// opentelemetry-instrumentation-botocore 0.60b1 takes a token for six characters: 9 and 8.
#[test]
fn botocore_guesses_what_some_models_do_not_tell() {
    let said = |method: &str, model: &str| {
        let said = with(chat("aws.bedrock", model, 9, 8), json!({ "rpc.method": method }));
        by("opentelemetry.instrumentation.botocore.bedrock-runtime", "0.60b1").span(said)
    };
    let guess = said("InvokeModel", "cohere.command-r-v1:0");
    check(&guess, &[("usage_basis", "estimated"), ("output_tokens", "-")]);
    check(&said("Converse", "cohere.command-r-v1:0"), &[("output_tokens", "8")]);
}

// @ai-sdk/xai 1.2 repeats in its metadata what xAI answered: 253 and 218 were billed as 471. 2.0.59 adds.
#[test]
fn vercel_of_old_tells_groks_reasoning_beside_output() {
    let said = |more: Value| {
        let said = json!({
            "ai.operationId": "ai.generateText.doGenerate", "ai.model.provider": "xai.chat",
            "ai.model.id": "grok-4", "ai.usage.promptTokens": 36, "ai.usage.completionTokens": 253,
        });
        by("ai", "").span(with(said, more))
    };
    let metadata = "{\"xai\":{\"reasoningTokens\":218,\"cachedPromptTokens\":4}}";
    let row = said(json!({ "ai.response.providerMetadata": metadata }));
    check(&row, &[("output_tokens", "471"), ("input_uncached_tokens", "32")]);
    check(&said(json!({})), &[("output_tokens", "-"), ("output_text_tokens", "-")]);
    let row = said(json!({ "ai.usage.reasoningTokens": 218 }));
    check(&row, &[("output_tokens", "253"), ("output_text_tokens", "35")]);
}

// litellm 1.100 on a stream that was cut: 11 and 10 for 528 and 540.
#[test]
fn litellm_counts_by_itself_what_came_of_a_broken_stream() {
    let said = json!({
        "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 11, "gen_ai.usage.output_tokens": 10,
    });
    let row = Case { failed: true, ..by("litellm", "") }.span(said);
    check(&row, &[("usage_basis", "estimated"), ("input_tokens", "-"), ("output_tokens", "-")]);
}

// Of any library: an error, no reason why the answer ended, and one token of 189.
#[test]
fn output_of_an_answer_that_broke_off_is_what_had_come() {
    let said = chat("anthropic", "claude-sonnet-4-5", 50, 1);
    let broke = Case { failed: true, ..by("pydantic-ai", "1.6.0") };
    check(&broke.span(said.clone()), &[("input_tokens", "50"), ("output_tokens", "-")]);
    let ended = with(said.clone(), json!({ "gen_ai.response.finish_reasons": "end_turn" }));
    check(&broke.span(ended), &[("output_tokens", "1")]);
    // What else is not told stays said.
    let untold = by("opentelemetry.instrumentation.openai_v2", "2.3b0");
    let row = Case { failed: true, ..untold }.span(chat("openai", "gpt-4o", 2000, 5));
    check(&row, &[("input_uncached_tokens", "2000"), ("output_tokens", "-")]);
    assert!(row["usage_reason"].as_deref().unwrap().contains("[cached-untold]"));
}

// langchain-aws 0.2.9: 342 of 845 tokens of Claude. Who served is told by the class alone before 0.43.
#[test]
fn langchain_passes_on_bedrocks_exclusive_counts() {
    let said = json!({
        "traceloop.span.kind": "llm", "llm.request.type": "chat", "gen_ai.request.model": "unknown",
        "gen_ai.usage.prompt_tokens": 342, "gen_ai.usage.completion_tokens": 20,
        "llm.usage.total_tokens": 362,
    });
    let scope = "opentelemetry.instrumentation.langchain";
    let row = Case { name: "ChatBedrockConverse.chat", ..by(scope, "0.34.0") }.span(said.clone());
    check(&row, &[("provider", "aws.bedrock"), ("input_tokens", "-"), ("request_model", "-")]);
    check(&row, &[("input_uncached_tokens", "342"), ("output_tokens", "20")]);
    // Cohere's are the model's tokens, not those that are billed.
    let row = Case { name: "ChatCohere.chat", ..by(scope, "0.34.0") }.span(said);
    check(&row, &[("provider", "cohere"), ("usage_basis", "estimated")]);
    let row = by("openinference.instrumentation.langchain", "0.1.71").span(json!({
        "openinference.span.kind": "LLM", "llm.provider": "aws.bedrock",
        "llm.model_name": "anthropic.claude-3-5-sonnet-20240620-v1:0",
        "llm.token_count.prompt": 612, "llm.token_count.completion": 20,
        "llm.token_count.total": 632,
    }));
    check(&row, &[("input_tokens", "-"), ("input_uncached_tokens", "612")]);
}

// langchain-google-genai 2.0 told 266 of 856; since 2.1.4 the thoughts are inside.
#[test]
fn langchain_may_leave_out_geminis_thoughts() {
    let said = |more: Value| {
        let said = json!({
            "traceloop.span.kind": "llm", "llm.request.type": "chat",
            "gen_ai.request.model": "models/gemini-2.5-flash", "gen_ai.usage.prompt_tokens": 20,
            "gen_ai.usage.completion_tokens": 266, "llm.usage.total_tokens": 286,
        });
        by("opentelemetry.instrumentation.langchain", "0.44.2").span(with(said, more))
    };
    check(&said(json!({})), &[("output_tokens", "-"), ("output_text_tokens", "-")]);
    let told = said(json!({ "gen_ai.usage.reasoning_tokens": 200 }));
    check(&told, &[("output_tokens", "266"), ("output_text_tokens", "66")]);
}

// openllmetry 0.44.2 over LangChain of December 2024: 1862 of 2064 were cached, and zero is told.
#[test]
fn zero_cached_tokens_of_langchain_may_be_what_was_not_told() {
    let said = |version: &str, cached: i64| {
        by("opentelemetry.instrumentation.langchain", version).span(json!({
            "traceloop.span.kind": "llm", "llm.request.type": "chat",
            "traceloop.association.properties.ls_provider": "groq",
            "gen_ai.request.model": "llama-3.3-70b-versatile", "gen_ai.usage.prompt_tokens": 2064,
            "gen_ai.usage.completion_tokens": 26, "gen_ai.usage.cache_read_input_tokens": cached,
        }))
    };
    let zero = said("0.44.2", 0);
    check(&zero, &[("input_tokens", "2064"), ("cache_read_tokens", "-")]);
    assert!(zero["usage_reason"].as_deref().unwrap().contains("[cached-untold]"));
    check(&said("0.44.2", 1862), &[("input_uncached_tokens", "202")]);
    check(&said("0.62.4", 0), &[("cache_read_tokens", "0"), ("input_uncached_tokens", "2064")]);
}

// VoyageAI through openllmetry 0.51.1, of which no rule is known.
#[test]
fn no_input_of_an_embedding_is_cached() {
    let row = by("opentelemetry.instrumentation.voyageai", "0.51.1").span(json!({
        "gen_ai.operation.name": "embeddings", "gen_ai.system": "voyageai",
        "gen_ai.request.model": "voyage-3", "gen_ai.usage.input_tokens": 362,
    }));
    check(&row, &[("input_tokens", "362"), ("input_uncached_tokens", "362")]);
}

// OpenLIT 1.43, a stream of Google AI Studio: the span is of 1 ms, and the first token came after 385,
// which is not its time to the first token where it is told so.
#[test]
fn no_answer_begins_after_its_end() {
    let said = |seconds: f64| {
        let said = with(
            chat("gcp.gemini", "gemini-2.5-flash", 20, 5),
            json!({ "gen_ai.response.time_to_first_chunk": seconds }),
        );
        by("opentelemetry.instrumentation.google_genai", "1.3b0").span(said)
    };
    check(&said(2.5), &[("covers_call", "false"), ("ttft_ms", "2500.0")]);
    check(&said(1.5), &[("covers_call", "-")]);
    let openlit = with(
        chat("gemini", "gemini-2.5-flash", 20, 5),
        json!({ "gen_ai.server.time_to_first_token": 2.5 }),
    );
    let row = by("openlit.instrumentation.google_ai_studio", "").span(openlit);
    check(&row, &[("covers_call", "false"), ("ttft_ms", "-")]);
}

// Vercel's SDK 3 and 4 with @ai-sdk/amazon-bedrock before 2: 511 of 5380.
#[test]
fn vercel_of_old_tells_no_cached_tokens_of_bedrock() {
    let row = by("ai", "").span(json!({
        "ai.operationId": "ai.generateText.doGenerate", "ai.model.provider": "amazon-bedrock",
        "ai.model.id": "anthropic.claude-3-5-sonnet-20240620-v1:0",
        "ai.usage.promptTokens": 511, "ai.usage.completionTokens": 20,
    }));
    check(&row, &[("input_tokens", "-"), ("input_uncached_tokens", "511")]);
}

// Vercel's SDK 5 of OpenAI's Responses: 290 of 4499, and only that nothing was written to a cache.
#[test]
fn no_writes_to_a_cache_say_nothing_of_reads() {
    let row = by("ai", "").span(json!({
        "ai.operationId": "ai.generateText.doGenerate", "ai.model.provider": "openai.responses",
        "ai.model.id": "gpt-4o", "ai.usage.inputTokens": 4499, "ai.usage.outputTokens": 20,
        "ai.response.providerMetadata": "{\"openai\":{\"usage\":{\"cacheWriteTokens\":0}}}",
    }));
    check(&row, &[("input_tokens", "4499"), ("usage_basis", "inclusive")]);
    assert!(row["usage_reason"].as_deref().unwrap().contains("[cached-untold]"));
}

// @traceloop/instrumentation-bedrock 0.22.2, a stream of Nova: the total is not a number.
#[test]
fn a_total_that_is_not_a_number_is_not_told() {
    let said = json!({
        "llm.request.type": "chat", "gen_ai.system": "AWS", "gen_ai.request.model": "amazon.nova-pro-v1:0",
        "gen_ai.usage.prompt_tokens": 671, "gen_ai.usage.completion_tokens": 196,
    });
    let mut attributes = super::attributes(&said);
    attributes.push(KeyValue {
        key: "llm.usage.total_tokens".to_owned(),
        value: Some(AnyValue { value: Some(any_value::Value::DoubleValue(f64::NAN)) }),
        ..KeyValue::default()
    });
    let row = by("@traceloop/instrumentation-bedrock", "0.22.2").span_of(attributes);
    check(&row, &[("output_tokens", "196"), ("input_uncached_tokens", "671")]);
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

// openinference-beeai (framework 0.1.83), gpt-4o: 3039 of 3629 were read from a cache.
#[test]
fn beeai_tells_cached_tokens_beside_openinferences_names() {
    let said = |prompt: i64, cached: i64| {
        by("openinference.instrumentation.beeai", "0.1.83").span(json!({
            "openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "llm.provider": "openai",
            "llm.token_count.prompt": prompt, "llm.token_count.completion": 198,
            "metadata.usage.cached_prompt_tokens": cached,
            "metadata.usage.cached_creation_tokens": 0,
        }))
    };
    let row = said(3629, 3039);
    check(&row, &[("input_tokens", "3629"), ("cache_read_tokens", "3039")]);
    check(&row, &[("input_uncached_tokens", "590")]);
    // A stream, 1499 of which were read from a cache.
    let row = said(1847, 0);
    check(&row, &[("input_tokens", "1847"), ("cache_read_tokens", "-")]);
    check(&row, &[("cache_write_tokens", "-")]);
    assert!(row["usage_reason"].as_deref().unwrap().contains("[cached-untold]"));
}

// openinference-bedrock for node 0.4.14: what it leaves out stands in the answer that it passes on.
#[test]
fn openinferences_answer_holds_what_its_counts_leave_out() {
    let scope = "@arizeai/openinference-instrumentation-bedrock";
    let usage = json!({ "usage": {
        "inputTokens": 503, "outputTokens": 30, "totalTokens": 4010,
        "cacheReadInputTokens": 2451, "cacheWriteInputTokens": 1026,
    } });
    let row = by(scope, "0.4.14").span(json!({
        "openinference.span.kind": "LLM", "llm.model_name": "anthropic.claude-sonnet-4-5-v1:0",
        "llm.provider": "aws", "llm.token_count.prompt": 503, "llm.token_count.completion": 30,
        "output.value": usage.to_string(),
    }));
    check(&row, &[("cache_read_tokens", "2451"), ("cache_write_tokens", "1026")]);
    check(&row, &[("input_uncached_tokens", "503"), ("input_tokens", "3980")]);
    let row = by(scope, "0.4.14").span(json!({
        "openinference.span.kind": "EMBEDDING", "llm.model_name": "amazon.titan-embed-text-v2:0",
        "output.value": json!({ "embedding": [0.1], "inputTextTokenCount": 362 }).to_string(),
    }));
    check(&row, &[("input_uncached_tokens", "362")]);
}

// opentelemetry-instrumentation-llamaindex 0.59.1: the class is all that tells who answered.
#[test]
fn the_class_of_llama_index_tells_the_provider() {
    let named = |name| {
        let case = Case { name, ..by("opentelemetry.instrumentation.llamaindex", "0.59.1") };
        case.span(json!({
            "traceloop.span.kind": "task", "llm.request.type": "chat",
            "gen_ai.request.model": "llama-3.3-70b-versatile", "gen_ai.usage.input_tokens": 788,
            "gen_ai.usage.output_tokens": 29, "llm.usage.total_tokens": 817,
        }))
    };
    check(&named("Groq.task"), &[("provider", "groq"), ("input_tokens", "788")]);
    check(&named("Ollama.workflow"), &[("provider", "ollama"), ("output_tokens", "29")]);
    check(&named("OpenAILike.task"), &[("provider", "-"), ("usage_basis", "unknown")]);
}

// OpenAI's agents 0.19 by LiteLLM, whose usage openinference 2.0.2 has in its answer alone: 4221 of
// 5846 were read from a cache, 679 written to it.
#[test]
fn what_claude_wrote_to_a_cache_has_no_place_in_openais_words() {
    let usage = json!([{ "usage": {
        "input_tokens": 5846, "input_tokens_details": { "cached_tokens": 4221 },
        "output_tokens": 98, "output_tokens_details": { "reasoning_tokens": 0 },
    } }]);
    let row = by("openinference.instrumentation.openai_agents", "2.0.2").span(json!({
        "openinference.span.kind": "LLM", "llm.system": "openai",
        "llm.model_name": "anthropic/claude-sonnet-4-5", "llm.token_count.prompt": 5846,
        "llm.token_count.completion": 98, "output.value": usage.to_string(),
    }));
    check(&row, &[("input_tokens", "5846"), ("cache_read_tokens", "4221")]);
    assert!(row["usage_reason"].as_deref().unwrap().contains("[cached-untold]"));
}

// mlflow 3 of boto3's invoke_model: 965 beside 4370 that were read, in the body of the answer.
#[test]
fn mlflow_shows_what_bedrock_answered() {
    let body = json!({
        "model": "claude-sonnet-4-5-20250929", "usage": {
            "input_tokens": 965, "output_tokens": 195, "cache_read_input_tokens": 4370,
            "cache_creation_input_tokens": 0,
        },
    });
    let case = Case { name: "BedrockRuntime.invoke_model", ..by("mlflow.tracing.provider", "") };
    let row = case.span(json!({
        "mlflow.spanType": "\"LLM\"",
        "mlflow.spanInputs": json!({ "modelId": "us.anthropic.claude-v1:0" }).to_string(),
        "mlflow.spanOutputs": json!({ "contentType": "application/json", "body": body }).to_string(),
        "mlflow.chat.tokenUsage":
            "{\"input_tokens\": 965, \"output_tokens\": 195, \"total_tokens\": 1160}",
    }));
    check(&row, &[("provider", "aws.bedrock"), ("request_model", "us.anthropic.claude-v1:0")]);
    check(&row, &[("input_tokens", "5335"), ("input_uncached_tokens", "965")]);
}

// AI SDK 4.1 to 7 of Cohere: 1277 and 294 where 780 and 291 were billed; what it embeds is what is billed.
#[test]
fn vercel_tells_the_tokens_of_coheres_model() {
    let said = |operation: &str| {
        by("ai", "").span(json!({
            "ai.operationId": operation, "ai.model.provider": "cohere.chat",
            "gen_ai.system": "cohere.chat", "gen_ai.request.model": "command-a-03-2025",
            "ai.usage.inputTokens": 1277, "ai.usage.outputTokens": 294, "ai.usage.tokens": 1277,
        }))
    };
    let row = said("ai.generateText.doGenerate");
    check(&row, &[("provider", "cohere"), ("usage_basis", "estimated"), ("input_tokens", "-")]);
    check(&row, &[("reported_input_tokens", "1277")]);
    check(&said("ai.embed.doEmbed"), &[("input_tokens", "1277")]);
}

// AI SDK 6 with @ai-sdk/groq: 335 of 3097 were uncached. A client that knows nothing of caches leaves
// the SDK to say that all are.
#[test]
fn all_input_is_not_uncached_where_nothing_is_told_of_a_cache() {
    let said = |cached: Option<i64>| {
        let mut said = json!({
            "ai.operationId": "ai.generateText.doGenerate", "ai.model.provider": "groq.chat",
            "gen_ai.system": "groq.chat", "gen_ai.request.model": "openai/gpt-oss-120b",
            "ai.usage.inputTokens": 3097, "ai.usage.outputTokens": 44,
            "ai.usage.inputTokenDetails.noCacheTokens": 3097, "ai.usage.totalTokens": 3141,
        });
        if let Some(cached) = cached {
            said["ai.usage.inputTokenDetails.cacheReadTokens"] = cached.into();
        }
        by("ai", "").span(said)
    };
    assert!(said(None)["usage_reason"].as_deref().unwrap().contains("[cached-untold]"));
    check(&said(Some(0)), &[("input_uncached_tokens", "3097")]);
    assert!(!said(Some(0))["usage_reason"].as_deref().unwrap().contains("[cached-untold]"));
}

// AI SDK 6.0.60 of Bedrock by OpenInference's exporter: 3937 with 2364 read and 1379 written. The one
// before passes on what Bedrock counts, beside.
#[test]
fn vercel_adds_cached_tokens_since_6() {
    let said = |operation: &str, agent: &str| {
        by("ai", "").span(json!({
            "ai.operationId": operation, "ai.model.provider": "amazon-bedrock",
            "ai.request.headers.user-agent": agent,
            "gen_ai.system": "amazon-bedrock", "ai.usage.cachedInputTokens": 2364,
            "gen_ai.request.model": "anthropic.claude-3-7-sonnet-20250219-v1:0",
            "ai.usage.inputTokens": 3937, "ai.usage.outputTokens": 108, "ai.usage.totalTokens": 4045,
            "ai.response.providerMetadata":
                json!({ "bedrock": { "usage": { "cacheWriteInputTokens": 1379 } } }).to_string(),
        }))
    };
    let asked = "ai.generateText.doGenerate";
    let row = said(asked, "ai/6.0.60 runtime/node.js/22");
    check(&row, &[("input_tokens", "3937"), ("input_uncached_tokens", "194")]);
    let row = said(asked, "ai/5.0.230");
    check(&row, &[("input_tokens", "7680"), ("input_uncached_tokens", "3937")]);
    let row = said("ai.streamText.doStream", "");
    check(&row, &[("usage_basis", "unknown"), ("input_tokens", "-"), ("output_tokens", "108")]);
}

// OpenLLMetry 0.62.3 over langchain-aws 1.7.0, Converse: 985 uncached, 4945 read, 2919 written. The client
// tells its version; one that does not may have passed on 8849 beside what was read.
#[test]
fn langchains_packages_tell_who_added_bedrocks_cached_tokens() {
    let said = |class: &str, packages: Option<&str>| {
        let case = Case { name: class, ..by("opentelemetry.instrumentation.langchain", "0.62.3") };
        let mut said = json!({
            "traceloop.span.kind": "llm", "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "aws.bedrock",
            "gen_ai.request.model": "us.anthropic.claude-3-5-sonnet-20241022-v2:0",
            "gen_ai.usage.input_tokens": 8849, "gen_ai.usage.output_tokens": 78,
            "gen_ai.usage.cache_read.input_tokens": 4945,
            "gen_ai.usage.cache_creation.input_tokens": 0,
        });
        if let Some(packages) = packages {
            said["traceloop.association.properties.lc_versions"] = packages.into();
        }
        case.span(said)
    };
    let newer = r#"{"langchain-core": "1.5.4", "langchain-aws": "1.7.0"}"#;
    let row = said("ChatBedrockConverse.chat", Some(newer));
    check(&row, &[("input_tokens", "8849"), ("cache_read_tokens", "4945")]);
    assert!(row["usage_reason"].as_deref().unwrap().contains("[cached-untold]"));
    // InvokeModel's is added since 1.9.0.
    let row = said("ChatBedrock.chat", Some("{'langchain-aws': '1.7.0'}"));
    check(&row, &[("usage_basis", "exclusive"), ("input_uncached_tokens", "8849")]);
    let row = said("ChatBedrock.chat", Some("{'langchain-aws': '1.9.1'}"));
    check(&row, &[("usage_basis", "inclusive"), ("input_tokens", "8849")]);
    let row = said("ChatBedrockConverse.chat", None);
    check(&row, &[("usage_basis", "unknown"), ("input_tokens", "-"), ("output_tokens", "78")]);
}

// openinference-google-genai 0.1.16 no longer adds what was read from the cache: 2050 of 2425.
#[test]
fn openinference_added_geminis_cached_tokens_until_0_1_15() {
    let said = |version: &str, prompt: i64| {
        by("openinference.instrumentation.google_genai", version).span(json!({
            "openinference.span.kind": "LLM", "llm.provider": "google",
            "llm.model_name": "gemini-2.0-flash", "llm.token_count.prompt": prompt,
            "llm.token_count.completion": 20,
            "llm.token_count.prompt_details.cache_read": 2050,
        }))
    };
    check(&said("0.1.16", 2425), &[("input_tokens", "2425"), ("input_uncached_tokens", "375")]);
    check(&said("0.1.15", 4475), &[("input_tokens", "2425"), ("input_uncached_tokens", "375")]);
}

// openinference-bedrock 0.1.22, a stream of InvokeModel: 557 and 6302 that were written; another call's
// count is Anthropic's.
#[test]
fn openinference_bedrock_adds_the_cached_tokens_of_streams() {
    let usage = json!({ "usage": {
        "input_tokens": 557, "output_tokens": 254, "cache_creation_input_tokens": 6302,
        "cache_read_input_tokens": 0,
    } });
    let said = |name: &str, prompt: i64| {
        Case { name, ..by("openinference.instrumentation.bedrock", "0.1.22") }.span(json!({
            "openinference.span.kind": "LLM", "llm.token_count.prompt": prompt,
            "llm.model_name": "anthropic.claude-3-haiku-20240307-v1:0",
            "llm.token_count.completion": 254, "output.value": usage.to_string(),
        }))
    };
    for (name, prompt) in
        [("bedrock.invoke_model_with_response_stream", 6859), ("bedrock.invoke_model", 557)]
    {
        let row = said(name, prompt);
        check(&row, &[("input_tokens", "6859"), ("input_uncached_tokens", "557")]);
    }
}

// openinference-anthropic 2.1.3 does not tell thinking: 345 of 462. The answer does.
#[test]
fn claudes_thinking_stands_in_the_answer_alone() {
    let said = |version: &str, usage: Value| {
        by("openinference.instrumentation.anthropic", version).span(json!({
            "openinference.span.kind": "LLM", "llm.model_name": "claude-sonnet-4-5",
            "llm.token_count.prompt": 10, "llm.token_count.completion": 462,
            "llm.finish_reason": "end_turn", "output.value": json!({ "usage": usage }).to_string(),
        }))
    };
    let row = said("2.1.3", json!({}));
    check(&row, &[("output_tokens", "462"), ("output_text_tokens", "-")]);
    let row = said("2.1.3", json!({ "output_tokens_details": { "thinking_tokens": 345 } }));
    check(&row, &[("output_text_tokens", "117"), ("reasoning_tokens", "345")]);
}

// openinference-agno 0.1.11 writes no counts of its own, and the answer as it came.
#[test]
fn an_answer_in_the_providers_words_tells_the_usage() {
    let said = |usage: Value| {
        by("openinference.instrumentation.agno", "0.1.11").span(json!({
            "openinference.span.kind": "LLM", "llm.model_name": "m",
            "output.value": json!({ "usage": usage }).to_string(),
        }))
    };
    let claude = json!({
        "input_tokens": 155, "output_tokens": 20, "cache_read_input_tokens": 9445,
        "cache_creation_input_tokens": 0,
    });
    check(&said(claude), &[("input_tokens", "9600"), ("input_uncached_tokens", "155")]);
    let openai = json!({
        "prompt_tokens": 2064, "completion_tokens": 26,
        "prompt_tokens_details": { "cached_tokens": 1862 },
    });
    check(&said(openai), &[("input_tokens", "2064"), ("input_uncached_tokens", "202")]);
    let converse = json!({ "inputTokens": 420, "outputTokens": 30, "cacheReadInputTokens": 400 });
    check(&said(converse), &[("input_tokens", "820"), ("input_uncached_tokens", "420")]);
}

// openinference-strands-agents 0.1.0 renames what strands 1.23 told.
#[test]
fn openinferences_processor_renames_what_strands_tells() {
    let metadata = json!({ "gen_ai.usage.cache_read_input_tokens": 1605 });
    let row = by("strands.telemetry.tracer", "").span(json!({
        "openinference.span.kind": "LLM", "llm.model_name": "claude-sonnet-4-5",
        "llm.token_count.prompt": 1694, "llm.token_count.completion": 55,
        "metadata": metadata.to_string(),
    }));
    check(&row, &[("span_role", "call"), ("input_tokens", "1694"), ("cache_read_tokens", "1605")]);
}

// openinference over openai-agents 0.1.11 by LiteLLM of May 2025: 1830 of 3366.
#[test]
fn litellms_old_input_lacks_what_claude_wrote() {
    let row = by("openinference.instrumentation.openai_agents", "0.1.11").span(json!({
        "openinference.span.kind": "LLM", "llm.model_name": "anthropic/claude-sonnet-4-5",
        "llm.token_count.prompt": 1830, "llm.token_count.completion": 51,
    }));
    let reason = row["usage_reason"].as_deref().unwrap();
    assert!(reason.contains("[perhaps-estimated]") && reason.contains("[cached-untold]"));
}

// opentelemetry-instrumentation-anthropic 0.49.4: 248 of 7774 were uncached, no stream.
#[test]
fn openllmetrys_anthropic_could_not_tell_cached_tokens_for_some_versions() {
    let said = |more: Value| {
        let said = json!({
            "llm.request.type": "chat", "gen_ai.system": "Anthropic", "llm.is_streaming": false,
            "gen_ai.request.model": "claude-sonnet-4-5", "gen_ai.usage.input_tokens": 7774,
            "gen_ai.usage.output_tokens": 61,
        });
        by("opentelemetry.instrumentation.anthropic", "0.49.4").span(with(said, more))
    };
    let marked =
        |row: &super::Row| row["usage_reason"].as_deref().unwrap().contains("[cached-untold]");
    assert!(marked(&said(json!({}))));
    let told = said(json!({
        "gen_ai.usage.cache_read_input_tokens": 7526,
        "gen_ai.usage.cache_creation_input_tokens": 0,
    }));
    assert!(!marked(&told));
    check(&told, &[("input_uncached_tokens", "248")]);
}

// langtrace 2.2.12: 5 and 7 for thousands that were billed; of Claude the first count.
#[test]
fn langtrace_counts_streams_by_itself() {
    let said = |system: &str, streamed: bool| {
        by("langtrace_python_sdk.instrumentation.x", "").span(json!({
            "gen_ai.operation.name": "chat", "gen_ai.system": system, "gen_ai.request.model": "m",
            "gen_ai.request.stream": streamed, "gen_ai.usage.input_tokens": 5,
            "gen_ai.usage.output_tokens": 7,
        }))
    };
    check(&said("openai", true), &[("usage_basis", "estimated"), ("input_tokens", "-")]);
    check(&said("openai", false), &[("input_tokens", "5"), ("output_tokens", "7")]);
    check(&said("anthropic", true), &[("input_uncached_tokens", "5"), ("output_tokens", "-")]);
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

// langsmith 0.4.18, whose wrapped Anthropic client tells nothing beside the answer: 155 of 9600.
#[test]
fn langsmiths_wrapped_clients_are_known_by_their_answer() {
    let answer = json!({ "message": {
        "id": "msg_1", "model": "claude-sonnet-4-5", "usage_metadata": {
            "input_tokens": 155, "output_tokens": 20, "total_tokens": 175,
            "input_token_details": { "cache_read": 9445 },
        },
    } });
    let row = by("langsmith", "").span(json!({
        "langsmith.span.kind": "llm", "gen_ai.operation.name": "chat", "gen_ai.system": "langchain",
        "gen_ai.usage.input_tokens": 155, "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.total_tokens": 175, "gen_ai.completion": answer.to_string(),
    }));
    check(&row, &[("response_id", "msg_1"), ("response_model", "claude-sonnet-4-5")]);
    check(&row, &[("input_tokens", "9600"), ("input_uncached_tokens", "155")]);
}

// Traccia 0.1: the words of a prompt, and it says so.
#[test]
fn what_is_said_to_be_a_guess_is_one() {
    let row = by("openai", "").span(json!({
        "llm.vendor": "openai", "llm.model": "gpt-4o", "llm.usage.prompt_tokens": 3,
        "llm.usage.prompt_source": "estimated.heuristic", "llm.usage.source": "mixed",
    }));
    check(&row, &[("usage_basis", "estimated"), ("input_tokens", "-")]);
}

// openinference-agno 1.0.4 over agno 3.0.1 and 2.2.13: 73 for 459 of Gemini, 662 of 2235 uncached of
// Groq, 816 for 3702 of Bedrock.
#[test]
fn agno_tells_details_of_some_providers_alone() {
    let said = |provider: &str, model: &str, prompt: i64, completion: i64| {
        by("openinference.instrumentation.agno", "1.0.4").span(json!({
            "openinference.span.kind": "LLM", "llm.provider": provider, "llm.model_name": model,
            "llm.token_count.prompt": prompt, "llm.token_count.completion": completion,
        }))
    };
    let marked =
        |row: &super::Row| row["usage_reason"].as_deref().unwrap().contains("[cached-untold]");
    let row = said("Google", "gemini-2.5-flash", 20, 73);
    check(&row, &[("output_tokens", "-"), ("output_text_tokens", "-")]);
    assert!(marked(&said("Groq", "llama-3.3-70b-versatile", 2235, 20)));
    assert!(!marked(&said("OpenAI", "gpt-4o", 2235, 20)));
    let row = said("AwsBedrock", "us.anthropic.claude-sonnet-4-20250514-v1:0", 816, 20);
    check(&row, &[("provider", "aws.bedrock"), ("input_tokens", "-")]);
    check(&row, &[("input_uncached_tokens", "816")]);
}

// openinference-google-adk 0.1.20 of a stream that was cut: 94 for 130, its status is not an error's.
#[test]
fn an_exception_shows_that_an_answer_broke_off() {
    let exception = Event {
        name: "exception".to_owned(),
        attributes: vec![KeyValue {
            key: "exception.type".to_owned(),
            value: Some(AnyValue {
                value: Some(any_value::Value::StringValue("ClientPayloadError".to_owned())),
            }),
            ..KeyValue::default()
        }],
        ..Event::default()
    };
    let case = Case {
        events: vec![exception],
        ..by("openinference.instrumentation.google_adk", "0.1.20")
    };
    let row = case.span(json!({
        "openinference.span.kind": "LLM", "llm.model_name": "gemini-2.5-flash",
        "llm.token_count.prompt": 20, "llm.token_count.completion": 94,
    }));
    check(&row, &[("output_tokens", "-")]);
}

// openllmetry 0.46.1 of Groq: 896 of 4355 were read, and zero is told.
#[test]
fn zero_cached_tokens_of_langchain_mean_nothing_until_0_62() {
    let said = |version: &str, provider: &str| {
        by("opentelemetry.instrumentation.langchain", version).span(json!({
            "traceloop.span.kind": "llm", "llm.request.type": "chat",
            "traceloop.association.properties.ls_provider": provider, "gen_ai.request.model": "m",
            "gen_ai.usage.input_tokens": 4355, "gen_ai.usage.output_tokens": 20,
            "gen_ai.usage.cache_read.input_tokens": 0,
        }))
    };
    let marked =
        |row: super::Row| row["usage_reason"].as_deref().unwrap().contains("[cached-untold]");
    assert!(marked(said("0.46.1", "groq")));
    assert!(!marked(said("0.46.1", "openai")));
    assert!(!marked(said("0.62.1", "groq")));
}
