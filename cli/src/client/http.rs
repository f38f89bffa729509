//! One HTTP client for all commands: finds the server, turns its problem details into errors.

use anyhow::{Context as _, anyhow};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::Deserialize;

use crate::args::Server;

/// Runs a client command to its end.
pub fn block_on<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
}

/// `application/problem+json` (RFC 9457) with the hint of this API.
#[derive(Debug, Deserialize)]
struct Problem {
    title: String,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    hint: Option<String>,
    #[serde(default)]
    errors: Vec<serde_json::Value>,
}

/// Sends a request; an answer that is no success becomes an error with the server's own words.
///
/// # Errors
/// When the server cannot be reached, or refuses.
pub async fn send(request: RequestBuilder, server: &Server) -> anyhow::Result<Response> {
    let request = match &server.token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let response = request.send().await.with_context(|| {
        let url = &server.url;
        format!(
            "no answer from {url}; is `spanledger serve` running there? (--url, SPANLEDGER_URL)"
        )
    })?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.text().await.unwrap_or_default();
    Err(problem(&body, status))
}

/// The server's words about a request it refused.
pub fn problem(body: &str, status: StatusCode) -> anyhow::Error {
    let Ok(problem) = serde_json::from_str::<Problem>(body) else {
        return anyhow!("the server answered {status}: {}", body.trim());
    };
    let mut text = problem.detail.unwrap_or(problem.title);
    for error in &problem.errors {
        let line = error.as_str().map_or_else(|| error.to_string(), str::to_owned);
        text.push_str(&format!("\n  {line}"));
    }
    if let Some(hint) = problem.hint {
        text.push_str(&format!("\nhint: {hint}"));
    }
    anyhow!(text)
}
