//! What `metric_points` must hold.

use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ResourceMetrics, exemplar, metric::Data, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::{day, entries, hex, in_range, json_double, json_map, of_resource, resource_map, some};
use crate::buffer::tests::{NOW, Row};

/// What differs between the kinds of points.
#[derive(Default)]
struct Point<'p> {
    attributes: &'p [KeyValue],
    start: u64,
    time: u64,
    flags: u32,
    exemplars: &'p [Exemplar],
    value: Option<f64>,
    value_int: Option<i64>,
    count: Option<u64>,
    sum: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    histogram: Option<(&'p [f64], &'p [u64])>,
    detail: Option<String>,
    counts: Vec<u64>,
}

pub(in crate::buffer::tests) fn metric_points(request: &[ResourceMetrics]) -> Vec<Row> {
    let mut rows = vec![];
    for rm in request {
        for sm in &rm.scope_metrics {
            for m in sm.metrics.iter().filter(|m| !m.name.is_empty()) {
                let (kind, temporality, monotonic) = match &m.data {
                    None => continue,
                    Some(Data::Gauge(_)) => ("gauge", None, None),
                    Some(Data::Sum(s)) => {
                        ("sum", Some(s.aggregation_temporality), Some(s.is_monotonic))
                    }
                    Some(Data::Histogram(h)) => {
                        ("histogram", Some(h.aggregation_temporality), None)
                    }
                    Some(Data::ExponentialHistogram(h)) => {
                        ("exponential-histogram", Some(h.aggregation_temporality), None)
                    }
                    Some(Data::Summary(_)) => ("summary", None, None),
                };
                let temporality = match temporality {
                    Some(1) => Some("delta".to_owned()),
                    Some(2) => Some("cumulative".to_owned()),
                    _ => None,
                };
                for point in points(m.data.as_ref().unwrap()).iter().filter(|p| takes_point(p)) {
                    let mut row = point_row(&rm.resource, &sm.scope, point);
                    row.insert("metric_name".into(), Some(m.name.clone()));
                    row.insert("metric_kind".into(), Some(kind.into()));
                    row.insert("unit".into(), some(&m.unit));
                    row.insert("description".into(), some(&m.description));
                    row.insert("temporality".into(), temporality.clone());
                    row.insert("monotonic".into(), monotonic.map(|m| m.to_string()));
                    rows.push(row);
                }
            }
        }
    }
    rows
}

fn takes_point(p: &Point<'_>) -> bool {
    let fits = match p.histogram {
        Some((bounds, counts)) => counts.is_empty() || counts.len() == bounds.len() + 1,
        None => true,
    };
    let counts = p.counts.iter().chain(&p.count).all(|c| *c <= i64::MAX as u64);
    in_range(p.time) && (p.start == 0 || in_range(p.start)) && fits && counts
}

fn points(data: &Data) -> Vec<Point<'_>> {
    match data {
        Data::Gauge(g) => g.data_points.iter().map(number_point).collect(),
        Data::Sum(s) => s.data_points.iter().map(number_point).collect(),
        Data::Histogram(h) => h
            .data_points
            .iter()
            .map(|p| Point {
                attributes: &p.attributes,
                start: p.start_time_unix_nano,
                time: p.time_unix_nano,
                flags: p.flags,
                exemplars: &p.exemplars,
                count: Some(p.count),
                sum: p.sum,
                min: p.min,
                max: p.max,
                histogram: Some((&p.explicit_bounds, &p.bucket_counts)),
                counts: p.bucket_counts.clone(),
                ..Default::default()
            })
            .collect(),
        Data::ExponentialHistogram(h) => h
            .data_points
            .iter()
            .map(|p| {
                let (positive, negative) = (
                    p.positive.clone().unwrap_or_default(),
                    p.negative.clone().unwrap_or_default(),
                );
                let list = |counts: &[u64]| {
                    let texts: Vec<_> = counts.iter().map(u64::to_string).collect();
                    texts.join(",")
                };
                Point {
                    attributes: &p.attributes,
                    start: p.start_time_unix_nano,
                    time: p.time_unix_nano,
                    flags: p.flags,
                    exemplars: &p.exemplars,
                    count: Some(p.count),
                    sum: p.sum,
                    min: p.min,
                    max: p.max,
                    detail: Some(format!(
                        "{{\"scale\":{},\"zero_count\":{},\"zero_threshold\":{},\
                         \"positive\":{{\"offset\":{},\"bucket_counts\":[{}]}},\
                         \"negative\":{{\"offset\":{},\"bucket_counts\":[{}]}}}}",
                        p.scale,
                        p.zero_count,
                        json_double(p.zero_threshold),
                        positive.offset,
                        list(&positive.bucket_counts),
                        negative.offset,
                        list(&negative.bucket_counts),
                    )),
                    counts: [positive.bucket_counts, negative.bucket_counts, vec![p.zero_count]]
                        .concat(),
                    ..Default::default()
                }
            })
            .collect(),
        Data::Summary(s) => s
            .data_points
            .iter()
            .map(|p| {
                let quantiles: Vec<_> = p
                    .quantile_values
                    .iter()
                    .map(|q| {
                        let (quantile, value) = (json_double(q.quantile), json_double(q.value));
                        format!("{{\"quantile\":{quantile},\"value\":{value}}}")
                    })
                    .collect();
                Point {
                    attributes: &p.attributes,
                    start: p.start_time_unix_nano,
                    time: p.time_unix_nano,
                    flags: p.flags,
                    count: Some(p.count),
                    sum: Some(p.sum),
                    detail: Some(format!("{{\"quantiles\":[{}]}}", quantiles.join(","))),
                    ..Default::default()
                }
            })
            .collect(),
    }
}

fn number_point(p: &opentelemetry_proto::tonic::metrics::v1::NumberDataPoint) -> Point<'_> {
    let value = p.value.filter(|_| p.flags & 1 == 0);
    Point {
        attributes: &p.attributes,
        start: p.start_time_unix_nano,
        time: p.time_unix_nano,
        flags: p.flags,
        exemplars: &p.exemplars,
        value: value.map(|v| match v {
            number_data_point::Value::AsDouble(d) => d,
            number_data_point::Value::AsInt(i) => i as f64,
        }),
        value_int: match value {
            Some(number_data_point::Value::AsInt(i)) => Some(i),
            _ => None,
        },
        ..Default::default()
    }
}

fn point_row(
    resource: &Option<Resource>,
    scope: &Option<InstrumentationScope>,
    p: &Point<'_>,
) -> Row {
    let float = |f: Option<f64>| f.map(|f| format!("{f:?}"));
    let label =
        |name: &str| match p.attributes.iter().find(|a| a.key == name)?.value.as_ref()?.value {
            Some(Value::StringValue(ref text)) => some(text),
            _ => None,
        };
    let exemplars: Vec<_> = p
        .exemplars
        .iter()
        .map(|e| {
            let value = match e.value {
                None => "null".to_owned(),
                Some(exemplar::Value::AsDouble(d)) => json_double(d),
                Some(exemplar::Value::AsInt(i)) => i.to_string(),
            };
            format!(
                "{{\"value\":{value},\"time_unix_ns\":{},\"trace_id\":\"{}\",\"span_id\":\"{}\",\
                 \"attributes\":{}}}",
                e.time_unix_nano,
                hex(&e.trace_id),
                hex(&e.span_id),
                json_map(e.filtered_attributes.iter(), 0),
            )
        })
        .collect();
    let texts = |list: Vec<String>| format!("{list:?}");
    let bounds = p.histogram.map(|(b, _)| texts(b.iter().map(|b| format!("{b:?}")).collect()));
    let counts = p.histogram.map(|(_, c)| texts(c.iter().map(u64::to_string).collect()));
    let cells = [
        ("date", Some(day(p.time as i64))),
        ("tenant", Some("acme".into())),
        ("start_unix_ns", (p.start != 0).then(|| p.start.to_string())),
        ("at", Some((p.time / 1000).to_string())),
        ("time_unix_ns", Some(p.time.to_string())),
        ("received_at", Some((NOW / 1000).to_string())),
        ("value", float(p.value)),
        ("value_int", p.value_int.map(|i| i.to_string())),
        ("count", p.count.map(|c| c.to_string())),
        ("sum", float(p.sum)),
        ("min", float(p.min)),
        ("max", float(p.max)),
        ("bucket_bounds", bounds),
        ("bucket_counts", counts),
        ("detail", p.detail.clone()),
        ("exemplars", (!exemplars.is_empty()).then(|| format!("[{}]", exemplars.join(",")))),
        ("no_value", Some((p.flags & 1 == 1).to_string())),
        ("service_name", of_resource(resource, &["service.name"])),
        ("scope_name", scope.as_ref().and_then(|s| some(&s.name))),
        (
            "model",
            label("gen_ai.response.model")
                .or_else(|| label("gen_ai.request.model"))
                .or_else(|| label("model_name")),
        ),
        ("gpu_uuid", label("UUID")),
        ("host", label("host.name").or_else(|| of_resource(resource, &["host.name"]))),
        ("metric_attributes", Some(entries(p.attributes, |_| false, scope, 0, vec![]).0)),
        ("resource_attributes", Some(resource_map(resource, &[]))),
    ];
    cells.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
