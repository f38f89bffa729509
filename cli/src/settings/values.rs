//! Values as people write them: `5s`, `128MiB`, `127.0.0.1:4317` or `off`.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use spanledger_collector::human;

/// A duration such as `1s`, `250ms`, `1h 30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HumanDuration(pub Duration);

impl HumanDuration {
    pub const fn from_secs(seconds: u64) -> Self {
        HumanDuration(Duration::from_secs(seconds))
    }
}

impl From<Duration> for HumanDuration {
    fn from(duration: Duration) -> Self {
        HumanDuration(duration)
    }
}

impl TryFrom<String> for HumanDuration {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        human::parse_duration(&text).map(HumanDuration)
    }
}

impl From<HumanDuration> for String {
    fn from(value: HumanDuration) -> String {
        humantime::format_duration(value.0).to_string()
    }
}

/// A number of bytes such as `64MiB` or `1GB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HumanSize(pub u64);

impl TryFrom<String> for HumanSize {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        human::parse_size(&text).map(HumanSize)
    }
}

impl From<HumanSize> for String {
    fn from(value: HumanSize) -> String {
        human::format_size(value.0)
    }
}

/// Address of a door, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Addr {
    /// The door stays shut.
    Off,
    /// Where it listens; port 0 takes a free one.
    At(SocketAddr),
}

impl Addr {
    pub const fn local(port: u16) -> Self {
        Addr::At(SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port))
    }
}

impl TryFrom<String> for Addr {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if text == "off" {
            return Ok(Addr::Off);
        }
        text.parse().map(Addr::At).map_err(|_| {
            format!(
                "`{text}` is not an address; expected IP:PORT such as `127.0.0.1:4317`, or `off`"
            )
        })
    }
}

impl From<Addr> for String {
    fn from(value: Addr) -> String {
        value.to_string()
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Addr::Off => f.write_str("off"),
            Addr::At(addr) => addr.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn human_forms_are_read_and_written_back() {
        let duration = HumanDuration::try_from("1m 30s".to_owned()).unwrap();
        assert_eq!(duration.0, Duration::from_secs(90));
        assert_eq!(String::from(duration), "1m 30s");
        let size = HumanSize::try_from("128MiB".to_owned()).unwrap();
        assert_eq!(size.0, 134_217_728);
        assert_eq!(HumanSize::try_from(String::from(size)), Ok(size));
        assert_eq!(Addr::try_from("off".to_owned()), Ok(Addr::Off));
        assert_eq!(Addr::local(4317).to_string(), "127.0.0.1:4317");
    }

    #[test]
    fn other_forms_are_refused_with_an_example() {
        assert!(
            HumanDuration::try_from("1 fortnight".to_owned()).unwrap_err().contains("fortnight")
        );
        assert!(HumanSize::try_from("big".to_owned()).unwrap_err().contains("MiB"));
        assert!(Addr::try_from("localhost".to_owned()).unwrap_err().contains("IP:PORT"));
    }
}
