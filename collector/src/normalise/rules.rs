//! The one table of which library counts tokens how: whether input contains cached tokens, where
//! reasoning is, what is never told, what a library guesses. Keyed on scope, version, dialect,
//! provider and the names that told the numbers. It reads no numbers (that is `usage`).
//!
//! The facts of the table were read off spans against what the provider billed; where the
//! conventions speak (1.40: `gen_ai.usage.input_tokens` includes cached tokens, reasoning is
//! included in output), they are a rule of their own.

mod adk;
mod clis;
mod frameworks;
mod openinference;
mod openinference_langchain;
mod openlit;
mod openllmetry;
mod otel;
mod products;
#[cfg(test)]
mod tests;
mod vercel;

use Basis::{Estimated, Exclusive, Inclusive};
use Cached::Sent;
use Reasoning::{Inside, InsideUnsent};

use super::usage::{Basis, Reporter};

/// Where reasoning tokens are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reasoning {
    /// Inside reported output.
    Inside,
    /// Inside it, and never told: how much of output is text is not known.
    InsideUnsent,
    /// Beside it, under a name of their own.
    Beside,
    /// Inside it, and what is told of it is a guess of the library.
    Guessed,
    /// Inside it, two times over.
    Twice,
    /// Beside it, and never sent: output is a lower bound.
    BesideUnsent,
    /// Inside it where it is told; where not, it may be left out: output is a lower bound.
    InsideOrMissing,
    /// Nothing tells.
    Unknown,
}

/// Whether a library sends cached tokens when there are some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cached {
    /// It does; absent means none.
    Sent,
    /// The versions we met never do; absent means not known, which the reason then says.
    Unsent(&'static str),
    /// It tells what was written to a cache, and not always what was read from it: without reads
    /// these are not known, which the reason then says.
    ReadUnsent(&'static str),
    /// It tells what was read from a cache, and not always what was written: no writes, or zero,
    /// are not known, which the reason then says.
    WriteUnsent(&'static str),
    /// It tells none, or zero, of what input contains: then uncached input is an upper bound, which the
    /// reason says.
    InsideZeroUnsent(&'static str),
    /// What it tells as such is something else; what the reason says is left.
    Mistaken(&'static str),
    /// It tells none, or zero, where it leaves cached tokens out of input: then only uncached input is
    /// known, which the reason says.
    ZeroUnsent(&'static str),
}

/// What a library does where the provider's stream told no usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Streams {
    /// It tells none either.
    Counted,
    /// It guesses. The guess is known by the cached tokens it leaves out.
    GuessedWithoutCache(&'static str),
    /// It guesses, and the guess lacks cached tokens; so do the counts of some providers, so that
    /// the reason says what may be.
    PerhapsGuessedWithoutCache(&'static str),
    /// It guesses the usage of every stream, also where it was told.
    Guessed {
        /// The reason where the call is said to be a stream.
        streamed: &'static str,
        /// The reason where nothing says whether it is one; none for a library that says it of
        /// every stream.
        unsaid: Option<&'static str>,
    },
    /// It counts the output of a stream wrong.
    OutputWrong {
        /// The reason where the call is said to be a stream.
        streamed: &'static str,
        /// The reason where nothing says whether it is one.
        unsaid: &'static str,
    },
    /// Some versions of what it passes on count a stream wrong, and nothing tells which it was.
    PerhapsWrong(&'static str),
    /// Of a stream that did not end it tells what the first event said.
    FirstWhenUnfinished(&'static str),
}

/// Who counts how.
pub(super) struct Rule {
    /// Name of the scope; a trailing `*` matches any ending; empty for all.
    scope: &'static str,
    /// Dialect; empty for all.
    dialect: &'static str,
    /// First version that counts so; none for all. One that tells none is old.
    since: Option<[u32; 3]>,
    /// First version that no longer counts so; none for all. One that tells none is old.
    before: Option<[u32; 3]>,
    /// Provider; a trailing `*` matches any ending; empty for all.
    provider: &'static str,
    /// Name of the attribute that told the input; empty for all.
    input_name: &'static str,
    /// Beginning of the name that told the cached tokens; empty for all.
    cache_name: &'static str,
    /// What else must hold of who reports.
    only: fn(&Reporter<'_>) -> bool,
    /// How input is to be read; `Estimated` where what the library tells is not the provider's count,
    /// whatever the numbers seem to prove.
    pub(super) input: Basis,
    pub(super) cached: Cached,
    pub(super) reasoning: Reasoning,
    /// Whether audio and image tokens, too, stand beside input and output.
    pub(super) parts_beside: bool,
    /// Whether input contains what was read from a cache, and not what was written to it.
    pub(super) writes_beside: bool,
    /// Whether input contains what was read from a cache two times over.
    pub(super) reads_twice: bool,
    pub(super) streams: Streams,
    /// Why the output is not what its name says.
    pub(super) output_wrong: Option<&'static str>,
    /// The rule's name in `usage_reason`.
    pub(super) name: &'static str,
}

/// A rule for everybody; each rule says where it differs.
const RULE: Rule = Rule {
    scope: "",
    dialect: "",
    since: None,
    before: None,
    provider: "",
    input_name: "",
    cache_name: "",
    only: |_| true,
    input: Inclusive,
    cached: Sent,
    reasoning: Inside,
    parts_beside: false,
    writes_beside: false,
    reads_twice: false,
    streams: Streams::Counted,
    output_wrong: None,
    name: "",
};

/// Whether Cohere was asked for anything but embeddings: it bills other tokens than its model counts, and
/// of what it embeds tells those that it bills alone.
fn is_text_of_cohere(who: &Reporter<'_>) -> bool {
    who.provider == Some("cohere") && !who.embeds
}

/// What many clients tell of Cohere.
const MODELS_TOKENS: &str =
    "library: it tells the tokens of Cohere's model, not those that are billed";

/// What LangChain tells of Cohere, whoever passes it on.
const LANGCHAIN_COHERE: &str = "library: LangChain tells the tokens of Cohere's model, not \
     those that are billed";

/// All rules, the first that matches counts; those of two lists tell of different libraries.
fn rules() -> impl Iterator<Item = &'static Rule> {
    let lists = [
        otel::RULES,
        openllmetry::RULES,
        openinference::RULES,
        openinference_langchain::RULES,
        clis::RULES,
        frameworks::RULES,
        vercel::RULES,
        adk::RULES,
        openlit::RULES,
        products::RULES,
        // Of whoever speaks as OpenInference does: its processors tell of frameworks, too.
        openinference::GENERAL,
    ];
    lists.into_iter().flatten()
}

/// How the API of some providers counts, which libraries pass on.
pub(super) struct Api {
    providers: &'static [&'static str],
    /// Beginnings of the names of models, where no provider is named.
    models: &'static [&'static str],
    pub(super) input: Basis,
    pub(super) reasoning: Reasoning,
    /// The reason when the span tells cached tokens; none where libraries differ in whether they
    /// add them.
    pub(super) name: Option<&'static str>,
    /// The reason when the span tells no cached tokens.
    pub(super) untold: &'static str,
}

/// Where no library is known. Half of the libraries add the cached tokens of Anthropic and Bedrock
/// to input and half do not, so that of these nothing is read where cached tokens are told.
const APIS: &[Api] = &[
    Api {
        providers: &[
            "openai",
            "azure.ai.openai",
            "openrouter",
            "vllm",
            "deepseek",
            "groq",
            "mistral_ai",
            "x_ai",
            "perplexity",
            "together_ai",
            "fireworks_ai",
            "ollama",
            "writer",
        ],
        models: &["gpt-", "chatgpt-", "o1", "o3", "o4", "text-embedding-"],
        input: Inclusive,
        reasoning: InsideUnsent,
        name: Some("provider: the OpenAI API counts cached tokens inside input"),
        untold: "provider: the OpenAI API counts cached tokens inside input; none are told, \
                 so uncached may be an upper bound [cached-untold]",
    },
    Api {
        providers: &["azure.ai.inference", "cerebras", "ibm.watsonx.ai", "moonshot_ai"],
        models: &[],
        input: Inclusive,
        reasoning: InsideUnsent,
        name: Some("provider: its API counts cached tokens inside input"),
        untold: "provider: its API counts cached tokens inside input; none are told, so uncached \
                 may be an upper bound [cached-untold]",
    },
    Api {
        providers: &["gcp.gemini", "gcp.vertex_ai", "gcp.gen_ai"],
        models: &["gemini-"],
        input: Inclusive,
        reasoning: Reasoning::Unknown,
        name: Some("provider: the Gemini API counts cached tokens inside input"),
        untold: "provider: the Gemini API counts cached tokens inside input; none are told, \
                 so uncached may be an upper bound [cached-untold]",
    },
    Api {
        providers: &["cohere"],
        models: &[],
        input: Estimated,
        reasoning: InsideUnsent,
        name: Some(COHERE_TOKENS),
        untold: COHERE_TOKENS,
    },
    ANTHROPIC,
];

const COHERE_TOKENS: &str = "provider: Cohere tells what its model counts and what it bills, and nothing \
     tells which of both this is";

const ANTHROPIC: Api = Api {
    providers: &["anthropic", "aws.bedrock"],
    models: &["claude-"],
    input: Exclusive,
    reasoning: InsideUnsent,
    name: None,
    untold: "provider: the APIs of Anthropic and Bedrock count cached tokens beside input; none \
             are told: only uncached input is known, an upper bound where the library adds them \
             [cached-untold]",
};

fn is(pattern: &str, text: &str) -> bool {
    pattern.is_empty() || super::dialects::scope_is(pattern, text)
}

impl Rule {
    /// The reason where nothing says whether a call was streamed, and the counts hang on that.
    pub(super) fn unsaid(&self) -> Option<&'static str> {
        match self.streams {
            Streams::Guessed { unsaid, .. } => unsaid,
            Streams::OutputWrong { unsaid, .. } => Some(unsaid),
            _ => None,
        }
    }

    fn matches(&self, who: &Reporter<'_>) -> bool {
        let version = || super::version(who.version);
        is(self.scope, who.scope)
            && is(self.dialect, who.dialect)
            && (self.provider.is_empty() || who.provider.is_some_and(|p| is(self.provider, p)))
            && is(self.input_name, who.input_name)
            && who.cache_name.starts_with(self.cache_name)
            && (self.only)(who)
            && self.since.is_none_or(|since| version().is_some_and(|v| v >= since))
            && self.before.is_none_or(|before| version().is_none_or(|v| v < before))
    }
}

/// The rule for a reporter, if any.
pub(super) fn rule(who: &Reporter<'_>) -> Option<&'static Rule> {
    rules().find(|rule| rule.matches(who))
}

/// Whether reasoning stands beside output and is not told by all: of xAI's models that reason, where
/// an instrumentation of OpenAI's client passes on what it answered, or nobody knows who did.
/// Source: xAI API documentation, “Reasoning”.
pub(super) fn reasons_beside(who: &Reporter<'_>, known: Option<&Rule>) -> bool {
    let model = who.model.strip_prefix("xai/").unwrap_or(who.model);
    let of_xai = matches!(who.provider, None | Some("x_ai" | "openai"));
    let silent = model.contains("non-reasoning")
        || ["grok-beta", "grok-2", "grok-vision"].iter().any(|m| model.starts_with(m))
        || (model.starts_with("grok-3") && !model.starts_with("grok-3-mini"));
    let passed_on =
        known.is_none() || who.scope.contains("openai") || who.scope.starts_with("openlit.otel");
    of_xai && model.starts_with("grok-") && !silent && passed_on
}

/// Whether the API of a provider has no place for reasoning tokens, so that a zero is the client's word
/// for nothing. Source: `UsageInfo` of vLLM's OpenAI-compatible server.
pub(super) fn tells_no_reasoning(who: &Reporter<'_>) -> bool {
    who.provider == Some("vllm")
}

/// How the API of the provider counts, if that is known; where none is named, that of the model's
/// maker.
pub(super) fn api(who: &Reporter<'_>) -> Option<&'static Api> {
    let made = |api: &&Api| api.models.iter().any(|beginning| who.model.starts_with(beginning));
    match who.provider {
        // It tells of what is embedded only what is billed.
        Some("cohere") if who.embeds => None,
        Some(provider) => APIS.iter().find(|api| api.providers.contains(&provider)),
        None => APIS.iter().find(made),
    }
}

/// Whether a model of Gemini's thinks unless it is told not to, so that thoughts may be missing.
/// Source: Gemini API documentation, “Thinking”.
pub(super) fn thinks(model: &str) -> bool {
    let model = model.strip_prefix("models/").unwrap_or(model);
    let other = ["image", "tts", "audio", "live"].iter().any(|kind| model.contains(kind));
    let by_default = model.starts_with("gemini-2.5-pro")
        || (model.starts_with("gemini-2.5-flash") && !model.contains("lite"))
        || model.starts_with("gemini-3");
    by_default && !other
}
