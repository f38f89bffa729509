//! Families as an OTLP metrics request, which then goes the way of every other one: logged,
//! normalised, committed. Takes the families of one scrape and whose they are, gives the request.
//!
//! Following "Prometheus and OpenMetrics Compatibility" of the OpenTelemetry specification:
//! counters are monotonic cumulative sums, untyped samples, infos and state sets are gauges, the
//! `_bucket`, `_sum` and `_count` of one label set become one histogram point, quantiles become a
//! summary, and `_created` is the start of its point. Names stay as exposed, `_total` included,
//! so that they are found under the name that dashboards use. NaN means "no value recorded".

use std::collections::HashMap;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1 as wire;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::resource::v1::Resource;
use spanledger_schemas::ids::{SpanId, TraceId};

use super::exposition::{self, Exemplar, Family, Grammar, Kind, Labels, Sample, Value};

/// OTLP `DataPointFlags` bit 0.
const NO_RECORDED_VALUE: u32 = 1;

/// What all points of a scrape share.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    /// Attributes of the resource.
    pub(super) resource: Vec<(String, String)>,
    /// Labels of the target, which every point gets.
    pub(super) labels: Vec<(String, String)>,
    /// Time of samples that carry none.
    pub(super) at_unix_ns: i64,
}

/// The request for the families of one scrape.
pub(super) fn request(families: Vec<Family>, origin: &Origin) -> ExportMetricsServiceRequest {
    let starts = Starts::of(&families);
    let metrics = families
        .into_iter()
        .filter(|family| !starts.is_only_start(family))
        .flat_map(|family| metrics(family, &starts, origin))
        .collect();
    let scope = InstrumentationScope {
        name: "spanledger/scrape".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let scope_metrics =
        wire::ScopeMetrics { scope: Some(scope), metrics, schema_url: String::new() };
    let resource =
        Resource { attributes: attributes(&origin.resource, None), ..Resource::default() };
    ExportMetricsServiceRequest {
        resource_metrics: vec![wire::ResourceMetrics {
            resource: Some(resource),
            scope_metrics: vec![scope_metrics],
            schema_url: String::new(),
        }],
    }
}

/// Starts of cumulative points, from `_created` samples. OpenMetrics has them in the family they
/// belong to; the Python client's text format as gauges of their own.
struct Starts {
    by_series: HashMap<(String, String), u64>,
    /// Names of families that only say when others started.
    only_starts: Vec<String>,
}

impl Starts {
    fn of(families: &[Family]) -> Starts {
        let cumulative = |kind| matches!(kind, Kind::Counter | Kind::Histogram | Kind::Summary);
        let bases: Vec<&str> = families
            .iter()
            .filter(|family| cumulative(family.kind))
            .map(|family| base(&family.name, family.kind))
            .collect();
        let mut starts = Starts { by_series: HashMap::new(), only_starts: Vec::new() };
        for family in families {
            let own = family.name.strip_suffix("_created").filter(|name| bases.contains(name));
            if own.is_some() {
                starts.only_starts.push(family.name.clone());
            } else if !cumulative(family.kind) {
                continue;
            }
            for sample in &family.samples {
                let Some(name) = sample.name.strip_suffix("_created") else { continue };
                if let Some(start) = unix_seconds(sample.value) {
                    starts.by_series.insert((name.to_owned(), series(&sample.labels, "")), start);
                }
            }
        }
        starts
    }

    fn is_only_start(&self, family: &Family) -> bool {
        self.only_starts.contains(&family.name)
    }

    /// Start of a series in OTLP's terms: 0 where it is not known.
    fn get(&self, base: &str, series: String) -> u64 {
        self.by_series.get(&(base.to_owned(), series)).copied().unwrap_or(0)
    }
}

/// The name that `_created` is added to.
fn base(name: &str, kind: Kind) -> &str {
    let total = if kind == Kind::Counter { name.strip_suffix("_total") } else { None };
    total.unwrap_or(name)
}

fn unix_seconds(value: Value) -> Option<u64> {
    let text = match value {
        Value::Int(seconds) => seconds.to_string(),
        Value::Float(seconds) => format!("{seconds:?}"),
    };
    let ns = exposition::instant(&text, Grammar::OpenMetrics).ok()?;
    u64::try_from(ns).ok().filter(|ns| *ns > 0)
}

/// One text per label set, the same whatever the order of the labels; `without` is left out.
fn series(labels: &Labels, without: &str) -> String {
    let mut pairs: Vec<_> = labels.iter().filter(|(name, _)| name != without).collect();
    pairs.sort();
    // Neither names nor lengths can make two label sets alike.
    pairs.iter().map(|(name, value)| format!("{name}={}:{value},", value.len())).collect()
}

fn metrics(family: Family, starts: &Starts, origin: &Origin) -> Vec<wire::Metric> {
    match family.kind {
        Kind::Histogram => histogram(family, starts, origin),
        Kind::Summary => summary(family, starts, origin),
        Kind::Counter => {
            let (name, help, unit) = (family.name, family.help, family.unit);
            let base = base(&name, Kind::Counter);
            let samples = family.samples.into_iter();
            let samples: Vec<_> = samples.filter(|s| !s.name.ends_with("_created")).collect();
            let Some(first) = samples.first() else { return Vec::new() };
            let exposed = first.name.clone();
            let point = |sample| {
                let start = |sample: &Sample| starts.get(base, series(&sample.labels, ""));
                let start_time_unix_nano = start(&sample);
                wire::NumberDataPoint { start_time_unix_nano, ..number(sample, origin) }
            };
            let sum = wire::Sum {
                data_points: samples.into_iter().map(point).collect(),
                aggregation_temporality: cumulative(),
                is_monotonic: true,
            };
            vec![metric(exposed, &help, &unit, Data::Sum(sum))]
        }
        // A gauge histogram has no OTLP form; its parts are gauges.
        Kind::Gauge | Kind::GaugeHistogram | Kind::Info | Kind::StateSet | Kind::Unknown => {
            gauges(family.samples, &family.help, &family.unit, origin)
        }
    }
}

/// Gauges, one metric per sample name.
fn gauges(samples: Vec<Sample>, help: &str, unit: &str, origin: &Origin) -> Vec<wire::Metric> {
    let mut metrics: Vec<wire::Metric> = Vec::new();
    for sample in samples {
        let at = metrics.iter().position(|metric| metric.name == sample.name);
        let at = at.unwrap_or_else(|| {
            let gauge = wire::Gauge { data_points: Vec::new() };
            metrics.push(metric(sample.name.clone(), help, unit, Data::Gauge(gauge)));
            metrics.len() - 1
        });
        if let Some(Data::Gauge(gauge)) = &mut metrics[at].data {
            gauge.data_points.push(number(sample, origin));
        }
    }
    metrics
}

/// The samples of one label set of a histogram or summary.
#[derive(Default)]
struct Parts {
    labels: Labels,
    at_unix_ns: Option<i64>,
    /// Bound or quantile with its sample.
    steps: Vec<(f64, Value)>,
    sum: Option<f64>,
    count: Option<f64>,
    exemplars: Vec<Exemplar>,
}

/// Gathers a family by label set, `step` apart; also gives the samples that are no part of it.
fn parts(family: &mut Family, step: &str) -> (Vec<(String, Parts)>, Vec<Sample>) {
    let mut groups: Vec<(String, Parts)> = Vec::new();
    let mut by_series: HashMap<String, usize> = HashMap::new();
    let mut strays = Vec::new();
    for sample in std::mem::take(&mut family.samples) {
        let suffix = sample.name.strip_prefix(&family.name).unwrap_or_default();
        let bound = sample.labels.iter().find(|(name, _)| name == step);
        let bound = bound.and_then(|(_, bound)| bound.parse::<f64>().ok());
        let known = match (suffix, bound) {
            ("_bucket" | "", Some(bound)) => !bound.is_nan(),
            ("_sum" | "_count" | "_created", _) => true,
            _ => false,
        };
        if !known {
            strays.push(sample);
            continue;
        }
        // Points of one label set at several times stand beside each other.
        let key = format!("{}@{:?}", series(&sample.labels, step), sample.at_unix_ns);
        let at = *by_series.entry(key).or_insert_with(|| {
            groups.push((series(&sample.labels, step), Parts::default()));
            groups.len() - 1
        });
        let part = &mut groups[at].1;
        match suffix {
            "_sum" => part.sum = Some(sample.value.float()),
            "_count" => part.count = Some(sample.value.float()),
            "_created" => {}
            _ => part.steps.extend(bound.map(|bound| (bound, sample.value))),
        }
        if suffix != "_created" {
            part.labels = sample.labels;
            part.labels.retain(|(name, _)| name != step);
            part.at_unix_ns = sample.at_unix_ns;
        }
        part.exemplars.extend(sample.exemplar);
    }
    groups.retain(|(_, part)| !part.steps.is_empty() || part.sum.is_some() || part.count.is_some());
    for (_, part) in &mut groups {
        part.steps.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    }
    (groups, strays)
}

fn histogram(mut family: Family, starts: &Starts, origin: &Origin) -> Vec<wire::Metric> {
    let (groups, strays) = parts(&mut family, "le");
    let point = |(series, part): (String, Parts)| {
        let total = part.count.or(part.steps.last().map(|(_, value)| value.float()));
        let total = total.and_then(whole);
        let buckets = total.and_then(|total| buckets(&part.steps, total));
        let (explicit_bounds, bucket_counts) = buckets.unwrap_or_default();
        wire::HistogramDataPoint {
            attributes: attributes(&part.labels, Some(origin)),
            start_time_unix_nano: starts.get(&family.name, series),
            time_unix_nano: time(part.at_unix_ns, origin),
            count: total.unwrap_or(0),
            sum: part.sum.filter(|sum| !sum.is_nan()),
            bucket_counts,
            explicit_bounds,
            exemplars: part.exemplars.into_iter().map(|e| exemplar(e, origin)).collect(),
            flags: if total.is_none() { NO_RECORDED_VALUE } else { 0 },
            min: None,
            max: None,
        }
    };
    let histogram = wire::Histogram {
        data_points: groups.into_iter().map(point).collect(),
        aggregation_temporality: cumulative(),
    };
    let mut metrics = gauges(strays, &family.help, &family.unit, origin);
    if !histogram.data_points.is_empty() {
        let data = Data::Histogram(histogram);
        metrics.push(metric(family.name, &family.help, &family.unit, data));
    }
    metrics
}

/// Bounds and counts per bucket from cumulative counts; the last bucket is open. `None` when the
/// counts fall or are no whole numbers: the point then has its count and sum alone.
fn buckets(steps: &[(f64, Value)], total: u64) -> Option<(Vec<f64>, Vec<u64>)> {
    let (mut bounds, mut counts) = (Vec::new(), Vec::new());
    let mut below = 0;
    for (bound, value) in steps.iter().filter(|(bound, _)| *bound != f64::INFINITY) {
        let cumulative = whole(value.float())?;
        counts.push(cumulative.checked_sub(below)?);
        bounds.push(*bound);
        below = cumulative;
    }
    counts.push(total.checked_sub(below)?);
    Some((bounds, counts))
}

/// A count that came as a float; none when it is no count.
fn whole(value: f64) -> Option<u64> {
    // Above 2^53 a float no longer counts one by one.
    let counts = (0.0..=9_007_199_254_740_992.0).contains(&value) && value.fract() == 0.0;
    counts.then_some(value as u64)
}

fn summary(mut family: Family, starts: &Starts, origin: &Origin) -> Vec<wire::Metric> {
    let (groups, strays) = parts(&mut family, "quantile");
    let point = |(series, part): (String, Parts)| {
        let count = part.count.and_then(whole);
        let quantile = |(quantile, value): &(f64, Value)| {
            // A quantile of nothing is NaN: unknown, so it is left out.
            let (quantile, value) = (*quantile, value.float());
            (!value.is_nan()).then_some(ValueAtQuantile { quantile, value })
        };
        wire::SummaryDataPoint {
            attributes: attributes(&part.labels, Some(origin)),
            start_time_unix_nano: starts.get(&family.name, series),
            time_unix_nano: time(part.at_unix_ns, origin),
            count: count.unwrap_or(0),
            sum: part.sum.unwrap_or(0.0),
            quantile_values: part.steps.iter().filter_map(quantile).collect(),
            flags: if count.is_none() { NO_RECORDED_VALUE } else { 0 },
        }
    };
    let summary = wire::Summary { data_points: groups.into_iter().map(point).collect() };
    let mut metrics = gauges(strays, &family.help, &family.unit, origin);
    if !summary.data_points.is_empty() {
        metrics.push(metric(family.name, &family.help, &family.unit, Data::Summary(summary)));
    }
    metrics
}

fn cumulative() -> i32 {
    wire::AggregationTemporality::Cumulative as i32
}

fn metric(name: String, help: &str, unit: &str, data: Data) -> wire::Metric {
    let (description, unit) = (help.to_owned(), unit.to_owned());
    wire::Metric { name, description, unit, metadata: Vec::new(), data: Some(data) }
}

fn number(sample: Sample, origin: &Origin) -> wire::NumberDataPoint {
    let value = match sample.value {
        Value::Int(value) => Some(wire::number_data_point::Value::AsInt(value)),
        Value::Float(value) if value.is_nan() => None,
        Value::Float(value) => Some(wire::number_data_point::Value::AsDouble(value)),
    };
    wire::NumberDataPoint {
        attributes: attributes(&sample.labels, Some(origin)),
        start_time_unix_nano: 0,
        time_unix_nano: time(sample.at_unix_ns, origin),
        exemplars: sample.exemplar.into_iter().map(|e| exemplar(e, origin)).collect(),
        flags: if value.is_none() { NO_RECORDED_VALUE } else { 0 },
        value,
    }
}

fn exemplar(exemplar: Exemplar, origin: &Origin) -> wire::Exemplar {
    let mut labels = exemplar.labels;
    let mut take = |name: &str| {
        let at = labels.iter().position(|(label, _)| label == name)?;
        Some(labels.remove(at))
    };
    // What is no id stays a label.
    let (trace, span) = (take("trace_id"), take("span_id"));
    let trace_id = trace.as_ref().and_then(|(_, hex)| TraceId::from_hex(hex).ok());
    let span_id = span.as_ref().and_then(|(_, hex)| SpanId::from_hex(hex).ok());
    labels.extend(trace.filter(|_| trace_id.is_none()));
    labels.extend(span.filter(|_| span_id.is_none()));
    wire::Exemplar {
        filtered_attributes: attributes(&labels, None),
        time_unix_nano: time(exemplar.at_unix_ns, origin),
        span_id: span_id.map(|id| id.0.to_vec()).unwrap_or_default(),
        trace_id: trace_id.map(|id| id.0.to_vec()).unwrap_or_default(),
        value: Some(match exemplar.value {
            Value::Int(value) => wire::exemplar::Value::AsInt(value),
            Value::Float(value) => wire::exemplar::Value::AsDouble(value),
        }),
    }
}

fn time(at_unix_ns: Option<i64>, origin: &Origin) -> u64 {
    u64::try_from(at_unix_ns.unwrap_or(origin.at_unix_ns)).unwrap_or(0)
}

/// Labels as attributes. Those of the target win; a label of the page with such a name moves to
/// `exported_…`, as in Prometheus.
fn attributes(labels: &[(String, String)], origin: Option<&Origin>) -> Vec<KeyValue> {
    let of_target = origin.map(|origin| origin.labels.as_slice()).unwrap_or_default();
    let exposed = labels.iter().map(|(name, value)| {
        let taken = of_target.iter().any(|(target, _)| target == name);
        attribute(if taken { format!("exported_{name}") } else { name.clone() }, value)
    });
    exposed.chain(of_target.iter().map(|(name, value)| attribute(name.clone(), value))).collect()
}

fn attribute(key: String, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) };
    KeyValue { key, value: Some(value), ..KeyValue::default() }
}
