//! Quotes as JSON lines: the front of `spanledger prices quote --jsonl`. One line in, one line
//! out. It knows the shape of those lines and nothing of how prices are found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Allowances, CallFacts, DEFAULT_TENANT, PriceError, PriceState, Pricer, Quote};
use crate::usage::{Basis, Unit, Usage};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    tenant: Option<String>,
    provider: Option<String>,
    model: String,
    at: jiff::Timestamp,
    service_tier: Option<String>,
    region: Option<String>,
    server_address: Option<String>,
    basis: Basis,
    usage: BTreeMap<String, Option<i64>>,
}

#[derive(Serialize)]
struct Response<'a> {
    state: &'static str,
    input: Option<String>,
    output: Option<String>,
    total: Option<String>,
    currency: Option<&'a str>,
    lines: Vec<ResponseLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct ResponseLine<'a> {
    unit: &'static str,
    quantity: i64,
    price: String,
    per_quantity: i64,
    amount: String,
    price_id: &'a str,
    model: &'a str,
    source: &'a str,
}

/// Prices one request line and gives the answer as one line, without a line end. `price` of a
/// line is for `per_quantity` units; `input` and `output` are null where nothing of them is known.
/// What the request does not name was not used. Usage that contradicts itself is an unpriced answer with
/// the reason, like every other call without a price.
///
/// # Errors
/// [`PriceError::Request`] when the line is not a request: not JSON, an unknown key or unit, an
/// instant that is not RFC 3339.
pub fn quote_jsonl(pricer: &mut Pricer, line: &str) -> Result<String, PriceError> {
    quote(pricer, None, line)
}

/// The same for lines in the order of their calls: what allowances leave free is taken off.
///
/// # Errors
/// As [`quote_jsonl`].
pub fn quote_jsonl_in_order(
    pricer: &mut Pricer,
    allowances: &mut Allowances,
    line: &str,
) -> Result<String, PriceError> {
    quote(pricer, Some(allowances), line)
}

fn quote(
    pricer: &mut Pricer,
    allowances: Option<&mut Allowances>,
    line: &str,
) -> Result<String, PriceError> {
    let refused = |reason: String| PriceError::Request { reason };
    let request: Request = serde_json::from_str(line).map_err(|e| refused(e.to_string()))?;
    let mut counts = Vec::with_capacity(request.usage.len());
    for (key, count) in &request.usage {
        let unit = Unit::named(key).ok_or_else(|| {
            refused(format!("usage `{key}` is unknown, expected a unit such as input_tokens"))
        })?;
        counts.extend(count.map(|count| (unit, count)));
    }
    let quote = match Usage::reported(request.basis, &counts) {
        Ok(usage) => {
            let facts = CallFacts {
                tenant: request.tenant.as_deref().or(Some(DEFAULT_TENANT)),
                provider: request.provider.as_deref(),
                request_model: Some(&request.model),
                response_model: None,
                service_tier: request.service_tier.as_deref(),
                region: request.region.as_deref(),
                server_address: request.server_address.as_deref(),
                at: request.at.as_microsecond(),
                usage: &usage,
            };
            let mut quote = pricer.quote(&facts);
            if let Some(allowances) = allowances {
                allowances.take(&facts, &mut quote);
            }
            quote
        }
        Err(error) => {
            Quote { reason: format!("usage contradicts itself: {error}"), ..Quote::default() }
        }
    };
    let total = (quote.state != PriceState::Unpriced).then(|| quote.total.to_string());
    let [input, output] = quote.sides().map(|side| side.map(|amount| amount.to_string()));
    let response = Response {
        state: quote.state.word(),
        input,
        output,
        total,
        currency: quote.currency.as_deref(),
        lines: quote
            .lines
            .iter()
            .map(|line| {
                let (row, price_id) = pricer.book().row(line.row);
                ResponseLine {
                    unit: line.unit.name(),
                    quantity: line.quantity,
                    price: line.price.to_string(),
                    per_quantity: line.per_quantity,
                    amount: line.amount.to_string(),
                    price_id,
                    model: &row.model_name,
                    source: &row.source,
                }
            })
            .collect(),
        reason: (!quote.reason.is_empty()).then_some(&quote.reason),
    };
    serde_json::to_string(&response).map_err(|e| refused(e.to_string()))
}
