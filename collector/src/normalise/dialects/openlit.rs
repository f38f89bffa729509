//! OpenLIT: GenAI names, cost of its own, and a time to first token on every span, which is the
//! whole duration where nothing was streamed, and else begins when the stream is first read: 16 of 18
//! streams of 1.45 had one before the server's first byte. Source: OpenLIT documentation, “Traces”.

use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, ServerTtft, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "openlit",
    scopes: &["openlit*", "@openlit/*"],
    parts_of_streams: &["openlit.otel*"],
    prefixes: &["openlit."],
    names: &[NAMES, otel_genai::NAMES],
    inside: otel_genai::INSIDE,
    server_ttft: ServerTtft::NoneToBelieve,
    operations: &[("*", "image", "image_generation")],
    ..PLAIN
};

const NAMES: &[Name] = &[
    ("gen_ai.endpoint", Fact::ServerUrl, 0),
    ("gen_ai.environment", Fact::Environment, 0),
    ("gen_ai.application_name", Fact::Service, 0),
    ("gen_ai.usage.cached_input_tokens", Fact::CacheRead, 35),
    // For node until 1.15.
    ("gen_ai.usage.prompt_tokens_details.cache_read", Fact::CacheRead, 36),
    ("gen_ai.usage.prompt_tokens_details.cache_write", Fact::CacheWrite, 36),
    ("gen_ai.usage.completion_tokens_details.reasoning", Fact::Reasoning, 36),
    // Of what AssemblyAI transcribed, as it answered.
    ("gen_ai.request.audio_duration", Fact::InputAudioSeconds, 0),
];
