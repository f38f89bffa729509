//! What can be wrong with what a library sends, and what to set to mend it: as `libraries` says of
//! the library, else the general answer. Takes the name of an instrumentation scope and a problem,
//! gives a sentence.

use spanledger_schemas::usage_metrics::SET_CLIENT;

use super::libraries::BY_LIBRARY;

/// What can be wrong with what a library sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// Token metrics come, but no span or event that could be priced call by call.
    MetricsOnly,
    /// Events come, but neither spans nor calls.
    EventsOnly,
    /// Spans come, none of which tells of a model call.
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
            CachedUntold => {
                "calls tell no cached tokens: their price is an upper bound, or a lower one where \
                 such tokens stand beside input"
            }
            Unpriced => "calls have no, or no full, price",
            NoTeam => "calls have no team",
            NoUser => "calls have no user",
            Duplicates => "spans repeat a call that another span tells; each is counted once",
        }
    }
}

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
            "`explain call` shows all that one of them told; when no count is among it, a newer version of \
             the library, or another, has to read it from the reply: many leave out embeddings, images \
             and speech, and streams that they do not call so"
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
