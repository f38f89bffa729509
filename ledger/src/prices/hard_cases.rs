//! Tests of the cases where price books go wrong, on the bundled prices, each with its
//! arithmetic. Prices are quoted from the providers' price pages as the books cite them.

use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::{CallFacts, PriceBook, PriceState, Pricer, quote_jsonl};
use crate::usage::{Basis, Unit, Usage};

/// Asks the JSON-lines front about a call and checks parts of the answer: state, total, reason.
fn check(request: &str, state: &str, total: Option<&str>, reason: &str) -> Value {
    static BOOK: OnceLock<Arc<PriceBook>> = OnceLock::new();
    let book = BOOK.get_or_init(|| PriceBook::bundled().unwrap());
    let answer = quote_jsonl(&mut Pricer::new(Arc::clone(book)), request).unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["state"], state, "{answer}");
    assert_eq!(answer["total"].as_str(), total, "{answer}");
    assert!(answer["reason"].as_str().unwrap_or_default().contains(reason), "{answer}");
    answer
}

#[test]
fn whole_call_takes_the_band_of_its_input() {
    // Claude Sonnet 4.5: $3 in, $15 out up to 200,000 input tokens, $6 and $22.50 beyond.
    // 200,000 × 3 / 10^6 + 1,000 × 15 / 10^6 = 0.6 + 0.015
    let call = |input: u32| {
        format!(
            r#"{{"provider":"anthropic","model":"claude-sonnet-4-5","at":"2026-01-15T00:00:00Z",
            "basis":"inclusive","usage":{{"input_tokens":{input},"output_tokens":1000}}}}"#
        )
    };
    check(&call(200_000), "priced", Some("0.615"), "");
    // One token more: 200,001 × 6 / 10^6 + 1,000 × 22.5 / 10^6 = 1.200006 + 0.0225
    check(&call(200_001), "priced", Some("1.222506"), "");
}

#[test]
fn band_begins_above_272_000_tokens_too() {
    // GPT-5.5: $5 in, $0.50 read, $30 out up to 272,000 input tokens; $10, $1 and $45 beyond.
    let call = |plain: u32, read: u32| {
        format!(
            r#"{{"provider":"openai","model":"gpt-5.5","at":"2026-11-20T00:00:00Z",
            "basis":"exclusive",
            "usage":{{"input_tokens":{plain},"cache_read_tokens":{read},"output_tokens":1000}}}}"#
        )
    };
    // 72,000 × 5 + 200,000 × 0.5 + 1,000 × 30 = 360,000 + 100,000 + 30,000 µ$
    check(&call(72_000, 200_000), "priced", Some("0.49"), "");
    // 72,001 × 10 + 200,000 × 1 + 1,000 × 45 = 720,010 + 200,000 + 45,000 µ$
    check(&call(72_001, 200_000), "priced", Some("0.96501"), "");
}

#[test]
fn audio_and_image_input_have_their_own_price() {
    // Gemini 2.5 Flash: $0.30 text in, $1 audio in. 600 × 0.3 + 400 × 1 = 580 µ$
    check(
        r#"{"provider":"gcp.gemini","model":"gemini-2.5-flash","at":"2026-11-20T00:00:00Z",
        "basis":"inclusive","usage":{"input_tokens":1000,"input_audio_tokens":400}}"#,
        "priced",
        Some("0.00058"),
        "",
    );
    // GPT Image 1: $5 text in, $10 image in, $40 out. 700 × 5 + 300 × 10 + 100 × 40 = 10,500 µ$
    check(
        r#"{"provider":"openai","model":"gpt-image-1","at":"2026-11-20T00:00:00Z",
        "basis":"inclusive",
        "usage":{"input_tokens":1000,"input_image_tokens":300,"output_tokens":100}}"#,
        "priced",
        Some("0.0105"),
        "",
    );
    // Gemini 3 Pro Image: $12 text out, $120 image out. 200 × 12 + 1,000 × 120 = 122,400 µ$
    check(
        r#"{"provider":"gcp.gemini","model":"gemini-3-pro-image-preview",
        "at":"2026-11-20T00:00:00Z","basis":"inclusive",
        "usage":{"output_tokens":1200,"output_image_tokens":1000}}"#,
        "priced",
        Some("0.1224"),
        "",
    );
    // The audio model of the book has no audio price: what it takes instead is said.
    check(
        r#"{"provider":"openai","model":"gpt-4o-audio-preview","at":"2026-11-20T00:00:00Z",
        "basis":"inclusive","usage":{"input_tokens":1000,"input_audio_tokens":400}}"#,
        "priced",
        Some("0.0025"),
        "input_audio_tokens at the price of input_tokens",
    );
}

#[test]
fn aborted_stream_is_charged_for_what_it_used() {
    // The client went away after 12 of some tokens: GPT-5.5 at 100 × 5 + 12 × 30 = 860 µ$; a
    // stream that never said its usage has no price.
    check(
        r#"{"provider":"openai","model":"gpt-5.5","at":"2026-11-20T00:00:00Z",
        "basis":"inclusive","usage":{"input_tokens":100,"output_tokens":12}}"#,
        "priced",
        Some("0.00086"),
        "",
    );
    check(
        r#"{"provider":"openai","model":"gpt-5.5","at":"2026-11-20T00:00:00Z",
        "basis":"inclusive","usage":{}}"#,
        "unpriced",
        None,
        "no usage was reported",
    );
}

#[test]
fn served_model_and_tier_are_priced_whatever_was_requested() {
    let book = PriceBook::bundled().unwrap();
    let mut pricer = Pricer::new(book);
    let usage = Usage::reported(Basis::Inclusive, &[(Unit::INPUT, 1_000_000)]).unwrap();
    let mut total = |requested: &str, served: Option<&str>, tier: Option<&str>| {
        let quote = pricer.quote(&CallFacts {
            tenant: None,
            provider: Some("openai"),
            request_model: Some(requested),
            response_model: served,
            service_tier: tier,
            region: None,
            server_address: None,
            at: 1_795_132_800_000_000, // 2026-11-20
            usage: &usage,
        });
        (quote.total.to_string(), quote.state)
    };
    // A million tokens is above 272,000: GPT-5.5 is $10, flex $5; GPT-5.4 is $5.
    let priced = |amount: &str| (amount.to_owned(), PriceState::Priced);
    assert_eq!(total("gpt-5.5", None, None), priced("10"));
    assert_eq!(total("gpt-5.5", Some("gpt-5.4"), None), priced("5"));
    // `auto` was asked for, flex served: the served tier is what the column holds.
    assert_eq!(total("gpt-5.5", None, Some("flex")), priced("5"));
    assert_eq!(total("gpt-5.5", None, Some("auto")), priced("10"));
    // A dated version that the book does not list yet is the model; another model is not.
    assert_eq!(total("gpt-5.5", Some("gpt-5.5-2027-01-31"), None), priced("10"));
    let part = ("10".to_owned(), PriceState::PartPriced);
    assert_eq!(total("gpt-5.5", Some("gpt-5.5-hyper"), None), part);
    assert_eq!(total("gpt-5.5", Some("claude-sonnet-4-5"), None), part);
}

#[test]
fn cached_input_counts_towards_the_band() {
    // 1,000 plain + 200,000 read = 201,000 > 200,000: $6 for plain, $0.60 for read input.
    // 1,000 × 6 / 10^6 + 200,000 × 0.6 / 10^6 = 0.006 + 0.12
    check(
        r#"{"provider":"anthropic","model":"claude-sonnet-4-5","at":"2026-01-15T00:00:00Z",
        "basis":"exclusive","usage":{"input_tokens":1000,"cache_read_tokens":200000}}"#,
        "priced",
        Some("0.126"),
        "",
    );
}

#[test]
fn cache_writes_of_an_hour_cost_more_than_those_of_five_minutes() {
    // Claude Sonnet 5: $2.50 per million written for 5 minutes, $4 for 1 hour.
    // 1,000 × 2.5 / 10^6 = 0.0025; 1,000 × 4 / 10^6 = 0.004
    for (unit, total) in [("5m", "0.0025"), ("1h", "0.004")] {
        let call = format!(
            r#"{{"provider":"anthropic","model":"claude-sonnet-5","at":"2026-11-20T00:00:00Z",
            "basis":"exclusive","usage":{{"cache_write_{unit}_tokens":1000}}}}"#
        );
        check(&call, "priced", Some(total), "");
    }
    // Both, beside 10 plain and 20 output: 10 × 2 + 1,000 × 2.5 + 1,000 × 4 + 20 × 10 = 6,720 µ$
    let answer = check(
        r#"{"provider":"anthropic","model":"claude-sonnet-5","at":"2026-11-20T00:00:00Z",
        "basis":"exclusive","usage":{"input_tokens":10,"cache_write_tokens":2000,
        "cache_write_5m_tokens":1000,"cache_write_1h_tokens":1000,"output_tokens":20}}"#,
        "priced",
        Some("0.00672"),
        "",
    );
    assert_eq!(answer["input"], "0.00652");
    assert_eq!(answer["output"], "0.0002");
}

#[test]
fn batch_halves_cached_input_too() {
    // Claude Sonnet 5, batch: $1 in, $0.10 read. 1,000 × 1 + 10,000 × 0.1 = 2,000 µ$
    check(
        r#"{"provider":"anthropic","model":"claude-sonnet-5","at":"2026-11-20T00:00:00Z",
        "service_tier":"batch","basis":"exclusive",
        "usage":{"input_tokens":1000,"cache_read_tokens":10000}}"#,
        "priced",
        Some("0.002"),
        "",
    );
}

#[test]
fn tier_without_a_price_is_said() {
    // Claude 3 Haiku has no batch price in the book: 1,000,000 × $0.25 is an upper bound.
    check(
        r#"{"provider":"anthropic","model":"claude-3-haiku-20240307","at":"2026-11-20T00:00:00Z",
        "service_tier":"batch","basis":"inclusive","usage":{"input_tokens":1000000}}"#,
        "part-priced",
        Some("0.25"),
        "no price for tier `batch`",
    );
}

#[test]
fn price_changes_at_midnight_utc() {
    // o3: $10 per million input until 2025-06-09, $2 from 2025-06-10T00:00:00Z.
    let call = |at: &str| {
        format!(
            r#"{{"provider":"openai","model":"o3","at":"{at}","basis":"inclusive",
            "usage":{{"input_tokens":1000000}}}}"#
        )
    };
    check(&call("2025-06-09T23:59:59.999999Z"), "priced", Some("10"), "");
    check(&call("2025-06-10T00:00:00Z"), "priced", Some("2"), "");
    // The same instant, told in another zone.
    check(&call("2025-06-10T01:59:59+02:00"), "priced", Some("10"), "");
}

#[test]
fn price_follows_the_hour_of_the_day() {
    // DeepSeek Chat: $0.27 per million input from 00:30 to 16:30 UTC, half of it outside.
    let call = |at: &str| {
        format!(
            r#"{{"provider":"deepseek","model":"deepseek-chat","at":"{at}","basis":"inclusive",
            "usage":{{"input_tokens":1000000}}}}"#
        )
    };
    check(&call("2025-05-01T16:29:59Z"), "priced", Some("0.27"), "");
    check(&call("2025-05-01T16:30:00Z"), "priced", Some("0.135"), "");
    check(&call("2025-05-01T00:29:59Z"), "priced", Some("0.135"), "");
    check(&call("2025-05-01T00:30:00Z"), "priced", Some("0.27"), "");
}

#[test]
fn zero_is_a_price_and_missing_is_none() {
    check(
        r#"{"provider":"openrouter","model":"qwen/qwq-32b:free","at":"2026-11-20T00:00:00Z",
        "basis":"inclusive","usage":{"input_tokens":1000,"output_tokens":10}}"#,
        "priced",
        Some("0"),
        "",
    );
    check(
        r#"{"provider":"openai","model":"gpt-nobody","at":"2026-11-20T00:00:00Z",
        "basis":"inclusive","usage":{"input_tokens":1000}}"#,
        "unpriced",
        None,
        "unknown model: openai lists no `gpt-nobody`",
    );
    check(
        r#"{"provider":"acme","model":"acme-1","at":"2026-11-20T00:00:00Z",
        "basis":"inclusive","usage":{"input_tokens":1000}}"#,
        "unpriced",
        None,
        "unknown provider `acme`",
    );
}

#[test]
fn unit_without_a_price_makes_the_call_part_priced() {
    // An embedding model has a price for input only: 1,000,000 × $0.02. Output has none.
    check(
        r#"{"provider":"openai","model":"text-embedding-3-small","at":"2026-11-20T00:00:00Z",
        "basis":"inclusive","usage":{"input_tokens":1000000,"output_tokens":5}}"#,
        "part-priced",
        Some("0.02"),
        "no price for output_tokens",
    );
    check(
        r#"{"provider":"openai","model":"text-embedding-3-small","at":"2026-11-20T00:00:00Z",
        "basis":"inclusive","usage":{"input_tokens":1000000}}"#,
        "priced",
        Some("0.02"),
        "",
    );
}

#[test]
fn usage_that_contradicts_itself_is_refused() {
    check(
        r#"{"provider":"anthropic","model":"claude-sonnet-5","at":"2026-11-20T00:00:00Z",
        "basis":"inclusive","usage":{"input_tokens":10,"cache_read_tokens":11}}"#,
        "unpriced",
        None,
        "sum to 11, more than its 10",
    );
    check(
        r#"{"provider":"anthropic","model":"claude-sonnet-5","at":"2026-11-20T00:00:00Z",
        "basis":"inclusive","usage":{"input_tokens":-1}}"#,
        "unpriced",
        None,
        "input_tokens is -1, expected zero or more",
    );
    // Each part fits, together they do not: 6 + 5 > 10.
    check(
        r#"{"provider":"anthropic","model":"claude-sonnet-5","at":"2026-11-20T00:00:00Z",
        "basis":"inclusive",
        "usage":{"input_tokens":10,"cache_read_tokens":6,"cache_write_tokens":5}}"#,
        "unpriced",
        None,
        "sum to 11, more than its 10",
    );
}

#[test]
fn speech_is_charged_by_its_seconds_or_its_characters() {
    // whisper-1: $0.36 an hour. 60 s × 0.36 / 3,600 = 0.006, told as heard or as audio at all.
    for unit in ["input_audio_seconds", "audio_seconds"] {
        let call = format!(
            r#"{{"provider":"openai","model":"whisper-1","at":"2026-11-20T00:00:00Z",
            "basis":"inclusive","usage":{{"{unit}":60}}}}"#
        );
        let answer = check(&call, "priced", Some("0.006"), "");
        assert_eq!(answer["lines"].as_array().unwrap().len(), 1, "{answer}");
    }
    // tts-1: $15 a million characters. 1,000 × 15 / 10^6 = 0.015; the speech made has no price
    // beside them.
    check(
        r#"{"provider":"openai","model":"tts-1","at":"2026-11-20T00:00:00Z",
        "basis":"inclusive","usage":{"input_characters":1000,"output_audio_seconds":62}}"#,
        "priced",
        Some("0.015"),
        "audio_seconds have no price beside what is charged",
    );
    // Without them nothing is charged that could measure it.
    check(
        r#"{"provider":"openai","model":"tts-1","at":"2026-11-20T00:00:00Z",
        "basis":"inclusive","usage":{"output_audio_seconds":62}}"#,
        "unpriced",
        None,
        "no price for audio_seconds",
    );
    check(
        r#"{"provider":"openai","model":"tts-1","at":"2026-11-20T00:00:00Z",
        "basis":"inclusive","usage":{}}"#,
        "unpriced",
        None,
        "no usage was reported; input_characters are not known",
    );
}

#[test]
fn pages_are_charged_by_the_thousand_and_annotated_ones_apart() {
    // mistral-ocr-2512: $2 a thousand pages, $3 a thousand annotated ones.
    // 7 × 2 / 1,000 + 3 × 3 / 1,000 = 0.014 + 0.009
    check(
        r#"{"provider":"mistral_ai","model":"mistral-ocr-2512","at":"2026-11-20T00:00:00Z",
        "basis":"inclusive",
        "usage":{"input_document_pages":10,"input_annotated_document_pages":3}}"#,
        "priced",
        Some("0.023"),
        "",
    );
}

#[test]
fn searches_are_charged_beside_the_tokens() {
    // Claude Sonnet 5: 5 searches × $10 / 1,000 = 0.05; 1,000 input × 2 / 10^6 = 0.002
    let answer = check(
        r#"{"provider":"anthropic","model":"claude-sonnet-5","at":"2026-11-20T00:00:00Z",
        "basis":"inclusive","usage":{"input_tokens":1000,"web_searches":5}}"#,
        "priced",
        Some("0.052"),
        "",
    );
    assert_eq!(answer["input"], "0.002");
}

#[test]
fn region_of_a_bedrock_profile_has_its_uplift() {
    // Claude Sonnet 5 on Bedrock: $2 through the global profile, 10 % more through a regional one.
    for (profile, total) in [("global", "2"), ("us", "2.2")] {
        let call = format!(
            r#"{{"provider":"aws.bedrock","model":"{profile}.anthropic.claude-sonnet-5-v1:0",
            "at":"2026-11-20T00:00:00Z","basis":"inclusive","usage":{{"input_tokens":1000000}}}}"#
        );
        check(&call, "priced", Some(total), "");
    }
}

#[test]
fn provider_is_known_by_its_host_its_prefix_or_its_model_alone() {
    let call = |provider: &str, model: &str, host: &str| {
        format!(
            r#"{{"provider":{provider},"model":"{model}","at":"2026-11-20T00:00:00Z",
            "server_address":{host},"basis":"inclusive","usage":{{"input_tokens":1000000}}}}"#
        )
    };
    // Claude Sonnet 5 at $2 wherever it is found.
    check(&call("null", "claude-sonnet-5", "null"), "priced", Some("2"), "anthropic's own model");
    check(&call("\"litellm\"", "anthropic/claude-sonnet-5", "null"), "priced", Some("2"), "");
    // Through the OpenAI client, at another host.
    let answer = check(
        &call("\"openai\"", "anthropic/claude-sonnet-5", "\"openrouter.ai\""),
        "priced",
        Some("2"),
        "",
    );
    assert_eq!(answer["lines"][0]["model"], "anthropic/claude-sonnet-5");
    let azure = call("\"azure.ai.openai\"", "o3", "\"x.openai.azure.com\"");
    check(&azure, "priced", Some("2"), "");
    check(&call("\"vllm\"", "gpt-oss-20b", "null"), "unpriced", None, "vllm serves models");
}
