//! `spend`: what the calls cost at list price, with their tokens by leaf. Sums are exact decimals;
//! a call without a price is counted as such and never as zero (I-4, I-6).

use super::Question;
use super::params::Ask;
use crate::error::QueryError;

/// The question.
pub static QUESTION: Question = Question {
    name: "spend",
    about: "what calls cost, and for how many tokens of which kind",
    notes: &[
        "cost is list cost, an exact sum over priced and part-priced calls; null when none has a price",
        "amounts in different currencies are not added: cost is null and currency `mixed`, unless grouped by currency",
        "calls that a commitment covers cost 0, and allowances are not taken off: what is paid beside is told below, where there are any, and by `commitments`",
        "priced_share is the part of the calls whose whole usage has a price",
        "with as_of, every call is priced anew by what was believed of prices at that instant, whatever it was settled with",
    ],
    columns: &[
        ("cost", "currency"),
        ("currency", "ISO 4217"),
        ("calls", "calls"),
        ("priced_share", "ratio"),
        ("part_priced_calls", "calls"),
        ("unpriced_calls", "calls"),
        ("input_tokens", "tokens"),
        ("output_tokens", "tokens"),
        ("input_uncached_tokens", "tokens"),
        ("cache_read_tokens", "tokens"),
        ("cache_write_tokens", "tokens"),
        ("output_text_tokens", "tokens"),
        ("reasoning_tokens", "tokens"),
        ("input_audio_tokens", "tokens"),
        ("output_audio_tokens", "tokens"),
        ("input_image_tokens", "tokens"),
    ],
    by: &["model"],
    grain: true,
    whole: false,
    sql,
};

const TOKENS: [&str; 10] = [
    "input_tokens",
    "output_tokens",
    "input_uncached_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_text_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "input_image_tokens",
];

fn sql(ask: &Ask) -> Result<String, QueryError> {
    let keys = ask.keys();
    // Grouped by it, the currency is a key already.
    let by_currency = ask.by.contains(&"currency");
    let mut columns: Vec<String> =
        keys.iter().map(|(expr, name)| format!("{expr} AS \"{name}\"")).collect();
    columns.push("CASE WHEN min(currency) = max(currency) THEN sum(cost) END AS cost".to_owned());
    if !by_currency {
        columns.push(
            "CASE WHEN min(currency) = max(currency) THEN min(currency) \
             WHEN count(currency) > 0 THEN 'mixed' END AS currency"
                .to_owned(),
        );
    }
    columns.push("count(*) AS calls".to_owned());
    columns.push(
        "CAST(count(*) FILTER (WHERE price_state = 'priced') AS DOUBLE) / count(*) AS priced_share"
            .to_owned(),
    );
    for state in ["part-priced", "unpriced"] {
        let name = state.replace('-', "_");
        columns.push(format!("count(*) FILTER (WHERE price_state = '{state}') AS {name}_calls"));
    }
    columns.extend(TOKENS.iter().map(|leaf| format!("sum({leaf}) AS {leaf}")));
    let positions: Vec<_> = (1..=keys.len()).map(|i| i.to_string()).collect();
    // Without keys there is one row for all, or none when there are no calls.
    let group = if keys.is_empty() {
        "HAVING count(*) > 0".to_owned()
    } else {
        format!("GROUP BY {}", positions.join(", "))
    };
    let order: Vec<_> = keys
        .iter()
        .filter(|(_, name)| *name == "time")
        .map(|_| "\"time\"".to_owned())
        .chain(["cost DESC NULLS LAST".to_owned(), "calls DESC".to_owned()])
        .chain(ask.by.iter().map(|by| (*by).to_owned()))
        .collect();
    Ok(format!(
        "SELECT {}\nFROM {}\nWHERE {}\n{group}\nORDER BY {}",
        columns.join(",\n  "),
        ask.calls(),
        ask.conditions(ask.from, ask.to),
        order.join(", "),
    ))
}
