//! What users may set about the way in, as values. Defaults come from `limits`; where they are
//! read from is the binary's business.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::buffer::ContentRules;
use crate::human;
use crate::limits;
use crate::normalise::OwnerSettings;
use crate::receive::Credential;
use crate::redact::{Redaction, RedactionRule};
use crate::wal::WalSettings;

/// Settings of the way in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CollectorSettings {
    /// How long rows may wait for their commit.
    #[serde(with = "human::duration")]
    pub flush_interval: Duration,
    /// Request bytes after which a commit is made before that.
    #[serde(with = "human::size")]
    pub flush_bytes_max: u64,
    /// Spans, points or records after which a commit is made before that.
    pub flush_items_max: u64,
    /// Largest request after decompression.
    #[serde(with = "human::size")]
    pub message_bytes_max: u64,
    /// Bytes of requests being received and decoded at one moment.
    #[serde(with = "human::size")]
    pub in_flight_bytes_max: u64,
    /// Bytes of durable requests waiting for their commit.
    #[serde(with = "human::size")]
    pub queue_bytes_max: u64,
    /// The log.
    pub wal: WalSettings,
    /// Prompts and completions.
    pub contents: ContentSettings,
    /// Attributes of a user's own that name owners.
    pub owner: OwnerSettings,
    /// Who may send. Empty: everybody, as tenant `default`.
    pub credentials: Vec<Credential>,
}

/// What is kept of prompts, completions and tool payloads.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContentSettings {
    /// Whether they are kept at all.
    pub capture: bool,
    /// Bytes kept of one piece.
    #[serde(with = "human::size")]
    pub body_bytes_max: u64,
    /// What is taken out before anything is written.
    pub redact: Vec<RedactionRule>,
    /// Secret of the rules that hash; written out as `***`.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "hidden")]
    pub hash_key: Option<String>,
}

impl std::fmt::Debug for ContentSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContentSettings")
            .field("capture", &self.capture)
            .field("body_bytes_max", &self.body_bytes_max)
            .field("redact", &self.redact)
            .finish_non_exhaustive()
    }
}

fn hidden<S: serde::Serializer>(_: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("***")
}

impl Default for CollectorSettings {
    fn default() -> Self {
        Self {
            flush_interval: limits::FLUSH_INTERVAL,
            flush_bytes_max: limits::FLUSH_BYTES_MAX,
            flush_items_max: limits::FLUSH_ITEMS_MAX,
            message_bytes_max: limits::MESSAGE_BYTES_MAX,
            in_flight_bytes_max: limits::IN_FLIGHT_BYTES_MAX,
            queue_bytes_max: limits::QUEUE_BYTES_MAX,
            wal: WalSettings::default(),
            contents: ContentSettings::default(),
            owner: OwnerSettings::default(),
            credentials: Vec::new(),
        }
    }
}

impl Default for ContentSettings {
    fn default() -> Self {
        let rules = ContentRules::default();
        Self {
            capture: rules.capture,
            body_bytes_max: rules.body_bytes_max as u64,
            redact: Vec::new(),
            hash_key: None,
        }
    }
}

impl ContentSettings {
    /// The rules in working form.
    ///
    /// # Errors
    /// Says which setting cannot work.
    pub fn rules(&self) -> Result<ContentRules, String> {
        if self.body_bytes_max == 0 {
            let why = "`contents.body_bytes_max` is 0, expected at least a byte; to keep no contents \
                       set `contents.capture = false`";
            return Err(why.to_owned());
        }
        Ok(ContentRules {
            capture: self.capture,
            body_bytes_max: usize::try_from(self.body_bytes_max).unwrap_or(usize::MAX),
            redaction: Arc::new(Redaction::compile(&self.redact, self.hash_key.as_deref())?),
        })
    }
}

impl CollectorSettings {
    /// Says which setting cannot work beside the others.
    pub fn check(&self) -> Result<(), String> {
        let message = self.message_bytes_max;
        let overhead = limits::FRAME_OVERHEAD_BYTES as u64;
        for (name, bytes, least) in [
            ("in_flight_bytes_max", self.in_flight_bytes_max, message.saturating_mul(3)),
            ("queue_bytes_max", self.queue_bytes_max, message.saturating_add(overhead)),
            // The last segments are only deleted once they are closed and committed.
            ("wal.bytes_max", self.wal.bytes_max, 2 * (message + self.wal.segment_bytes_max)),
        ] {
            if bytes < least {
                return Err(format!(
                    "`{name}` is {}, expected at least {} for `message_bytes_max` = {}",
                    human::format_size(bytes),
                    human::format_size(least),
                    human::format_size(message),
                ));
            }
        }
        // The length of a record has 32 bits.
        if message > limits::GIB || self.wal.segment_bytes_max > limits::GIB {
            return Err("`message_bytes_max` and `wal.segment_bytes_max` are at most 1GiB".into());
        }
        if self.flush_items_max == 0 || self.flush_bytes_max == 0 {
            return Err("`flush_items_max` and `flush_bytes_max` are at least 1".into());
        }
        self.contents.rules()?;
        self.owner.check()?;
        for credential in &self.credentials {
            if credential.token.is_empty() || credential.tenant.is_empty() {
                return Err("`credentials`: a token or a tenant is empty".into());
            }
            if credential.tenant.len() > limits::TENANT_BYTES_MAX {
                return Err(format!("`credentials`: tenant `{}` is too long", credential.tenant));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_work_together_and_round_trip() {
        let settings = CollectorSettings::default();
        assert_eq!(settings.check(), Ok(()));
        let text = serde_json::to_string(&settings).unwrap();
        assert!(text.contains(r#""flush_interval":"1s""#), "{text}");
        assert!(text.contains(r#""message_bytes_max":"64MiB""#), "{text}");
        assert_eq!(serde_json::from_str::<CollectorSettings>(&text).unwrap(), settings);
    }

    #[test]
    fn owner_names_stand_once() {
        let check = |owner: &str| {
            let text = format!(r#"{{"owner":{owner}}}"#);
            serde_json::from_str::<CollectorSettings>(&text).unwrap().check()
        };
        assert_eq!(check(r#"{"team":["my.team"],"user":["my.user"]}"#), Ok(()));
        let twice = check(r#"{"team":["my.team"],"user":["my.team"]}"#);
        assert_eq!(twice, Err("`owner.user`: attribute `my.team` stands twice".into()));
        assert!(check(r#"{"region":[""]}"#).is_err());
    }

    #[test]
    fn unknown_keys_and_impossible_sizes_are_refused() {
        assert!(serde_json::from_str::<CollectorSettings>(r#"{"flush_intervall":"1s"}"#).is_err());
        let small = CollectorSettings { queue_bytes_max: 1024, ..Default::default() };
        assert!(small.check().unwrap_err().starts_with("`queue_bytes_max` is 1KiB"));
    }
}
