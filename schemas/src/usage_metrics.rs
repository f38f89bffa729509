//! Metrics by which clients and servers count the tokens and the cost of model calls: one table of
//! their names, of what each of their points counts, and of the columns of `calls` that count the
//! same. It owns the mapping alone; nothing here is added to spend, which is made of calls.
//!
//! Read off what the libraries send (the names of agents and instrumentations), and from the
//! documentation of vLLM, SGLang and LiteLLM's proxy for what is scraped.

/// What a point counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// All input.
    Input,
    /// Input outside any cache.
    InputUncached,
    /// Input read from a cache.
    CacheRead,
    /// Input written to a cache.
    CacheWrite,
    /// All output.
    Output,
    /// Output without reasoning.
    OutputText,
    /// Reasoning.
    Reasoning,
    /// Money, in US dollars, as the client reckons it.
    Cost,
}

impl Usage {
    /// Every usage.
    pub const ALL: [Usage; 8] = [
        Usage::Input,
        Usage::InputUncached,
        Usage::CacheRead,
        Usage::CacheWrite,
        Usage::Output,
        Usage::OutputText,
        Usage::Reasoning,
        Usage::Cost,
    ];

    /// Its one spelling.
    pub fn word(self) -> &'static str {
        match self {
            Usage::Input => "input",
            Usage::InputUncached => "input-uncached",
            Usage::CacheRead => "cache-read",
            Usage::CacheWrite => "cache-write",
            Usage::Output => "output",
            Usage::OutputText => "output-text",
            Usage::Reasoning => "reasoning",
            Usage::Cost => "cost",
        }
    }

    /// Columns of `calls` that count the same, first the one that is meant; a second is what some
    /// libraries put in its place (input without cached tokens, output without reasoning).
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Usage::Input => &["input_tokens", "input_uncached_tokens"],
            Usage::InputUncached => &["input_uncached_tokens"],
            Usage::CacheRead => &["cache_read_tokens"],
            Usage::CacheWrite => &["cache_write_tokens"],
            Usage::Output => &["output_tokens", "output_text_tokens"],
            Usage::OutputText => &["output_text_tokens"],
            Usage::Reasoning => &["reasoning_tokens"],
            Usage::Cost => &["cost"],
        }
    }
}

/// To which total of its metric a point belongs; the parts of a total are in it already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Total {
    /// All input.
    Input,
    /// All output.
    Output,
    /// None: another measure of the metric contains it, or it is money.
    Within,
}

/// Who counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountedBy {
    /// The service that makes the calls: they are those of the same service.
    Client,
    /// A server or gateway that answers them: they are those of any service.
    Server,
}

/// One measure of a metric.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    /// Value of the attribute that tells measures apart; empty where the metric has one alone.
    pub told_as: &'static str,
    /// What it counts.
    pub usage: Usage,
    /// The total that it belongs to.
    pub total: Total,
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct UsageMetric {
    /// Its name, as it is stored.
    pub name: &'static str,
    /// Who counts.
    pub counted_by: CountedBy,
    /// Attribute of the point that names the model, where column `model` does not have it.
    pub model: &'static str,
    /// Attribute that tells measures apart.
    pub split_by: Option<&'static str>,
    /// What it measures. A value that is not here is left out: a total of others, or something
    /// that calls do not have (Gemini's prompts of tools).
    pub measures: &'static [Measure],
    /// What to set so that the calls come as well.
    pub set: &'static str,
}

/// What to set where Claude Code sends metrics alone.
pub const SET_CLAUDE_CODE: &str = "Claude Code: set OTEL_LOGS_EXPORTER=otlp beside \
    OTEL_METRICS_EXPORTER, so that each request comes as an event (`claude_code.api_request`)";
/// What to set where Codex sends metrics alone.
pub const SET_CODEX: &str = "Codex CLI: set `exporter` and `trace_exporter` to OTLP in section \
    [otel] of config.toml";
/// What to set where Gemini CLI sends metrics alone.
pub const SET_GEMINI_CLI: &str = "Gemini CLI: telemetry sends traces and logs to the same endpoint; \
    see that /v1/traces and /v1/logs of `telemetry.otlpEndpoint` reach this server";
/// What to set where Qwen Code sends metrics alone.
pub const SET_QWEN_CODE: &str = "Qwen Code: telemetry sends logs to the same endpoint; see that \
    /v1/logs of `telemetry.otlpEndpoint` reaches this server";
/// What to set where any other client sends metrics alone.
pub const SET_CLIENT: &str = "switch on the exporter of traces (OTEL_TRACES_EXPORTER=otlp) or logs \
    (OTEL_LOGS_EXPORTER=otlp): a sum of tokens has no user, trace or price of its own";
/// What to set where a server counts requests of clients that send nothing.
pub const SET_SERVER: &str = "instrument the clients of this server, or let the server send its own \
    spans (vLLM: --otlp-traces-endpoint; LiteLLM: callbacks: [\"otel\"]): its counters have no user, \
    trace or price";

const fn measure(told_as: &'static str, usage: Usage, total: Total) -> Measure {
    Measure { told_as, usage, total }
}

const fn client(
    name: &'static str,
    split_by: Option<&'static str>,
    measures: &'static [Measure],
    set: &'static str,
) -> UsageMetric {
    UsageMetric { name, counted_by: CountedBy::Client, model: "model", split_by, measures, set }
}

const fn server(
    name: &'static str,
    model: &'static str,
    measures: &'static [Measure],
) -> UsageMetric {
    let (counted_by, split_by) = (CountedBy::Server, None);
    UsageMetric { name, counted_by, model, split_by, measures, set: SET_SERVER }
}

const INPUT: &[Measure] = &[measure("", Usage::Input, Total::Input)];
const OUTPUT: &[Measure] = &[measure("", Usage::Output, Total::Output)];
const COST: &[Measure] = &[measure("", Usage::Cost, Total::Within)];

/// Every metric that is known to count usage.
pub static ALL: &[UsageMetric] = &[
    client(
        "claude_code.token.usage",
        Some("type"),
        &[
            measure("input", Usage::InputUncached, Total::Input),
            measure("cacheRead", Usage::CacheRead, Total::Input),
            measure("cacheCreation", Usage::CacheWrite, Total::Input),
            measure("output", Usage::Output, Total::Output),
        ],
        SET_CLAUDE_CODE,
    ),
    client("claude_code.cost.usage", None, COST, SET_CLAUDE_CODE),
    client(
        "gemini_cli.token.usage",
        Some("type"),
        &[
            measure("input", Usage::Input, Total::Input),
            measure("cache", Usage::CacheRead, Total::Within),
            measure("output", Usage::OutputText, Total::Output),
            measure("thought", Usage::Reasoning, Total::Output),
        ],
        SET_GEMINI_CLI,
    ),
    client(
        "qwen-code.token.usage",
        Some("type"),
        &[
            measure("input", Usage::Input, Total::Input),
            measure("cache", Usage::CacheRead, Total::Within),
            // With thoughts, where it asks by OpenAI's API; without them, as Gemini's has it.
            measure("output", Usage::Output, Total::Output),
            measure("thought", Usage::Reasoning, Total::Within),
        ],
        SET_QWEN_CODE,
    ),
    client(
        "codex.turn.token_usage",
        Some("token_type"),
        &[
            measure("input", Usage::Input, Total::Input),
            measure("cached_input", Usage::CacheRead, Total::Within),
            measure("cache_write_input", Usage::CacheWrite, Total::Within),
            measure("output", Usage::Output, Total::Output),
            measure("reasoning_output", Usage::Reasoning, Total::Within),
        ],
        SET_CODEX,
    ),
    client(
        "gen_ai.client.token.usage",
        Some("gen_ai.token.type"),
        &[
            measure("input", Usage::Input, Total::Input),
            measure("output", Usage::Output, Total::Output),
            // Before semantic conventions 1.27.
            measure("completion", Usage::Output, Total::Output),
        ],
        SET_CLIENT,
    ),
    // OpenLIT and LiteLLM.
    client("gen_ai.usage.cost", None, COST, SET_CLIENT),
    client("strands.event_loop.input.tokens", None, INPUT, SET_CLIENT),
    client("strands.event_loop.output.tokens", None, OUTPUT, SET_CLIENT),
    client(
        "strands.event_loop.cache_read.input.tokens",
        None,
        &[measure("", Usage::CacheRead, Total::Within)],
        SET_CLIENT,
    ),
    client(
        "strands.event_loop.cache_write.input.tokens",
        None,
        &[measure("", Usage::CacheWrite, Total::Within)],
        SET_CLIENT,
    ),
    server("vllm:prompt_tokens_total", "model_name", INPUT),
    server("vllm:generation_tokens_total", "model_name", OUTPUT),
    server("sglang:prompt_tokens_total", "model_name", INPUT),
    server("sglang:generation_tokens_total", "model_name", OUTPUT),
    server("litellm_input_tokens_metric_total", "model", INPUT),
    server("litellm_output_tokens_metric_total", "model", OUTPUT),
    server("litellm_spend_metric_total", "model", COST),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::calls;

    #[test]
    fn every_measure_has_columns_of_calls_and_a_word_of_its_own() {
        for usage in Usage::ALL {
            assert!(!usage.columns().is_empty());
            for column in usage.columns() {
                assert!(calls::TABLE.column(column).is_some(), "{column}");
            }
        }
        let words: std::collections::BTreeSet<_> = Usage::ALL.iter().map(|u| u.word()).collect();
        assert_eq!(words.len(), Usage::ALL.len());
    }

    #[test]
    fn metrics_are_told_apart_and_so_are_their_measures() {
        let names: std::collections::BTreeSet<_> = ALL.iter().map(|m| m.name).collect();
        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            let told: std::collections::BTreeSet<_> =
                metric.measures.iter().map(|m| m.told_as).collect();
            assert_eq!(told.len(), metric.measures.len(), "{}", metric.name);
            assert_eq!(metric.split_by.is_some(), !told.contains(""), "{}", metric.name);
        }
    }
}
