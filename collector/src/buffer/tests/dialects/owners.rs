//! Whose a call is.

use serde_json::json;

use super::{Case, by, check};
use crate::normalise::OwnerSettings;

// OpenInference semantic conventions: `metadata` is a JSON string of the application's own.
#[test]
fn metadata_names_owners() {
    let case = Case {
        resource: Some(json!({"team": "platform", "service.name": "api"})),
        ..by("openinference.instrumentation.openai", "0.1.30")
    };
    let row = case.span(json!({
        "openinference.span.kind": "LLM", "llm.provider": "aws", "llm.model_name": "claude",
        "llm.invocation_parameters": "{\"model\": \"claude\", \"stream\": true}",
        "metadata": "{\"user_id\": \"u\", \"thread_id\": \"t\", \"feature\": \"f\"}",
        "output.value": "{\"id\": \"chatcmpl-9\", \"choices\": []}",
    }));
    check(
        &row,
        &[
            ("user_id", "u"),
            ("session_id", "t"),
            ("feature", "f"),
            ("team", "platform"),
            ("provider", "aws.bedrock"),
            ("request_model", "claude"),
            ("response_model", "-"),
            ("streaming", "true"),
            ("response_id", "chatcmpl-9"),
            (
                "column_sources",
                "operation=openinference.span.kind provider=llm.provider \
          request_model=llm.invocation_parameters→model model=llm.model_name \
          streaming=llm.invocation_parameters→stream team=resource:team \
          user_id=metadata→user_id session_id=metadata→thread_id feature=metadata→feature",
            ),
        ],
    );
}

#[test]
fn names_of_the_users_own_go_first() {
    let owner = OwnerSettings {
        team: vec!["acme.team".into(), "acme.squad".into()],
        user: vec!["acme.user".into()],
        ..OwnerSettings::default()
    };
    let case = Case {
        owner,
        resource: Some(json!({"acme.team": "of-resource"})),
        ..by("langfuse-sdk", "5.0.0")
    };
    let row = case.span(json!({
        "team": "default", "acme.squad": "own", "acme.user": "me", "user.id": "other",
        "langfuse.observation.type": "tool",
    }));
    check(
        &row,
        &[
            ("team", "own"),
            ("user_id", "me"),
            (
                "column_sources",
                "operation=langfuse.observation.type team=acme.squad user_id=acme.user",
            ),
        ],
    );
    let row = case.span(json!({"langfuse.observation.type": "tool"}));
    check(
        &row,
        &[
            ("team", "of-resource"),
            ("column_sources", "operation=langfuse.observation.type team=resource:acme.team"),
        ],
    );
}

// A user's own name for the environment beats OpenTelemetry's, which then stays an attribute.
#[test]
fn the_environment_is_an_owner_too() {
    let environment = vec!["acme.stage".into()];
    let case = Case {
        owner: OwnerSettings { environment, ..OwnerSettings::default() },
        resource: Some(json!({"acme.stage": "blue", "deployment.environment.name": "prod"})),
        ..by("my.app", "")
    };
    let row = case.span(json!({"k": "v"}));
    check(&row, &[("environment", "blue"), ("column_sources", "environment=resource:acme.stage")]);
    assert!(row["resource_attributes"].as_ref().unwrap().contains("prod"));
    let near = case.span(json!({"acme.stage": "green"}));
    check(&near, &[("environment", "green")]);
}

// Spring AI writes `none` as the model of a failed call; JavaScript and Python print `undefined`,
// `null` and `None` for who is not there.
#[test]
fn words_for_nothing_are_no_owners_and_no_models() {
    let resource = Some(json!({
        "team": " ", "team.name": "platform", "service.name": "api",
        "deployment.environment.name": "", "deployment.environment": "prod",
    }));
    let row = Case { resource, ..by("org.springframework.boot", "3.4.0") }.span(json!({
        "gen_ai.operation.name": "chat", "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "none", "user.id": "null",
        "enduser.id": "e", "session.id": "None", "app.feature": "   ",
        "metadata": "{\"user_id\": \"undefined\"}",
    }));
    check(
        &row,
        &[
            ("request_model", "gpt-4o"),
            ("response_model", "-"),
            ("user_id", "e"),
            ("session_id", "-"),
            ("feature", "-"),
            ("team", "platform"),
            ("environment", "prod"),
        ],
    );
}
