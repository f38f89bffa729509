//! Overlaps and gaps among prices: two rows that hold for the same thing at the same time, and a
//! time between two rows in which neither holds; and, of what is new, models at zero for everything.
//! Takes rows, gives what is odd about them, named.
//! It mends nothing: of two that overlap the order at the top of `book` decides.

use std::collections::BTreeMap;

use spanledger_schemas::Money;

use super::row::{Kind, Micros, PriceRow};

/// Something odd about prices.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// `overlap`, `gap` or `zero`.
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
    let mut found = Vec::new();
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
    fn bundled_books_have_neither() {
        assert_eq!(findings(&bundled::history().unwrap(), Micros::MAX), []);
    }
}
