//! Whose attribute names an item speaks: one file per dialect, and the list. Takes a scope, or the
//! keys of an item; gives the dialect. A dialect lists names and says what is peculiar to it; what
//! is made of them is `normalise`'s matter.
//!
//! A new dialect is a file beside this one and a line in [`ALL`].

use std::sync::LazyLock;

use super::inside::Inside;
use super::names::Name;

mod agentcore;
mod claude_code;
mod codex;
mod datadog;
mod gemini_cli;
mod genkit;
mod haystack;
mod judgeval;
mod langfuse;
mod langsmith;
mod langwatch;
mod litellm;
mod mastra;
mod mirascope;
mod mlflow;
mod openinference;
mod openlit;
mod openllmetry;
mod otel_genai;
mod pydantic_ai;
mod qwen_code;
mod strands;
mod vercel_ai;

/// One dialect.
#[derive(Debug)]
pub(super) struct Dialect {
    /// The word of the column `dialect`.
    pub(super) name: &'static str,
    /// Names of the scopes that speak it; a trailing `*` matches any ending.
    pub(super) scopes: &'static [&'static str],
    /// Else: beginnings of attribute names that only it has.
    pub(super) prefixes: &'static [&'static str],
    /// Its names, then those of the dialects it builds upon, best first.
    pub(super) names: &'static [&'static [Name]],
    /// Attributes whose value holds facts.
    pub(super) inside: &'static [(&'static str, &'static Inside)],
    /// Provider where the item names none, because the dialect's only program has only one.
    pub(super) provider: Option<&'static str>,
    /// Scopes that instrument the client of a single provider, with that provider: what they name
    /// as such is the maker of the model, or nothing.
    pub(super) only: &'static [(&'static str, &'static str)],
    /// Scopes whose names of models begin with the provider's, as LiteLLM writes them.
    pub(super) provider_in_model: &'static [&'static str],
    /// What it writes behind the name of a model that is no part of it.
    pub(super) model_endings: &'static [&'static str],
    /// Attribute that, on spans of calls alone, names the model after its provider.
    pub(super) model_of_calls: Option<&'static str>,
    /// Scopes that name the span of a call after the class that asks.
    pub(super) named_by_class: &'static [&'static str],
    /// Whether the kind of a span is the class of the component that asks.
    pub(super) kind_is_class: bool,
    /// Whether a single value may come as a JSON string.
    pub(super) json_values: bool,
    /// What `gen_ai.server.time_to_first_token` holds.
    pub(super) server_ttft: ServerTtft,
    /// Whether `code.function.name` is the client's, so that its ending tells a stream.
    pub(super) client_functions: bool,
    /// Words of `operation` that mean something else here than elsewhere, each with the scopes that
    /// write it.
    pub(super) operations: &'static [(&'static str, &'static str, &'static str)],
    /// Beginnings of the names of usage that is a sum over calls.
    pub(super) sums: &'static [&'static str],
    /// Whether usage makes a span a call although it names no model: it is a part of the call then,
    /// the one in which the provider told the usage.
    pub(super) usage_is_call: bool,
    /// Scopes of instrumentations of clients: every span of theirs that names a model asks it.
    pub(super) clients: &'static [&'static str],
    /// Scopes, each with an attribute: where that is there, a call tells the usage of those before
    /// it below the same span, too.
    pub(super) running_sums: &'static [(&'static str, &'static str)],
    /// Scopes whose operation says that a span asks a model, whatever its kind.
    pub(super) asks_by_operation: &'static [&'static str],
    /// Endings of the names of spans that ask no model, though their kind or operation says so; of one with a
    /// trailing `*` what stands anywhere in them.
    pub(super) no_calls: &'static [&'static str],
    /// Scopes that name one provider whoever serves: a model of another begins with its name.
    pub(super) one_provider: &'static [&'static str],
    /// Scopes whose spans of streams end before the stream does.
    pub(super) parts_of_streams: &'static [&'static str],
    /// Log events whose duration is not the call's.
    pub(super) waits: &'static [&'static str],
    /// Attributes with the whole answer, in which the provider's id may be.
    pub(super) answers: &'static [&'static str],
    /// Attribute with the user agent of a request, and what stands in it before the version of the
    /// library, where the scope tells none.
    pub(super) user_agent: Option<(&'static str, &'static str)>,
    /// Scopes whose answers are LangChain's objects.
    pub(super) langchain: &'static [&'static str],
}

/// What `gen_ai.server.time_to_first_token` holds; the conventions know it as a metric only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerTtft {
    /// Seconds, as the metric.
    Seconds,
    /// Another time: since a stream was first read, or the whole duration where nothing was streamed.
    NoneToBelieve,
    /// Milliseconds.
    Millis,
}

/// What most dialects have.
const PLAIN: Dialect = Dialect {
    name: "",
    scopes: &[],
    prefixes: &[],
    names: &[],
    inside: &[],
    provider: None,
    only: &[],
    provider_in_model: &[],
    model_endings: &[],
    model_of_calls: None,
    named_by_class: &[],
    kind_is_class: false,
    json_values: false,
    server_ttft: ServerTtft::Seconds,
    client_functions: false,
    operations: &[],
    sums: &[],
    usage_is_call: false,
    clients: &[],
    running_sums: &[],
    asks_by_operation: &[],
    no_calls: &[],
    one_provider: &[],
    parts_of_streams: &[],
    waits: &[],
    answers: &[],
    user_agent: None,
    langchain: &[],
};

impl Dialect {
    /// What a word of `operation` means in a scope, where it means something of its own.
    pub(super) fn operation(&self, scope: &str, word: &str) -> Option<&'static str> {
        let of =
            |(pattern, known, _): &&(&str, &str, &str)| *known == word && scope_is(pattern, scope);
        self.operations.iter().find(of).map(|(.., operation)| *operation)
    }

    /// Whether the operation of a scope's spans beats their kind.
    pub(super) fn operation_beats_kind(&self, scope: &str) -> bool {
        self.asks_by_operation.iter().any(|pattern| scope_is(pattern, scope))
    }

    /// The only provider that a scope of this dialect can speak of.
    pub(super) fn only_provider(&self, scope: &str) -> Option<&'static str> {
        let of = self.only.iter().find(|(pattern, _)| scope_is(pattern, scope));
        of.map(|(_, provider)| *provider)
    }

    /// Whether a span of that name, of whatever kind, asks no model.
    pub(super) fn asks_nobody(&self, span: &str) -> bool {
        self.no_calls.iter().any(|ending| match ending.strip_suffix('*') {
            Some(part) => span.contains(part),
            None => span.ends_with(ending),
        })
    }

    /// The attribute by which a scope of this dialect shows that it adds calls up.
    pub(super) fn shows_running_sum(&self, scope: &str) -> Option<&'static str> {
        let of = self.running_sums.iter().find(|(pattern, _)| scope_is(pattern, scope));
        of.map(|(_, key)| *key)
    }

    /// Whether a scope of this dialect is the instrumentation of a client.
    pub(super) fn is_of_client(&self, scope: &str) -> bool {
        self.clients.iter().any(|pattern| scope_is(pattern, scope))
    }

    /// Whether the answers that a scope of this dialect writes are LangChain's objects.
    pub(super) fn is_of_langchain(&self, scope: &str) -> bool {
        self.langchain.iter().any(|pattern| scope_is(pattern, scope))
    }

    /// Whether a scope of this dialect names one provider, whoever serves the model.
    pub(super) fn names_one_provider(&self, scope: &str) -> bool {
        self.one_provider.iter().any(|pattern| scope_is(pattern, scope))
    }

    /// Whether a span of a call, streamed or not, is shorter than the call.
    pub(super) fn is_part(&self, scope: &str, streaming: Option<bool>) -> bool {
        let ends_early = || self.parts_of_streams.iter().any(|pattern| scope_is(pattern, scope));
        self.usage_is_call || (streaming == Some(true) && ends_early())
    }

    /// Whether a scope of this dialect names the span of a call after the class that asks.
    pub(super) fn names_class(&self, scope: &str) -> bool {
        self.named_by_class.iter().any(|pattern| scope_is(pattern, scope))
    }

    /// Whether a scope of this dialect writes the provider before the name of a model.
    pub(super) fn tells_provider_in_model(&self, scope: &str) -> bool {
        self.provider_in_model.iter().any(|pattern| scope_is(pattern, scope))
    }
}

/// All dialects, most particular first.
pub(super) static ALL: &[&Dialect] = &[
    &claude_code::DIALECT,
    &codex::DIALECT,
    &gemini_cli::DIALECT,
    &qwen_code::DIALECT,
    &genkit::DIALECT,
    &haystack::DIALECT,
    &judgeval::DIALECT,
    &langwatch::DIALECT,
    &datadog::DIALECT,
    &openinference::DIALECT,
    &langfuse::DIALECT,
    &mastra::DIALECT,
    &mirascope::DIALECT,
    &mlflow::DIALECT,
    &langsmith::DIALECT,
    &vercel_ai::DIALECT,
    &litellm::DIALECT,
    &strands::DIALECT,
    &openlit::DIALECT,
    &pydantic_ai::DIALECT,
    &openllmetry::DIALECT,
    &agentcore::DIALECT,
    &otel_genai::DIALECT,
];

/// Whether a scope's name is one of a pattern: `name`, or `beginning*`.
pub(super) fn scope_is(pattern: &str, scope: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => scope.starts_with(beginning),
        None => scope == pattern,
    }
}

/// The place in [`ALL`] of the dialect that a scope speaks.
pub(super) fn of_scope(scope: &str) -> Option<usize> {
    ALL.iter().position(|d| d.scopes.iter().any(|pattern| scope_is(pattern, scope)))
}

/// Prefixes by their first byte, each with the place of its dialect: a key of no dialect costs
/// one look into a table.
static BY_FIRST_BYTE: LazyLock<Vec<Vec<(&'static str, usize)>>> = LazyLock::new(|| {
    let mut table = vec![Vec::new(); 256];
    for (place, dialect) in ALL.iter().enumerate() {
        for prefix in dialect.prefixes {
            table[usize::from(prefix.as_bytes()[0])].push((*prefix, place));
        }
    }
    table
});

/// The place in [`ALL`] of the dialect that the keys give away: the most particular one.
pub(super) fn of_keys<'k>(keys: impl Iterator<Item = &'k str>) -> Option<usize> {
    let table = &*BY_FIRST_BYTE;
    let of_key = |key: &str| {
        let first = *key.as_bytes().first()?;
        let found = table[usize::from(first)].iter().find(|(prefix, _)| key.starts_with(prefix));
        found.map(|(_, place)| *place)
    };
    keys.filter_map(of_key).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(scope: &str, keys: &[&str], expect: Option<&str>) {
        let found = of_scope(scope).or_else(|| of_keys(keys.iter().copied()));
        assert_eq!(found.map(|d| ALL[d].name), expect, "{scope} {keys:?}");
    }

    #[test]
    fn the_scope_tells_the_dialect() {
        check("opentelemetry.instrumentation.openai_v2", &[], Some("otel-genai"));
        check("opentelemetry.instrumentation.openai.v1", &[], Some("openllmetry"));
        check("openinference.instrumentation.openai", &["gen_ai.system"], Some("openinference"));
        check("ai", &["gen_ai.system"], Some("vercel-ai"));
        check("ai.koog", &["gen_ai.system"], Some("otel-genai"));
        check("langfuse-sdk", &[], Some("langfuse"));
        check("com.anthropic.claude_code.events", &[], Some("claude-code"));
    }

    #[test]
    fn else_the_most_particular_key_does() {
        check("my.app", &["gen_ai.system", "openinference.span.kind"], Some("openinference"));
        check("my.app", &["gen_ai.system", "traceloop.workflow.name"], Some("openllmetry"));
        check("my.app", &["llm.token_count.prompt"], Some("openinference"));
        check("my.app", &["llm.request.type"], Some("openllmetry"));
        check("my.app", &["gen_ai.usage.prompt_tokens"], Some("otel-genai"));
        check("my.app", &["http.method", "", "user.id"], None);
    }
}
