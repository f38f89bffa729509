//! Qwen Code, which grew out of Gemini CLI: log events (`qwen-code.api_response`) and metrics, no
//! spans. Whose endpoint it asks is not told, only by which protocol (`auth_type`). Source: Qwen Code
//! documentation, “Observability”.

use super::super::names::{Fact, Name};
use super::{Dialect, PLAIN, gemini_cli, otel_genai};

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: "qwen-code",
    scopes: &["qwen-code*"],
    prefixes: &["qwen-code."],
    names: &[NAMES, gemini_cli::NAMES, otel_genai::NAMES],
    ..PLAIN
};

const NAMES: &[Name] = &[("response_id", Fact::ResponseId, 0)];
