//! Doctor: what each service and library sends, how much of it can be counted, owned and priced,
//! and what to set to mend the rest. Takes a window of time, gives a [`Report`] read from one
//! snapshot (I-6, I-12). It counts by SQL that the report shows; what a number means is in
//! `findings`, what to do about it in [`advice`].

pub mod advice;

mod libraries;

mod findings;

mod sql;

mod text;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::error::QueryError;
use crate::explain::Reader;
use crate::questions::answer::milliseconds;
use crate::questions::time::instant;
use crate::service::{Caller, QueryService};
pub use findings::Finding;
use sql::Statements;

/// One service and library.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Patient {
    /// `service.name`.
    pub service: Option<String>,
    /// Whose attribute names it speaks.
    pub dialect: Option<String>,
    /// Instrumentation scope.
    pub library: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// One of the reasons why calls with usage have no, or no full, price.
    pub price_reason: Option<String>,
    /// One of the reasons why usage is unknown or estimated.
    pub usage_reason: Option<String>,
    /// The counts, in the order of [`COUNTS`].
    pub counts: [i64; COUNTS.len()],
}

/// What is counted of each.
pub const COUNTS: [&str; 24] = [
    "spans",
    "calls",
    "with_usage",
    "with_team",
    "with_user",
    "usage_unknown",
    "usage_estimated",
    "perhaps_estimated",
    "duplicates",
    "rollups",
    "not_counted",
    "uncounted_spans",
    "uncounted_input_tokens",
    "uncounted_output_tokens",
    "unpriced",
    "part_priced",
    "cached_untold",
    "streams_without_usage",
    "calls_without_usage",
    "streams",
    "events",
    "token_points",
    "metric_input_tokens",
    "metric_output_tokens",
];

/// What the doctor found.
#[derive(Debug)]
pub struct Report {
    /// One per service and library, in the order of their names.
    pub patients: Vec<Patient>,
    /// What is amiss, the gravest first.
    pub findings: Vec<Finding>,
    /// Versions of the tables it was read from.
    pub tables: BTreeMap<&'static str, i64>,
    /// The SQL of the counts.
    pub sql: [String; 3],
    /// Calls that started before this instant are settled; null when that is not known.
    pub settled_until: Option<String>,
    elapsed: Duration,
}

/// What the counts mean.
const NOTES: [&str; 7] = [
    "spans are those that speak of models, or all of a service where none does; each counts once",
    "duplicates and rollups are spans that repeat a call; they are not counted again",
    "not_counted are inference spans without a call of their own: wrappers whose calls lie below \
     them, and traces that are not settled yet",
    "uncounted_spans are roll-ups that tell more usage than the calls below them, by \
     uncounted_input_tokens and uncounted_output_tokens: these are in no call and no cost",
    "perhaps_estimated are calls with counts that the library guesses for streams, and it does not \
     say what was a stream; they are counted, and may be wrong",
    "metric_input_tokens and metric_output_tokens are what token metrics increased by in the window; \
     the question `counters` compares them with the calls",
    "shares are of the calls",
];

impl QueryService {
    /// Examines what arrived from the one instant, before the other; the forms are those of
    /// questions.
    ///
    /// # Errors
    /// When an instant has no usable form, the first is not before the other, or the tables cannot
    /// be read.
    pub async fn doctor(
        &self,
        caller: &Caller,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<Report, QueryError> {
        let now = Timestamp::now();
        let from = from.map(|text| instant("from", text, now)).transpose()?;
        let to = to.map(|text| instant("to", text, now)).transpose()?;
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            return Err(QueryError::Parameter {
                what: "from".to_owned(),
                found: from.to_string(),
                expected: format!("an instant before to, {to}"),
            });
        }
        let statements = Statements::over(from, to);
        let settled_until = (self.inner.settled_until)()
            .and_then(|us| Timestamp::from_microsecond(us).ok())
            .map(|at| at.to_string());
        let reader = Reader::new(self.pin(caller).await?);
        let read = examine(&reader, &statements).await;
        let (tables, elapsed, patients) = reader.end(read)?;
        let findings = findings::of(&patients);
        let sql = [statements.spans, statements.events, statements.metrics];
        Ok(Report { patients, findings, tables, sql, settled_until, elapsed })
    }
}

/// The rows of all signals, those of one service and library in one.
async fn examine(reader: &Reader, sql: &Statements) -> Result<Vec<Patient>, QueryError> {
    let mut patients: Vec<Patient> = Vec::new();
    for statement in [&sql.spans, &sql.events, &sql.metrics] {
        for row in reader.rows(statement).await? {
            let text = |column: &str| row.text(column).map(str::to_owned);
            let mut patient = Patient {
                service: text("service"),
                dialect: text("dialect"),
                library: text("library"),
                version: text("version"),
                price_reason: text("price_reason"),
                usage_reason: text("usage_reason"),
                ..Patient::default()
            };
            for (count, column) in patient.counts.iter_mut().zip(COUNTS) {
                *count = row.int(column).unwrap_or(0);
            }
            let same = |known: &&mut Patient| {
                patient.library.is_some()
                    && known.service == patient.service
                    && known.library == patient.library
                    && (patient.version.is_none() || known.version == patient.version)
            };
            match patients.iter_mut().find(same).filter(|_| patient.dialect.is_none()) {
                Some(known) => {
                    known
                        .counts
                        .iter_mut()
                        .zip(patient.counts)
                        .for_each(|(all, more)| *all += more);
                }
                None => patients.push(patient),
            }
        }
    }
    // Spans that speak of no model are only news where no other of the service does.
    let speaks = |service: &Option<String>| {
        patients.iter().any(|p| &p.service == service && (p.dialect.is_some() || p.is_silent()))
    };
    let keep: Vec<bool> = patients
        .iter()
        .map(|p| p.dialect.is_some() || p.is_silent() || !speaks(&p.service))
        .collect();
    let mut keep = keep.into_iter();
    patients.retain(|_| keep.next().unwrap_or(true));
    patients.sort_by(|a, b| a.names().cmp(&b.names()));
    Ok(patients)
}

impl Patient {
    /// A count by its name; zero for one that is not counted.
    pub fn count(&self, name: &str) -> i64 {
        COUNTS.iter().position(|count| *count == name).map_or(0, |i| self.counts[i])
    }

    /// It sends events or metrics, but no spans.
    fn is_silent(&self) -> bool {
        self.count("spans") == 0 && self.count("calls") == 0
    }

    fn names(&self) -> [&Option<String>; 4] {
        [&self.service, &self.library, &self.version, &self.dialect]
    }

    /// Part of the calls; none without calls.
    fn share(&self, name: &str) -> Option<f64> {
        let calls = self.count("calls");
        (calls > 0).then(|| self.count(name) as f64 / calls as f64)
    }
}

/// Shares that the report gives, with the counts they are taken of.
const SHARES: [(&str, &str); 3] =
    [("usage_share", "with_usage"), ("team_share", "with_team"), ("user_share", "with_user")];

impl Report {
    /// Columns of the rows: names and units.
    fn columns() -> Vec<(&'static str, &'static str)> {
        let names = ["service", "dialect", "library", "version"].map(|name| (name, "text"));
        let counts = COUNTS.map(|name| (name, "bigint"));
        let shares = SHARES.map(|(name, _)| (name, "double"));
        names.into_iter().chain(counts).chain(shares).chain([("problems", "text")]).collect()
    }

    fn row(&self, patient: &Patient) -> Vec<Value> {
        let names = [&patient.service, &patient.dialect, &patient.library, &patient.version];
        let shares = SHARES.map(|(_, count)| json!(patient.share(count)));
        let problems: Vec<&str> = self.of(patient).map(|finding| finding.problem.word()).collect();
        names
            .iter()
            .map(|name| json!(name))
            .chain(patient.counts.iter().map(|count| json!(count)))
            .chain(shares)
            .chain([json!(problems.join(" "))])
            .collect()
    }

    /// The findings about one service and library.
    fn of(&self, patient: &Patient) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| {
            finding.service == patient.service
                && finding.library == patient.library
                && finding.version == patient.version
                && finding.dialect == patient.dialect
        })
    }

    /// The report as one JSON object: the answer object of SQL, and `findings`.
    pub fn to_json(&self) -> Value {
        let column = |(name, kind): &(&str, &str)| json!({"name": name, "type": kind});
        json!({
            "columns": Self::columns().iter().map(column).collect::<Vec<_>>(),
            "rows": self.patients.iter().map(|patient| self.row(patient)).collect::<Vec<_>>(),
            "findings": self.findings.iter().map(Finding::to_json).collect::<Vec<_>>(),
            "notes": NOTES,
            "sql": self.sql,
            "tables": self.tables,
            "settled_until": self.settled_until,
            "elapsed_ms": milliseconds(self.elapsed),
        })
    }

    /// The rows as comma-separated values.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn to_csv(&self) -> Result<Vec<u8>, QueryError> {
        let failed = |error: &dyn std::fmt::Display| {
            QueryError::Failed(format!("writing the report as CSV: {error}"))
        };
        let mut out = csv::Writer::from_writer(Vec::new());
        out.write_record(Self::columns().iter().map(|(name, _)| *name)).map_err(|e| failed(&e))?;
        for patient in &self.patients {
            let cell = |value: Value| match value {
                Value::Null => String::new(),
                Value::String(text) => text,
                other => other.to_string(),
            };
            out.write_record(self.row(patient).into_iter().map(cell)).map_err(|e| failed(&e))?;
        }
        out.into_inner().map_err(|e| failed(&e))
    }
}
