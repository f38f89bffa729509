//! Whose money a call is: the attribute names under which team, user, session and feature come
//! in the wild, best name first. The same names are looked up on the span, then on its resource.
//!
//! Baggage arrives here as plain attributes, because baggage span processors copy it so. Names of
//! a tenant are not among them: the tenant comes from the credential (I-10).

use super::names::{Fact, Name};

/// The default mapping.
pub(super) const NAMES: &[Name] = &[
    ("team", Fact::Team, 0),
    ("team.name", Fact::Team, 1),
    ("team.id", Fact::Team, 2),
    ("team_id", Fact::Team, 3),
    ("app.team", Fact::Team, 4),
    ("service.team", Fact::Team, 5),
    // LiteLLM.
    ("metadata.user_api_key_team_alias", Fact::Team, 6),
    ("metadata.user_api_key_team_id", Fact::Team, 7),
    ("traceloop.association.properties.team", Fact::Team, 8),
    ("user.id", Fact::User, 0),
    // OpenTelemetry until 1.27, and again for the end user of a service.
    ("enduser.id", Fact::User, 1),
    ("enduser.pseudo.id", Fact::User, 2),
    ("user_id", Fact::User, 3),
    ("gen_ai.request.user", Fact::User, 4),
    ("gen_ai.user", Fact::User, 5),
    ("llm.user", Fact::User, 6),
    ("langfuse.user.id", Fact::User, 7),
    ("ai.telemetry.metadata.userId", Fact::User, 8),
    ("ai.settings.context.userId", Fact::User, 9),
    ("langsmith.metadata.user_id", Fact::User, 10),
    ("traceloop.association.properties.user_id", Fact::User, 11),
    ("metadata.user_api_key_end_user_id", Fact::User, 12),
    ("session.id", Fact::Session, 0),
    ("gen_ai.conversation.id", Fact::Session, 1),
    ("conversation.id", Fact::Session, 2),
    ("session_id", Fact::Session, 3),
    ("langfuse.session.id", Fact::Session, 5),
    ("ai.telemetry.metadata.sessionId", Fact::Session, 6),
    ("ai.settings.context.sessionId", Fact::Session, 7),
    ("langsmith.metadata.session_id", Fact::Session, 8),
    ("langsmith.metadata.thread_id", Fact::Session, 9),
    ("traceloop.association.properties.session_id", Fact::Session, 10),
    ("app.feature", Fact::Feature, 0),
    ("feature", Fact::Feature, 1),
    ("feature.name", Fact::Feature, 2),
    ("feature_name", Fact::Feature, 3),
    ("ai.telemetry.functionId", Fact::Feature, 4),
    ("traceloop.workflow.name", Fact::Feature, 5),
];
