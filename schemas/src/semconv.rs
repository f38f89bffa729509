//! Names of OpenTelemetry attributes that more than one room speaks of. Source: the semantic
//! conventions (general registry 1.40) and semantic-conventions-genai.

/// `service.name`
pub const SERVICE_NAME: &str = "service.name";
/// `service.version`
pub const SERVICE_VERSION: &str = "service.version";
/// `deployment.environment.name`, since 1.27
pub const DEPLOYMENT_ENVIRONMENT_NAME: &str = "deployment.environment.name";
/// `deployment.environment`, before 1.27
pub const DEPLOYMENT_ENVIRONMENT: &str = "deployment.environment";
