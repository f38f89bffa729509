//! MLflow tracing exported by OTLP: every value is JSON, plain texts too; the parameters of the
//! request are attributes without a namespace. Source: MLflow documentation, “Token usage and
//! cost tracking”.

use super::super::inside;
use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "mlflow",
    scopes: &["mlflow*"],
    prefixes: &["mlflow."],
    names: &[NAMES, otel_genai::NAMES],
    inside: &[
        ("mlflow.chat.tokenUsage", &inside::USAGE),
        ("mlflow.llm.cost", &inside::COST),
        ("mlflow.trace.metadata", &inside::METADATA),
        ("metadata", &inside::METADATA),
        ("mlflow.spanOutputs", &ANSWER),
        ("mlflow.spanInputs", &REQUEST),
    ],
    json_values: true,
    answers: &["mlflow.spanOutputs"],
    named_by_class: &["mlflow*"],
    // A module of DSPy, which tells the sum of what it asks.
    no_calls: &[".forward"],
    ..PLAIN
};

/// The answer of the client: what the counts that are made of it leave out, and who answered.
const ANSWER: inside::Inside = inside::Inside {
    rank: 160,
    bag: true,
    paths: &[
        inside::counts_of_usage!("usage."),
        inside::parts_of_usage!("usage."),
        // The body of what Bedrock invokes: of Claude, whose counts are told beside.
        inside::parts_of_usage!("body.usage."),
        // Of LangChain, where `mlflow.chat.tokenUsage` is not told yet.
        inside::counts_of_usage!("llm_output.token_usage."),
        inside::parts_of_usage!("llm_output.token_usage."),
        inside::counts_of_usage!("llm_output.usage."),
        inside::parts_of_usage!("llm_output.usage."),
        &[
            ("model", Fact::ResponseModel, 0),
            ("llm_output.model_name", Fact::ResponseModel, 1),
            ("body.model", Fact::ResponseModel, 2),
        ],
    ],
};

/// What it was asked with.
const REQUEST: inside::Inside = inside::Inside {
    rank: 160,
    bag: true,
    paths: &[&[("model", Fact::RequestModel, 0), ("modelId", Fact::RequestModel, 1)]],
};

const NAMES: &[Name] = &[
    ("mlflow.spanType", Fact::Kind, 0),
    ("mlflow.llm.provider", Fact::Provider, 0),
    // The format of the messages is that of the client, as other libraries name the provider.
    ("mlflow.message.format", Fact::Provider, 1),
    ("model", Fact::RequestModel, 0),
    ("mlflow.llm.model", Fact::Model, 0),
    ("stream", Fact::Streaming, 0),
    ("service_tier", Fact::ServiceTier, 0),
    ("user", Fact::User, 20),
    ("mlflow.trace.user", Fact::User, 0),
    ("mlflow.trace.session", Fact::Session, 0),
    ("mlflow.traceName", Fact::Workflow, 0),
];
