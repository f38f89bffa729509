//! Tests of the whole job on a real store: spans go in by commits, rows of `calls` come out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::prelude::SessionContext;
use proptest::prelude::*;
use serde_json::{Value, json};
use spanledger_schemas::Table;
use spanledger_schemas::tables::{calls, log_records, span_verdicts, spans};
use spanledger_store::{Store, Txn};

use super::{SettleSettings, Settler, settled_until};
use crate::prices::import_bundled;

mod twins;

/// 2026-11-20T10:00:00Z, when the first span of every test starts.
const T0_S: i64 = 1_795_168_800;

/// A span with what it says; columns not named are null or plain.
fn span(trace: u8, id: u8, parent: u8, says: Value) -> Value {
    let mut row = json!({
        "tenant": "acme",
        "trace_id": format!("{trace:032x}"),
        "span_id": format!("{id:016x}"),
        "name": "s", "kind": "internal", "status_code": "ok", "span_role": "other",
        "start_s": T0_S, "received_s": T0_S + 1, "duration_ns": 2_000_000_000i64,
    });
    if parent > 0 {
        row["parent_span_id"] = format!("{parent:016x}").into();
    }
    for (key, value) in says.as_object().unwrap() {
        row[key] = value.clone();
    }
    row
}

/// A call of Claude Sonnet 5 with a million input tokens: $2.
fn call(trace: u8, id: u8, parent: u8) -> Value {
    span(trace, id, parent, inference(1_000_000))
}

fn inference(input_tokens: i64) -> Value {
    json!({
        "span_role": "call", "operation": "chat", "provider": "anthropic",
        "request_model": "claude-sonnet-5", "usage_basis": "inclusive",
        "input_tokens": input_tokens, "input_uncached_tokens": input_tokens, "output_tokens": 0,
    })
}

/// Rows as a batch of a table.
fn batch(table: &'static Table, rows: &[Value]) -> RecordBatch {
    let schema = table.arrow_schema();
    let column = |field: &arrow::datatypes::Field| -> ArrayRef {
        let name = field.name().as_str();
        let number = |f: &dyn Fn(&Value) -> Option<i64>| -> ArrayRef {
            Arc::new(rows.iter().map(f).collect::<arrow::array::Int64Array>())
        };
        let column = match (name, field.data_type()) {
            ("date", _) => {
                let days = rows.iter().map(|r| (r["start_s"].as_i64().unwrap() / 86_400) as i32);
                Arc::new(days.map(Some).collect::<arrow::array::Date32Array>())
            }
            ("start_unix_ns", _) => number(&|r| Some(r["start_s"].as_i64()? * 1_000_000_000)),
            ("time_unix_ns", _) => number(&|r| Some(r["start_s"].as_i64()? * 1_000_000_000)),
            ("at", _) => number(&|r| Some(r["start_s"].as_i64()? * 1_000_000)),
            (_, DataType::Boolean) => {
                let flags = rows.iter().map(|r| r[name].as_bool());
                Arc::new(flags.collect::<arrow::array::BooleanArray>())
            }
            ("start_at", _) => number(&|r| Some(r["start_s"].as_i64()? * 1_000_000)),
            ("received_at", _) => number(&|r| Some(r["received_s"].as_i64()? * 1_000_000)),
            (_, DataType::Int64) => number(&|r| r[name].as_i64()),
            (_, DataType::Float64) => {
                let numbers = rows.iter().map(|r| r[name].as_f64());
                Arc::new(numbers.collect::<arrow::array::Float64Array>())
            }
            (_, DataType::Utf8) => {
                let texts = rows.iter().map(|r| r[name].as_str());
                Arc::new(texts.collect::<arrow::array::StringArray>())
            }
            (_, DataType::Map(entry, _)) => {
                let DataType::Struct(_) = entry.data_type() else { unreachable!() };
                let entries = new_null_array(field.data_type(), 0).as_map().entries().clone();
                let offsets = arrow::buffer::OffsetBuffer::new_zeroed(rows.len());
                Arc::new(arrow::array::MapArray::new(entry.clone(), offsets, entries, None, false))
            }
            (_, other) => new_null_array(other, rows.len()),
        };
        cast(&column, field.data_type()).unwrap()
    };
    let columns = schema.fields().iter().map(|f| column(f)).collect();
    RecordBatch::try_new(schema, columns).unwrap()
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

struct House {
    store: Store,
    settler: Settler,
    settings: SettleSettings,
    commits: i64,
    folder: tempfile::TempDir,
}

impl House {
    async fn new() -> House {
        House::with(SettleSettings::default()).await
    }

    async fn with(settings: SettleSettings) -> House {
        // The prices are imported once; every house starts from a copy of that folder.
        static PRICED: tokio::sync::OnceCell<tempfile::TempDir> =
            tokio::sync::OnceCell::const_new();
        let priced = PRICED.get_or_init(|| async {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(folder.path()).await.unwrap();
            import_bundled(&store).await.unwrap();
            folder
        });
        let folder = tempfile::tempdir().unwrap();
        copy(priced.await.path(), folder.path());
        let store = Store::open(folder.path()).await.unwrap();
        let settler = Settler::new(store.clone(), settings.clone(), jiff::Timestamp::now);
        House { store, settler, settings, commits: 0, folder }
    }

    async fn receive(&mut self, rows: &[Value]) {
        self.commits += 1;
        let txn = Txn { app: "test".into(), version: self.commits };
        let table = &spans::TABLE;
        self.store.append(table, batch(table, rows), Some(txn)).await.unwrap();
    }

    async fn receive_records(&mut self, rows: &[Value]) {
        let table = &log_records::TABLE;
        self.store.append(table, batch(table, rows), None).await.unwrap();
    }

    /// A round at so many seconds after the start.
    async fn round(&self, second: i64) -> super::Round {
        let now = jiff::Timestamp::from_second(T0_S + second).unwrap();
        self.settler.run_once(now).await.unwrap()
    }

    /// The process dies and another one opens the folder.
    fn restart(&mut self) {
        let (store, settings) = (self.store.clone(), self.settings.clone());
        self.settler = Settler::new(store, settings, jiff::Timestamp::now);
    }

    /// The rows of `calls` by trace and span, with some of their columns as text.
    async fn calls(&self, columns: &[&str]) -> BTreeMap<(u8, u8), Vec<String>> {
        self.rows(&calls::TABLE, columns).await
    }

    /// The same of `span_verdicts`.
    async fn verdicts(&self, columns: &[&str]) -> BTreeMap<(u8, u8), Vec<String>> {
        self.rows(&span_verdicts::TABLE, columns).await
    }

    async fn rows(
        &self,
        table: &'static Table,
        columns: &[&str],
    ) -> BTreeMap<(u8, u8), Vec<String>> {
        let table = self.store.snapshot().await.unwrap().provider(table);
        let rows = SessionContext::new().read_table(table).unwrap().collect().await.unwrap();
        let mut found = BTreeMap::new();
        for batch in rows {
            let text =
                |name: &str| cast(batch.column_by_name(name).unwrap(), &DataType::Utf8).unwrap();
            let id = |name: &str, i: usize| {
                u8::from_str_radix(&text(name).as_string::<i32>().value(i)[14..], 16).unwrap()
            };
            for i in 0..batch.num_rows() {
                let trace = text("trace_id");
                let trace = u8::from_str_radix(&trace.as_string::<i32>().value(i)[30..], 16);
                let said = columns.iter().map(|c| {
                    let column = text(c);
                    let column = column.as_string::<i32>();
                    let value = column.iter().nth(i).flatten().unwrap_or("null");
                    match value.contains('.') {
                        true => value.trim_end_matches('0').trim_end_matches('.').to_owned(),
                        false => value.to_owned(),
                    }
                });
                let key = (trace.unwrap(), id("span_id", i));
                assert!(found.insert(key, said.collect()).is_none(), "{key:?} is there twice");
            }
        }
        found
    }
}

fn expect(rows: &[((u8, u8), &[&str])]) -> BTreeMap<(u8, u8), Vec<String>> {
    rows.iter().map(|(k, v)| (*k, v.iter().map(|t| (*t).to_owned()).collect())).collect()
}

#[tokio::test]
async fn quiet_trace_becomes_priced_calls_with_their_owner() {
    let mut house = House::new().await;
    let root = span(1, 1, 0, json!({ "team": "search", "user_id": "ann" }));
    let wrapper = span(1, 2, 1, inference(1_000_000));
    let failed = span(
        1,
        4,
        1,
        json!({ "span_role": "call", "status_code": "error", "error_type": "timeout",
                "user_id": "bob", "provider": "anthropic", "request_model": "claude-sonnet-5" }),
    );
    house.receive(&[root, wrapper, call(1, 3, 2), failed]).await;
    // Received at second 1: at second 15 it has been quiet for 14, at second 16 for 15.
    assert_eq!(house.round(15).await.written, 0);
    assert_eq!(house.settler.status().open_traces, 1);
    assert_eq!(house.round(16).await.written, 2);
    let columns =
        ["team", "user_id", "cost", "price_state", "price_reason", "state", "duration_ms"];
    let reason = "no usage was reported";
    let expected = expect(&[
        ((1, 3), &["search", "ann", "2", "priced", "null", "settled", "2000"]),
        ((1, 4), &["search", "bob", "null", "unpriced", reason, "settled", "2000"]),
    ]);
    assert_eq!(house.calls(&columns).await, expected);
    let status = house.settler.status();
    assert_eq!(status.open_traces, 0);
    assert_eq!(status.settled_until.unwrap().as_second(), T0_S + 1);
    let told = settled_until(&house.store).await.unwrap().unwrap();
    assert_eq!(told.as_second(), T0_S + 1);
}

#[tokio::test]
async fn usage_that_a_library_guessed_is_shown_and_not_priced() {
    let mut house = House::new().await;
    let mut guessed = call(1, 2, 0);
    guessed["usage_basis"] = "estimated".into();
    for leaf in ["input_tokens", "output_tokens", "input_uncached_tokens", "output_text_tokens"] {
        guessed[leaf] = Value::Null;
    }
    guessed["reported_input_tokens"] = 40.into();
    house.receive(&[guessed]).await;
    house.round(20).await;
    let reason = "usage is the library's own estimate: shown, not priced";
    let expected = expect(&[((1, 2), &["null", "unpriced", reason, "estimated"])]);
    let columns = ["cost", "price_state", "price_reason", "usage_basis"];
    assert_eq!(house.calls(&columns).await, expected);
}

#[tokio::test]
async fn late_root_gives_its_team_to_calls_that_are_settled() {
    let mut house = House::new().await;
    house.receive(&[call(1, 2, 1), call(2, 2, 1)]).await;
    house.round(20).await;
    let unowned = expect(&[((1, 2), &["null", "2"]), ((2, 2), &["null", "2"])]);
    assert_eq!(house.calls(&["team", "cost"]).await, unowned);
    // The root of the first trace arrives a minute later: one row is replaced, none added.
    house.receive(&[span(1, 1, 0, json!({ "team": "search", "received_s": T0_S + 60 }))]).await;
    let round = house.round(80).await;
    assert_eq!((round.written, round.replaced), (1, 1));
    let owned = expect(&[((1, 2), &["search", "2"]), ((2, 2), &["null", "2"])]);
    assert_eq!(house.calls(&["team", "cost"]).await, owned);
}

#[tokio::test]
async fn late_child_turns_a_call_into_a_wrapper() {
    let mut house = House::new().await;
    house.receive(&[call(1, 1, 0)]).await;
    house.round(20).await;
    assert_eq!(house.calls(&[]).await.into_keys().collect::<Vec<_>>(), [(1, 1)]);
    let mut child = call(1, 2, 1);
    child["received_s"] = (T0_S + 60).into();
    house.receive(&[child]).await;
    house.round(80).await;
    assert_eq!(house.calls(&[]).await.into_keys().collect::<Vec<_>>(), [(1, 2)]);
}

#[tokio::test]
async fn further_call_of_a_settled_trace_is_added_and_nothing_rewritten() {
    let mut house = House::new().await;
    house.receive(&[call(1, 2, 1)]).await;
    house.round(20).await;
    let mut further = call(1, 3, 1);
    further["received_s"] = (T0_S + 60).into();
    house.receive(&[further]).await;
    let round = house.round(80).await;
    assert_eq!((round.written, round.replaced), (1, 0));
    assert_eq!(house.calls(&[]).await.len(), 2);
}

#[tokio::test]
async fn restart_neither_loses_nor_doubles() {
    let mut house = House::new().await;
    // One trace is settled, one is open when the process dies, one comes while it is down.
    house.receive(&[call(1, 2, 1)]).await;
    house.round(20).await;
    let mut open = call(2, 2, 1);
    open["received_s"] = (T0_S + 25).into();
    house.receive(&[open]).await;
    house.round(30).await;
    house.restart();
    let mut meanwhile = call(3, 2, 1);
    meanwhile["received_s"] = (T0_S + 35).into();
    house.receive(&[meanwhile]).await;
    house.round(100).await;
    let twice = house.round(120).await;
    assert_eq!(twice.written, 0);
    let all: Vec<_> = house.calls(&[]).await.into_keys().collect();
    assert_eq!(all, [(1, 2), (2, 2), (3, 2)]);
    // And when nothing is known to be settled at all, because the process dies at once.
    house.restart();
    assert_eq!(house.round(130).await.written, 0);
    assert_eq!(house.calls(&[]).await.len(), 3);
}

#[tokio::test]
async fn late_span_after_a_restart_finds_its_trace_in_the_table() {
    let mut house = House::new().await;
    house.receive(&[call(1, 2, 1)]).await;
    house.round(20).await;
    // An hour passes, other traces move the recorded instant on, the process is started anew.
    let mut other = call(2, 2, 1);
    other["received_s"] = (T0_S + 3_600).into();
    house.receive(&[other]).await;
    house.round(3_700).await;
    house.restart();
    house.round(3_701).await;
    let mut root = span(1, 1, 0, json!({ "team": "search" }));
    root["received_s"] = (T0_S + 3_710).into();
    house.receive(&[root]).await;
    house.round(3_800).await;
    let expected = expect(&[((1, 2), &["search"]), ((2, 2), &["null"])]);
    assert_eq!(house.calls(&["team"]).await, expected);
}

#[tokio::test]
async fn without_memory_calls_are_provisional_and_then_settled() {
    let settings = SettleSettings { open_bytes_max: 0, ..SettleSettings::default() };
    let mut house = House::with(settings).await;
    house.receive(&[call(1, 2, 1)]).await;
    house.round(2).await;
    let early = expect(&[((1, 2), &["provisional", "null"])]);
    assert_eq!(house.calls(&["state", "team"]).await, early);
    house.receive(&[span(1, 1, 0, json!({ "team": "search", "received_s": T0_S + 2 }))]).await;
    house.round(3).await;
    house.round(30).await;
    let settled = expect(&[((1, 2), &["settled", "search"])]);
    assert_eq!(house.calls(&["state", "team"]).await, settled);
    assert_eq!(house.settler.status().open_traces, 0);
}

#[tokio::test]
async fn restart_without_memory_leaves_settled_calls_as_they_are() {
    let settings = SettleSettings { open_bytes_max: 0, ..SettleSettings::default() };
    let mut house = House::with(settings).await;
    for trace in 1..4 {
        house.receive(&[call(trace, 2, 1)]).await;
    }
    house.round(2).await;
    house.round(30).await;
    let settled: Vec<_> = (1..4).map(|trace| ((trace, 2), &["settled"][..])).collect();
    assert_eq!(house.calls(&["state"]).await, expect(&settled));
    house.restart();
    let round = house.round(40).await;
    assert_eq!((round.spans, round.written, round.replaced), (3, 0, 0));
    assert_eq!(house.calls(&["state"]).await, expect(&settled));
    assert_eq!(house.settler.status().open_traces, 0);
}

#[tokio::test]
async fn same_trace_id_of_two_tenants_is_two_traces() {
    let mut house = House::new().await;
    let mut root = span(1, 1, 0, json!({ "team": "theirs", "tenant": "other" }));
    root["received_s"] = (T0_S + 1).into();
    house.receive(&[call(1, 2, 1), root]).await;
    house.round(20).await;
    assert_eq!(house.calls(&["team"]).await, expect(&[((1, 2), &["null"])]));
}

#[tokio::test]
async fn span_of_a_compacted_and_repeated_file_counts_once() {
    let mut house = House::new().await;
    for _ in 0..3 {
        house.receive(&[call(1, 2, 1)]).await;
    }
    house.round(20).await;
    house.store.maintain().await.unwrap();
    house.receive(&[call(1, 2, 1)]).await;
    house.round(40).await;
    assert_eq!(house.calls(&["cost"]).await, expect(&[((1, 2), &["2"])]));
}

#[tokio::test]
async fn open_trace_whose_file_was_compacted_away_is_read_from_the_table() {
    let mut house = House::new().await;
    // What comes after the first round is read as it comes, and left in its file.
    house.round(0).await;
    house.receive(&[span(1, 1, 0, json!({ "team": "search" })), call(1, 2, 1)]).await;
    house.receive(&[call(1, 3, 1)]).await;
    house.round(2).await;
    let snapshot = house.store.snapshot().await.unwrap();
    let old = snapshot.files(&spans::TABLE);
    house.store.compact().await.unwrap();
    for file in old.iter() {
        std::fs::remove_file(house.folder.path().join(spans::TABLE.name).join(&file.path)).unwrap();
    }
    house.round(20).await;
    let expected = expect(&[((1, 2), &["search", "2"]), ((1, 3), &["search", "2"])]);
    assert_eq!(house.calls(&["team", "cost"]).await, expected);
    assert_eq!(house.settler.status().open_traces, 0);
}

#[tokio::test]
async fn calls_stay_when_memory_runs_out_on_a_trace_whose_file_is_gone() {
    // Room for the first trace, not for it and two hundred others.
    let settings = SettleSettings { open_bytes_max: 20_000, ..SettleSettings::default() };
    let mut house = House::with(settings).await;
    // What comes after the first round is read as it comes, and left in its file.
    house.round(0).await;
    house.receive(&[call(1, 2, 1)]).await;
    house.receive(&[call(2, 2, 1)]).await;
    house.round(20).await;
    let old = house.store.snapshot().await.unwrap().files(&spans::TABLE);
    house.store.compact().await.unwrap();
    for file in old.iter() {
        std::fs::remove_file(house.folder.path().join(spans::TABLE.name).join(&file.path)).unwrap();
    }
    let mut late = vec![span(1, 1, 0, json!({ "team": "search" }))];
    late.extend((3..203).map(|trace| call(trace, 2, 1)));
    for row in &mut late {
        row["received_s"] = (T0_S + 30).into();
    }
    house.receive(&late).await;
    house.round(31).await;
    assert_eq!(house.calls(&["team"]).await.get(&(1, 2)), Some(&vec!["null".to_owned()]));
    house.round(60).await;
    let calls = house.calls(&["team"]).await;
    assert_eq!(calls.get(&(1, 2)), Some(&vec!["search".to_owned()]));
    assert_eq!(calls.len(), 202);
}

/// A few traces with wrappers, owners and failures, shaped by a seed.
fn workload(seed: u64) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut state = seed | 1;
    let mut next = |n: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    for trace in 1..=3u8 {
        for id in 1..=6u8 {
            let parent = next(u64::from(id)) as u8;
            let mut says = if next(2) == 0 { inference(next(1_000) as i64) } else { json!({}) };
            if next(3) == 0 {
                says["team"] = format!("team-{}", next(3)).into();
            }
            rows.push(span(trace, id, parent, says));
        }
    }
    // Some of them once more, told by another library in a trace of its own.
    for (n, of) in (4u8..).zip(0..rows.len()) {
        let id = format!("response-{of}");
        if rows[of]["span_role"] == "call" && next(2) == 0 {
            let input = rows[of]["input_tokens"].as_i64().unwrap();
            rows[of]["response_id"] = id.clone().into();
            rows[of]["scope_name"] = "instrumentation".into();
            let mut twin = inference(input);
            twin["response_id"] = id.into();
            twin["scope_name"] = "client".into();
            if next(2) == 0 {
                twin["cache_read_tokens"] = 0.into();
            }
            rows.push(span(n, 1, 0, twin));
        }
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    /// Whatever the order and the batches in which spans arrive, with rounds and restarts in
    /// between, the calls are those of all spans arriving at once.
    #[test]
    fn any_arrival_gives_the_same_calls(
        seed in any::<u64>(), order in any::<u64>(), cut in 1..7usize, restart_at in 0..6usize,
    ) {
        let rows = workload(seed);
        let mut shuffled = rows.clone();
        shuffled.sort_by_key(|r| {
            let text = format!("{}{}{order}", r["trace_id"], r["span_id"]);
            xxhash_rust::xxh3::xxh3_64(text.as_bytes())
        });
        let columns = ["team", "cost", "input_tokens", "price_state", "state"];
        let said = ["rule", "duplicate_of", "duplicate_of_trace", "uncounted_input_tokens"];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (together, apart) = runtime.block_on(async {
            let mut house = House::new().await;
            house.receive(&rows).await;
            house.round(100).await;
            let together = (house.calls(&columns).await, house.verdicts(&said).await);

            let quiet = Duration::from_secs(1);
            let mut house = House::with(SettleSettings { quiet, ..SettleSettings::default() }).await;
            for (n, chunk) in shuffled.chunks(cut).enumerate() {
                let second = 10 * n as i64;
                let mut chunk = chunk.to_vec();
                for row in &mut chunk {
                    row["received_s"] = (T0_S + second).into();
                }
                house.receive(&chunk).await;
                if n == restart_at {
                    house.restart();
                }
                // Every other round finds the traces quiet.
                house.round(second + if n % 2 == 0 { 0 } else { 5 }).await;
            }
            house.round(1_000).await;
            (together, (house.calls(&columns).await, house.verdicts(&said).await))
        });
        prop_assert_eq!(together, apart);
    }
}
