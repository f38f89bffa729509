//! `commitments`: what period prices and free allowances came to, per contract row and UTC month: what is
//! paid, what it covered and what of it was left, which no sum over calls can say. The calls of the
//! window are priced anew by the contracts that are believed; the reckoning is the ledger's.

use spanledger_ledger::prices::{period_columns, period_fields};

use super::Question;
use super::params::{Ask, text};
use crate::error::QueryError;

/// The question.
pub static QUESTION: Question = Question {
    name: "commitments",
    about: "what commitments and free allowances came to: paid, covered, used up, unused",
    notes: &[
        "one row per contract row and UTC month (or day, for an allowance per day), and per unit that a commitment covered; amounts and quantities add up over rows, period_calls, unlisted_calls and used_share are those of the period",
        "from is taken back to the beginning of its UTC month; the last period ends at to, or now: what is paid and what was used are both until then; a to that is still to come counts what will be paid, and what is not used yet as unused",
        "paid is pro rata by seconds: amount × seconds of the period in which the commitment is valid ÷ seconds it is for, or the part of a calendar month; spread over units in proportion to their list value, largest remainder",
        "list_value is what the usage would cost by the same prices without the commitment; a tier without prices is listed at the standard ones; what has no list price is counted in unlisted_calls, and then what was unused is not known",
        "used_share of a commitment is list value ÷ paid: below 1 it cost more than the calls would have; how much of the bought capacity was busy is not known from calls",
        "allowances are used up in the order of the calls; where one ends inside a call, that call is split at the unit; settled calls keep their full list cost, so free_allowance is a part of `spend`",
    ],
    columns: &[
        ("tenant", ""),
        ("contract", ""),
        ("kind", ""),
        ("provider", ""),
        ("model", ""),
        ("service_tier", ""),
        ("region", ""),
        ("period_from", ""),
        ("period_to", ""),
        ("unit", ""),
        ("quantity", "units"),
        ("list_value", "currency"),
        ("paid", "currency"),
        ("commitment_unused", "currency"),
        ("free_allowance", "currency"),
        ("currency", "ISO 4217"),
        ("used_share", "ratio"),
        ("effective_price", "currency per per_quantity units"),
        ("per_quantity", "units"),
        ("period_calls", "calls"),
        ("unlisted_calls", "calls"),
        ("quota", "units"),
        ("free_quantity", "units"),
        ("quota_left", "units"),
        ("exhausted_at", ""),
        ("exhausted_call", ""),
        ("price_id", ""),
    ],
    by: &[],
    grain: false,
    whole: true,
    sql,
};

fn sql(ask: &Ask) -> Result<String, QueryError> {
    let instant = |at: Option<jiff::Timestamp>| {
        at.map_or_else(|| "CAST(NULL AS TIMESTAMP)".to_owned(), |at| format!("TIMESTAMP '{at}'"))
    };
    let mut arguments = vec![instant(ask.from), instant(Some(ask.to.unwrap_or(ask.now)))];
    if ask.as_of.is_some() || ask.draft.is_some() {
        arguments.push(instant(ask.as_of));
    }
    arguments.extend(ask.draft.as_deref().map(text));
    let columns = period_columns().filter(|name| *name != "tenant");
    let call: Vec<_> = columns.map(|name| format!("'{name}', {name}")).collect();
    let shown: Vec<_> =
        period_fields().iter().map(|f| format!("p['{0}'] AS {0}", f.name())).collect();
    Ok(format!(
        "SELECT {}\nFROM (SELECT unnest(periods) AS p FROM (\n  SELECT contract_periods(named_struct({}),\n    \
         {}) AS periods\n  FROM calls WHERE {}\n) AS collected) AS periods\n\
         ORDER BY contract, kind DESC, price_id, period_from, unit",
        shown.join(", "),
        call.join(", "),
        arguments.join(", "),
        ask.conditions(ask.from, ask.to),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_described_once() {
        let described: Vec<_> = QUESTION.columns.iter().map(|(name, _)| *name).collect();
        let given: Vec<_> = period_fields().iter().map(|f| f.name().clone()).collect();
        assert_eq!(described, given);
    }
}
