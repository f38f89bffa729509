//! What contracts came to, period by period: of a commitment what is paid and what usage it covered, of
//! an allowance what was used of it and what that was worth. Takes calls in any order, gives rows per
//! contract row, UTC month (or day, for an allowance per day) and unit. Calls are priced anew with the
//! book that is given; table `calls` is not looked at for what they cost.
//!
//! - A call is covered when the book says so, as `pricer` decides. Its list value is what it would cost
//!   by the same book without commitments, in the commitment's currency.
//! - What a period costs is reckoned in `calendar`, spread over units in `covered`.
//! - Allowances are used up in the order of the calls, by their start, then by their ids (`free`).
//! - A call that a gateway answered from its own cache uses neither.

mod calendar;

mod calls;

mod covered;

mod free;

mod state;

mod table;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use spanledger_schemas::Money;

pub use self::calendar::{month_start, period_price};
use self::calls::Columns;
use self::covered::Used;
use self::free::Claim;
use self::state::Found;
pub use self::table::{period_fields, periods_batch};
use super::allowance::Allowances;
use super::columns::{deciding_columns, int};
use super::history::scaled;
use super::row::{Kind, Micros, PriceRow};
use super::{CallFacts, PriceBook, PriceError, PriceState, Pricer, Quote};
use crate::limits;
use crate::usage::Unit;

/// One contract row in one period, and for a commitment one unit it covered. Amounts and quantities
/// add up over rows; `calls`, `unlisted_calls` and `used_share` are those of the period.
#[derive(Debug, Clone, PartialEq)]
pub struct PeriodRow {
    /// Whose contract it is.
    pub tenant: Arc<str>,
    /// Source of the price row.
    pub contract: Arc<str>,
    /// Its id.
    pub price_id: String,
    /// Commitment or allowance.
    pub kind: Kind,
    /// Provider, as the row names it.
    pub provider: Arc<str>,
    /// Models it holds for.
    pub model: Arc<str>,
    /// Tier it holds for.
    pub service_tier: Option<Arc<str>>,
    /// Region it holds for.
    pub region: Option<Arc<str>>,
    /// First instant of the period, in which the row is valid.
    pub from: Micros,
    /// First instant after it, or the end of what was asked for.
    pub to: Micros,
    /// What was used; none for a commitment that covered nothing.
    pub unit: Option<Unit>,
    /// Currency of the amounts; `mixed` where there are several, none where nothing was used.
    pub currency: Option<String>,
    /// Commitment: the unit's part of what the period costs.
    pub paid: Option<Money>,
    /// What the usage would cost without the contract row; what has no list price is not in it.
    pub list_value: Option<Money>,
    /// Commitment: list value ÷ paid. Allowance: free units used ÷ quota.
    pub used_share: Option<f64>,
    /// Commitment: what is paid beyond the list value, the unit's part of it.
    pub commitment_unused: Option<Money>,
    /// What the unit's own quantity (a million tokens) came to: paid, or charged beside the free part.
    pub effective_price: Option<Money>,
    /// Calls that were covered, or used the allowance's unit.
    pub calls: i64,
    /// Of the covered calls, those whose list value is not wholly known.
    pub unlisted_calls: i64,
    /// Units used.
    pub quantity: Option<i64>,
    /// Allowance: free units of the period.
    pub quota: Option<i64>,
    /// Allowance: of them, what was used.
    pub free_quantity: Option<i64>,
    /// Allowance: and what is left.
    pub left: Option<i64>,
    /// Allowance: list value of the free units used.
    pub free_allowance: Option<Money>,
    /// Allowance: when it was used up, and by which call (`trace_id/span_id`).
    pub exhausted: Option<(Micros, String)>,
}

impl PeriodRow {
    fn of(row: &PriceRow, from: Micros, to: Micros) -> PeriodRow {
        PeriodRow {
            tenant: Arc::clone(&row.tenant),
            contract: Arc::clone(&row.source),
            price_id: row.id(),
            kind: row.kind,
            provider: Arc::clone(&row.provider),
            model: Arc::clone(&row.model_name),
            service_tier: row.service_tier.clone(),
            region: row.region.clone(),
            from,
            to,
            unit: None,
            currency: None,
            paid: None,
            list_value: None,
            used_share: None,
            commitment_unused: None,
            effective_price: None,
            calls: 0,
            unlisted_calls: 0,
            quantity: None,
            quota: None,
            free_quantity: None,
            left: None,
            free_allowance: None,
            exhausted: None,
        }
    }
}

/// A book, and the same without its commitments: what their calls would cost. Cheap to clone, costly
/// to make.
#[derive(Debug, Clone)]
pub struct ContractBooks {
    book: Arc<PriceBook>,
    list: Arc<PriceBook>,
}

impl ContractBooks {
    /// Both, from the one.
    ///
    /// # Errors
    /// When a clause of the book cannot be read.
    pub fn new(book: Arc<PriceBook>) -> Result<ContractBooks, PriceError> {
        let mut list = Arc::clone(&book);
        if book.rows().iter().any(|row| row.kind == Kind::Commitment) {
            let rows = book.rows().iter().filter(|row| row.kind != Kind::Commitment);
            list = PriceBook::believed(rows.cloned().collect())?;
        }
        Ok(ContractBooks { book, list })
    }
}

/// Collects what calls used of a tenant's contracts.
#[derive(Debug)]
pub struct Periods {
    book: Arc<PriceBook>,
    tenant: String,
    /// There is a commitment or an allowance at all.
    any: bool,
    pricer: Pricer,
    /// With the same prices, without commitments.
    list: Pricer,
    allowances: Allowances,
    found: Found,
    quote: Quote,
    list_quote: Quote,
}

/// The columns of table `calls` that are read: those that decide a price, and what tells calls apart.
pub fn period_columns() -> impl Iterator<Item = &'static str> {
    deciding_columns().chain(["trace_id", "span_id"])
}

impl Periods {
    /// Nothing found yet.
    ///
    /// # Errors
    /// When a clause of the book cannot be read.
    pub fn new(books: &ContractBooks, tenant: &str) -> Result<Periods, PriceError> {
        let book = Arc::clone(&books.book);
        let of_contract = |row: &PriceRow| matches!(row.kind, Kind::Commitment | Kind::Allowance);
        let any = book.rows().iter().any(|row| of_contract(row) && &*row.tenant == tenant);
        Ok(Periods {
            allowances: Allowances::new(Arc::clone(&book))?,
            pricer: Pricer::new(Arc::clone(&book)),
            list: Pricer::new(Arc::clone(&books.list)),
            book,
            tenant: tenant.to_owned(),
            any,
            found: Found::default(),
            quote: Quote::default(),
            list_quote: Quote::default(),
        })
    }

    /// Adds calls of the tenant, with the columns that [`period_columns`] names.
    ///
    /// # Errors
    /// When a column is missing or of another type, or a sum is out of range.
    pub fn add(&mut self, calls: &RecordBatch) -> Result<(), PriceError> {
        let start = int(calls, "start_unix_ns")?;
        let first = start.iter().flatten().min().map(|ns| ns.div_euclid(1_000));
        self.found.first = self.found.first.into_iter().chain(first).min();
        if !self.any {
            return Ok(());
        }
        let columns = Columns::of(calls)?;
        for i in 0..calls.num_rows() {
            if columns.cache_hit.as_ref().is_some_and(|c| c.is_valid(i) && c.value(i)) {
                continue;
            }
            let usage = columns.usage(i);
            let facts = CallFacts { tenant: Some(&self.tenant), ..columns.facts(i, &usage) };
            self.pricer.quote_into(&facts, &mut self.quote);
            let mut beside = self.quote.beside.iter().copied();
            let covers = |at: &usize| self.book.row(*at).0.kind == Kind::Commitment;
            if let Some(place) = beside.find(covers) {
                let Some(month) = calendar::Step::Month.start(facts.at) else { continue };
                self.list.quote_into(&facts, &mut self.list_quote);
                let mut state = self.list_quote.state;
                if state == PriceState::PartPriced {
                    // A tier without prices is listed at the standard ones: that is not unknown.
                    let standard = CallFacts { service_tier: None, ..facts };
                    state = self.list.quote(&standard).state;
                }
                let used = self.found.covered.0.entry((place, month)).or_default();
                let listed = Listed { quote: &self.list_quote, whole: state == PriceState::Priced };
                cover(&self.book, place, &facts, &listed, used)?;
                continue;
            }
            let claims = self.allowances.claims(&facts, &self.quote);
            if claims.is_empty() {
                continue;
            }
            let mut currency = [b'?'; 3];
            let code = self.quote.currency.as_deref().unwrap_or_default().bytes();
            currency.iter_mut().zip(code).for_each(|(to, from)| *to = from);
            let (trace, span) = columns.ids(i);
            for (order, (allowance, line)) in claims.into_iter().enumerate() {
                let of_line = &self.quote.lines[line];
                self.found.claims.push(Claim {
                    start_unix_ns: columns.start.value(i),
                    trace,
                    span,
                    order: order as u16,
                    allowance: allowance as u32,
                    line: line as u16,
                    quantity: of_line.quantity,
                    amount: of_line.amount,
                    currency,
                });
            }
        }
        Ok(())
    }

    /// What was found so far, as bytes for [`Periods::merge`].
    pub fn state(&self) -> Vec<u8> {
        self.found.to_bytes()
    }

    /// Adds what another, with the same book, found in other calls.
    ///
    /// # Errors
    /// When the bytes are no such state, or a sum is out of range.
    pub fn merge(&mut self, state: &[u8]) -> Result<(), PriceError> {
        let other = Found::of_bytes(state).ok_or_else(|| PriceError::Book {
            place: "periods of contracts".to_owned(),
            reason: "what a part of the query found cannot be read".to_owned(),
        })?;
        self.found.merge(other)
    }

    /// Bytes that grow with the calls.
    pub fn size(&self) -> usize {
        self.found.size()
    }

    /// The rows of the periods in a window: commitments, then allowances, each in the order of the
    /// book. `from` is to be the beginning of a UTC month, and the calls all of those since, or
    /// allowances seem fuller than they were; without it the window begins where the contract row, or
    /// else the first call does.
    ///
    /// # Errors
    /// When there are more rows than [`limits::PERIOD_ROWS_MAX`], or a sum is out of range.
    pub fn rows(self, from: Option<Micros>, to: Micros) -> Result<Vec<PeriodRow>, PriceError> {
        let window = Window { from, first: self.found.first, to };
        let mut rows = Vec::new();
        self.found.covered.rows(&self.book, &self.tenant, &window, &mut rows)?;
        free::rows(&self.book, self.found.claims, &self.tenant, &window, &mut rows)?;
        Ok(rows)
    }
}

/// The time that is asked for.
struct Window {
    from: Option<Micros>,
    /// When the first call started.
    first: Option<Micros>,
    to: Micros,
}

impl Window {
    /// The part of it in which a row is valid.
    fn of(&self, row: &PriceRow) -> (Micros, Micros) {
        let seen = month_start(self.first.unwrap_or(self.to));
        let begin = self.from.or(row.valid_from).unwrap_or(seen);
        let from = row.valid_from.map_or(begin, |valid| valid.max(begin));
        (from, row.valid_to.map_or(self.to, |valid| valid.min(self.to)))
    }

    fn check(&self, rows: usize) -> Result<(), PriceError> {
        if rows <= limits::PERIOD_ROWS_MAX {
            return Ok(());
        }
        Err(PriceError::Book {
            place: "periods of contracts".to_owned(),
            reason: format!(
                "more than {} rows, expected fewer: ask for a shorter time",
                limits::PERIOD_ROWS_MAX
            ),
        })
    }
}

/// What a covered call would cost by list.
struct Listed<'a> {
    quote: &'a Quote,
    /// All of it has a price.
    whole: bool,
}

/// Adds a covered call to what a commitment covered: its units at their list value.
fn cover(
    book: &PriceBook,
    place: usize,
    facts: &CallFacts<'_>,
    list: &Listed<'_>,
    used: &mut Used,
) -> Result<(), PriceError> {
    used.calls += 1;
    let (commitment, _) = book.row(place);
    let currency = list.quote.currency.as_deref().unwrap_or_default();
    let rate = match currency == &*commitment.currency {
        true => Some(None),
        false => book.rate(facts.tenant, currency, &commitment.currency, facts.at).map(Some),
    };
    let converted = |amount: Money| match rate {
        Some(None) => Some(amount),
        Some(Some(rate)) => scaled(amount, book.row(rate).0.amount, Money::from_whole(1).0),
        None => None,
    };
    let listed = list.quote.state != PriceState::Unpriced && rate.is_some();
    used.unlisted += i64::from(!(listed && list.whole));
    if listed {
        for line in &list.quote.lines {
            let value = converted(line.amount).ok_or_else(out_of_range)?;
            used.add(line.unit, line.quantity, value)?;
        }
        return Ok(());
    }
    let usage = facts.usage;
    for unit in usage.used() {
        if !usage.used().any(|other| other != unit && other.contains(unit)) {
            used.add(unit, usage.count(unit), Money::ZERO)?;
        }
    }
    Ok(())
}

fn out_of_range() -> PriceError {
    PriceError::Book {
        place: "periods of contracts".to_owned(),
        reason: "a sum is out of the range of money".to_owned(),
    }
}
