//! Content under a name that no list has: what libraries that were never met, and new versions of
//! those that were, hang on their spans. Takes name and value of an attribute that says no fact and
//! is of AI, gives the kind of content it is by the last word of its name, by messages inside it, or
//! by its length. Numbers, truth values and words of a state are facts and stay.
//!
//! It errs on the side of what is private: a label that ends like a payload is taken for one.

use super::content::ContentKind::{
    self, Input, Other, Output, System, ToolArguments, ToolDefinitions, ToolResult,
};
use super::loose::{self, Scalar};
use crate::decode::Value;
use crate::limits::{INSIDE_BYTES_MAX, PLAIN_TEXT_BYTES_MAX};

/// Scopes of AI of no dialect. A trailing `*` matches any ending.
const SCOPES: &[&str] = &[
    "Microsoft.Agents*",
    "Microsoft.SemanticKernel*",
    "agent_framework*",
    "autogen*",
    "beeai*",
    "braintrust*",
    "copilot-chat*",
    "crewai*",
    "dspy*",
    "github.copilot*",
    "langchain*",
    "langgraph*",
    "llama_index*",
    "llama-index*",
    "mcp*",
    "semantic_kernel*",
    "smolagents*",
    "spring_ai*",
];

/// Whether a scope of no dialect is of AI.
pub(super) fn is_ai(scope: &str) -> bool {
    SCOPES.iter().any(|pattern| super::dialects::scope_is(pattern, scope))
}

/// Last words of names under which payloads stand.
const WORDS: &[(&str, ContentKind)] = &[
    ("instruction", System),
    ("instructions", System),
    ("backstory", System),
    ("history", Input),
    ("input", Input),
    ("inputs", Input),
    ("message", Input),
    ("messages", Input),
    ("prompt", Input),
    ("prompts", Input),
    ("query", Input),
    ("question", Input),
    ("request", Input),
    ("goal", Input),
    ("answer", Output),
    ("candidates", Output),
    ("choices", Output),
    ("completion", Output),
    ("completions", Output),
    ("output", Output),
    ("outputs", Output),
    ("reply", Output),
    ("replies", Output),
    ("response", Output),
    ("thought", Output),
    ("thoughts", Output),
    ("args", ToolArguments),
    ("argument", ToolArguments),
    ("arguments", ToolArguments),
    ("kwargs", ToolArguments),
    ("result", ToolResult),
    ("results", ToolResult),
    ("body", Other),
    ("content", Other),
    ("contents", Other),
    ("data", Other),
    ("document", Other),
    ("documents", Other),
    ("payload", Other),
    ("text", Other),
    ("texts", Other),
    ("transcript", Other),
];

/// Words that say how a value is written, after the one that says what it is.
const FORMATS: [&str; 4] = ["json", "raw", "str", "string"];

/// Beginnings of OpenTelemetry's namespaces of other things than models.
const OTHERS: &[&str] = &[
    "cloud.",
    "code.",
    "container.",
    "db.",
    "enduser.",
    "faas.",
    "host.",
    "k8s.",
    "messaging.",
    "net.",
    "network.",
    "otel.",
    "process.",
    "rpc.",
    "server.",
    "service.",
    "session.",
    "telemetry.",
    "thread.",
    "url.",
    "user.",
];

/// Names that look like a payload's and are none: Logfire's schema of attributes and sums of metrics,
/// and the AI SDK's form of the output.
const FACTS: [&str; 3] = ["ai.settings.output", "logfire.json_schema", "logfire.metrics"];

/// Values that are a state or a choice wherever they stand.
const STATES: &[&str] = &[
    "",
    "None",
    "True",
    "False",
    "null",
    "true",
    "false",
    "[]",
    "{}",
    "auto",
    "error",
    "failed",
    "failure",
    "json",
    "json_object",
    "json_schema",
    "none",
    "ok",
    "required",
    "success",
    "text",
];

/// Keys inside a JSON value under which a message, a task or a definition is told.
const SAID: &[&str] = &[
    "answer",
    "args",
    "arguments",
    "backstory",
    "completion",
    "content",
    "contents",
    "description",
    "expected_output",
    "goal",
    "instructions",
    "message",
    "messages",
    "parts",
    "prompt",
    "system_prompt",
    "text",
    "thought",
    "user_prompt",
];

/// What a name that no list has says of an attribute of AI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// That it is no content.
    Fact,
    /// That it is content, unless the value is a number or a state.
    Payload(ContentKind),
    /// Nothing: its value tells.
    Nothing,
}

impl Name {
    /// What a name says.
    pub(super) fn of(key: &str) -> Name {
        if is_other(key) {
            return Name::Fact;
        }
        by_request_parameter(key).or_else(|| by_word(key)).map_or(Name::Nothing, Name::Payload)
    }

    /// What an attribute of that name is; none when it is no content.
    pub(super) fn kind(self, value: Value<'_>) -> Option<ContentKind> {
        let text = match (self, value) {
            (Name::Fact, _) => return None,
            (_, Value::Text(text)) => std::borrow::Cow::Borrowed(text),
            (_, Value::Array(_) | Value::Map(_)) => value.text()?,
            _ => return None,
        };
        let text = text.trim();
        if STATES.contains(&text) || text.parse::<f64>().is_ok() {
            return None;
        }
        if let Name::Payload(kind) = self {
            return Some(kind);
        }
        // As Logfire fills its templates: `agent run prompt=…`.
        let prompt = text.contains(" prompt=").then_some(Input);
        let other = || text.len() > PLAIN_TEXT_BYTES_MAX || tells_messages(text);
        prompt.or_else(|| other().then_some(Other))
    }
}

/// What an attribute of AI is that no list names; none when it is no content.
pub(super) fn kind(key: &str, value: Value<'_>) -> Option<ContentKind> {
    Name::of(key).kind(value)
}

/// Whether what is said is no model's: of another namespace, an error's, or a known fact.
fn is_other(key: &str) -> bool {
    // Of the beginnings few share the first byte, and one byte is compared without a call.
    let first = key.as_bytes().first();
    let mut others = OTHERS.iter().filter(|namespace| namespace.as_bytes().first() == first);
    others.any(|namespace| key.starts_with(namespace))
        || ["error", "exception", "status"].iter().any(|word| key.contains(word))
        || FACTS.contains(&key)
}

/// LiteLLM repeats every parameter of the raw request, and every part of the raw answer, as
/// `llm.<provider>.<parameter>`, of a hundred providers. Source: `set_raw_request_attributes` of
/// its `opentelemetry.py`.
fn by_request_parameter(key: &str) -> Option<ContentKind> {
    let (_, parameter) = key.strip_prefix("llm.")?.split_once('.')?;
    let parameter = parameter.split('.').next()?;
    match parameter {
        "system" | "system_instruction" | "systemInstruction" => Some(System),
        "tools" | "functions" | "toolConfig" | "tool_config" | "response_format" => {
            Some(ToolDefinitions)
        }
        "embeddings" => Some(Output),
        _ => None,
    }
}

/// The kind by the last word of a name: of `task_output`, `agent.toolArgs`, `messages.0`.
fn by_word(key: &str) -> Option<ContentKind> {
    let mut words = key.rsplit(['.', ':', '_', '-', '/']).filter(|word| {
        !word.is_empty()
            && !word.bytes().all(|b| b.is_ascii_digit())
            && !FORMATS.iter().any(|format| format.eq_ignore_ascii_case(word))
    });
    let last = words.next()?;
    // The last hump of `spanInputs`.
    let hump = last.rfind(|c: char| c.is_ascii_uppercase()).unwrap_or(0);
    let word = last.get(hump..)?;
    WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, kind)| *kind)
}

/// Whether a text is JSON, or as Python prints it, in which something is said.
fn tells_messages(text: &str) -> bool {
    let text = loose::unquoted(text);
    if !text.starts_with(['{', '[']) {
        return false;
    }
    let mut tells = false;
    loose::leaves(&text, INSIDE_BYTES_MAX, |path, value| {
        let said = matches!(&value, Scalar::Text(t) if !STATES.contains(&&**t));
        tells |= said && path.split('.').any(|key| SAID.contains(&key));
    });
    tells
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str, value: &str, expect: Option<ContentKind>) {
        assert_eq!(kind(key, Value::Text(value)), expect, "{key} {value}");
    }

    #[test]
    fn payloads_of_libraries_that_no_list_has() {
        check("gcp.vertex.agent.llm_request", r#"{"model":"m"}"#, Some(Input));
        check("acme.tool_call_args", r#"{"city":"Rome"}"#, Some(ToolArguments));
        check("acme.agent_run.output", "Hello", Some(Output));
        check("acme.toolArguments", "Rome", Some(ToolArguments));
        check("acme.input_json", "Hello", Some(Input));
        check("acme.messages.0", "Hello", Some(Input));
        check("thought", "I should search", Some(Output));
        // By what is inside.
        check("acme.steps", r#"[{"role":"user","content":"Hello"}]"#, Some(Other));
        check("acme.steps", "[{'role': 'user', 'text': 'Hello'}]", Some(Other));
        check("acme.agents", r#"[{"role":"Engineer","goal":"Build"}]"#, Some(Other));
        check("acme.steps", r#""[{\"content\":\"Hello\"}]""#, Some(Other));
        check("node", r#"{"user_prompt":"Hello","system_prompts":[]}"#, Some(Other));
        check("logfire.msg", "agent run prompt=Hello", Some(Input));
        check("logfire.msg", "chat gpt-4o", None);
        // By its length.
        check("acme.note", &"a b".repeat(PLAIN_TEXT_BYTES_MAX), Some(Other));
    }

    // litellm/integrations/opentelemetry.py: `llm.{custom_llm_provider}.{param}` of each parameter.
    #[test]
    fn parameters_that_litellm_repeats_of_any_provider() {
        check("llm.mistral.messages", "[{'role': 'user', 'content': 'Hi'}]", Some(Input));
        check("llm.vertex_ai.contents", "[{'parts': []}]", Some(Other));
        check("llm.cohere_chat.message", "Hi", Some(Input));
        check("llm.azure.instructions", "Be brief", Some(System));
        check("llm.bedrock.system", "[{'text': 'Be brief'}]", Some(System));
        check("llm.xai.tools", "[{'type': 'function'}]", Some(ToolDefinitions));
        check("llm.xai.model", "grok-4", None);
        check("llm.xai.max_tokens", "10", None);
        check("llm.xai.id", "chatcmpl-1", None);
    }

    #[test]
    fn facts_stay() {
        for (key, value) in [
            ("acme.model", "gpt-4o"),
            ("acme.usage.input", "12"),
            ("acme.cost.output", "0.0003"),
            ("acme.tool_result", "success"),
            ("acme.output", "json"),
            ("acme.crew_id", "7aaad2cf-aeb4-4cc3-96df-c5d19e6b37a9"),
            ("acme.usage", r#"{"input":5,"output":7,"details":{"text":5}}"#),
            ("tools", r#"["get_pun","get_joke"]"#),
            ("input.mime_type", "application/json"),
            ("error.message", "rate limit"),
            ("langfuse.observation.status_message", "rate limit"),
            ("logfire.json_schema", r#"{"properties":{"messages":{"type":"array"}}}"#),
            ("ai.settings.output", "object"),
            ("url.query", "a=b"),
            ("user.request", "u"),
        ] {
            check(key, value, None);
        }
        assert_eq!(kind("acme.output", Value::Int(5)), None);
        assert_eq!(kind("acme.output", Value::Bool(true)), None);
    }
}
