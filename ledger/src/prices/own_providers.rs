//! Providers of the users' own: the names and hosts by which calls are known to be theirs, and whose
//! prices they pass on. Takes what a `[[provider]]` states and gives rows; takes believed rows and the
//! book's rules, and gives rules by tenant. How a call finds its provider among these and the book's is
//! written at the top of `matching`.

use std::collections::BTreeMap;
use std::sync::Arc;

use spanledger_schemas::Money;

use super::clause::Clause;
use super::contract::Reading;
use super::entries::{Entry, Texts};
use super::genai::ProviderRule;
use super::row::{Kind, PriceRow};
use super::{PriceError, providers};
use crate::usage::Unit;

/// What a `[[provider]]` says: a row for each name, its id among them, for each host, and for each
/// provider whose prices it takes.
///
/// # Errors
/// When it names no provider, a key means nothing in it, or a name would be every name.
pub(super) fn stated(
    reading: &Reading<'_>,
    at: usize,
    entry: &Entry,
) -> Result<Vec<PriceRow>, PriceError> {
    reading.keys(Kind::ProviderName, entry)?;
    let id = entry.provider.as_deref().map(|id| id.trim().to_lowercase());
    let id = id.filter(|id| !id.is_empty() && id != "*");
    let id = id.ok_or_else(|| reading.wrong("`provider` is missing"))?;
    let book_id = |name: &str| -> String { providers::book_id(name).unwrap_or(name).to_owned() };
    let id: Arc<str> = book_id(&id).into();
    let listed = |texts: &Option<Texts>| texts.as_ref().map(Texts::each).unwrap_or_default();
    let mut names = vec![id.to_string()];
    names.extend(listed(&entry.aliases));
    let resells = listed(&entry.resells).iter().map(|name| book_id(name)).collect();
    let facts = [
        (Kind::ProviderName, names),
        (Kind::ProviderHost, listed(&entry.hosts)),
        (Kind::Resells, resells),
    ];
    let mut rows = Vec::new();
    for (kind, texts) in facts {
        for text in texts {
            if text.is_empty() || text == "*" {
                let reason = format!("{} is `{text}`, expected a name", kind.word());
                return Err(reading.wrong(reason));
            }
            let clause = match (text.strip_suffix('*'), text.strip_prefix('*')) {
                (Some(beginning), _) => Clause::StartsWith(beginning.to_owned()),
                (_, Some(end)) => Clause::EndsWith(end.to_owned()),
                _ => Clause::Equals(text.clone()),
            };
            rows.push(PriceRow {
                tenant: reading.tenant.into(),
                provider: Arc::clone(&id),
                model_name: text.into(),
                model_match: clause.to_json().to_string().into(),
                unit: Unit::ANY,
                per_quantity: 1,
                amount: Money::ZERO,
                // ISO 4217 for no currency.
                currency: "XXX".into(),
                context_from: None,
                time_window: None,
                service_tier: None,
                region: None,
                priority: at as i64,
                valid_from: None,
                valid_to: None,
                known_from: reading.now,
                known_to: None,
                kind,
                source: Arc::clone(reading.source),
                note: entry.note.as_deref().map(Arc::from),
            });
        }
    }
    Ok(rows)
}

/// A provider that a tenant has prices of, or states names for.
#[derive(Debug)]
pub(super) struct OwnProvider {
    pub(super) tenant: Arc<str>,
    /// The id, and whose prices it takes for models without a price of its own.
    pub(super) rule: ProviderRule,
    /// A `[[provider]]` states it: then no other provider's price is taken for its calls unasked.
    pub(super) declared: bool,
    names: Vec<Clause>,
    hosts: Vec<Clause>,
}

impl OwnProvider {
    /// Whether a name in lower case is one of its.
    pub(super) fn named(&self, name: &str) -> bool {
        *self.rule.id == *name || self.names.iter().any(|names| names.matches(name))
    }

    /// Whether a server address is one of its.
    pub(super) fn at(&self, server_address: &str) -> bool {
        if self.hosts.is_empty() {
            return false;
        }
        let host = host_of(server_address);
        self.hosts.iter().any(|hosts| hosts.matches(&host))
    }
}

/// The host of an address that may have a scheme, a port and a path, in lower case.
fn host_of(address: &str) -> String {
    let host = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host = host.split(['/', '?']).next().unwrap_or(host);
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => host,
    };
    host.to_lowercase()
}

/// The users' own providers, those of lower priority numbers first.
///
/// # Errors
/// When a clause cannot be read.
pub(super) fn own_providers(
    rows: &[PriceRow],
    rules: &[ProviderRule],
) -> Result<Vec<OwnProvider>, PriceError> {
    let mut places: Vec<usize> = (0..rows.len()).filter(|&at| rows[at].own()).collect();
    places.sort_by_key(|&at| rows[at].priority);
    let mut own: Vec<OwnProvider> = Vec::new();
    let mut known: BTreeMap<(Arc<str>, Arc<str>), usize> = BTreeMap::new();
    for row in places.into_iter().map(|at| &rows[at]) {
        if row.kind == Kind::ExchangeRate || &*row.provider == "*" {
            continue;
        }
        let key = (Arc::clone(&row.tenant), Arc::clone(&row.provider));
        let at = *known.entry(key).or_insert_with(|| {
            let of_book = rules.iter().find(|rule| rule.id == row.provider).cloned();
            own.push(OwnProvider {
                tenant: Arc::clone(&row.tenant),
                rule: of_book.unwrap_or_else(|| ProviderRule::named(Arc::clone(&row.provider))),
                declared: false,
                names: Vec::new(),
                hosts: Vec::new(),
            });
            own.len() - 1
        });
        let provider = &mut own[at];
        match row.kind {
            Kind::ProviderName => provider.names.push(clause(row)?),
            Kind::ProviderHost => provider.hosts.push(clause(row)?),
            Kind::Resells => provider.rule.fallback.push(Arc::clone(&row.model_name)),
            _ => continue,
        }
        provider.declared = true;
    }
    Ok(own)
}

fn clause(row: &PriceRow) -> Result<Clause, PriceError> {
    let place = || format!("{} {} of {}", row.kind.word(), row.model_name, row.provider);
    let json = serde_json::from_str(&row.model_match)
        .map_err(|e| PriceError::Book { place: place(), reason: e.to_string() })?;
    Clause::from_json(&json).map_err(|source| PriceError::Clause { place: place(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_of_an_address_is_found() {
        let check = |address: &str, host: &str| assert_eq!(host_of(address), host, "{address}");
        check("llm.acme.example", "llm.acme.example");
        check("LLM.acme.example:8443", "llm.acme.example");
        check("https://llm.acme.example/v1", "llm.acme.example");
        check("http://10.0.0.7:8000/v1/chat?x=1:2", "10.0.0.7");
        check("[::1]:8000", "[::1]");
    }
}
