//! An answer object as aligned columns for a person, with what it was read from.

use comfy_table::{Cell, CellAlignment, Table, presets};
use serde::Deserialize;
use serde_json::Value;

/// The answer object of the HTTP API, as far as a person needs it.
#[derive(Debug, Deserialize)]
pub struct Answer {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Value>>,
    #[serde(default)]
    pub tables: std::collections::BTreeMap<String, i64>,
    #[serde(default)]
    pub elapsed_ms: f64,
    #[serde(default)]
    pub coverage: Option<Value>,
    #[serde(default)]
    pub notes: Vec<String>,
}

/// One column of an answer.
#[derive(Debug, Deserialize)]
pub struct Column {
    pub name: String,
    #[serde(default)]
    pub unit: Option<String>,
    #[serde(rename = "type", default)]
    pub type_name: String,
}

/// Digits shown after the point of a float, more of a small one; the exact value is in CSV and JSON.
const DIGITS: usize = 4;

impl Answer {
    /// The rows alone, as a table.
    pub fn table(&self) -> String {
        format!("{}\n", self.grid())
    }

    fn grid(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(self.columns.iter().map(|c| match c.unit.as_deref() {
            Some(unit) if !unit.is_empty() => Cell::new(format!("{}\n{unit}", c.name)),
            _ => Cell::new(&c.name),
        }));
        for row in &self.rows {
            table.add_row(row.iter().zip(&self.columns).map(|(value, column)| {
                let cell = Cell::new(shown(value, &column.type_name));
                let right = value.is_number() || is_number(&column.type_name);
                cell.set_alignment(if right { CellAlignment::Right } else { CellAlignment::Left })
            }));
        }
        table
    }

    /// The answer as text: the table, then a line on coverage and on the versions read.
    pub fn render(&self) -> String {
        let table = self.grid();
        let rows = match self.rows.len() {
            1 => "1 row".to_owned(),
            n => format!("{n} rows"),
        };
        let versions: Vec<_> = self.tables.iter().map(|(t, v)| format!("{t}@{v}")).collect();
        let mut out = format!("{table}\n{rows} in {:.0} ms", self.elapsed_ms);
        if !versions.is_empty() {
            out.push_str(&format!(", read from {}", versions.join(", ")));
        }
        out.push('\n');
        if let Some(Value::Object(coverage)) = &self.coverage {
            let parts: Vec<_> = coverage
                .iter()
                // Lists are told by the notes.
                .filter(|(_, value)| !value.is_array())
                .map(|(name, value)| format!("{} {}", name.replace('_', " "), shown(value, "")))
                .collect();
            out.push_str(&format!("coverage: {}\n", parts.join(", ")));
        }
        for note in &self.notes {
            out.push_str(&format!("note: {note}\n"));
        }
        out
    }
}

fn is_number(type_name: &str) -> bool {
    ["Decimal", "Int", "UInt", "Float"].iter().any(|t| type_name.starts_with(t))
        || ["decimal", "bigint", "double", "int", "float", "numeric"]
            .iter()
            .any(|t| type_name.starts_with(t))
}

/// A value as a cell: unknown is `–`, amounts are exact, floats are cut for the eye.
fn shown(value: &Value, type_name: &str) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) if is_number(type_name) && !is_exact(type_name) => short(text),
        Value::String(text) => text.clone(),
        Value::Number(number) => short(&number.to_string()),
        other => other.to_string(),
    }
}

fn is_exact(type_name: &str) -> bool {
    ["Decimal", "decimal", "numeric"].iter().any(|t| type_name.starts_with(t))
}

/// Rounds the text of a float to [`DIGITS`] digits after the point, or to as many that say something.
fn short(number: &str) -> String {
    match number.parse::<f64>() {
        Ok(value) if number.contains(['.', 'e', 'E']) => {
            let zeros = if value == 0.0 { 0.0 } else { -value.abs().log10().ceil() };
            format!("{value:.0$}", DIGITS + zeros.max(0.0) as usize)
        }
        _ => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_show_four_digits_that_say_something() {
        let check = |number: &str, expect: &str| assert_eq!(short(number), expect);
        check("12.345678", "12.3457");
        check("0.5", "0.5000");
        check("0.000123456", "0.0001235");
        check("1e-30", "0.0000000000000000000000000000010000");
        check("0.0", "0.0000");
        check("7", "7");
    }

    #[test]
    fn unknown_is_shown_as_unknown_and_numbers_stand_right() {
        let answer: Answer = serde_json::from_str(
            r#"{"columns":[{"name":"model","type":"text"},{"name":"cost","type":"decimal(38,18)","unit":"USD"}],
                "rows":[["a","1.234567"],["b",null]],"tables":{"calls":7},"elapsed_ms":3.2}"#,
        )
        .unwrap();
        let text = answer.render();
        assert!(text.contains("1.234567"), "{text}");
        assert!(text.contains('–'), "{text}");
        assert!(text.ends_with("2 rows in 3 ms, read from calls@7\n"), "{text}");
    }
}
