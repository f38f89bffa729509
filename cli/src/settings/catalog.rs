//! The one list of settings: key, what it does, and what a value looks like. The reference, the
//! names of the variables and the origins of `--print-config` come from it.

use std::fmt::Write as _;

use super::Settings;

/// How the text of a variable or flag becomes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As it stands.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// Only a file can say it.
    Table,
}

/// One setting.
#[derive(Debug)]
pub struct Entry {
    /// Dotted path in the file.
    pub key: &'static str,
    pub form: Form,
    pub meaning: &'static str,
}

const fn entry(key: &'static str, form: Form, meaning: &'static str) -> Entry {
    Entry { key, form, meaning }
}

use Form::{Bool, Int, Table, Text};

/// Every setting, in the order of the reference.
pub const ENTRIES: &[Entry] = &[
    entry("data_dir", Text, "folder of the log, the tables and `addresses.json`"),
    entry(
        "store",
        Text,
        "root of the tables, a path or `file://` URL; `store` inside `data_dir` when not set",
    ),
    entry(
        "role",
        Text,
        "`all`, `collector` (the way in), `query` (the way out) or `worker` (settle, compaction)",
    ),
    entry("otlp_grpc_addr", Text, "door for OTLP/gRPC, or `off`"),
    entry("otlp_http_addr", Text, "door for OTLP/HTTP, or `off`"),
    entry("http_addr", Text, "door for the HTTP API, health and metrics, or `off`"),
    entry("pg_addr", Text, "door for the PostgreSQL wire, or `off`"),
    entry("flight_addr", Text, "door for Flight SQL; not built yet, only `off`"),
    entry(
        "flush_interval",
        Text,
        "how long acknowledged rows wait before they are committed to the tables",
    ),
    entry(
        "flush_bytes",
        Text,
        "bytes of waiting requests that start a flush before the interval is over",
    ),
    entry(
        "upkeep_interval",
        Text,
        "how often the tables are looked after: compaction, checkpoints, log cleanup, retention",
    ),
    entry("wal.segment_bytes", Text, "size at which a file of the log is closed"),
    entry("wal.bytes_max", Text, "size of the log at which requests are refused, retryably"),
    entry(
        "wal.on_corruption",
        Text,
        "`refuse` to start on a log that is broken before its end, or `skip` the broken part into `wal/quarantine`",
    ),
    entry("settle.quiet", Text, "how long a trace must be quiet before its calls are settled"),
    entry(
        "contents.capture",
        Bool,
        "whether prompts, completions and tool payloads are kept, in table `contents`",
    ),
    entry(
        "contents.body_bytes_max",
        Text,
        "bytes kept of one piece of content; the row says when it was cut",
    ),
    entry(
        "contents.redact",
        Table,
        "list of `{ pattern | fields | keys, action?, replacement? }`: what is taken out of contents before they are written",
    ),
    entry(
        "contents.hash_key",
        Text,
        "secret of the rules whose action is `hash`, 16 bytes or more",
    ),
    entry(
        "owner.team",
        Table,
        "list of attributes that name column `team`, best first, taken before the default mapping",
    ),
    entry(
        "owner.user",
        Table,
        "list of attributes that name column `user_id`, best first, taken before the default mapping",
    ),
    entry(
        "owner.session",
        Table,
        "list of attributes that name column `session_id`, best first, taken before the default mapping",
    ),
    entry(
        "owner.feature",
        Table,
        "list of attributes that name column `feature`, best first, taken before the default mapping",
    ),
    entry(
        "owner.agent",
        Table,
        "list of attributes that name column `agent_name`, best first, taken before the default mapping",
    ),
    entry(
        "owner.workflow",
        Table,
        "list of attributes that name column `workflow_name`, best first, taken before the default mapping",
    ),
    entry(
        "owner.environment",
        Table,
        "list of attributes that name column `environment`, best first, taken before the default mapping",
    ),
    entry(
        "owner.region",
        Table,
        "list of attributes that name column `region`, best first, taken before the default mapping",
    ),
    entry("retention.days", Int, "age in days at which rows are dropped; none when not set"),
    entry("query.timeout", Text, "time a query may take"),
    entry(
        "query.memory_max",
        Text,
        "memory of all running queries together; sorts and joins spill to disk beyond",
    ),
    entry("query.rows_max", Int, "rows an answer may have"),
    entry("query.concurrency_max", Int, "queries that may run at once"),
    entry("pg.user", Text, "user of the PostgreSQL wire, with `pg.password`; anyone when not set"),
    entry("pg.password", Text, "its password (SCRAM-SHA-256)"),
    entry(
        "pg.certificate",
        Text,
        "PEM file of the certificate of the PostgreSQL wire, with `pg.key`; then connections from other machines must be encrypted",
    ),
    entry("pg.key", Text, "PEM file of its private key"),
    entry("pg.connections_max", Int, "connections of the PostgreSQL wire at the same time"),
    entry(
        "telemetry.log",
        Text,
        "filter of the log, such as `info` or `warn,spanledger_store=debug`",
    ),
    entry("telemetry.log_format", Text, "`text` or `json`"),
    entry(
        "telemetry.otlp_endpoint",
        Text,
        "OTLP/gRPC endpoint for the process's own spans; not sent when not set",
    ),
    entry(
        "auth.tokens",
        Table,
        "list of `{ token, tenant }`: bearer tokens and whose rows they write; open to all, as tenant `default`, when empty",
    ),
    entry(
        "scrape.targets",
        Table,
        "list of `{ url, job?, interval?, timeout?, bearer_token?, labels? }`: Prometheus endpoints to scrape",
    ),
];

impl Entry {
    /// Name of the environment variable.
    pub fn variable(&self) -> String {
        format!("SPANLEDGER_{}", self.key.to_uppercase().replace('.', "_"))
    }
}

/// The reference of settings in Markdown: what `spanledger config reference` prints.
pub fn reference() -> String {
    let defaults = toml::Table::try_from(Settings::default()).unwrap_or_default();
    let mut out = String::from(
        "# Settings\n\nDefaults < file (`spanledger.toml`, or `--config FILE`) < environment < flags. \
         Unknown keys of the file are refused.\n\n| key | variable | default | meaning |\n|---|---|---|---|\n",
    );
    for entry in ENTRIES {
        let default = match lookup(&defaults, entry.key) {
            Some(value) => format!("`{value}`"),
            None => "not set".to_owned(),
        };
        let variable = match entry.form {
            Form::Table => "file only".to_owned(),
            _ => format!("`{}`", entry.variable()),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "| `{}` | {variable} | {default} | {} |", entry.key, entry.meaning);
    }
    out
}

/// The value at a dotted key.
pub fn lookup<'t>(table: &'t toml::Table, key: &str) -> Option<&'t toml::Value> {
    match key.split_once('.') {
        None => table.get(key),
        Some((head, rest)) => lookup(table.get(head)?.as_table()?, rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Dotted keys of every leaf that the default settings write out.
    fn leaves(table: &toml::Table, prefix: &str, out: &mut Vec<String>) {
        for (key, value) in table {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match value.as_table() {
                Some(inner) => leaves(inner, &path, out),
                None => out.push(path),
            }
        }
    }

    #[test]
    fn every_setting_is_in_the_catalog() {
        let mut all = Vec::new();
        leaves(&toml::Table::try_from(Settings::default()).unwrap(), "", &mut all);
        assert!(all.len() > 15);
        for key in all {
            assert!(ENTRIES.iter().any(|e| e.key == key), "`{key}` is not in the catalog");
        }
    }

    #[test]
    fn variables_are_named_after_keys() {
        let quiet = ENTRIES.iter().find(|e| e.key == "settle.quiet").unwrap();
        assert_eq!(quiet.variable(), "SPANLEDGER_SETTLE_QUIET");
    }
}
