//! The tables, one file each; the list in the order in which data meets them.

pub mod billing_lines;
pub mod call_facts;
pub mod calls;
pub mod contents;
pub mod log_records;
pub mod metric_increases;
pub mod metric_points;
pub mod prices;
pub mod span_verdicts;
pub mod spans;

use crate::table::{Column, Kind, Table, required};

/// Every table of the store.
pub static ALL: [&Table; 8] = [
    &spans::TABLE,
    &contents::TABLE,
    &metric_points::TABLE,
    &log_records::TABLE,
    &billing_lines::TABLE,
    &prices::TABLE,
    &span_verdicts::TABLE,
    &calls::TABLE,
];

/// What queries see beside the tables: views, of which nothing is stored.
pub static VIEWS: [&Table; 1] = [&metric_increases::TABLE];

/// The table or view of that name.
pub fn find(name: &str) -> Option<&'static Table> {
    ALL.into_iter().chain(VIEWS).find(|t| t.name == name)
}

/// The whole schema reference in Markdown: what `spanledger schema` prints.
pub fn markdown() -> String {
    let parts: Vec<_> = ALL.iter().chain(&VIEWS).map(|t| t.markdown()).collect();
    parts.join("\n")
}

/// The partition column; `of` names the instant whose UTC day it is.
const fn date(of: &'static str) -> Column {
    required("date", Kind::Date, "UTC day", "partition of the row", of)
}

/// The tenant that owns the row.
const TENANT: Column = required(
    "tenant",
    Kind::Text,
    "",
    "who owns the row",
    "the credential of the request, never its payload (I-10)",
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::PARTITION_COLUMN;

    #[test]
    fn tables_are_well_formed() {
        for table in ALL.into_iter().chain(VIEWS) {
            let mut names: Vec<_> = table.columns.iter().map(|c| c.name).collect();
            assert_eq!(names[0], PARTITION_COLUMN, "{}", table.name);
            for used in [table.sort_by, table.bloom, table.key].concat() {
                assert!(names.contains(&used), "{}: no column `{used}`", table.name);
            }
            names.sort_unstable();
            let all = names.len();
            names.dedup();
            assert_eq!(names.len(), all, "{}: a column is there twice", table.name);
            for c in table.columns {
                assert!(!c.meaning.is_empty() && !c.source.is_empty(), "{}", c.name);
            }
        }
    }
}
