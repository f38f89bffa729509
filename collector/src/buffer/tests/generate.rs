//! Any request: prost structs with odd ids, empty messages, deep values, names that mean something
//! and names that do not; and their bytes with unknown fields and fields out of order.

use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, exemplar, exponential_histogram_data_point::Buckets, metric::Data,
    number_data_point, summary_data_point::ValueAtQuantile,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use prost::Message;

use super::NOW;

/// Keys with a meaning that the reference knows too, and some without.
const KEYS: &[&str] = &[
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.system",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "gen_ai.response.finish_reasons",
    "gen_ai.request.stream",
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.input.messages",
    "gen_ai.prompt.0.content",
    "gen_ai.prompt.name",
    "input.value",
    "error.type",
    "server.address",
    "cloud.region",
    "team",
    "user.id",
    "enduser.id",
    "session.id",
    "app.feature",
    "service.name",
    "service.version",
    "deployment.environment.name",
    "deployment.environment",
    "host.name",
    "event.name",
    "content",
    "role",
    "model_name",
    "UUID",
    "tenant.id",
    "k",
    "",
    "ключ",
];

const WORDS: &[&str] = &[
    "",
    " \u{b}",
    "None",
    "chat",
    "invoke_agent",
    "OpenAI",
    "anthropic",
    "gpt-4o",
    "[\"stop\",\"length\"]",
    "12",
    "true",
    "a \"quoted\"\nline\u{1}\\",
    "日本語 🦀",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(WORDS).prop_map(str::to_owned),
        1 => ".{0,12}",
    ]
}

fn value() -> impl Strategy<Value = Option<AnyValue>> {
    let scalar = prop_oneof![
        6 => text().prop_map(Value::StringValue),
        1 => any::<bool>().prop_map(Value::BoolValue),
        3 => prop_oneof![0..5000i64, any::<i64>()].prop_map(Value::IntValue),
        2 => prop::sample::select(vec![0.0, -0.0, 1.0, 0.5, 12345.678, 98765.4321, -0.00325, f64::NAN,
            f64::INFINITY, f64::NEG_INFINITY]).prop_map(Value::DoubleValue),
        1 => vec(any::<u8>(), 0..5).prop_map(Value::BytesValue),
        1 => any::<i32>().prop_map(Value::StringValueStrindex),
    ];
    let nested = scalar.prop_recursive(6, 24, 4, |inner| {
        let some = option::weighted(0.9, inner).prop_map(|value| AnyValue { value });
        prop_oneof![
            vec(some.clone(), 0..4).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            vec((text(), option::weighted(0.9, some)), 0..4).prop_map(|entries| {
                let values = entries
                    .into_iter()
                    .map(|(key, value)| KeyValue { key, value, ..Default::default() })
                    .collect();
                Value::KvlistValue(KeyValueList { values })
            }),
        ]
    });
    option::weighted(0.95, option::weighted(0.95, nested).prop_map(|value| AnyValue { value }))
}

/// A value nested so deep that the walk stops in it, yet prost still reads it.
fn deep() -> AnyValue {
    let leaf = AnyValue { value: Some(Value::StringValue("leaf".to_owned())) };
    (0..36).fold(leaf, |value, _| AnyValue {
        value: Some(Value::ArrayValue(ArrayValue { values: vec![value] })),
    })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let key = prop_oneof![
        8 => prop::sample::select(KEYS).prop_map(str::to_owned),
        1 => ".{0,8}",
    ];
    let value = prop_oneof![30 => value(), 1 => Just(Some(deep()))];
    let attribute = (key, value).prop_map(|(key, value)| KeyValue { key, value, key_strindex: 0 });
    vec(attribute, 0..12)
}

fn id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        20 => vec(any::<u8>(), length),
        1 => Just(vec![0; length]),
        1 => vec(any::<u8>(), 0..20),
    ]
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![
        20 => (NOW as u64 - 10_000_000_000)..(NOW as u64),
        1 => Just(0),
        1 => any::<u64>(),
    ]
}

fn count() -> impl Strategy<Value = u32> {
    prop_oneof![5 => Just(0u32), 1 => any::<u32>()]
}

fn event() -> impl Strategy<Value = Event> {
    let name = prop_oneof![Just("gen_ai.choice".to_owned()), text()];
    (any::<u64>(), name, attributes(), count()).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count)| Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        },
    )
}

fn link() -> impl Strategy<Value = Link> {
    (id(16), id(8), attributes(), count()).prop_map(|(trace_id, span_id, attributes, dropped)| {
        Link {
            trace_id,
            span_id,
            attributes,
            dropped_attributes_count: dropped,
            ..Default::default()
        }
    })
}

pub(super) fn span() -> impl Strategy<Value = Span> {
    (
        (id(16), id(8), prop_oneof![Just(vec![]), id(8)], text(), -1..8i32, time(), time()),
        (attributes(), vec(event(), 0..3), vec(link(), 0..2), count(), count(), count()),
        option::of((text(), -1..4i32)),
        prop_oneof![Just(String::new()), Just("a=b".to_owned())],
    )
        .prop_map(|(head, lists, status, trace_state)| Span {
            trace_id: head.0,
            span_id: head.1,
            parent_span_id: head.2,
            name: head.3,
            kind: head.4,
            start_time_unix_nano: head.5,
            end_time_unix_nano: head.6,
            attributes: lists.0,
            events: lists.1,
            links: lists.2,
            dropped_attributes_count: lists.3,
            dropped_events_count: lists.4,
            dropped_links_count: lists.5,
            status: status.map(|(message, code)| Status { message, code }),
            trace_state,
            flags: 1,
        })
}

fn log_record() -> impl Strategy<Value = LogRecord> {
    let event = prop_oneof![Just("gen_ai.user.message".to_owned()), text()];
    ((time(), time(), -1..30i32, text(), value(), attributes(), count()), (id(16), id(8), event))
        .prop_map(|(a, b)| LogRecord {
            time_unix_nano: a.0,
            observed_time_unix_nano: a.1,
            severity_number: a.2,
            severity_text: a.3,
            body: a.4,
            attributes: a.5,
            dropped_attributes_count: a.6,
            flags: 0,
            trace_id: b.0,
            span_id: b.1,
            event_name: b.2,
        })
}

fn double() -> impl Strategy<Value = f64> {
    prop::sample::select(vec![0.0, -1.5, 0.25, 98765.4321, f64::NAN, f64::INFINITY])
}

fn exemplar() -> impl Strategy<Value = Exemplar> {
    let value = option::of(prop_oneof![
        double().prop_map(exemplar::Value::AsDouble),
        any::<i64>().prop_map(exemplar::Value::AsInt),
    ]);
    (attributes(), any::<u64>(), id(8), id(16), value).prop_map(
        |(filtered_attributes, time_unix_nano, span_id, trace_id, value)| Exemplar {
            filtered_attributes,
            time_unix_nano,
            span_id,
            trace_id,
            value,
        },
    )
}

fn number_point() -> impl Strategy<Value = NumberDataPoint> {
    let value = option::weighted(
        0.9,
        prop_oneof![
            double().prop_map(number_data_point::Value::AsDouble),
            any::<i64>().prop_map(number_data_point::Value::AsInt),
        ],
    );
    let start = prop_oneof![Just(0), time()];
    (attributes(), start, time(), vec(exemplar(), 0..2), 0..4u32, value).prop_map(
        |(attributes, start_time_unix_nano, time_unix_nano, exemplars, flags, value)| {
            NumberDataPoint {
                attributes,
                start_time_unix_nano,
                time_unix_nano,
                exemplars,
                flags,
                value,
            }
        },
    )
}

fn large() -> impl Strategy<Value = u64> {
    prop_oneof![10 => 0..1000u64, 1 => any::<u64>()]
}

fn histogram_point() -> impl Strategy<Value = HistogramDataPoint> {
    (
        (attributes(), time(), large(), option::of(double()), 0..2u32),
        (vec(large(), 0..4), vec(double(), 0..4), option::of(double()), option::of(double())),
    )
        .prop_map(|(a, b)| HistogramDataPoint {
            attributes: a.0,
            start_time_unix_nano: 0,
            time_unix_nano: a.1,
            count: a.2,
            sum: a.3,
            bucket_counts: b.0,
            explicit_bounds: b.1,
            exemplars: vec![],
            flags: a.4,
            min: b.2,
            max: b.3,
        })
}

fn exponential_point() -> impl Strategy<Value = ExponentialHistogramDataPoint> {
    let buckets = || {
        option::of((any::<i32>(), vec(large(), 0..4)))
            .prop_map(|b| b.map(|(offset, bucket_counts)| Buckets { offset, bucket_counts }))
    };
    (attributes(), time(), large(), any::<i32>(), large(), buckets(), buckets(), double()).prop_map(
        |(attributes, time_unix_nano, count, scale, zero_count, positive, negative, threshold)| {
            ExponentialHistogramDataPoint {
                attributes,
                time_unix_nano,
                count,
                scale,
                zero_count,
                positive,
                negative,
                zero_threshold: threshold,
                ..Default::default()
            }
        },
    )
}

fn summary_point() -> impl Strategy<Value = SummaryDataPoint> {
    let quantiles = vec((double(), double()), 0..3).prop_map(|list| {
        list.into_iter().map(|(quantile, value)| ValueAtQuantile { quantile, value }).collect()
    });
    (attributes(), time(), large(), double(), quantiles).prop_map(
        |(attributes, time_unix_nano, count, sum, quantile_values)| SummaryDataPoint {
            attributes,
            start_time_unix_nano: 0,
            time_unix_nano,
            count,
            sum,
            quantile_values,
            flags: 0,
        },
    )
}

fn metric() -> impl Strategy<Value = Metric> {
    let data = prop_oneof![
        vec(number_point(), 0..3).prop_map(|data_points| Data::Gauge(Gauge { data_points })),
        (vec(number_point(), 0..3), -1..4i32, any::<bool>()).prop_map(
            |(data_points, aggregation_temporality, is_monotonic)| {
                Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic })
            }
        ),
        (vec(histogram_point(), 0..3), 0..3i32).prop_map(
            |(data_points, aggregation_temporality)| {
                Data::Histogram(Histogram { data_points, aggregation_temporality })
            }
        ),
        (vec(exponential_point(), 0..3), 0..3i32).prop_map(
            |(data_points, aggregation_temporality)| {
                Data::ExponentialHistogram(ExponentialHistogram {
                    data_points,
                    aggregation_temporality,
                })
            }
        ),
        vec(summary_point(), 0..3).prop_map(|data_points| Data::Summary(Summary { data_points })),
    ];
    (text(), text(), text(), option::weighted(0.95, data)).prop_map(
        |(name, description, unit, data)| Metric {
            name,
            description,
            unit,
            metadata: vec![],
            data,
        },
    )
}

fn resource() -> impl Strategy<Value = Option<Resource>> {
    option::weighted(0.9, (attributes(), count())).prop_map(|some| {
        some.map(|(attributes, dropped_attributes_count)| Resource {
            attributes,
            dropped_attributes_count,
            entity_refs: vec![],
        })
    })
}

fn scope() -> impl Strategy<Value = Option<InstrumentationScope>> {
    let name = prop_oneof![
        Just("opentelemetry.instrumentation.openai_v2".to_owned()),
        Just("com.anthropic.sdk.python".to_owned()),
        text(),
    ];
    option::weighted(0.9, (name, text(), vec(attributes(), 0..2))).prop_map(|some| {
        some.map(|(name, version, attributes)| InstrumentationScope {
            name,
            version,
            attributes: attributes.into_iter().flatten().collect(),
            dropped_attributes_count: 0,
        })
    })
}

fn schema_url() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just("https://opentelemetry.io/schemas/1.40.0".to_owned())]
}

pub(super) fn traces() -> impl Strategy<Value = Vec<ResourceSpans>> {
    let scopes = (scope(), vec(span(), 0..4), schema_url())
        .prop_map(|(scope, spans, schema_url)| ScopeSpans { scope, spans, schema_url });
    let of = (resource(), vec(scopes, 0..3), schema_url()).prop_map(
        |(resource, scope_spans, schema_url)| ResourceSpans { resource, scope_spans, schema_url },
    );
    vec(of, 0..3)
}

pub(super) fn logs() -> impl Strategy<Value = Vec<ResourceLogs>> {
    let scopes = (scope(), vec(log_record(), 0..4), schema_url())
        .prop_map(|(scope, log_records, schema_url)| ScopeLogs { scope, log_records, schema_url });
    let of = (resource(), vec(scopes, 0..3), schema_url()).prop_map(
        |(resource, scope_logs, schema_url)| ResourceLogs { resource, scope_logs, schema_url },
    );
    vec(of, 0..3)
}

pub(super) fn metrics() -> impl Strategy<Value = Vec<ResourceMetrics>> {
    let scopes = (scope(), vec(metric(), 0..4), schema_url())
        .prop_map(|(scope, metrics, schema_url)| ScopeMetrics { scope, metrics, schema_url });
    let of = (resource(), vec(scopes, 0..3), schema_url()).prop_map(
        |(resource, scope_metrics, schema_url)| ResourceMetrics {
            resource,
            scope_metrics,
            schema_url,
        },
    );
    vec(of, 0..3)
}

/// Fields that no version of OTLP has: a varint, bytes, fixed ones, a group with a field in it.
pub(super) fn unknown() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec![
        vec![],
        vec![0xc0, 0x3e, 0x07],
        vec![0xc2, 0x3e, 0x02, 0xff, 0x00],
        vec![0xc5, 0x3e, 1, 2, 3, 4],
        vec![0xc1, 0x3e, 1, 2, 3, 4, 5, 6, 7, 8],
        vec![0xc3, 0x3e, 0x08, 0x01, 0xc4, 0x3e],
    ])
}

fn nested(number: u8, message: Vec<u8>) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    prost::encoding::encode_varint(message.len() as u64, &mut out);
    out.extend(message);
    out
}

/// The bytes of one `Resource*`, with unknown fields on every level and, when `reversed`, what
/// describes a level behind its items.
pub(super) fn group_bytes<G: Message, S: Message, I: Message>(
    describing: &G,
    scopes: Vec<(S, Vec<I>)>,
    unknown: &[u8],
    reversed: bool,
) -> Vec<u8> {
    let join = |head: Vec<u8>, items: Vec<u8>| match reversed {
        true => [items, unknown.to_vec(), head].concat(),
        false => [head, unknown.to_vec(), items].concat(),
    };
    let scopes = scopes.into_iter().flat_map(|(scope, items)| {
        let items = items
            .iter()
            .flat_map(|item| nested(2, [item.encode_to_vec(), unknown.to_vec()].concat()));
        nested(2, join(scope.encode_to_vec(), items.collect()))
    });
    nested(1, join(describing.encode_to_vec(), scopes.collect()))
}
