//! What to scrape, as the settings say it: `[[scrape.targets]]`. Takes settings, gives checked
//! targets. A token is never shown.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use reqwest::Url;
use serde::{Deserialize, Serialize, Serializer};

use super::limits::{INTERVAL, INTERVAL_MIN, LABELS_MAX, TARGETS_MAX, TIMEOUT};
use crate::human;

/// The scraper's settings.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScrapeSettings {
    /// What to scrape.
    pub targets: Vec<Target>,
}

/// One exporter.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Where it exposes its metrics, such as `http://gpu-7:9400/metrics`.
    pub url: String,
    /// Label `job` and service name; default: `scrape`.
    #[serde(default = "job")]
    pub job: String,
    /// Time between scrapes.
    #[serde(default = "interval", with = "human::duration")]
    pub interval: Duration,
    /// Time a scrape may take; cut to the interval.
    #[serde(default = "timeout", with = "human::duration")]
    pub timeout: Duration,
    /// Labels that every sample gets.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Sent as `Authorization: Bearer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_token: Option<Secret>,
}

impl Target {
    /// A target with the defaults.
    pub fn new(url: &str) -> Target {
        Target {
            url: url.to_owned(),
            job: job(),
            interval: interval(),
            timeout: timeout(),
            labels: BTreeMap::new(),
            bearer_token: None,
        }
    }
}

fn job() -> String {
    "scrape".to_owned()
}

const fn interval() -> Duration {
    INTERVAL
}

const fn timeout() -> Duration {
    TIMEOUT
}

/// A text that is shown nowhere.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str("(hidden)")
    }
}

/// Why a target cannot be scraped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The address is none.
    #[error("scrape target `{url}`: {detail}; expected such as `http://gpu-7:9400/metrics`")]
    Url {
        /// As the settings have it.
        url: String,
        /// What is wrong with it.
        detail: String,
    },
    /// Scraped too often.
    #[error("scrape target `{url}`: interval is {interval:?}, expected {INTERVAL_MIN:?} or more")]
    Interval {
        /// As the settings have it.
        url: String,
        /// The interval.
        interval: Duration,
    },
    /// Too many labels.
    #[error("scrape target `{url}`: {count} labels, expected {LABELS_MAX} or fewer")]
    Labels {
        /// As the settings have it.
        url: String,
        /// How many.
        count: usize,
    },
    /// Too many targets.
    #[error("{count} scrape targets, expected {TARGETS_MAX} or fewer; run another collector")]
    Count {
        /// How many.
        count: usize,
    },
}

/// A target that was found right.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    pub(super) url: Url,
    /// `host:port`, the label `instance`.
    pub(super) instance: String,
    pub(super) target: Target,
}

/// Checks all targets of the settings.
///
/// # Errors
/// The first that is wrong.
pub(super) fn check(targets: Vec<Target>) -> Result<Vec<Checked>, TargetError> {
    if targets.len() > TARGETS_MAX {
        return Err(TargetError::Count { count: targets.len() });
    }
    targets.into_iter().map(check_one).collect()
}

fn check_one(mut target: Target) -> Result<Checked, TargetError> {
    let wrong = |detail: String| TargetError::Url { url: target.url.clone(), detail };
    let url = Url::parse(&target.url).map_err(|cause| wrong(cause.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong(format!("the scheme is `{}`", url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // It would stand in logs and in the label `instance`.
        let (url, detail) = (
            url.host_str().unwrap_or_default().to_owned(),
            "it carries a password (hidden here); use bearer_token".to_owned(),
        );
        return Err(TargetError::Url { url, detail });
    }
    let host = url.host_str().ok_or_else(|| wrong("there is no host".to_owned()))?;
    let port = url.port_or_known_default().unwrap_or_default();
    let instance = format!("{host}:{port}");
    if target.interval < INTERVAL_MIN {
        return Err(TargetError::Interval { url: target.url, interval: target.interval });
    }
    if target.labels.len() > LABELS_MAX {
        return Err(TargetError::Labels { url: target.url, count: target.labels.len() });
    }
    target.timeout = target.timeout.min(target.interval);
    Ok(Checked { url, instance, target })
}
