//! What the demo says in words: before loading, and after the answers.

/// Said before loading: what is real and what is not.
pub(crate) const WHAT_IT_IS: &str = "\
Loading real public data through this process' own doors: model calls of coding agents and of a
vLLM load test with their real tokens, models and latencies, GPU samples, and a cloud bill.
Added by the demo: wall-clock instants (the data is shifted to end now), trace ids, and owners
(team, user, feature). Sources and licences: demo/README.md.
";

/// Said when the folder already holds the demo.
pub(crate) const LOADED_EARLIER: &str = "\
This folder already holds the demo's data from an earlier run; nothing was loaded again.
";

/// Said after the answers.
pub(crate) const READ_WITH_CARE: &str = "\
Read with care: the Claude Code data does not say how much of its input came from the cache, so its
cost is the list price without caching, an upper bound. Models without a price in the book stay
unpriced, not zero. The vLLM data counts characters, not tokens, of output, so that is unknown too;
the code completion service names no model (shown as –).
";

/// Three more questions to try.
pub(crate) const THREE_MORE: &str = "\
Three more to try:
  spanledger ask spend --by team,model --grain 1d
  spanledger sql \"SELECT session_id, count(*) AS calls, sum(input_tokens) AS input_tokens,
      sum(cost) AS cost FROM calls GROUP BY 1 ORDER BY 4 DESC NULLS LAST LIMIT 5\"
  spanledger sql \"SELECT metric_attributes['burstgpt.scale'] AS load,
      avg(value) FILTER (WHERE metric_name = 'hw.gpu.utilization') AS gpu_busy,
      max(value) FILTER (WHERE metric_name = 'vllm:num_requests_waiting') AS most_waiting
      FROM metric_points WHERE service_name = 'vllm-burstgpt' GROUP BY 1 ORDER BY 3\"
";
