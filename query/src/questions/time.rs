//! Times in parameters: instants, absolute or before now, and steps. Takes texts, gives instants in UTC
//! and the SQL that cuts calls into steps.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::error::QueryError;

/// A step of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grain {
    count: i64,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
}

impl Grain {
    pub(super) fn parse(text: &str) -> Result<Self, QueryError> {
        let wrong = || QueryError::Parameter {
            what: "grain".to_owned(),
            found: text.to_owned(),
            expected: "a step such as 5m, 1h, 1d, 1w or 1mo".to_owned(),
        };
        let (count, unit) = amount(text).ok_or_else(wrong)?;
        // Weeks and months have no common multiple with the calendar but one.
        if count < 1 || (count > 1 && matches!(unit, Unit::Week | Unit::Month)) {
            return Err(wrong());
        }
        Ok(Self { count, unit })
    }

    pub(super) fn sql(self) -> String {
        let count = self.count;
        let bin = |unit: &str| format!("date_bin(INTERVAL '{count} {unit}', started_at)");
        match self.unit {
            Unit::Second => bin("seconds"),
            Unit::Minute => bin("minutes"),
            Unit::Hour => bin("hours"),
            Unit::Day => bin("days"),
            Unit::Week => "date_trunc('week', started_at)".to_owned(),
            Unit::Month => "date_trunc('month', started_at)".to_owned(),
        }
    }
}

/// The instant a text means.
pub(crate) fn instant(what: &str, text: &str, now: Timestamp) -> Result<Timestamp, QueryError> {
    let utc =
        |at: DateTime| at.to_zoned_datetime(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let text = text.trim();
    let at = if text == "now" {
        Some(now)
    } else if let Some(past) = text.strip_prefix("now").unwrap_or(text).strip_prefix('-') {
        amount(past).and_then(|(count, unit)| before(now, count, unit))
    } else if text.len() == 13 && text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().ok().and_then(|ms| Timestamp::from_millisecond(ms).ok())
    } else {
        // The most telling form first: a date alone is also read from the front of the others.
        let civil = || text.parse::<DateTime>().ok().and_then(utc);
        let date = || utc(text.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight()));
        text.parse::<Timestamp>().ok().or_else(civil).or_else(date)
    };
    at.ok_or_else(|| QueryError::Parameter {
        what: what.to_owned(),
        found: text.to_owned(),
        expected: "an instant: 2026-11-01, 2026-11-01T08:00:00Z, -24h or now".to_owned(),
    })
}

/// `24h` as 24 hours.
fn amount(text: &str) -> Option<(i64, Unit)> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "s" => Unit::Second,
        "m" | "min" => Unit::Minute,
        "h" => Unit::Hour,
        "d" => Unit::Day,
        "w" => Unit::Week,
        "mo" => Unit::Month,
        _ => return None,
    };
    digits.parse().ok().filter(|count| (0..=1_000_000).contains(count)).map(|count| (count, unit))
}

fn before(now: Timestamp, count: i64, unit: Unit) -> Option<Timestamp> {
    let span = match unit {
        Unit::Second => count.seconds(),
        Unit::Minute => count.minutes(),
        Unit::Hour => count.hours(),
        Unit::Day => count.days(),
        Unit::Week => count.weeks(),
        Unit::Month => count.months(),
    };
    now.to_zoned_datetime(TimeZone::UTC).checked_sub(span).ok().map(|zoned| zoned.timestamp())
}

/// When the UTC month begins that an instant is in.
pub(super) fn month_start(at: Timestamp) -> Timestamp {
    let start = spanledger_ledger::prices::month_start(at.as_microsecond());
    Timestamp::from_microsecond(start).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-25T10:30:00Z";

    #[test]
    fn instants_are_read_in_every_form() {
        let check = |text: &str, want: &str| {
            let got = instant("from", text, NOW.parse().unwrap()).unwrap();
            assert_eq!(got.to_string(), want, "{text}");
        };
        check("now", NOW);
        check("-24h", "2026-11-24T10:30:00Z");
        check("now-90m", "2026-11-25T09:00:00Z");
        check("-7d", "2026-11-18T10:30:00Z");
        check("-1mo", "2026-10-25T10:30:00Z");
        check("2026-11-01", "2026-11-01T00:00:00Z");
        check("2026-11-01 08:30:00", "2026-11-01T08:30:00Z");
        check("2026-11-01T08:30:00+02:00", "2026-11-01T06:30:00Z");
        check("1795564800000", "2026-11-25T00:00:00Z");
        for text in ["yesterday", "-24", "-h", "24h", "", "2026-13-01", "-999999999999h"] {
            assert!(instant("from", text, NOW.parse().unwrap()).is_err(), "{text}");
        }
    }
}
