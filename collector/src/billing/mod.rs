//! Bills: files of a provider's costs become lines of `billing_lines`.
//! Takes a file and whose it is, gives a report; either all lines are durable or none is there.
//! Importing the same bill again supersedes, it never adds up. Modules in the order of the data.

mod cells;
mod csv_rows;
mod error;
mod focus;
pub mod http;
mod importer;
mod input;
pub mod limits;
mod lines;
mod parquet_rows;
mod read;
mod report;
mod standing;
#[cfg(test)]
mod tests;

pub use error::{ImportError, Problem};
pub use importer::Importer;
pub use report::{
    CurrencySums, ImportReport, ImportRequest, ImportSummary, Outcome, PeriodSums, Warning,
};

/// A format that bills come in. Adding one means a variant here and a file beside `focus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// FinOps Open Cost and Usage Specification 1.0 to 1.4, dataset Cost and Usage.
    Focus,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 1] = [Format::Focus];

    /// Its one spelling.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Focus => "focus",
        }
    }

    /// The format of that name.
    pub fn parse(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }
}
