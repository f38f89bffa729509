//! Commands that need no server: the schema, the settings reference, quotes from the bundled
//! price book, and SQL on a data folder.

use std::io::{BufRead as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use spanledger_ledger::prices::PriceBook;
use spanledger_query::QueryService;
use spanledger_schemas::tables;
use spanledger_store::Store;

use crate::args::{Config, ConfigFlags, Format, Prices, PricesFlags};
use crate::client::table::Answer;
use crate::{serve, settings};

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
    let book = PriceBook::bundled()?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line.context("reading standard input")?;
        if line.trim().is_empty() {
            continue;
        }
        let quote = book.quote_jsonl(&line).with_context(|| format!("line {}", number + 1))?;
        writeln!(out, "{quote}")?;
    }
    out.flush()?;
    Ok(())
}
