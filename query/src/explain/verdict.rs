//! What the trace decided: the span's place among its ancestors and descendants, whether it is a
//! call, and if not, which span is counted in its place. Takes the spans and calls of one trace,
//! gives the step. It repeats no rule of settle: where the tables hold no verdict it says what the
//! rules look at.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Step;
use super::read::{Reader, Row};
use super::span::Case;
use crate::error::QueryError;
use crate::limits;

/// Columns of a span that its place in the trace needs.
const COLUMNS: [&str; 17] = [
    "span_id",
    "parent_span_id",
    "name",
    "span_role",
    "duplicate_of",
    "operation",
    "service_name",
    "scope_name",
    "input_tokens",
    "output_tokens",
    "start_unix_ns",
    "team",
    "user_id",
    "session_id",
    "feature",
    "agent_name",
    "workflow_name",
];

/// The spans of one trace, by id, and its calls.
pub(super) struct Trace {
    here: String,
    spans: BTreeMap<String, Row>,
    children: BTreeMap<String, Vec<String>>,
    calls: BTreeMap<String, Row>,
    /// What settle decided of spans that are no calls.
    verdicts: BTreeMap<String, Row>,
    /// Not all spans were read.
    cut: bool,
}

impl Trace {
    pub(super) async fn read(
        reader: &Reader,
        trace_id: &str,
        span_id: &str,
    ) -> Result<Self, QueryError> {
        let most = limits::EXPLAIN_TRACE_SPANS_MAX;
        let rows = reader
            .rows(&format!(
                "SELECT {} FROM spans WHERE trace_id = '{trace_id}' LIMIT {}",
                COLUMNS.join(", "),
                most + 1
            ))
            .await?;
        let cut = rows.len() > most;
        let mut spans: BTreeMap<String, Row> = BTreeMap::new();
        for row in rows {
            let Some(id) = row.text("span_id").map(str::to_owned) else { continue };
            let fuller = |old: &Row| row.int("input_tokens") > old.int("input_tokens");
            if spans.get(&id).is_none_or(fuller) {
                spans.insert(id, row);
            }
        }
        let mut children: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (id, row) in &spans {
            if let Some(parent) = row.text("parent_span_id") {
                children.entry(parent.to_owned()).or_default().push(id.clone());
            }
        }
        for below in children.values_mut() {
            below.sort_by_key(|id| spans.get(id).and_then(|row| row.int("start_unix_ns")));
        }
        let calls = reader
            .rows(&format!(
                "SELECT span_id, model, cost, currency, price_state FROM calls \
                 WHERE trace_id = '{trace_id}' LIMIT {most}"
            ))
            .await?;
        let id = |row: Row| Some((row.text("span_id")?.to_owned(), row));
        let calls = calls.into_iter().filter_map(id).collect();
        let verdicts = reader
            .rows(&format!(
                "SELECT * FROM span_verdicts WHERE trace_id = '{trace_id}' LIMIT {most}"
            ))
            .await?;
        let verdicts = verdicts.into_iter().filter_map(id).collect();
        Ok(Trace { here: span_id.to_owned(), spans, children, calls, verdicts, cut })
    }

    /// The span and its ancestors, nearest first; a circle ends where it closes.
    pub(super) fn upwards(&self) -> Vec<&Row> {
        let mut met = BTreeSet::new();
        let mut path = Vec::new();
        let mut at = self.spans.get(&self.here);
        while let Some(row) = at {
            if !met.insert(row.text("span_id")) {
                break;
            }
            path.push(row);
            at = row.text("parent_span_id").and_then(|parent| self.spans.get(parent));
        }
        path
    }

    /// All descendants with their depth, parents before children.
    fn below(&self) -> Vec<(usize, &Row)> {
        let mut met = BTreeSet::from([self.here.as_str()]);
        let mut found = Vec::new();
        let mut open = vec![(0, self.here.as_str())];
        while let Some((depth, id)) = open.pop() {
            if depth > 0
                && let Some(row) = self.spans.get(id)
            {
                found.push((depth, row));
            }
            for child in self.children.get(id).into_iter().flatten().rev() {
                if met.insert(child) {
                    open.push((depth + 1, child));
                }
            }
        }
        found
    }

    /// The step: the verdict, then the way from the root down to the span and what lies below.
    pub(super) fn step(&self, case: &Case, settled_until: Option<&str>) -> Step {
        let (above, below) = (self.upwards(), self.below());
        let (says, rule) = self.verdict(case, &above, &below, settled_until);
        let mut step = Step::new("trace", says);
        step.rule = rule;
        if case.span.is_none() {
            return step;
        }
        step.columns = vec!["span", "name", "role", "input_tokens", "output_tokens", "counted"];
        // Empty when the span is beyond those that were looked at.
        let depth_here = above.len().saturating_sub(1);
        for (depth, row) in above.iter().rev().enumerate() {
            step.rows.push(self.row(depth, row));
        }
        for (depth, row) in below.iter().take(limits::EXPLAIN_DESCENDANTS_MAX) {
            step.rows.push(self.row(depth_here + depth, row));
        }
        let rest = below.len().saturating_sub(limits::EXPLAIN_DESCENDANTS_MAX);
        if rest > 0 {
            step.fact("spans below that are not listed", json!(rest), None);
        }
        if self.cut {
            let most = limits::EXPLAIN_TRACE_SPANS_MAX;
            step.fact("spans of the trace that were looked at", json!(most), None);
        }
        step
    }

    fn row(&self, depth: usize, row: &Row) -> Vec<Value> {
        let id = row.text("span_id").unwrap_or_default();
        let mark = if id == self.here { "▶ " } else { "" };
        let name = format!("{}{mark}{}", "  ".repeat(depth), row.text("name").unwrap_or_default());
        let verdict = self.verdicts.get(id).unwrap_or(row);
        let counted = match (self.calls.get(id), verdict.text("duplicate_of")) {
            (Some(call), _) => match (call.known("cost"), call.text("currency")) {
                (Some(Value::String(cost)), Some(currency)) => format!("call, {cost} {currency}"),
                _ => format!("call, {}", call.text("price_state").unwrap_or("unpriced")),
            },
            (None, Some(other)) => format!("no, duplicate of {other}"),
            (None, None) => "no".to_owned(),
        };
        vec![
            json!(id),
            json!(name),
            verdict.known("span_role").unwrap_or(row.value("span_role")).clone(),
            row.value("input_tokens").clone(),
            row.value("output_tokens").clone(),
            json!(counted),
        ]
    }

    fn verdict(
        &self,
        case: &Case,
        above: &[&Row],
        below: &[(usize, &Row)],
        settled_until: Option<&str>,
    ) -> (String, Option<String>) {
        let rule = |name: &str| Some(name.to_owned());
        if let Some(call) = &case.call {
            let state = call.text("state").unwrap_or("settled");
            let at = call.text("settled_at").unwrap_or("an unknown instant");
            let says = format!("it is a call, counted once ({state} at {at})");
            let told = if case.span.is_some() { "an inference span" } else { "a log record" };
            return (says, Some(format!("{told} of a call that nothing else tells better")));
        }
        let Some(span) = &case.span else { return ("nothing is known of it".to_owned(), None) };
        let called = |row: &&Row| row.text("span_id").is_some_and(|id| self.calls.contains_key(id));
        if let Some(verdict) = self.verdicts.get(&self.here) {
            return decided(verdict);
        }
        match span.text("span_role") {
            Some("call") => {}
            Some("rollup") => {
                let counted = below.iter().filter(|(_, row)| called(row)).count();
                return (
                    format!(
                        "it is a roll-up: an agent or workflow span that repeats usage; {counted} \
                         calls below it are counted"
                    ),
                    rule("operation of the span"),
                );
            }
            _ => return ("it is no model call".to_owned(), rule("operation of the span")),
        }
        let counted: Vec<&str> = below
            .iter()
            .map(|(_, row)| row)
            .filter(|row| called(row))
            .filter_map(|row| row.text("span_id"))
            .collect();
        if !counted.is_empty() {
            return (
                format!(
                    "it is an inference span, but not counted: what it reports is counted as {} \
                     below it ({})",
                    plural(counted.len(), "call"),
                    counted[..counted.len().min(3)].join(", "),
                ),
                rule("a wrapper repeats the usage of the inference spans below it"),
            );
        }
        if let Some(call) = above.iter().skip(1).find(|row| called(row)) {
            return (
                format!(
                    "it is an inference span without usage inside the call {}, which is counted",
                    call.text("span_id").unwrap_or_default()
                ),
                rule("an inference span without usage is part of the call around it"),
            );
        }
        let at = |text: Option<&str>| text.and_then(|text| text.parse::<Timestamp>().ok());
        if at(settled_until).is_none_or(|until| at(span.text("received_at")) >= Some(until)) {
            let until = settled_until.unwrap_or("nothing yet");
            return (
                format!("its trace is not settled yet (settled until {until})"),
                rule("a trace is settled once it was quiet for `settle.quiet`"),
            );
        }
        ("it is an inference span, but no call: settle counts it elsewhere".to_owned(), None)
    }
}

/// A verdict of settle in words: what the span is, and the rule by its name.
fn decided(verdict: &Row) -> (String, Option<String>) {
    let mut says = match verdict.text("duplicate_of") {
        Some(other) => {
            let trace = match verdict.text("duplicate_of_trace") {
                Some(trace) if Some(trace) != verdict.text("trace_id") => {
                    format!(" of trace {trace}")
                }
                _ => String::new(),
            };
            format!("it is a duplicate: it tells of the call {other}{trace}, which is counted")
        }
        None => "it is a roll-up: the calls below it are counted in its place".to_owned(),
    };
    for (column, side) in
        [("uncounted_input_tokens", "input"), ("uncounted_output_tokens", "output")]
    {
        if let Some(tokens) = verdict.int(column).filter(|tokens| *tokens > 0) {
            says.push_str(&format!("; {tokens} {side} tokens it tells beyond them are in no call"));
        }
    }
    let rule = verdict.text("rule").map(|word| match meaning(word) {
        "" => word.to_owned(),
        meaning => format!("{word}: {meaning}"),
    });
    (says, rule)
}

/// What a rule of settle says, by its stored word.
fn meaning(rule: &str) -> &'static str {
    match rule {
        "same-response-id" => "another span has the same response id, model and time",
        "same-usage-nested" => "the span above or below has the same usage, model and time",
        "same-usage-and-moment" => {
            "a span of another library in the same service has the same usage, model and moment"
        }
        "same-output-and-moment" => {
            "a span of another library in the same service has the same output, model and moment, and \
             one of the two does not know the input"
        }
        "stream-not-followed" => {
            "a span of another library in the same service began with it and tells of the answer, of \
             which one of the two knows nothing"
        }
        "end-of-stream" => "it has no length, and tells the usage of a stream that the call began",
        "part-of-call" => "no usage of its own, below a span that has it",
        "around-call" => "no usage of its own, around a single call",
        "around-calls" => "no usage of its own, around several calls",
        "repeats-calls" => "its usage is that of the calls below it, or less",
        "more-than-its-calls" => "its usage is more than that of the calls below it",
        "usage-without-call" => "usage of an agent or workflow, with no call below it that has any",
        _ => "",
    }
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
