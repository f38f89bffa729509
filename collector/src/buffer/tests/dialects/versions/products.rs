//! Gateways and tracing products.

use serde_json::{Value, json};
use spanledger_schemas::usage_marks::CACHED_UNTOLD;

use super::{Case, by, chat, check, marked, with};

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

// langsmith 0.4.42 over langchain-aws of old: 3276 of 3774.
#[test]
fn langsmith_does_not_tell_whether_bedrocks_input_is_all_of_it() {
    let said = |cached: Value| {
        by("langsmith", "").span(with(
            json!({
                "langsmith.span.kind": "llm", "langsmith.metadata.ls_provider": "amazon_bedrock",
                "gen_ai.operation.name": "chat", "gen_ai.system": "anthropic",
                "gen_ai.request.model": "anthropic.claude-sonnet-4-20250514-v1:0",
                "gen_ai.usage.input_tokens": 3276, "gen_ai.usage.output_tokens": 279,
                "gen_ai.usage.total_tokens": 3555,
            }),
            cached,
        ))
    };
    check(&said(json!({})), &[("input_tokens", "-"), ("output_tokens", "279")]);
    let told = json!({ "gen_ai.usage.input_token_details": "{'cache_read': 498}" });
    check(&said(told), &[("input_tokens", "3276"), ("input_uncached_tokens", "2778")]);
}

// litellm 1.74.1 of Grok 4: 472 and 152; what names the call, as today, has the 152 in 624.
#[test]
fn litellm_of_old_passes_on_xais_reasoning_beside_output() {
    let said = |more: Value, completion: i64| {
        let usage = format!(
            "{{'completion_tokens': {completion}, 'prompt_tokens': 3748, \
              'completion_tokens_details': {{'reasoning_tokens': 152}}, \
              'prompt_tokens_details': {{'cached_tokens': 308}}}}"
        );
        let call = json!({
            "gen_ai.operation.name": "chat", "gen_ai.system": "xai", "gen_ai.request.model": "grok-4",
            "metadata.usage_object": usage,
        });
        by("litellm", "").span(with(call, more))
    };
    let leaves =
        [("output_tokens", "624"), ("output_text_tokens", "472"), ("reasoning_tokens", "152")];
    check(&said(json!({}), 472), &leaves);
    check(&said(json!({ "litellm.call_id": "025a75d2" }), 624), &leaves);
}

// mlflow 3.16.0 of LangChain's Claude: 802 of 5429 read and, untold, 890 written.
#[test]
fn mlflow_does_not_tell_what_langchain_wrote_to_claudes_cache() {
    let said = |name: &'static str| {
        Case { name, ..by("mlflow.tracing.provider", "") }.span(json!({
            "mlflow.spanType": "\"CHAT_MODEL\"", "mlflow.llm.model": "\"claude-sonnet-4-5\"",
            "mlflow.llm.provider": "\"anthropic\"",
            "mlflow.chat.tokenUsage": "{\"input_tokens\": 5429, \"output_tokens\": 399, \
                \"total_tokens\": 5828, \"cache_read_input_tokens\": 802, \
                \"cache_creation_input_tokens\": 0}",
        }))
    };
    let row = said("ChatAnthropic");
    check(
        &row,
        &[("input_tokens", "5429"), ("cache_read_tokens", "802"), ("cache_write_tokens", "-")],
    );
    assert!(marked(&row, CACHED_UNTOLD));
    check(&said("AsyncMessages.create"), &[("cache_write_tokens", "0")]);
}

// openlit 1.36.1 of Gemini: 361 and 23 for 384; of Grok 675 for 891.
#[test]
fn openlit_of_old_has_reasoning_beside_output() {
    let openlit = by("openlit.otel.tracing", "");
    let thoughts =
        json!({ "gen_ai.usage.reasoning_tokens": 23, "gen_ai.request.is_stream": false });
    let row = openlit.span(with(chat("gemini", "gemini-2.5-flash", 1974, 361), thoughts));
    check(&row, &[("output_tokens", "384"), ("reasoning_tokens", "23")]);
    let whole = json!({ "gen_ai.request.is_stream": false });
    let row = openlit.span(with(chat("openai", "grok-4", 9384, 675), whole));
    check(&row, &[("output_tokens", "-"), ("output_text_tokens", "675")]);
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

// langsmith 0.4.18, whose wrapped Anthropic client tells nothing beside the answer.
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
    // What is told as read was written, in part: 3785 and 5660.
    check(&row, &[("input_uncached_tokens", "155"), ("cache_read_tokens", "-")]);
    check(&row, &[("input_tokens", "-")]);
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

// OpenLIT for node 1.10.0: 1757 of 2290 were read.
#[test]
fn openlit_for_node_had_other_names_for_details() {
    let row = by("@openlit/instrumentation-openai", "1.10.0").span(with(
        chat("openai", "gpt-4.1-mini", 2290, 213),
        json!({ "gen_ai.usage.prompt_tokens_details.cache_read": 1757 }),
    ));
    check(&row, &[("cache_read_tokens", "1757"), ("input_uncached_tokens", "533")]);
}

// Laminar 0.7.42: 570 for 190 of a stream of Gemini; mlflow 3.16 tells the sum of DSPy's module.
#[test]
fn sums_of_chunks_and_of_modules_are_no_counts_of_a_call() {
    let case = Case { name: "gemini.generate_content_stream", ..by("lmnr.tracer", "0.7.42") };
    let row = case.span(chat("gemini", "gemini-2.5-flash", 20, 570));
    check(&row, &[("usage_basis", "estimated"), ("output_text_tokens", "-")]);
    let case = Case { name: "Predict.forward", ..by("mlflow.tracing.provider", "") };
    let row = case.span(json!({
        "mlflow.spanType": "\"LLM\"", "mlflow.llm.model": "\"gpt-4o\"",
        "mlflow.chat.tokenUsage": "{\"input_tokens\": 5433, \"output_tokens\": 433}",
    }));
    check(&row, &[("span_role", "rollup")]);
}

// judgeval 0.24.2, langwatch 0.13.0 and ddtrace 4.10.0 of one call: 333 of 5038 uncached, 51 out.
#[test]
fn tracers_with_names_of_their_own_tell_calls() {
    let usage = json!({
        "completion_tokens": 51, "prompt_tokens": 5038, "total_tokens": 5089,
        "prompt_tokens_details": { "cached_tokens": 4705 },
    });
    let row = by("judgeval", "0.24.2").span(json!({
        "judgment.span_kind": "llm", "judgment.llm.model": "gpt-4o-2024-08-06",
        "judgment.usage.non_cached_input_tokens": 333, "judgment.usage.output_tokens": 51,
        "judgment.usage.cache_read_input_tokens": 4705,
        "judgment.usage.cache_creation_input_tokens": 0,
        "judgment.usage.metadata": usage.to_string(),
    }));
    check(
        &row,
        &[("span_role", "call"), ("input_tokens", "5038"), ("input_uncached_tokens", "333")],
    );
    let row = by("judgeval", "0.24.2").span(json!({
        "judgment.span_kind": "llm", "judgment.llm.model": "claude-sonnet-4-5",
        "judgment.usage.non_cached_input_tokens": 333, "judgment.usage.output_tokens": 51,
        "judgment.usage.cache_read_input_tokens": 300,
        "judgment.usage.cache_creation_input_tokens": 0,
    }));
    check(&row, &[("input_tokens", "633"), ("input_uncached_tokens", "333")]);
    let metrics = r#"{"prompt_tokens": 5038, "completion_tokens": 51, "reasoning_tokens": 0}"#;
    let row = by("langwatch", "0.13.0").span(json!({
        "langwatch.span.type": "llm", "gen_ai.request.model": "openai/gpt-4o",
        "langwatch.metrics": metrics,
    }));
    check(&row, &[("span_role", "call"), ("provider", "openai"), ("input_tokens", "5038")]);
    assert!(marked(&row, CACHED_UNTOLD));
    // 297 of 2049, by a library that does not add.
    let row = by("langwatch", "0.2.19").span(json!({
        "langwatch.span.type": "llm", "gen_ai.request.model": "anthropic/claude-sonnet-4-5",
        "langwatch.metrics": r#"{"prompt_tokens": 297, "completion_tokens": 168}"#,
    }));
    check(&row, &[("usage_basis", "unknown"), ("input_tokens", "-"), ("output_tokens", "168")]);
    let row = by("", "").span(json!({
        "_dd.llmobs.span_kind": "llm", "_dd.llmobs.model_provider": "unknown",
        "openai.request.provider": "OpenAI", "openai.request.model": "gpt-4o",
        "_dd.llmobs.model_name": "gpt-4o-2024-08-06", "_dd.llmobs.input_tokens": "5038",
        "_dd.llmobs.output_tokens": "51", "_dd.llmobs.cache_read_input_tokens": "4705",
        "_dd.llmobs.total_tokens": "5089",
    }));
    check(&row, &[("span_role", "call"), ("request_model", "gpt-4o")]);
    check(&row, &[("input_tokens", "5038"), ("input_uncached_tokens", "333")]);
}
