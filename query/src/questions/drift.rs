//! `drift`: whether what a model does has changed: output tokens, input tokens, duration and finish
//! reason of a current window against a reference window before it.
//!
//! Bins are the deciles of the reference for numbers (equal deciles fall together: fewer bins),
//! the values themselves for finish reasons. With r and c the shares of a bin in the reference and
//! in the current window:
//! - PSI = Σ (c − r)·ln(c ÷ r), the symmetrised Kullback-Leibler divergence (Kullback & Leibler
//!   1951; named population stability index in credit scoring, Siddiqi 2006), over the bins that
//!   occur in either window, each count raised by one half (Jeffreys' prior) so that an empty bin
//!   has a finite term.
//! - Jensen-Shannon divergence = ½·Σ r·log₂(r ÷ m) + ½·Σ c·log₂(c ÷ m), m = (r + c) ÷ 2 (Lin 1991),
//!   without smoothing; from 0 (same) to 1 (nothing in common). Not its square root.

use jiff::Timestamp;

use super::Question;
use super::params::Ask;
use crate::error::QueryError;
use crate::limits::{DRIFT_BINS, DRIFT_SAMPLES_MIN};

/// The question.
pub static QUESTION: Question = Question {
    name: "drift",
    about: "whether the behaviour of calls changed between a reference and a current window",
    notes: &[
        "current is [from, to), by default the last 24 hours; reference is the window of equal length before it unless reference_from and reference_to are given",
        "numbers are binned by the deciles of the reference, finish reasons by value; calls that failed and unknown values are left out",
        "psi = Σ (c − r)·ln(c ÷ r) over the bins' shares, each count raised by ½; below 0.1 stable, above 0.25 shifted (Siddiqi 2006)",
        "jsd is the Jensen-Shannon divergence in bits, 0 to 1 (Lin 1991), without smoothing",
        "fewer than 200 values in either window are not scored: two samples of that size from one distribution already have a psi of 0.09 on average",
    ],
    columns: &[
        ("metric", ""),
        ("reference_values", "calls"),
        ("current_values", "calls"),
        ("bins", "bins"),
        ("psi", "nats"),
        ("jsd", "bits"),
        ("verdict", ""),
    ],
    by: &["model"],
    grain: false,
    whole: false,
    sql,
};

/// What is compared: the name, and the column as a number; the last is binned by value.
const NUMBERS: [(&str, &str); 3] = [
    ("output_tokens", "CAST(output_tokens AS DOUBLE)"),
    ("input_tokens", "CAST(input_tokens AS DOUBLE)"),
    ("duration_ms", "duration_ms"),
];

/// The two windows, neither of them empty, apart from each other.
struct Windows {
    reference: (Timestamp, Timestamp),
    current: (Timestamp, Timestamp),
}

fn windows(ask: &Ask) -> Result<Windows, QueryError> {
    let wrong = |what: &str, found: Timestamp, expected: String| {
        Err(QueryError::Parameter { what: what.to_owned(), found: found.to_string(), expected })
    };
    let day = jiff::SignedDuration::from_hours(24);
    let out_of_range = |e: jiff::Error| QueryError::Parameter {
        what: "window".to_owned(),
        found: e.to_string(),
        expected: "instants between the years 1 and 9999".to_owned(),
    };
    let to = ask.to.unwrap_or(ask.now);
    let from = match ask.from {
        Some(from) => from,
        None => to.checked_sub(day).map_err(out_of_range)?,
    };
    if from >= to {
        return wrong("from", from, format!("an instant before to, {to}"));
    }
    let reference_to = ask.reference_to.unwrap_or(from);
    let reference_from = match ask.reference_from {
        Some(reference_from) => reference_from,
        None => reference_to.checked_sub(to.duration_since(from)).map_err(out_of_range)?,
    };
    if reference_from >= reference_to {
        let expected = format!("an instant before reference_to, {reference_to}");
        return wrong("reference_from", reference_from, expected);
    }
    if reference_from < to && from < reference_to {
        let expected = format!("a window apart from the current one, {from} to {to}");
        return wrong("reference_to", reference_to, expected);
    }
    Ok(Windows { reference: (reference_from, reference_to), current: (from, to) })
}

fn sql(ask: &Ask) -> Result<String, QueryError> {
    let Windows { reference, current } = windows(ask)?;
    // `a, b, ` before other columns; nothing without keys.
    let keys: String = ask.by.iter().map(|by| format!("{by}, ")).collect();
    let group_keys =
        if ask.by.is_empty() { String::new() } else { format!(" GROUP BY {}", ask.by.join(", ")) };
    let values: String =
        NUMBERS.iter().map(|(name, value)| format!("{value} AS {name}, ")).collect();
    let deciles: Vec<_> =
        (1..DRIFT_BINS).map(|i| format!("{:.1}", i as f64 / DRIFT_BINS as f64)).collect();
    let deciles = deciles.join(", ");
    let bins: Vec<_> = NUMBERS
        .iter()
        .map(|(name, _)| format!("counts_by_quantile({name}, in_current, {deciles}) AS {name}"))
        .collect();
    let bins = bins
        .into_iter()
        .chain(["counts_by_value(finish_reason, in_current) AS finish_reason".to_owned()]);
    let bins: Vec<_> = bins.collect();
    let names: Vec<_> = NUMBERS.iter().map(|(name, _)| *name).chain(["finish_reason"]).collect();
    let metrics: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
    // Without keys there is a row of a window without calls too: HAVING leaves it out.
    Ok(format!(
        "WITH sample AS (
  SELECT {keys}{values}finish_reason, started_at >= '{current_from}' AND started_at < '{current_to}' AS in_current
  FROM calls
  WHERE ({in_reference} OR {in_window})
    AND status_code <> 'error' AND {filters}
), spread AS (
  SELECT {keys}{bins}
  FROM sample{group_keys} HAVING count(*) > 0
), metrics AS (
  SELECT {keys}unnest([{metrics}]) AS metric, unnest([{names}]) AS bins
  FROM spread
), counts AS (
  SELECT {keys}metric, CAST(bin['reference'] AS DOUBLE) AS r, CAST(bin['current'] AS DOUBLE) AS c
  FROM (SELECT {keys}metric, unnest(bins) AS bin FROM metrics) AS each_bin
), shares AS (
  SELECT {keys}metric, r, c,
    sum(r) OVER w AS rn, sum(c) OVER w AS cn, count(*) FILTER (WHERE r + c > 0) OVER w AS bins
  FROM counts WINDOW w AS (PARTITION BY {keys}metric)
), scores AS (
  SELECT {keys}metric,
    CAST(max(rn) AS BIGINT) AS reference_values, CAST(max(cn) AS BIGINT) AS current_values,
    max(bins) AS bins,
    sum(CASE WHEN r + c > 0 THEN
      ((c + 0.5) / (cn + 0.5 * bins) - (r + 0.5) / (rn + 0.5 * bins))
      * ln(((c + 0.5) / (cn + 0.5 * bins)) / ((r + 0.5) / (rn + 0.5 * bins))) ELSE 0 END) AS psi,
    sum(CASE WHEN r > 0 AND cn > 0 THEN 0.5 * r / rn * log2(2 * (r / rn) / (r / rn + c / cn)) ELSE 0 END
      + CASE WHEN c > 0 AND rn > 0 THEN 0.5 * c / cn * log2(2 * (c / cn) / (r / rn + c / cn)) ELSE 0 END) AS jsd
  FROM shares GROUP BY {keys}metric
)
SELECT {keys}metric, reference_values, current_values, bins,
  CASE WHEN enough THEN psi END AS psi,
  CASE WHEN enough THEN jsd END AS jsd,
  CASE WHEN NOT enough THEN 'too few values' WHEN psi < 0.1 THEN 'stable'
    WHEN psi <= 0.25 THEN 'moderate' ELSE 'shifted' END AS verdict
FROM (
  SELECT *, reference_values >= {DRIFT_SAMPLES_MIN} AND current_values >= {DRIFT_SAMPLES_MIN} AS enough
  FROM scores
) AS judged
ORDER BY psi DESC NULLS LAST, {keys}metric",
        current_from = current.0,
        current_to = current.1,
        in_reference = between(reference),
        in_window = between(current),
        filters = ask.conditions(None, None),
        bins = bins.join(",\n    "),
        metrics = metrics.join(", "),
        names = names.join(", "),
    ))
}

fn between((from, to): (Timestamp, Timestamp)) -> String {
    format!("started_at >= '{from}' AND started_at < '{to}'")
}
