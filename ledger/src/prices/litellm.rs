//! Reads LiteLLM's map of model prices (`model_prices_and_context_window.json`, MIT) as a second
//! opinion. Takes its JSON, gives prices in our units; what has no unit of ours is counted. It does
//! not become prices of the book: the map has no dates (that is what `check` compares).
//!
//! A key is a unit, then the context above which it holds, then the tier:
//! `input_cost_per_token` + `_above_200k_tokens` + `_batches`. Prices are in USD for one token, image,
//! second, character, page or search. What some keys mean is said by the mode of the model, as
//! LiteLLM's own `cost_calculator.py` reads them:
//! - `input_cost_per_image` of a model that makes images is the price of an image made, unless the
//!   entry has one of those beside it;
//! - `input_cost_per_second` is of audio heard by a transcription, of all audio of a realtime model,
//!   and of rented throughput, which is no unit of a call, elsewhere; `output_cost_per_second` is of
//!   speech or video made, and of a transcription the same price said again;
//! - `input_cost_per_query` is a search of a reranking, else a request;
//! - `search_context_cost_per_query` is a web search where all sizes of context cost the same.
//!
//! The map writes 0 both for what is free and for what nobody looked up: 122 of its 4,552 models have no
//! other price (version 1.109.1), among them paid ones. A zero is a price only
//! 1. where the model's name says so: it ends in `free`, apart from the rest (`…:free`, `…-free`);
//! 2. for a part of the input or output (cached, audio, image, reasoning tokens), where the entry has a
//!    price above zero for all input or output: the part is included;
//! 3. for output of a mode that puts out no tokens (embedding, rerank, moderation), where the entry has a
//!    price above zero for input.
//!
//! Every other zero is perhaps unknown (I-6): it is told as such and compared with nothing.

use std::collections::BTreeMap;

use serde_json::Value;
use spanledger_schemas::Money;

use super::PriceError;
use crate::usage::Unit;

/// One price of the map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiteLlmPrice {
    /// Provider in LiteLLM's spelling, without the family of models after it.
    pub provider: String,
    /// Key of the model.
    pub model: String,
    /// What is priced.
    pub unit: Unit,
    /// Tier it holds for; `None` for the standard one.
    pub service_tier: Option<&'static str>,
    /// Input above which it holds.
    pub context_from: Option<i64>,
    /// Price of the unit's own quantity, in USD.
    pub amount: Money,
    /// It is a zero that may as well mean that nobody looked it up.
    pub perhaps_unknown: bool,
}

/// Whether a file is such a map: an object of models that name LiteLLM's own provider.
pub(super) fn is_map(json: &[u8]) -> bool {
    let map = serde_json::from_slice::<serde_json::Map<String, Value>>(json);
    map.is_ok_and(|map| map.values().any(|entry| entry.get("litellm_provider").is_some()))
}

/// The price keys that we have a unit for; where one begins another, the longer is first. Without a
/// unit, the mode says which ([`of_mode`]).
const UNITS: [(&str, &str); 27] = [
    ("cache_creation_input_token_cost_above_1hr", "cache_write_1h_tokens"),
    ("cache_creation_input_token_cost", "cache_write_tokens"),
    ("cache_creation_input_audio_token_cost", "cache_audio_write_tokens"),
    ("cache_read_input_token_cost", "cache_read_tokens"),
    ("cache_read_input_audio_token_cost", "cache_audio_read_tokens"),
    ("cache_read_input_image_token_cost", "cache_image_read_tokens"),
    ("input_cost_per_audio_token", "input_audio_tokens"),
    ("input_cost_per_image_token", "input_image_tokens"),
    ("input_cost_per_video_token", "input_video_tokens"),
    ("input_cost_per_token", "input_tokens"),
    ("output_cost_per_audio_token", "output_audio_tokens"),
    ("output_cost_per_image_token", "output_image_tokens"),
    ("output_cost_per_reasoning_token", "output_reasoning_tokens"),
    ("output_cost_per_token", "output_tokens"),
    ("input_cost_per_character", "input_characters"),
    ("input_cost_per_text_message", "input_text_messages"),
    ("input_cost_per_audio_per_second", "input_audio_seconds"),
    ("input_cost_per_video_per_second", "input_video_seconds"),
    ("output_cost_per_video_per_second", "output_video_seconds"),
    ("annotation_cost_per_page", "input_annotated_document_pages"),
    ("ocr_cost_per_page", "input_document_pages"),
    ("input_cost_per_request", "requests"),
    (IMAGE_IN, ""),
    (IMAGE_OUT, ""),
    (SECOND_IN, ""),
    (SECOND_OUT, ""),
    ("input_cost_per_query", ""),
];

const IMAGE_IN: &str = "input_cost_per_image";
const IMAGE_OUT: &str = "output_cost_per_image";
const SECOND_IN: &str = "input_cost_per_second";
const SECOND_OUT: &str = "output_cost_per_second";
const SEARCH: &str = "search_context_cost_per_query";

const TIERS: [(&str, &str); 3] =
    [("_batches", "batch"), ("_priority", "priority"), ("_flex", "flex")];

/// Reads the map: its prices, and how often each key without a unit of ours is met.
///
/// # Errors
/// When it is no such map, or a price is no number.
pub fn read(json: &[u8]) -> Result<(Vec<LiteLlmPrice>, BTreeMap<String, usize>), PriceError> {
    let wrong = |place: String, reason: String| PriceError::Book { place, reason };
    let map: serde_json::Map<String, Value> = serde_json::from_slice(json)
        .map_err(|e| wrong("LiteLLM's map".to_owned(), e.to_string()))?;
    let (mut prices, mut skipped) = (Vec::new(), BTreeMap::new());
    // The first entry explains the keys.
    for (model, entry) in map.iter().filter(|(model, _)| *model != "sample_spec") {
        let Some(provider) = entry["litellm_provider"].as_str() else { continue };
        // `vertex_ai-language-models` is Vertex AI.
        let provider = match provider.split_once('-') {
            Some(("vertex_ai" | "fireworks_ai", _)) => provider.split('-').next(),
            _ => provider.strip_prefix("text-completion-"),
        }
        .unwrap_or(provider);
        for (key, value) in entry.as_object().into_iter().flatten() {
            if !key.contains("cost") || !(value.is_number() || value.is_object()) {
                continue;
            }
            let (value, meaning) = match (key.as_str(), value) {
                (SEARCH, Value::Object(sizes)) => (one_price(sizes), search()),
                _ => (value.is_number().then_some(value), meaning(key, entry)),
            };
            if meaning == Meaning::SaidAlready {
                continue;
            }
            let (Some(value), Meaning::Price(unit, context_from, service_tier)) = (value, meaning)
            else {
                *skipped.entry(key.clone()).or_default() += 1;
                continue;
            };
            let place = || format!("LiteLLM's map, {model} {key}");
            let text = value.to_string();
            let (each, _) = Money::parse_rounded(&text)
                .map_err(|source| PriceError::Amount { place: place(), source })?;
            let amount = each
                .times(unit.per_quantity())
                .ok_or_else(|| wrong(place(), format!("price is {text}, out of range")))?;
            let perhaps_unknown = amount == Money::ZERO && !is_price(model, entry, unit);
            prices.push(LiteLlmPrice {
                provider: provider.to_owned(),
                model: model.clone(),
                unit,
                service_tier,
                context_from,
                amount,
                perhaps_unknown,
            });
        }
    }
    Ok((prices, skipped))
}

/// Modes that put out no tokens.
const SILENT: [&str; 3] = ["embedding", "rerank", "moderation"];

/// Whether a zero of an entry is a price, by the rule at the top.
fn is_price(model: &str, entry: &Value, unit: Unit) -> bool {
    let above_zero = |key: &str| entry[key].as_f64().is_some_and(|price| price > 0.0);
    let said = model.strip_suffix("free").is_some_and(|rest| rest.ends_with([':', '-', '_', '/']));
    let silent = entry["mode"].as_str().is_some_and(|mode| SILENT.contains(&mode));
    said || match unit {
        Unit::INPUT => false,
        Unit::OUTPUT => silent && above_zero("input_cost_per_token"),
        part if Unit::INPUT.contains(part) => above_zero("input_cost_per_token"),
        part if Unit::OUTPUT.contains(part) => above_zero("output_cost_per_token"),
        _ => false,
    }
}

/// What a key of an entry means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// A price of a unit, above so much input, of a tier.
    Price(Unit, Option<i64>, Option<&'static str>),
    /// What another key of the entry says.
    SaidAlready,
    /// Nothing that we have a unit for.
    None,
}

/// Searches of the web.
fn search() -> Meaning {
    Meaning::Price(Unit::WEB_SEARCHES, None, None)
}

/// The price that all sizes have; none where they differ.
fn one_price(sizes: &serde_json::Map<String, Value>) -> Option<&Value> {
    let first = sizes.values().next().filter(|price| price.is_number())?;
    sizes.values().all(|price| price == first).then_some(first)
}

fn meaning(key: &str, entry: &Value) -> Meaning {
    let tier = TIERS.iter().find(|(suffix, _)| key.ends_with(suffix));
    let key = tier.map_or(key, |(suffix, _)| &key[..key.len() - suffix.len()]);
    let Some((base, unit)) = UNITS.iter().find(|(base, _)| key.starts_with(base)) else {
        return Meaning::None;
    };
    let Ok(context_from) = above(&key[base.len()..]) else { return Meaning::None };
    let unit = match *unit {
        "" => match of_mode(base, entry) {
            Ok(unit) => unit,
            Err(meaning) => return meaning,
        },
        unit => Unit::named(unit),
    };
    let price = |unit| Meaning::Price(unit, context_from, tier.map(|(_, tier)| *tier));
    unit.map_or(Meaning::None, price)
}

/// The input above which a price holds, from what follows its unit.
fn above(rest: &str) -> Result<Option<i64>, ()> {
    if rest.is_empty() {
        return Ok(None);
    }
    let thousands = rest.strip_prefix("_above_").and_then(|rest| rest.strip_suffix("k_tokens"));
    let thousands = thousands.and_then(|text| text.parse::<i64>().ok());
    thousands.and_then(|thousands| thousands.checked_mul(1_000)).map(Some).ok_or(())
}

/// The unit of a key that the mode of its entry decides, by the rule at the top.
fn of_mode(base: &str, entry: &Value) -> Result<Option<Unit>, Meaning> {
    let mode = entry["mode"].as_str().unwrap_or_default();
    Ok(match (base, mode) {
        (IMAGE_IN, "image_generation" | "image_edit") if entry.get(IMAGE_OUT).is_none() => {
            Some(Unit::OUTPUT_IMAGES)
        }
        (IMAGE_IN, _) => Some(Unit::INPUT_IMAGES),
        // A piece of music is no image.
        (IMAGE_OUT, mode) => (mode != "audio_speech").then_some(Unit::OUTPUT_IMAGES),
        (SECOND_IN | SECOND_OUT, "audio_transcription") => {
            // The one above zero; heard seconds are not billed twice.
            let price = |key: &str| entry[key].as_f64().unwrap_or_default();
            let first = if price(SECOND_IN) > 0.0 { SECOND_IN } else { SECOND_OUT };
            let only = entry.get(SECOND_IN).is_none() || entry.get(SECOND_OUT).is_none();
            match only || base == first {
                true => Some(Unit::INPUT_AUDIO_SECONDS),
                false if price(base) == 0.0 || price(base) == price(first) => {
                    return Err(Meaning::SaidAlready);
                }
                false => None,
            }
        }
        (SECOND_IN, "realtime") => Some(Unit::AUDIO_SECONDS),
        (SECOND_OUT, "audio_speech") => Some(Unit::OUTPUT_AUDIO_SECONDS),
        (SECOND_OUT, "video_generation") => Unit::named("output_video_seconds"),
        ("input_cost_per_query", "rerank") => Some(Unit::RERANK_SEARCHES),
        ("input_cost_per_query", "search" | "embedding") => Some(Unit::REQUESTS),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_say_unit_context_and_tier() {
        let json = br#"{"sample_spec": {"litellm_provider": "x", "input_cost_per_token": 0},
            "gemini-x": {"litellm_provider": "vertex_ai-language-models", "mode": "chat",
              "input_cost_per_token": 1.25e-06,
              "input_cost_per_token_above_200k_tokens_batches": 1.25E-6,
              "cache_creation_input_token_cost_above_1hr": 6e-06,
              "output_cost_per_second_1080p": 0.5,
              "search_context_cost_per_query": {"search_context_size_low": 0.005,
                "search_context_size_high": 0.012}}}"#;
        let (prices, skipped) = read(json).unwrap();
        let told: Vec<_> = prices
            .iter()
            .map(|p| {
                (p.unit.name(), p.context_from, p.service_tier, p.amount.to_string(), &*p.provider)
            })
            .collect();
        // $0.00000125 a token is $1.25 a million.
        let price =
            |unit, from, tier, amount: &str| (unit, from, tier, amount.to_owned(), "vertex_ai");
        assert!(told.contains(&price("input_tokens", None, None, "1.25")), "{told:?}");
        assert!(told.contains(&price("input_tokens", Some(200_000), Some("batch"), "1.25")));
        assert!(told.contains(&price("cache_write_1h_tokens", None, None, "6")));
        assert_eq!(told.len(), 3);
        assert_eq!(
            skipped.into_iter().collect::<Vec<_>>(),
            [
                ("output_cost_per_second_1080p".to_owned(), 1),
                ("search_context_cost_per_query".to_owned(), 1)
            ]
        );
    }

    // Entries of the map of LiteLLM 1.109.1. Prices are of the unit's own quantity: 3,600 seconds,
    // 1,000 pages, searches or requests, a million characters, one image.
    #[test]
    fn prices_that_are_not_per_token_mean_what_the_mode_says() {
        let check = |entry: &str, expected: &[(&str, &str)]| {
            let json = format!(r#"{{"m": {{"litellm_provider": "x", {entry}}}}}"#);
            let (prices, skipped) = read(json.as_bytes()).unwrap();
            let told: Vec<_> = prices
                .iter()
                .filter(|p| p.service_tier.is_none())
                .map(|p| (p.unit.name(), p.amount.to_string()))
                .collect();
            let told: Vec<_> = told.iter().map(|(unit, amount)| (*unit, amount.as_str())).collect();
            assert_eq!(told, expected, "{entry}; {skipped:?}");
        };
        // whisper-1: 0.0001 × 3,600 = 0.36 an hour, once; groq's: 0.00003083 × 3,600 = 0.110988.
        let whisper = r#""mode": "audio_transcription", "input_cost_per_second": 0.0001,
                         "output_cost_per_second": 0.0001"#;
        check(whisper, &[("input_audio_seconds", "0.36")]);
        let groq = r#""mode": "audio_transcription", "input_cost_per_second": 3.083e-05,
                      "output_cost_per_second": 0.0"#;
        check(groq, &[("input_audio_seconds", "0.110988")]);
        // soniox/stt-async-v5: 0.0000277778 × 3,600 = 0.10000008.
        let soniox = r#""mode": "audio_transcription", "input_cost_per_second": 0.0,
                        "output_cost_per_second": 2.77778e-05"#;
        check(soniox, &[("input_audio_seconds", "0.10000008")]);
        // tts-1: $15 a million; gpt-4o-mini-tts: 0.00025 × 3,600 = 0.9; sora-2: 0.1 × 3,600 = 360.
        let speech = r#""mode": "audio_speech", "input_cost_per_character": 1.5e-05"#;
        check(speech, &[("input_characters", "15")]);
        let speech = r#""mode": "audio_speech", "output_cost_per_second": 0.00025"#;
        check(speech, &[("output_audio_seconds", "0.9")]);
        let video = r#""mode": "video_generation", "output_cost_per_video_per_second": 0.1"#;
        check(video, &[("output_video_seconds", "360")]);
        // aiml/dall-e-3; low/1024-x-1024/gpt-image-1.5, whose input is an image made.
        let image = r#""mode": "image_generation", "output_cost_per_image": 0.052"#;
        check(image, &[("output_images", "0.052")]);
        let image = r#""mode": "image_generation", "input_cost_per_image": 0.009"#;
        check(image, &[("output_images", "0.009")]);
        // gemini-3-pro-image has both; amazon.titan-embed-image-v1 reads images.
        let image = r#""mode": "image_generation", "input_cost_per_image": 0.0011,
                       "output_cost_per_image": 0.134"#;
        check(image, &[("input_images", "0.0011"), ("output_images", "0.134")]);
        let embedding = r#""mode": "embedding", "input_cost_per_image": 6e-05"#;
        check(embedding, &[("input_images", "0.00006")]);
        // mistral-ocr-latest: $4 and $5 a thousand pages.
        let pages = r#""mode": "ocr", "annotation_cost_per_page": 0.005, "ocr_cost_per_page": 0.004,
                       "ocr_cost_per_page_batches": 0.002"#;
        check(pages, &[("input_annotated_document_pages", "5"), ("input_document_pages", "4")]);
        check(r#""mode": "rerank", "input_cost_per_query": 0.001"#, &[("rerank_searches", "1")]);
        // 10 a thousand, whatever the size of the context.
        let search = r#""search_context_cost_per_query": {"search_context_size_low": 0.01,
                        "search_context_size_high": 0.01}"#;
        check(search, &[("web_searches", "10")]);
        // A month of throughput, and a clip of music.
        check(r#""mode": "chat", "input_cost_per_second": 0.011"#, &[]);
        check(r#""mode": "audio_speech", "output_cost_per_image": 0.06"#, &[]);
    }

    #[test]
    fn zero_is_a_price_only_where_the_entry_says_so() {
        let check = |model: &str, entry: &str, zeros: &[(&str, bool)]| {
            let json = format!(r#"{{"{model}": {{"litellm_provider": "x", {entry}}}}}"#);
            let (prices, _) = read(json.as_bytes()).unwrap();
            let mut told: Vec<_> = prices
                .iter()
                .filter(|p| p.amount == Money::ZERO)
                .map(|p| (p.unit.name(), p.perhaps_unknown))
                .collect();
            told.sort_unstable();
            assert_eq!(told, zeros, "{model} {entry}");
        };
        let nothing = r#""mode": "chat", "input_cost_per_token": 0.0, "output_cost_per_token": 0"#;
        let unknown = [("input_tokens", true), ("output_tokens", true)];
        check("deepseek-v3-2-251201", nothing, &unknown);
        check("freedom-1", nothing, &unknown);
        let free = [("input_tokens", false), ("output_tokens", false)];
        check("qwen3:free", nothing, &free);
        check("beam-free", nothing, &free);
        // Cache writes of OpenAI are included; an unread price of input is not.
        let chat = r#""mode": "chat", "input_cost_per_token": 2e-06, "output_cost_per_token": 0,
                      "cache_creation_input_token_cost": 0"#;
        check("gpt-x", chat, &[("cache_write_tokens", false), ("output_tokens", true)]);
        let part = r#""mode": "chat", "input_cost_per_token": 0, "cache_read_input_token_cost": 0"#;
        check("gpt-y", part, &[("cache_read_tokens", true), ("input_tokens", true)]);
        let embedding = r#""mode": "embedding", "input_cost_per_token": 1e-08,
                           "output_cost_per_token": 0.0"#;
        check("embed", embedding, &[("output_tokens", false)]);
    }
}
