//! The way of one span, or of the call it is: received, attributes, dialect, columns, usage, and
//! then what the trace decided, who owns it, what it costs. Takes the rows of all tables that name
//! it, gives the steps. A call that no span told of is shown by its own row.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use spanledger_schemas::tables::call_facts::{COUNTS, INPUT_PARTS, OUTPUT_PARTS};
use spanledger_schemas::tables::{self, calls::MEASURES};

use super::id::{Id, Subject};
use super::read::{Reader, Row};
use super::verdict::Trace;
use super::{Explanation, Found, Step, Unknown, owner, price};
use crate::doctor::advice::{self, Problem};
use crate::error::QueryError;
use crate::limits;
use spanledger_schemas::usage_marks::{CACHED_UNTOLD, PERHAPS_ESTIMATED};

/// The columns of a call that attributes fill, in the order in which they are shown.
const CALL_COLUMNS: [&str; 17] = [
    "operation",
    "provider",
    "request_model",
    "response_model",
    "response_id",
    "service_tier",
    "streaming",
    "finish_reason",
    "error_type",
    "ttft_ms",
    "queue_ms",
    "retries",
    "server_address",
    "region",
    "agent_name",
    "workflow_name",
    "tool_name",
];

/// What was reported.
const REPORTED: [&str; 2] = ["reported_input_tokens", "reported_output_tokens"];

/// Everything known of the one span or call.
pub(super) struct Case {
    /// The row of `spans`, the fullest when it came several times.
    pub(super) span: Option<Row>,
    /// How often it came.
    pub(super) times: usize,
    /// The row of `calls`.
    pub(super) call: Option<Row>,
    /// The row of `log_records` that tells of the call where no span does.
    pub(super) record: Option<Row>,
    /// Which attribute filled which column, as far as the row tells.
    pub(super) sources: BTreeMap<String, String>,
}

impl Case {
    /// The row that says most of what was received: of the span, else of the record, else of the
    /// call.
    pub(super) fn told(&self) -> &Row {
        // One of them is there: the id was found in a table.
        static NONE: std::sync::LazyLock<Row> = std::sync::LazyLock::new(Row::default);
        let rows = [&self.span, &self.record, &self.call];
        rows.into_iter().find_map(Option::as_ref).unwrap_or(&NONE)
    }

    /// What was received, else what the call says.
    fn known(&self, column: &str) -> Option<&Value> {
        self.told().known(column).or_else(|| self.call.as_ref()?.known(column))
    }

    /// The row whose usage counts: of the call, whose usage may be told by another item.
    fn counted(&self) -> &Row {
        self.call.as_ref().unwrap_or(self.told())
    }

    fn source(&self, column: &str) -> Option<String> {
        if let Some(source) = self.sources.get(column) {
            return Some(source.clone());
        }
        let defined = tables::spans::TABLE.column(column)?.source;
        Some(format!("one of: {defined}"))
    }
}

pub(super) async fn explain(
    reader: &Reader,
    subject: Subject,
    id: &Id,
    settled_until: Option<&str>,
) -> Result<Found, QueryError> {
    let matches = matches(reader, subject, id).await?;
    let one = match matches.as_slice() {
        [] => return Err(not_found(reader, subject, id).await?),
        [one] => one,
        _ => {
            let more = matches.len() > limits::EXPLAIN_MATCHES_MAX;
            let listed = matches.into_iter().take(limits::EXPLAIN_MATCHES_MAX);
            return Ok(Found::Several { matches: listed.map(|row| row.0).collect(), more });
        }
    };
    let (trace_id, span_id) =
        (one.text("trace_id").unwrap_or_default(), one.text("span_id").unwrap_or_default());
    let here = format!("trace_id = '{trace_id}' AND span_id = '{span_id}'");
    let spans = reader.rows(&format!("SELECT * FROM spans WHERE {here}")).await?;
    let (calls, batches) = reader.both(&format!("SELECT * FROM calls WHERE {here}")).await?;
    let times = spans.len();
    // The same choice as settle's: the one with usage, then the longest.
    let fullest = |row: &Row| (row.known("input_tokens").is_some(), row.int("duration_ns"));
    let span = spans.into_iter().max_by_key(fullest);
    let call = calls.into_iter().next();
    let record = match (&span, &call) {
        (None, Some(call)) => record_of(reader, call).await?,
        _ => None,
    };
    let told = span.as_ref().or(record.as_ref());
    let sources = told.and_then(|row| row.text("column_sources")).map(sources);
    let case = Case { span, times, call, record, sources: sources.unwrap_or_default() };
    let trace = Trace::read(reader, trace_id, span_id).await?;

    let mut unknown = Vec::new();
    let mut steps = Vec::new();
    steps.push(received(&case));
    steps.extend(attributes(&case));
    steps.push(dialect(&case));
    steps.push(columns(&case, &mut unknown));
    steps.push(usage(&case, &mut unknown));
    steps.push(trace.step(&case, settled_until));
    steps.push(owner::step(reader, &case, &trace, &mut unknown).await?);
    if case.call.is_some() {
        steps.push(price::step(reader, &case, &batches, &mut unknown).await?);
    }
    let title = ["name", "event_name", "model", "service_name"]
        .iter()
        .filter_map(|column| case.known(column)?.as_str())
        .collect::<Vec<_>>()
        .join(" · ");
    let id = format!("{trace_id}/{span_id}");
    Ok(Found::One(Box::new(Explanation { subject, id, title, steps, unknown })))
}

/// What the id may mean, one row each.
async fn matches(reader: &Reader, subject: Subject, id: &Id) -> Result<Vec<Row>, QueryError> {
    let condition = id.condition();
    let most = limits::EXPLAIN_MATCHES_MAX + 1;
    let sql = match subject {
        Subject::Call => format!(
            "SELECT trace_id, span_id, min(model) AS model, min(service_name) AS service_name, \
             min(started_at) AS started_at FROM calls WHERE {condition} \
             GROUP BY trace_id, span_id ORDER BY started_at, span_id LIMIT {most}"
        ),
        _ => format!(
            "SELECT trace_id, span_id, min(name) AS name, min(span_role) AS span_role, \
             min(service_name) AS service_name, min(start_at) AS started_at FROM spans \
             WHERE {condition} GROUP BY trace_id, span_id ORDER BY started_at, span_id LIMIT {most}"
        ),
    };
    reader.rows(&sql).await
}

/// The log record that a call without a span was made of: it ended when the call did, and tells
/// the same usage.
async fn record_of(reader: &Reader, call: &Row) -> Result<Option<Row>, QueryError> {
    let (Some(start), Some(took)) = (call.int("start_unix_ns"), call.known("duration_ms")) else {
        return Ok(None);
    };
    // Durations are stored as milliseconds: they may be off by their rounding.
    let end = start.saturating_add((took.as_f64().unwrap_or(0.0) * 1e6) as i64);
    let sql = format!(
        "SELECT * FROM log_records WHERE record_role = 'call' AND time_unix_ns BETWEEN {} AND {}",
        end.saturating_sub(1_000_000),
        end.saturating_add(1_000_000)
    );
    let same = |record: &Row| {
        ["service_name", "input_tokens", "output_tokens", "request_model"]
            .iter()
            .all(|column| record.value(column) == call.value(column))
    };
    Ok(reader.rows(&sql).await?.into_iter().find(same))
}

/// Says what there is in place of what was asked for.
async fn not_found(reader: &Reader, subject: Subject, id: &Id) -> Result<QueryError, QueryError> {
    let Id::Span { trace, span } = id else {
        return Ok(QueryError::NotFound("no such line".to_owned()));
    };
    let shown: Vec<&str> = [trace, span].into_iter().filter_map(Option::as_deref).collect();
    let shown = shown.join("/");
    let (asked, other, table) = match subject {
        Subject::Call => ("call", Subject::Span, "spans"),
        _ => ("span", Subject::Call, "calls"),
    };
    let there = matches(reader, other, id).await?;
    let mut detail = format!("no {asked} has the id `{shown}`");
    if let Some(row) = there.first() {
        let id = format!(
            "{}/{}",
            row.text("trace_id").unwrap_or_default(),
            row.text("span_id").unwrap_or_default()
        );
        detail.push_str(&format!(
            "; table {table} has it: explain {} {id} says why it is no {asked}",
            other.word()
        ));
    }
    Ok(QueryError::NotFound(detail))
}

/// `column=attribute` entries, parted by semicolons, spaces or line ends.
fn sources(text: &str) -> BTreeMap<String, String> {
    let entries = text.split(['\n', ';', ' ']).filter_map(|entry| entry.trim().split_once('='));
    entries.map(|(column, attribute)| (column.to_owned(), attribute.to_owned())).collect()
}

fn received(case: &Case) -> Step {
    let told = case.told();
    let library = match (told.text("scope_name"), told.text("scope_version")) {
        (Some(name), Some(version)) => format!("library {name} {version}"),
        (Some(name), None) => format!("library {name}"),
        _ => "a library that gives no name".to_owned(),
    };
    let service = told.text("service_name").unwrap_or("a service without a name");
    let says = match (&case.span, case.times) {
        (None, _) => match told.text("event_name") {
            Some(event) => format!("a log record `{event}` from {service}, made by {library}"),
            None => "neither a span nor a log record tells of this call any more; this is its row \
                     of calls"
                .to_owned(),
        },
        (Some(_), 1) => format!("one span from {service}, made by {library}"),
        (Some(_), times) => format!(
            "the span came {times} times from {service}, made by {library}; the fullest one counts"
        ),
    };
    let mut step = Step::new("received", says);
    for column in [
        "started_at",
        "duration_ms",
        "kind",
        "status_code",
        "status_message",
        "parent_span_id",
        "service_version",
        "environment",
        "received_at",
        "dropped_items",
    ] {
        if let Some(value) = case.known(column).filter(|value| **value != json!(0)) {
            step.fact(column, value.clone(), None);
        }
    }
    step
}

/// The attributes as they are kept; none for a call without a span.
fn attributes(case: &Case) -> Option<Step> {
    let row = case.span.as_ref().or(case.record.as_ref())?;
    let own_column = if case.span.is_some() { "span_attributes" } else { "log_attributes" };
    let own = row.map(own_column).count();
    let mut says = format!("{own} attributes of its own are kept as they came");
    match row.int("content_bytes") {
        Some(bytes) => says.push_str(&format!(
            "; {bytes} bytes of prompts, completions or tool payloads are not among them \
             (table contents has them when `contents.capture` is on)"
        )),
        None => says.push_str("; no prompt, completion or tool payload came with it"),
    }
    let mut step = Step::new("attributes", says);
    for (column, from) in [(own_column, None), ("resource_attributes", Some("resource"))] {
        for (name, value) in row.map(column) {
            step.fact(name.clone(), value.clone(), from.map(str::to_owned));
        }
    }
    Some(step)
}

fn dialect(case: &Case) -> Step {
    let told = case.told();
    match told.text("dialect") {
        Some(dialect) => {
            let mut step =
                Step::new("dialect", format!("its attribute names are read as `{dialect}`"));
            step.rule = Some(match told.text("scope_name") {
                Some(scope) => format!("scope `{scope}`, else the names of the attributes"),
                None => "the names of the attributes".to_owned(),
            });
            step
        }
        None => Step::new("dialect", "no dialect: neither scope nor attributes speak of a model"),
    }
}

fn columns(case: &Case, unknown: &mut Vec<Unknown>) -> Step {
    let told = case.told();
    let mut step = Step::new("columns", "what the attributes said, in the words of the tables");
    for column in CALL_COLUMNS {
        if let Some(value) = told.known(column) {
            step.fact(column, value.clone(), case.source(column));
        }
    }
    if step.facts.is_empty() {
        "no column of a model call is filled".clone_into(&mut step.says);
    }
    if case.call.is_some() {
        for (what, why) in [
            ("provider", "no attribute names who serves the model"),
            ("model", "no attribute names a model"),
        ] {
            if case.known(what).is_none() {
                unknown.push(Unknown { what, why: why.to_owned(), mend: None });
            }
        }
    }
    step
}

fn usage(case: &Case, unknown: &mut Vec<Unknown>) -> Step {
    let (told, counted) = (case.told(), case.counted());
    let scope = told.text("scope_name").unwrap_or_default();
    let mend = |problem| Some(advice::on(scope, problem).to_owned());
    let otherwise = MEASURES.iter().any(|column| counted.known(column).is_some());
    let says = match counted.text("usage_basis") {
        None if otherwise => "usage is told in counts that are no tokens",
        None => "no usage was reported",
        Some("inclusive") => "reported input is read as containing the cached tokens",
        Some("exclusive") => "reported input is read as standing beside the cached tokens",
        Some("estimated") => "the numbers are an estimate of the library, not a count",
        Some(_) if counted.known("input_tokens").is_none() => {
            "what was reported cannot be read as usage"
        }
        Some(_) => "nothing tells whether reported input contains cached tokens",
    };
    let mut step = Step::new("usage", says);
    step.rule = counted.text("usage_reason").map(str::to_owned);
    for column in REPORTED {
        if let Some(value) = told.known(column) {
            step.fact(column, value.clone(), case.source(column));
        }
    }
    for (parts, whole) in [(&INPUT_PARTS[..], "input_tokens"), (&OUTPUT_PARTS[..], "output_tokens")]
    {
        for column in parts {
            if let Some(value) = counted.known(column) {
                step.fact(*column, value.clone(), case.sources.get(*column).cloned());
            }
        }
        if let Some(value) = counted.known(whole) {
            step.fact(whole, value.clone(), Some(sum_of(counted, parts)));
        }
    }
    for column in COUNTS.into_iter().chain(["gateway_cache_hit"]) {
        if let Some(value) = counted.known(column) {
            step.fact(column, value.clone(), case.sources.get(column).cloned());
        }
    }
    if counted.text("usage_source") == Some("log-record") && case.span.is_some() {
        let from = "a log record of the call tells more of it than the span".to_owned();
        step.fact("usage_source", json!("log-record"), Some(from));
    }
    if counted.text("usage_source") == Some("difference") {
        let from = "the span tells the usage of the calls before it, too: what the one before it \
                    tells is taken off"
            .to_owned();
        step.fact("usage_source", json!("difference"), Some(from));
    }
    if counted.text("usage_source") == Some("sum") {
        let from =
            "the span tells the usage of all requests of the answer: a span above it tells the \
                    same sum, and nothing says what each of them used"
                .to_owned();
        step.fact("usage_source", json!("sum"), Some(from));
    }
    if let Some(cost) = counted.known("reported_cost") {
        let kind = counted.text("reported_cost_kind").unwrap_or("the library");
        step.fact("reported_cost", cost.clone(), Some(format!("{kind}; never counted as our own")));
    }
    // Of what is no call nothing is missing.
    if case.call.is_none() {
        return step;
    }
    let basis = counted.text("usage_basis");
    let reason = counted.text("usage_reason").unwrap_or("no rule").to_owned();
    match basis {
        None if otherwise => {}
        None if told.known("streaming") == Some(&Value::Bool(true)) => unknown.push(Unknown {
            what: "usage",
            why: "the stream came without usage".to_owned(),
            mend: mend(Problem::StreamWithoutUsage),
        }),
        None => unknown.push(Unknown {
            what: "usage",
            why: match told.text("error_type") {
                Some(error) => format!("the call failed: {error}"),
                None => "no attribute of usage came with the span".to_owned(),
            },
            mend: mend(Problem::NoUsage).filter(|_| told.text("status_code") != Some("error")),
        }),
        Some("unknown") if counted.known("input_tokens").is_none() => unknown.push(Unknown {
            what: "usage",
            why: reason,
            mend: mend(match told.known("streaming") {
                Some(Value::Bool(true)) => Problem::StreamWithoutUsage,
                _ => Problem::NoUsage,
            }),
        }),
        Some("unknown") => unknown.push(Unknown {
            what: "usage basis",
            why: reason,
            mend: mend(Problem::UsageUnknown),
        }),
        Some("estimated") => unknown.push(Unknown {
            what: "usage",
            why: reason,
            mend: mend(Problem::UsageEstimated),
        }),
        Some(_) => {
            for (mark, what, problem) in [
                (PERHAPS_ESTIMATED, "whether the usage is a guess", Problem::PerhapsEstimated),
                (CACHED_UNTOLD, "cached tokens", Problem::CachedUntold),
            ] {
                if reason.contains(mark) {
                    unknown.push(Unknown { what, why: reason.clone(), mend: mend(problem) });
                }
            }
        }
    }
    step
}

/// The parts of a total, as the row has them.
fn sum_of(row: &Row, parts: &[&str]) -> String {
    // Lifetimes are parts of the cache writes.
    let parts = parts
        .iter()
        .filter(|part| !part.starts_with("cache_write_5m") && !part.starts_with("cache_write_1h"));
    let known: Vec<String> = parts
        .filter_map(|part| Some((row.int(part)?, part.strip_suffix("_tokens").unwrap_or(part))))
        .map(|(count, part)| format!("{count} {}", part.replace('_', " ")))
        .collect();
    if known.is_empty() { "its parts are not known".to_owned() } else { known.join(" + ") }
}
