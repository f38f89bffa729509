//! Commands that need no server: the schema, the settings reference, quotes, and what is read from
//! the tables of a data folder.

use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use axum::body::{Body, to_bytes};
use axum::http::Request;
use spanledger_ledger::prices::{self, Allowances, PriceBook, Pricer};
use spanledger_query::{QueryService, QuerySettings};
use spanledger_schemas::tables;
use spanledger_store::Store;
use tower::ServiceExt as _;

use crate::args::{Config, ConfigFlags, Format};
use crate::client::{http, out, sql};
use crate::settings;

/// Largest answer that is held before it is printed: the query service's own bound is smaller.
const ANSWER_BYTES_MAX: usize = 1 << 30;

/// Prints every table and column.
pub fn schema() -> anyhow::Result<()> {
    out::stdout().write_all(tables::markdown().as_bytes())?;
    Ok(())
}

/// Prints the reference of settings.
pub fn config(flags: &ConfigFlags) -> anyhow::Result<()> {
    let Config::Reference = flags.what;
    out::stdout().write_all(settings::reference().as_bytes())?;
    Ok(())
}

/// Answers usages from standard input with quotes, line by line: with the bundled book, or with the
/// prices of a data folder as they were believed at an instant. The lines are calls in their order:
/// what the folder's allowances leave free is taken off.
pub fn quote(data_dir: Option<&Path>, as_of: Option<jiff::Timestamp>) -> anyhow::Result<()> {
    let as_of = as_of.map_or(i64::MAX, jiff::Timestamp::as_microsecond);
    let book = match data_dir {
        Some(dir) => {
            let store = http::block_on(store(dir))?;
            let rows = http::block_on(async { Ok(prices::rows(&store.snapshot().await?).await?) })?;
            PriceBook::believed_at(rows, as_of)?
        }
        None => PriceBook::bundled_at(as_of)?,
    };
    let mut allowances = Allowances::new(Arc::clone(&book))?;
    let mut pricer = Pricer::new(book);
    let mut out = std::io::BufWriter::new(out::stdout());
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line.context("reading standard input")?;
        if line.trim().is_empty() {
            continue;
        }
        let quote = prices::quote_jsonl_in_order(&mut pricer, &mut allowances, &line)
            .with_context(|| format!("line {} of standard input", number + 1))?;
        writeln!(out, "{quote}")?;
    }
    out.flush()?;
    Ok(())
}

/// The tables of a data folder. It may be served by another process meanwhile.
pub async fn store(data_dir: &Path) -> anyhow::Result<Store> {
    let root = data_dir.join("store");
    if !root.is_dir() {
        bail!("no tables in `{}`: expected the data folder of a `serve`", data_dir.display());
    }
    Ok(Store::open(&root).await?)
}

/// Answers one query from a data folder and prints it.
pub fn sql(data_dir: &Path, query: &str, format: Format) -> anyhow::Result<()> {
    let body = http::block_on(answer(data_dir, query, sql::accept(format)))?;
    sql::print(&body, format)
}

/// The answer to one query from a data folder, through the same door code as a server, without a
/// socket.
pub async fn answer(data_dir: &Path, query: &str, accept: &str) -> anyhow::Result<Vec<u8>> {
    let store = store(data_dir).await?;
    let nobody_settles = Arc::new(|| None);
    let service = QueryService::new(store, QuerySettings::default(), nobody_settles)?;
    let body = serde_json::to_vec(&serde_json::json!({ "query": query }))?;
    let request = Request::post("/api/v1/sql")
        .header("content-type", "application/json")
        .header("accept", accept)
        .body(Body::from(body))?;
    let response = service.http_router().oneshot(request).await?;
    let status = response.status();
    let body = to_bytes(response.into_body(), ANSWER_BYTES_MAX).await?;
    if !status.is_success() {
        return Err(http::problem(&String::from_utf8_lossy(&body), status));
    }
    Ok(body.to_vec())
}
