//! Commands that need no server: the schema, the settings reference, quotes from the bundled
//! price book, and SQL on a data folder.

use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use axum::body::{Body, to_bytes};
use axum::http::Request;
use spanledger_ledger::prices::{self, PriceBook, Pricer};
use spanledger_query::{QueryService, QuerySettings};
use spanledger_schemas::tables;
use spanledger_store::Store;
use tower::ServiceExt as _;

use crate::args::{Config, ConfigFlags, Format, Prices, PricesFlags};
use crate::client::{http, sql};
use crate::settings;

/// Largest answer that is held before it is printed: the query service's own bound is smaller.
const ANSWER_BYTES_MAX: usize = 1 << 30;

/// Prints every table and column.
pub fn schema() -> anyhow::Result<()> {
    std::io::stdout().lock().write_all(tables::markdown().as_bytes())?;
    Ok(())
}

/// Prints the reference of settings.
pub fn config(flags: &ConfigFlags) -> anyhow::Result<()> {
    let Config::Reference = flags.what;
    std::io::stdout().lock().write_all(settings::reference().as_bytes())?;
    Ok(())
}

/// Answers usages from standard input with quotes, line by line.
pub fn prices(flags: &PricesFlags) -> anyhow::Result<()> {
    let Prices::Quote { jsonl: _ } = flags.what;
    let mut pricer = Pricer::new(PriceBook::bundled()?);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line.context("reading standard input")?;
        if line.trim().is_empty() {
            continue;
        }
        let quote = prices::quote_jsonl(&mut pricer, &line)
            .with_context(|| format!("line {} of standard input", number + 1))?;
        writeln!(out, "{quote}")?;
    }
    out.flush()?;
    Ok(())
}

/// Answers one query from a data folder, through the same door code as a server, without a
/// socket. The folder may be served by another process meanwhile.
pub fn sql(data_dir: &Path, query: &str, format: Format) -> anyhow::Result<()> {
    let root = data_dir.join("store");
    if !root.is_dir() {
        bail!("no tables in `{}`: expected the data folder of a `serve`", data_dir.display());
    }
    http::block_on(async {
        let store = Store::open(&root).await?;
        let nobody_settles = Arc::new(|| None);
        let service = QueryService::new(store, QuerySettings::default(), nobody_settles)?;
        let body = serde_json::to_vec(&serde_json::json!({ "query": query }))?;
        let request = Request::post("/api/v1/sql")
            .header("content-type", "application/json")
            .header("accept", sql::accept(format))
            .body(Body::from(body))?;
        let response = service.http_router().oneshot(request).await?;
        let status = response.status();
        let body = to_bytes(response.into_body(), ANSWER_BYTES_MAX).await?;
        if !status.is_success() {
            return Err(http::problem(&String::from_utf8_lossy(&body), status));
        }
        sql::print(&body, format)
    })
}
