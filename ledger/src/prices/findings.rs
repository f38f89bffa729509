//! Overlaps and gaps among prices: two rows that hold for the same thing at the same time, and a
//! time between two rows in which neither holds; and, of what is new, models at zero for everything,
//! and names that the book does not know.
//! Takes rows, gives what is odd about them, named.
//! It mends nothing: of two that overlap the order at the top of `book` decides.

use std::collections::{BTreeMap, BTreeSet};

use spanledger_schemas::Money;

use super::PriceBook;
use super::clause::Clause;
use super::models::{Window, minutes, within};
use super::nearest::nearest;
use super::row::{Kind, Micros, PriceRow};

/// Something odd about prices.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// `overlap`, `gap`, `zero` or `unknown`.
    pub kind: &'static str,
    /// Source, provider, model, unit and condition.
    pub place: String,
    /// The time it is about, and what the rows say.
    pub detail: String,
}

/// What is odd among the rows believed at an instant, in the order of their places.
pub fn findings(rows: &[PriceRow], at: Micros) -> Vec<Finding> {
    let mut same: BTreeMap<String, Vec<&PriceRow>> = BTreeMap::new();
    let looked_at = |r: &&PriceRow| r.believed_at(at) && r.kind != Kind::Discounted;
    for row in rows.iter().filter(looked_at) {
        same.entry(place(row)).or_default().push(row);
    }
    let mut found = windows_that_overlap(&same);
    found.extend(gaps_of_rates(&same));
    for (place, mut rows) in same {
        rows.sort_by_key(|r| (r.valid_from, r.valid_to));
        // The end of what held so far.
        let mut last = rows[0];
        for row in &rows[1..] {
            if last.overlaps(row) && last.id() != row.id() {
                found.push(Finding {
                    kind: "overlap",
                    place: place.clone(),
                    detail: format!(
                        "{} ({}, {}) and {} ({}, {})",
                        last.amount,
                        span(last),
                        last.source,
                        row.amount,
                        span(row),
                        row.source
                    ),
                });
            }
            if let (Some(to), Some(from)) = (last.valid_to, row.valid_from)
                && to < from
                && row.kind != Kind::ExchangeRate
            {
                found.push(Finding {
                    kind: "gap",
                    place: place.clone(),
                    detail: format!("no row holds from {} to {}", instant(to), instant(from)),
                });
            }
            let ends_later = match (last.valid_to, row.valid_to) {
                (Some(before), Some(after)) => before < after,
                (before, _) => before.is_some(),
            };
            if ends_later {
                last = row;
            }
        }
    }
    found
}

/// Times between exchange rates of two currencies in which none holds. Of rates that hold at once the
/// newest counts, so that one that begins later follows an open one.
fn gaps_of_rates(same: &BTreeMap<String, Vec<&PriceRow>>) -> Vec<Finding> {
    let mut pairs: BTreeMap<(&str, &str, &str), Vec<&PriceRow>> = BTreeMap::new();
    let is_rate = |row: &&&PriceRow| row.kind == Kind::ExchangeRate;
    for row in same.values().flatten().filter(is_rate) {
        pairs.entry((&row.tenant, &row.model_name, &row.currency)).or_default().push(row);
    }
    let mut found = Vec::new();
    for ((tenant, from, to), mut rates) in pairs {
        rates.sort_by_key(|rate| rate.valid_from);
        // The end of what held so far; none when it holds for ever.
        let mut end = rates.first().and_then(|rate| rate.valid_to);
        for rate in rates.iter().skip(1) {
            let (Some(ended), Some(begins)) = (end, rate.valid_from) else { continue };
            if ended < begins {
                found.push(Finding {
                    kind: "gap",
                    place: format!("{} of {tenant}: rate of {from} to {to}", super::CONTRACT),
                    detail: format!("no rate holds from {} to {}", instant(ended), instant(begins)),
                });
            }
            end = rate.valid_to.map(|to| to.max(ended));
        }
    }
    found
}

/// Own rows of the same thing whose daily windows are two that have minutes in common.
fn windows_that_overlap(same: &BTreeMap<String, Vec<&PriceRow>>) -> Vec<Finding> {
    let mut daily: BTreeMap<String, Vec<&PriceRow>> = BTreeMap::new();
    let windowed = |row: &&&PriceRow| row.own() && row.time_window.is_some();
    for row in same.values().flatten().filter(windowed) {
        daily
            .entry(place(&PriceRow { time_window: None, ..(*row).clone() }))
            .or_default()
            .push(row);
    }
    let mut found = Vec::new();
    for (place, rows) in daily {
        for (i, row) in rows.iter().enumerate() {
            let window =
                |row: &PriceRow| row.time_window.as_ref().and_then(|(from, to)| minutes(from, to));
            let (Some(a), Some(mine)) = (&row.time_window, window(row)) else { continue };
            let clashes = |other: &&&PriceRow| {
                // One begins inside the other.
                let clash = |theirs: Window| within(mine, theirs.0) || within(theirs, mine.0);
                row.time_window != other.time_window
                    && row.overlaps(other)
                    && window(other).is_some_and(clash)
            };
            for other in rows[i + 1..].iter().filter(clashes) {
                let Some(b) = &other.time_window else { continue };
                found.push(Finding {
                    kind: "overlap",
                    place: place.clone(),
                    detail: format!(
                        "{} (daily {} to {}, {}) and {} (daily {} to {}, {}): the first holds",
                        row.amount, a.0, a.1, row.source, other.amount, b.0, b.1, other.source
                    ),
                });
            }
        }
    }
    found
}

/// What was learned at an instant of providers and models that the book does not know: meant, where
/// calls say these names, or misspelt.
pub(super) fn unknown(book: &PriceBook, rows: &[PriceRow], learned: Micros) -> Vec<Finding> {
    let mut named: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
    let stated = |row: &&PriceRow| {
        let kinds = [Kind::Price, Kind::Discount, Kind::Commitment, Kind::Allowance];
        row.own()
            && row.known_from == learned
            && row.known_to.is_none()
            && kinds.contains(&row.kind)
    };
    for row in rows.iter().filter(stated).filter(|row| &*row.provider != "*") {
        named.insert((&row.provider, &row.model_name, &row.model_match));
    }
    let ours = |provider: &str| {
        rows.iter().any(|r| {
            r.kind == Kind::ProviderName && &*r.provider == provider && r.known_to.is_none()
        })
    };
    let mut found: Vec<Finding> = Vec::new();
    for (provider, model, clause) in named.into_iter().filter(|(provider, ..)| !ours(provider)) {
        if !book.knows_provider(provider) {
            let place = format!("provider {provider}");
            if found.last().is_none_or(|last| last.place != place) {
                let detail = "the book has no such provider: calls are meant that name it so";
                found.push(Finding { kind: "unknown", place, detail: detail.to_owned() });
            }
            continue;
        }
        let clause =
            serde_json::from_str(clause).ok().and_then(|json| Clause::from_json(&json).ok());
        if clause.is_some_and(|clause| !book.lists(provider, &clause)) {
            let near = nearest(book, Some(provider), model.trim_end_matches('*'));
            let near = near.map(|near| format!("; it lists {near}")).unwrap_or_default();
            found.push(Finding {
                kind: "unknown",
                place: format!("{provider}/{model}"),
                detail: format!(
                    "the book has no such model: calls are meant that name it so{near}"
                ),
            });
        }
    }
    found
}

/// Models that cost nothing for any unit since something of them was learned at an instant: free, or
/// meant to be unknown. What a name says (`…:free`) is not doubted.
pub(super) fn all_zero(rows: &[PriceRow], learned: Micros) -> Vec<Finding> {
    let mut models: BTreeMap<(&str, &str), (bool, bool)> = BTreeMap::new();
    let believed = |row: &&PriceRow| row.kind == Kind::Price && row.known_to.is_none();
    for row in rows.iter().filter(believed).filter(|row| !row.model_name.ends_with("free")) {
        let key = (&*row.provider, &*row.model_name);
        let (zero, new) = models.entry(key).or_insert((true, false));
        *zero &= row.amount == Money::ZERO;
        *new |= row.known_from == learned;
    }
    let odd = models.into_iter().filter(|(_, (zero, new))| *zero && *new);
    odd.map(|((provider, model), _)| Finding {
        kind: "zero",
        place: format!("{provider}/{model}"),
        detail: "every price is 0, so its calls are free: leave it out if its price is not known"
            .to_owned(),
    })
    .collect()
}

/// What a row is about. The book's own order (`priority`) tells its rows apart on purpose; a rate
/// that begins later follows an open one on purpose, too.
fn place(row: &PriceRow) -> String {
    let mut text = format!("{}/{} {}", row.provider, row.model_name, row.unit);
    if row.kind != Kind::Price {
        text = format!("{} {text}", row.kind.word());
    }
    if row.own() {
        text = format!("{} of {}: {text}", super::CONTRACT, row.tenant);
    } else {
        text.push_str(&format!(", list {}", row.priority));
    }
    if let Some(tier) = &row.service_tier {
        text.push_str(&format!(", tier {tier}"));
    }
    if let Some(region) = &row.region {
        text.push_str(&format!(", region {region}"));
    }
    if let Some(tokens) = row.context_from {
        text.push_str(&format!(", input over {tokens}"));
    }
    if let Some((from, to)) = &row.time_window {
        text.push_str(&format!(", daily {from} to {to}"));
    }
    if row.kind == Kind::ExchangeRate {
        let begins = row.valid_from.map_or_else(|| "always".to_owned(), instant);
        text.push_str(&format!(" to {} from {begins}", row.currency));
    }
    text
}

fn span(row: &PriceRow) -> String {
    let from = row.valid_from.map_or_else(|| "ever".to_owned(), instant);
    let to = row.valid_to.map_or_else(|| "ever".to_owned(), instant);
    format!("{from} to {to}")
}

fn instant(at: Micros) -> String {
    jiff::Timestamp::from_microsecond(at).map_or_else(|_| at.to_string(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::bundled;
    use super::super::contract::{Form, read};
    use super::*;

    fn check(entries: &[(&str, &str)], expected: &[(&str, &str)]) {
        let entry = |(from, to): &(&str, &str)| {
            format!(
                "[[price]]\nprovider = \"openai\"\nmodel = \"m\"\nunit = \"input_tokens\"\n\
                 amount = 1\nvalid_from = {from}\nvalid_to = {to}\n"
            )
        };
        let text: String = entries.iter().map(entry).collect();
        let rows = read(text.as_bytes(), Form::Toml, "default", "c", 0).unwrap().rows;
        let found = findings(&rows, 0);
        let found: Vec<_> = found.iter().map(|f| (f.kind, f.detail.as_str())).collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((kind, detail), (k, d)) in found.iter().zip(expected) {
            assert!(kind == k && detail.contains(d), "{found:?}");
        }
    }

    #[test]
    fn overlaps_and_gaps_are_named_with_their_time() {
        let (jan, feb, mar, apr) = ("2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01");
        check(&[(jan, feb), (feb, mar)], &[]);
        let gap = "no row holds from 2026-02-01T00:00:00Z to 2026-03-01T00:00:00Z";
        check(&[(jan, feb), (mar, apr)], &[("gap", gap)]);
        check(&[(jan, mar), (feb, apr)], &[("overlap", "2026-02-01T00:00:00Z to 2026-04-01")]);
        // What lies inside another is no end of it: no gap before April.
        check(&[(jan, apr), (feb, mar)], &[("overlap", "2026-02-01")]);
    }

    #[test]
    fn gaps_of_exchange_rates_are_named() {
        let rate = |from: &str, to: Option<&str>| {
            let end = to.map(|to| format!("valid_to = {to}\n")).unwrap_or_default();
            format!(
                "[[rate]]\nfrom = \"USD\"\nto = \"EUR\"\nrate = 0.9\nvalid_from = {from}\n{end}"
            )
        };
        let found = |text: &str| -> Vec<String> {
            let rows = read(text.as_bytes(), Form::Toml, "default", "c", 0).unwrap().rows;
            findings(&rows, 0).into_iter().map(|f| f.detail).collect()
        };
        let (jan, feb, mar) = ("2026-01-01", "2026-02-01", "2026-03-01");
        assert_eq!(found(&(rate(jan, Some(feb)) + &rate(feb, None))), [""; 0]);
        assert_eq!(found(&(rate(jan, None) + &rate(mar, None))), [""; 0]);
        let gap = "no rate holds from 2026-02-01T00:00:00Z to 2026-03-01T00:00:00Z";
        assert_eq!(found(&(rate(jan, Some(feb)) + &rate(mar, None))), [gap]);
    }

    #[test]
    fn windows_that_overlap_and_names_that_nobody_knows_are_named() {
        let price =
            |rest: &str| format!("[[price]]\nunit = \"input_tokens\"\namount = 1\n{rest}\n");
        let named = "provider = \"openai\"\nmodel = \"gpt-4o\"\n";
        let daily = |from: &str, to: &str| {
            price(&format!("{named}time_from = \"{from}\"\ntime_to = \"{to}\""))
        };
        let rows = |text: &str| read(text.as_bytes(), Form::Toml, "default", "c", 7).unwrap().rows;
        let count = |text: &str| findings(&rows(text), 7).len();
        assert_eq!(count(&(daily("08:00", "16:00") + &daily("15:00", "20:00"))), 1);
        assert_eq!(count(&(daily("08:00", "16:00") + &daily("16:00", "20:00"))), 0);
        // Across midnight.
        assert_eq!(count(&(daily("22:00", "06:00") + &daily("05:00", "07:00"))), 1);

        let book = PriceBook::bundled().unwrap();
        let places = |text: &str| -> Vec<String> {
            unknown(&book, &rows(text), 7).into_iter().map(|f| f.place).collect()
        };
        let of = |provider: &str, model: &str| {
            price(&format!("provider = \"{provider}\"\nmodel = \"{model}\""))
        };
        assert_eq!(places(&of("opnai", "gpt-4o")), ["provider opnai"]);
        assert_eq!(places(&of("openai", "gpt-4oo")), ["openai/gpt-4oo"]);
        assert_eq!(places(&(of("openai", "gpt-4o-2024-08-06") + &of("openai", "gpt-4*"))), [""; 0]);
        let declared = "[[provider]]\nprovider = \"acme\"\n".to_owned() + &of("acme", "a-1");
        assert_eq!(places(&declared), [""; 0]);
    }

    #[test]
    fn bundled_books_have_neither() {
        assert_eq!(findings(&bundled::history().unwrap(), Micros::MAX), []);
    }
}
