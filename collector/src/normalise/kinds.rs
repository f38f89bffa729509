//! What an item is: from the dialect's own kind of span, or the operation's name, to the operation
//! in OpenTelemetry's words and the role. One span alone: whether a wrapper repeats what is below
//! it, and which of two calls is the same, only the trace tells.

use std::borrow::Cow;

/// What a span is in its trace, as seen on the span alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanRole {
    /// A model inference.
    Call,
    /// An agent, a chain or another wrapper with usage, which repeats that below it.
    Rollup,
    /// Neither.
    Other,
}

impl SpanRole {
    /// The word of the column `span_role`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Rollup => "rollup",
            Self::Other => "other",
        }
    }
}

/// What a dialect's kind of span means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    /// The operation, where the span names none; empty for none.
    pub(super) operation: &'static str,
    is: Is,
}

/// What a span of a kind is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    /// A model inference.
    Call,
    /// Something around inferences, or beside them.
    Wrapper,
    /// A note of what the span of an inference tells.
    Note,
}

impl Kind {
    /// Whether it is a model inference.
    pub(super) fn is_call(self) -> bool {
        self.is == Is::Call
    }
}

const fn call(operation: &'static str) -> Kind {
    Kind { operation, is: Is::Call }
}

const fn wrapper(operation: &'static str) -> Kind {
    Kind { operation, is: Is::Wrapper }
}

const NOTE: Kind = Kind { operation: "", is: Is::Note };

/// Kinds in lower case: `openinference.span.kind`, `traceloop.span.kind`,
/// `langfuse.observation.type`, `langsmith.span.kind`, `mlflow.spanType`, Claude Code's `span.type`,
/// `genkit:metadata:subtype`, `mastra.span.type`, `ag2.span.type`, `gen_ai.span.kind`,
/// `spring.ai.kind` and others.
const KINDS: &[(&str, Kind)] = &[
    ("llm", call("chat")),
    ("generation", call("chat")),
    ("chat_model", call("chat")),
    ("llm_request", call("chat")),
    ("embedding", call("embeddings")),
    ("reranker", call("rerank")),
    // Mastra's types.
    ("model_generation", call("chat")),
    ("model_step", call("chat")),
    ("model_inference", call("chat")),
    ("model_chunk", NOTE),
    ("agent_run", wrapper("invoke_agent")),
    ("workflow_run", wrapper("invoke_workflow")),
    ("tool_call", wrapper("execute_tool")),
    // AG2's, of a span beside that of the call.
    ("usage", NOTE),
    // Genkit's actions.
    ("model", call("chat")),
    ("background-model", call("chat")),
    ("embedder", call("embeddings")),
    ("tool", wrapper("execute_tool")),
    ("agent", wrapper("invoke_agent")),
    ("interaction", wrapper("invoke_agent")),
    ("workflow", wrapper("invoke_workflow")),
    ("chain", wrapper("invoke_workflow")),
    ("retriever", wrapper("retrieval")),
    ("flow", wrapper("invoke_workflow")),
    ("util", wrapper("")),
    ("indexer", wrapper("")),
    ("task", wrapper("")),
    ("span", wrapper("")),
    ("event", wrapper("")),
    ("prompt", wrapper("")),
    ("parser", wrapper("")),
    ("guardrail", wrapper("")),
    ("evaluator", wrapper("")),
    ("memory", wrapper("")),
];

/// The meaning of a kind; none when it is not known.
pub(super) fn kind(word: &str) -> Option<Kind> {
    if let Some(operation) = word.strip_prefix("ai.") {
        return Some(vercel(operation));
    }
    KINDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, kind)| *kind)
}

/// What the class of a component of Haystack does. One that asks no model, or one in its own process,
/// may pass on what another was answered.
pub(super) fn component(class: &str) -> Kind {
    const LOCAL: [&str; 5] =
        ["Fastembed", "HuggingFaceLocal", "LlamaCpp", "Optimum", "SentenceTransformers"];
    let last = |word: &str| class.len() > word.len() && class.ends_with(word);
    match class {
        "Agent" => wrapper("invoke_agent"),
        _ if LOCAL.iter().any(|beginning| class.starts_with(beginning)) => NOTE,
        _ if last("ChatGenerator") => call("chat"),
        _ if last("Generator") => call("text_completion"),
        _ if last("Embedder") => call("embeddings"),
        _ => NOTE,
    }
}

/// `ai.operationId` of the Vercel AI SDK without its `ai.`: `generateText.doGenerate`, `toolCall`.
fn vercel(operation: &str) -> Kind {
    let embeds = operation.starts_with("embed");
    match operation.split_once('.') {
        Some((outer, inner)) if inner.starts_with("do") => match outer {
            _ if embeds => call("embeddings"),
            "rerank" => call("rerank"),
            "generateImage" => call("image_generation"),
            "transcribe" => call("audio_transcription"),
            "generateSpeech" => call("audio_speech"),
            _ => call("chat"),
        },
        _ if operation == "toolCall" => wrapper("execute_tool"),
        _ if embeds => wrapper("embeddings"),
        _ => wrapper("invoke_agent"),
    }
}

/// Whether the kind, or the operation, says that the answer was streamed.
pub(super) fn streams(word: &str) -> bool {
    word.ends_with(".doStream")
        || word.starts_with("ai.stream")
        || word.ends_with(".streaming_completions")
}

/// Words of libraries for an operation that OpenTelemetry names otherwise.
const OPERATIONS: &[(&str, &str)] = &[
    ("acompletion", "chat"),
    // Semantic Kernel.
    ("chat.completions", "chat"),
    ("chat.streaming_completions", "chat"),
    ("text.completions", "text_completion"),
    ("text.streaming_completions", "text_completion"),
    ("responses", "chat"),
    ("aresponses", "chat"),
    ("atext_completion", "text_completion"),
    ("embedding", "embeddings"),
    ("aembedding", "embeddings"),
    ("aimage_generation", "image_generation"),
    ("transcription", "audio_transcription"),
    ("atranscription", "audio_transcription"),
    ("speech", "audio_speech"),
    ("aspeech", "audio_speech"),
    ("arerank", "rerank"),
    ("speech_to_text", "audio_transcription"),
    ("text_to_speech", "audio_speech"),
    ("aimage_edit", "image_edit"),
    ("aocr", "ocr"),
    ("llm_call", "generate_content"),
    ("tool_call", "execute_tool"),
    ("agent_call", "invoke_agent"),
];

/// The operation in OpenTelemetry's words, and whether that is another than was said; `own` is what
/// the word means in the dialect.
pub(super) fn operation<'a>(said: Cow<'a, str>, own: Option<&'static str>) -> (Cow<'a, str>, bool) {
    let listed = || OPERATIONS.iter().find(|(word, _)| *word == said).map(|(_, o)| *o);
    match own.or_else(listed) {
        Some(operation) => (Cow::Borrowed(operation), true),
        None => (said, false),
    }
}

/// Whether an operation, in OpenTelemetry's words, is a request to a model.
pub(super) fn asks_a_model(operation: &str) -> bool {
    matches!(
        operation,
        "chat"
            | "text_completion"
            | "generate_content"
            // Google's Agent Development Kit; its first versions for Java tell no usage of Claude.
            | "call_llm"
            | "embeddings"
            | "completion"
            | "response"
            | "image_generation"
            | "image_edit"
            | "audio_transcription"
            | "audio_speech"
            | "ocr"
            | "moderation"
            | "rerank"
    )
}

/// What the role is decided by.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen<'o> {
    pub(super) ai: bool,
    pub(super) kind: Option<Kind>,
    pub(super) operation: Option<&'o str>,
    pub(super) has_model: bool,
    pub(super) has_usage: bool,
    pub(super) has_agent: bool,
    /// Other spans tell what it tells: it is a sum, or asks no model itself.
    pub(super) repeats: bool,
    /// It is of the instrumentation of a client.
    pub(super) of_client: bool,
}

/// The role. The dialect's kind beats the operation: LangSmith's prompts say `chat` too. A failed
/// or cut inference has no usage and is a call all the same.
pub(super) fn role(seen: &Seen<'_>) -> SpanRole {
    if !seen.ai {
        return SpanRole::Other;
    }
    let wrapper = if seen.has_usage { SpanRole::Rollup } else { SpanRole::Other };
    if seen.repeats {
        return wrapper;
    }
    if let Some(kind) = seen.kind {
        return match kind.is {
            Is::Call => SpanRole::Call,
            // What a tool puts out may be another's answer.
            Is::Wrapper if kind.operation == "execute_tool" => SpanRole::Other,
            Is::Wrapper => wrapper,
            Is::Note => SpanRole::Other,
        };
    }
    match seen.operation {
        Some(operation) if asks_a_model(operation) => SpanRole::Call,
        Some(
            "invoke_agent"
            | "invoke_workflow"
            | "create_agent"
            | "agent"
            | "workflow"
            | "plan"
            | "execute_tool"
            | "tool"
            | "task"
            | "retrieval"
            | "chain"
            | "agent_step"
            | "execute_event_loop_cycle",
        ) => wrapper,
        // An operation that is not known, or none: usage of a model makes it a call, as does the
        // client that asks it; usage of an agent without one a sum.
        _ if seen.has_model && (seen.has_usage || seen.of_client) => SpanRole::Call,
        _ if seen.has_agent => wrapper,
        _ => SpanRole::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind_word: &str, operation: &str, usage: bool, expect: SpanRole) {
        let seen = Seen {
            ai: true,
            kind: kind(kind_word),
            operation: Some(operation).filter(|o| !o.is_empty()),
            has_model: true,
            has_usage: usage,
            ..Seen::default()
        };
        assert_eq!(role(&seen), expect, "{kind_word} {operation}");
    }

    // Vercel: “ai.generateText.doGenerate: a call to the provider”; the outer span sums its steps.
    #[test]
    fn the_inner_span_of_the_vercel_sdk_is_the_call() {
        check("ai.generateText.doGenerate", "", true, SpanRole::Call);
        check("ai.streamText.doStream", "", false, SpanRole::Call);
        check("ai.generateText", "", true, SpanRole::Rollup);
        check("ai.embedMany", "", true, SpanRole::Rollup);
        check("ai.embedMany.doEmbed", "", true, SpanRole::Call);
        check("ai.toolCall", "", false, SpanRole::Other);
    }

    #[test]
    fn the_kind_beats_the_operation() {
        check("prompt", "chat", false, SpanRole::Other);
        check("retriever", "embeddings", false, SpanRole::Other);
        check("CHAIN", "", true, SpanRole::Rollup);
        check("LLM", "", false, SpanRole::Call);
    }

    #[test]
    fn without_kind_the_operation_decides_and_usage_of_a_model_else() {
        check("", "chat", false, SpanRole::Call);
        check("", "invoke_agent", true, SpanRole::Rollup);
        check("", "invoke_agent", false, SpanRole::Other);
        check("", "", true, SpanRole::Call);
        check("", "something new", false, SpanRole::Other);
    }
}
