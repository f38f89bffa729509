//! Reads LiteLLM's map of model prices (`model_prices_and_context_window.json`, MIT) as a second
//! opinion. Takes its JSON, gives prices in our units; what has no unit of ours is counted. It does
//! not become prices of the book: the map has no dates (that is what `check` compares).
//!
//! A key is a unit, then the context above which it holds, then the tier:
//! `input_cost_per_token` + `_above_200k_tokens` + `_batches`. Prices are in USD for one token.
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

/// The price keys that we have a unit for.
const UNITS: [(&str, &str); 13] = [
    ("cache_creation_input_token_cost_above_1hr", "cache_write_1h_tokens"),
    ("cache_creation_input_token_cost", "cache_write_tokens"),
    ("cache_creation_input_audio_token_cost", "cache_audio_write_tokens"),
    ("cache_read_input_token_cost", "cache_read_tokens"),
    ("cache_read_input_audio_token_cost", "cache_audio_read_tokens"),
    ("input_cost_per_audio_token", "input_audio_tokens"),
    ("input_cost_per_image_token", "input_image_tokens"),
    ("input_cost_per_character", "input_characters"),
    ("input_cost_per_token", "input_tokens"),
    ("output_cost_per_audio_token", "output_audio_tokens"),
    ("output_cost_per_image_token", "output_image_tokens"),
    ("output_cost_per_reasoning_token", "output_reasoning_tokens"),
    ("output_cost_per_token", "output_tokens"),
];

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
            if !key.contains("cost") || !value.is_number() {
                continue;
            }
            let Some((unit, context_from, service_tier)) = meaning(key) else {
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

fn meaning(key: &str) -> Option<(Unit, Option<i64>, Option<&'static str>)> {
    let tier = TIERS.iter().find(|(suffix, _)| key.ends_with(suffix));
    let key = tier.map_or(key, |(suffix, _)| &key[..key.len() - suffix.len()]);
    let (base, unit) = UNITS.iter().find(|(base, _)| key.starts_with(base))?;
    let context = match &key[base.len()..] {
        "" => None,
        rest => {
            let thousands = rest.strip_prefix("_above_")?.strip_suffix("k_tokens")?;
            Some(thousands.parse::<i64>().ok()?.checked_mul(1_000)?)
        }
    };
    Some((Unit::named(unit)?, context, tier.map(|(_, tier)| *tier)))
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
              "output_cost_per_second_1080p": 0.5}}"#;
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
            [("output_cost_per_second_1080p".to_owned(), 1)]
        );
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
