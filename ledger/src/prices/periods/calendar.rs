//! Days and months in UTC, and what of a period price falls into a span of time. Takes instants and a
//! price row, gives spans and exact amounts. It knows no calls.
//!
//! Pro rata: a commitment costs its amount × seconds ÷ seconds of its period; one per month its amount
//! × the part of that calendar month. What has accrued since its beginning is rounded half to even on
//! the 18th digit, and a span is paid the difference of two such sums: spans that follow each other
//! add up to what the whole costs, a whole month of a price per month to its amount, and all of a
//! term to the price of the term.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use spanledger_schemas::Money;

use crate::prices::MONTH;
use crate::prices::history::scaled;
use crate::prices::row::{Micros, PriceRow};

/// What a time is cut into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Days.
    Day,
    /// Calendar months.
    Month,
}

impl Step {
    /// The periods of an allowance.
    pub(super) fn of_allowance(row: &PriceRow) -> Step {
        if row.per_quantity == MONTH { Step::Month } else { Step::Day }
    }

    /// When the step begins that an instant is in; `None` outside the years of the calendar.
    pub(super) fn start(self, at: Micros) -> Option<Micros> {
        let date = date(at)?;
        midnight(match self {
            Step::Day => date,
            Step::Month => date.first_of_month(),
        })
    }

    /// When the next one begins.
    fn after(self, at: Micros) -> Option<Micros> {
        let date = date(at)?;
        midnight(match self {
            Step::Day => date.tomorrow().ok()?,
            Step::Month => date.first_of_month().checked_add(1.month()).ok()?,
        })
    }

    /// A time cut at the beginnings of steps.
    pub(super) fn cut(self, from: Micros, to: Micros) -> Vec<(Micros, Micros)> {
        let (mut spans, mut from) = (Vec::new(), from);
        while from < to {
            let end = self.after(from).map_or(to, |next| next.min(to));
            spans.push((from, end));
            from = end;
        }
        spans
    }
}

/// When the UTC month begins that an instant is in; the instant itself outside the calendar.
pub fn month_start(at: Micros) -> Micros {
    Step::Month.start(at).unwrap_or(at)
}

/// What a commitment costs between two instants, as far as it is valid between them. `None` outside
/// the range of money.
pub fn period_price(row: &PriceRow, from: Micros, to: Micros) -> Option<Money> {
    let from = row.valid_from.map_or(from, |valid| valid.max(from));
    let to = row.valid_to.map_or(to, |valid| valid.min(to));
    if from >= to {
        return Some(Money::ZERO);
    }
    Some(accrued(row, to)? - accrued(row, from)?)
}

/// What a commitment has cost since its beginning, or since 1970 when it has none.
fn accrued(row: &PriceRow, at: Micros) -> Option<Money> {
    if row.per_quantity == MONTH {
        let (start, end) = (Step::Month.start(at)?, Step::Month.after(at)?);
        let date = date(at)?;
        let months = (i64::from(date.year()) - 1970) * 12 + i64::from(date.month());
        let part = scaled(row.amount, Money(i128::from(at - start)), i128::from(end - start))?;
        return row.amount.times(months)?.checked_add(part);
    }
    let elapsed = at.checked_sub(row.valid_from.unwrap_or(0))?;
    let period = i128::from(row.per_quantity) * 1_000_000;
    (period > 0).then(|| scaled(row.amount, Money(i128::from(elapsed)), period))?
}

fn date(at: Micros) -> Option<Date> {
    Some(TimeZone::UTC.to_datetime(Timestamp::from_microsecond(at).ok()?).date())
}

fn midnight(date: Date) -> Option<Micros> {
    Some(TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::contract::{self, Form};

    fn at(text: &str) -> Micros {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    fn commitment(rest: &str) -> PriceRow {
        let text = format!("[[commitment]]\nprovider = \"azure\"\nmodel = \"gpt-4o\"\n{rest}\n");
        contract::read(text.as_bytes(), Form::Toml, "default", "c", 1).unwrap().rows.remove(0)
    }

    fn check(row: &PriceRow, from: &str, to: &str, paid: &str) {
        assert_eq!(period_price(row, at(from), at(to)).unwrap().to_string(), paid, "{from} {to}");
    }

    #[test]
    fn period_is_paid_by_its_seconds() {
        // $36 an hour: November has 720 hours, so $25,920; half an hour is $18.
        let row = commitment("amount = 36\nper = \"hour\"");
        check(&row, "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", "25920");
        check(&row, "2026-11-01T00:00:00Z", "2026-11-01T00:30:00Z", "18");
        // From the 21st on: 10 days × 24 × 36 = 8,640; nothing before.
        let row = commitment("amount = 36\nper = \"hour\"\nvalid_from = 2026-11-21");
        check(&row, "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", "8640");
        check(&row, "2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z", "0");
    }

    #[test]
    fn price_of_a_month_is_that_of_any_whole_month_and_parts_by_its_days() {
        let row = commitment("amount = 3000\nper = \"month\"");
        check(&row, "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", "3000");
        check(&row, "2027-02-01T00:00:00Z", "2027-03-01T00:00:00Z", "3000");
        // 10 of 30 days of November, 7 of 28 days of February 2027.
        check(&row, "2026-11-11T00:00:00Z", "2026-11-21T00:00:00Z", "1000");
        check(&row, "2027-02-01T00:00:00Z", "2027-02-08T00:00:00Z", "750");
        // From the middle of November to the middle of January: 15 of 30 days, 31 of 31, 15.5 of 31.
        let row = commitment(
            "amount = 3000\nper = \"month\"\nvalid_from = 2026-11-16\nvalid_to = 2027-01-16T12:00:00Z",
        );
        check(&row, "2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z", "6000");
    }

    #[test]
    fn months_of_a_term_add_up_to_its_price() {
        // $100 for 365 days, by month: no month divides, the sum does.
        let row = commitment(
            "amount = 100\nper = \"term\"\nvalid_from = 2026-01-01\nvalid_to = 2027-01-01",
        );
        let (from, to) = (at("2025-06-01T00:00:00Z"), at("2027-06-01T00:00:00Z"));
        let months = Step::Month.cut(from, to);
        assert_eq!(months.len(), 24);
        let parts = months.iter().map(|(from, to)| period_price(&row, *from, *to).unwrap());
        let parts: Vec<Money> = parts.collect();
        assert_eq!(parts.iter().copied().sum::<Money>().to_string(), "100");
        // January 2026: 100 × 31 ÷ 365 = 8.49315068493150684931…
        assert_eq!(parts[7].to_string(), "8.493150684931506849");
    }

    #[test]
    fn time_is_cut_at_midnight_utc() {
        let (from, to) = (at("2026-11-29T12:00:00Z"), at("2026-12-01T06:00:00Z"));
        let told = |step: Step| -> Vec<String> {
            let text = |us| Timestamp::from_microsecond(us).unwrap().to_string();
            step.cut(from, to).into_iter().map(|(_, end)| text(end)).collect()
        };
        let (dec, end) = ("2026-12-01T00:00:00Z", "2026-12-01T06:00:00Z");
        assert_eq!(told(Step::Month), [dec, end]);
        assert_eq!(told(Step::Day), ["2026-11-30T00:00:00Z", dec, end]);
    }
}
