//! `counters`: what clients' and servers' own metrics say they used, beside the calls of the same
//! service, model and time. Metrics are in no spend: here it is seen that they tell the same once
//! more, or that a client sends them alone and its usage is in no call.

use spanledger_schemas::usage_metrics::{
    self, CountedBy, Measure, SET_CLIENT, Total, Usage, UsageMetric,
};

use super::Question;
use super::params::{Ask, text};
use crate::error::QueryError;

/// The question.
pub static QUESTION: Question = Question {
    name: "counters",
    about: "what clients' own token and cost metrics say, beside the calls that were seen",
    notes: &[
        "metrics are never part of spend, which is made of calls alone; this compares the two",
        "metric_tokens and metric_cost are increases of the counters (view metric_increases), right for delta and cumulative points, across restarts and repetitions; unknown_points are in neither",
        "calls are those of the same service (of any service, where a server counts) and of the model as served, else as requested, that ended up to metric_to; later_calls ended after it, and the metric has not told them yet",
        "state: counted, both say the same (cost to a billionth); differs; metrics-only, no call was seen, so that nothing of it is in spend, and advice says what to set; calls-only, no metric tells of them; unknown, the metric's increase is not known",
        "a metric counts a call when it was exported, so that the edges of a window may differ by an interval of export; calls are settled some seconds after they end",
        "metric_cost is the client's own reckoning, in floating point and US dollars; call_cost is exact",
    ],
    columns: &[
        ("metric_name", ""),
        ("counted_by", ""),
        ("usage", ""),
        ("state", ""),
        ("metric_tokens", "tokens"),
        ("call_tokens", "tokens"),
        ("token_difference", "tokens"),
        ("metric_cost", "USD"),
        ("call_cost", "USD"),
        ("cost_difference", "USD"),
        ("calls", "calls"),
        ("later_calls", "calls"),
        ("unknown_points", "points"),
        ("metric_from", ""),
        ("metric_to", ""),
        ("advice", ""),
    ],
    by: &["service_name", "model"],
    grain: false,
    sql,
};

/// How far apart two costs may lie that are the same: a sum of floats is exact to about 15 digits.
const SAME_COST: &str = "1e-9";

/// How long before a window a call may have started that ends in it, in hours: the look-back of
/// increases, and a day that a call may last.
const STARTED_BEFORE_HOURS: i64 = 48;

/// Columns of `calls` that are compared.
const SUMMED: [&str; 8] = [
    "input_tokens",
    "input_uncached_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "output_text_tokens",
    "reasoning_tokens",
    "cost",
];

fn sql(ask: &Ask) -> Result<String, QueryError> {
    let own = ["service_name", "model"];
    let odd = ask.by.iter().chain(&ask.filter_columns()).find(|c| !own.contains(*c)).copied();
    if odd.is_some() || !ask.by.contains(&"service_name") {
        return Err(QueryError::Parameter {
            what: "column of counters".to_owned(),
            found: odd.unwrap_or("no service_name").to_owned(),
            expected: "service_name, with or without model: metrics tell no other".to_owned(),
        });
    }
    let by_model = ask.by.contains(&"model");
    let sums = SUMMED.map(|c| format!("sum({c}) FILTER (WHERE end_ns <= to_ns) AS {c}"));
    let again = SUMMED.map(|c| format!("sum({c}) AS {c}"));
    let seen = |of: &str| {
        format!(
            "SELECT {of} AS service_name, request_model, response_model,\n  \
             count(*) FILTER (WHERE end_ns <= to_ns) AS calls,\n  \
             count(*) FILTER (WHERE end_ns > to_ns) AS later_calls,\n  {}",
            sums.join(",\n  ")
        )
    };
    Ok(format!(
        "WITH told AS (
  SELECT service_name, {model} AS model, metric_name, {by} AS counted_by, {usage} AS usage,
    sum(coalesce(increase, sum_increase)) AS told,
    count(*) FILTER (WHERE increase_basis IN ('unknown', 'overlap')) AS unknown_points,
    min(coalesce(increase_start_unix_ns, time_unix_ns)) AS from_ns, max(time_unix_ns) AS to_ns
  FROM metric_increases
  WHERE metric_name IN ({names}) AND {usage} IS NOT NULL{points_window}
  GROUP BY 1, 2, 3, 4, 5
), ended AS (
  SELECT service_name, request_model, response_model,
    start_unix_ns + CAST(duration_ms * 1e6 AS BIGINT) AS end_ns,
    {tokens}, CASE WHEN currency = 'USD' THEN cost END AS cost
  FROM calls WHERE true{calls_window}
), of_client AS (
  SELECT service_name AS client, min(from_ns) AS from_ns, max(to_ns) AS to_ns
  FROM told WHERE counted_by = 'client' GROUP BY service_name
), of_server AS (
  SELECT min(from_ns) AS from_ns, max(to_ns) AS to_ns FROM told WHERE counted_by = 'server'
), seen AS (
  SELECT 'client' AS by_whom, * FROM (
    {seen_by_client}
    FROM ended JOIN of_client ON service_name IS NOT DISTINCT FROM client
    WHERE true{end_window} GROUP BY 1, 2, 3
  ) AS of_clients
  UNION ALL
  SELECT 'server' AS by_whom, * FROM (
    {seen_by_server}
    FROM ended CROSS JOIN of_server
    WHERE to_ns IS NOT NULL{end_window} GROUP BY 1, 2, 3
  ) AS of_servers
), matched AS (
  SELECT told.service_name AS told_service, told.model AS told_model, metric_name, usage, seen.*,
    row_number() OVER (
      PARTITION BY told.service_name, metric_name, usage, by_whom, request_model, response_model
      ORDER BY CASE WHEN told.model = response_model THEN 0 WHEN told.model = request_model THEN 1
        ELSE 2 END, told.model
    ) AS place
  FROM told JOIN seen ON counted_by = by_whom
    AND (counted_by = 'server' OR told.service_name IS NOT DISTINCT FROM seen.service_name)
    AND (told.model IS NULL OR told.model = response_model OR told.model = request_model)
), beside AS (
  SELECT told_service, told_model, metric_name AS told_metric, usage AS told_usage,
    sum(calls) AS calls, sum(later_calls) AS later_calls, {again}
  FROM matched WHERE place = 1 GROUP BY 1, 2, 3, 4
), compared AS (
  SELECT service_name, model, metric_name, counted_by, usage, told, unknown_points, from_ns, to_ns,
    coalesce(calls, 0) AS calls, coalesce(later_calls, 0) AS later_calls, {call_tokens} AS call_tokens,
    CASE WHEN usage = 'cost' THEN cost END AS call_cost
  FROM told LEFT JOIN beside ON service_name IS NOT DISTINCT FROM told_service
    AND model IS NOT DISTINCT FROM told_model AND metric_name = told_metric AND usage = told_usage
), alone AS (
  SELECT ended.service_name AS service_name, {called_model} AS model, count(*) AS calls,
    sum(ended.input_tokens) AS input_tokens, sum(ended.output_tokens) AS output_tokens
  FROM ended LEFT JOIN (
    SELECT DISTINCT service_name AS known_service, request_model AS known_request,
      response_model AS known_response, true AS known
    FROM matched WHERE by_whom = 'client'
  ) AS known ON service_name IS NOT DISTINCT FROM known_service
    AND request_model IS NOT DISTINCT FROM known_request
    AND response_model IS NOT DISTINCT FROM known_response
  WHERE known IS NULL{end_in_window} GROUP BY 1, 2
), answer AS (
  SELECT service_name, model, metric_name, counted_by, usage,
    CASE WHEN told = 0 AND coalesce(call_tokens, 0) = 0 AND coalesce(call_cost, 0) = 0 THEN 'counted'
      WHEN told IS NULL THEN 'unknown'
      WHEN calls = 0 THEN 'metrics-only'
      WHEN usage <> 'cost' AND told = CAST(call_tokens AS DOUBLE) THEN 'counted'
      WHEN usage = 'cost' AND abs(told - CAST(call_cost AS DOUBLE)) <= {SAME_COST} * told THEN 'counted'
      ELSE 'differs' END AS state,
    CASE WHEN usage <> 'cost' THEN CAST(told AS BIGINT) END AS metric_tokens,
    call_tokens,
    CASE WHEN usage <> 'cost' THEN CAST(told AS BIGINT) - coalesce(call_tokens, 0) END AS token_difference,
    CASE WHEN usage = 'cost' THEN told END AS metric_cost,
    call_cost,
    CASE WHEN usage = 'cost' THEN told - coalesce(CAST(call_cost AS DOUBLE), 0) END AS cost_difference,
    calls, later_calls, unknown_points,
    {from_at} AS metric_from, {to_at} AS metric_to
  FROM compared
  UNION ALL
  SELECT service_name, model, NULL, NULL, usage, 'calls-only', NULL, tokens, NULL, NULL, NULL, NULL,
    calls, 0, 0, NULL, NULL
  FROM (
    SELECT service_name, model, 'input' AS usage, input_tokens AS tokens, calls FROM alone
    UNION ALL
    SELECT service_name, model, 'output' AS usage, output_tokens AS tokens, calls FROM alone
  ) AS untold
)
SELECT {shown}, metric_name, counted_by, usage, state, metric_tokens, call_tokens, token_difference,
  metric_cost, call_cost, cost_difference, calls, later_calls, unknown_points, metric_from, metric_to,
  CASE WHEN state = 'metrics-only' THEN {advice} END AS advice
FROM answer
WHERE {filters}
ORDER BY CASE state WHEN 'metrics-only' THEN 0 WHEN 'differs' THEN 1 WHEN 'unknown' THEN 2
  WHEN 'counted' THEN 3 ELSE 4 END, service_name, {order_model}metric_name, usage",
        model = if by_model { model() } else { "CAST(NULL AS VARCHAR)".to_owned() },
        by = case(|m| m.counted_by == CountedBy::Server, "'server'", "'client'"),
        usage = usage(),
        names = names(|_| true),
        points_window = window("at", ask.from, ask.to),
        calls_window = window("started_at", ask.from.map(earlier), ask.to),
        end_window = end_window(ask),
        end_in_window = end_in_window(ask),
        tokens = SUMMED[..7].join(", "),
        seen_by_client = seen("service_name"),
        seen_by_server = seen("CAST(NULL AS VARCHAR)"),
        again = again.join(", "),
        call_tokens = call_tokens(),
        called_model = match by_model {
            true => "coalesce(ended.response_model, ended.request_model)",
            false => "CAST(NULL AS VARCHAR)",
        },
        from_at = instant("from_ns"),
        to_at = instant("to_ns"),
        shown = ask.by.join(", "),
        advice = advice(),
        filters = ask.filters(),
        order_model = if by_model { "model, " } else { "" },
    ))
}

/// Conditions on a column of time, for after another condition.
fn window(column: &str, from: Option<jiff::Timestamp>, to: Option<jiff::Timestamp>) -> String {
    let from = from.map(|at| format!(" AND {column} >= '{at}'"));
    let to = to.map(|at| format!(" AND {column} < '{at}'"));
    from.into_iter().chain(to).collect()
}

fn earlier(at: jiff::Timestamp) -> jiff::Timestamp {
    let hours = jiff::SignedDuration::from_hours(STARTED_BEFORE_HOURS);
    at.checked_sub(hours).unwrap_or(jiff::Timestamp::MIN)
}

/// Calls that the points of the window may tell of: those that ended since the first of their
/// intervals began, which may be before the window.
fn end_window(ask: &Ask) -> String {
    let from = ask.from.map(|at| format!(" AND end_ns > least(from_ns, {})", at.as_nanosecond()));
    let to = ask.to.map(|at| format!(" AND end_ns < {}", at.as_nanosecond()));
    from.into_iter().chain(to).collect()
}

fn end_in_window(ask: &Ask) -> String {
    let from = ask.from.map(|at| format!(" AND end_ns >= {}", at.as_nanosecond()));
    let to = ask.to.map(|at| format!(" AND end_ns < {}", at.as_nanosecond()));
    from.into_iter().chain(to).collect()
}

/// Nanoseconds since the epoch as an instant, as the tables have them.
fn instant(ns: &str) -> String {
    format!("arrow_cast(to_timestamp_nanos({ns}), 'Timestamp(Microsecond, Some(\"UTC\"))')")
}

/// Names of metrics, for IN.
pub(crate) fn names(which: impl Fn(&UsageMetric) -> bool) -> String {
    let names = usage_metrics::ALL.iter().filter(|m| which(m)).map(|m| text(m.name));
    names.collect::<Vec<_>>().join(", ")
}

fn case(which: impl Fn(&UsageMetric) -> bool, then: &str, otherwise: &str) -> String {
    format!("CASE WHEN metric_name IN ({}) THEN {then} ELSE {otherwise} END", names(which))
}

/// The model of a point.
fn model() -> String {
    let mut keys: Vec<&str> = usage_metrics::ALL.iter().map(|m| m.model).collect();
    keys.sort_unstable();
    keys.dedup();
    let said = keys.iter().map(|key| format!("metric_attributes[{}]", text(key)));
    format!("coalesce(model, {})", said.collect::<Vec<_>>().join(", "))
}

/// What a point counts; null for what is left out.
fn usage() -> String {
    by_measure(|measure| Some(measure.usage.word()))
}

/// To which total a point belongs, `input` or `output`; null for a part of one.
pub(crate) fn total() -> String {
    by_measure(|measure| match measure.total {
        Total::Input => Some("input"),
        Total::Output => Some("output"),
        Total::Within => None,
    })
}

/// A word by the measure of a point; null where it has none.
fn by_measure(word: impl Fn(&Measure) -> Option<&'static str>) -> String {
    let when = |metric: &UsageMetric, measure: &Measure| {
        let name = text(metric.name);
        let split = metric.split_by.map_or_else(String::new, |key| {
            format!(" AND metric_attributes[{}] = {}", text(key), text(measure.told_as))
        });
        Some(format!("WHEN metric_name = {name}{split} THEN {}", text(word(measure)?)))
    };
    let whens = usage_metrics::ALL
        .iter()
        .flat_map(|metric| metric.measures.iter().filter_map(|measure| when(metric, measure)));
    format!("CASE {} END", whens.collect::<Vec<_>>().join(" "))
}

/// The tokens of the calls that a usage is compared with.
fn call_tokens() -> String {
    let whens = Usage::ALL.iter().filter(|usage| **usage != Usage::Cost).map(|usage| {
        let (word, columns) = (text(usage.word()), usage.columns());
        let meant = match columns {
            [meant, instead, ..] => format!(
                "CASE WHEN told = CAST({instead} AS DOUBLE) THEN {instead} ELSE {meant} END"
            ),
            [meant] => (*meant).to_owned(),
            [] => "NULL".to_owned(),
        };
        format!("WHEN {word} THEN {meant}")
    });
    format!("CASE usage {} END", whens.collect::<Vec<_>>().join(" "))
}

/// What to set, by the metric.
fn advice() -> String {
    let whens = usage_metrics::ALL
        .iter()
        .filter(|m| m.set != SET_CLIENT)
        .map(|m| format!("WHEN {} THEN {}", text(m.name), text(m.set)));
    format!("CASE metric_name {} ELSE {} END", whens.collect::<Vec<_>>().join(" "), text(SET_CLIENT))
}
