//! What a quantity comes to at a price, and how the cost of a settled call comes apart again: by the
//! rows that it names. Takes usage and rows, gives exact charges; it chooses no price.

use spanledger_schemas::Money;

use super::history::scaled;
use super::quote::Line;
use super::row::{Kind, PriceRow};
use crate::usage::{Unit, Usage, UsageError};

/// The charges of a usage at rows that were chosen already: how the cost of a settled call comes
/// apart again. [`Line::row`] is the place in `rows`; of two rows for one unit the first counts.
/// Exchange rates among the rows convert what is in their currency; commitments charge nothing.
///
/// # Errors
/// When the counts contradict each other, or a charge is out of range.
pub fn itemise(usage: &Usage, rows: &[PriceRow]) -> Result<Vec<Line>, UsageError> {
    let mut places: Vec<usize> = (0..rows.len()).filter(|&i| rows[i].kind.is_price()).collect();
    let rates: Vec<&PriceRow> = rows.iter().filter(|r| r.kind == Kind::ExchangeRate).collect();
    places.sort_by_key(|&i| (std::cmp::Reverse(rows[i].unit.depth()), rows[i].unit, i));
    places.dedup_by_key(|i| rows[*i].unit);
    let units: Vec<Unit> = places.iter().map(|&i| rows[i].unit).collect();
    let mut leaves = Vec::new();
    usage.leaves(&units, &mut leaves)?;
    let mut lines = Vec::with_capacity(places.len());
    for ((&row, unit), quantity) in places.iter().zip(units).zip(leaves) {
        let per_request = unit == Unit::REQUESTS && !usage.knows(unit);
        let quantity = if per_request { 1 } else { quantity };
        if quantity == 0 {
            continue;
        }
        let (price, per_quantity) = (rows[row].amount, rows[row].per_quantity);
        let amount = charge(price, quantity, per_quantity).ok_or(UsageError::TooLarge { unit })?;
        let rate = rates.iter().find(|rate| rate.model_name == rows[row].currency);
        let amount = rate.map_or(Some(amount), |rate| converted(amount, rate));
        let amount = amount.ok_or(UsageError::TooLarge { unit })?;
        lines.push(Line { unit, quantity, price, per_quantity, amount, row });
    }
    Ok(lines)
}

/// An amount in the other currency; `None` outside the range of money.
pub(super) fn converted(amount: Money, rate: &PriceRow) -> Option<Money> {
    scaled(amount, rate.amount, Money::from_whole(1).0)
}

/// Price × quantity ÷ quantity of the price; half to even on the 18th digit where it does not
/// divide. `None` outside the range of money.
pub(super) fn charge(price: Money, quantity: i64, per_quantity: i64) -> Option<Money> {
    let product = price.times(quantity)?.0;
    let per = i128::from(per_quantity);
    if per <= 0 {
        return None;
    }
    let (whole, rest) = (product.div_euclid(per), product.rem_euclid(per));
    let up = rest * 2 > per || (rest * 2 == per && whole % 2 != 0);
    Some(Money(whole + i128::from(up)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::PriceBook;

    #[test]
    fn a_quote_comes_apart_again_by_the_rows_it_names() {
        let book = PriceBook::bundled().unwrap();
        let counts = [
            (Unit::INPUT, 300_000),
            (Unit::CACHE_READ, 40_000),
            (Unit::CACHE_WRITE, 9_000),
            (Unit::OUTPUT, 700),
            (Unit::REASONING, 300),
        ];
        let mut usage = Usage::default();
        counts.iter().for_each(|(unit, count)| usage.set(*unit, *count));
        // 1_795_564_800 s is 2026-11-25T00:00:00Z
        let at = 1_795_564_800_000_000;
        for (provider, model) in [
            ("openai", "gpt-4o"),
            ("anthropic", "claude-sonnet-4-5"),
            ("gcp.gemini", "gemini-2.5-pro"),
        ] {
            let facts = crate::prices::CallFacts {
                tenant: None,
                provider: Some(provider),
                request_model: Some(model),
                response_model: None,
                service_tier: None,
                region: None,
                server_address: None,
                at,
                usage: &usage,
            };
            let quote = book.quote(&facts);
            assert!(quote.lines.len() > 1, "{model}: {quote:?}");
            let rows: Vec<PriceRow> =
                quote.lines.iter().map(|line| book.row(line.row).0.clone()).collect();
            let of = |line: &Line| (line.unit, line.quantity, line.price, line.amount);
            let again: Vec<_> = itemise(&usage, &rows).unwrap().iter().map(of).collect();
            assert_eq!(again, quote.lines.iter().map(of).collect::<Vec<_>>(), "{model}");
        }
    }

    #[test]
    fn charges_are_exact_and_round_half_to_even_where_they_must() {
        let money = |t: &str| Money::parse(t).unwrap();
        // $3.75 per million × 379 tokens = 3.75 × 379 / 1,000,000 = 0.00142125
        assert_eq!(charge(money("3.75"), 379, 1_000_000), Some(money("0.00142125")));
        // 12 decimals ÷ 10^6 = 18 decimals: the finest price of one token is still exact.
        assert_eq!(
            charge(money("0.000000000001"), 1, 1_000_000),
            Some(money("0.000000000000000001"))
        );
        // $0.36 per 3,600 s × 7 s = 0.0007
        assert_eq!(charge(money("0.36"), 7, 3_600), Some(money("0.0007")));
        // $0.04 per 3,600 s × 1 s = 0.0000111…: cut after 18 digits.
        assert_eq!(charge(money("0.04"), 1, 3_600), Some(money("0.000011111111111111")));
        assert_eq!(charge(money("99999999999999999999"), i64::MAX, 1), None);
    }
}
