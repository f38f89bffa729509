//! `metric_increases`: what each point of a counter adds to what was counted before it; a view, read
//! from `metric_points`.

use super::{TENANT, date};
use crate::table::Kind::{Float, Instant, Int, Text, TextMap};
use crate::table::{Column, Table, optional, required};

/// The view.
pub static TABLE: Table = Table {
    name: "metric_increases",
    row: "one point of a counter (a monotonic sum, a histogram or a summary), with what it adds; each such row of metric_points is there once",
    written_by: "nobody: it is a view over metric_points",
    columns: COLUMNS,
    sort_by: &[],
    bloom: &[],
    key: &[],
};

const POINTS: &str = "metric_points";

const COLUMNS: &[Column] = &[
    date("time_unix_ns"),
    TENANT,
    required(
        "series_id",
        Text,
        "32 hex digits",
        "series of the point: tenant, resource, scope, name, unit, kind, temporality and attributes",
        "hash of them; metric_points has it too",
    ),
    required("metric_name", Text, "", "name of the metric", POINTS),
    required("metric_kind", Text, "", "sum, histogram, exponential-histogram or summary", POINTS),
    optional("unit", Text, "UCUM", "unit of the value", POINTS),
    optional("temporality", Text, "", "delta or cumulative", POINTS),
    optional("service_name", Text, "", "service", POINTS),
    optional("scope_name", Text, "", "instrumentation library", POINTS),
    optional("model", Text, "", "model the point is about", POINTS),
    optional("gpu_uuid", Text, "", "GPU the point is about", POINTS),
    optional("host", Text, "", "host", POINTS),
    required("at", Instant, "", "time of the point, the end of the interval", POINTS),
    required("time_unix_ns", Int, "ns since epoch", "time of the point, in full precision", POINTS),
    optional("start_unix_ns", Int, "ns since epoch", "start of the period it covers", POINTS),
    required("received_at", Instant, "", "when it was acknowledged or scraped", POINTS),
    required(
        "increase_basis",
        Text,
        "",
        "delta (the point tells it), cumulative (difference to the point before), reset (begun anew at zero: a new start, or a fall), first (all since the start of the series), duplicate (the same point again, adds nothing), overlap (another value for the same time, not counted) or unknown",
        "OpenTelemetry metrics data model: temporality, resets and gaps, overlap",
    ),
    optional(
        "increase_reason",
        Text,
        "",
        "why the increase is not known, or what is odd about one that is",
        "the same",
    ),
    optional(
        "increase_start_unix_ns",
        Int,
        "ns since epoch",
        "start of the interval the increase is for; it ends with the point",
        "the start of the point, or the time of the point before",
    ),
    optional(
        "previous_unix_ns",
        Int,
        "ns since epoch",
        "time of the point of the series it is counted from",
        "null where the point alone tells the increase",
    ),
    optional(
        "increase",
        Float,
        "the metric's",
        "what a sum increased by; null where it is not known, never zero for that",
        "value, less that of the point before where it is counted from one",
    ),
    optional(
        "increase_int",
        Int,
        "the metric's",
        "the same, exactly, where both points came as integers",
        "value_int",
    ),
    optional(
        "count_increase",
        Int,
        "",
        "observations that a distribution gained",
        "count, exactly",
    ),
    optional(
        "sum_increase",
        Float,
        "the metric's",
        "what the sum of a distribution's observations changed by",
        "sum",
    ),
    optional("value", Float, "the metric's", "value of the point", POINTS),
    optional("value_int", Int, "the metric's", "the same when it came as an integer", POINTS),
    optional("count", Int, "", "observations of the point", POINTS),
    optional("sum", Float, "the metric's", "their sum", POINTS),
    required("metric_attributes", TextMap, "", "attributes of the point", POINTS),
    required("resource_attributes", TextMap, "", "attributes of the resource", POINTS),
];
