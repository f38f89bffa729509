//! What a model without a price may be meant to be: the nearest name that the book lists. Takes a
//! book and names, gives a suggestion for a person, never a price: a name that is near may cost ten
//! times as much.

use std::collections::HashMap;

use super::PriceBook;
use super::providers::{book_id, model_names};
use crate::limits::NEAREST_NAME_BYTES_MAX;

/// Below this share of common letter pairs a name suggests nothing.
const ALIKE_MIN: f64 = 0.5;

/// The model of the book whose name is most like it, as `provider/model`, those of the same
/// provider before others. Likeness is the Sørensen–Dice coefficient of the letter pairs (Dice 1945).
pub fn nearest(book: &PriceBook, provider: Option<&str>, model: &str) -> Option<String> {
    if model.len() > NEAREST_NAME_BYTES_MAX {
        return None;
    }
    let said = provider.map(str::to_lowercase);
    let said = said.as_deref().map(|name| book_id(name).unwrap_or(name));
    let asked: Vec<_> = model_names(model).iter().map(|name| pairs(bare(name))).collect();
    let mut best: Option<(f64, &str, &str)> = None;
    for (listed_by, name) in book.names() {
        let last = name.rsplit('/').next().unwrap_or(name);
        let listed = pairs(bare(&last.to_lowercase()));
        let alike = asked.iter().map(|asked| dice(asked, &listed)).fold(0.0, f64::max);
        // A provider's own model goes before the same name elsewhere.
        let score = alike + if said == Some(listed_by) { 0.2 } else { 0.0 };
        // Of two that are as alike the shorter one is the model and not a version of it.
        let order = |by: &'_ str, name: &'_ str| (name.len(), by.to_owned(), name.to_owned());
        let better = best.is_none_or(|(top, p, n)| {
            score > top || (score == top && order(listed_by, name) < order(p, n))
        });
        if alike >= ALIKE_MIN && better {
            best = Some((score, listed_by, name));
        }
    }
    best.map(|(_, provider, name)| format!("{provider}/{name}"))
}

/// A name without the date of its version: two dates are alike, whatever the models are.
fn bare(name: &str) -> &str {
    let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
    let is_date = |tail: &str| {
        tail.bytes().all(|b| b.is_ascii_digit() || b == b'-') && matches!(digits(tail), 4 | 6 | 8)
    };
    let cuts = name.match_indices(['-', '@']).map(|(at, _)| at);
    cuts.filter(|at| is_date(&name[at + 1..])).min().map_or(name, |at| &name[..at])
}

/// Pairs of letters and digits; what stands between words says nothing.
fn pairs(name: &str) -> HashMap<[u8; 2], usize> {
    let name: Vec<u8> = name.bytes().filter(u8::is_ascii_alphanumeric).collect();
    let mut pairs = HashMap::new();
    for pair in name.windows(2) {
        *pairs.entry([pair[0], pair[1]]).or_default() += 1;
    }
    pairs
}

fn dice(a: &HashMap<[u8; 2], usize>, b: &HashMap<[u8; 2], usize>) -> f64 {
    let count = |pairs: &HashMap<[u8; 2], usize>| pairs.values().sum::<usize>();
    let common: usize = a.iter().map(|(pair, n)| *n.min(b.get(pair).unwrap_or(&0))).sum();
    match count(a) + count(b) {
        0 => 0.0,
        all => 2.0 * common as f64 / all as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let book = PriceBook::bundled().unwrap();
        let check = |provider: Option<&str>, model: &str, expected: Option<&str>| {
            assert_eq!(nearest(&book, provider, model).as_deref(), expected, "{model}");
        };
        check(Some("openai"), "gpt-4o-minni", Some("openai/gpt-4o-mini"));
        check(Some("gcp.gemini"), "gemini-2.5-proo", Some("google/gemini-2.5-pro"));
        check(Some("anthropic"), "claude-sonnet-45", Some("anthropic/claude-sonnet-4-5"));
        check(Some("openai"), "gpt-4o-2026-01-01", Some("openai/gpt-4o"));
        check(Some("acme"), "zzz-qqq-xxx", None);
        check(None, "", None);
    }
}
