//! The whole of a file, or why nothing of it. Takes an open file and its format, gives lines with
//! their sums. Goes on after a broken row, so that a user can mend a file in one go.

use std::fs::File;

use csv::StringRecord;

use super::error::{ImportError, Problem};
use super::focus::Focus;
use super::input::{self, Fault, SPLIT_HINT};
use super::limits::{LINES_BYTES_MAX, PERIODS_MAX, PROBLEMS_MAX, ROWS_MAX};
use super::lines::{Lines, LinesError};
use super::report::{Totals, Warning};

/// A file that is right.
pub(super) struct Content {
    pub(super) lines: Lines,
    pub(super) totals: Totals,
    pub(super) rows: u64,
    pub(super) hash: u128,
    pub(super) version: &'static str,
    /// Names of whose bill it is, in order; empty when the file does not say.
    pub(super) source_names: Vec<String>,
    pub(super) warnings: Vec<Warning>,
}

/// Reads a FOCUS file to its end.
///
/// # Errors
/// When any row is broken: all of them up to a bound are named.
pub(super) fn focus(file: File, name: &str) -> Result<Content, ImportError> {
    let too_large = |what, limit| {
        Err(ImportError::TooLarge { file: name.to_owned(), what, limit, hint: SPLIT_HINT })
    };
    let mut rows = input::open(file, name)?;
    let mut focus = Focus::new(rows.header(), |column| rows.float(column), name)?;
    let mut lines = Lines::new();
    let mut totals = Totals::default();
    let mut problems = Vec::new();
    let mut record = StringRecord::new();
    let mut without_effective_cost = 0;
    let mut row = 0;
    loop {
        match rows.next(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(Fault::File(error)) => return Err(error),
            Err(Fault::Row(problem)) => {
                row += 1;
                problems.push(problem);
                if problems.len() >= PROBLEMS_MAX {
                    break;
                }
                continue;
            }
        }
        row += 1;
        if row > ROWS_MAX {
            return too_large("rows", ROWS_MAX);
        }
        let mut cells = Vec::new();
        let facts = focus.line(row, &record, &mut cells, &mut problems);
        if problems.len() >= PROBLEMS_MAX {
            break;
        }
        if !problems.is_empty() {
            continue;
        }
        let sums =
            totals.add(facts.period_us, &facts.currency, facts.billed_cost, facts.effective_cost);
        if sums.is_none() {
            let amount = facts.billed_cost.to_string();
            problems.push(Problem::cell(row, "BilledCost", &amount, "sums within ±10^20"));
            break;
        }
        if totals.period_starts().len() > PERIODS_MAX {
            return too_large("billing periods", PERIODS_MAX as u64);
        }
        without_effective_cost += u64::from(facts.effective_cost.is_none());
        match lines.push(&mut cells) {
            Ok(()) => {}
            Err(LinesError::TooLarge) => {
                return too_large("bytes of lines", LINES_BYTES_MAX as u64);
            }
            Err(LinesError::Arrow(error)) => return Err(input::read_error(name, &error)),
        }
    }
    if !problems.is_empty() {
        let more = problems.len() >= PROBLEMS_MAX;
        problems.truncate(PROBLEMS_MAX);
        return Err(ImportError::Rejected { file: name.to_owned(), problems, more });
    }
    if row == 0 {
        return Err(ImportError::Unsupported {
            file: name.to_owned(),
            found: "a header without rows".to_owned(),
            expected: "at least one line",
            hint: "export it again; an empty bill supersedes nothing",
        });
    }
    Ok(Content {
        warnings: warnings(&focus, without_effective_cost, row),
        source_names: focus.source_names().iter().cloned().collect(),
        version: focus.version(),
        hash: rows.content_hash(),
        rows: row,
        lines,
        totals,
    })
}

fn warnings(focus: &Focus, without_effective_cost: u64, rows: u64) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut warn = |code: &str, count: u64, message: String| {
        if count > 0 {
            warnings.push(Warning { code: code.to_owned(), count, message });
        }
    };
    warn(
        "rounded-amounts",
        focus.rounded,
        "amounts with more than 18 digits after the point were rounded half to even".to_owned(),
    );
    warn(
        "float-amounts",
        focus.floats,
        "amounts came as binary floats, which cannot be exact: each was taken as the shortest \
         decimal text that gives the same float; a CSV export is exact"
            .to_owned(),
    );
    warn(
        "tags-as-received",
        focus.odd_tags,
        "tags in no known form were kept as received in `other_columns`".to_owned(),
    );
    for (name, lost) in focus.missing() {
        warn("missing-column", 1, format!("the file has no `{name}`: {lost}"));
    }
    if without_effective_cost < rows {
        warn(
            "no-effective-cost",
            without_effective_cost,
            "lines have no EffectiveCost; its sum leaves them out".to_owned(),
        );
    }
    let unknown: Vec<_> = focus.unknown().collect();
    warn(
        "unknown-columns",
        unknown.len() as u64,
        format!("kept as received in `other_columns`: {}", unknown.join(", ")),
    );
    warnings
}
