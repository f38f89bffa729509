//! What to set in each library to mend a problem: the one table. It holds what is peculiar to a
//! library; the general answers are in `advice`. The facts were read off what each library sends
//! against what the provider billed.

use spanledger_schemas::usage_metrics::{
    SET_CLAUDE_CODE, SET_CODEX, SET_GEMINI_CLI, SET_QWEN_CODE,
};

use super::advice::Problem::{
    self, CachedUntold, Duplicates, EventsOnly, MetricsOnly, NoUsage, NoUser, PerhapsEstimated,
    StreamWithoutUsage, Unpriced, UsageEstimated,
};

const INCLUDE_USAGE: &str = "OpenAI's API sends the usage of a stream only when asked: pass \
    `stream_options={\"include_usage\": true}` with the request";

const STREAM_LIKELY: &str = "most likely streams, whose usage OpenAI's API sends only when asked: \
    pass `stream_options={\"include_usage\": true}`; a stream that the client left has none";

const OPENINFERENCE_CACHED: &str = "this instrumentation tells no cached tokens of some calls, or in \
    this version of none: update it, or instrument the client below (openai, anthropic, litellm) too; \
    of two spans of a call the one that tells more is counted";

const UPDATE: &str = "this version of the library tells no cached tokens: update it; newer ones do";

const OPENLLMETRY_STREAMS: &str = "OpenLLMetry before 0.44 puts its own guess on streams, and on all \
    of them before 0.43: update it, and pass `stream_options={\"include_usage\": true}` with the \
    request";

const TRACELOOP_NODE: &str = "OpenLLMetry for node puts its own estimate on every stream, even \
    where usage was sent: set `enrichTokens: false`, or use calls without streaming where cost \
    matters";

/// Beginning of the scope's name, problem, advice; the first that fits.
pub(super) const BY_LIBRARY: &[(&str, Problem, &str)] = &[
    // OpenTelemetry's own.
    ("opentelemetry.instrumentation.openai_v2", StreamWithoutUsage, INCLUDE_USAGE),
    ("opentelemetry.util.genai", StreamWithoutUsage, INCLUDE_USAGE),
    ("@opentelemetry/instrumentation-openai", StreamWithoutUsage, INCLUDE_USAGE),
    (
        "opentelemetry.instrumentation.openai_v2",
        CachedUntold,
        "opentelemetry openai-v2 tells no cached and no reasoning tokens: update it, or use \
         openinference-instrumentation-openai or OpenLLMetry, which do; the responses API leaves \
         no span with it at all",
    ),
    (
        "opentelemetry.util.genai",
        CachedUntold,
        "opentelemetry openai-v2 tells no cached and no reasoning tokens: update it, or use \
         openinference-instrumentation-openai or OpenLLMetry, which do",
    ),
    (
        "@opentelemetry/instrumentation-openai",
        CachedUntold,
        "@opentelemetry/instrumentation-openai tells no cached tokens: update it, or use \
         @langfuse/openai, which does",
    ),
    // These do not say that a call was streamed.
    ("opentelemetry.instrumentation.openai_v2", NoUsage, STREAM_LIKELY),
    ("opentelemetry.util.genai", NoUsage, STREAM_LIKELY),
    ("@opentelemetry/instrumentation-openai", NoUsage, STREAM_LIKELY),
    ("openinference.instrumentation.openai", NoUsage, STREAM_LIKELY),
    ("langsmith", NoUsage, STREAM_LIKELY),
    ("langfuse-sdk", NoUsage, STREAM_LIKELY),
    (
        "@traceloop/instrumentation-openai",
        CachedUntold,
        "OpenLLMetry for node tells no cached tokens: use @langfuse/openai, which does",
    ),
    // Versions that leave something out.
    ("opentelemetry.instrumentation.openai", UsageEstimated, OPENLLMETRY_STREAMS),
    ("opentelemetry.instrumentation.openai", CachedUntold, UPDATE),
    (
        "opentelemetry.instrumentation.bedrock",
        CachedUntold,
        "OpenLLMetry's Bedrock tells cached tokens since 0.62, and of Converse alone: update it, and \
         call Converse instead of InvokeModel",
    ),
    (
        "opentelemetry.instrumentation.bedrock",
        PerhapsEstimated,
        "OpenLLMetry's Bedrock before 0.62 tells the first output count of InvokeModel's streams: \
         update it",
    ),
    (
        "opentelemetry.instrumentation.langchain",
        CachedUntold,
        "OpenLLMetry's LangChain tells cache writes not always: use \
         openinference-instrumentation-langchain, which does",
    ),
    ("opentelemetry.instrumentation.botocore", CachedUntold, UPDATE),
    ("opentelemetry.instrumentation.google_genai", CachedUntold, UPDATE),
    ("openinference.instrumentation", CachedUntold, OPENINFERENCE_CACHED),
    ("@arizeai/openinference-instrumentation", CachedUntold, OPENINFERENCE_CACHED),
    ("gcp.vertex.agent", CachedUntold, UPDATE),
    ("pydantic-ai", CachedUntold, UPDATE),
    (
        "strands.telemetry.tracer",
        CachedUntold,
        "Strands tells cached tokens wherever there are some since it reads them at all; it names no \
         version: when this one is older than that, update it, else these calls had none",
    ),
    ("langsmith", CachedUntold, UPDATE),
    ("mlflow", CachedUntold, UPDATE),
    ("openlit.otel", CachedUntold, UPDATE),
    (
        "litellm",
        PerhapsEstimated,
        "LiteLLM guesses the tokens of a stream without usage, unmarked: pass \
         `stream_options={\"include_usage\": True}`, or set `always_include_stream_usage: true` on \
         the proxy",
    ),
    // Coding agents.
    ("com.anthropic.claude_code", MetricsOnly, SET_CLAUDE_CODE),
    (
        "com.anthropic.claude_code",
        EventsOnly,
        "Claude Code: the events tell each request; for spans also set \
         CLAUDE_CODE_ENHANCED_TELEMETRY_BETA=1 and OTEL_TRACES_EXPORTER=otlp",
    ),
    ("codex", MetricsOnly, SET_CODEX),
    (
        "codex",
        EventsOnly,
        "Codex CLI: set `trace_exporter` to OTLP in section [otel] of config.toml",
    ),
    ("gemini-cli", MetricsOnly, SET_GEMINI_CLI),
    (
        "gemini-cli",
        CachedUntold,
        "Gemini CLI tells cached tokens and thoughts on its log events only \
         (`gemini_cli.api_response`): let its logs come here too",
    ),
    ("qwen-code", MetricsOnly, SET_QWEN_CODE),
    // Gateways and frameworks.
    (
        "litellm",
        StreamWithoutUsage,
        "LiteLLM reports zero tokens for a stream without usage: pass \
         `stream_options={\"include_usage\": True}`, or set `always_include_stream_usage: true` on the \
         proxy",
    ),
    (
        "litellm",
        CachedUntold,
        "LiteLLM tells cached tokens in its raw usage only (`metadata.usage_object`, \
         `llm.<provider>.usage`), not in `gen_ai.usage.*`: see that its spans come here unfiltered",
    ),
    (
        "openlit.instrumentation",
        UsageEstimated,
        "OpenLIT guesses the tokens of a stream without usage, unmarked: pass \
         `stream_options={\"include_usage\": True}`",
    ),
    ("@traceloop/instrumentation-openai", UsageEstimated, TRACELOOP_NODE),
    ("@traceloop/instrumentation-openai", PerhapsEstimated, TRACELOOP_NODE),
    (
        "opentelemetry.instrumentation.anthropic",
        PerhapsEstimated,
        "OpenLLMetry's Anthropic adds the first output count of a stream to the last, and does not \
         mark streams made by the client's helper: use the spans of the Anthropic client 2, or \
         openinference-instrumentation-anthropic",
    ),
    ("openlit.instrumentation.openai", StreamWithoutUsage, INCLUDE_USAGE),
    ("opentelemetry.instrumentation.openai.v1", StreamWithoutUsage, INCLUDE_USAGE),
    ("@traceloop/instrumentation-openai", StreamWithoutUsage, INCLUDE_USAGE),
    (
        "openinference.instrumentation.langchain",
        StreamWithoutUsage,
        "LangChain asks for usage with `ChatOpenAI(stream_usage=True)`",
    ),
    ("openinference.instrumentation", StreamWithoutUsage, INCLUDE_USAGE),
    (
        "langsmith",
        StreamWithoutUsage,
        "LangChain asks for usage with `ChatOpenAI(stream_usage=True)`",
    ),
    ("langfuse-sdk", StreamWithoutUsage, INCLUDE_USAGE),
    ("mlflow", StreamWithoutUsage, INCLUDE_USAGE),
    (
        "mlflow",
        NoUsage,
        "mlflow tells no usage of embeddings, of streams of the Anthropic client and of streams \
         without usage: pass `stream_options={\"include_usage\": True}` for OpenAI",
    ),
    (
        "ai",
        CachedUntold,
        "Vercel AI SDK 4 and 5 tell cached tokens of streams only: update these to 6 or 7, which tell \
         them wherever the provider does",
    ),
    (
        "strands.telemetry.tracer",
        Unpriced,
        "Strands gives its own name as the provider: set the attribute `gen_ai.provider.name` \
         through `trace_attributes`, so that the model is found",
    ),
    (
        "gen_ai",
        NoUser,
        "Vercel AI SDK 7 sends user and session by `runtimeContext` only, let in key by key",
    ),
    (
        "ai",
        NoUser,
        "Vercel AI SDK: put `userId` and `sessionId` into `experimental_telemetry.metadata`",
    ),
    (
        "langfuse-sdk",
        NoUser,
        "langfuse: call `propagate_attributes(user_id=…, session_id=…)` around the request",
    ),
    (
        "openinference.instrumentation",
        NoUser,
        "OpenInference: wrap the request in `using_attributes(user_id=…, session_id=…)`",
    ),
    (
        "opentelemetry.instrumentation.openai.v1",
        NoUser,
        "OpenLLMetry: call `Traceloop.set_association_properties({\"user_id\": …})` in the request",
    ),
    (
        "com.anthropic.sdk",
        Duplicates,
        "the Anthropic client 2 makes spans of its own: an instrumentation of it on top is not \
         needed",
    ),
    (
        "opentelemetry.instrumentation.anthropic",
        Duplicates,
        "the Anthropic client 2 makes spans of its own: this instrumentation on top is not needed",
    ),
];
