//! `metric_points`: numbers over time from OTLP metrics and Prometheus scrapes.

use super::{TENANT, date};
use crate::table::Kind::{Bool, Float, FloatList, Instant, Int, IntList, Text, TextMap};
use crate::table::{Column, Table, optional, required};

/// The table.
pub static TABLE: Table = Table {
    name: "metric_points",
    row: "one data point of a metric (GPU, inference server or application)",
    written_by: "collector",
    columns: COLUMNS,
    sort_by: &["metric_name", "time_unix_ns"],
    bloom: &[],
    key: &[],
};

const COLUMNS: &[Column] = &[
    date("time_unix_ns"),
    TENANT,
    required("metric_name", Text, "", "name of the metric", "OTLP name; Prometheus metric family"),
    required(
        "metric_kind",
        Text,
        "",
        "gauge, sum, histogram, exponential-histogram or summary",
        "OTLP data; Prometheus TYPE (counter is sum, untyped is gauge)",
    ),
    optional("unit", Text, "UCUM", "unit of the value", "OTLP unit; OpenMetrics UNIT"),
    optional(
        "description",
        Text,
        "",
        "what the metric says it is",
        "OTLP description; Prometheus HELP",
    ),
    optional(
        "temporality",
        Text,
        "",
        "delta or cumulative",
        "OTLP aggregation_temporality; cumulative for Prometheus",
    ),
    optional("monotonic", Bool, "", "whether a sum only grows", "OTLP is_monotonic"),
    optional(
        "start_unix_ns",
        Int,
        "ns since epoch",
        "start of the period a sum or histogram covers",
        "OTLP start_time_unix_nano",
    ),
    required("at", Instant, "", "time of the point", "OTLP time_unix_nano; time of the scrape"),
    required(
        "time_unix_ns",
        Int,
        "ns since epoch",
        "time of the point, in full precision",
        "OTLP time_unix_nano",
    ),
    required(
        "received_at",
        Instant,
        "",
        "when it was acknowledged or scraped",
        "clock of the collector",
    ),
    optional("value", Float, "the metric's", "value of a gauge or sum", "OTLP as_double or as_int"),
    optional(
        "value_int",
        Int,
        "the metric's",
        "the same when it came as an integer, exactly",
        "OTLP as_int",
    ),
    optional("count", Int, "", "number of observations of a distribution", "OTLP count"),
    optional("sum", Float, "the metric's", "sum of the observations", "OTLP sum"),
    optional("min", Float, "the metric's", "smallest observation", "OTLP min"),
    optional("max", Float, "the metric's", "largest observation", "OTLP max"),
    optional(
        "bucket_bounds",
        FloatList,
        "the metric's",
        "upper bounds of a histogram's buckets, the last one open",
        "OTLP explicit_bounds",
    ),
    optional("bucket_counts", IntList, "", "observations per bucket", "OTLP bucket_counts"),
    optional(
        "detail",
        Text,
        "JSON",
        "exponential histogram ({scale, zero_count, zero_threshold, positive, negative}) or summary ({quantiles})",
        "OTLP",
    ),
    optional(
        "exemplars",
        Text,
        "JSON",
        "list of {value, time_unix_ns, trace_id, span_id, attributes}",
        "OTLP exemplars",
    ),
    required("no_value", Bool, "", "the point says that no value was recorded", "OTLP flags bit 0"),
    optional("service_name", Text, "", "service", "service.name"),
    optional("scope_name", Text, "", "instrumentation library", "OTLP scope.name"),
    optional(
        "model",
        Text,
        "",
        "model the point is about",
        "gen_ai.response.model, gen_ai.request.model, model_name",
    ),
    optional("gpu_uuid", Text, "", "GPU the point is about", "UUID of dcgm-exporter; hw.id"),
    optional("host", Text, "", "host", "host.name, Hostname of dcgm-exporter"),
    required(
        "metric_attributes",
        TextMap,
        "",
        "attributes of the point; labels of a scrape",
        "OTLP attributes",
    ),
    required(
        "resource_attributes",
        TextMap,
        "",
        "attributes of the resource; job and instance of a scrape",
        "OTLP resource.attributes",
    ),
];
