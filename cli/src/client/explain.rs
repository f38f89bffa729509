//! `explain`: how one figure came about, as the server says it.

use anyhow::Context as _;

use super::http::{block_on, send};
use super::sql::stream;
use crate::args::{ExplainFlags, ExplainFormat, Format, Subject};

/// Asks and prints the explanation.
pub fn main(flags: &ExplainFlags) -> anyhow::Result<()> {
    let subject = match flags.subject {
        Subject::Span => "span",
        Subject::Call => "call",
        Subject::Line => "line",
    };
    // Steps come as text and are printed as they come, like rows of CSV.
    let (accept, format) = match flags.format {
        ExplainFormat::Text => ("text/plain", Format::Csv),
        ExplainFormat::Json => ("application/json", Format::Json),
    };
    block_on(async {
        let mut url = reqwest::Url::parse(&format!("{}/api/v1/explain", flags.server.url))
            .with_context(|| format!("`{}` is no URL", flags.server.url))?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(subject).extend(flags.id.split('/'));
        }
        let request = reqwest::Client::new().get(url).header("accept", accept);
        stream(send(request, &flags.server).await?, format).await
    })
}
