//! The AI SDK.

use serde_json::{Value, json};
use spanledger_schemas::usage_marks::CACHED_UNTOLD;

use super::{by, check, marked, with};

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
    let said = |provider: &str, cached: Option<i64>| {
        let mut said = json!({
            "ai.operationId": "ai.generateText.doGenerate", "ai.model.provider": provider,
            "gen_ai.system": provider, "gen_ai.request.model": "openai/gpt-oss-120b",
            "ai.usage.inputTokens": 3097, "ai.usage.outputTokens": 44,
            "ai.usage.inputTokenDetails.noCacheTokens": 3097, "ai.usage.totalTokens": 3141,
        });
        if let Some(cached) = cached {
            said["ai.usage.inputTokenDetails.cacheReadTokens"] = cached.into();
        }
        by("ai", "").span(said)
    };
    assert!(
        said("groq.chat", None)["usage_reason"].as_deref().unwrap().contains("[cached-untold]")
    );
    check(&said("openai.chat", Some(0)), &[("input_uncached_tokens", "3097")]);
    assert!(
        !said("openai.chat", Some(0))["usage_reason"]
            .as_deref()
            .unwrap()
            .contains("[cached-untold]")
    );
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

// AI SDK 7 of Together: its client finds no cached tokens and tells zero, 8753 of 10374 were read.
#[test]
fn vercel_tells_zero_where_a_client_finds_no_cached_tokens() {
    let said = |provider: &str| {
        by("gen_ai", "").span(json!({
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": provider,
            "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 10374,
            "gen_ai.usage.output_tokens": 432, "gen_ai.usage.cache_read.input_tokens": 0,
        }))
    };
    assert!(marked(&said("togetherai.chat"), CACHED_UNTOLD));
    let row = said("openai.responses");
    check(&row, &[("input_uncached_tokens", "10374"), ("cache_read_tokens", "0")]);
    // Reasoning it does not tell: 574 of 776.
    check(&row, &[("output_tokens", "432"), ("output_text_tokens", "-")]);
}

// AI SDK 6.0.152, a stream of an object by Gemini: 632 with 575 thoughts; before 6 they stand beside.
#[test]
fn the_total_tells_where_reasoning_is() {
    let said = |total: i64| {
        by("ai", "").span(json!({
            "ai.operationId": "ai.streamObject.doStream", "ai.model.provider": "google.generative-ai",
            "gen_ai.request.model": "gemini-2.5-flash", "ai.usage.inputTokens": 918,
            "ai.usage.outputTokens": 632, "ai.usage.reasoningTokens": 575, "ai.usage.totalTokens": total,
        }))
    };
    check(&said(1550), &[("output_tokens", "632"), ("output_text_tokens", "57")]);
    check(&said(2125), &[("output_tokens", "1207"), ("output_text_tokens", "632")]);
}

// AI SDK 4 and 7 of Claude on Vertex: 365 of 4171.
#[test]
fn claude_on_vertex_counts_as_anthropic_does() {
    let row = by("ai", "").span(json!({
        "ai.operationId": "ai.generateText.doGenerate",
        "ai.model.provider": "vertex.anthropic.messages",
        "gen_ai.request.model": "claude-sonnet-4-5@20250929", "ai.usage.promptTokens": 365,
        "ai.usage.completionTokens": 20,
    }));
    check(&row, &[("input_tokens", "-"), ("input_uncached_tokens", "365")]);
    let row = by("gen_ai", "").span(json!({
        "gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-sonnet-4-5@20250929",
        "gen_ai.provider.name": "googleVertex.anthropic.messages",
        "gen_ai.usage.input_tokens": 5171, "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 2375,
    }));
    check(&row, &[("provider", "gcp.vertex_ai"), ("input_tokens", "5171")]);
    assert!(marked(&row, CACHED_UNTOLD));
}
