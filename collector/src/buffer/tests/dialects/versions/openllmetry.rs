//! OpenLLMetry's instrumentations, Python and node.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use serde_json::{Value, json};
use spanledger_schemas::usage_marks::CACHED_UNTOLD;

use super::super::attributes;
use super::{Case, Row, by, chat, check, marked, with};

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

// openllmetry 0.62.4 of Cohere: 2943 of 3765 were uncached, and nothing is told.
#[test]
fn openllmetry_tells_no_cached_tokens_of_cohere() {
    let cohere = by("opentelemetry.instrumentation.cohere", "0.62.4");
    let row = cohere.span(chat("cohere", "command-a-03-2025", 3765, 673));
    check(&row, &[("input_tokens", "3765"), ("output_tokens", "673")]);
    assert!(marked(&row, CACHED_UNTOLD));
}

// openllmetry 0.62.4 of Nova: Converse tells zero where none are cached, InvokeModel nothing of 599.
#[test]
fn openllmetry_tells_no_cached_tokens_of_nova_by_invoke_model() {
    let bedrock = by("opentelemetry.instrumentation.bedrock", "0.62.4");
    let said = || chat("aws.bedrock", "nova-lite-v1:0", 3342, 635);
    let invoked = bedrock.span(said());
    check(&invoked, &[("input_tokens", "-"), ("input_uncached_tokens", "3342")]);
    assert!(marked(&invoked, CACHED_UNTOLD));
    let read = json!({ "gen_ai.usage.cache_read.input_tokens": 492,
                       "gen_ai.usage.cache_creation.input_tokens": 0 });
    check(&bedrock.span(with(said(), read)), &[("input_tokens", "3834")]);
}

// @traceloop/instrumentation-bedrock 0.22.2, a stream of Nova: the total is not a number.
#[test]
fn a_total_that_is_not_a_number_is_not_told() {
    let said = json!({
        "llm.request.type": "chat", "gen_ai.system": "AWS", "gen_ai.request.model": "amazon.nova-pro-v1:0",
        "gen_ai.usage.prompt_tokens": 671, "gen_ai.usage.completion_tokens": 196,
    });
    let mut attributes = attributes(&said);
    attributes.push(KeyValue {
        key: "llm.usage.total_tokens".to_owned(),
        value: Some(AnyValue { value: Some(any_value::Value::DoubleValue(f64::NAN)) }),
        ..KeyValue::default()
    });
    let row = by("@traceloop/instrumentation-bedrock", "0.22.2").span_of(attributes);
    check(&row, &[("output_tokens", "196"), ("input_uncached_tokens", "671")]);
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
    let marked = |row: &Row| row["usage_reason"].as_deref().unwrap().contains("[cached-untold]");
    assert!(marked(&said(json!({}))));
    let told = said(json!({
        "gen_ai.usage.cache_read_input_tokens": 7526,
        "gen_ai.usage.cache_creation_input_tokens": 0,
    }));
    assert!(!marked(&told));
    check(&told, &[("input_uncached_tokens", "248")]);
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
    let marked = |row: Row| row["usage_reason"].as_deref().unwrap().contains("[cached-untold]");
    assert!(marked(said("0.46.1", "groq")));
    assert!(!marked(said("0.46.1", "openai")));
    assert!(!marked(said("0.62.1", "groq")));
}
