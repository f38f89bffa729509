//! Mastra: OpenTelemetry's names with `mastra.*` beside. A generation is the whole loop of an agent
//! over a model, a step in it one request, of which newer versions make an inference. What older
//! ones know of a step is the answer itself, where it was no stream. Source: `@mastra/observability`
//! 1.5 and 1.17, `@mastra/otel-exporter` 1.0 and 1.4.

use super::super::inside::{Inside, counts_of_usage, parts_of_usage, usage_of_gemini};
use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "mastra",
    scopes: &["@mastra/*"],
    prefixes: &["mastra."],
    names: &[NAMES, otel_genai::NAMES],
    inside: &[("mastra.metadata.body", &ANSWER), ("mastra.metadata.modelMetadata", &MODEL)],
    ..PLAIN
};

/// The provider's answer, as it came.
const ANSWER: Inside = Inside {
    rank: 160,
    bag: true,
    paths: &[
        counts_of_usage!("usage."),
        parts_of_usage!("usage."),
        usage_of_gemini!("usageMetadata."),
        &[
            ("usage.total_tokens", Fact::Total, 0),
            ("id", Fact::ResponseId, 0),
            ("responseId", Fact::ResponseId, 1),
            ("model", Fact::ResponseModel, 0),
            ("modelVersion", Fact::ResponseModel, 1),
        ],
    ],
};

/// Which model was asked.
const MODEL: Inside = Inside {
    rank: 170,
    bag: false,
    paths: &[&[("modelProvider", Fact::Provider, 0), ("modelId", Fact::RequestModel, 0)]],
};

const NAMES: &[Name] = &[("mastra.span.type", Fact::Kind, 0)];
