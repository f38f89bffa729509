//! Facts that a span's events tell, and log records that are a model call. Takes events by name
//! and time; gives the instant of the first chunk and the class of an exception.

use super::facts::Reading;
use super::names::Fact;
use crate::decode::{SpanView, Value};

/// Events that mark a chunk of an answer, by dialect: OpenInference, OpenLLMetry current and old,
/// the Vercel AI SDK, MLflow, LangSmith.
const CHUNKS: &[&str] = &[
    "First Token Stream Event",
    "gen_ai.content.completion.chunk",
    "llm.content.completion.chunk",
    "ai.stream.firstChunk",
    "mlflow.chunk.item.0",
    "new_token",
];

/// Milliseconds from the start of the span to its first chunk.
pub(super) fn first_chunk_ms(span: &SpanView<'_, '_>) -> Option<f64> {
    let chunks = span.events.iter().filter(|e| CHUNKS.contains(&e.name));
    let first = i64::try_from(chunks.map(|e| e.time_unix_ns).min()?).ok()?;
    Some(first - span.start_unix_ns).filter(|ns| *ns > 0).map(|ns| ns as f64 / 1e6)
}

/// The class of the last exception, without its module.
pub(super) fn exception<'a>(span: &SpanView<'a, '_>) -> Option<&'a str> {
    let last = span.events.iter().rfind(|e| e.name == "exception")?;
    let attributes = span.event_attributes(last);
    match attributes.iter().find(|a| a.key == "exception.type")?.value {
        Value::Text(class) => class.rsplit('.').next().filter(|c| !c.is_empty()),
        _ => None,
    }
}

/// Whether a log record tells of one whole model call. `name` is its event's, `dialect` whose
/// names it speaks.
pub(super) fn is_call(dialect: &str, name: &str, reading: &Reading<'_, '_>) -> bool {
    match (dialect, name) {
        ("claude-code", "claude_code.api_error" | "api_error") => !never_sent(reading),
        ("claude-code", "claude_code.api_request" | "api_request")
        | ("gemini-cli", "gemini_cli.api_response" | "gemini_cli.api_error")
        | ("qwen-code", "qwen-code.api_response" | "qwen-code.api_error") => true,
        // The last event of a stream; the others repeat parts of it.
        ("codex", "codex.sse_event" | "codex.websocket_event") => {
            text_is(reading, "event.kind", "response.completed")
        }
        // One per request; of those that succeeded the stream's last event tells.
        ("codex", "codex.api_request") => failed_status(reading).is_some(),
        // Written before the answer too, then without any part of it.
        (_, "gen_ai.client.inference.operation.details") => {
            let answer = [
                Fact::Input,
                Fact::Output,
                Fact::ResponseId,
                Fact::ResponseModel,
                Fact::FinishReason,
                Fact::ErrorType,
            ];
            answer.iter().any(|fact| reading.said(*fact).is_some())
        }
        _ => false,
    }
}

/// Whether a client refused to ask: Anthropic's, that has no key to ask with.
fn never_sent(reading: &Reading<'_, '_>) -> bool {
    let error = reading.attributes.iter().find(|a| a.key == "error");
    let refused = "Could not resolve authentication method";
    error.is_some_and(|a| matches!(a.value, Value::Text(text) if text.starts_with(refused)))
}

/// The status of a request that failed, of `http.response.status_code`.
pub(super) fn failed_status(reading: &Reading<'_, '_>) -> Option<u16> {
    let status = reading.attributes.iter().find(|a| a.key == "http.response.status_code")?;
    let status = match status.value {
        Value::Int(status) => u16::try_from(status).ok()?,
        Value::Text(status) => status.parse().ok()?,
        _ => return None,
    };
    (status >= 400).then_some(status)
}

fn text_is(reading: &Reading<'_, '_>, key: &str, text: &str) -> bool {
    reading
        .attributes
        .iter()
        .any(|a| a.key == key && matches!(a.value, Value::Text(t) if t == text))
}

/// Beginnings of a provider's id of an answer, as the JSON of the answer has it.
const IDS: &[&str] = &["chatcmpl-", "resp_", "cmpl-", "gen-", "msg_"];

/// The provider's id inside an answer that is JSON: the first `"id": "…"` with one of these
/// beginnings. Inside a JSON text quotes are escaped, so that what was said cannot be taken for it.
pub(super) fn answer_id<'a>(answer: &'a str, provider: Option<&str>) -> Option<&'a str> {
    let mut rest = &answer[..answer.floor_char_boundary(crate::limits::ANSWER_SEARCH_BYTES_MAX)];
    while let Some(at) = rest.find("\"id\":") {
        let escaped = rest[..at].ends_with('\\');
        rest = &rest[at + "\"id\":".len()..];
        let Some(value) = rest.trim_start().strip_prefix('"').filter(|_| !escaped) else {
            continue;
        };
        let (id, _) = value.split_once('"')?;
        // OpenAI's responses have a `msg_` for each item; only Claude's is the answer's.
        let claude = matches!(provider, Some("anthropic" | "aws.bedrock"));
        let item = id.starts_with("msg_") && !claude;
        if !item && !id.contains('\\') && IDS.iter().any(|beginning| id.starts_with(beginning)) {
            return Some(id);
        }
    }
    None
}

/// Whether LangChain read an answer as a stream: then it has the class of a message's chunk, else that
/// of a message. What was said has its quotes escaped. None where it is no answer of LangChain's.
pub(super) fn answer_streamed(answer: &str) -> Option<bool> {
    let answer = &answer[..answer.floor_char_boundary(crate::limits::ANSWER_SEARCH_BYTES_MAX)];
    let says =
        |class: &str| answer.match_indices(class).any(|(at, _)| !answer[..at].ends_with('\\'));
    match says("\"AIMessageChunk\"") {
        true => Some(true),
        false => says("\"AIMessage\"").then_some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_providers_never_one_that_was_said() {
        let chat = r#"{"id": "chatcmpl-1", "choices": [{"message": {"content": "x"}}]}"#;
        assert_eq!(answer_id(chat, None), Some("chatcmpl-1"));
        let said = r#"{"content": "\"id\": \"chatcmpl-2\"", "id":"run-3", "m":{"id":"resp_4"}}"#;
        assert_eq!(answer_id(said, None), Some("resp_4"));
        let item = r#"[{"id": "msg_5", "type": "message"}]"#;
        assert_eq!(answer_id(item, Some("openai")), None);
        assert_eq!(answer_id(item, Some("anthropic")), Some("msg_5"));
        assert_eq!(answer_id(r#"{"id": "chatcmpl-cut"#, None), None);
    }

    #[test]
    fn a_chunk_of_langchain_is_a_streams() {
        let of =
            |class: &str| format!(r#"{{"text": "x", "id": ["langchain", "messages", "{class}"]}}"#);
        assert_eq!(answer_streamed(&of("AIMessageChunk")), Some(true));
        assert_eq!(answer_streamed(&of("AIMessage")), Some(false));
        assert_eq!(answer_streamed(r#"{"text": "it is a \"AIMessageChunk\""}"#), None);
    }
}
