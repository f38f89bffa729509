//! Whose money a call is: the attribute names under which team, user, session, feature, agent and
//! workflow come in the wild, best name first; a user's own names go before them. The same names
//! are looked up on the item, then on its resource. Names that one dialect alone writes stand in
//! its file.
//!
//! Baggage arrives here as plain attributes, because baggage span processors copy it so. Names of
//! a tenant are not among them: the tenant comes from the credential (I-10).

use serde::{Deserialize, Serialize};

use super::names::{Fact, Name};
use crate::limits::OWNER_NAMES_MAX;

/// Attributes of a user's own, taken before the default mapping, best first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OwnerSettings {
    /// For column `team`.
    pub team: Vec<String>,
    /// For column `user_id`.
    pub user: Vec<String>,
    /// For column `session_id`.
    pub session: Vec<String>,
    /// For column `feature`.
    pub feature: Vec<String>,
    /// For column `agent_name`.
    pub agent: Vec<String>,
    /// For column `workflow_name`.
    pub workflow: Vec<String>,
    /// For column `environment`.
    pub environment: Vec<String>,
    /// For column `region`.
    pub region: Vec<String>,
}

impl OwnerSettings {
    /// Each list with the fact it names.
    pub(super) fn lists(&self) -> [(&'static str, &[String], Fact); 8] {
        [
            ("team", &self.team, Fact::Team),
            ("user", &self.user, Fact::User),
            ("session", &self.session, Fact::Session),
            ("feature", &self.feature, Fact::Feature),
            ("agent", &self.agent, Fact::Agent),
            ("workflow", &self.workflow, Fact::Workflow),
            ("environment", &self.environment, Fact::Environment),
            ("region", &self.region, Fact::Region),
        ]
    }

    /// Says which name cannot be used.
    ///
    /// # Errors
    /// When a list is too long, or a name is empty or stands twice.
    pub fn check(&self) -> Result<(), String> {
        let mut seen = Vec::new();
        for (list, names, _) in self.lists() {
            if names.len() > OWNER_NAMES_MAX {
                let found = names.len();
                return Err(format!("`owner.{list}` has {found} names, at most {OWNER_NAMES_MAX}"));
            }
            for name in names {
                if name.is_empty() {
                    return Err(format!("`owner.{list}` has an empty attribute name"));
                }
                if seen.contains(&name) {
                    return Err(format!("`owner.{list}`: attribute `{name}` stands twice"));
                }
                seen.push(name);
            }
        }
        Ok(())
    }
}

/// The default mapping.
pub(super) const NAMES: &[Name] = &[
    ("team", Fact::Team, 0),
    ("team.name", Fact::Team, 1),
    ("team.id", Fact::Team, 2),
    ("team_id", Fact::Team, 3),
    ("team_name", Fact::Team, 4),
    ("app.team", Fact::Team, 5),
    ("app.team.name", Fact::Team, 6),
    ("service.team", Fact::Team, 7),
    ("owner.team", Fact::Team, 8),
    ("gen_ai.team", Fact::Team, 9),
    // LiteLLM, through other instrumentations.
    ("metadata.user_api_key_team_alias", Fact::Team, 10),
    ("metadata.user_api_key_team_id", Fact::Team, 11),
    ("llm.team", Fact::Team, 12),
    ("k8s.namespace.labels.team", Fact::Team, 13),
    ("k8s.pod.labels.team", Fact::Team, 14),
    ("user.id", Fact::User, 0),
    // OpenTelemetry until 1.27, and again for the end user of a service.
    ("enduser.id", Fact::User, 1),
    ("enduser.pseudo.id", Fact::User, 2),
    ("user_id", Fact::User, 3),
    ("userId", Fact::User, 4),
    ("app.user.id", Fact::User, 5),
    ("gen_ai.request.user", Fact::User, 6),
    ("gen_ai.user", Fact::User, 7),
    ("llm.user", Fact::User, 8),
    ("langfuse.user.id", Fact::User, 9),
    ("ai.telemetry.metadata.userId", Fact::User, 10),
    ("ai.settings.context.userId", Fact::User, 11),
    ("langsmith.metadata.user_id", Fact::User, 12),
    ("traceloop.association.properties.user_id", Fact::User, 13),
    ("metadata.user_api_key_end_user_id", Fact::User, 14),
    ("metadata.user_api_key_user_id", Fact::User, 15),
    ("user.email", Fact::User, 16),
    ("session.id", Fact::Session, 0),
    ("gen_ai.conversation.id", Fact::Session, 1),
    ("conversation.id", Fact::Session, 2),
    ("session_id", Fact::Session, 3),
    ("sessionId", Fact::Session, 4),
    ("app.session.id", Fact::Session, 5),
    ("langfuse.session.id", Fact::Session, 7),
    ("ai.telemetry.metadata.sessionId", Fact::Session, 8),
    ("ai.settings.context.sessionId", Fact::Session, 9),
    ("langsmith.metadata.session_id", Fact::Session, 10),
    ("langsmith.metadata.thread_id", Fact::Session, 11),
    ("traceloop.association.properties.session_id", Fact::Session, 12),
    ("gcp.vertex.agent.session_id", Fact::Session, 13),
    ("app.feature", Fact::Feature, 0),
    ("feature", Fact::Feature, 1),
    ("feature.name", Fact::Feature, 2),
    ("feature_name", Fact::Feature, 3),
    ("gen_ai.feature", Fact::Feature, 4),
    ("ai.telemetry.functionId", Fact::Feature, 10),
    ("agent.name", Fact::Agent, 10),
    ("agent_name", Fact::Agent, 11),
    ("app.agent", Fact::Agent, 12),
    ("workflow.name", Fact::Workflow, 10),
    ("workflow_name", Fact::Workflow, 11),
    ("app.workflow", Fact::Workflow, 12),
    ("traceloop.workflow.name", Fact::Workflow, 13),
    ("env", Fact::Environment, 10),
];
