//! `prices import`, `set` and `reprice`: what changes prices, or calls by them, on a server or on a
//! data folder; and what is printed of it. The rules are the ledger's.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use spanledger_ledger::prices::{self, DEFAULT_TENANT, FileKind, PriceFile, Reprice};

use crate::args::{SetPrice, Target};
use crate::client::http::send;
use crate::client::out;
use crate::client::table::Answer;
use crate::offline;

/// Brings every file; the first that is refused ends the command, those before it stay.
pub async fn import(
    format: Option<&str>,
    name: Option<&str>,
    dry_run: bool,
    files: &[PathBuf],
    target: &Target,
) -> anyhow::Result<()> {
    for path in files {
        let bytes = std::fs::read(path).with_context(|| format!("reading `{}`", path.display()))?;
        let format = match format {
            Some(format) => format,
            None => format_of(path)?,
        };
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.unwrap_or(&file_name);
        let report = bring(format, name, bytes, dry_run, target)
            .await
            .with_context(|| format!("`{}` was not imported", path.display()))?;
        say(&report)?;
    }
    Ok(())
}

/// The format that a file's ending says.
fn format_of(path: &Path) -> anyhow::Result<&'static str> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    Ok(match name.rsplit('.').next() {
        Some("json") => "genai-prices",
        Some("toml") => "toml",
        Some("csv") => "csv",
        _ => bail!("`{}` ends in none of .json, .toml, .csv: give --format", path.display()),
    })
}

/// Sets one price: a file of one entry.
pub async fn set(price: &SetPrice) -> anyhow::Result<()> {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let number = price.amount.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    if !number || price.amount.is_empty() {
        bail!("amount is `{}`, expected a decimal number", price.amount);
    }
    let mut file = format!("[[price]]\namount = {}\n", price.amount);
    let texts = [
        ("provider", Some(&price.provider)),
        ("model", Some(&price.model)),
        ("unit", Some(&price.unit)),
        ("currency", price.currency.as_ref()),
        ("service_tier", price.service_tier.as_ref()),
        ("region", price.region.as_ref()),
        ("valid_from", price.valid_from.as_ref()),
        ("valid_to", price.valid_to.as_ref()),
        ("note", price.note.as_ref()),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            file.push_str(&format!("{key} = {}\n", quoted(text)));
        }
    }
    for (key, whole) in [("per", price.per), ("context_from", price.context_from)] {
        if let Some(whole) = whole {
            file.push_str(&format!("{key} = {whole}\n"));
        }
    }
    let report = bring("set", "set", file.into_bytes(), price.dry_run, &price.target).await?;
    say(&report)
}

/// Hands a file to the price book; gives its report.
async fn bring(
    format: &str,
    name: &str,
    bytes: Vec<u8>,
    dry_run: bool,
    target: &Target,
) -> anyhow::Result<Value> {
    if let Some(dir) = &target.data_dir {
        let known = || FileKind::ALL.map(|(name, _)| name).join(", ");
        let kind = FileKind::named(format)
            .with_context(|| format!("format is `{format}`, expected one of {}", known()))?;
        let now = jiff::Timestamp::now().as_microsecond();
        let (bytes, tenant) = (bytes.as_slice(), DEFAULT_TENANT);
        let file = PriceFile { kind, bytes, name, tenant, now, dry_run };
        let report = prices::import_file(&offline::store(dir).await?, &file).await?;
        return Ok(serde_json::to_value(report)?);
    }
    let url = &target.server.url;
    let dry_run = dry_run.to_string();
    let request = reqwest::Client::new()
        .post(format!("{url}/api/v1/prices/imports"))
        .query(&[("format", format), ("name", name), ("dry_run", &dry_run)])
        .body(bytes);
    send(request, &target.server).await?.json().await.context("reading the report")
}

/// What came of one file.
fn say(report: &Value) -> anyhow::Result<()> {
    let mut out = out::stdout();
    let count = |key: &str| report[key].as_u64().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |key: &str| report[key].as_array().cloned().unwrap_or_default();
    writeln!(
        out,
        "{}: {} prices added, {} ended, {} believed{}",
        text(&report["source"]),
        count("added"),
        count("ended"),
        count("believed"),
        if report["written"] == true { "" } else { "; nothing was written" }
    )?;
    for skipped in list("skipped") {
        writeln!(out, "skipped: {}", text(&skipped))?;
    }
    for finding in list("findings") {
        let [kind, place, detail] = ["kind", "place", "detail"].map(|key| text(&finding[key]));
        writeln!(out, "{kind}: {place}: {detail}")?;
    }
    Ok(())
}

/// Shows what pricing calls again would change, then does it.
pub async fn reprice(
    from: Option<jiff::Timestamp>,
    to: Option<jiff::Timestamp>,
    dry_run: bool,
    yes: bool,
    target: &Target,
) -> anyhow::Result<()> {
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        bail!("from is {from}, expected an instant before to, {to}");
    }
    let shown = again(from, to, true, target).await?;
    say_repriced(&shown)?;
    if dry_run || shown["changed"] == 0 {
        return Ok(());
    }
    if !yes {
        if !std::io::stdin().is_terminal() {
            bail!("nothing was written: say --yes where nobody can be asked");
        }
        let mut out = out::stdout();
        write!(out, "write these prices? [y/N] ")?;
        out.flush()?;
        let mut line = String::new();
        std::io::stdin().read_line(&mut line)?;
        if !matches!(line.trim(), "y" | "Y" | "yes") {
            writeln!(out, "nothing was written")?;
            return Ok(());
        }
    }
    let done = again(from, to, false, target).await?;
    let changed = done["changed"].as_u64().unwrap_or_default();
    writeln!(out::stdout(), "{changed} calls were given their new price")?;
    Ok(())
}

async fn again(
    from: Option<jiff::Timestamp>,
    to: Option<jiff::Timestamp>,
    dry_run: bool,
    target: &Target,
) -> anyhow::Result<Value> {
    if let Some(dir) = &target.data_dir {
        let which = Reprice {
            tenant: Some(DEFAULT_TENANT.to_owned()),
            from: from.map(jiff::Timestamp::as_microsecond),
            to: to.map(jiff::Timestamp::as_microsecond),
            dry_run,
        };
        let done = prices::reprice(&offline::store(dir).await?, &which).await?;
        return Ok(serde_json::to_value(done)?);
    }
    let url = &target.server.url;
    let mut query = vec![("dry_run", dry_run.to_string())];
    query.extend(from.map(|at| ("from", at.to_string())));
    query.extend(to.map(|at| ("to", at.to_string())));
    let request = reqwest::Client::new().post(format!("{url}/api/v1/prices/reprice")).query(&query);
    send(request, &target.server).await?.json().await.context("reading the report")
}

fn say_repriced(report: &Value) -> anyhow::Result<()> {
    const COLUMNS: [&str; 8] = [
        "provider",
        "model",
        "currency",
        "calls",
        "before",
        "after",
        "newly_priced",
        "newly_unpriced",
    ];
    let mut out = out::stdout();
    let models = report["models"].as_array().cloned().unwrap_or_default();
    if !models.is_empty() {
        let columns: Vec<_> =
            COLUMNS.iter().map(|name| json!({"name": name, "type": "text"})).collect();
        let row = |model: &Value| COLUMNS.map(|name| model[name].clone());
        let rows: Vec<_> = models.iter().map(row).collect();
        let answer: Answer = serde_json::from_value(json!({"columns": columns, "rows": rows}))?;
        out.write_all(answer.table().as_bytes())?;
    }
    writeln!(
        out,
        "{} of {} calls would change; {} of closed periods stay as they are",
        report["changed"], report["calls"], report["closed"]
    )?;
    Ok(())
}
