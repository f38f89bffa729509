//! Rows of `metric_points`, from OTLP points and from whoever else has numbers over time: the
//! Prometheus scraper fills a [`MetricPointRow`] by itself.

use std::borrow::Cow;
use std::fmt::Write as _;

use arrow::array::{
    BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, ListBuilder, RecordBatch,
    StringBuilder,
};
use spanledger_schemas::{tables, time};

use super::attribute_maps::{Emptied, LeftOut, PreparedMap, TextMaps, scope_entries};
use super::columns::{Instants, batch, done, float_lists, int_lists, said};
use super::spans::{JsonList, Receipt, write_hex};
use crate::decode::{
    ATTRIBUTE_BYTES_MAX, Attribute, Exponential, Group, MetricKind, MetricView, Number, PointView,
    Quantile, Resource, Value, write_json_double, write_json_map,
};
use crate::normalise::{Names, ResourceFacts};

/// One data point as the table has it. Columns that follow from attributes (`model`, `gpu_uuid`,
/// `host`, `date`, `at`) are not here: appending works them out.
#[derive(Debug, Clone, Copy)]
pub struct MetricPointRow<'a> {
    /// Name of the metric; for Prometheus the metric family.
    pub metric_name: &'a str,
    /// Which kind; a Prometheus counter is a sum, an untyped family a gauge.
    pub kind: MetricKind,
    /// UCUM unit.
    pub unit: Option<&'a str>,
    /// What the metric says it is.
    pub description: Option<&'a str>,
    /// `delta` or `cumulative`.
    pub temporality: Option<&'a str>,
    /// Whether a sum only grows.
    pub monotonic: Option<bool>,
    /// Start of the period, nanoseconds since the epoch.
    pub start_unix_ns: Option<i64>,
    /// Time of the point, nanoseconds since the epoch.
    pub time_unix_ns: i64,
    /// When it was acknowledged or scraped, nanoseconds since the epoch.
    pub received_unix_ns: i64,
    /// Value of a gauge or sum.
    pub value: Option<f64>,
    /// The same when it came as an integer.
    pub value_int: Option<i64>,
    /// Observations of a distribution.
    pub count: Option<i64>,
    /// Their sum.
    pub sum: Option<f64>,
    /// The smallest.
    pub min: Option<f64>,
    /// The largest.
    pub max: Option<f64>,
    /// Upper bounds of the buckets, the last one open.
    pub bucket_bounds: Option<&'a [f64]>,
    /// Observations per bucket, not cumulated, one more than bounds; each at most `i64::MAX`.
    pub bucket_counts: Option<&'a [u64]>,
    /// JSON of an exponential histogram or a summary, as the schema draws it.
    pub detail: Option<&'a str>,
    /// JSON list of exemplars.
    pub exemplars: Option<&'a str>,
    /// The point says that no value was recorded.
    pub no_value: bool,
    /// Service.
    pub service_name: Option<&'a str>,
    /// Instrumentation library.
    pub scope_name: Option<&'a str>,
    /// Attributes of the point, labels of a scrape.
    pub attributes: &'a [Attribute<'a>],
}

impl<'a> MetricPointRow<'a> {
    /// A row of one number, to be completed by `..`: the other fields are empty.
    pub fn number(metric_name: &'a str, kind: MetricKind, time_unix_ns: i64, value: f64) -> Self {
        Self {
            metric_name,
            kind,
            unit: None,
            description: None,
            temporality: None,
            monotonic: None,
            start_unix_ns: None,
            time_unix_ns,
            received_unix_ns: time_unix_ns,
            value: Some(value),
            value_int: None,
            count: None,
            sum: None,
            min: None,
            max: None,
            bucket_bounds: None,
            bucket_counts: None,
            detail: None,
            exemplars: None,
            no_value: false,
            service_name: None,
            scope_name: None,
            attributes: &[],
        }
    }
}

/// What a group says about all its points.
#[derive(Debug)]
pub(super) struct PointGroup<'a> {
    service_name: Option<Cow<'a, str>>,
    scope_name: &'a str,
    host: Option<Cow<'a, str>>,
    resource_map: PreparedMap<'a>,
    scope_entries: Vec<(Cow<'a, str>, Option<Cow<'a, str>>)>,
}

impl<'a> PointGroup<'a> {
    pub(super) fn of(names: &Names, group: &Group<'a, '_>) -> Self {
        let facts = ResourceFacts::of(names, group.resource);
        Self {
            service_name: facts.service_name,
            scope_name: group.scope.name,
            host: facts.host,
            resource_map: PreparedMap::of_resource(group.resource, &[]),
            scope_entries: scope_entries(group.scope),
        }
    }
}

/// Columns of `metric_points`, in the order of the schema.
#[derive(Debug)]
pub(super) struct PointColumns {
    pub(super) rows: usize,
    pub(super) bytes: usize,
    json: String,
    date: Date32Builder,
    tenant: StringBuilder,
    metric_name: StringBuilder,
    metric_kind: StringBuilder,
    unit: StringBuilder,
    description: StringBuilder,
    temporality: StringBuilder,
    monotonic: BooleanBuilder,
    start_unix_ns: Int64Builder,
    at: Instants,
    time_unix_ns: Int64Builder,
    received_at: Instants,
    value: Float64Builder,
    value_int: Int64Builder,
    count: Int64Builder,
    sum: Float64Builder,
    min: Float64Builder,
    max: Float64Builder,
    bucket_bounds: ListBuilder<Float64Builder>,
    bucket_counts: ListBuilder<Int64Builder>,
    detail: StringBuilder,
    exemplars: StringBuilder,
    no_value: BooleanBuilder,
    service_name: StringBuilder,
    scope_name: StringBuilder,
    model: StringBuilder,
    gpu_uuid: StringBuilder,
    host: StringBuilder,
    metric_attributes: TextMaps,
    resource_attributes: TextMaps,
}

impl Default for PointColumns {
    fn default() -> Self {
        Self {
            rows: 0,
            bytes: 0,
            json: String::new(),
            date: Date32Builder::new(),
            tenant: StringBuilder::new(),
            metric_name: StringBuilder::new(),
            metric_kind: StringBuilder::new(),
            unit: StringBuilder::new(),
            description: StringBuilder::new(),
            temporality: StringBuilder::new(),
            monotonic: BooleanBuilder::new(),
            start_unix_ns: Int64Builder::new(),
            at: Instants::default(),
            time_unix_ns: Int64Builder::new(),
            received_at: Instants::default(),
            value: Float64Builder::new(),
            value_int: Int64Builder::new(),
            count: Int64Builder::new(),
            sum: Float64Builder::new(),
            min: Float64Builder::new(),
            max: Float64Builder::new(),
            bucket_bounds: float_lists(),
            bucket_counts: int_lists(),
            detail: StringBuilder::new(),
            exemplars: StringBuilder::new(),
            no_value: BooleanBuilder::new(),
            service_name: StringBuilder::new(),
            scope_name: StringBuilder::new(),
            model: StringBuilder::new(),
            gpu_uuid: StringBuilder::new(),
            host: StringBuilder::new(),
            metric_attributes: TextMaps::default(),
            resource_attributes: TextMaps::default(),
        }
    }
}

impl PointColumns {
    /// Appends an OTLP point.
    pub(super) fn append_point<'a>(
        &mut self,
        receipt: &Receipt<'_>,
        group: &PointGroup<'a>,
        metric: &MetricView<'a>,
        point: &PointView<'a, '_>,
    ) {
        let mut left_out = LeftOut::default();
        let mut exemplars = std::mem::take(&mut self.json);
        let exemplar_list = write_exemplars(point, &mut exemplars, &mut left_out);
        let detail =
            point.exponential.map(exponential_json).or_else(|| point.quantiles.map(summary_json));
        let row = MetricPointRow {
            metric_name: metric.name,
            kind: metric.kind,
            unit: said(metric.unit),
            description: said(metric.description),
            temporality: metric.temporality,
            monotonic: metric.monotonic,
            start_unix_ns: point.start_unix_ns,
            time_unix_ns: point.time_unix_ns,
            received_unix_ns: receipt.received_unix_ns,
            value: point.value.map(|number| match number {
                Number::Int(int) => int as f64,
                Number::Double(double) => double,
            }),
            value_int: match point.value {
                Some(Number::Int(int)) => Some(int),
                _ => None,
            },
            count: point.count,
            sum: point.sum,
            min: point.min,
            max: point.max,
            bucket_bounds: point.bounds,
            bucket_counts: point.counts,
            detail: detail.as_deref(),
            exemplars: exemplar_list,
            no_value: point.no_value,
            service_name: group.service_name.as_deref(),
            scope_name: said(group.scope_name),
            attributes: point.attributes,
        };
        let host = group.host.as_deref();
        self.append(receipt.tenant, &row, host, &group.scope_entries, left_out);
        self.bytes += self.resource_attributes.append_prepared(&group.resource_map);
        self.json = exemplars;
    }

    /// Appends a row that did not come by OTLP.
    pub(super) fn append_row(
        &mut self,
        tenant: &str,
        row: &MetricPointRow<'_>,
        resource: &[Attribute<'_>],
    ) {
        let resource = Resource { attributes: resource.to_vec(), ..Resource::default() };
        let host = ResourceFacts::of(&Names::shared(), &resource).host;
        self.append(tenant, row, host.as_deref(), &[], LeftOut::default());
        let map = PreparedMap::of_resource(&resource, &[]);
        self.bytes += self.resource_attributes.append_prepared(&map);
    }

    /// Everything but the resource's attributes.
    fn append(
        &mut self,
        tenant: &str,
        row: &MetricPointRow<'_>,
        host: Option<&str>,
        extra: &[(Cow<'_, str>, Option<Cow<'_, str>>)],
        left_out: LeftOut,
    ) {
        self.date.append_value(time::day(row.time_unix_ns));
        self.tenant.append_value(tenant);
        self.metric_name.append_value(row.metric_name);
        self.metric_kind.append_value(row.kind.word());
        self.unit.append_option(row.unit);
        self.description.append_option(row.description);
        self.temporality.append_option(row.temporality);
        self.monotonic.append_option(row.monotonic);
        self.start_unix_ns.append_option(row.start_unix_ns);
        self.at.append_ns(row.time_unix_ns);
        self.time_unix_ns.append_value(row.time_unix_ns);
        self.received_at.append_ns(row.received_unix_ns);
        self.value.append_option(row.value);
        self.value_int.append_option(row.value_int);
        self.count.append_option(row.count);
        self.sum.append_option(row.sum);
        self.min.append_option(row.min);
        self.max.append_option(row.max);
        if let Some(bounds) = row.bucket_bounds {
            self.bucket_bounds.values().append_slice(bounds);
        }
        self.bucket_bounds.append(row.bucket_bounds.is_some());
        for count in row.bucket_counts.unwrap_or_default() {
            self.bucket_counts.values().append_value(*count as i64);
        }
        self.bucket_counts.append(row.bucket_counts.is_some());
        self.detail.append_option(row.detail);
        self.exemplars.append_option(row.exemplars);
        self.no_value.append_value(row.no_value);
        self.service_name.append_option(row.service_name);
        self.scope_name.append_option(row.scope_name);
        let named = |keys: &[&str]| {
            keys.iter().find_map(|key| match row.attributes.iter().find(|a| a.key == *key)?.value {
                Value::Text(text) => said(text),
                _ => None,
            })
        };
        let models = ["gen_ai.response.model", "gen_ai.request.model", "model_name"];
        self.model.append_option(named(&models));
        self.gpu_uuid.append_option(named(&["UUID", "hw.id"]));
        self.host.append_option(named(&["Hostname", "host.name"]).or(host));
        let (bytes, _) = self.metric_attributes.append_attributes(
            row.attributes,
            &Emptied::default(),
            extra,
            ATTRIBUTE_BYTES_MAX,
            |_, _| true,
            left_out,
        );
        self.rows += 1;
        let lists = row.bucket_bounds.map_or(0, <[f64]>::len) * 16;
        let texts = [row.detail, row.exemplars, row.description];
        let texts: usize = texts.iter().flatten().map(|t| t.len()).sum();
        // Fixed widths and short texts of the typed columns come to about 250 bytes.
        self.bytes += 250 + bytes + lists + texts;
    }

    pub(super) fn finish(mut self) -> RecordBatch {
        batch(
            &tables::metric_points::TABLE,
            vec![
                done(&mut self.date),
                done(&mut self.tenant),
                done(&mut self.metric_name),
                done(&mut self.metric_kind),
                done(&mut self.unit),
                done(&mut self.description),
                done(&mut self.temporality),
                done(&mut self.monotonic),
                done(&mut self.start_unix_ns),
                self.at.finish(),
                done(&mut self.time_unix_ns),
                self.received_at.finish(),
                done(&mut self.value),
                done(&mut self.value_int),
                done(&mut self.count),
                done(&mut self.sum),
                done(&mut self.min),
                done(&mut self.max),
                done(&mut self.bucket_bounds),
                done(&mut self.bucket_counts),
                done(&mut self.detail),
                done(&mut self.exemplars),
                done(&mut self.no_value),
                done(&mut self.service_name),
                done(&mut self.scope_name),
                done(&mut self.model),
                done(&mut self.gpu_uuid),
                done(&mut self.host),
                self.metric_attributes.finish(),
                self.resource_attributes.finish(),
            ],
        )
    }
}

/// `[{value, time_unix_ns, trace_id, span_id, attributes}]`
fn write_exemplars<'j>(
    point: &PointView<'_, '_>,
    json: &'j mut String,
    left_out: &mut LeftOut,
) -> Option<&'j str> {
    let mut list = JsonList::start(json);
    for exemplar in point.exemplars {
        list.item(left_out, |json| {
            json.push_str("{\"value\":");
            match exemplar.value {
                None => json.push_str("null"),
                Some(Number::Int(int)) => Value::Int(int).write_json(json),
                Some(Number::Double(double)) => write_json_double(double, json),
            }
            // Writing to a String cannot fail.
            let _ = write!(json, ",\"time_unix_ns\":{},\"trace_id\":\"", exemplar.time_unix_ns);
            write_hex(exemplar.trace_id, json);
            json.push_str("\",\"span_id\":\"");
            write_hex(exemplar.span_id, json);
            json.push_str("\",\"attributes\":");
            write_json_map(point.exemplar_attributes(exemplar).iter().copied(), json);
            json.push('}');
        });
    }
    list.end()
}

/// `{scale, zero_count, zero_threshold, positive, negative}`
fn exponential_json(buckets: Exponential<'_>) -> String {
    let mut json = String::new();
    // Writing to a String cannot fail.
    let _ = write!(json, "{{\"scale\":{},\"zero_count\":{}", buckets.scale, buckets.zero_count);
    json.push_str(",\"zero_threshold\":");
    write_json_double(buckets.zero_threshold, &mut json);
    for (name, (offset, counts)) in [("positive", buckets.positive), ("negative", buckets.negative)]
    {
        let _ = write!(json, ",\"{name}\":{{\"offset\":{offset},\"bucket_counts\":[");
        for (i, count) in counts.iter().enumerate() {
            let _ = write!(json, "{}{count}", if i > 0 { "," } else { "" });
        }
        json.push_str("]}");
    }
    json.push('}');
    json
}

/// `{quantiles: [{quantile, value}]}`
fn summary_json(quantiles: &[Quantile]) -> String {
    let mut json = String::from("{\"quantiles\":[");
    for (i, q) in quantiles.iter().enumerate() {
        json.push_str(if i > 0 { ",{\"quantile\":" } else { "{\"quantile\":" });
        write_json_double(q.quantile, &mut json);
        json.push_str(",\"value\":");
        write_json_double(q.value, &mut json);
        json.push('}');
    }
    json.push_str("]}");
    json
}
