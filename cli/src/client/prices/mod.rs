//! `prices`: reads the price book with SQL, writes it through its door, on a server or on a data
//! folder. Here is what both have in common; no price is computed here.

mod check;
mod read;
mod write;

use anyhow::{Context as _, anyhow};

use super::http::{block_on, send};
use crate::args::{Prices, PricesFlags, SqlFlags, Target};
use crate::offline;

/// Does what was asked with prices.
pub fn main(flags: &PricesFlags) -> anyhow::Result<()> {
    match &flags.what {
        Prices::List(list) => {
            let query = read::list(list)?;
            run(query, list.format, &list.target)
        }
        Prices::Show { what, format, target } => run(read::show(what), *format, target),
        Prices::Diff { before, after, format, target } => {
            run(read::diff(before, after.as_deref()), *format, target)
        }
        Prices::Check { against, at, limit, format, target } => {
            let at = at.as_deref().map(instant).transpose()?;
            block_on(check::run(against, at, *limit, *format, target))
        }
        Prices::Import { format, name, dry_run, files, target } => {
            block_on(write::import(format.as_deref(), name.as_deref(), *dry_run, files, target))
        }
        Prices::Set(price) => block_on(write::set(price)),
        Prices::Reprice { from, to, dry_run, yes, target } => {
            let from = from.as_deref().map(instant).transpose()?;
            let to = to.as_deref().map(instant).transpose()?;
            block_on(write::reprice(from, to, *dry_run, *yes, target))
        }
        Prices::Quote { jsonl: _, data_dir, as_of } => {
            offline::quote(data_dir.as_deref(), as_of.as_deref().map(instant).transpose()?)
        }
    }
}

/// Runs a query and prints its answer, as `sql` does.
fn run(query: String, format: crate::args::Format, target: &Target) -> anyhow::Result<()> {
    super::sql::main(&SqlFlags {
        query: Some(query),
        format,
        data_dir: target.data_dir.clone(),
        server: target.server.clone(),
    })
}

/// The body of the answer to a query.
async fn answer(query: &str, accept: &str, target: &Target) -> anyhow::Result<Vec<u8>> {
    if let Some(dir) = &target.data_dir {
        return offline::answer(dir, query, accept).await;
    }
    let url = &target.server.url;
    let request = reqwest::Client::new()
        .post(format!("{url}/api/v1/sql"))
        .header("accept", accept)
        .json(&serde_json::json!({ "query": query }));
    let response = send(request, &target.server).await?;
    Ok(response.bytes().await.context("reading the answer")?.to_vec())
}

/// The instant a text says: a date is its midnight in UTC.
fn instant(text: &str) -> anyhow::Result<jiff::Timestamp> {
    let midnight = || {
        let date: jiff::civil::Date = text.parse().ok().filter(|_| text.len() == 10)?;
        jiff::tz::TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()
    };
    if text == "now" {
        return Ok(jiff::Timestamp::now());
    }
    midnight().or_else(|| text.parse().ok()).ok_or_else(|| {
        anyhow!("instant `{text}`: expected 2026-11-01, 2026-11-01T08:00:00Z or now")
    })
}
