//! `sql`: one query, on a server or on a data folder.

use std::io::{Read as _, Write as _};

use anyhow::Context as _;

use super::http::{block_on, send};
use super::out;
use super::table::Answer;
use crate::args::{Format, SqlFlags};
use crate::offline;

/// Runs the query and prints the answer.
pub fn main(flags: &SqlFlags) -> anyhow::Result<()> {
    let query = match &flags.query {
        Some(query) => query.clone(),
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("reading the query")?;
            text
        }
    };
    if let Some(dir) = &flags.data_dir {
        return offline::sql(dir, &query, flags.format);
    }
    block_on(async {
        let request = reqwest::Client::new()
            .post(format!("{}/api/v1/sql", flags.server.url))
            .header("accept", accept(flags.format))
            .json(&serde_json::json!({ "query": query }));
        stream(send(request, &flags.server).await?, flags.format).await
    })
}

/// The media type that a form is printed from.
pub fn accept(format: Format) -> &'static str {
    match format {
        Format::Csv => "text/csv",
        Format::Table | Format::Json => "application/json",
    }
}

/// Prints an answer as it streams in (CSV, JSON), or as a table once it is whole.
pub async fn stream(mut response: reqwest::Response, format: Format) -> anyhow::Result<()> {
    if format == Format::Table {
        let body = response.bytes().await.context("reading the answer")?;
        return print(&body, format);
    }
    let mut out = out::stdout();
    while let Some(chunk) = response.chunk().await.context("reading the answer")? {
        out.write_all(&chunk)?;
    }
    if format == Format::Json {
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Prints a whole answer.
pub fn print(body: &[u8], format: Format) -> anyhow::Result<()> {
    let mut out = out::stdout();
    match format {
        Format::Table => {
            let answer: Answer = serde_json::from_slice(body).context("reading the answer")?;
            out.write_all(answer.render().as_bytes())?;
        }
        Format::Csv => out.write_all(body)?,
        Format::Json => {
            out.write_all(body)?;
            out.write_all(b"\n")?;
        }
    }
    Ok(())
}
