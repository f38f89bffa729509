//! The SQL of the doctor: three statements over one snapshot, one per signal. Takes a window, gives
//! texts; the columns of the first are those of the report.

use spanledger_schemas::usage_marks::{CACHED_UNTOLD, PERHAPS_ESTIMATED};
use spanledger_schemas::usage_metrics::CountedBy;

use crate::questions::{answer::tells_usage, counters};

/// The three statements.
pub(super) struct Statements {
    /// One row per service and library that speaks of models, and one per service that does not.
    pub(super) spans: String,
    /// Events that tell of model calls.
    pub(super) events: String,
    /// Points of token metrics.
    pub(super) metrics: String,
}

/// Names of events that tell of a model call: those of the GenAI conventions and of coding agents,
/// beside those that normalise knows by their dialect.
const EVENTS: [&str; 5] =
    ["gen_ai.%", "claude_code.api_%", "codex.%", "gemini_cli.api_%", "qwen-code.api_%"];

/// Names of metrics that look as if they counted tokens, beside those that are known. An inference
/// server's own (`vllm:prompt_tokens_total`) count requests of clients that are asked about elsewhere.
const LIKE_TOKENS: &str = "(metric_name LIKE '%token_usage%' OR metric_name LIKE '%usage_tokens%') \
     AND metric_name NOT LIKE '%:%'";

impl Statements {
    /// Over what happened from the one instant, before the other.
    pub(super) fn over(from: Option<jiff::Timestamp>, to: Option<jiff::Timestamp>) -> Self {
        let within = |column: &str| {
            let from = from.map(|at| format!(" AND {column} >= '{at}'"));
            let to = to.map(|at| format!(" AND {column} < '{at}'"));
            from.into_iter().chain(to).collect::<String>()
        };
        let (span_window, call_window) = (within("start_at"), within("started_at"));
        let window = within("at");
        // No provider caches what it embeds: nothing is missing where an embedding tells no cached tokens.
        // A span that came twice is one: both its rows say the same, or the fuller one is meant.
        let tells_usage = tells_usage();
        let spans = format!(
            "WITH ai AS (
  SELECT trace_id, span_id, min(service_name) AS service, min(dialect) AS dialect,
    min(scope_name) AS library, min(scope_version) AS version,
    max(span_role) AS span_role, max(duplicate_of) AS duplicate_of
  FROM spans WHERE dialect IS NOT NULL{span_window}
  GROUP BY trace_id, span_id
), more AS (
  SELECT trace_id, span_id, max(uncounted_input_tokens) AS input, max(uncounted_output_tokens) AS output
  FROM span_verdicts WHERE uncounted_input_tokens > 0 OR uncounted_output_tokens > 0
  GROUP BY trace_id, span_id
), called AS (
  SELECT trace_id, span_id, service_name, dialect, team, user_id, operation, streaming, usage_basis,
    usage_reason, price_state, price_reason, status_code,
    {tells_usage} AS usage
  FROM calls WHERE true{call_window}
)
SELECT coalesce(ai.service, c.service_name) AS service, coalesce(ai.dialect, c.dialect) AS dialect,
  ai.library, ai.version,
  count(ai.span_id) AS spans,
  count(c.span_id) AS calls,
  count(c.span_id) FILTER (WHERE c.usage) AS with_usage,
  count(c.team) AS with_team,
  count(c.user_id) AS with_user,
  count(*) FILTER (WHERE c.usage AND c.usage_basis = 'unknown') AS usage_unknown,
  count(*) FILTER (WHERE c.usage_basis = 'estimated') AS usage_estimated,
  count(*) FILTER (WHERE strpos(c.usage_reason, '{PERHAPS_ESTIMATED}') > 0) AS perhaps_estimated,
  count(*) FILTER (WHERE ai.duplicate_of IS NOT NULL OR ai.span_role = 'duplicate') AS duplicates,
  count(*) FILTER (WHERE ai.span_role = 'rollup') AS rollups,
  count(*) FILTER (WHERE ai.span_role = 'call' AND ai.duplicate_of IS NULL AND c.span_id IS NULL)
    AS not_counted,
  count(more.span_id) AS uncounted_spans,
  coalesce(sum(more.input), 0) AS uncounted_input_tokens,
  coalesce(sum(more.output), 0) AS uncounted_output_tokens,
  count(*) FILTER (WHERE c.price_state = 'unpriced') AS unpriced,
  count(*) FILTER (WHERE c.price_state = 'part-priced') AS part_priced,
  count(*) FILTER (WHERE strpos(c.usage_reason, '{CACHED_UNTOLD}') > 0
    AND c.operation IS DISTINCT FROM 'embeddings') AS cached_untold,
  count(*) FILTER (WHERE c.span_id IS NOT NULL AND NOT c.usage AND c.streaming
    AND c.status_code <> 'error' AND c.usage_basis IS DISTINCT FROM 'estimated') AS streams_without_usage,
  count(*) FILTER (WHERE c.span_id IS NOT NULL AND NOT c.usage AND c.streaming IS NOT TRUE
    AND c.status_code <> 'error' AND c.usage_basis IS DISTINCT FROM 'estimated') AS calls_without_usage,
  count(*) FILTER (WHERE c.span_id IS NOT NULL AND c.streaming) AS streams,
  max(c.price_reason) FILTER (WHERE c.usage AND c.price_state <> 'priced') AS price_reason,
  max(c.usage_reason) FILTER (WHERE c.usage_basis IN ('unknown', 'estimated')) AS usage_reason
FROM ai FULL JOIN called c ON ai.trace_id = c.trace_id AND ai.span_id = c.span_id
LEFT JOIN more ON ai.trace_id = more.trace_id AND ai.span_id = more.span_id
GROUP BY 1, 2, 3, 4
UNION ALL
SELECT service_name, NULL, NULL, NULL, count(*), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, NULL, NULL
FROM spans WHERE dialect IS NULL{span_window}
GROUP BY service_name
ORDER BY 1, 5 DESC, 3, 4
LIMIT {}",
            crate::limits::DOCTOR_ROWS_MAX
        );
        let named: Vec<String> = EVENTS.iter().map(|e| format!("event_name LIKE '{e}'")).collect();
        let events = format!(
            "SELECT service_name AS service, scope_name AS library, scope_version AS version, \
             count(*) AS events\nFROM log_records\nWHERE (dialect IS NOT NULL OR {}){window}\nGROUP BY 1, 2, 3\n\
             ORDER BY 1, 2, 3\nLIMIT {}",
            named.join(" OR "),
            crate::limits::DOCTOR_ROWS_MAX
        );
        // A client that counts the same by two metrics is not counted twice: the larger is meant.
        let known = counters::names(CountedBy::Client);
        let side = |side: &str| {
            format!(
                "TRY_CAST(sum(coalesce(increase, sum_increase)) FILTER (WHERE total = '{side}') \
                 AS BIGINT) AS told_{side}"
            )
        };
        let metrics = format!(
            "SELECT service, library, sum(points) AS token_points,
  max(told_input) AS metric_input_tokens, max(told_output) AS metric_output_tokens
FROM (
  SELECT service_name AS service, scope_name AS library, metric_name AS named, count(*) AS points
  FROM metric_points WHERE (metric_name IN ({known}) OR {LIKE_TOKENS}){window}
  GROUP BY 1, 2, 3
) AS arrived LEFT JOIN (
  SELECT service_name, scope_name, metric_name, {}, {}
  FROM (
    SELECT service_name, scope_name, metric_name, increase, sum_increase, {} AS total
    FROM metric_increases WHERE metric_name IN ({known}){window}
  ) AS told GROUP BY 1, 2, 3
) AS increases ON (service IS NOT DISTINCT FROM service_name)
  AND (library IS NOT DISTINCT FROM scope_name) AND named = metric_name
GROUP BY 1, 2
ORDER BY 1, 2
LIMIT {}",
            side("input"),
            side("output"),
            counters::total(CountedBy::Client),
            crate::limits::DOCTOR_ROWS_MAX
        );
        Statements { spans, events, metrics }
    }
}
