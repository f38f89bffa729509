//! Measures pricing: ten million calls, in batches as settle has them, through one pricer on one core.
//! Prints calls/s by the clock and by the time the thread had a core. The calls are of eight models with caches, tiers and
//! bands, in runs and mixed, with text as settle has it and as queries have it; reading and writing
//! tables is left out.
//!
//! `cargo bench --bench pricing -- [--calls N]`

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement fails loudly and prints what it measured"
)]

use std::sync::Arc;
use std::time::Instant;

use ahash::RandomState;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use spanledger_ledger::prices::{PriceBook, Pricer, deciding_columns, price_columns};
use spanledger_schemas::{Kind, tables};

/// Rows of a batch: what DataFusion hands on.
const BATCH: usize = 8_192;

/// 2026-11-20T00:00:00Z
const START_NS: i64 = 1_795_132_800_000_000_000;

const MODELS: [(&str, &str, Option<&str>); 8] = [
    ("openai", "gpt-4o", None),
    ("openai", "gpt-5.5", Some("flex")),
    ("openai", "gpt-4o-mini", None),
    ("anthropic", "claude-sonnet-5", None),
    ("anthropic", "claude-sonnet-4-5", Some("batch")),
    ("gcp.gemini", "gemini-2.5-flash", None),
    ("gcp.gemini", "gemini-2.5-pro", None),
    ("aws.bedrock", "us.anthropic.claude-sonnet-5-v1:0", None),
];

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let at = args.iter().position(|a| a == "--calls");
    let calls = at.and_then(|i| args.get(i + 1)?.parse().ok()).unwrap_or(10_000_000);
    // In runs of 512, as a table sorted by model has them; every call the next model; at random.
    let in_runs = |i: usize| i / 512 % MODELS.len();
    let in_turn = |i: usize| i % MODELS.len();
    let random = RandomState::with_seeds(1, 2, 3, 4);
    let at_random = |i: usize| random.hash_one(i) as usize % MODELS.len();
    let orders: [(&str, &dyn Fn(usize) -> usize); 3] =
        [("in runs", &in_runs), ("in turn", &in_turn), ("at random", &at_random)];
    let types = [DataType::Utf8, DataType::Utf8View];
    let book = PriceBook::bundled().unwrap();
    for ((what, order), text) in orders.iter().flat_map(|o| types.iter().map(move |t| (o, t))) {
        let batch = batch(order, text);
        let mut pricer = Pricer::new(Arc::clone(&book));
        let priced = price_columns(&mut pricer, &batch).unwrap();
        let states = &priced.price_state;
        assert!(states.iter().all(|state| state == Some("priced")), "a call has no price");
        let (started, worked) = (Instant::now(), work_seconds());
        for _ in 0..usize::div_ceil(calls, BATCH) {
            std::hint::black_box(price_columns(&mut pricer, &batch).unwrap());
        }
        let (seconds, worked) = (started.elapsed().as_secs_f64(), work_seconds() - worked);
        println!(
            "{what}, {text}: {calls} calls in {seconds:.2} s, {:.0} calls/s; {worked:.2} s on the \
             core, {:.0} calls/s",
            calls as f64 / seconds,
            calls as f64 / worked
        );
    }
}

/// Seconds this thread was on a core, without those in which others had it (Linux).
fn work_seconds() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    told.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// Calls of all models, in this order of the models, with this type of text.
fn batch(order: &dyn Fn(usize) -> usize, text: &DataType) -> RecordBatch {
    let model = |i: usize| MODELS[order(i)];
    let texts = |of: &dyn Fn(usize) -> Option<&'static str>| -> ArrayRef {
        cast(&(0..BATCH).map(of).collect::<StringArray>(), text).unwrap()
    };
    let ints = |of: &dyn Fn(i64) -> i64| -> ArrayRef {
        Arc::new((0..BATCH as i64).map(|i| Some(of(i))).collect::<Int64Array>())
    };
    let columns = deciding_columns().map(|name| {
        let kind = tables::calls::TABLE.column(name).map_or(Kind::Text, |column| column.kind);
        let column = match name {
            "tenant" => texts(&|_| Some("default")),
            "usage_basis" => texts(&|_| Some("inclusive")),
            "provider" => texts(&|i| Some(model(i).0)),
            "request_model" => texts(&|i| Some(model(i).1)),
            "service_tier" => texts(&|i| model(i).2),
            "start_unix_ns" => ints(&|i| START_NS + i * 1_000_000),
            "input_tokens" => ints(&|i| 2_000 + i * 17 % 300_000),
            "cache_read_tokens" => ints(&|i| i * 7 % 1_500),
            "output_tokens" => ints(&|i| 50 + i * 13 % 4_000),
            _ if kind == Kind::Int => new_null_array(&DataType::Int64, BATCH),
            _ if kind == Kind::Float => new_null_array(&DataType::Float64, BATCH),
            _ if kind == Kind::Bool => new_null_array(&DataType::Boolean, BATCH),
            _ => new_null_array(text, BATCH),
        };
        (Field::new(name, column.data_type().clone(), true), column)
    });
    let (fields, columns): (Vec<_>, Vec<_>) = columns.unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}
