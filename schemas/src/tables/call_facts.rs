//! What one item says of a model call: the columns that `spans` and `log_records` share, so that
//! a call is read alike whichever signal told of it. It owns their names, units and meanings; what
//! is a call and whose is decided by `settle`.

use crate::table::Kind::{Bool, Decimal, Float, Int, Text};
use crate::table::{Column, optional};

/// The parts of `input_tokens`, of which some lie inside others.
pub const INPUT_PARTS: [&str; 7] = [
    "input_uncached_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "input_audio_tokens",
    "input_image_tokens",
];

/// The parts of `output_tokens`.
pub const OUTPUT_PARTS: [&str; 4] =
    ["output_text_tokens", "reasoning_tokens", "output_audio_tokens", "output_image_tokens"];

/// What was used that is no tokens.
pub const COUNTS: [&str; 10] = [
    "web_searches",
    "rerank_searches",
    "tool_calls",
    "input_images",
    "output_images",
    "audio_seconds",
    "input_audio_seconds",
    "output_audio_seconds",
    "input_characters",
    "input_document_pages",
];

/// Whether a column tells usage, or how it was read; usage as it was reported is not meant.
pub fn tells_usage(column: &str) -> bool {
    matches!(column, "usage_basis" | "usage_reason" | "input_tokens" | "output_tokens")
        || INPUT_PARTS.contains(&column)
        || OUTPUT_PARTS.contains(&column)
        || COUNTS.contains(&column)
}

/// The columns, in stored order.
pub(super) const COLUMNS: &[Column] = &[
    optional(
        "dialect",
        Text,
        "",
        "whose attribute names are spoken; null when nothing of AI is said",
        "scope, then attributes",
    ),
    optional(
        "operation",
        Text,
        "",
        "chat, text_completion, embeddings, invoke_agent, execute_tool …",
        "gen_ai.operation.name, else the dialect's kind of span",
    ),
    optional(
        "provider",
        Text,
        "",
        "provider of the model, in OpenTelemetry's spelling; null when only a framework is named",
        "gen_ai.provider.name, gen_ai.system and kin",
    ),
    optional("request_model", Text, "", "model asked for", "gen_ai.request.model and kin"),
    optional("response_model", Text, "", "model that served", "gen_ai.response.model and kin"),
    optional(
        "response_id",
        Text,
        "",
        "provider's id of the answer, or of the request where only that is told",
        "gen_ai.response.id and kin",
    ),
    optional(
        "service_tier",
        Text,
        "",
        "served tier, else the requested one",
        "gen_ai.openai.response.service_tier and kin",
    ),
    optional(
        "streaming",
        Bool,
        "",
        "whether the answer was streamed",
        "attribute, or a time to first token",
    ),
    optional("finish_reason", Text, "", "first finish reason", "gen_ai.response.finish_reasons"),
    optional("error_type", Text, "", "class of the error", "error.type and kin"),
    optional(
        "ttft_ms",
        Float,
        "ms",
        "time to first token",
        "gen_ai.response.time_to_first_chunk and kin, or the first event of a chunk",
    ),
    optional(
        "queue_ms",
        Float,
        "ms",
        "time the call waited before the model began",
        "gen_ai.latency.time_in_queue and kin",
    ),
    optional(
        "retries",
        Int,
        "",
        "requests made before the one that is told",
        "http.request.resend_count, attempt",
    ),
    optional("server_address", Text, "", "host that answered", "server.address"),
    optional("region", Text, "", "region of the call, else of the service", "cloud.region"),
    optional("agent_name", Text, "", "agent", "gen_ai.agent.name and kin"),
    optional("workflow_name", Text, "", "workflow", "gen_ai.workflow.name and kin"),
    optional("tool_name", Text, "", "tool", "gen_ai.tool.name and kin"),
    optional(
        "team",
        Text,
        "",
        "team, as said on the item or its resource",
        "attributes of the owner mapping",
    ),
    optional("user_id", Text, "", "end user", "user.id, enduser.id and kin"),
    optional(
        "session_id",
        Text,
        "",
        "session or conversation",
        "session.id, gen_ai.conversation.id and kin",
    ),
    optional("feature", Text, "", "product feature", "attributes of the owner mapping"),
    optional(
        "column_sources",
        Text,
        "",
        "attribute behind each column that may come from several: `column=attribute`, with `resource:` before one of the resource and `attribute→path` for a value inside one",
        "normalise",
    ),
    optional(
        "usage_basis",
        Text,
        "",
        "whether the reported input contains cached tokens: inclusive, exclusive or unknown; estimated when the numbers are a guess of the library; null without usage",
        "dialect, version and provider, or proof from the numbers",
    ),
    optional(
        "usage_reason",
        Text,
        "",
        "rule by which the basis was chosen; [cached-untold] where the library tells no cached tokens, so that uncached input is an upper bound, [perhaps-estimated] where it guesses streams and does not say which calls were",
        "normalise",
    ),
    optional(
        "reported_input_tokens",
        Int,
        "tokens",
        "input as it was said, before any rule",
        "gen_ai.usage.input_tokens and kin",
    ),
    optional(
        "reported_output_tokens",
        Int,
        "tokens",
        "output as it was said, before any rule",
        "gen_ai.usage.output_tokens and kin",
    ),
    optional(
        "input_tokens",
        Int,
        "tokens",
        "all input: uncached, cache read, cache written, audio, image",
        "usage rules",
    ),
    optional(
        "output_tokens",
        Int,
        "tokens",
        "all output: text, reasoning, audio, image",
        "usage rules",
    ),
    optional(
        "input_uncached_tokens",
        Int,
        "tokens",
        "text input neither read from nor written to a cache",
        "usage rules",
    ),
    optional(
        "cache_read_tokens",
        Int,
        "tokens",
        "input read from a cache",
        "gen_ai.usage.cache_read.input_tokens and kin",
    ),
    optional(
        "cache_write_tokens",
        Int,
        "tokens",
        "input written to a cache, all lifetimes",
        "gen_ai.usage.cache_creation.input_tokens and kin",
    ),
    optional(
        "cache_write_5m_tokens",
        Int,
        "tokens",
        "part of the cache writes with a 5-minute lifetime",
        "provider's usage",
    ),
    optional(
        "cache_write_1h_tokens",
        Int,
        "tokens",
        "part of the cache writes with a 1-hour lifetime",
        "provider's usage",
    ),
    optional(
        "output_text_tokens",
        Int,
        "tokens",
        "output without reasoning, audio and image",
        "usage rules",
    ),
    optional(
        "reasoning_tokens",
        Int,
        "tokens",
        "reasoning output",
        "gen_ai.usage.reasoning.output_tokens and kin",
    ),
    optional("input_audio_tokens", Int, "tokens", "audio input", "provider's usage"),
    optional("output_audio_tokens", Int, "tokens", "audio output", "provider's usage"),
    optional("input_image_tokens", Int, "tokens", "image input", "provider's usage"),
    optional("output_image_tokens", Int, "tokens", "image output", "provider's usage"),
    optional("web_searches", Int, "", "web searches the provider made", "provider's usage"),
    optional(
        "rerank_searches",
        Int,
        "",
        "searches that a reranking is billed as",
        "gen_ai.usage.search_units and kin",
    ),
    optional("tool_calls", Int, "", "tool calls the provider made", "provider's usage"),
    optional("input_images", Int, "", "images read", "provider's usage"),
    optional(
        "output_images",
        Int,
        "",
        "images made",
        "gen_ai.usage.image_count, gen_ai.response.image.count",
    ),
    optional(
        "audio_seconds",
        Float,
        "s",
        "audio heard or spoken; where only its sides are told, their sum",
        "gen_ai.usage.audio_duration_seconds and kin",
    ),
    optional(
        "input_audio_seconds",
        Float,
        "s",
        "audio heard",
        "gen_ai.usage.audio_seconds, or all audio of a transcription",
    ),
    optional("output_audio_seconds", Float, "s", "audio spoken", "all audio of speech"),
    optional(
        "input_characters",
        Int,
        "",
        "characters read, as speech is billed by",
        "gen_ai.usage.input_chars and kin",
    ),
    optional(
        "input_document_pages",
        Int,
        "",
        "pages of documents read",
        "gen_ai.usage.pages_processed and kin",
    ),
    optional(
        "reported_cost",
        Decimal,
        "reported_cost_currency",
        "cost as the item says it, never our own; null for the zero of a library that knows no price",
        "gen_ai.usage.cost and kin",
    ),
    optional(
        "reported_cost_currency",
        Text,
        "ISO 4217",
        "currency of the reported cost",
        "documentation of the library",
    ),
    optional(
        "reported_cost_kind",
        Text,
        "",
        "who reckoned it: provider, gateway or sdk",
        "dialect, and who is known to have answered",
    ),
    optional(
        "gateway_cache_hit",
        Bool,
        "",
        "whether a gateway answered from its own cache, so that no provider bills the call",
        "hidden_params of LiteLLM and kin",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_usage_stand_together_after_what_was_reported() {
        let names: Vec<&str> = COLUMNS.iter().map(|c| c.name).collect();
        let at = |name: &str| names.iter().position(|n| *n == name).unwrap();
        let usage = &names[at("usage_basis")..at("reported_cost")];
        let reported = |name: &&&str| name.starts_with("reported_");
        assert!(usage.iter().filter(|name| !reported(name)).all(|name| tells_usage(name)));
        assert_eq!(
            usage.len() - usage.iter().filter(reported).count(),
            4 + INPUT_PARTS.len() + OUTPUT_PARTS.len() + COUNTS.len()
        );
    }
}
