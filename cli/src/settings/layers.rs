//! Puts the layers together: defaults < file < environment < flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use spanledger_collector::receive::Credential;

use super::Settings;
use super::catalog::{ENTRIES, Entry, Form, lookup};
use crate::args::ServeFlags;

/// The settings file that is read when it exists and no other is named.
const DEFAULT_FILE: &str = "spanledger.toml";

/// Variables that are no settings: the file's name, the server of client commands and their token,
/// and the fault of a crash test.
const OTHER_VARIABLES: [&str; 4] =
    ["SPANLEDGER_CONFIG", "SPANLEDGER_URL", "SPANLEDGER_TOKEN", "SPANLEDGER_FAULT"];

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file is not there or cannot be read.
    #[error("settings file `{}` cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// The file is no TOML, or a key or value in it is not known.
    #[error("settings file `{}`: {why}", path.display())]
    File { path: PathBuf, why: String },
    /// A value has the wrong form.
    #[error("setting `{key}` is `{found}`, expected {expected}")]
    Value { key: String, found: String, expected: &'static str },
    /// Values of the right form that do not go together, or are refused by their type.
    #[error("settings from {from}: {why}")]
    Refused { from: String, why: String },
}

/// The settings in force, and which layer set each key; keys that no layer set are defaults.
#[derive(Debug)]
pub struct Effective {
    pub settings: Settings,
    pub origins: BTreeMap<&'static str, String>,
}

/// Reads all layers.
///
/// # Errors
/// When the file is missing or broken, a key is unknown, or a value has the wrong form.
pub fn load(
    flags: &ServeFlags,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Effective, SettingsError> {
    let mut merged = toml::Table::new();
    let mut origins = BTreeMap::new();
    if let Some((path, table)) = file(flags, &environment)? {
        for entry in ENTRIES {
            if lookup(&table, entry.key).is_some() {
                origins.insert(entry.key, format!("file {}", path.display()));
            }
        }
        // Unknown keys show up when the file alone is read as settings.
        Settings::deserialize(table.clone()).map_err(|error| SettingsError::File {
            path: path.clone(),
            why: error.message().to_owned(),
        })?;
        merged = table;
    }
    for entry in ENTRIES.iter().filter(|e| e.form != Form::Table) {
        if let Some(text) = environment(&entry.variable()) {
            set(&mut merged, entry, &text)?;
            origins.insert(entry.key, format!("environment {}", entry.variable()));
        }
    }
    for (key, value) in given(flags) {
        if let Some(entry) = ENTRIES.iter().find(|e| e.key == key) {
            set(&mut merged, entry, value)?;
            origins.insert(entry.key, format!("flag --{}", key.replace('_', "-")));
        }
    }
    let settings = Settings::deserialize(merged).map_err(|error| SettingsError::Refused {
        from: "environment and flags".into(),
        why: error.message().to_owned(),
    })?;
    for (key, checked) in [
        ("contents", settings.contents.rules().map(|_| ())),
        ("owner", settings.owner.check()),
        ("auth.tokens", Credential::check(&settings.auth.tokens)),
    ] {
        if let Err(why) = checked {
            let set = origins.iter().find(|(of, _)| of.starts_with(key));
            let from = set.map_or_else(|| "the defaults".to_owned(), |(_, from)| from.clone());
            return Err(SettingsError::Refused { from, why });
        }
    }
    Ok(Effective { settings, origins })
}

/// Of variables the ones that look like settings and are none. They are no error: an orchestrator
/// sets some of its own (`SPANLEDGER_PORT` for a service of that name).
pub fn unknown_variables(all: impl Iterator<Item = String>) -> Vec<String> {
    let known = |name: &str| {
        OTHER_VARIABLES.contains(&name) || ENTRIES.iter().any(|e| e.variable() == name)
    };
    let mut unknown: Vec<String> =
        all.filter(|name| name.starts_with("SPANLEDGER_") && !known(name)).collect();
    unknown.sort_unstable();
    unknown
}

/// The flags that were given, under their keys.
fn given(flags: &ServeFlags) -> impl Iterator<Item = (&'static str, &str)> {
    [
        ("data_dir", &flags.data_dir),
        ("store", &flags.store),
        ("role", &flags.role),
        ("otlp_grpc_addr", &flags.otlp_grpc_addr),
        ("otlp_http_addr", &flags.otlp_http_addr),
        ("http_addr", &flags.http_addr),
        ("pg_addr", &flags.pg_addr),
        ("flight_addr", &flags.flight_addr),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key, value.as_deref()?)))
}

/// The settings file, when one is named or the default one exists.
fn file(
    flags: &ServeFlags,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Option<(PathBuf, toml::Table)>, SettingsError> {
    let named =
        flags.config.clone().or_else(|| environment("SPANLEDGER_CONFIG").map(PathBuf::from));
    let path = match named {
        Some(path) => path,
        None if Path::new(DEFAULT_FILE).exists() => DEFAULT_FILE.into(),
        None => return Ok(None),
    };
    let text = std::fs::read_to_string(&path)
        .map_err(|source| SettingsError::Read { path: path.clone(), source })?;
    match text.parse::<toml::Table>() {
        Ok(table) => Ok(Some((path, table))),
        Err(error) => {
            Err(SettingsError::File { path, why: error.to_string().trim_end().to_owned() })
        }
    }
}

/// Puts a text at its key, as the kind of value the key takes.
fn set(table: &mut toml::Table, entry: &Entry, text: &str) -> Result<(), SettingsError> {
    let refused = |expected| SettingsError::Value {
        key: entry.key.to_owned(),
        found: text.to_owned(),
        expected,
    };
    let value = match entry.form {
        Form::Text | Form::Table => toml::Value::String(text.to_owned()),
        Form::Bool => toml::Value::Boolean(text.parse().map_err(|_| refused("true or false"))?),
        Form::Int => toml::Value::Integer(text.parse().map_err(|_| refused("a whole number"))?),
    };
    let mut inner = table;
    let (sections, leaf) = entry.key.rsplit_once('.').map_or(("", entry.key), |(s, l)| (s, l));
    for section in sections.split('.').filter(|s| !s.is_empty()) {
        let next = inner
            .entry(section)
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut();
        inner = next.ok_or_else(|| SettingsError::Refused {
            from: "the settings file".into(),
            why: format!("`{section}` is not a section"),
        })?;
    }
    inner.insert(leaf.to_owned(), value);
    Ok(())
}

impl Effective {
    /// The settings as TOML, each leaf with a remark on where it came from; secrets are masked.
    pub fn print(&self) -> String {
        let table = toml::Table::try_from(&self.settings).unwrap_or_default();
        let (mut top, mut sections) = (String::new(), BTreeMap::<&str, String>::new());
        for entry in ENTRIES {
            let origin = self.origins.get(entry.key).map_or("default", String::as_str);
            let (section, leaf) = entry.key.rsplit_once('.').unwrap_or(("", entry.key));
            let line = match lookup(&table, entry.key) {
                None => format!("# {leaf} is not set\n"),
                Some(_) if is_secret(entry.key) => format!("{leaf} = \"***\" # {origin}\n"),
                Some(toml::Value::Array(items)) => {
                    format!("# {leaf}: {} in the list, {origin}\n", items.len())
                }
                Some(value) => format!("{leaf} = {value} # {origin}\n"),
            };
            if section.is_empty() {
                top.push_str(&line);
            } else {
                sections.entry(section).or_default().push_str(&line);
            }
        }
        sections.iter().fold(top, |all, (name, lines)| format!("{all}\n[{name}]\n{lines}"))
    }
}

fn is_secret(key: &str) -> bool {
    matches!(key, "pg.password" | "contents.hash_key")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effective(toml: &str, env: &[(&str, &str)], flags: ServeFlags) -> Result<Effective, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.toml");
        std::fs::write(&path, toml).unwrap();
        let flags = ServeFlags { config: Some(path), ..flags };
        let env: BTreeMap<_, _> = env.iter().copied().collect();
        load(&flags, |name| env.get(name).map(|v| (*v).to_owned())).map_err(|e| e.to_string())
    }

    #[test]
    fn flags_win_over_environment_over_file_over_defaults() {
        let toml =
            "http_addr = \"127.0.0.1:1\"\nflush_interval = \"2s\"\n[settle]\nquiet = \"3s\"\n";
        let env = [("SPANLEDGER_HTTP_ADDR", "127.0.0.1:2"), ("SPANLEDGER_SETTLE_QUIET", "4s")];
        let flags = ServeFlags { http_addr: Some("off".into()), ..ServeFlags::default() };
        let effective = effective(toml, &env, flags).unwrap();
        let expect = Settings {
            http_addr: super::super::Addr::Off,
            flush_interval: super::super::HumanDuration::from_secs(2),
            settle: super::super::Settle { quiet: super::super::HumanDuration::from_secs(4) },
            ..Settings::default()
        };
        assert_eq!(effective.settings, expect);
        let printed = effective.print();
        assert!(printed.contains("http_addr = \"off\" # flag --http-addr\n"), "{printed}");
        assert!(printed.contains("quiet = \"4s\" # environment SPANLEDGER_SETTLE_QUIET\n"));
        assert!(printed.contains("pg_addr = \"127.0.0.1:9701\" # default\n"));
    }

    #[test]
    fn unknown_keys_and_wrong_values_are_named() {
        let fails = |toml: &str, env: &[(&str, &str)]| {
            effective(toml, env, ServeFlags::default()).unwrap_err()
        };
        assert!(fails("flush_intervall = \"1s\"", &[]).contains("flush_intervall"));
        assert!(fails("[settle]\nloud = true", &[]).contains("loud"));
        assert!(fails("flush_interval = \"soon\"", &[]).contains("duration `soon`"));
        let error = fails("", &[("SPANLEDGER_RETENTION_DAYS", "many")]);
        assert_eq!(error, "setting `retention.days` is `many`, expected a whole number");
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_file_it_stands_in() {
        let fails = |toml: &str| effective(toml, &[], ServeFlags::default()).unwrap_err();
        let error = fails("[owner]\nteam = [\"squad\", \"squad\"]");
        assert!(error.contains("s.toml") && error.contains("`squad` stands twice"), "{error}");
        let tokens = "[auth]\ntokens = [{ token = \"x\", tenant = \"a\" }, { token = \"x\", tenant = \"b\" }]";
        let error = fails(tokens);
        assert!(error.contains("s.toml") && error.contains("`a` and `b`"), "{error}");
        let error = fails("[contents]\nbody_bytes_max = 0");
        assert!(error.contains("s.toml") && error.contains("contents.body_bytes_max"), "{error}");
    }

    #[test]
    fn variables_that_are_no_settings_are_found() {
        let set =
            ["SPANLEDGER_CONTENTS_CAPTUR", "SPANLEDGER_URL", "HOME", "SPANLEDGER_SETTLE_QUIET"];
        let unknown = unknown_variables(set.iter().map(|name| (*name).to_owned()));
        assert_eq!(unknown, ["SPANLEDGER_CONTENTS_CAPTUR"]);
    }

    #[test]
    fn a_password_is_never_printed() {
        let effective =
            effective("[pg]\npassword = \"hunter2\"\n", &[], ServeFlags::default()).unwrap();
        assert!(!effective.print().contains("hunter2"));
    }
}
