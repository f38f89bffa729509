//! The doctor's report for a terminal: a paragraph per service and library, with what is amiss
//! and what to set. Takes a report, gives text.

use std::fmt::Write as _;

use super::advice::Problem;
use super::{Patient, Report};
use crate::render::page::{one_line, wrapped};

impl Report {
    /// The report as text.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail, here and below.
        if self.patients.is_empty() {
            let _ = writeln!(
                out,
                "nothing has arrived in this window\n  → point an OpenTelemetry SDK here: \
                 OTEL_EXPORTER_OTLP_ENDPOINT=http://HOST:4317"
            );
        }
        for patient in &self.patients {
            let _ = writeln!(out, "{}", heading(patient));
            let _ = writeln!(out, "  {}", wrapped(&counts(patient), 2, 2));
            let mut healthy = true;
            for finding in self.of(patient) {
                healthy = false;
                let (count, of) = (finding.count, finding.of);
                let such = match finding.problem {
                    Problem::Uncounted | Problem::MetricsOnly => ": ",
                    _ => ", such as: ",
                };
                let reason = finding.reason.as_ref().map(|reason| format!("{such}{reason}"));
                let says = format!(
                    "{count} of {of} {}{}",
                    finding.problem.says(),
                    one_line(&reason.unwrap_or_default())
                );
                let _ = writeln!(out, "  ! {}", wrapped(&says, 4, 4));
                let _ = writeln!(out, "      → {}", wrapped(finding.advice, 8, 8));
            }
            if healthy {
                let _ = writeln!(out, "  nothing is amiss");
            }
            out.push('\n');
        }
        let versions: Vec<_> = self.tables.iter().map(|(t, v)| format!("{t}@{v}")).collect();
        let until = self.settled_until.as_deref().unwrap_or("nothing yet");
        let _ = writeln!(out, "read from {}; settled until {until}", versions.join(", "));
        out
    }
}

fn heading(patient: &Patient) -> String {
    let service = patient.service.as_deref().unwrap_or("(no service.name)");
    let library = match (&patient.library, &patient.version) {
        (Some(library), Some(version)) => format!(" · {library} {version}"),
        (Some(library), None) => format!(" · {library}"),
        (None, _) => String::new(),
    };
    let dialect = patient.dialect.as_ref().map(|dialect| format!(" · {dialect}"));
    one_line(&format!("{service}{library}{}", dialect.unwrap_or_default()))
}

fn counts(patient: &Patient) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (name, one, many) in [
        ("spans", "span", "spans"),
        ("calls", "call", "calls"),
        ("events", "event", "events"),
        ("token_points", "point of token metrics", "points of token metrics"),
    ] {
        match patient.count(name) {
            0 => {}
            1 => parts.push(format!("1 {one}")),
            n => parts.push(format!("{n} {many}")),
        }
    }
    for (share, name) in [("usage", "with_usage"), ("a team", "with_team"), ("a user", "with_user")]
    {
        if let Some(part) = patient.share(name) {
            parts.push(format!("{:.0} % with {share}", part * 100.0));
        }
    }
    for (name, one, many) in [
        ("rollups", "roll-up", "roll-ups"),
        ("duplicates", "duplicate", "duplicates"),
        ("not_counted", "inference span not counted", "inference spans not counted"),
    ] {
        match patient.count(name) {
            0 => {}
            1 => parts.push(format!("1 {one}")),
            n => parts.push(format!("{n} {many}")),
        }
    }
    parts.join(", ")
}
