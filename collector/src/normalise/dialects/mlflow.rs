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
    ],
    json_values: true,
    answers: &["mlflow.spanOutputs"],
    ..PLAIN
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
