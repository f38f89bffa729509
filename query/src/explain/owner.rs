//! Whose call it is: team, user, session, feature and agent, each with the span that names it.
//! Takes the span and its ancestors; the nearest one that names a fact wins, as settle decided.

use std::collections::BTreeMap;

use serde_json::Value;

use super::read::{Reader, Row};
use super::span::Case;
use super::verdict::Trace;
use super::{Step, Unknown};
use crate::error::QueryError;

/// The facts of ownership: column of `calls`, and of `spans`.
const FACTS: [&str; 5] = ["team", "user_id", "session_id", "feature", "agent_name"];

pub(super) async fn step(
    reader: &Reader,
    case: &Case,
    trace: &Trace,
    unknown: &mut Vec<Unknown>,
) -> Result<Step, QueryError> {
    let path = trace.upwards();
    let names = |fact: &str| path.iter().find(|row| row.known(fact).is_some());
    let mut namers: Vec<&str> =
        FACTS.iter().filter_map(|fact| names(fact)?.text("span_id")).collect();
    namers.sort_unstable();
    namers.dedup();
    let origins = origins(reader, case, &namers).await?;

    let mut step = Step::new("owner", "the nearest of the span and its ancestors that names one");
    step.rule = Some("nearest ancestor wins; each span falls back on its resource".to_owned());
    for fact in FACTS {
        let value = match &case.call {
            Some(call) => call.known(fact),
            None => case.told().known(fact),
        };
        let Some(value) = value else { continue };
        let from = match names(fact) {
            Some(row) if row.known(fact) == Some(value) => Some(place(row, fact, case, &origins)),
            _ => None,
        };
        // Where settle itself says where it took it from, that is the word.
        let said = case
            .call
            .as_ref()
            .and_then(|call| source_of(call.text("owner_sources")?, fact))
            .map(|source| told_by(source, case, trace));
        step.fact(fact, value.clone(), said.or(from));
    }
    if step.facts.is_empty() {
        "nobody: no span from here up to the root, and no resource, names an owner"
            .clone_into(&mut step.says);
    }
    if let Some(call) = &case.call {
        for (what, attribute) in [("team", "team"), ("user_id", "user.id")] {
            if call.known(what).is_none() {
                unknown.push(Unknown {
                    what: if what == "team" { "team" } else { "user" },
                    why: "neither the span, nor an ancestor, nor their resources name one"
                        .to_owned(),
                    mend: Some(match what {
                        "team" => format!(
                            "set OTEL_RESOURCE_ATTRIBUTES={attribute}=… on the service, or put \
                             `{attribute}` on the span of the request or into baggage"
                        ),
                        _ => {
                            format!("put `{attribute}` on the span of the request, or into baggage")
                        }
                    }),
                });
            }
        }
    }
    Ok(step)
}

/// What a list of `column=source` entries says of a column.
pub(super) fn source_of<'t>(list: &'t str, column: &str) -> Option<&'t str> {
    let entries = list.split(['\n', ';', ' ']).filter_map(|entry| entry.trim().split_once('='));
    let mut of = entries.filter(|(name, _)| *name == column).map(|(_, source)| source);
    of.next()
}

/// `attribute`, or `attribute@span`, in words.
fn told_by(source: &str, case: &Case, trace: &Trace) -> String {
    let id = |text: &str| text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let Some((attribute, span)) = source.rsplit_once('@').filter(|(_, span)| id(span)) else {
        let item = if case.span.is_some() { "span" } else { "log record" };
        return format!("the {item} itself, {source}");
    };
    let name = trace.upwards().into_iter().find(|row| row.text("span_id") == Some(span));
    match name.and_then(|row| row.text("name")) {
        Some(name) => format!("ancestor {span} `{name}`, {attribute}"),
        None => format!("span {span}, {attribute}"),
    }
}

/// The rows of the spans that name an owner, with their resources.
async fn origins(
    reader: &Reader,
    case: &Case,
    namers: &[&str],
) -> Result<BTreeMap<String, Row>, QueryError> {
    let (Some(trace), false) = (case.told().text("trace_id"), namers.is_empty()) else {
        return Ok(BTreeMap::new());
    };
    let ids: Vec<String> = namers.iter().map(|id| format!("'{id}'")).collect();
    let rows = reader
        .rows(&format!(
            "SELECT * FROM spans WHERE trace_id = '{trace}' AND span_id IN ({})",
            ids.join(", ")
        ))
        .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.text("span_id")?.to_owned(), row))).collect())
}

/// Which span names the fact, and in which attribute.
fn place(row: &Row, fact: &str, case: &Case, origins: &BTreeMap<String, Row>) -> String {
    let id = row.text("span_id").unwrap_or_default();
    let here = case.told().text("span_id") == Some(id);
    let name = row.text("name").unwrap_or_default();
    let who = if here { "the span itself".to_owned() } else { format!("ancestor {id} `{name}`") };
    let Some(full) = origins.get(id) else { return who };
    let said = full.text("column_sources").and_then(|sources| source_of(sources, fact));
    if let Some(attribute) = said {
        return format!("{who}, {attribute}");
    }
    // Owner attributes of the span become the column; those of a resource stay where they are.
    let value = row.value(fact);
    let same = |(_, other): &(&String, &Value)| *other == value;
    match full.map("resource_attributes").find(same) {
        Some((attribute, _)) => format!("{who}, resource attribute {attribute}"),
        None => format!("{who}, attribute of the span"),
    }
}
