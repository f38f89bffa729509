//! `unmapped`: models that were seen and have no price, or no full one, by how much they were used,
//! with the reason and the nearest name that the price book lists. It sets no price.

use spanledger_ledger::prices::LACKS_USAGE;

use super::Question;
use super::params::Ask;
use crate::error::QueryError;

/// The question.
pub static QUESTION: Question = Question {
    name: "unmapped",
    about: "which models have no price, by usage, and what they may be meant to be",
    notes: &[
        "a call that lacks a count and no price is not unmapped: `doctor` says what to set",
        "the calls are those that are unpriced or part-priced as settled, or with as_of by what was believed of prices at that instant; their cost is unknown, not zero",
        "nearest is the listed model whose name is most alike, a hint for a person: it is no price; set one with `prices set`",
        "reason is one of the reasons, where there are several",
    ],
    columns: &[
        ("unpriced_calls", "calls"),
        ("part_priced_calls", "calls"),
        ("input_tokens", "tokens"),
        ("output_tokens", "tokens"),
        ("first_seen_at", ""),
        ("last_seen_at", ""),
        ("reason", ""),
        ("nearest", ""),
    ],
    by: &["provider", "model"],
    grain: false,
    whole: false,
    sql,
};

fn sql(ask: &Ask) -> Result<String, QueryError> {
    let keys = ask.keys();
    let mut columns: Vec<String> =
        keys.iter().map(|(expr, name)| format!("{expr} AS \"{name}\"")).collect();
    for state in ["unpriced", "part-priced"] {
        let name = state.replace('-', "_");
        columns.push(format!("count(*) FILTER (WHERE price_state = '{state}') AS {name}_calls"));
    }
    for tokens in ["input_tokens", "output_tokens"] {
        columns.push(format!("sum({tokens}) AS {tokens}"));
    }
    columns.push("min(started_at) AS first_seen_at".to_owned());
    columns.push("max(started_at) AS last_seen_at".to_owned());
    columns.push("min(price_reason) AS reason".to_owned());
    // Of a group of several models there is no one name to be near to.
    let one_model = ask.by.contains(&"model");
    let provider = if ask.by.contains(&"provider") { "provider" } else { "NULL" };
    let nearest = match one_model {
        true => format!("nearest_model(CAST({provider} AS VARCHAR), model)"),
        false => "CAST(NULL AS VARCHAR)".to_owned(),
    };
    columns.push(format!("{nearest} AS nearest"));
    let positions: Vec<_> = (1..=keys.len()).map(|i| i.to_string()).collect();
    let group = if keys.is_empty() {
        "HAVING count(*) > 0".to_owned()
    } else {
        format!("GROUP BY {}", positions.join(", "))
    };
    let order: Vec<_> = [
        "coalesce(input_tokens, 0) + coalesce(output_tokens, 0) DESC",
        "unpriced_calls + part_priced_calls DESC",
    ]
    .into_iter()
    .chain(ask.by.iter().copied())
    .collect();
    Ok(format!(
        "SELECT * FROM (\nSELECT {}\nFROM {}\nWHERE price_state <> 'priced' AND coalesce(price_reason, '') !~ '{LACKS_USAGE}' AND {}\n{group}\n) \
         AS unmapped\nORDER BY {}",
        columns.join(",\n  "),
        ask.calls(),
        ask.conditions(ask.from, ask.to),
        order.join(", "),
    ))
}
