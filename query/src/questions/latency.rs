//! `latency`: how long calls take, exactly: percentiles of duration, of time to first token and
//! of time per output token, and the share of calls that failed.

use super::Question;
use super::params::Ask;
use crate::error::QueryError;

/// The question.
pub static QUESTION: Question = Question {
    name: "latency",
    about: "how long calls take, and how many fail",
    notes: &[
        "percentiles are exact, over calls that did not fail, by linear interpolation between the closest ranks, h = (n − 1)·p (Hyndman & Fan 1996, type 7; numpy's default)",
        "ttft is the time to the first token of streamed answers; tpot is (duration − ttft) ÷ (output tokens − 1); each over the calls that have it, null where none has",
        "error_rate is the part of the calls with status error",
    ],
    columns: &[
        ("calls", "calls"),
        ("errors", "calls"),
        ("error_rate", "ratio"),
        ("duration_p50_ms", "ms"),
        ("duration_p90_ms", "ms"),
        ("duration_p95_ms", "ms"),
        ("duration_p99_ms", "ms"),
        ("ttft_calls", "calls"),
        ("ttft_p50_ms", "ms"),
        ("ttft_p95_ms", "ms"),
        ("tpot_p50_ms", "ms per token"),
        ("tpot_p95_ms", "ms per token"),
    ],
    by: &["model"],
    grain: true,
    whole: false,
    sql,
};

fn sql(ask: &Ask) -> Result<String, QueryError> {
    let keys = ask.keys();
    let grouped: Vec<_> =
        keys.iter().map(|(expr, name)| format!("{expr} AS \"{name}\", ")).collect();
    let names: Vec<_> = keys.iter().map(|(_, name)| format!("\"{name}\", ")).collect();
    let positions: Vec<_> = (1..=keys.len()).map(|i| i.to_string()).collect();
    let group = if keys.is_empty() {
        "HAVING count(*) > 0".to_owned()
    } else {
        format!("GROUP BY {}", positions.join(", "))
    };
    let time = keys.iter().any(|(_, name)| *name == "time").then_some("\"time\"");
    let order: Vec<_> =
        time.into_iter().chain(["calls DESC"]).chain(ask.by.iter().copied()).collect();
    Ok(format!(
        "SELECT {names}calls, errors, CAST(errors AS DOUBLE) / calls AS error_rate,
  duration[1] AS duration_p50_ms, duration[2] AS duration_p90_ms,
  duration[3] AS duration_p95_ms, duration[4] AS duration_p99_ms,
  ttft_calls, ttft[1] AS ttft_p50_ms, ttft[2] AS ttft_p95_ms,
  tpot[1] AS tpot_p50_ms, tpot[2] AS tpot_p95_ms
FROM (
  SELECT {grouped}count(*) AS calls,
    count(*) FILTER (WHERE status_code = 'error') AS errors,
    quantiles(duration_ms, 0.5, 0.9, 0.95, 0.99) FILTER (WHERE status_code <> 'error') AS duration,
    count(ttft_ms) FILTER (WHERE status_code <> 'error') AS ttft_calls,
    quantiles(ttft_ms, 0.5, 0.95) FILTER (WHERE status_code <> 'error') AS ttft,
    quantiles(tpot_ms, 0.5, 0.95) FILTER (WHERE status_code <> 'error') AS tpot
  FROM calls
  WHERE {conditions}
  {group}
) AS measured
ORDER BY {order}",
        names = names.concat(),
        grouped = grouped.concat(),
        conditions = ask.conditions(ask.from, ask.to),
        order = order.join(", "),
    ))
}
