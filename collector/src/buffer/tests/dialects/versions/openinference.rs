//! OpenInference's instrumentations, and frameworks that it tells of.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::span::Event;
use serde_json::{Value, json};
use spanledger_schemas::usage_marks::{CACHED_UNTOLD, PERHAPS_ESTIMATED};

use super::{Case, Row, by, check, marked, with};

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
    let row = by("strands.telemetry.tracer", "").span(json!({
        "openinference.span.kind": "LLM", "llm.model_name": "gpt-4o",
        "llm.token_count.prompt": 1694, "llm.token_count.completion": 55,
    }));
    check(&row, &[("span_role", "call"), ("input_tokens", "1694"), ("cache_read_tokens", "-")]);
}

// openinference-bedrock 0.1.13, a stream of InvokeModel: 308 read beside 1723. 0.1.32 of Nova: 2762 of 3185.
#[test]
fn openinference_bedrock_of_old_adds_nothing() {
    let said = |version: &'static str, name: &'static str, model: &str, answer: Value| {
        Case { name, ..by("openinference.instrumentation.bedrock", version) }.span(json!({
            "openinference.span.kind": "LLM", "llm.token_count.prompt": 1723, "llm.model_name": model,
            "llm.token_count.completion": 310, "output.value": answer.to_string(),
        }))
    };
    let (stream, claude) =
        ("bedrock.invoke_model_with_response_stream", "anthropic.claude-sonnet-4");
    let usage = json!({ "usage": { "input_tokens": 1723, "cache_read_input_tokens": 308 } });
    let row = said("0.1.13", stream, claude, usage.clone());
    check(&row, &[("input_tokens", "2031"), ("input_uncached_tokens", "1723")]);
    check(&said("0.1.18", stream, claude, usage), &[("input_tokens", "1723")]);
    let nova = "eu.amazon.nova-lite-v1:0";
    for (version, name) in [("0.1.32", "bedrock.invoke_model"), ("0.1.32", stream)] {
        let row = said(version, name, nova, json!({}));
        check(&row, &[("input_tokens", "-"), ("input_uncached_tokens", "1723")]);
    }
}

// openinference-litellm 0.1.11 over litellm 1.61: 2079 for 6077, of which 3998 were written; 0.1.51: 4 for
// 292, LiteLLM's count of the thoughts that Bedrock shows.
#[test]
fn litellm_of_old_leaves_out_what_was_written_and_guesses_thoughts() {
    let said = |version: &str, model: &str, more: Value| {
        by("openinference.instrumentation.litellm", version).span(with(
            json!({
                "openinference.span.kind": "LLM", "llm.model_name": model,
                "llm.token_count.prompt": 2079, "llm.token_count.completion": 957,
            }),
            more,
        ))
    };
    let row = said("0.1.11", "anthropic/claude-sonnet-4-5", json!({}));
    assert!(marked(&row, PERHAPS_ESTIMATED) && marked(&row, CACHED_UNTOLD));
    assert!(!marked(&said("0.1.11", "gpt-4o", json!({})), PERHAPS_ESTIMATED));
    let guessed = json!({ "llm.token_count.completion_details.reasoning": 4,
                          "llm.token_count.prompt_details.cache_read": 0 });
    let row = said("0.1.51", "bedrock/converse/anthropic.claude-sonnet-4", guessed);
    check(
        &row,
        &[("output_tokens", "957"), ("reasoning_tokens", "-"), ("output_text_tokens", "-")],
    );
}

// openinference-langchain 0.1.39 over langchain-anthropic 0.3.10, whose model is set to stream: 26486 for
// 13243, and the message is put together as if it had not.
#[test]
fn a_model_of_langchain_that_is_set_to_stream_streams() {
    let answer = json!({ "generations": [[{ "message": {
        "lc": 1, "id": ["langchain", "schema", "messages", "AIMessage"],
    } }]] });
    let said = |streaming: bool| {
        by("openinference.instrumentation.langchain", "0.1.39").span(json!({
            "openinference.span.kind": "LLM", "llm.model_name": "claude-sonnet-4-5",
            "metadata": r#"{"ls_provider": "anthropic"}"#, "output.value": answer.to_string(),
            "llm.invocation_parameters": json!({ "streaming": streaming }).to_string(),
            "llm.token_count.prompt": 26486, "llm.token_count.completion": 573,
            "llm.token_count.total": 27059,
        }))
    };
    let row = said(true);
    check(&row, &[("streaming", "true")]);
    assert!(marked(&row, PERHAPS_ESTIMATED));
    check(&said(false), &[("streaming", "false")]);
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
    let marked = |row: &Row| row["usage_reason"].as_deref().unwrap().contains("[cached-untold]");
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

// openinference-langchain 0.1.80 of a stream of ChatVertexAI that was left: 80 of 600 had come, and
// every chunk said that it was not the last.
#[test]
fn a_reason_that_is_not_specified_ends_nothing() {
    let said = |reason: &str| {
        let langchain = by("openinference.instrumentation.langchain", "0.1.80");
        Case { failed: true, ..langchain }.span(json!({
            "openinference.span.kind": "LLM", "llm.model_name": "gemini-2.5-flash",
            "llm.token_count.prompt": 13100, "llm.token_count.completion": 80,
            "llm.token_count.total": 13180, "llm.token_count.prompt_details.cache_read": 9142,
            "llm.finish_reason": reason,
        }))
    };
    let row = said("FINISH_REASON_UNSPECIFIEDFINISH_REASON_UNSPECIFIED");
    check(&row, &[("output_tokens", "-"), ("input_tokens", "13100"), ("finish_reason", "-")]);
    check(&said("STOP"), &[("output_tokens", "80"), ("finish_reason", "STOP")]);
}

// openinference-anthropic 0.1.20 with its parameters hidden: 314 of 5244, a stream, of which alone a
// total is told.
#[test]
fn a_total_tells_a_stream_of_openinferences_anthropic() {
    let said = |total: Option<i64>| {
        let mut said = json!({
            "openinference.span.kind": "LLM", "llm.model_name": "claude-sonnet-4-5",
            "llm.token_count.prompt": 314, "llm.token_count.completion": 20,
        });
        if let Some(total) = total {
            said["llm.token_count.total"] = total.into();
        }
        by("openinference.instrumentation.anthropic", "0.1.20").span(said)
    };
    check(&said(Some(334)), &[("input_tokens", "-"), ("input_uncached_tokens", "314")]);
    check(&said(None), &[("input_tokens", "314")]);
}

// OpenInference's BeeAI for node 1.5.30: a span for each event of a call.
#[test]
fn events_of_beeai_for_node_are_no_calls() {
    for (name, role) in [
        ("backend.openai.chat.start-1", "other"),
        ("backend.openai.chat.finish-1", "other"),
        ("beeai-framework-main", "other"),
        ("backend.openai.chat.success-1", "call"),
    ] {
        let case = Case { name, ..by("@arizeai/openinference-instrumentation-beeai", "1.5.30") };
        let row =
            case.span(json!({ "openinference.span.kind": "LLM", "llm.model_name": "gpt-4o" }));
        check(&row, &[("span_role", role)]);
    }
}

// traceAI-anthropic 0.1.9: 953 of 1467; 0.1.10 counts tokens by spans of models.
#[test]
fn traceai_passes_on_anthropics_counts() {
    let row = by("traceai_anthropic", "").span(json!({
        "openinference.span.kind": "LLM", "llm.model_name": "claude-sonnet-4-5",
        "llm.token_count.prompt": 953, "llm.token_count.completion": 20,
        "llm.token_count.total": 973,
    }));
    check(&row, &[("input_tokens", "-"), ("input_uncached_tokens", "953")]);
    let case = Case { name: "MessagesCountTokens", ..by("traceai_anthropic", "") };
    let row = case.span(json!({
        "gen_ai.span.kind": "LLM", "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.usage.input_tokens": 120,
    }));
    assert_ne!(row["span_role"].as_deref(), Some("call"));
}
