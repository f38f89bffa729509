//! `import billing`: sends files to a server, one request each.

use std::io::Write as _;

use anyhow::Context as _;
use serde_json::Value;

use super::http::{block_on, send};
use super::out;
use crate::args::{Import, ImportFlags};

/// Imports every file; the first that is refused ends the command, those before it stay.
pub fn main(flags: &ImportFlags) -> anyhow::Result<()> {
    let Import::Billing { format, source, files, server } = &flags.what;
    block_on(async {
        let client = reqwest::Client::new();
        for path in files {
            let file = tokio::fs::File::open(path)
                .await
                .with_context(|| format!("opening `{}`", path.display()))?;
            let size = file.metadata().await?.len();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let mut query = vec![("format", format.as_str()), ("file_name", &name)];
            query.extend(source.as_deref().map(|source| ("source", source)));
            let request = client
                .post(format!("{}/api/v1/billing/imports", server.url))
                .query(&query)
                .header("content-length", size)
                .body(reqwest::Body::wrap_stream(tokio_util::io::ReaderStream::new(file)));
            let response = send(request, server)
                .await
                .with_context(|| format!("`{}` was not imported", path.display()))?;
            say(&name, &response.json().await.context("reading the report")?)?;
        }
        Ok(())
    })
}

/// What came of one file: rows, sums per currency, and warnings.
fn say(file: &str, report: &Value) -> anyhow::Result<()> {
    let mut out = out::stdout();
    writeln!(out, "{file}")?;
    writeln!(out, "{}", serde_json::to_string_pretty(report)?)?;
    Ok(())
}
