//! A code completion service on Azure: rows to usage events. The source knows neither model nor
//! latency, so its rows are log events, not spans, and no call is made of them. The whole set is
//! shifted so that its last event falls on the start of the demo.

use jiff::tz::TimeZone;

use super::DemoError;
use super::otlp::UsageEvent;
use super::sources;

/// Name of the service.
pub(super) const SERVICE: &str = "azure-code-completion";

/// The events, the last one at `end_unix_ns`.
pub(super) fn events(end_unix_ns: i64) -> Result<Vec<UsageEvent>, DemoError> {
    let mut events = sources::azure_code()?
        .into_iter()
        .map(|row| {
            let at = TimeZone::UTC.to_timestamp(row.at).map_err(DemoError::Time)?;
            Ok(UsageEvent {
                // The source has ticks of 100 ns; 2023 is far from the ends of an i64.
                unix_ns: at.as_nanosecond() as i64,
                input_tokens: row.context_tokens,
                output_tokens: row.generated_tokens,
            })
        })
        .collect::<Result<Vec<_>, DemoError>>()?;
    let last = events.iter().map(|e| e.unix_ns).max().unwrap_or_default();
    events.iter_mut().for_each(|e| e.unix_ns += end_unix_ns - last);
    Ok(events)
}
