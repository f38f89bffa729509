//! An explanation for a terminal: numbered steps, values in columns, what filled them behind an
//! arrow, and what is not known at the end. Takes an answer, gives text; the same for every width.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Answer, Explanation, Found, Step};
use crate::render::page::{one_line, wrapped};

/// Where the sentence of a step begins: after its number and name.
const STEP_INDENT: usize = 14;
/// Letters of a value that are shown; the whole of it is in JSON.
const VALUE_CHARS_MAX: usize = 100;
/// Letters that a name, or a value, may take before what follows moves out of line.
const NAME_CHARS_MAX: usize = 50;

impl Answer {
    /// The answer as text.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail, here and below.
        match &self.found {
            Found::One(one) => explanation(one, &mut out),
            Found::Several { matches, more } => several(matches, *more, &mut out),
        }
        let versions: Vec<_> = self.tables.iter().map(|(t, v)| format!("{t}@{v}")).collect();
        let _ = write!(out, "\nread from {}", versions.join(", "));
        let until = self.settled_until.as_deref().unwrap_or("nothing yet");
        let _ = writeln!(out, "; settled until {until}");
        out
    }
}

fn explanation(one: &Explanation, out: &mut String) {
    let _ = writeln!(out, "{} {}", one.subject.word(), one.id);
    if !one.title.is_empty() {
        let _ = writeln!(out, "{}", one_line(&one.title));
    }
    for (number, step) in one.steps.iter().enumerate() {
        let says = wrapped(&one_line(&step.says), STEP_INDENT, STEP_INDENT);
        let _ = writeln!(out, "\n{} {:11} {says}", number + 1, step.name);
        if let Some(rule) = &step.rule {
            let rule = wrapped(&one_line(rule), STEP_INDENT + 6, STEP_INDENT + 6);
            let _ = writeln!(out, "{:STEP_INDENT$}rule: {rule}", "");
        }
        facts(step, out);
        rows(step, out);
    }
    if one.unknown.is_empty() {
        let _ = writeln!(out, "\nnothing is unknown");
        return;
    }
    let _ = writeln!(out, "\nunknown");
    for unknown in &one.unknown {
        let why = format!("{}: {}", unknown.what, one_line(&unknown.why));
        let _ = writeln!(out, "  {}", wrapped(&why, 2, 4));
        if let Some(mend) = &unknown.mend {
            let _ = writeln!(out, "      → {}", wrapped(mend, 8, 8));
        }
    }
}

fn facts(step: &Step, out: &mut String) {
    let values: Vec<String> = step.facts.iter().map(|fact| shown(&fact.value)).collect();
    let widest = |texts: &mut dyn Iterator<Item = usize>, most: usize| {
        texts.filter(|width| *width <= most).max().unwrap_or(0)
    };
    let name = widest(&mut step.facts.iter().map(|f| f.name.chars().count()), NAME_CHARS_MAX);
    let value = widest(&mut values.iter().map(|v| v.chars().count()), NAME_CHARS_MAX);
    for (fact, text) in step.facts.iter().zip(&values) {
        let right = fact.value.is_number();
        let text = if right { format!("{text:>value$}") } else { format!("{text:value$}") };
        let line = match &fact.from {
            Some(from) => {
                format!("    {:name$}  {text}  ← {}", one_line(&fact.name), one_line(from))
            }
            None => format!("    {:name$}  {text}", one_line(&fact.name)),
        };
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn rows(step: &Step, out: &mut String) {
    if step.rows.is_empty() {
        return;
    }
    let cells: Vec<Vec<String>> =
        step.rows.iter().map(|row| row.iter().map(shown).collect()).collect();
    let width = |i: usize| {
        let longest = cells.iter().map(|row| row[i].chars().count()).max().unwrap_or(0);
        longest.max(step.columns[i].chars().count())
    };
    let widths: Vec<usize> = (0..step.columns.len()).map(width).collect();
    let header: Vec<String> =
        step.columns.iter().zip(&widths).map(|(name, w)| format!("{name:w$}")).collect();
    let _ = writeln!(out, "    {}", header.join("  ").trim_end());
    for (row, texts) in step.rows.iter().zip(&cells) {
        let cells = row.iter().zip(texts).zip(&widths).map(|((value, text), &w)| {
            let number = value.is_number() || is_amount(value);
            if number { format!("{text:>w$}") } else { format!("{text:w$}") }
        });
        let _ = writeln!(out, "    {}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

fn several(matches: &[serde_json::Map<String, Value>], more: bool, out: &mut String) {
    let _ = writeln!(out, "the id may mean any of these; ask for one by its full id\n");
    for row in matches {
        let text = |name: &str| row.get(name).map(shown).unwrap_or_default();
        let id = match row.get("import_id") {
            Some(_) => format!("{}/{}", text("import_id"), text("line_number")),
            None => format!("{}/{}", text("trace_id"), text("span_id")),
        };
        let rest: Vec<String> = row
            .iter()
            .filter(|(name, value)| !name.ends_with("_id") && !value.is_null())
            .map(|(name, value)| format!("{name} {}", shown(value)))
            .collect();
        let _ = writeln!(out, "  {id}  {}", rest.join(", "));
    }
    if more {
        let _ = writeln!(out, "  … and more");
    }
}

/// Whether a text is the decimal of an amount.
fn is_amount(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        text.contains('.') && text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-')
    })
}

/// A value on one line: unknown is `–`, and what is long is cut.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let line = one_line(&text);
    match line.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}… ({} letters)", &line[..end], line.chars().count()),
        None => line,
    }
}
