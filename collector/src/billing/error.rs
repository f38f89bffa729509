//! Why a bill was not imported: one variant per outcome that a caller treats differently, each
//! saying what was attempted on which file and what to do. HTTP statuses are given in `http`.

use std::fmt;

use serde::Serialize;

use super::limits::{PROBLEMS_MAX, QUOTED_CHARS_MAX};

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Cells, rows or columns of the file are not what the format says.
    #[error("{}", rejected(.file, .problems, *.more))]
    Rejected {
        /// Name of the file.
        file: String,
        /// What is wrong, in the order of the file, at most [`PROBLEMS_MAX`].
        problems: Vec<Problem>,
        /// Reading stopped at the bound: there may be more.
        more: bool,
    },
    /// The file is something else than this importer reads.
    #[error("billing file `{file}` is {found}, expected {expected}")]
    Unsupported {
        /// Name of the file.
        file: String,
        /// What it is.
        found: String,
        /// What can be read.
        expected: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// The request itself lacks something.
    #[error("import of billing file `{file}`: {what}")]
    Request {
        /// Name of the file.
        file: String,
        /// What is wrong with the request.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// A bound was hit.
    #[error("billing file `{file}` has more than {limit} {what}")]
    TooLarge {
        /// Name of the file.
        file: String,
        /// What there is too much of, with its unit.
        what: &'static str,
        /// The bound.
        limit: u64,
        /// What to do.
        hint: &'static str,
    },
    /// The file could not be read: missing, cut off, or damaged.
    #[error("reading billing file `{file}`: {cause}")]
    Read {
        /// Name of the file.
        file: String,
        /// What the system or the codec said.
        cause: String,
    },
    /// Others kept changing the same files; trying again later is safe.
    #[error("commit of billing file `{file}` lost against other writers {tries} times")]
    Contended {
        /// Name of the file.
        file: String,
        /// Tries made.
        tries: u32,
    },
    /// The store failed.
    #[error("storing billing file `{file}`: {cause}")]
    Store {
        /// Name of the file, or what else was asked for.
        file: String,
        /// What the store said.
        cause: String,
    },
}

impl ImportError {
    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            ImportError::Rejected { .. } => {
                "nothing of the file was imported; mend the listed cells or export it again"
            }
            ImportError::Unsupported { hint, .. }
            | ImportError::Request { hint, .. }
            | ImportError::TooLarge { hint, .. } => hint,
            ImportError::Read { .. } => "check that the file is complete and readable",
            ImportError::Contended { .. } => "nothing was imported; import the file again",
            ImportError::Store { .. } => {
                "nothing was imported; see the server's log, then import the file again"
            }
        }
    }
}

/// One thing that is wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Row of the file, the first after the header is 1; none for the file as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// Column as the file names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// What is there.
    pub found: String,
    /// What should be.
    pub expected: String,
}

impl Problem {
    /// A cell that does not hold what its column needs.
    pub(super) fn cell(row: u64, column: &str, found: &str, expected: &str) -> Problem {
        Problem {
            row: Some(row),
            column: Some(column.to_owned()),
            found: quoted(found),
            expected: expected.to_owned(),
        }
    }

    /// A row that cannot be taken apart.
    pub(super) fn row(row: u64, found: String, expected: String) -> Problem {
        Problem { row: Some(row), column: None, found, expected }
    }

    /// A column that is missing or there twice.
    pub(super) fn column(column: &str, found: &str, expected: &str) -> Problem {
        Problem {
            row: None,
            column: Some(column.to_owned()),
            found: found.to_owned(),
            expected: expected.to_owned(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.column {
            Some(column) => write!(f, "`{column}` is {}, expected {}", self.found, self.expected),
            None => write!(f, "found {}, expected {}", self.found, self.expected),
        }
    }
}

/// A cell's text in quotes, cut to what an error may carry.
fn quoted(text: &str) -> String {
    if text.is_empty() {
        return "empty".to_owned();
    }
    let mut chars = text.chars();
    let head: String = chars.by_ref().take(QUOTED_CHARS_MAX).collect();
    let cut = if chars.next().is_some() { "…" } else { "" };
    format!("`{head}{cut}`")
}

fn rejected(file: &str, problems: &[Problem], more: bool) -> String {
    let mut out = String::new();
    for (i, problem) in problems.iter().enumerate() {
        let separator = if i == 0 { "" } else { "\n" };
        let place = match problem.row {
            Some(row) => format!("billing row {row} of `{file}`"),
            None => format!("billing file `{file}`"),
        };
        out.push_str(&format!("{separator}{place}: {problem}"));
    }
    if more {
        out.push_str(&format!("\nreading stopped after {PROBLEMS_MAX} problems"));
    }
    out
}
