//! Counts that differ between versions of one library, or of what it instruments. The numbers are of
//! captures of versions drawn at random, beside what was billed.

mod frameworks;
mod openinference;
mod openllmetry;
mod otel;
mod products;
mod vercel;

use serde_json::{Value, json};

use super::{Case, Row, by, check};

/// A call with OpenTelemetry's names.
fn chat(provider: &str, model: &str, input: i64, output: i64) -> Value {
    json!({
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": provider,
        "gen_ai.request.model": model, "gen_ai.usage.input_tokens": input,
        "gen_ai.usage.output_tokens": output,
    })
}

fn with(mut attributes: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("{more}") };
    attributes.as_object_mut().unwrap().extend(more);
    attributes
}

/// Whether the reason of the counts has a mark.
fn marked(row: &Row, mark: &str) -> bool {
    row["usage_reason"].as_deref().unwrap().contains(mark)
}
