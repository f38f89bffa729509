//! Bodies that real libraries sent: the captured suites under `../shared/data/otlp`. They lie
//! outside the project, so these tests say that they skipped when the folder is not there; the
//! fixtures of `decode` are always read.

use std::fs;
use std::path::{Path, PathBuf};

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    trace::v1::ExportTraceServiceRequest,
};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;

use super::{NOW, rows_of};
use crate::buffer::ContentRules;
use crate::decode::{DecodeLimits, check, json_to_protobuf};
use crate::frame::Signal;

/// `shared/data/otlp` beside the project, or beside one of the folders it lies in.
pub(super) fn captures() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = here.ancestors().map(|a| a.join("shared/data/otlp")).find(|p| p.is_dir());
    if found.is_none() {
        println!("skipped: no folder shared/data/otlp beside the project");
    }
    found
}

pub(super) fn suites(captures: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(captures).unwrap().map(|e| e.unwrap().path());
    entries.filter(|p| p.is_dir()).collect()
}

/// The bodies of a suite, as protobuf, in order of arrival.
pub(super) fn bodies(suite: &Path) -> Vec<(Signal, PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(suite).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let body = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.to_owned();
        let parts: Vec<_> = name.split('.').collect();
        let signal = match *parts.get(1)? {
            "traces" => Signal::Traces,
            "metrics" => Signal::Metrics,
            "logs" => Signal::Logs,
            _ => return None,
        };
        let bytes = fs::read(&path).unwrap();
        match parts[2..] {
            ["pb"] => Some((signal, path, bytes)),
            ["json"] => {
                let protobuf = json_to_protobuf(signal, &bytes);
                Some((signal, path, protobuf.unwrap().to_vec()))
            }
            _ => None,
        }
    };
    files.into_iter().filter_map(body).collect()
}

/// Spans, points or records that prost finds in a body.
fn items(signal: Signal, body: &[u8]) -> usize {
    match signal {
        Signal::Traces => ExportTraceServiceRequest::decode(body)
            .unwrap()
            .resource_spans
            .iter()
            .flat_map(|r| &r.scope_spans)
            .map(|s| s.spans.len())
            .sum(),
        Signal::Logs => ExportLogsServiceRequest::decode(body)
            .unwrap()
            .resource_logs
            .iter()
            .flat_map(|r| &r.scope_logs)
            .map(|s| s.log_records.len())
            .sum(),
        Signal::Metrics => ExportMetricsServiceRequest::decode(body)
            .unwrap()
            .resource_metrics
            .iter()
            .flat_map(|r| &r.scope_metrics)
            .flat_map(|s| &s.metrics)
            .map(|m| match m.data.as_ref().unwrap() {
                Data::Gauge(d) => d.data_points.len(),
                Data::Sum(d) => d.data_points.len(),
                Data::Histogram(d) => d.data_points.len(),
                Data::ExponentialHistogram(d) => d.data_points.len(),
                Data::Summary(d) => d.data_points.len(),
            })
            .sum(),
    }
}

pub(super) fn table(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "spans",
        Signal::Metrics => "metric_points",
        Signal::Logs => "log_records",
    }
}

#[test]
fn every_captured_body_gives_as_many_rows_as_prost_finds_items() {
    let Some(captures) = captures() else { return };
    let (mut all, mut rows) = (0, 0);
    for suite in suites(&captures) {
        for (signal, path, body) in bodies(&suite) {
            let expected = items(signal, &body);
            let checked = check(signal, &body, NOW, &DecodeLimits::default()).unwrap();
            assert_eq!((checked.accepted, checked.rejected), (expected as u64, 0), "{path:?}");
            let got = rows_of(signal, body, table(signal), ContentRules::default()).len();
            assert_eq!(got, expected, "{path:?}");
            rows += got;
            all += 1;
        }
    }
    println!("{all} captured bodies, {rows} rows");
    assert!(all >= 150, "only {all} bodies found");
}

#[test]
fn the_reference_agrees_on_every_captured_span_in_what_no_dialect_changes() {
    let Some(captures) = captures() else { return };
    let columns = [
        "trace_id",
        "span_id",
        "parent_span_id",
        "name",
        "kind",
        "start_unix_ns",
        "duration_ns",
        "status_code",
        "status_message",
        "scope_name",
        "scope_version",
        "service_name",
        "service_version",
        "environment",
        "resource_attributes",
    ];
    for suite in suites(&captures) {
        for (signal, path, body) in bodies(&suite) {
            if signal != Signal::Traces {
                continue;
            }
            let request = ExportTraceServiceRequest::decode(&body[..]).unwrap().resource_spans;
            let expected = super::reference::spans(&request);
            let rows = rows_of(signal, body, "spans", ContentRules::default());
            for (row, expected) in rows.iter().zip(&expected) {
                // Codex calls the environment `env`, which the reference does not know.
                let known = |c: &&&str| {
                    !suite.ends_with("codex-cli")
                        || !["environment", "resource_attributes"].contains(*c)
                };
                for column in columns.iter().filter(known) {
                    assert_eq!(row[*column], expected[*column], "{path:?} {column}");
                }
            }
        }
    }
}

#[test]
fn no_content_of_a_captured_body_reaches_spans_or_log_records() {
    let Some(captures) = captures() else { return };
    // Sentences the stub of the captures answers with, and of the prompts it was sent.
    let said = [
        "Routing short prompts to a smaller model",
        "The cache was warm, so most of",
        "You are the support assistant of",
        "quote the fare class",
    ];
    let mut kept = 0;
    for suite in suites(&captures) {
        for (signal, path, body) in bodies(&suite) {
            let rules = ContentRules { capture: true, ..ContentRules::default() };
            for row in rows_of(signal, body.clone(), table(signal), rules.clone()) {
                for (column, cell) in &row {
                    let cell = cell.as_deref().unwrap_or_default();
                    let leak = said.iter().find(|s| cell.contains(**s));
                    assert!(leak.is_none(), "{path:?} {column}: {cell}");
                }
            }
            let contents = rows_of(signal, body, "contents", rules);
            kept += contents
                .iter()
                .filter(|r| said.iter().any(|s| r["body"].as_ref().unwrap().contains(s)))
                .count();
        }
    }
    println!("{kept} captured pieces of content in `contents`");
    assert!(kept > 100, "only {kept} pieces of content were captured");
}
