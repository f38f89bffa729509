//! OpenTelemetry's own instrumentations, and what holds of any library.

use serde_json::json;

use super::{Case, by, chat, check, with};

// AI SDK 7.0.96 of qwen3-32b by vLLM, whose usage has no reasoning tokens: zero is said of 688 in 871.
#[test]
fn a_zero_is_no_reasoning_where_the_provider_tells_none() {
    let said = |provider: &str, reasoning: i64| {
        let reasoning = json!({ "gen_ai.usage.reasoning.output_tokens": reasoning });
        by("gen_ai", "7.0.96").span(with(chat(provider, "qwen/qwen3-32b", 1826, 871), reasoning))
    };
    let untold = [("output_tokens", "871"), ("reasoning_tokens", "-"), ("output_text_tokens", "-")];
    check(&said("vllm", 0), &untold);
    check(&said("vllm", 688), &[("reasoning_tokens", "688")]);
    check(&said("groq", 0), &[("reasoning_tokens", "0"), ("output_text_tokens", "871")]);
}

// opentelemetry-instrumentation-botocore 0.66b2 of Claude: InvokeModel tells 4226 of 5011, Converse both.
#[test]
fn botocore_tells_cached_tokens_of_converse_alone() {
    let said = |method: &str| {
        let method = json!({ "rpc.method": method });
        by("opentelemetry.instrumentation.botocore.bedrock-runtime", "0.66b2")
            .span(with(chat("aws.bedrock", "anthropic.claude-sonnet-4", 4226, 163), method))
    };
    for method in ["InvokeModel", "InvokeModelWithResponseStream"] {
        let row = said(method);
        check(&row, &[("input_tokens", "-"), ("input_uncached_tokens", "4226")]);
    }
    check(&said("Converse"), &[("input_tokens", "4226")]);
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

// @opentelemetry/instrumentation-aws-sdk 0.60.0: 1 and 8 for 943 and 141.
#[test]
fn opentelemetrys_aws_sdk_guesses_as_botocore_does() {
    let row = by("@opentelemetry/instrumentation-aws-sdk", "0.60.0").span(with(
        chat("aws.bedrock", "cohere.command-r-v1:0", 1, 8),
        json!({ "rpc.method": "InvokeModel" }),
    ));
    check(&row, &[("usage_basis", "estimated"), ("input_tokens", "-")]);
}
