//! The two things the feeder asks of the process' own HTTP API: whether the store already holds
//! the demo, and to import the bill.

use std::net::SocketAddr;

use serde::Deserialize;

use super::otlp::SCOPE;
use super::{DemoError, limits};

/// Who the bill is from, as imports are listed.
const BILL_SOURCE: &str = "focus-sample";

/// The HTTP API of the running process.
pub(super) struct Api {
    base: String,
    client: reqwest::Client,
}

#[derive(Deserialize)]
struct SqlAnswer {
    rows: Vec<Vec<serde_json::Value>>,
}

impl Api {
    pub(super) fn new(address: SocketAddr) -> Result<Api, DemoError> {
        let client = reqwest::Client::builder().timeout(limits::REQUEST_TIMEOUT).build();
        let client = client.map_err(|source| DemoError::Http { doing: "prepare HTTP", source })?;
        Ok(Api { base: format!("http://{address}/api/v1"), client })
    }

    /// The end of the demo's newest span, when an earlier run has loaded it into this store.
    pub(super) async fn loaded_until(&self) -> Result<Option<i64>, DemoError> {
        let doing = "ask whether the store already holds the demo";
        let http = |source| DemoError::Http { doing, source };
        let query = format!(
            "SELECT max(start_unix_ns + duration_ns) FROM spans WHERE scope_name = '{SCOPE}'"
        );
        let request = self
            .client
            .post(format!("{}/sql", self.base))
            .header("accept", "application/json")
            .json(&serde_json::json!({ "query": query }));
        let answer = taken(doing, request.send().await.map_err(http)?).await?;
        let answer: SqlAnswer = answer.json().await.map_err(http)?;
        let cell = answer.rows.first().and_then(|row| row.first());
        Ok(cell.and_then(serde_json::Value::as_i64))
    }

    /// Imports a FOCUS file given as CSV.
    pub(super) async fn import_bill(&self, csv: String) -> Result<(), DemoError> {
        let doing = "import the bill";
        let request = self
            .client
            .post(format!("{}/billing/imports", self.base))
            .query(&[
                ("format", "focus"),
                ("source", BILL_SOURCE),
                ("file_name", "focus_sample.csv"),
            ])
            .header("content-type", "text/csv")
            .body(csv);
        let sent = request.send().await.map_err(|source| DemoError::Http { doing, source })?;
        taken(doing, sent).await.map(drop)
    }
}

/// The answer when it is a success; else its text as the error.
async fn taken(
    doing: &'static str,
    answer: reqwest::Response,
) -> Result<reqwest::Response, DemoError> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let body = answer.text().await.unwrap_or_else(|error| error.to_string());
    Err(DemoError::Answered { doing, status: status.as_u16(), body })
}
