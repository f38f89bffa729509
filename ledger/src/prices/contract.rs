//! The user's own prices: reads `prices.toml`, or CSV with the same words as columns, into rows of
//! the price table. Numbers are read from their text, never through a float (I-4). It decides
//! nothing about which price wins: that is written at the top of `book`.
//!
//! ```toml
//! contract = "acme 2026"              # name of the source; `contract acme 2026` in the table
//! currency = "EUR"                    # of every entry that names none; USD when left out
//!
//! [[price]]                           # a negotiated price
//! provider = "openai"                 # the book's id, or any name that calls carry; "*": any
//! model = "gpt-4o"                    # as the book or the call calls it; `gpt-4o*` its beginning;
//!                                     # or match = { starts_with = "gpt-4o" }, as in genai-prices
//! unit = "input_tokens"               # any of `usage/unit.rs`; those beside tokens are listed below
//! amount = 2.10                       # per unit's own quantity: a million tokens, 1,000 searches
//! per = 1000000                       # another quantity
//! service_tier = "batch"              # left out: where nothing is said of the call's own; "*": any
//! region = "eu"                       # any when left out
//! context_from = 200000               # the whole call takes it above so many input tokens
//! time_from = "16:30"                 # daily window in UTC
//! time_to = "00:30"
//! valid_from = 2026-01-01             # midnight UTC, or an instant
//! valid_to = 2027-01-01               # first instant it no longer holds
//! note = "order form 7"
//!
//! [[discount]]                        # percent off the list prices of a provider or model
//! provider = "anthropic"
//! percent = 12.5
//!
//! [[commitment]]                      # provisioned throughput: the period is paid, not the call
//! provider = "azure"
//! model = "gpt-4o"
//! service_tier = "provisioned"
//! amount = 36.00
//! per = "hour"                        # hour, day, week, calendar month, or term: from valid_from
//!                                     # to valid_to
//!
//! [[allowance]]                       # the first units of a day or calendar month are free
//! provider = "google"
//! model = "gemini-2.5-flash"
//! unit = "web_searches"
//! quantity = 1500
//! per = "month"
//!
//! [[rate]]                            # 1 USD = 0.92 EUR
//! from = "USD"
//! to = "EUR"
//! rate = 0.92
//! valid_from = 2026-11-01
//!
//! [[provider]]                        # whose calls these are: a provider of your own, or the book's
//! provider = "acme"
//! aliases = ["acme-llm", "acme.*"]    # names that calls carry; CSV: apart by spaces
//! hosts = ["llm.acme.example", "*.acme.internal"]      # as `server_address` says
//! resells = ["openai"]                # models without a price of yours cost what these list
//! ```
//!
//! Units beside tokens, with the quantity that an amount is for where `per` is left out:
//!
//! | unit | per |
//! |---|---|
//! | `input_images` read, `output_images` made | 1 |
//! | `audio_seconds` of which `input_audio_seconds`, `output_audio_seconds`; `input_video_seconds`, `output_video_seconds`; `gpu_seconds` | 3,600: an hour |
//! | `input_characters` | 1,000,000 |
//! | `input_document_pages` of which `input_annotated_document_pages`; `input_text_messages` | 1,000 |
//! | `web_searches`, `social_searches`, `storage_searches`, `rerank_searches`, `code_executions`, `requests` | 1,000 |
//! | `input_pixels` | 1,000,000,000 |
//!
//! The narrowest unit that has a price is charged: where the book prices `input_audio_seconds`, as it
//! does of transcriptions, a price of yours for all `audio_seconds` does not replace that.
//!
//! No span says how long a GPU, or how many seconds of video, a call took: a call of a model that is
//! priced by these alone is unpriced, and says so. Quotes (`prices quote`) take their count as any other.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::Value;
use spanledger_schemas::Money;

use super::clause::Clause;
use super::entries::{self, BYTE_ORDER_MARK, Entry};
use super::genai::{clock, midnight, price_of_text};
use super::row::{Kind, Micros, PriceRow};
use super::{CONTRACT, MONTH, PriceError, own_providers, providers};
use crate::limits::{CONTRACT_BYTES_MAX, CONTRACT_ROWS_MAX};
use crate::usage::Unit;

/// How the file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `prices.toml`.
    Toml,
    /// One price a line, with the keys of `[[price]]` as columns, and `kind` for the other tables.
    Csv,
}

impl Form {
    /// The form of a text without a file name: the first line that is neither empty nor a comment is
    /// `[table]` or `key = value` in TOML, and names of columns in CSV.
    pub fn of(text: &str) -> Form {
        let mut lines = text.trim_start_matches(BYTE_ORDER_MARK).lines().map(str::trim);
        let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
        match first {
            Some(line) if !line.starts_with('[') && !line.contains('=') => Form::Csv,
            _ => Form::Toml,
        }
    }
}

/// What a file states.
#[derive(Debug)]
pub struct Contract {
    /// Written into `source`: `contract`, and the name.
    pub source: Arc<str>,
    /// Its rows, in the order of the file within each kind.
    pub rows: Vec<PriceRow>,
}

impl Contract {
    /// Whether it takes the place of an own row, as a draft: of what is stated of a provider whose
    /// prices it states too, of a rate of a currency for which it has one, of the names of a provider
    /// that it names.
    pub fn replaces(&self, row: &PriceRow) -> bool {
        let about = |kind: Kind| match kind {
            Kind::ProviderName | Kind::ProviderHost | Kind::Resells => 0,
            Kind::ExchangeRate => 1,
            _ => 2,
        };
        let same = |new: &PriceRow| {
            let of_it = match row.kind {
                Kind::ExchangeRate => new.model_name == row.model_name,
                _ => new.provider == row.provider || &*new.provider == "*",
            };
            about(new.kind) == about(row.kind) && of_it
        };
        row.own() && self.rows.iter().any(same)
    }
}

/// Reads a file; `name` is the source's name when the file gives none.
///
/// # Errors
/// When it is not of that form, or an entry lacks a key, has one too many or a value that is none.
pub fn read(
    bytes: &[u8],
    form: Form,
    tenant: &str,
    name: &str,
    now: Micros,
) -> Result<Contract, PriceError> {
    let wrong = |reason: String| PriceError::Book { place: format!("contract {name}"), reason };
    if bytes.len() > CONTRACT_BYTES_MAX {
        return Err(wrong(format!(
            "the file has {} bytes, expected at most {CONTRACT_BYTES_MAX}",
            bytes.len()
        )));
    }
    let file = entries::read(bytes, form).map_err(&wrong)?;
    let source: Arc<str> =
        format!("{CONTRACT} {}", file.contract.as_deref().unwrap_or(name)).into();
    let currency = file.currency.as_deref().unwrap_or("USD");
    let kinds = [
        (Kind::Price, file.price),
        (Kind::Discount, file.discount),
        (Kind::Commitment, file.commitment),
        (Kind::Allowance, file.allowance),
        (Kind::ExchangeRate, file.rate),
    ];
    let mut rows = Vec::new();
    for (at, entry) in file.provider.into_iter().enumerate() {
        let place = entry.place(&source, "provider", at);
        let reading = Reading { place: &place, tenant, source: &source, currency, now };
        rows.extend(own_providers::stated(&reading, at, &entry)?);
    }
    for (kind, entries) in kinds {
        for (at, entry) in entries.into_iter().enumerate() {
            let place = entry.place(&source, kind.word(), at);
            let reading = Reading { place: &place, tenant, source: &source, currency, now };
            rows.push(reading.row(kind, at, entry)?);
            if rows.len() > CONTRACT_ROWS_MAX {
                return Err(wrong(format!("more than {CONTRACT_ROWS_MAX} entries")));
            }
        }
    }
    Ok(Contract { source, rows })
}

/// For how much an entry holds. What names more goes first, then the order of the file.
#[derive(Clone, Copy)]
enum Breadth {
    /// Some hours of a day.
    Window,
    /// A model by its name.
    Model,
    /// Models by a pattern.
    Pattern,
    /// All models of a provider.
    Provider,
}

/// The priorities of a file are below this.
pub(super) const PRIORITIES: i64 = (Breadth::Provider as i64 + 1) * CONTRACT_ROWS_MAX as i64;

/// What every entry of a file has in common.
pub(super) struct Reading<'a> {
    pub(super) place: &'a str,
    pub(super) tenant: &'a str,
    pub(super) source: &'a Arc<str>,
    currency: &'a str,
    pub(super) now: Micros,
}

impl Reading<'_> {
    pub(super) fn wrong(&self, reason: impl Into<String>) -> PriceError {
        PriceError::Book { place: self.place.to_owned(), reason: reason.into() }
    }

    fn row(&self, kind: Kind, at: usize, mut entry: Entry) -> Result<PriceRow, PriceError> {
        self.keys(kind, &entry)?;
        for (key, text) in entry.names() {
            *text = text.trim().to_owned();
            if text.is_empty() {
                return Err(
                    self.wrong(format!("`{key}` is empty, expected a name, or no such key"))
                );
            }
        }
        if let Some(tokens) = entry.context_from.filter(|tokens| *tokens < 1) {
            return Err(self.wrong(format!("context_from is {tokens}, expected at least 1")));
        }
        let valid_from = self.instant("valid_from", entry.valid_from.as_deref())?;
        let valid_to = self.instant("valid_to", entry.valid_to.as_deref())?;
        if let (Some(from), Some(to)) = (valid_from, valid_to)
            && from >= to
        {
            return Err(self.wrong("valid_from is not before valid_to"));
        }
        let needs = |key: &str, value: &Option<String>| {
            value.clone().ok_or_else(|| self.wrong(format!("`{key}` is missing")))
        };
        let (provider, model_name, clause) = match kind {
            Kind::ExchangeRate => {
                let from = self.currency_code(&needs("from", &entry.from)?)?;
                let clause = Clause::Equals(from.to_lowercase());
                ("fx".to_owned(), from, clause)
            }
            _ => {
                let provider = needs("provider", &entry.provider)?.to_lowercase();
                let provider = providers::book_id(&provider).map_or(provider, str::to_owned);
                let any = kind == Kind::Discount;
                let (name, clause) = self.model(&entry, any)?;
                (provider, name, clause)
            }
        };
        let breadth = match &clause {
            Clause::Equals(_) => Breadth::Model,
            Clause::StartsWith(beginning) if beginning.is_empty() => Breadth::Provider,
            _ => Breadth::Pattern,
        };
        let unit = match (kind, entry.unit.as_deref()) {
            (Kind::Price | Kind::Allowance, None) => return Err(self.wrong("`unit` is missing")),
            (_, None) => Unit::ANY,
            (_, Some(name)) => Unit::named(name).ok_or_else(|| {
                self.wrong(format!(
                    "unit is `{name}`, expected one such as input_tokens, output_images, \
                     audio_seconds or gpu_seconds"
                ))
            })?,
        };
        let (key, number) = match kind {
            Kind::Discount => ("percent", &entry.percent),
            Kind::ExchangeRate => ("rate", &entry.rate),
            Kind::Allowance => ("quantity", &entry.quantity),
            _ => ("amount", &entry.amount),
        };
        let number =
            number.as_ref().ok_or_else(|| self.wrong(format!("`{key}` is missing")))?.to_string();
        let (amount, rounded) = price_of_text(key, &number, self.place)?;
        if kind == Kind::Discount && amount > Money::from_whole(100) {
            return Err(self.wrong(format!("percent is {amount}, expected at most 100")));
        }
        if kind == Kind::Allowance && amount.0 % Money::from_whole(1).0 != 0 {
            return Err(self.wrong(format!("quantity is {amount}, expected a whole number")));
        }
        if kind == Kind::ExchangeRate && amount == Money::ZERO {
            return Err(self.wrong("rate is 0, expected more"));
        }
        if kind == Kind::ExchangeRate && entry.from == entry.to {
            return Err(self.wrong("`from` and `to` are one currency, expected two"));
        }
        let currency = match kind {
            Kind::ExchangeRate => needs("to", &entry.to)?,
            _ => entry.currency.unwrap_or_else(|| self.currency.to_owned()),
        };
        let window = match (entry.time_from.as_deref(), entry.time_to.as_deref()) {
            (None, None) => None,
            (Some(from), Some(to)) => Some((self.clock(from)?, self.clock(to)?)),
            _ => return Err(self.wrong("time_from and time_to go together")),
        };
        let breadth = if window.is_some() { Breadth::Window } else { breadth };
        Ok(PriceRow {
            tenant: self.tenant.into(),
            provider: provider.into(),
            model_name: model_name.into(),
            model_match: clause.to_json().to_string().into(),
            unit,
            per_quantity: self.quantity(kind, unit, entry.per.as_ref(), valid_from, valid_to)?,
            amount,
            currency: self.currency_code(&currency)?.into(),
            context_from: entry.context_from,
            time_window: window,
            service_tier: entry.service_tier.map(|t| t.to_lowercase().into()),
            region: entry.region.map(|r| r.to_lowercase().into()),
            priority: at as i64 + breadth as i64 * CONTRACT_ROWS_MAX as i64,
            valid_from,
            valid_to,
            known_from: self.now,
            known_to: None,
            kind,
            source: Arc::clone(self.source),
            note: entry.note.map(Arc::from).or(rounded),
        })
    }

    /// Refuses keys that mean nothing for the kind: a typo must not be silence.
    pub(super) fn keys(&self, kind: Kind, entry: &Entry) -> Result<(), PriceError> {
        let price = matches!(kind, Kind::Price | Kind::Discounted);
        let free = kind == Kind::Allowance;
        let rate = kind == Kind::ExchangeRate;
        let named = kind == Kind::ProviderName;
        let word = if named { "provider" } else { kind.word() };
        let odd = [
            ("amount", entry.amount.is_some(), price || kind == Kind::Commitment),
            ("percent", entry.percent.is_some(), kind == Kind::Discount),
            ("rate", entry.rate.is_some(), rate),
            ("quantity", entry.quantity.is_some(), free),
            ("from", entry.from.is_some(), rate),
            ("to", entry.to.is_some(), rate),
            ("provider", entry.provider.is_some(), !rate),
            ("model", entry.model.is_some(), !rate && !named),
            ("match", entry.clause.is_some(), !rate && !named),
            ("unit", entry.unit.is_some(), price || free || kind == Kind::Discount),
            ("per", entry.per.is_some(), price || free || kind == Kind::Commitment),
            ("currency", entry.currency.is_some(), price || kind == Kind::Commitment),
            ("service_tier", entry.service_tier.is_some(), !rate && !named),
            ("region", entry.region.is_some(), !rate && !named),
            ("context_from", entry.context_from.is_some(), price),
            ("time_from", entry.time_from.is_some(), price),
            ("valid_from", entry.valid_from.is_some(), !named),
            ("valid_to", entry.valid_to.is_some(), !named),
            ("aliases", entry.aliases.is_some(), named),
            ("hosts", entry.hosts.is_some(), named),
            ("resells", entry.resells.is_some(), named),
        ];
        match odd.iter().find(|(_, there, allowed)| *there && !allowed) {
            Some((key, ..)) => Err(self.wrong(format!("`{key}` means nothing in a {word}"))),
            None => Ok(()),
        }
    }

    /// Name and clause of the models it holds for.
    fn model(&self, entry: &Entry, any: bool) -> Result<(String, Clause), PriceError> {
        let clause = match (&entry.model, &entry.clause) {
            (Some(_), Some(_)) => return Err(self.wrong("give `model` or `match`, not both")),
            (None, None) if any => Clause::StartsWith(String::new()),
            (None, None) => return Err(self.wrong("`model` or `match` is missing")),
            (Some(model), None) => match model.strip_suffix('*') {
                Some(beginning) => Clause::StartsWith(beginning.to_lowercase()),
                None => Clause::Equals(model.to_lowercase()),
            },
            (None, Some(json)) => Clause::from_json(json)
                .map_err(|source| PriceError::Clause { place: self.place.to_owned(), source })?,
        };
        let name = match &clause {
            Clause::Equals(name) => name.clone(),
            Clause::StartsWith(name) => format!("{name}*"),
            _ => clause.to_json().to_string(),
        };
        Ok((name, clause))
    }

    fn quantity(
        &self,
        kind: Kind,
        unit: Unit,
        per: Option<&Value>,
        from: Option<Micros>,
        to: Option<Micros>,
    ) -> Result<i64, PriceError> {
        let odd = |found: &Value, expected: &str| {
            Err(self.wrong(format!("per is {found}, expected {expected}")))
        };
        if kind == Kind::Allowance {
            let per = per.ok_or_else(|| self.wrong("`per` is missing"))?;
            return match per.as_str() {
                Some("day") => Ok(86_400),
                Some("month") => Ok(MONTH),
                _ => odd(per, "day or month"),
            };
        }
        if kind == Kind::Commitment {
            let per = per.ok_or_else(|| self.wrong("`per` is missing"))?;
            return match per.as_str() {
                Some("hour") => Ok(3_600),
                Some("day") => Ok(86_400),
                Some("week") => Ok(604_800),
                Some("month") => Ok(MONTH),
                Some("term") => match (from, to) {
                    (Some(from), Some(to)) if to - from >= 1_000_000 => Ok((to - from) / 1_000_000),
                    _ => Err(self.wrong("a price of the term needs valid_from and valid_to")),
                },
                _ => odd(per, "hour, day, week, month or term"),
            };
        }
        let Some(per) = per else { return Ok(unit.per_quantity()) };
        let text = per.as_str().map_or_else(|| per.to_string(), str::to_owned);
        match text.parse::<i64>() {
            Ok(quantity) if quantity > 0 => Ok(quantity),
            _ => odd(per, "a whole number above zero"),
        }
    }

    fn instant(&self, key: &str, text: Option<&str>) -> Result<Option<Micros>, PriceError> {
        let Some(text) = text else { return Ok(None) };
        let instant = || Some(text.parse::<jiff::Timestamp>().ok()?.as_microsecond());
        let at = if text.len() == 10 { midnight(text) } else { instant() };
        at.map(Some).ok_or_else(|| {
            self.wrong(format!("{key} is `{text}`, expected 2026-11-01 or 2026-11-01T08:00:00Z"))
        })
    }

    fn clock(&self, text: &str) -> Result<Arc<str>, PriceError> {
        let whole = if text.len() == 5 { format!("{text}:00") } else { text.to_owned() };
        clock(&whole).ok_or_else(|| self.wrong(format!("time is `{text}`, expected HH:MM in UTC")))
    }

    fn currency_code(&self, text: &str) -> Result<String, PriceError> {
        let code = text.trim().to_uppercase();
        if code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()) {
            return Ok(code);
        }
        Err(self.wrong(format!("currency is `{text}`, expected a code such as EUR")))
    }
}
