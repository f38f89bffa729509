//! Pydantic AI and Logfire: GenAI names. Before 2.0 an agent's span has no operation and repeats
//! `gen_ai.usage.*` of its requests; since then its sums are `gen_ai.aggregated_usage.*`, which are
//! not read. Cost is genai-prices', in US dollars. Source: Pydantic AI documentation, “Logfire”.

use super::super::inside;
use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "pydantic-ai",
    scopes: &["pydantic-ai*", "pydantic_ai*", "logfire*"],
    prefixes: &["pydantic_ai."],
    names: &[NAMES, otel_genai::NAMES],
    only: &[("logfire.anthropic", "anthropic")],
    inside: &[
        ("gen_ai.usage.raw", &RAW),
        ("response_data", &RESPONSE),
        // The whole answer of the Responses API, of OpenAI's agents.
        ("response", &RESPONSE),
        ("request_data", &REQUEST),
    ],
    // Logfire 3 and 4.0 tell a stream, and what failed, without operation and usage.
    clients: &["logfire.openai", "logfire.anthropic"],
    // Requests of other kinds: “OpenAI API call to {url!r}”.
    no_calls: &["API call to {url!r}"],
    // A request's span ends when its stream begins, and what tells of the stream has no length.
    parts_of_streams: &["logfire.openai", "logfire.anthropic"],
    ..PLAIN
};

/// The provider's own usage, beside the counts that are made of it: only what these leave out.
const RAW: inside::Inside =
    inside::Inside { rank: 160, bag: false, paths: &[inside::parts_of_usage!("")] };

/// What Logfire's instrumentations of clients write of an answer, where no name says it.
const RESPONSE: inside::Inside = inside::Inside {
    rank: 160,
    bag: true,
    paths: &[inside::counts_of_usage!("usage."), inside::parts_of_usage!("usage.")],
};

/// What they write of a request.
const REQUEST: inside::Inside = inside::Inside {
    rank: 160,
    bag: true,
    paths: &[&[("model", Fact::RequestModel, 0), ("stream", Fact::Streaming, 0)]],
};

const NAMES: &[Name] = &[
    ("operation.cost", Fact::Cost, 0),
    ("agent_name", Fact::Agent, 20),
    // Of what tells of a stream when it is over.
    ("duration", Fact::StreamSeconds, 0),
    ("gen_ai.usage.details.cached_content_tokens", Fact::CacheRead, 80),
    ("gen_ai.usage.details.input_audio_tokens", Fact::AudioIn, 0),
    ("gen_ai.usage.details.output_audio_tokens", Fact::AudioOut, 0),
];
