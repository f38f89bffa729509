//! What scraping promises, on real pages and against a live server. Numbers of samples are those
//! of prometheus_client 0.26's parsers (Python) on the same files:
//! `sum(len(f.samples) for f in text_string_to_metric_families(page))`, and by `f.type`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::get;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1 as wire;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;
use proptest::prelude::*;
use prost::Message;

use super::exposition::{Family, Grammar, Kind, parse};
use super::otlp::{Origin, request};
use super::scraper::{Scraper, read, scrape};
use super::target::{Checked, ScrapeSettings, Target, TargetError, check};

const DCGM: &str = include_str!("fixtures/dcgm-h100x8.prom");
const VLLM: &str = include_str!("fixtures/vllm-v1-idle.prom");

/// An example of the OpenMetrics 1.0 specification (section "Overall structure", in part), with
/// the exemplars of its section on exemplars.
const OPEN_METRICS: &str = r#"# TYPE acme_http_router_request_seconds summary
# UNIT acme_http_router_request_seconds seconds
# HELP acme_http_router_request_seconds Latency though all of ACME's HTTP request router.
acme_http_router_request_seconds_sum{path="/api/v1",method="GET"} 9036.32
acme_http_router_request_seconds_count{path="/api/v1",method="GET"} 807283.0
acme_http_router_request_seconds_created{path="/api/v1",method="GET"} 1605281325.0
# TYPE process_cpu_seconds counter
# UNIT process_cpu_seconds seconds
# HELP process_cpu_seconds Total user and system CPU time spent in seconds.
process_cpu_seconds_total 4.20072246e+06
process_cpu_seconds_created 1605281325.5
# TYPE foo histogram
foo_bucket{le="0.01"} 0
foo_bucket{le="0.1"} 8 # {} 0.054
foo_bucket{le="1"} 11 # {trace_id="5b8efff798038103d269b633813fc60c",k="v"} 0.67 1520879607.789
foo_bucket{le="10"} 17 # {trace_id="oHg5SJYRHA0"} 9.8 1520879607.789
foo_bucket{le="+Inf"} 17
foo_count 17
foo_sum 324789.3
foo_created 1520430000.123
# EOF
"#;

fn origin() -> Origin {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Origin {
        resource: vec![pair("job", "gpus"), pair("instance", "gpu-7:9400")],
        labels: vec![pair("rack", "r1")],
        at_unix_ns: 1_700_000_000_000_000_000,
    }
}

/// Metrics of a page by name.
fn metrics(page: &str, grammar: Grammar) -> BTreeMap<String, wire::Metric> {
    let page = request(parse(page, grammar).unwrap(), &origin());
    by_name(&page)
}

fn by_name(request: &ExportMetricsServiceRequest) -> BTreeMap<String, wire::Metric> {
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    let named: BTreeMap<_, _> = metrics.iter().map(|m| (m.name.clone(), m.clone())).collect();
    assert_eq!(named.len(), metrics.len(), "a metric is there twice");
    named
}

fn numbers(metric: &wire::Metric) -> &[wire::NumberDataPoint] {
    match metric.data.as_ref().unwrap() {
        Data::Gauge(gauge) => &gauge.data_points,
        Data::Sum(sum) => &sum.data_points,
        other => panic!("{}: {other:?}", metric.name),
    }
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text),
        _ => None,
    }
}

fn samples(families: &[Family], kind: Option<Kind>) -> usize {
    let of_kind = families.iter().filter(|f| kind.is_none_or(|kind| f.kind == kind));
    of_kind.map(|family| family.samples.len()).sum()
}

/// The pages of the data folder, if it is beside the project.
#[test]
fn every_real_page_is_read_whole() {
    use Kind::{Counter, Gauge, Histogram};
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/gpu/exposition");
    type File = (&'static str, usize, &'static [(Kind, usize)]);
    let expected: [File; 10] = [
        ("aibrix_runtime_doc", 29, &[(Gauge, 9), (Counter, 4), (Histogram, 16)]),
        // Python forgets a TYPE that does not stand right before its samples; we do not.
        ("dcgm_a100_mig_and_t4__cloud_native_docs", 24, &[]),
        ("dcgm_h100x8_vllm_pod__nvidia_aicr", 30, &[(Kind::Unknown, 30)]),
        ("dcgm_l4__kops", 23, &[(Gauge, 19), (Counter, 4)]),
        ("dcgm_readme__dcgm_exporter", 6, &[]),
        ("dcgm_t4__rafay", 17, &[(Gauge, 16), (Counter, 1)]),
        ("dcgm_vgpu_grid__vks_v1.35", 11, &[(Gauge, 11)]),
        (
            "dynamo_system_metrics_example",
            20,
            &[(Gauge, 1), (Counter, 4), (Histogram, 14), (Kind::Unknown, 1)],
        ),
        ("triton_vllm_backend_readme", 26, &[(Counter, 2), (Histogram, 24)]),
        ("vllm_v1_qwen2.5-0.5b_idle__kops", 395, &[(Counter, 32), (Gauge, 51), (Histogram, 312)]),
    ];
    for (name, all, by_kind) in expected {
        let path = folder.join(format!("{name}.prom"));
        let Ok(page) = std::fs::read_to_string(&path) else {
            eprintln!("skipped: {} is not there", path.display());
            continue;
        };
        let families = parse(&page, Grammar::Text).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(samples(&families, None), all, "{name}");
        for (kind, count) in by_kind {
            assert_eq!(samples(&families, Some(*kind)), *count, "{name}: {kind:?}");
        }
    }
}

#[test]
fn the_blank_of_dcgm_is_dropped_and_counted() {
    // Three lines of NVIDIA's documentation (cloud-native-docs, Apache-2.0), blank after the comma.
    let page = "DCGM_FI_DEV_SM_CLOCK{gpu=\"0\", UUID=\"GPU-604ac76c\"} 139\n\
                DCGM_FI_DEV_MEMORY_TEMP{gpu=\"0\", UUID=\"GPU-604ac76c\"} 9223372036854775794\n\
                other_counter 9223372036854775794\n";
    let page = read(page.into(), Grammar::Text).unwrap();
    assert_eq!((page.samples, page.blanks), (3, 1));
}

#[test]
fn labels_of_a_gpu_stay_as_they_are() {
    let families = parse(DCGM, Grammar::Text).unwrap();
    assert_eq!(samples(&families, None), 30);
    let metrics = metrics(DCGM, Grammar::Text);
    let temperature = &numbers(&metrics["DCGM_FI_DEV_GPU_TEMP"])[0];
    assert_eq!(temperature.value, Some(number_data_point::Value::AsInt(30)));
    assert_eq!(temperature.time_unix_nano, 1_700_000_000_000_000_000);
    for (key, value) in [
        ("UUID", "GPU-c4529c8d-69c4-b61d-e0bc-7b2460096005"),
        ("modelName", "NVIDIA H100 80GB HBM3"),
        ("pod", "vllm-agg-0-vllmdecodeworker-s65j5"),
        ("pod_uid", ""),
        ("rack", "r1"),
    ] {
        assert_eq!(text(&temperature.attributes, key), Some(value), "{key}");
    }
    let power = &numbers(&metrics["DCGM_FI_DEV_POWER_USAGE"])[0];
    assert_eq!(power.value, Some(number_data_point::Value::AsDouble(113.611)));
}

#[test]
fn vllm_counters_and_histograms_start_when_they_were_created() {
    let families = parse(VLLM, Grammar::Text).unwrap();
    assert_eq!(samples(&families, None), 41);
    let metrics = metrics(VLLM, Grammar::Text);
    let Some(Data::Sum(tokens)) = &metrics["vllm:prompt_tokens_total"].data else { panic!() };
    assert!(tokens.is_monotonic);
    assert_eq!(tokens.aggregation_temporality, wire::AggregationTemporality::Cumulative as i32);
    // vllm:prompt_tokens_created is 1.7740114612876017e+09 s.
    assert_eq!(tokens.data_points[0].start_time_unix_nano, 1_774_011_461_287_601_700);
    assert!(!metrics.contains_key("vllm:prompt_tokens_created"));
    let Some(Data::Histogram(ttft)) = &metrics["vllm:time_to_first_token_seconds"].data else {
        panic!()
    };
    let point = &ttft.data_points[0];
    // 23 buckets with +Inf, all empty.
    assert_eq!((point.explicit_bounds.len(), point.bucket_counts.len()), (22, 23));
    assert_eq!((point.count, point.sum), (0, Some(0.0)));
    assert_eq!(point.start_time_unix_nano, 1_774_011_461_288_040_900);
    assert_eq!(text(&point.attributes, "model_name"), Some("Qwen/Qwen2.5-0.5B-Instruct"));
    assert_eq!(text(&point.attributes, "le"), None);
    // Nothing says when the interpreter's counters started.
    let gc = &numbers(&metrics["python_gc_objects_collected_total"])[0];
    assert_eq!(gc.start_time_unix_nano, 0);
    assert_eq!(metrics["process_start_time_seconds"].unit, "");
}

#[test]
fn cumulative_buckets_become_counts_per_bucket() {
    let histogram = |page: &str| {
        let metrics = metrics(page, Grammar::Text);
        match metrics["t"].data.clone().unwrap() {
            Data::Histogram(histogram) => histogram.data_points[0].clone(),
            other => panic!("{other:?}"),
        }
    };
    // The line order is of no matter; le="+Inf" is the count where there is no _count.
    let point = histogram(
        "# TYPE t histogram\nt_bucket{le=\"+Inf\"} 15\nt_bucket{le=\"0.5\"} 14.0\n\
         t_bucket{le=\"0.01\"} 10\nt_sum 0.045\n",
    );
    assert_eq!(point.explicit_bounds, [0.01, 0.5]);
    assert_eq!(point.bucket_counts, [10, 4, 1]);
    assert_eq!((point.count, point.sum), (15, Some(0.045)));
    // Counts that fall are no histogram: count and sum stay, buckets are unknown.
    let falling = histogram(
        "# TYPE t histogram\nt_bucket{le=\"1\"} 5\nt_bucket{le=\"2\"} 4\n\
         t_bucket{le=\"+Inf\"} 6\nt_count 6\nt_sum 7\n",
    );
    assert_eq!((falling.bucket_counts.len(), falling.explicit_bounds.len()), (0, 0));
    assert_eq!((falling.count, falling.sum), (6, Some(7.0)));
}

#[test]
fn open_metrics_of_the_specification_are_read() {
    let metrics = metrics(OPEN_METRICS, Grammar::OpenMetrics);
    let names: Vec<_> = metrics.keys().map(String::as_str).collect();
    assert_eq!(names, ["acme_http_router_request_seconds", "foo", "process_cpu_seconds_total"]);
    let cpu = &metrics["process_cpu_seconds_total"];
    assert_eq!((cpu.unit.as_str(), cpu.description.len()), ("seconds", 48));
    assert_eq!(numbers(cpu)[0].start_time_unix_nano, 1_605_281_325_500_000_000);
    let Some(Data::Summary(summary)) = &metrics["acme_http_router_request_seconds"].data else {
        panic!()
    };
    let point = &summary.data_points[0];
    assert_eq!((point.count, point.sum), (807_283, 9_036.32));
    assert_eq!(point.start_time_unix_nano, 1_605_281_325_000_000_000);
    let Some(Data::Histogram(foo)) = &metrics["foo"].data else { panic!() };
    let point = &foo.data_points[0];
    assert_eq!(point.bucket_counts, [0, 8, 3, 6, 0]);
    assert_eq!(point.start_time_unix_nano, 1_520_430_000_123_000_000);
    assert_eq!(point.exemplars.len(), 3);
    let example = &point.exemplars[1];
    assert_eq!(example.trace_id[..2], [0x5b, 0x8e]);
    assert_eq!(example.time_unix_nano, 1_520_879_607_789_000_000);
    assert_eq!(text(&example.filtered_attributes, "k"), Some("v"));
    // What is no trace id of ours stays a label.
    let other = &point.exemplars[2];
    assert_eq!(
        (other.trace_id.len(), text(&other.filtered_attributes, "trace_id")),
        (0, Some("oHg5SJYRHA0"))
    );
}

#[test]
fn quantiles_escapes_timestamps_and_odd_numbers_are_read() {
    // The example of Prometheus' "Exposition formats" page, in part.
    let page = r#"
# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9
metric_without_timestamp_and_labels 12.47
something_weird{problem="division by zero"} +Inf -3982045
empty NaN
{"my.dotted.metric", "error.type"="x", rack="own"} 1
# TYPE rpc_duration_seconds summary
rpc_duration_seconds{quantile="0.01"} 3102
rpc_duration_seconds{quantile="0.5"} NaN
rpc_duration_seconds_sum 1.7560473e+07
rpc_duration_seconds_count 2693
"#;
    let metrics = metrics(page, Grammar::Text);
    let requests = &numbers(&metrics["http_requests_total"])[0];
    assert_eq!(requests.time_unix_nano, 1_395_066_363_000_000_000);
    let msdos = &numbers(&metrics["msdos_file_access_time_seconds"])[0].attributes;
    assert_eq!(text(msdos, "path"), Some(r"C:\DIR\FILE.TXT"));
    assert_eq!(text(msdos, "error"), Some("Cannot find file:\n\"FILE.TXT\""));
    let weird = &numbers(&metrics["something_weird"])[0];
    assert_eq!(weird.value, Some(number_data_point::Value::AsDouble(f64::INFINITY)));
    let empty = &numbers(&metrics["empty"])[0];
    assert_eq!((empty.value, empty.flags), (None, 1));
    let dotted = &numbers(&metrics["my.dotted.metric"])[0].attributes;
    assert_eq!(text(dotted, "error.type"), Some("x"));
    assert_eq!(text(dotted, "exported_rack"), Some("own"));
    assert_eq!(text(dotted, "rack"), Some("r1"));
    let Some(Data::Summary(rpc)) = &metrics["rpc_duration_seconds"].data else { panic!() };
    let point = &rpc.data_points[0];
    assert_eq!((point.count, point.sum), (2693, 17_560_473.0));
    let quantiles: Vec<_> = point.quantile_values.iter().map(|q| (q.quantile, q.value)).collect();
    assert_eq!(quantiles, [(0.01, 3102.0)]);
}

#[test]
fn a_malformed_line_is_named_with_its_number() {
    let check = |page: &str, grammar: Grammar, expected: &str| {
        assert_eq!(parse(page, grammar).unwrap_err().to_string(), expected);
    };
    let text = Grammar::Text;
    check("up 1\nup{a=\"b} 2\n", text, "line 2 `up{a=\"b} 2`: expected a closing quote");
    check(
        "<html>",
        text,
        "line 1 `<html>`: expected a metric name of letters, digits, `_` and `:`",
    );
    check("a one", text, "line 1 `a one`: expected a number");
    check("a 1 x", text, "line 1 `a 1 x`: expected a timestamp");
    check("a 1 2 3", text, "line 1 `a 1 2 3`: expected a value and at most a timestamp");
    check("a{b=\"1\",b=\"2\"} 1", text, "line 1 `a{b=\"1\",b=\"2\"} 1`: expected each label once");
    check("# TYPE a gage", text, "line 1 `# TYPE a gage`: expected a metric type such as `gauge`");
    let open = Grammar::OpenMetrics;
    check("a 1\n", open, "line 2 ``: expected `# EOF` at the end; the answer was cut off");
    check("# EOF\na 1\n", open, "line 2 `a 1`: expected nothing after `# EOF`");
}

#[test]
fn targets_are_checked_and_their_tokens_hidden() {
    let settings = r#"{"targets": [{"url": "http://gpu-7/metrics", "job": "gpus",
        "interval": "5s", "labels": {"rack": "r1"}, "bearer_token": "s3cret"}]}"#;
    let settings: ScrapeSettings = serde_json::from_str(settings).unwrap();
    assert!(!format!("{settings:?}").contains("s3cret"));
    assert!(!serde_json::to_string(&settings).unwrap().contains("s3cret"));
    let checked = check(settings.targets).unwrap();
    assert_eq!(checked[0].instance, "gpu-7:80");
    // The default timeout of 10 s is cut to the interval.
    assert_eq!(checked[0].target.timeout, Duration::from_secs(5));
    for url in ["gpu-7:9400", "ftp://gpu-7/", "/metrics", "http://me:pw@gpu-7/"] {
        let error = check(vec![Target::new(url)]).unwrap_err();
        assert!(matches!(error, TargetError::Url { .. }), "{url}");
        assert!(!error.to_string().contains("pw"), "{error}");
    }
    let unknown =
        serde_json::from_str::<ScrapeSettings>(r#"{"targets":[{"url":"x","intervall":"1s"}]}"#);
    assert!(unknown.is_err());
}

/// A server with one page per way an exporter can behave; gives its address.
async fn exporter() -> String {
    let plain = |page: &'static str| move || async move { page };
    let endless = || async {
        let chunk = Bytes::from(vec![b'#'; 1 << 20]);
        let chunks = futures::stream::repeat_with(move || Ok::<_, Infallible>(chunk.clone()));
        Body::from_stream(chunks)
    };
    let slow = || async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        ""
    };
    let guarded = |headers: HeaderMap| async move {
        match headers.get(header::AUTHORIZATION) {
            Some(token) if token == "Bearer s3cret" => (StatusCode::OK, "guarded 1\n"),
            _ => (StatusCode::UNAUTHORIZED, "who are you?"),
        }
    };
    let open = || async {
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        ([(header::CONTENT_TYPE, kind)], OPEN_METRICS)
    };
    let app = Router::new()
        .route("/dcgm", get(plain(DCGM)))
        .route("/open", get(open))
        .route("/guarded", get(guarded))
        .route("/slow", get(slow))
        .route("/broken", get(plain("good 1\nbad{ 2\n")))
        .layer(tower_http::compression::CompressionLayer::new())
        // Behind the layer: compressing without end would be the test's slowest part.
        .route("/endless", get(endless));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{address}")
}

fn target(url: String, token: Option<&str>) -> Checked {
    let mut target = Target::new(&url);
    if url.ends_with("/slow") {
        target.timeout = Duration::from_millis(1_500);
    }
    target.bearer_token = token.map(|token| super::Secret(token.to_owned()));
    check(vec![target]).unwrap().remove(0)
}

fn int(metric: &wire::Metric) -> i64 {
    match numbers(metric)[0].value {
        Some(number_data_point::Value::AsInt(value)) => value,
        other => panic!("{}: {other:?}", metric.name),
    }
}

#[tokio::test]
async fn each_way_of_answering_is_told_apart() {
    let server = exporter().await;
    let client = reqwest::Client::builder().build().unwrap();
    let outcome = async |path: &str, token: Option<&str>| {
        let (request, page) = scrape(&target(format!("{server}{path}"), token), &client).await;
        let metrics = by_name(&request);
        let said = (int(&metrics["up"]), int(&metrics["scrape_samples_scraped"]));
        assert!(metrics.contains_key("scrape_duration_seconds"));
        (said, metrics.len(), page.map(|page| page.samples).map_err(|e| e.to_string()))
    };
    let ((up, samples), _, page) = outcome("/dcgm", None).await;
    assert_eq!((up, samples, page), (1, 30, Ok(30)));
    // OPEN_METRICS has 13 samples, of which three metrics are made; three are the scrape's own.
    let (said, metrics, _) = outcome("/open", None).await;
    assert_eq!((said, metrics), ((1, 13), 6));
    assert_eq!(outcome("/guarded", Some("s3cret")).await.0, (1, 1));
    for (path, why) in [
        ("/guarded", "the answer is 401 Unauthorized, expected 200"),
        ("/slow", "no answer within 1.5s"),
        ("/endless", "the answer has more than 33554432 bytes"),
        (
            "/broken",
            "the answer's line 2 `bad{ 2`: expected a label name of letters, digits and `_`",
        ),
    ] {
        // Nothing of a failed scrape comes through but that it failed.
        assert_eq!(outcome(path, None).await, ((0, 0), 3, Err(why.to_owned())), "{path}");
    }
    let nobody = scrape(&target("http://127.0.0.1:9".to_owned(), None), &client).await;
    assert!(nobody.1.is_err());
}

#[tokio::test]
async fn a_failing_target_stops_no_other_and_requests_are_whole() {
    let server = exporter().await;
    let targets = ["/slow", "/broken", "/dcgm"].map(|path| {
        let mut target = Target::new(&format!("{server}{path}"));
        target.job = path.trim_start_matches('/').to_owned();
        target.interval = Duration::from_secs(1);
        target
    });
    let taken: Arc<Mutex<Vec<Bytes>>> = Arc::default();
    let submit = {
        let taken = Arc::clone(&taken);
        move |body: Bytes| {
            taken.lock().unwrap().push(body);
            async { Err::<(), _>("full") }
        }
    };
    let scraper = Scraper::new(ScrapeSettings { targets: targets.into() }).unwrap();
    // First scrapes come within a second; the slow target's timeout is its interval.
    scraper.run(submit, tokio::time::sleep(Duration::from_millis(4_500))).await;
    let taken = taken.lock().unwrap().clone();
    let mut ups: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for body in taken {
        let request = ExportMetricsServiceRequest::decode(body).unwrap();
        let resource = request.resource_metrics[0].resource.clone().unwrap().attributes;
        let job = text(&resource, "job").unwrap().to_owned();
        assert_eq!(text(&resource, "service.name"), Some(job.as_str()));
        assert!(server.ends_with(text(&resource, "instance").unwrap()));
        ups.entry(job).or_default().push(int(&by_name(&request)["up"]));
    }
    for (job, up) in [("slow", 0), ("broken", 0), ("dcgm", 1)] {
        let seen = &ups[job];
        assert!(seen.len() >= 2 && seen.iter().all(|value| *value == up), "{job}: {seen:?}");
    }
}

proptest! {
    #[test]
    fn no_page_makes_the_parser_panic(page in "([a-z_:{}=\"\\\\,# \n\t0-9+.eNaIf]|\\PC){0,200}") {
        for grammar in [Grammar::Text, Grammar::OpenMetrics] {
            for page in [page.clone(), format!("# TYPE a histogram\na_bucket{{le={page}\n# EOF")] {
                if let Ok(families) = parse(&page, grammar) {
                    let _ = request(families, &origin());
                }
            }
        }
    }
}
