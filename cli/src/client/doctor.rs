//! `doctor`: what each service sends and what to mend, as the server says it.

use super::http::{block_on, send};
use super::sql::stream;
use crate::args::{DoctorFlags, Format};

/// Asks and prints the report.
pub fn main(flags: &DoctorFlags) -> anyhow::Result<()> {
    // The table of a report is text that the server lays out: printed as it comes, like CSV.
    let (accept, format) = match flags.format {
        Format::Table => ("text/plain", Format::Csv),
        Format::Csv => ("text/csv", Format::Csv),
        Format::Json => ("application/json", Format::Json),
    };
    let window = [("from", &flags.from), ("to", &flags.to)];
    let window: Vec<_> =
        window.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
    block_on(async {
        let request = reqwest::Client::new()
            .get(format!("{}/api/v1/doctor", flags.server.url))
            .header("accept", accept)
            .query(&window);
        stream(send(request, &flags.server).await?, format).await
    })
}
