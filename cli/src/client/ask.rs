//! `ask`: a question of the catalogue.

use std::io::Write as _;

use anyhow::{Context as _, anyhow};

use super::http::{block_on, send};
use super::out;
use super::sql::{accept, stream};
use crate::args::{AskFlags, Server};

/// Asks and prints the answer, or the list of questions.
pub fn main(flags: &AskFlags) -> anyhow::Result<()> {
    block_on(async {
        if flags.list {
            return list(&flags.server).await;
        }
        let question = flags.question.as_deref().context("which question? see `ask --list`")?;
        let request = reqwest::Client::new()
            .get(format!("{}/api/v1/questions/{question}", flags.server.url))
            .header("accept", accept(flags.format))
            .query(&parameters(flags)?);
        stream(send(request, &flags.server).await?, flags.format).await
    })
}

/// The query string of a question.
fn parameters(flags: &AskFlags) -> anyhow::Result<Vec<(String, String)>> {
    let named =
        [("by", &flags.by), ("from", &flags.from), ("to", &flags.to), ("grain", &flags.grain)];
    let mut all: Vec<(String, String)> = named
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
        .collect();
    all.extend(flags.filters.iter().map(|filter| ("filter".to_owned(), filter.clone())));
    for param in &flags.params {
        let (name, value) = param
            .split_once('=')
            .ok_or_else(|| anyhow!("parameter `{param}`: expected NAME=VALUE"))?;
        // A draft of a contract is a file.
        let value = match value.strip_prefix('@').filter(|_| name == "draft") {
            Some(path) => {
                std::fs::read_to_string(path).with_context(|| format!("reading `{path}`"))?
            }
            None => value.to_owned(),
        };
        all.push((name.to_owned(), value));
    }
    Ok(all)
}

/// One question of `GET /api/v1/questions`.
#[derive(serde::Deserialize)]
struct Question {
    name: String,
    about: String,
}

/// The catalogue, as far as a person needs it.
#[derive(serde::Deserialize)]
struct Catalogue {
    questions: Vec<Question>,
}

async fn list(server: &Server) -> anyhow::Result<()> {
    let request = reqwest::Client::new().get(format!("{}/api/v1/questions", server.url));
    let catalogue: Catalogue =
        send(request, server).await?.json().await.context("reading the list")?;
    let mut out = out::stdout();
    for question in catalogue.questions {
        writeln!(out, "{:10} {}", question.name, question.about)?;
    }
    Ok(())
}
