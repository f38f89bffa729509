//! Free quantities: what a provider does not charge of the first units of a day or month. Takes
//! quotes in the order in which the calls were made, takes the free part off them, and says so.
//! Owns how much of each allowance is left.
//!
//! A settled call keeps its full cost: what is free depends on the calls before it, whichever come
//! late, so a free part is taken off where calls are seen in order: in quotes, in the question
//! `commitments` (`periods`), and on the bill. Where several allowances hold for a unit, the first of
//! the file is used up first.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use spanledger_schemas::Money;

use super::book::CallFacts;
use super::clause::Clause;
use super::history::scaled;
use super::providers::{book_id, model_names};
use super::row::{Kind, Micros, PriceRow};
use super::{PriceBook, PriceError, Quote};
use crate::usage::Direction;

/// The allowances of a book, and what is left of them.
#[derive(Debug)]
pub struct Allowances {
    book: Arc<PriceBook>,
    /// Place of the row in the book, with the models it holds for, in the order of the file.
    rows: Vec<(usize, Clause)>,
    /// By allowance and first day of its period.
    left: HashMap<(usize, i32), i64>,
}

impl Allowances {
    /// All of them whole.
    ///
    /// # Errors
    /// When the clause of one cannot be read.
    pub fn new(book: Arc<PriceBook>) -> Result<Allowances, PriceError> {
        let mut rows = Vec::new();
        for (place, row) in book.rows().iter().enumerate() {
            if row.kind != Kind::Allowance {
                continue;
            }
            let wrong = || format!("allowance {}/{}", row.provider, row.model_name);
            let json = serde_json::from_str(&row.model_match)
                .map_err(|e| PriceError::Book { place: wrong(), reason: e.to_string() })?;
            let clause = Clause::from_json(&json)
                .map_err(|source| PriceError::Clause { place: wrong(), source })?;
            rows.push((place, clause));
        }
        rows.sort_by_key(|(place, _)| book.row(*place).0.priority);
        Ok(Allowances { book, rows, left: HashMap::new() })
    }

    /// Takes what is still free off the quote of a call, and off what is left.
    pub fn take(&mut self, facts: &CallFacts<'_>, quote: &mut Quote) {
        let book = Arc::clone(&self.book);
        for (place, at) in self.claims(facts, quote) {
            let line = &mut quote.lines[at];
            let (unit, quantity, before) = (line.unit, line.quantity, line.amount);
            let free = self.use_up(place, facts.at, quantity);
            if free == 0 {
                continue;
            }
            line.quantity = quantity - free;
            line.amount = charged(before, quantity, free);
            let off = before - line.amount;
            quote.total = quote.total - off;
            match unit.direction() {
                Direction::Input => quote.input = quote.input - off,
                Direction::Output => quote.output = quote.output - off,
                Direction::Neither => {}
            }
            let source = &book.row(place).0.source;
            quote.remark(format_args!("{free} of {quantity} {unit} free by {source}"));
            if !quote.beside.contains(&place) {
                quote.beside.push(place);
            }
        }
    }

    /// Which allowance holds for which line of a quote: places in the book and among the lines, in
    /// the order in which they take.
    pub(super) fn claims(&self, facts: &CallFacts<'_>, quote: &Quote) -> Vec<(usize, usize)> {
        let mut claims = Vec::new();
        if self.rows.is_empty() || quote.lines.is_empty() {
            return claims;
        }
        let names: Vec<String> = [facts.response_model, facts.request_model]
            .into_iter()
            .flatten()
            .flat_map(model_names)
            .collect();
        let said = facts.provider.map(|name| name.trim().to_lowercase());
        let said = said.as_deref().map(|name| book_id(name).unwrap_or(name));
        for (place, models) in &self.rows {
            let (row, _) = self.book.row(*place);
            if Some(&*row.tenant) != facts.tenant || !holds(row, facts) {
                continue;
            }
            let takes = |line: &super::Line| {
                let (price, _) = self.book.row(line.row);
                let of_model = *row.model_name == *price.model_name
                    || names.iter().any(|name| models.matches(name));
                // What is resold is priced by another provider's row.
                let of_provider = &*row.provider == "*"
                    || row.provider == price.provider
                    || said == Some(&*row.provider);
                of_model && of_provider && row.unit.contains(line.unit)
            };
            let lines = (0..quote.lines.len()).filter(|&at| takes(&quote.lines[at]));
            claims.extend(lines.map(|at| (*place, at)));
        }
        claims
    }

    /// Takes up to `quantity` of what an allowance leaves free at an instant; says how much.
    pub(super) fn use_up(&mut self, place: usize, at: Micros, quantity: i64) -> i64 {
        let (row, _) = self.book.row(place);
        let Some(period) = period(row, at) else { return 0 };
        let left = self.left.entry((place, period)).or_insert_with(|| quota(row));
        let free = quantity.min(*left);
        *left -= free;
        free
    }

    /// The row of an allowance.
    pub(super) fn row(&self, place: usize) -> &PriceRow {
        self.book.row(place).0
    }

    /// What is left of an allowance in the period of an instant.
    pub(super) fn left(&self, place: usize, at: Micros) -> i64 {
        let (row, _) = self.book.row(place);
        let left = period(row, at).and_then(|period| self.left.get(&(place, period)));
        left.copied().unwrap_or_else(|| quota(row))
    }
}

/// The units of a period that an allowance leaves free.
pub(super) fn quota(row: &PriceRow) -> i64 {
    i64::try_from(row.amount.0 / Money::from_whole(1).0).unwrap_or(i64::MAX)
}

/// What is charged of an amount for `quantity` units when some are free: half to even on the last
/// digit where a unit's part does not end.
pub(super) fn charged(amount: Money, quantity: i64, free: i64) -> Money {
    let rest = Money::from_whole(quantity - free);
    // A part of an amount is in range where the amount is.
    scaled(amount, rest, Money::from_whole(quantity).0).unwrap_or(amount)
}

fn holds(row: &PriceRow, facts: &CallFacts<'_>) -> bool {
    let is = |of: &Option<Arc<str>>, call: Option<&str>| {
        of.as_deref().is_none_or(|of| call.is_some_and(|call| call.eq_ignore_ascii_case(of)))
    };
    is(&row.service_tier, facts.service_tier)
        && is(&row.region, facts.region)
        && row.valid_from.is_none_or(|from| from <= facts.at)
        && row.valid_to.is_none_or(|to| facts.at < to)
}

/// Which day or calendar month in UTC an instant is in: year, month and day as one number.
fn period(row: &PriceRow, at: Micros) -> Option<i32> {
    let date = TimeZone::UTC.to_datetime(Timestamp::from_microsecond(at).ok()?).date();
    let day = if row.per_quantity == super::MONTH { 0 } else { i32::from(date.day()) };
    Some((i32::from(date.year()) * 100 + i32::from(date.month())) * 100 + day)
}

#[cfg(test)]
mod tests {
    use super::super::contract::{self, Form};
    use super::super::{Pricer, bundled};
    use super::*;
    use crate::usage::{Basis, Unit, Usage};

    #[test]
    fn free_quota_is_exhausted_in_the_middle_of_a_month() {
        // 1,500 searches a month are free, then $35 per 1,000 (Gemini 2.5 Flash).
        let text = "[[allowance]]\nprovider = \"google\"\nmodel = \"gemini-2.5-flash\"\n\
                    unit = \"web_searches\"\nquantity = 1500\nper = \"month\"\n";
        let own = contract::read(text.as_bytes(), Form::Toml, "default", "c", 1).unwrap();
        let mut rows = bundled::history().unwrap();
        rows.extend(own.rows);
        let book = PriceBook::believed_at(rows, i64::MAX).unwrap();
        let mut pricer = Pricer::new(Arc::clone(&book));
        let mut allowances = Allowances::new(book).unwrap();
        let mut total = |tenant, at: &str, searches: i64| {
            let counts = [(Unit::INPUT, 1_000_000), (Unit::WEB_SEARCHES, searches)];
            let usage = Usage::reported(Basis::Inclusive, &counts).unwrap();
            let facts = CallFacts {
                tenant: Some(tenant),
                provider: Some("gcp.gemini"),
                request_model: Some("gemini-2.5-flash"),
                response_model: None,
                service_tier: None,
                region: None,
                server_address: None,
                at: at.parse::<Timestamp>().unwrap().as_microsecond(),
                usage: &usage,
            };
            let mut quote = pricer.quote(&facts);
            allowances.take(&facts, &mut quote);
            (quote.total.to_string(), quote.reason)
        };
        // Input is $0.30 each time. 1,000 searches are free: 500 are left.
        assert_eq!(total("default", "2026-11-03T00:00:00Z", 1_000).0, "0.3");
        // 500 of 700 are free; 200 × 35 / 1,000 = $7.
        let (amount, reason) = total("default", "2026-11-17T12:00:00Z", 700);
        assert_eq!(amount, "7.3");
        assert_eq!(reason, "500 of 700 web_searches free by contract c");
        // Exhausted: 100 × 35 / 1,000 = $3.50, until the next month begins, at midnight UTC.
        assert_eq!(total("default", "2026-11-30T23:59:59Z", 100).0, "3.8");
        assert_eq!(total("default", "2026-12-01T00:00:00Z", 100).0, "0.3");
        // It is one tenant's.
        assert_eq!(total("other", "2026-12-01T00:00:00Z", 100).0, "3.8");
    }
}
