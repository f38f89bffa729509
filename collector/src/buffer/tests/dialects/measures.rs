//! What is used beside tokens: images, audio, characters, pages, searches.

use serde_json::json;

use super::{by, check};

// LangWatch's gateway: `gen_ai.usage.input_chars` of a synthesis, `gen_ai.usage.audio_seconds` of a
// transcription, `gen_ai.usage.image_count` of images that came back (`gatewaytracer`).
#[test]
fn langwatch_counts_what_a_gateway_is_billed_by() {
    let of = |more: serde_json::Value| {
        let mut said = json!({"gen_ai.system": "openai", "gen_ai.request.model": "m"});
        said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        by("langwatch-gateway", "").span(said)
    };
    let speech =
        of(json!({"gen_ai.operation.name": "audio_speech", "gen_ai.usage.input_chars": 421}));
    check(
        &speech,
        &[
            ("span_role", "call"),
            ("input_characters", "421"),
            ("usage_basis", "-"),
            ("input_tokens", "-"),
            ("audio_seconds", "-"),
        ],
    );
    let sources = speech["column_sources"].as_deref().unwrap();
    assert!(sources.contains("input_characters=gen_ai.usage.input_chars"), "{sources}");
    check(
        &of(json!({"gen_ai.usage.audio_seconds": 6.5})),
        &[
            // A model and what it was used for make a call, whatever it is named.
            ("span_role", "call"),
            ("input_audio_seconds", "6.5"),
            ("output_audio_seconds", "-"),
            ("audio_seconds", "6.5"),
        ],
    );
    check(
        &of(json!({"gen_ai.operation.name": "image_generation", "gen_ai.usage.image_count": 2})),
        &[("span_role", "call"), ("output_images", "2"), ("input_images", "-")],
    );
}

// genai-otel-instrument (TraceVerde), “Semantic Conventions”: `gen_ai.usage.image_count` of input
// images, `gen_ai.usage.audio_duration_seconds` of either side, `gen_ai.usage.characters` of speech.
#[test]
fn traceverde_tells_the_side_of_audio_by_the_operation() {
    let of = |operation: &str, key: &str, count: serde_json::Value| {
        by("genai_otel", "1.9").span(json!({
            "gen_ai.operation.name": operation, "gen_ai.system": "elevenlabs",
            "gen_ai.request.model": "m", key: count,
        }))
    };
    let seconds = "gen_ai.usage.audio_duration_seconds";
    check(
        &of("speech_to_text", seconds, json!(36)),
        &[
            ("operation", "audio_transcription"),
            ("span_role", "call"),
            ("input_audio_seconds", "36.0"),
            ("output_audio_seconds", "-"),
            ("audio_seconds", "36.0"),
        ],
    );
    check(
        &of("text_to_speech", seconds, json!(2.25)),
        &[
            ("operation", "audio_speech"),
            ("input_audio_seconds", "-"),
            ("output_audio_seconds", "2.25"),
            ("audio_seconds", "2.25"),
        ],
    );
    check(
        &of("chat", seconds, json!(3)),
        &[("input_audio_seconds", "-"), ("output_audio_seconds", "-"), ("audio_seconds", "3.0")],
    );
    check(&of("text_to_speech", "gen_ai.usage.characters", json!(5)), &[("input_characters", "5")]);
    // Images that were read are not taken for images made.
    check(&of("chat", "gen_ai.usage.image_count", json!(3)), &[("output_images", "-")]);
}

// OpenLIT of AssemblyAI: `gen_ai.request.audio_duration`, from the answer; operations `audio`, `image`.
#[test]
fn openlit_tells_how_long_a_transcribed_audio_was() {
    let row = by("openlit.instrumentation.assemblyai", "").span(json!({
        "gen_ai.operation.name": "audio", "gen_ai.system": "assemblyai",
        "gen_ai.request.model": "best", "gen_ai.request.audio_duration": 42,
    }));
    check(
        &row,
        &[("span_role", "call"), ("input_audio_seconds", "42.0"), ("audio_seconds", "42.0")],
    );
    let row = by("openlit.instrumentation.openai", "").span(json!({
        "gen_ai.operation.name": "image", "gen_ai.system": "openai",
        "gen_ai.request.model": "dall-e-3",
    }));
    // How many images were made is not told.
    check(
        &row,
        &[("span_role", "call"), ("operation", "image_generation"), ("output_images", "-")],
    );
}

// Tracy (`gen_ai.response.image.count`), Microsoft.Extensions.DocumentExtraction
// (`gen_ai.usage.pages_processed`), Langtrace (`gen_ai.usage.search_units`).
#[test]
fn libraries_with_one_count_each() {
    let of = |scope: &str, operation: &str, key: &str, count: i64| {
        by(scope, "").span(json!({
            "gen_ai.operation.name": operation, "gen_ai.provider.name": "p",
            "gen_ai.request.model": "m", key: count,
        }))
    };
    let tracy = of("tracy", "generate_content", "gen_ai.response.image.count", 4);
    check(&tracy, &[("span_role", "call"), ("output_images", "4")]);
    let scope = "Experimental.Microsoft.Extensions.DocumentExtraction";
    let pages = of(scope, "generate_content", "gen_ai.usage.pages_processed", 3);
    check(&pages, &[("span_role", "call"), ("input_document_pages", "3")]);
    let rerank = of("langtrace", "rerank", "gen_ai.usage.search_units", 1);
    check(&rerank, &[("span_role", "call"), ("rerank_searches", "1")]);
}

// Usage objects as providers answer them, which libraries hand on whole: OpenAI of whisper-1
// (`{"type": "duration", "seconds": 9}`), Mistral of Voxtral and of OCR, Cohere of a reranking; LiteLLM
// prints them as Python does, with the parts that its own wrapper adds.
#[test]
fn usage_objects_tell_seconds_pages_searches_and_images() {
    let of = |usage: &str| {
        by("litellm", "1.80").span(json!({
            "gen_ai.operation.name": "transcription", "gen_ai.system": "openai",
            "gen_ai.request.model": "m", "metadata.usage_object": usage,
        }))
    };
    check(
        &of("{'type': 'duration', 'seconds': 9}"),
        &[("input_audio_seconds", "9.0"), ("audio_seconds", "9.0"), ("input_tokens", "-")],
    );
    check(
        &of("{'prompt_audio_seconds': 30, 'prompt_tokens': 150, 'completion_tokens': 42}"),
        &[("input_audio_seconds", "30.0"), ("input_tokens", "150"), ("output_tokens", "42")],
    );
    check(&of("{'pages_processed': 5, 'doc_size_bytes': 91}"), &[("input_document_pages", "5")]);
    check(&of("{'billed_units': {'search_units': 2}}"), &[("rerank_searches", "2")]);
    check(
        &of("{'prompt_tokens': 0, 'completion_tokens': 0, 'prompt_tokens_details': \
             {'character_count': 12, 'image_count': 1}}"),
        &[("input_characters", "12"), ("input_images", "1")],
    );
    check(
        &of("{'prompt_tokens': 7, 'completion_tokens': 3, 'prompt_tokens_details': \
             {'cached_tokens': None, 'web_search_requests': 2}}"),
        &[("web_searches", "2"), ("input_tokens", "7")],
    );
}

// A count that is none is not known, and stays to be seen among the attributes.
#[test]
fn count_that_cannot_be_read_is_unknown() {
    let row = by("tracy", "").span(json!({
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "p", "gen_ai.request.model": "m",
        "gen_ai.response.image.count": -1, "gen_ai.usage.audio_seconds": -2.5,
        "gen_ai.usage.pages_processed": 2.5,
    }));
    check(
        &row,
        &[
            ("output_images", "-"),
            ("input_audio_seconds", "-"),
            ("audio_seconds", "-"),
            ("input_document_pages", "-"),
        ],
    );
}
