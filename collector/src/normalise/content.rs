//! What is content: prompts, completions and tool payloads, by the name they come under, of all
//! dialects we have met. Content never enters `spans` or `log_records`; its length does. The one
//! list to extend; a name that is missing here is content only if `unlisted` takes it for some.

/// What a piece of content is; the words of the column `contents.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentKind {
    /// System instructions.
    System,
    /// Input messages.
    Input,
    /// Output messages.
    Output,
    /// Definitions of tools.
    ToolDefinitions,
    /// Arguments of a tool call.
    ToolArguments,
    /// Result of a tool call.
    ToolResult,
    /// Something else that was said.
    Other,
}

impl ContentKind {
    /// The word of the column.
    pub fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Input => "input",
            Self::Output => "output",
            Self::ToolDefinitions => "tool-definitions",
            Self::ToolArguments => "tool-arguments",
            Self::ToolResult => "tool-result",
            Self::Other => "other",
        }
    }
}

use ContentKind::{Input, Other, Output, System, ToolArguments, ToolDefinitions, ToolResult};

/// Attributes of spans and log records, by their full name.
pub(super) const KEYS: &[(&str, ContentKind)] = &[
    // OpenTelemetry GenAI, current and before 1.37.
    ("gen_ai.system_instructions", System),
    ("gen_ai.input.messages", Input),
    ("gen_ai.output.messages", Output),
    ("gen_ai.tool.definitions", ToolDefinitions),
    ("gen_ai.tool.call.arguments", ToolArguments),
    ("gen_ai.tool.call.result", ToolResult),
    ("gen_ai.prompt", Input),
    ("gen_ai.completion", Output),
    ("gen_ai.event.content", Other),
    ("gen_ai.embeddings.input", Input),
    ("gen_ai.retrieval.query.text", Input),
    ("gen_ai.retrieval.documents", Other),
    // OpenLIT, OpenLLMetry, Strands and others inside the gen_ai namespace.
    ("gen_ai.agent.tools", ToolDefinitions),
    ("gen_ai.request.structured_output_schema", ToolDefinitions),
    ("gen_ai.task.input", Input),
    ("gen_ai.task.output", Output),
    ("gen_ai.tool.args", ToolArguments),
    ("gen_ai.tool.arguments", ToolArguments),
    ("gen_ai.tool.input", ToolArguments),
    ("gen_ai.tool.output", ToolResult),
    ("gen_ai.tool.result", ToolResult),
    ("gen_ai.tool.json_schema", ToolDefinitions),
    ("traceloop.entity.input", Input),
    ("traceloop.entity.output", Output),
    // OpenInference.
    ("input.value", Input),
    ("output.value", Output),
    ("llm.prompts", Input),
    ("llm.prompt_template.template", Input),
    ("llm.prompt_template.variables", Input),
    ("tool.parameters", ToolDefinitions),
    ("tool.json_schema", ToolDefinitions),
    // Vercel AI SDK.
    ("ai.prompt", Input),
    ("ai.prompt.messages", Input),
    ("ai.prompt.tools", ToolDefinitions),
    ("ai.response.text", Output),
    ("ai.response.object", Output),
    ("ai.response.reasoning", Output),
    ("ai.response.toolCalls", Output),
    ("ai.response.files", Output),
    ("ai.result.text", Output),
    ("ai.result.object", Output),
    ("ai.result.toolCalls", Output),
    ("ai.toolCall.args", ToolArguments),
    ("ai.toolCall.result", ToolResult),
    ("ai.schema", ToolDefinitions),
    ("ai.value", Input),
    ("ai.values", Input),
    ("ai.embedding", Output),
    ("ai.embeddings", Output),
    // Langfuse, MLflow, Logfire and Pydantic AI, LiteLLM.
    ("langfuse.observation.input", Input),
    ("langfuse.observation.output", Output),
    ("langfuse.trace.input", Input),
    ("langfuse.trace.output", Output),
    ("mlflow.spanInputs", Input),
    ("mlflow.spanOutputs", Output),
    ("mlflow.chat.tools", ToolDefinitions),
    ("mlflow.chunk.value", Output),
    ("genkit:input", Input),
    ("genkit:output", Output),
    ("request_data", Input),
    ("response_data", Output),
    ("all_messages_events", Other),
    ("pydantic_ai.all_messages", Other),
    ("final_result", Output),
    ("model_request_parameters", ToolDefinitions),
    ("tool_arguments", ToolArguments),
    ("tool_response", ToolResult),
    // Coding agents.
    ("user_prompt", Input),
    ("full_command", ToolArguments),
    ("prompt_text", Input),
    ("request_text", Input),
    ("response_text", Output),
    ("function_args", ToolArguments),
    ("tool_input", ToolArguments),
    ("message.content", Other),
    // Agent frameworks.
    ("gcp.vertex.agent.llm_request", Input),
    ("gcp.vertex.agent.llm_response", Output),
    ("gcp.vertex.agent.tool_call_args", ToolArguments),
    ("gcp.vertex.agent.tool_response", ToolResult),
    ("gcp.vertex.agent.data", Input),
    ("crew_agents", System),
    ("crew_inputs", Input),
    ("crew_tasks", Input),
    ("crewai.agent.backstory", System),
    ("crewai.agent.crew", Other),
    ("crewai.agent.goal", System),
    ("crewai.crew.agents", System),
    ("crewai.crew.tasks", Input),
    ("crewai.task.description", Input),
    ("crewai.task.expected_output", Input),
    ("formatted_description", Input),
    ("formatted_expected_output", Input),
    ("smolagents.task", Input),
    ("llm.tools", ToolDefinitions),
    ("mcp.request.argument", ToolArguments),
    ("mcp.response.value", ToolResult),
    ("haystack.component.input", Input),
    ("haystack.component.output", Output),
    ("haystack.agent.step.llm.output", Output),
    ("mastra.metadata.body", Output),
    ("copilot_chat.user_request", Input),
];

/// Beginnings of flattened messages, `llm.input_messages.0.message.content` and the like, by their
/// namespace.
const PREFIXES: &[(&str, &[(&str, ContentKind)])] = &[
    ("gen_ai.", &[("completion.", Output)]),
    (
        "llm.",
        &[
            ("prompts.", Input),
            ("input_messages.", Input),
            ("output_messages.", Output),
            ("tools.", ToolDefinitions),
            ("request.functions.", ToolDefinitions),
            ("openai.messages", Input),
            ("openai.choices", Output),
            ("openai.tools", ToolDefinitions),
            ("anthropic.messages", Input),
            ("anthropic.system", System),
            ("anthropic.content", Output),
            ("gemini.contents", Input),
            ("gemini.candidates", Output),
            ("ollama_chat.message", Output),
            ("choices.", Output),
        ],
    ),
    ("embedding.", &[("embeddings.", Other)]),
    ("retrieval.", &[("documents.", Other)]),
    ("reranker.", &[("input_documents.", Input), ("output_documents.", Output)]),
];

/// The kind of a key that is content by its beginning.
pub(super) fn by_prefix(key: &str) -> Option<ContentKind> {
    // Asked of every key that means nothing, which most often begins otherwise than any of these.
    if !key.starts_with(['e', 'g', 'l', 'r']) {
        return None;
    }
    if let Some(rest) = key.strip_prefix("gen_ai.prompt.") {
        // `gen_ai.prompt.0.content` is a message; `gen_ai.prompt.name` is the name of a template.
        return rest.starts_with(|c: char| c.is_ascii_digit()).then_some(Input);
    }
    let of =
        |(namespace, known): &(&str, &'static [_])| Some((key.strip_prefix(namespace)?, *known));
    let (rest, known): (_, &[(&str, _)]) = PREFIXES.iter().find_map(of)?;
    known.iter().find(|(prefix, _)| rest.starts_with(prefix)).map(|(_, kind)| *kind)
}

/// Names that are content only in the mouth of one scope; elsewhere they mean anything.
const OF_SCOPE: &[(&str, &str, ContentKind)] = &[
    ("com.anthropic.claude_code", "prompt", Input),
    ("com.anthropic.claude_code", "response", Output),
    ("com.anthropic.claude_code", "body", Other),
    ("com.anthropic.claude_code", "tool_parameters", ToolArguments),
    ("pydantic-ai", "events", Other),
    ("logfire", "events", Other),
    ("codex", "prompt", Input),
    ("codex", "arguments", ToolArguments),
    ("codex", "output", ToolResult),
    ("gemini-cli", "prompt", Input),
    ("gemini-cli", "response", Output),
    ("qwen-code", "prompt", Input),
    ("qwen-code", "request_text", Input),
    ("qwen-code", "response_text", Output),
    ("mlflow.tracing.provider", "instructions", System),
    ("mlflow.tracing.provider", "tools", ToolDefinitions),
    ("mlflow.tracing.provider", "functions", ToolDefinitions),
    ("mlflow.tracing.provider", "response_format", ToolDefinitions),
    ("mlflow.tracing.provider", "system", System),
    ("mlflow.tracing.provider", "prompt", Input),
    ("mlflow.tracing.provider", "suffix", Input),
    ("mlflow.tracing.provider", "prediction", Input),
];

/// Whether a scope has such names at all; asked once per group.
pub(super) fn scope_has_own(scope: &str) -> bool {
    OF_SCOPE.iter().any(|(prefix, _, _)| scope.starts_with(prefix))
}

/// The kind of a key that is content by its full name.
pub(super) fn by_name(key: &str) -> Option<ContentKind> {
    KEYS.iter().find(|(known, _)| *known == key).map(|(_, kind)| *kind)
}

/// The kind of a key that is content in this scope only.
pub(super) fn by_scope(scope: &str, key: &str) -> Option<ContentKind> {
    let said = |(prefix, name, _): &&(&str, &str, _)| scope.starts_with(*prefix) && *name == key;
    OF_SCOPE.iter().find(said).map(|(_, _, kind)| *kind)
}

/// The kind of an event (of a span, or a log record) whose body is content, and with it those of
/// its attributes that [`is_event_payload`] names.
pub(crate) fn of_event(name: &str) -> Option<ContentKind> {
    match name {
        "gen_ai.system.message" => Some(System),
        "gen_ai.user.message" | "gen_ai.assistant.message" | "gen_ai.content.prompt" => Some(Input),
        "gen_ai.tool.message" => Some(ToolResult),
        "gen_ai.choice" | "gen_ai.content.completion" => Some(Output),
        "gen_ai.client.inference.operation.details" => Some(Other),
        _ if name.starts_with("gen_ai.content.") => Some(Other),
        _ => None,
    }
}

/// Whether an attribute of a content event is what was said, not who said it and when. Names with
/// a namespace (`session.id`, `gen_ai.request.model`) are context; bare ones (`content`, `message`,
/// `tool_calls`) are payload, but for these few.
pub(super) fn is_event_payload(key: &str) -> bool {
    !key.contains('.') && !matches!(key, "role" | "id" | "index" | "finish_reason")
}
