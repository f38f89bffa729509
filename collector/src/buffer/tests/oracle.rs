//! The walk against prost, by any request; and against bytes that are no request at all.

use std::fmt::Debug;

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    trace::v1::ExportTraceServiceRequest,
};
use proptest::prelude::*;
use prost::Message;

use super::generate::{group_bytes, logs, metrics, traces, unknown};
use super::{NOW, frame, reference, rows_of};
use crate::buffer::{Builders, ContentRules};
use crate::decode::{DecodeLimits, check, json_to_protobuf};
use crate::frame::Signal;

const SIGNALS: [Signal; 3] = [Signal::Traces, Signal::Metrics, Signal::Logs];

fn accepted(signal: Signal, body: &[u8]) -> usize {
    check(signal, body, NOW, &DecodeLimits::default()).unwrap().accepted as usize
}

/// What must hold for any bytes: no panic, and as many rows as were acknowledged.
fn survives(signal: Signal, body: &[u8]) {
    let checked = check(signal, body, NOW, &DecodeLimits::default());
    let mut builders = Builders::new(ContentRules::default());
    let appended = builders.append(&frame(signal, body.to_vec()));
    match (checked, appended) {
        (Ok(checked), Ok(())) => assert_eq!(checked.accepted as usize, builders.rows()),
        (Err(a), Err(b)) => assert_eq!(a, b),
        (checked, appended) => panic!("check says {checked:?}, append {appended:?}"),
    }
    // Finishing proves that no column got more values than another.
    builders.finish();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn any_traces_give_the_rows_of_the_reference(
        request in traces(), unknown in unknown(), reversed in any::<bool>()
    ) {
        let body: Vec<u8> = request.iter().flat_map(|rs| {
            let mut head = rs.clone();
            let scopes = std::mem::take(&mut head.scope_spans).into_iter().map(|mut ss| {
                let spans = std::mem::take(&mut ss.spans);
                (ss, spans)
            });
            group_bytes(&head, scopes.collect(), &unknown, reversed)
        }).collect();
        let read = ExportTraceServiceRequest::decode(&body[..]).unwrap();
        prop_assert_eq!(&format!("{:?}", read.resource_spans), &format!("{request:?}"));
        let expected = reference::spans(&request);
        prop_assert_eq!(accepted(Signal::Traces, &body), expected.len());
        let rows = rows_of(Signal::Traces, body, "spans", ContentRules::default());
        prop_assert_eq!(rows, expected);
    }

    #[test]
    fn any_logs_give_the_rows_of_the_reference(
        request in logs(), unknown in unknown(), reversed in any::<bool>()
    ) {
        let body: Vec<u8> = request.iter().flat_map(|rl| {
            let mut head = rl.clone();
            let scopes = std::mem::take(&mut head.scope_logs).into_iter().map(|mut sl| {
                let records = std::mem::take(&mut sl.log_records);
                (sl, records)
            });
            group_bytes(&head, scopes.collect(), &unknown, reversed)
        }).collect();
        let expected = reference::log_records(&request);
        prop_assert_eq!(accepted(Signal::Logs, &body), expected.len());
        let rows = rows_of(Signal::Logs, body, "log_records", ContentRules::default());
        prop_assert_eq!(rows, expected);
    }

    #[test]
    fn any_metrics_give_the_rows_of_the_reference(
        request in metrics(), unknown in unknown(), reversed in any::<bool>()
    ) {
        let body: Vec<u8> = request.iter().flat_map(|rm| {
            let mut head = rm.clone();
            let scopes = std::mem::take(&mut head.scope_metrics).into_iter().map(|mut sm| {
                let metrics = std::mem::take(&mut sm.metrics);
                (sm, metrics)
            });
            group_bytes(&head, scopes.collect(), &unknown, reversed)
        }).collect();
        let expected = reference::metric_points(&request);
        prop_assert_eq!(accepted(Signal::Metrics, &body), expected.len());
        let rows = rows_of(Signal::Metrics, body, "metric_points", ContentRules::default());
        prop_assert_eq!(rows, expected);
    }

    #[test]
    fn random_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        SIGNALS.iter().for_each(|signal| survives(*signal, &body));
    }

    #[test]
    fn garbled_requests_never_panic(
        traces in traces(), metrics in metrics(), logs in logs(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(), whole in any::<bool>(),
    ) {
        let bodies = [
            ExportTraceServiceRequest { resource_spans: traces }.encode_to_vec(),
            ExportMetricsServiceRequest { resource_metrics: metrics }.encode_to_vec(),
            ExportLogsServiceRequest { resource_logs: logs }.encode_to_vec(),
        ];
        for (signal, mut body) in SIGNALS.into_iter().zip(bodies) {
            if body.is_empty() {
                continue;
            }
            for (at, byte) in &changes {
                let at = at.index(body.len());
                body[at] = *byte;
            }
            if !whole {
                body.truncate(cut.index(body.len()));
            }
            survives(signal, &body);
        }
    }
}

/// Whether a request comes back from OTLP/JSON, as opentelemetry-proto writes it, unchanged; none
/// when it holds numbers that this writer turns into null, or values that only profiles have.
fn comes_back<R: Message + Default + Debug + serde::Serialize>(
    signal: Signal,
    request: &R,
) -> Option<bool> {
    let before = format!("{request:?}");
    if ["NaN", "inf", "Strindex"].iter().any(|lost| before.contains(lost)) {
        return None;
    }
    let json = serde_json::to_vec(request).unwrap();
    let read = R::decode(json_to_protobuf(signal, &json).unwrap()).unwrap();
    Some(format!("{read:?}") == before)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_global_rejects: 20_000, ..Default::default() })]

    #[test]
    fn otlp_json_of_any_traces_is_the_same_request(resource_spans in traces()) {
        let same = comes_back(Signal::Traces, &ExportTraceServiceRequest { resource_spans });
        prop_assume!(same.is_some());
        prop_assert_eq!(same, Some(true));
    }

    #[test]
    fn otlp_json_of_any_metrics_is_the_same_request(resource_metrics in metrics()) {
        let same = comes_back(Signal::Metrics, &ExportMetricsServiceRequest { resource_metrics });
        prop_assume!(same.is_some());
        prop_assert_eq!(same, Some(true));
    }

    #[test]
    fn otlp_json_of_any_logs_is_the_same_request(resource_logs in logs()) {
        let same = comes_back(Signal::Logs, &ExportLogsServiceRequest { resource_logs });
        prop_assume!(same.is_some());
        prop_assert_eq!(same, Some(true));
    }
}
