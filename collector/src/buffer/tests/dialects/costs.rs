//! Costs that gateways and providers report.

use serde_json::json;

use super::{by, check};

// LiteLLM proxy: the key's hash and team; `response_cost` is the gateway's.
#[test]
fn cost_of_a_gateway_is_its_own_kind() {
    let row = by("litellm", "").span(json!({
        "gen_ai.operation.name": "acompletion", "gen_ai.system": "azure",
        "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 5,
        "gen_ai.usage.output_tokens": 6, "gen_ai.cost.total_cost": 0.00001234,
        "metadata.user_api_key_hash": "88dc", "metadata.user_api_key_team_alias": "core",
        "metadata.requester_metadata": "{'user_id': 'u-7', 'feature': 'search'}",
        "hidden_params": "{\"api_base\": \"https://acme.openai.azure.com\", \"cache_hit\": true}",
    }));
    check(
        &row,
        &[
            ("operation", "chat"),
            ("provider", "azure.ai.openai"),
            ("team", "core"),
            ("user_id", "u-7"),
            ("feature", "search"),
            ("gateway_cache_hit", "true"),
            ("reported_cost", "0.00001234"),
            ("reported_cost_currency", "USD"),
            ("reported_cost_kind", "gateway"),
            ("server_address", "acme.openai.azure.com"),
        ],
    );
}

// OpenRouter: `usage.cost` of the answer, in credits of one dollar.
#[test]
fn cost_of_a_provider_is_its_own_kind() {
    let usage = r#"{"prompt_tokens":22,"completion_tokens":48,"total_tokens":70,"cost":0.00095}"#;
    let row = by("langfuse-sdk", "3.0.0").span(json!({
        "langfuse.observation.type": "generation", "langfuse.observation.model.name": "qwen",
        "langfuse.observation.usage_details": usage,
    }));
    check(
        &row,
        &[
            ("span_role", "call"),
            ("input_tokens", "22"),
            ("reported_cost", "0.00095"),
            ("reported_cost_kind", "provider"),
        ],
    );
}
