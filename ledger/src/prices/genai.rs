//! Reads a book of genai-prices into price rows and provider rules. Takes its JSON in either
//! published form: `data.json` of the repository, or a dump of the Python package's data (which
//! has batch and tier prices besides). Amounts are read from the text of the numbers, never
//! through a float (I-4). It does not decide which book to believe (that is `bundled`).
//!
//! What becomes what:
//! - `prices` of a model, plain or a list of conditional prices of which the *last* that holds
//!   counts → sets of rows. Start dates are turned into disjoint validity; windows of the day get
//!   a lower `priority` number than what they override.
//! - `{base, tiers}` → one row per band; `context_from` is the tier's `start`, and the band holds
//!   for the whole call.
//! - `price_variants` → rows with a `service_tier` (`processing`, `service_tier`, `speed`) or a
//!   `region` (`route`). They override the standard rows unit by unit; of several for one unit
//!   the *first* that holds counts.
//! - a model named `…:free` without prices → zero for input and output. Any other model without
//!   prices gives no row: that it costs nothing is not said (I-6).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use spanledger_schemas::Money;

use super::PriceError;
use super::clause::Clause;
use super::row::{Micros, PriceRow};
use crate::limits::PRICE_DECIMALS_MAX;
use crate::usage::Unit;

/// What a book says.
#[derive(Debug, Default)]
pub struct Book {
    /// Prices, in the order of the book.
    pub rows: Vec<PriceRow>,
    /// How its providers are recognised, in the order of the book.
    pub providers: Vec<ProviderRule>,
    /// What we could not express, each with its place.
    pub skipped: Vec<String>,
}

/// How a provider is recognised.
#[derive(Debug, Clone)]
pub struct ProviderRule {
    /// The book's id.
    pub id: Arc<str>,
    /// Hosts of its API, as a pattern of the beginning of a URL.
    pub api_pattern: Option<regex::Regex>,
    /// Names a client may give the provider.
    pub provider_match: Option<Clause>,
    /// Models that are its own, wherever they are seen: what makes it a first party.
    pub model_match: Option<Clause>,
    /// Providers whose models and prices it resells.
    pub fallback: Vec<Arc<str>>,
}

impl ProviderRule {
    /// A provider that is known by its id alone.
    pub(super) fn named(id: Arc<str>) -> ProviderRule {
        ProviderRule {
            id,
            api_pattern: None,
            provider_match: None,
            model_match: None,
            fallback: Vec::new(),
        }
    }
}

/// The sources and dates that go into every row of a book.
#[derive(Debug, Clone)]
pub(super) struct Edition<'a> {
    /// Written into `source`.
    pub source: &'a str,
    /// Written into `known_from`.
    pub known_from: Micros,
}

/// Reads one book.
///
/// # Errors
/// When the JSON is not a book, or an amount or clause in it cannot be read.
pub(super) fn read(json: &[u8], edition: &Edition<'_>) -> Result<Book, PriceError> {
    let providers: Vec<Value> = serde_json::from_slice(json).map_err(|e| PriceError::Book {
        place: edition.source.to_owned(),
        reason: e.to_string(),
    })?;
    let mut book = Book::default();
    let source: Arc<str> = edition.source.into();
    for provider in &providers {
        let id: Arc<str> = text(provider, "id", edition.source)?.into();
        for model in list(provider, "models") {
            let name = text(model, "id", &id)?;
            let place = format!("{id}/{name}");
            let clause = Clause::from_json(&model["match"])
                .map_err(|source| PriceError::Clause { place: place.clone(), source })?;
            let template = PriceRow {
                tenant: super::SHARED_TENANT.into(),
                provider: Arc::clone(&id),
                model_name: name.into(),
                model_match: clause.to_json().to_string().into(),
                unit: Unit::INPUT,
                per_quantity: 1,
                amount: Money::ZERO,
                currency: "USD".into(),
                context_from: None,
                time_window: None,
                service_tier: None,
                region: None,
                priority: 0,
                valid_from: None,
                valid_to: None,
                known_from: edition.known_from,
                known_to: None,
                kind: super::row::Kind::Price,
                source: Arc::clone(&source),
                note: None,
            };
            read_model(model, &place, &template, &mut book)?;
        }
        book.providers.push(read_rule(provider, id)?);
    }
    Ok(book)
}

fn read_rule(provider: &Value, id: Arc<str>) -> Result<ProviderRule, PriceError> {
    let clause = |key: &str| match provider.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(json) => Clause::from_json(json)
            .map(Some)
            .map_err(|source| PriceError::Clause { place: format!("{id} {key}"), source }),
    };
    let api_pattern = provider
        .get("api_pattern")
        .and_then(Value::as_str)
        .map(|p| regex::Regex::new(&format!("^(?:{p})")))
        .transpose()
        .map_err(|e| PriceError::Book {
            place: format!("{id} api_pattern"),
            reason: e.to_string(),
        })?;
    let fallback = list(provider, "fallback_model_providers");
    Ok(ProviderRule {
        api_pattern,
        provider_match: clause("provider_match")?,
        model_match: clause("model_match")?,
        fallback: fallback.iter().filter_map(Value::as_str).map(Arc::from).collect(),
        id,
    })
}

/// A price list together with the condition it holds under.
struct Conditional<'a> {
    prices: &'a Value,
    start: Option<Micros>,
    window: Option<(Arc<str>, Arc<str>)>,
}

fn read_model(
    model: &Value,
    place: &str,
    template: &PriceRow,
    book: &mut Book,
) -> Result<(), PriceError> {
    let standard = match &model["prices"] {
        Value::Array(list) => {
            list.iter().map(|c| conditional(c, place)).collect::<Result<Vec<_>, _>>()?
        }
        prices => vec![Conditional { prices, start: None, window: None }],
    };
    let before = book.rows.len();
    for (at, this) in standard.iter().enumerate() {
        // The first counts where none holds, so it has no beginning.
        let valid_from = if at == 0 { None } else { this.start };
        let later = standard[at + 1..].iter().filter(|c| c.window.is_none());
        let valid_to = match this.window {
            // A window overrides; it does not end when a date comes.
            Some(_) => None,
            None => later.map(|c| c.start.unwrap_or(Micros::MIN)).min(),
        };
        if valid_to.is_some_and(|to| valid_from.unwrap_or(Micros::MIN) >= to) {
            continue;
        }
        let row = PriceRow {
            valid_from,
            valid_to,
            time_window: this.window.clone(),
            priority: (standard.len() - at) as i64,
            ..template.clone()
        };
        read_prices(this.prices, place, &row, book)?;
    }
    if book.rows.len() == before {
        if template.model_name.ends_with(":free") {
            for unit in [Unit::INPUT, Unit::OUTPUT] {
                book.rows.push(PriceRow {
                    unit,
                    per_quantity: unit.per_quantity(),
                    priority: 1,
                    note: Some("free by its name; the book lists it without prices".into()),
                    ..template.clone()
                });
            }
        } else {
            book.skipped.push(format!("{place}: listed without prices"));
        }
    }
    for (at, variant) in list(model, "price_variants").iter().enumerate() {
        read_variant(variant, at, place, template, book)?;
    }
    Ok(())
}

fn read_variant(
    variant: &Value,
    at: usize,
    place: &str,
    template: &PriceRow,
    book: &mut Book,
) -> Result<(), PriceError> {
    let this = conditional(variant, place)?;
    let when: BTreeMap<&str, &str> = variant["when"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
        .collect();
    let mut row = PriceRow {
        valid_from: this.start,
        time_window: this.window,
        priority: at as i64 + 1,
        ..template.clone()
    };
    for (&key, &value) in &when {
        match key {
            "processing" | "service_tier" | "speed" if row.service_tier.is_none() => {
                row.service_tier = Some(value.to_lowercase().into());
            }
            "route" => row.region = Some(value.to_lowercase().into()),
            _ => {
                book.skipped.push(format!("{place}: variant for {key} = {value}"));
                return Ok(());
            }
        }
    }
    read_prices(this.prices, place, &row, book)
}

fn conditional<'a>(json: &'a Value, place: &str) -> Result<Conditional<'a>, PriceError> {
    let constraint = &json["constraint"];
    let get = |key: &str| constraint.get(key).and_then(Value::as_str);
    let wrong = || PriceError::Book {
        place: place.to_owned(),
        reason: format!("constraint {constraint} is neither a start date nor a window of the day"),
    };
    let (start, window) = match (get("start_date"), get("start_time"), get("end_time")) {
        (Some(date), None, None) => (Some(midnight(date).ok_or_else(wrong)?), None),
        (None, Some(from), Some(to)) => {
            (None, Some((clock(from).ok_or_else(wrong)?, clock(to).ok_or_else(wrong)?)))
        }
        _ if constraint.is_null() => (None, None),
        _ => return Err(wrong()),
    };
    Ok(Conditional { prices: &json["prices"], start, window })
}

/// One row per unit and band of a price list.
fn read_prices(
    prices: &Value,
    place: &str,
    template: &PriceRow,
    book: &mut Book,
) -> Result<(), PriceError> {
    // The dump writes an empty price list as the text `ModelPrice()`.
    let Some(prices) = prices.as_object() else { return Ok(()) };
    for (key, value) in prices.iter().filter(|(key, _)| !key.starts_with("__")) {
        let Some(unit) = Unit::of_book_key(key) else {
            book.skipped.push(format!("{place}: price of unknown unit {key}"));
            continue;
        };
        let place = format!("{place} {key}");
        let bands = match value.get("base") {
            None => vec![(None, value)],
            Some(base) => {
                let mut bands = vec![(None, base)];
                for tier in list(value, "tiers") {
                    let start = tier["start"].to_string();
                    let start = start.trim_matches('"').parse().map_err(|_| PriceError::Book {
                        place: place.clone(),
                        reason: format!("tier starts at {start}, expected a whole number"),
                    })?;
                    bands.push((Some(start), &tier["price"]));
                }
                bands
            }
        };
        for (context_from, price) in bands {
            let (amount, note) = amount(price, &place)?;
            book.rows.push(PriceRow {
                unit,
                per_quantity: unit.per_quantity(),
                amount,
                context_from,
                note,
                ..template.clone()
            });
        }
    }
    Ok(())
}

/// An amount, exactly as its text says. Sources that publish float noise
/// (`0.041666666666666664`) would make a token cost more digits than money has: such amounts are
/// rounded half to even to [`PRICE_DECIMALS_MAX`] digits, and the note keeps the text.
fn amount(json: &Value, place: &str) -> Result<(Money, Option<Arc<str>>), PriceError> {
    let text = match json {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => {
            return Err(PriceError::Book {
                place: place.to_owned(),
                reason: format!("price is {other}, expected a number"),
            });
        }
    };
    price_of_text("price", &text, place)
}

/// The price that a text says for a key, and a remark when it had to be rounded to
/// [`PRICE_DECIMALS_MAX`] digits.
///
/// # Errors
/// When it is no decimal number, or below zero.
pub(super) fn price_of_text(
    key: &str,
    text: &str,
    place: &str,
) -> Result<(Money, Option<Arc<str>>), PriceError> {
    let (exact, _) = Money::parse_rounded(text)
        .map_err(|source| PriceError::Amount { place: place.to_owned(), source })?;
    if exact < Money::ZERO {
        return Err(PriceError::Book {
            place: place.to_owned(),
            reason: format!("{key} is {exact}, expected zero or more"),
        });
    }
    let rounded = price_decimals(exact);
    let note = (rounded != exact)
        .then(|| format!("published as {text}, rounded to {PRICE_DECIMALS_MAX} decimals").into());
    Ok((rounded, note))
}

/// Half to even on the last digit a price may have.
pub(super) fn price_decimals(exact: Money) -> Money {
    let step = 10i128.pow(18 - PRICE_DECIMALS_MAX);
    let (whole, rest) = (exact.0 / step, exact.0 % step);
    let up = rest * 2 > step || (rest * 2 == step && whole % 2 == 1);
    Money((whole + i128::from(up)) * step)
}

/// Midnight UTC of a date.
pub(super) fn midnight(date: &str) -> Option<Micros> {
    let date: jiff::civil::Date = date.parse().ok()?;
    let midnight = jiff::tz::TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    Some(midnight.as_microsecond())
}

/// `HH:MM` of a time of day in UTC, such as `00:30:00Z` or `00:30:00+00:00`.
pub(super) fn clock(time: &str) -> Option<Arc<str>> {
    let (clock, zone) = time.split_at_checked(8)?;
    let time: jiff::civil::Time = clock.parse().ok()?;
    let utc = matches!(zone, "Z" | "+00:00" | "");
    (utc && time.second() == 0).then(|| clock[..5].into())
}

fn list<'a>(json: &'a Value, key: &str) -> &'a [Value] {
    json.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(json: &'a Value, key: &str, place: &str) -> Result<&'a str, PriceError> {
    json.get(key).and_then(Value::as_str).ok_or_else(|| PriceError::Book {
        place: place.to_owned(),
        reason: format!("`{key}` is missing or not text"),
    })
}
