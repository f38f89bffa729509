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
        "a metric counts a call when it was exported, so that the edges of a window may differ by an interval of export; metric_from and metric_to are the time that the metrics of the service cover; calls are settled some seconds after they end",
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
    whole: false,
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
    let told = |by: CountedBy| told(ask, by, by_model);
    Ok(format!(
        "WITH of_client AS (
  {of_client}
), of_server AS (
  {of_server}
), ended AS (
  SELECT service_name, request_model, response_model,
    start_unix_ns + CAST(coalesce(duration_ms, 0) * 1e6 AS BIGINT) AS end_ns,
    {tokens}, CASE WHEN currency = 'USD' THEN cost END AS cost
  FROM calls WHERE true{calls_window}
), beside AS (
  {beside_client}
  FROM of_client FULL JOIN ended ON (told_by IS NOT DISTINCT FROM service_name)
    AND {same_model}{since}
  WHERE metric_name IS NOT NULL OR (end_ns IS NOT NULL{in_window})
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
  UNION ALL
  {beside_server}
  FROM of_server LEFT JOIN ended ON {same_model}{since}
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
), compared AS (
  SELECT service_name, model, metric_name, counted_by, usage, told, unknown_points, calls, later_calls,
    cover_from, cover_to, {call_tokens} AS call_tokens, CASE WHEN usage = 'cost' THEN cost END AS call_cost
  FROM (
    SELECT beside.*, coalesce(told_usage, called_usage) AS usage
    FROM beside CROSS JOIN (VALUES ('input'), ('output')) AS called(called_usage)
    WHERE metric_name IS NULL OR called_usage = 'input'
  ) AS paired
)
SELECT {shown}, metric_name, counted_by, usage, state,
  CASE WHEN usage <> 'cost' THEN TRY_CAST(told AS BIGINT) END AS metric_tokens,
  call_tokens,
  CASE WHEN usage <> 'cost' THEN TRY_CAST(told AS BIGINT) - coalesce(call_tokens, 0) END AS token_difference,
  CASE WHEN usage = 'cost' THEN told END AS metric_cost,
  call_cost,
  CASE WHEN usage = 'cost' THEN told - coalesce(CAST(call_cost AS DOUBLE), 0) END AS cost_difference,
  calls, later_calls, unknown_points, {from_at} AS metric_from, {to_at} AS metric_to,
  CASE WHEN state = 'metrics-only' THEN {advice} END AS advice
FROM (
  SELECT *,
    CASE WHEN metric_name IS NULL THEN 'calls-only'
      WHEN told = 0 AND coalesce(call_tokens, 0) = 0 AND coalesce(call_cost, 0) = 0 THEN 'counted'
      WHEN told IS NULL THEN 'unknown'
      WHEN calls = 0 THEN 'metrics-only'
      WHEN usage <> 'cost' AND told = CAST(call_tokens AS DOUBLE) THEN 'counted'
      WHEN usage = 'cost' AND abs(told - CAST(call_cost AS DOUBLE)) <= {SAME_COST} * told THEN 'counted'
      ELSE 'differs' END AS state
  FROM compared
) AS answer
WHERE {filters}
ORDER BY CASE state WHEN 'metrics-only' THEN 0 WHEN 'differs' THEN 1 WHEN 'unknown' THEN 2
  WHEN 'counted' THEN 3 ELSE 4 END, service_name, {order_model}metric_name, usage",
        of_client = told(CountedBy::Client),
        of_server = told(CountedBy::Server),
        tokens = SUMMED[..7].join(", "),
        calls_window = window("started_at", ask.from.map(earlier), ask.to),
        beside_client = beside("client", by_model),
        beside_server = beside("server", by_model),
        same_model = SAME_MODEL,
        since = since(ask),
        in_window = in_window(ask),
        call_tokens = call_tokens(),
        from_at = instant("cover_from"),
        to_at = instant("cover_to"),
        shown = ask.by.join(", "),
        advice = advice(),
        filters = ask.filters(),
        order_model = if by_model { "model, " } else { "" },
    ))
}

/// Whether a call is one that a row of metrics may count: the row has its model as served, else as
/// requested where no other row has it as served; a row without a model has what no other has.
const SAME_MODEL: &str = "(told_model = response_model
    OR told_model = request_model AND NOT coalesce(array_has(told_models, response_model), false)
    OR told_model IS NULL AND NOT coalesce(array_has(told_models, response_model), false)
      AND NOT coalesce(array_has(told_models, request_model), false))";

/// What metrics tell, one row for each service, model, metric and usage, with the time that the
/// metrics of the service cover.
fn told(ask: &Ask, by: CountedBy, by_model: bool) -> String {
    format!(
        "SELECT *, min(from_ns) OVER (PARTITION BY told_by) AS cover_from,
    max(to_ns) OVER (PARTITION BY told_by) AS cover_to,
    array_agg(told_model) OVER (PARTITION BY told_by, metric_name) AS told_models
  FROM (
    SELECT told_by, told_model, metric_name, told_usage, sum(more) AS told,
      count(*) FILTER (WHERE increase_basis IN ('unknown', 'overlap')) AS unknown_points,
      min(coalesce(increase_start_unix_ns, time_unix_ns)) AS from_ns, max(time_unix_ns) AS to_ns
    FROM (
      SELECT service_name AS told_by, {model} AS told_model, metric_name,
        {usage} AS told_usage,
        coalesce(increase, sum_increase) AS more, increase_basis, increase_start_unix_ns, time_unix_ns
      FROM metric_increases WHERE metric_name IN ({names}){window}
    ) AS points
    WHERE told_usage IS NOT NULL
    GROUP BY 1, 2, 3, 4
  ) AS told",
        model = if by_model { model() } else { NO_MODEL.to_owned() },
        usage = usage(by),
        names = names(by),
        window = window("at", ask.from, ask.to),
    )
}

const NO_MODEL: &str = "CAST(NULL AS VARCHAR)";

/// The rows of metrics with the sums of their calls; calls without a row stand by themselves.
fn beside(by: &str, by_model: bool) -> String {
    let counted = "end_ns <= cover_to OR metric_name IS NULL";
    let sums = SUMMED.map(|c| format!("sum({c}) FILTER (WHERE {counted}) AS {c}"));
    let called = if by_model { "coalesce(response_model, request_model)" } else { NO_MODEL };
    format!(
        "SELECT CASE WHEN metric_name IS NULL THEN service_name ELSE told_by END AS service_name,
    CASE WHEN metric_name IS NULL THEN {called} ELSE told_model END AS model,
    metric_name, CASE WHEN metric_name IS NOT NULL THEN '{by}' END AS counted_by, told_usage, told,
    coalesce(unknown_points, 0) AS unknown_points, cover_from, cover_to,
    count(end_ns) FILTER (WHERE {counted}) AS calls,
    count(end_ns) FILTER (WHERE end_ns > cover_to) AS later_calls,
    {}",
        sums.join(",\n    ")
    )
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
fn since(ask: &Ask) -> String {
    let from = |at: jiff::Timestamp| {
        format!("\n    AND end_ns > least(cover_from, {})", at.as_nanosecond())
    };
    ask.from.map_or_else(String::new, from)
}

/// Calls that ended in the window.
fn in_window(ask: &Ask) -> String {
    let from = ask.from.map(|at| format!(" AND end_ns >= {}", at.as_nanosecond()));
    let to = ask.to.map(|at| format!(" AND end_ns < {}", at.as_nanosecond()));
    from.into_iter().chain(to).collect()
}

/// Nanoseconds since the epoch as an instant, as the tables have them.
fn instant(ns: &str) -> String {
    format!("arrow_cast(to_timestamp_nanos({ns}), 'Timestamp(Microsecond, Some(\"UTC\"))')")
}

/// Names of metrics by who counts, for IN.
pub(crate) fn names(by: CountedBy) -> String {
    of(by).map(|metric| text(metric.name)).collect::<Vec<_>>().join(", ")
}

fn of(by: CountedBy) -> impl Iterator<Item = &'static UsageMetric> {
    usage_metrics::ALL.iter().filter(move |metric| metric.counted_by == by)
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
fn usage(by: CountedBy) -> String {
    by_measure(by, |measure| Some(measure.usage.word()))
}

/// To which total a point belongs, `input` or `output`; null for a part of one.
pub(crate) fn total(by: CountedBy) -> String {
    by_measure(by, |measure| match measure.total {
        Total::Input => Some("input"),
        Total::Output => Some("output"),
        Total::Within => None,
    })
}

/// A word by the measure of a point; null where it has none.
fn by_measure(by: CountedBy, word: impl Fn(&Measure) -> Option<&'static str>) -> String {
    let cases = |metric: &UsageMetric| {
        let told = metric.measures.iter().filter_map(|m| Some((m.told_as, text(word(m)?))));
        let then = match metric.split_by {
            None => told.map(|(_, word)| word).next()?,
            Some(key) => {
                let whens =
                    told.map(|(told_as, word)| format!("WHEN {} THEN {word}", text(told_as)));
                let whens = whens.collect::<Vec<_>>().join(" ");
                format!("CASE metric_attributes[{}] {whens} END", text(key))
            }
        };
        Some(format!("WHEN {} THEN {then}", text(metric.name)))
    };
    format!(
        "CASE metric_name {} END",
        of(by).filter_map(cases).collect::<Vec<_>>().join("\n          ")
    )
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
    format!(
        "CASE metric_name {} ELSE {} END",
        whens.collect::<Vec<_>>().join(" "),
        text(SET_CLIENT)
    )
}
