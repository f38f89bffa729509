//! `what-if`: what the calls that were made would have cost otherwise: under another model, provider
//! or tier, under a draft of a contract, or by the prices of another day. Every call is priced anew,
//! exactly; no average stands for it. It takes the usage as it was: another model may count tokens
//! otherwise.

use super::Question;
use super::params::{Ask, text};
use crate::error::QueryError;

/// The question.
pub static QUESTION: Question = Question {
    name: "what-if",
    about: "what past calls would have cost under another model, provider, tier or contract",
    notes: &[
        "costs are exact sums over the compared calls: those that have a price as settled and as supposed, in one currency; the others are counted apart",
        "usage is taken as it was: another model may count the tokens of the same text otherwise, cache otherwise and answer at another length",
        "with to_model alone, the model is priced at its first party; name to_provider for a reseller",
        "as settled is what the calls cost by the prices they were settled with",
        "a draft takes the place of what contracts state of the providers whose prices it states, and goes before the rest of them",
    ],
    columns: &[
        ("cost", "currency"),
        ("what_if_cost", "currency"),
        ("difference", "currency"),
        ("currency", "ISO 4217"),
        ("calls", "calls"),
        ("compared_calls", "calls"),
        ("part_priced_calls", "calls"),
        ("unpriced_calls", "calls"),
        ("unpriced_reason", ""),
    ],
    by: &["model"],
    grain: true,
    whole: false,
    sql,
};

fn sql(ask: &Ask) -> Result<String, QueryError> {
    let given = [&ask.to_provider, &ask.to_model, &ask.to_tier, &ask.draft];
    if given.iter().all(|given| given.is_none()) && ask.as_of.is_none() {
        return Err(QueryError::Parameter {
            what: "what-if".to_owned(),
            found: "nothing supposed".to_owned(),
            expected: "one of to_model, to_provider, to_tier, draft, as_of".to_owned(),
        });
    }
    let null = || "CAST(NULL AS VARCHAR)".to_owned();
    let mut instead: Vec<(&str, String)> = Vec::new();
    if let Some(model) = &ask.to_model {
        instead.push(("request_model", text(model)));
        instead.push(("response_model", null()));
    }
    if ask.to_model.is_some() || ask.to_provider.is_some() {
        // Who answered, and where, says nothing about the other provider.
        instead.push(("provider", ask.to_provider.as_deref().map_or_else(null, text)));
        instead.push(("server_address", null()));
        instead.push(("region", null()));
    }
    if let Some(tier) = &ask.to_tier {
        instead.push(("service_tier", text(tier)));
    }
    let keys = ask.keys();
    let named: Vec<String> =
        keys.iter().map(|(expr, name)| format!("{expr} AS \"{name}\"")).collect();
    // The settled cost stands beside the supposed one.
    let compared = "cost IS NOT NULL AND supposed['cost'] IS NOT NULL \
                    AND currency = supposed['currency']";
    let sum = |amount: &str| {
        format!(
            "CASE WHEN min(currency) FILTER (WHERE {compared}) = max(currency) FILTER (WHERE {compared}) \
             THEN sum({amount}) FILTER (WHERE {compared}) END"
        )
    };
    let mut columns = named;
    columns.push(format!("{} AS cost", sum("cost")));
    columns.push(format!("{} AS what_if_cost", sum("supposed['cost']")));
    columns.push(format!("{} AS difference", sum("supposed['cost'] - cost")));
    let by_currency = ask.by.contains(&"currency");
    if !by_currency {
        columns.push(format!(
            "CASE WHEN min(currency) FILTER (WHERE {compared}) = max(currency) FILTER (WHERE {compared}) \
             THEN min(currency) FILTER (WHERE {compared}) \
             WHEN count(*) FILTER (WHERE {compared}) > 0 THEN 'mixed' END AS currency"
        ));
    }
    columns.push("count(*) AS calls".to_owned());
    columns.push(format!("count(*) FILTER (WHERE {compared}) AS compared_calls"));
    for state in ["part-priced", "unpriced"] {
        let name = state.replace('-', "_");
        columns.push(format!(
            "count(*) FILTER (WHERE supposed['price_state'] = '{state}') AS {name}_calls"
        ));
    }
    columns.push(
        "min(supposed['price_reason']) FILTER (WHERE supposed['price_state'] <> 'priced') \
         AS unpriced_reason"
            .to_owned(),
    );
    let positions: Vec<_> = (1..=keys.len()).map(|i| i.to_string()).collect();
    let group = if keys.is_empty() {
        "HAVING count(*) > 0".to_owned()
    } else {
        format!("GROUP BY {}", positions.join(", "))
    };
    let time = keys.iter().any(|(_, name)| *name == "time").then_some("\"time\"");
    let order: Vec<_> = time
        .into_iter()
        .chain(["cost DESC NULLS LAST", "calls DESC"])
        .chain(ask.by.iter().copied())
        .collect();
    Ok(format!(
        "SELECT {}\nFROM (SELECT *, {} AS supposed FROM calls WHERE {}) AS calls\n{group}\nORDER BY {}",
        columns.join(",\n  "),
        ask.price(&instead),
        ask.conditions(ask.from, ask.to),
        order.join(", "),
    ))
}
