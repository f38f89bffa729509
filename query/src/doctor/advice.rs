//! What to set to mend what is not known: one table, by library and problem, and a general answer
//! for each problem. Takes the name of an instrumentation scope, gives a sentence. The facts were
//! read off what each library sends against what the provider billed; a library that is not here
//! gets the general answer.

use spanledger_schemas::usage_metrics::{SET_CLAUDE_CODE, SET_CLIENT, SET_CODEX, SET_GEMINI_CLI};

/// What can be wrong with what a library sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// Token metrics come, but no span or event that could be priced call by call.
    MetricsOnly,
    /// Events come, but neither spans nor calls.
    EventsOnly,
    /// Spans come, none of which speaks of a model.
    NoModelCalls,
    /// Streamed calls end without usage.
    StreamWithoutUsage,
    /// Other calls come without usage.
    NoUsage,
    /// Roll-ups tell usage that no call below them tells.
    Uncounted,
    /// The usage is a guess of the library.
    UsageEstimated,
    /// Some usage may be a guess of the library, which does not say which.
    PerhapsEstimated,
    /// Nothing tells how the numbers are to be read.
    UsageUnknown,
    /// Usage comes without cached tokens.
    CachedUntold,
    /// No price was found for all of it.
    Unpriced,
    /// Nobody's team.
    NoTeam,
    /// Nobody's user.
    NoUser,
    /// Two instrumentations tell of the same call.
    Duplicates,
}

use Problem::{
    CachedUntold, Duplicates, EventsOnly, MetricsOnly, NoModelCalls, NoTeam, NoUsage, NoUser,
    PerhapsEstimated, StreamWithoutUsage, Uncounted, Unpriced, UsageEstimated, UsageUnknown,
};

impl Problem {
    /// Every problem, the gravest first.
    pub const ALL: [Problem; 14] = [
        MetricsOnly,
        EventsOnly,
        NoModelCalls,
        StreamWithoutUsage,
        NoUsage,
        Uncounted,
        UsageEstimated,
        PerhapsEstimated,
        UsageUnknown,
        CachedUntold,
        Unpriced,
        NoTeam,
        NoUser,
        Duplicates,
    ];

    /// Its one spelling.
    pub fn word(self) -> &'static str {
        match self {
            MetricsOnly => "metrics-only",
            EventsOnly => "events-only",
            NoModelCalls => "no-model-calls",
            StreamWithoutUsage => "stream-without-usage",
            NoUsage => "no-usage",
            Uncounted => "uncounted-usage",
            UsageEstimated => "usage-estimated",
            PerhapsEstimated => "perhaps-estimated",
            UsageUnknown => "usage-unknown",
            CachedUntold => "cached-untold",
            Unpriced => "unpriced",
            NoTeam => "no-team",
            NoUser => "no-user",
            Duplicates => "duplicates",
        }
    }

    /// What it means, for a number of things.
    pub fn says(self) -> &'static str {
        match self {
            MetricsOnly => {
                "points of token metrics arrive, but no span or event of a call: none of it is in \
                 a call or a cost"
            }
            EventsOnly => "events of calls arrive, but no spans",
            NoModelCalls => "spans arrive, but none of a model call",
            StreamWithoutUsage => "streams ended without usage",
            NoUsage => "calls came without usage, though they did not fail",
            Uncounted => {
                "spans tell usage beyond the calls below them: it is in no call and no cost"
            }
            UsageEstimated => {
                "calls have an estimate of the library in place of a count: it is not counted"
            }
            PerhapsEstimated => {
                "calls are counted as told, though the library guesses some, and does not say which"
            }
            UsageUnknown => "calls whose input may or may not contain the cached tokens",
            CachedUntold => "calls tell no cached tokens: their price is an upper bound",
            Unpriced => "calls have no, or no full, price",
            NoTeam => "calls have no team",
            NoUser => "calls have no user",
            Duplicates => "spans repeat a call that another span tells; each is counted once",
        }
    }
}

const INCLUDE_USAGE: &str = "OpenAI's API sends the usage of a stream only when asked: pass \
    `stream_options={\"include_usage\": true}` with the request";

const STREAM_LIKELY: &str = "most likely streams, whose usage OpenAI's API sends only when asked: \
    pass `stream_options={\"include_usage\": true}`; a stream that the client left has none";

const TRACELOOP_NODE: &str = "OpenLLMetry for node puts its own estimate on every stream, even \
    where usage was sent: set `enrichTokens: false`, or use calls without streaming where cost \
    matters";

/// Beginning of the scope's name, problem, advice; the first that fits.
const BY_LIBRARY: &[(&str, Problem, &str)] = &[
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
        "Vercel AI SDK 5 tells cached tokens of streams only: update to 6 or 7, which tell them of \
         all calls",
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

/// What to set to mend a problem of a library.
pub fn on(scope: &str, problem: Problem) -> &'static str {
    let fits = |(prefix, of, _): &&(&str, Problem, &str)| *of == problem && begins(scope, prefix);
    BY_LIBRARY.iter().find(fits).map_or_else(|| general(problem), |(_, _, advice)| advice)
}

/// Whether a scope is of that name or below it: `ai` is not the beginning of `airflow`.
fn begins(scope: &str, prefix: &str) -> bool {
    let rest = scope.strip_prefix(prefix);
    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
}

fn general(problem: Problem) -> &'static str {
    match problem {
        MetricsOnly => SET_CLIENT,
        EventsOnly => "switch on the exporter of traces: OTEL_TRACES_EXPORTER=otlp",
        NoModelCalls => {
            "when the service calls models, install an instrumentation for its client, such as \
             opentelemetry-instrumentation-openai-v2 or openinference-instrumentation-openai"
        }
        StreamWithoutUsage => {
            "ask for the usage of streams: OpenAI and compatible APIs send it with \
             `stream_options={\"include_usage\": true}`; a stream that the client left has none"
        }
        NoUsage => {
            "look at one of them with `explain call`: OpenAI streams send usage only with \
             `stream_options={\"include_usage\": true}`, and some libraries tell none for embeddings"
        }
        UsageEstimated => {
            "ask for the usage of streams (`stream_options={\"include_usage\": true}`), so that the \
             library need not guess"
        }
        PerhapsEstimated => {
            "use calls without streaming where cost matters, or a library that passes on the \
             provider's count"
        }
        Uncounted => {
            "let the spans of the model calls come here too: instrument the client below, and see \
             that no sampler or filter drops them; `explain span` on one says how much is missing"
        }
        UsageUnknown => {
            "use a library that follows semantic conventions 1.40 and says so in its schema URL, \
             or one that sends the total beside input and output"
        }
        CachedUntold => "use a library version that sends `gen_ai.usage.cache_read.input_tokens`",
        Unpriced => {
            "`explain call` says what is missing; provider and served model must be told for a price \
             to be found"
        }
        NoTeam => {
            "set `team` in OTEL_RESOURCE_ATTRIBUTES of the service, or on the span of the request"
        }
        NoUser => "set `user.id` on the span of the request, or in baggage with a span processor",
        Duplicates => "two instrumentations see the same client: one of them is enough",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_particular_advice_is_given() {
        assert!(on("gemini-cli", CachedUntold).starts_with("Gemini CLI"));
        assert_eq!(on("acme", CachedUntold), general(CachedUntold));
        assert_eq!(on("airflow", NoUser), general(NoUser));
        assert!(on("ai", NoUser).starts_with("Vercel"));
        assert!(
            on("openinference.instrumentation.openai", StreamWithoutUsage)
                .contains("include_usage")
        );
        assert!(on("codex_exec", MetricsOnly).starts_with("Codex"));
    }

    #[test]
    fn every_problem_has_words_of_its_own() {
        let words: std::collections::BTreeSet<_> = Problem::ALL.iter().map(|p| p.word()).collect();
        assert_eq!(words.len(), Problem::ALL.len());
        for problem in Problem::ALL {
            assert!(!general(problem).is_empty() && !problem.says().is_empty());
        }
    }
}
