//! The figures of the questions, against numbers from elsewhere.

use std::fs;
use std::path::PathBuf;

use arrow::array::{Array, AsArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{Decimal128Type, Float64Type, Int64Type};
use arrow::record_batch::RecordBatch;
use serde_json::{Value, json};
use spanledger_query::{Answer, AskParams, QuerySettings};
use spanledger_schemas::tables::calls;

use crate::fixture::{World, small, world};

async fn ask(world: &World, name: &str, pairs: &[(&str, &str)]) -> (Answer, RecordBatch) {
    let mut params = AskParams::default();
    for (name, value) in pairs {
        params.set(name, value).unwrap();
    }
    let answer = world.service.ask(&world.service.anyone("cli"), name, &params).await.unwrap();
    let rows = concat_batches(&answer.schema, &answer.batches).unwrap();
    (answer, rows)
}

fn text(rows: &RecordBatch, column: &str, row: usize) -> String {
    let column = arrow::compute::cast(&rows[column], &arrow::datatypes::DataType::Utf8).unwrap();
    let column = column.as_string::<i32>();
    if column.is_valid(row) { column.value(row).to_owned() } else { String::new() }
}

fn int(rows: &RecordBatch, column: &str, row: usize) -> i64 {
    rows[column].as_primitive::<Int64Type>().value(row)
}

fn float(rows: &RecordBatch, column: &str, row: usize) -> Option<f64> {
    let column = rows[column].as_primitive::<Float64Type>();
    column.is_valid(row).then(|| column.value(row))
}

fn close(got: f64, want: f64, what: &str) {
    assert!((got - want).abs() <= 1e-9 * want.abs(), "{what}: {got} against {want}");
}

#[tokio::test]
async fn spend_adds_exactly_and_never_counts_unknown_as_zero() {
    let world = small().await;
    let (answer, rows) = ask(&world, "spend", &[]).await;
    assert_eq!(rows.num_rows(), 2);
    assert_eq!(text(&rows, "model", 0), "gpt-4o");
    // 0.1 + 10⁻¹⁸, in units of 10⁻¹⁸.
    let cost = rows["cost"].as_primitive::<Decimal128Type>();
    assert_eq!(cost.value(0), 100_000_000_000_000_001);
    assert!(cost.is_null(1), "an unpriced model has no cost, not none");
    assert_eq!((int(&rows, "calls", 0), int(&rows, "unpriced_calls", 1)), (2, 1));
    assert_eq!(float(&rows, "priced_share", 1), Some(0.0));
    assert_eq!(int(&rows, "input_tokens", 0), 1500);
    assert!(rows["reasoning_tokens"].is_null(0));
    let unit = answer.schema.index_of("input_tokens").unwrap();
    assert_eq!(answer.units[unit], Some("tokens"));
    assert_eq!(answer.coverage.calls, 3);
}

#[tokio::test]
async fn spend_has_steps_filters_and_no_mixed_currencies() {
    let call = |span: &str, at: &str, cost: &str, currency: &str| {
        json!({"span_id": span, "model": "m", "team": "a", "started_at": at, "date": &at[..10],
               "cost": cost, "currency": currency, "price_state": "priced"})
    };
    let rows = vec![
        call("0000000000000001", "2026-10-31T23:59:59Z", "1", "USD"),
        call("0000000000000002", "2026-11-01T00:00:00Z", "2", "USD"),
        call("0000000000000003", "2026-11-30T23:59:59Z", "4", "USD"),
        call("0000000000000004", "2026-12-01T00:00:00Z", "8", "EUR"),
    ];
    let world = world(QuerySettings::default(), &[(&calls::TABLE, rows)]).await;
    let whole = |rows: &RecordBatch, row| {
        let cost = rows["cost"].as_primitive::<Decimal128Type>();
        cost.is_valid(row).then(|| cost.value(row) / 10i128.pow(18))
    };
    let (_, months) = ask(&world, "spend", &[("by", ""), ("grain", "1mo")]).await;
    let costs: Vec<_> = (0..months.num_rows()).map(|row| whole(&months, row)).collect();
    assert_eq!(costs, [Some(1), Some(6), Some(8)]);
    assert!(text(&months, "time", 1).starts_with("2026-11-01T00:00:00"));

    let (_, all) = ask(&world, "spend", &[("by", "")]).await;
    assert_eq!((whole(&all, 0), text(&all, "currency", 0)), (None, "mixed".to_owned()));
    let (_, by) = ask(&world, "spend", &[("by", "currency")]).await;
    assert_eq!((whole(&by, 0), whole(&by, 1)), (Some(8), Some(7)));
    let (_, window) = ask(&world, "spend", &[("from", "2026-11-01"), ("to", "2026-12-01")]).await;
    assert_eq!(whole(&window, 0), Some(6));
    let (_, none) = ask(&world, "spend", &[("filter", "team=b"), ("by", "")]).await;
    assert_eq!(none.num_rows(), 0);
}

fn llmperf(name: &str) -> (Vec<Value>, Value) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/llmperf_2023");
    let lines = fs::read_to_string(folder.join(format!("{name}.jsonl"))).unwrap();
    let summary = fs::read(folder.join(format!("summary/{name}.json"))).unwrap();
    let call = |(i, line): (usize, &str)| {
        let request: Value = serde_json::from_str(line).unwrap();
        let failed = !request["error_code"].is_null();
        let ms = |field: &str| request[field].as_f64().map(|s| s * 1e3);
        json!({
            "span_id": format!("{:016x}", i + 1),
            "model": name,
            "started_at": "2026-11-24T10:00:00Z",
            "duration_ms": ms("end_to_end_latency_s").unwrap_or(0.0),
            "ttft_ms": ms("ttft_s"),
            "status_code": if failed { "error" } else { "ok" },
        })
    };
    let calls = lines.lines().enumerate().map(call).collect();
    (calls, serde_json::from_slice(&summary).unwrap())
}

#[tokio::test]
async fn percentiles_are_those_that_llmperf_published() {
    let (together, together_summary) = llmperf("together_7b");
    let (lepton, lepton_summary) = llmperf("lepton_70b");
    let rows = [together, lepton].concat();
    let world = world(QuerySettings::default(), &[(&calls::TABLE, rows)]).await;
    for (model, summary) in [("together_7b", together_summary), ("lepton_70b", lepton_summary)] {
        let published = |field: &str| summary[format!("results_{field}")].as_f64().unwrap() * 1e3;
        let filter = format!("model={model}");
        let (_, rows) = ask(&world, "latency", &[("filter", &filter)]).await;
        for p in ["50", "90", "95", "99"] {
            let got = float(&rows, &format!("duration_p{p}_ms"), 0).unwrap();
            close(got, published(&format!("end_to_end_latency_s_quantiles_p{p}")), model);
        }
        for p in ["50", "95"] {
            let got = float(&rows, &format!("ttft_p{p}_ms"), 0).unwrap();
            close(got, published(&format!("ttft_s_quantiles_p{p}")), model);
        }
        let failed = summary["results_number_errors"].as_i64().unwrap();
        assert_eq!(int(&rows, "errors", 0), failed, "{model}");

        // The quartiles too, by the function that the question uses.
        let sql = format!(
            "SELECT quantiles(duration_ms, 0.75, 0.25) FROM calls \
             WHERE model = '{model}' AND status_code <> 'error'"
        );
        let (_, body) = crate::http::sql(&world, json!({"query": sql})).await;
        let quartile = |i: usize| body["rows"][0][0][i].as_f64().unwrap();
        close(quartile(0), published("end_to_end_latency_s_quantiles_p75"), model);
        close(quartile(1), published("end_to_end_latency_s_quantiles_p25"), model);
    }
}

/// Calls of a window, built as the script beside [`drift_scores_are_those_of_scipy`] builds them.
fn window(model: &str, hour: u64, tokens: impl Fn(u64) -> (u64, u64, &'static str)) -> Vec<Value> {
    let call = |i: u64| {
        let (output, input, finish) = tokens(i);
        json!({
            "span_id": format!("{:016x}", 1 + i + hour * 1000 + u64::from(model.as_bytes()[0]) * 100_000),
            "model": model,
            "started_at": format!("2026-11-24T{hour:02}:{:02}:00Z", i % 60),
            "output_tokens": output,
            "input_tokens": input,
            "duration_ms": (i * 53 % 397) as f64 + 0.25,
            "finish_reason": finish,
        })
    };
    (0..400).map(call).collect()
}

// numpy 2.3 and scipy 1.16:
//   def score(r, c):
//       B = len(r); pr = (r+.5)/(r.sum()+.5*B); pc = (c+.5)/(c.sum()+.5*B)
//       return ((pc-pr)*np.log(pc/pr)).sum(), jensenshannon(r/r.sum(), c/c.sum(), base=2)**2, B
//   def num(ref, cur):
//       e = np.percentile(ref, np.arange(10, 100, 10)); bin = lambda x: np.searchsorted(e, x, side='right')
//       bins = sorted(set(bin(ref)) | set(bin(cur)))
//       return score(np.array([(bin(ref)==b).sum() for b in bins]), np.array([(bin(cur)==b).sum() for b in bins]))
//   i = np.arange(400)
//   num(i*37%401, i*37%401//2+150)                             → 2.0609112789515134 0.2587814877063859 10
//   num(np.where(i%4==0,1000,i%7), np.where(i%3==0,1000,i%7))  → 0.034570010581751194 0.006321542711529534 8
//   num(i*53%397+.25, i*53%397+.25)                            → 0 0 10
//   score([300,100,0], [250,100,50])                           → 0.5973984246938484 0.0666042296095924 3
#[tokio::test]
async fn drift_scores_are_those_of_scipy() {
    let finish = |stop: u64, i: u64| match i {
        i if i < stop => "stop",
        i if i < stop + 100 => "length",
        _ => "content_filter",
    };
    let reference =
        window("m", 10, |i| (i * 37 % 401, if i % 4 == 0 { 1000 } else { i % 7 }, finish(300, i)));
    let current = window("m", 11, |i| {
        (i * 37 % 401 / 2 + 150, if i % 3 == 0 { 1000 } else { i % 7 }, finish(250, i))
    });
    // A model that only came up in the current window, and one with too few calls.
    let newcomer = window("n", 11, |i| (i, i, "stop"));
    let few = window("f", 10, |i| (i, i, "stop"))[..199].to_vec();
    let few_now = window("f", 11, |i| (i, i, "stop"));
    let rows = [reference, current, newcomer, few, few_now].concat();
    let world = world(QuerySettings::default(), &[(&calls::TABLE, rows)]).await;

    let range = [("from", "2026-11-24T11:00:00Z"), ("to", "2026-11-24T12:00:00Z")];
    let (answer, rows) = ask(&world, "drift", &range).await;
    assert_eq!(rows.num_rows(), 12, "4 metrics of 3 models");
    let row = |model: &str, metric: &str| {
        let mut all = 0..rows.num_rows();
        all.find(|row| text(&rows, "model", *row) == model && text(&rows, "metric", *row) == metric)
            .unwrap()
    };
    for (metric, psi, jsd, bins, verdict) in [
        ("output_tokens", 2.0609112789515134, 0.2587814877063859, 10, "shifted"),
        ("input_tokens", 0.034570010581751194, 0.006321542711529534, 8, "stable"),
        ("finish_reason", 0.5973984246938484, 0.0666042296095924, 3, "shifted"),
        ("duration_ms", 0.0, 0.0, 10, "stable"),
    ] {
        let row = row("m", metric);
        assert_eq!(int(&rows, "bins", row), bins, "{metric}");
        close(float(&rows, "psi", row).unwrap(), psi, metric);
        close(float(&rows, "jsd", row).unwrap(), jsd, metric);
        assert_eq!(text(&rows, "verdict", row), verdict, "{metric}");
        assert_eq!(int(&rows, "reference_values", row), 400);
        assert_eq!(int(&rows, "current_values", row), 400);
    }
    for (model, reference) in [("n", 0), ("f", 199)] {
        let row = row(model, "output_tokens");
        assert_eq!(int(&rows, "reference_values", row), reference, "{model}");
        assert_eq!(int(&rows, "current_values", row), 400, "{model}");
        assert_eq!((float(&rows, "psi", row), float(&rows, "jsd", row)), (None, None), "{model}");
        assert_eq!(text(&rows, "verdict", row), "too few values", "{model}");
    }
    assert_eq!(answer.coverage.calls, 1200, "of the current window");

    // The windows the other way round, and over all models at once.
    let swapped = [
        ("from", "2026-11-24T10:00:00Z"),
        ("to", "2026-11-24T11:00:00Z"),
        ("reference_from", "2026-11-24T11:00:00Z"),
        ("reference_to", "2026-11-24T12:00:00Z"),
        ("by", ""),
    ];
    let (_, rows) = ask(&world, "drift", &swapped).await;
    assert_eq!(rows.num_rows(), 4);
    assert_eq!(int(&rows, "reference_values", 0), 1200);
}

#[tokio::test]
async fn windows_that_overlap_are_refused() {
    let world = small().await;
    let mut params = AskParams::default();
    for (name, value) in [
        ("from", "2026-11-24"),
        ("to", "2026-11-25"),
        ("reference_from", "2026-11-23"),
        ("reference_to", "2026-11-24T00:00:01Z"),
    ] {
        params.set(name, value).unwrap();
    }
    let refused = world.service.ask(&world.service.anyone("cli"), "drift", &params).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("reference_to")));
}
