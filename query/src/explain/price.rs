//! What the call costs: each leaf of its usage times a price row, and their sum. Takes the row of
//! `calls` and the price rows it names, gives the step. The rows are those the call was settled
//! with (I-7); which ones hold was decided then, and is not decided again.

use std::collections::BTreeSet;

use arrow::record_batch::RecordBatch;
use serde_json::{Value, json};
use spanledger_ledger::prices::{Kind, PriceRow, itemise, usage_at};
use spanledger_schemas::Money;

use super::read::Reader;
use super::span::Case;
use super::{Step, Unknown};
use crate::doctor::advice::{self, Problem};
use crate::error::QueryError;

pub(super) async fn step(
    reader: &Reader,
    case: &Case,
    calls: &[RecordBatch],
    unknown: &mut Vec<Unknown>,
) -> Result<Step, QueryError> {
    let Some(call) = &case.call else { return Ok(Step::new("price", "it is no call")) };
    let state = call.text("price_state").unwrap_or("unpriced");
    let reason = call.text("price_reason");
    let scope = case.told().text("scope_name").unwrap_or_default();
    if state != "priced" {
        let why = reason.unwrap_or("no reason was kept").to_owned();
        let mend = Some(advice::on(scope, Problem::Unpriced).to_owned());
        let mend = mend.filter(|_| call.known("usage_basis").is_some());
        unknown.push(Unknown {
            what: if state == "unpriced" { "cost" } else { "part of the cost" },
            why,
            mend,
        });
    }
    let ids: Vec<&str> =
        call.text("price_ids").unwrap_or_default().split(',').map(str::trim).collect();
    let ids: Vec<&str> = ids.into_iter().filter(|id| is_id(id)).collect();
    let mut step = Step::new("price", format!("it is {state}"));
    step.rule = reason.map(str::to_owned);
    if ids.is_empty() {
        return Ok(step);
    }
    let rows = price_rows(reader, &ids).await?;
    let fault = |error: &dyn std::fmt::Display| {
        QueryError::Failed(format!("taking the cost of the call apart: {error}"))
    };
    let batch = calls.iter().find(|batch| batch.num_rows() > 0);
    let usage = batch.map(|batch| usage_at(batch, 0)).transpose().map_err(|e| fault(&e))?;
    let lines = itemise(&usage.unwrap_or_default(), &rows).map_err(|e| fault(&e))?;
    step.columns = vec![
        "unit", "quantity", "price", "per", "amount", "currency", "price_id", "valid", "source",
    ];
    let mut sum = Some(Money::ZERO);
    for line in &lines {
        let row = &rows[line.row];
        sum = sum.and_then(|sum| sum.checked_add(line.amount));
        // Converted amounts are in the currency of the rate; the price stays in its own, and says so.
        let rate = rate_of(&rows, row);
        let price = match rate {
            Some(_) => format!("{} {}", line.price, row.currency),
            None => line.price.to_string(),
        };
        step.rows.push(vec![
            json!(line.unit.name()),
            json!(line.quantity),
            json!(price),
            json!(line.per_quantity),
            json!(line.amount.to_string()),
            json!(rate.map_or(&*row.currency, |rate| &*rate.currency)),
            json!(row.id()),
            json!(validity(row)),
            json!(format!("{}, {} of {}", row.source, row.model_name, row.provider)),
        ]);
    }
    if let Some(cost) = call.known("cost") {
        let currency = call.text("currency").unwrap_or_default();
        let stored = cost.as_str().and_then(|text| Money::parse(text).ok());
        step.says = match (stored, sum) {
            (Some(stored), Some(sum)) if stored == sum => {
                format!("{} {currency}: the sum of the lines below", text(cost))
            }
            (_, sum) => format!(
                "{} {currency} as settled; the lines below sum to {}",
                text(cost),
                sum.map_or_else(|| "more than money can hold".to_owned(), |sum| sum.to_string())
            ),
        };
    }
    for row in rows.iter().filter(|row| !row.kind.is_price()) {
        let said = match row.kind {
            Kind::ExchangeRate => {
                format!("1 {} = {} {}", row.model_name, row.amount, row.currency)
            }
            _ => format!("{} {} for each {}", row.amount, row.currency, row.period()),
        };
        let said = format!("{said}, {}, {} ({})", validity(row), row.source, row.id());
        step.fact(row.kind.word(), json!(said), None);
    }
    let found: BTreeSet<String> = rows.iter().map(PriceRow::id).collect();
    for id in ids.iter().filter(|id| !found.contains(**id)) {
        step.fact("price row that is no longer in the table", json!(id), None);
    }
    Ok(step)
}

/// The exchange rate among the rows that converts what a row charges.
fn rate_of<'a>(rows: &'a [PriceRow], row: &PriceRow) -> Option<&'a PriceRow> {
    let rates =
        |rate: &&PriceRow| rate.kind == Kind::ExchangeRate && rate.model_name == row.currency;
    rows.iter().find(rates)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Ids are hex digits; anything else would not be ours to put into SQL.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The price rows of these ids, each once, in the order of the ids.
async fn price_rows(reader: &Reader, ids: &[&str]) -> Result<Vec<PriceRow>, QueryError> {
    let quoted: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    let (_, batches) = reader
        .both(&format!(
            "SELECT * FROM prices WHERE price_id IN ({}) ORDER BY known_from",
            quoted.join(", ")
        ))
        .await?;
    let mut rows: Vec<PriceRow> = Vec::new();
    for batch in &batches {
        let read = PriceRow::of_batch(batch);
        rows.extend(read.map_err(|e| QueryError::Failed(format!("reading table prices: {e}")))?);
    }
    let mut met = BTreeSet::new();
    rows.retain(|row| met.insert(row.id()));
    rows.sort_by_key(|row| ids.iter().position(|id| *id == row.id()));
    Ok(rows)
}

/// When the row holds, and under which conditions.
fn validity(row: &PriceRow) -> String {
    let at = |us: Option<i64>| {
        us.and_then(|us| jiff::Timestamp::from_microsecond(us).ok()).map(|at| at.to_string())
    };
    let mut text = match (at(row.valid_from), at(row.valid_to)) {
        (None, None) => "always".to_owned(),
        (Some(from), None) => format!("from {from}"),
        (None, Some(to)) => format!("until {to}"),
        (Some(from), Some(to)) => format!("{from} until {to}"),
    };
    if let Some(tokens) = row.context_from {
        text.push_str(&format!(", input over {tokens} tokens"));
    }
    if let Some(tier) = &row.service_tier {
        text.push_str(&format!(", tier {tier}"));
    }
    if let Some(region) = &row.region {
        text.push_str(&format!(", region {region}"));
    }
    if let Some((from, to)) = &row.time_window {
        text.push_str(&format!(", daily {from} to {to} UTC"));
    }
    text
}
