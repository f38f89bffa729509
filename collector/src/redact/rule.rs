//! One rule of redaction, as the settings say it. Takes what a person wrote, gives what becomes of
//! the values that the rule finds; it finds nothing itself.

use serde::{Deserialize, Serialize};

use super::{Effect, REDACTED};
use crate::limits;

/// A rule: where it looks (exactly one of `pattern`, `fields`, `keys`) and what it does there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedactionRule {
    /// A regular expression, in the syntax of the Rust crate `regex`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Attributes or events that content comes in, such as `gen_ai.input.messages` or `llm.*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// Keys of JSON inside content, at any depth, such as `password`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// What is done; `replace` for a pattern and `drop` for names when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// What stands there instead, with `$1` or `${name}` for groups of the pattern; `[redacted]`
    /// when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replacement: Option<String>,
}

/// What a rule does with what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The replacement stands in its place.
    Replace,
    /// It is left out.
    Drop,
    /// A keyed hash stands in its place: equal values stay equal, and nobody without the key
    /// can find the value by trying.
    Hash,
}

impl RedactionRule {
    /// What the rule does.
    pub(super) fn effect(&self, hash_key: Option<&str>) -> Result<Effect, String> {
        let with = self.replacement.as_deref();
        let action = self.action.unwrap_or(match (&self.pattern, with) {
            (Some(_), _) | (None, Some(_)) => Action::Replace,
            (None, None) => Action::Drop,
        });
        if with.is_some() && action != Action::Replace {
            return Err("`replacement` goes with `action = \"replace\"` only".to_owned());
        }
        match action {
            Action::Replace => {
                let with = with.unwrap_or(REDACTED);
                if with.len() > limits::REDACTION_REPLACEMENT_BYTES_MAX {
                    return Err(format!(
                        "`replacement` has {} bytes, expected at most {}",
                        with.len(),
                        limits::REDACTION_REPLACEMENT_BYTES_MAX
                    ));
                }
                Ok(Effect::Replace(with.to_owned()))
            }
            Action::Drop => Ok(Effect::Drop),
            Action::Hash => Ok(Effect::Hash(Box::new(keyed(hash_key)?))),
        }
    }
}

/// BLAKE3 in keyed mode, its key derived from the secret of the settings.
fn keyed(hash_key: Option<&str>) -> Result<blake3::Hasher, String> {
    let least = limits::REDACTION_HASH_KEY_BYTES_MIN;
    match hash_key {
        None => {
            Err(format!("`action = \"hash\"` needs `contents.hash_key`, {least} bytes or more"))
        }
        Some(key) if key.len() < least => {
            Err(format!("`contents.hash_key` has {} bytes, expected at least {least}", key.len()))
        }
        Some(key) => {
            let key = blake3::derive_key("spanledger contents redaction 1", key.as_bytes());
            Ok(blake3::Hasher::new_keyed(&key))
        }
    }
}
