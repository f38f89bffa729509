//! The way of one billing line: the import that brought it, what it says, and what is made of it.
//! Takes import and line number, gives the steps.

use serde_json::Value;
use spanledger_schemas::tables;

use super::id::Subject;
use super::read::{Reader, Row};
use super::{Explanation, Found, Step, Unknown};
use crate::error::QueryError;
use crate::limits;

/// Columns that say where the line came from.
const IMPORT: [&str; 5] = ["source", "file_name", "line_number", "imported_at", "import_id"];

pub(super) async fn explain(
    reader: &Reader,
    import: &str,
    number: Option<i64>,
) -> Result<Found, QueryError> {
    let quoted = import.replace('\'', "''");
    let line = number.map(|number| format!(" AND line_number = {number}")).unwrap_or_default();
    let most = limits::EXPLAIN_MATCHES_MAX;
    let rows = reader
        .rows(&format!(
            "SELECT * FROM billing_lines WHERE import_id = '{quoted}'{line} \
             ORDER BY line_number LIMIT {}",
            most + 1
        ))
        .await?;
    match rows.as_slice() {
        [] => Err(QueryError::NotFound(match number {
            Some(number) => format!(
                "no billing line has import `{import}` and line number {number}; a line that a \
                 newer import superseded is gone"
            ),
            None => format!("no billing line has import `{import}`"),
        })),
        [one] => Ok(Found::One(Box::new(of_row(one)))),
        _ => {
            let listed = |row: &Row| {
                let mut row = row.clone().0;
                row.retain(|name, _| {
                    ["import_id", "line_number", "service_name", "billed_cost", "billing_currency"]
                        .contains(&name.as_str())
                });
                row
            };
            let matches = rows.iter().take(most).map(listed).collect();
            Ok(Found::Several { matches, more: rows.len() > most })
        }
    }
}

fn of_row(row: &Row) -> Explanation {
    let text = |column: &str| row.text(column).unwrap_or("–").to_owned();
    let mut received = Step::new(
        "received",
        format!("a line of the bill `{}`, the newest import of its billing period", text("source")),
    );
    received.rule = Some("a newer import of the same source and period supersedes".to_owned());
    for column in IMPORT {
        received.fact(column, row.value(column).clone(), None);
    }

    let says = format!(
        "{} {} billed for {} to {}",
        text("billed_cost"),
        text("billing_currency"),
        text("billing_period_start"),
        text("billing_period_end")
    );
    let mut columns = Step::new("columns", says);
    for column in tables::billing_lines::TABLE.columns {
        let told = IMPORT.contains(&column.name) || ["date", "tenant"].contains(&column.name);
        if told || column.name == "other_columns" || column.name.ends_with("tags") {
            continue;
        }
        if let Some(value) = row.known(column.name) {
            columns.fact(column.name, value.clone(), Some(column.source.to_owned()));
        }
    }
    let mut rest = Step::new("other columns", "tags, and what has no column of its own");
    for (column, from) in
        [("tags", "tag"), ("allocated_tags", "tag of the split"), ("other_columns", "the file")]
    {
        for (name, value) in row.map(column) {
            rest.fact(name.clone(), value.clone(), Some(from.to_owned()));
        }
    }
    let (import, number) = (text("import_id"), row.int("line_number").unwrap_or(0));
    Explanation {
        subject: Subject::Line,
        id: format!("{import}/{number}"),
        title: [row.value("service_name"), row.value("charge_description")]
            .into_iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" · "),
        steps: [received, columns, rest]
            .into_iter()
            .filter(|step| !step.facts.is_empty())
            .collect(),
        unknown: vec![Unknown {
            what: "calls behind the line",
            why: "bills are not reconciled with calls yet".to_owned(),
            mend: None,
        }],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_shows_what_the_bill_said_in_its_own_columns() {
        let row = json!({
            "import_id": "i", "line_number": 7, "source": "Acme", "billed_cost": "1.5",
            "billing_currency": "EUR", "service_name": "Tokens", "tags": {"team": "ads"},
        });
        let row = Row(row.as_object().unwrap().clone());
        let one = of_row(&row);
        assert_eq!((one.id.as_str(), one.title.as_str()), ("i/7", "Tokens"));
        let names: Vec<_> = one.steps.iter().map(|s| s.name).collect();
        assert_eq!(names, ["received", "columns", "other columns"]);
        let cost = one.steps[1].facts.iter().find(|f| f.name == "billed_cost").unwrap();
        assert_eq!(cost.from.as_deref(), Some("FOCUS BilledCost"));
    }
}
