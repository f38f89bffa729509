//! Tests of pricing settled calls again: on a real store, alone and beside other writers.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray,
    new_null_array,
};
use arrow::compute::{cast, concat_batches, filter_record_batch};
use spanledger_schemas::Kind;

use super::super::{FileKind, Form, PriceFile, import_bundled, import_file};
use super::*;

/// 2026-11-20T00:00:00Z
const AT: i64 = 1_795_132_800_000_000;

/// Calls of gpt-4o with a million input tokens each, unpriced, in these states.
fn calls(states: &[&str]) -> RecordBatch {
    calls_from(0, states)
}

/// The same with span ids that count up from one.
fn calls_from(first: usize, states: &[&str]) -> RecordBatch {
    let rows = states.len();
    let schema = TABLE.arrow_schema();
    let columns = TABLE.columns.iter().zip(schema.fields()).map(|(column, field)| {
        let texts = |text: &str| Arc::new(StringArray::from(vec![text; rows])) as ArrayRef;
        let spans: Vec<String> = (first..first + rows).map(|i| format!("{i:016x}")).collect();
        let made: ArrayRef = match column.name {
            "span_id" => Arc::new(StringArray::from(spans)),
            "state" => Arc::new(StringArray::from(states.to_vec())),
            "provider" => texts("openai"),
            "request_model" | "model" => texts("gpt-4o"),
            "usage_basis" => texts("inclusive"),
            "price_state" => texts("unpriced"),
            "tenant" => texts("default"),
            "trace_id" => texts("5b8efff798038103d269b633813fc60c"),
            "input_tokens" => Arc::new(Int64Array::from(vec![1_000_000; rows])),
            "start_unix_ns" => Arc::new(Int64Array::from(vec![AT * 1_000; rows])),
            "started_at" => {
                Arc::new(TimestampMicrosecondArray::from(vec![AT; rows]).with_timezone("UTC"))
            }
            _ if column.nullable => new_null_array(field.data_type(), rows),
            _ => match column.kind {
                Kind::Text => texts("ok"),
                // 2026-11-20 is day 20,777.
                Kind::Date => Arc::new(arrow::array::Date32Array::from(vec![20_777; rows])),
                _ => cast(&Int64Array::from(vec![0; rows]), field.data_type()).unwrap(),
            },
        };
        cast(&made, field.data_type()).unwrap()
    });
    RecordBatch::try_new(schema.clone(), columns.collect()).unwrap()
}

async fn costs(store: &Store) -> Vec<Option<String>> {
    let snapshot = store.snapshot().await.unwrap();
    let session = SessionContext::new();
    let table = session.read_table(snapshot.provider(&TABLE)).unwrap();
    let sorted = table
        .sort(vec![datafusion::prelude::col("span_id").sort(true, true)])
        .unwrap()
        .select_columns(&["cost"])
        .unwrap();
    let batches = sorted.collect().await.unwrap();
    let cells = |batch: &RecordBatch| {
        let cost: &Decimal128Array = batch.column(0).as_primitive();
        cost.iter().map(|c| c.map(|c| Money(c).to_string())).collect::<Vec<_>>()
    };
    batches.iter().flat_map(cells).collect()
}

async fn contract(store: &Store, amount: &str) {
    let text = format!(
        "[[price]]\nprovider = \"openai\"\nmodel = \"gpt-4o\"\nunit = \"input_tokens\"\n\
         amount = {amount}\n"
    );
    let file = PriceFile {
        kind: FileKind::Contract(Form::Toml),
        bytes: text.as_bytes(),
        name: "c",
        tenant: "default",
        now: jiff::Timestamp::now().as_microsecond(),
        dry_run: false,
    };
    assert!(import_file(store, &file).await.unwrap().written);
}

#[tokio::test]
async fn calls_are_priced_again_once_and_closed_ones_never() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    import_bundled(&store).await.unwrap();
    store.append(&TABLE, calls(&["settled", "closed", "provisional"]), None).await.unwrap();
    let unpriced = vec![None, None, None];

    // Shown first: two of three, $2.50 each by the book.
    let dry = Reprice { dry_run: true, ..Reprice::default() };
    let shown = reprice(&store, &dry).await.unwrap();
    assert_eq!((shown.calls, shown.changed, shown.closed, shown.written), (3, 2, 1, false));
    assert_eq!(shown.models[0].after, Money::from_whole(5));
    assert_eq!(shown.models[0].newly_priced, 2);
    assert_eq!(costs(&store).await, unpriced);

    let done = reprice(&store, &Reprice::default()).await.unwrap();
    assert_eq!(done.models, shown.models);
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(costs(&store).await, [some("2.5"), None, some("2.5")]);
    let again = reprice(&store, &Reprice::default()).await.unwrap();
    assert_eq!((again.changed, again.written), (0, false));

    // A contract comes: 2 × (2 − 2.5) = −1.
    contract(&store, "2").await;
    let done = reprice(&store, &Reprice::default()).await.unwrap();
    let model = &done.models[0];
    assert_eq!((model.before, model.after), (Money::from_whole(5), Money::from_whole(4)));
    assert_eq!(costs(&store).await, [some("2"), None, some("2")]);

    // Outside the window nothing is looked at.
    let early = Reprice { to: Some(AT), ..Reprice::default() };
    assert_eq!(reprice(&store, &early).await.unwrap().calls, 0);
}

/// A store with the book and calls in files of these sizes; span ids count up over all of them.
async fn shop(files: &[usize]) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    import_bundled(&store).await.unwrap();
    let mut first = 0;
    for rows in files {
        store.append(&TABLE, calls_from(first, &vec!["settled"; *rows]), None).await.unwrap();
        first += rows;
    }
    (folder, store)
}

async fn first_file(work: &mut Repricing<'_>, store: &Store) -> (DataFile, Part) {
    let snapshot = store.snapshot().await.unwrap();
    let files = snapshot.files(&TABLE);
    let unseen = files.iter().find(|f| !work.seen.contains_key(&f.path)).unwrap();
    let part = work.read(&snapshot, unseen).await.unwrap().unwrap();
    (unseen.clone(), part)
}

/// Looks at what is left, and says how many calls there are and how many changed.
async fn finish(mut work: Repricing<'_>, store: &Store) -> (usize, usize) {
    let snapshot = store.snapshot().await.unwrap();
    assert!(work.pass(&snapshot).await.unwrap(), "nobody else writes any more");
    let done = work.report(&snapshot);
    (done.calls, done.changed)
}

/// Everybody at the price of the book, $2.50.
fn all_at_list(rows: usize) -> Vec<Option<String>> {
    vec![Some("2.5".to_owned()); rows]
}

#[tokio::test]
async fn file_compacted_between_reading_and_writing_is_priced_where_its_rows_went() {
    let (_folder, store) = shop(&[2, 2, 1]).await;
    let which = Reprice::default();
    let mut work = Repricing::start(&store, &which).await.unwrap();
    let (file, part) = first_file(&mut work, &store).await;
    store.compact().await.unwrap();
    assert_eq!(store.snapshot().await.unwrap().files(&TABLE).len(), 1, "they were merged");

    assert!(!work.write(&file, part).await.unwrap(), "what was read is gone");
    assert_eq!(costs(&store).await, vec![None; 5], "nothing was written beside the merged file");
    assert_eq!(finish(work, &store).await, (5, 5));
    assert_eq!(costs(&store).await, all_at_list(5));
}

#[tokio::test]
async fn calls_priced_before_they_were_compacted_are_counted_once() {
    let (_folder, store) = shop(&[2, 3]).await;
    let which = Reprice::default();
    let mut work = Repricing::start(&store, &which).await.unwrap();
    let (file, part) = first_file(&mut work, &store).await;
    assert!(work.write(&file, part).await.unwrap());
    let (file, part) = first_file(&mut work, &store).await;
    // The rows that were written and those that were not are in one file now.
    store.compact().await.unwrap();
    assert!(!work.write(&file, part).await.unwrap());
    assert_eq!(finish(work, &store).await, (5, 5));
    assert_eq!(costs(&store).await, all_at_list(5));
}

#[tokio::test]
async fn what_settle_took_out_meanwhile_does_not_come_back() {
    let (_folder, store) = shop(&[3]).await;
    let which = Reprice::default();
    let mut work = Repricing::start(&store, &which).await.unwrap();
    let (file, part) = first_file(&mut work, &store).await;
    // A late span makes the first call a duplicate: its file is written again without it, and with
    // a fourth call.
    let stays = arrow::array::BooleanArray::from(vec![false, true, true, true]);
    let rows = filter_record_batch(&calls(&["settled"; 4]), &stays).unwrap();
    let files = store.snapshot().await.unwrap().files(&TABLE).to_vec();
    store.replace(&TABLE, files, rows, None).await.unwrap();

    assert!(!work.write(&file, part).await.unwrap());
    assert_eq!(finish(work, &store).await, (3, 3));
    assert_eq!(costs(&store).await, all_at_list(3));
}

#[tokio::test]
async fn older_prices_are_not_written_over_newer_ones() {
    let (_folder, store) = shop(&[2]).await;
    let which = Reprice::default();
    let mut work = Repricing::start(&store, &which).await.unwrap();
    let (file, part) = first_file(&mut work, &store).await;
    contract(&store, "2").await;
    let refused = work.write(&file, part).await.unwrap_err();
    assert!(matches!(refused, PriceError::Moved { written: 0 }), "{refused}");
    assert_eq!(costs(&store).await, vec![None; 2]);
}

#[tokio::test]
async fn version_of_the_price_table_that_changes_no_price_stops_nothing() {
    let (_folder, store) = shop(&[2]).await;
    let which = Reprice::default();
    let mut work = Repricing::start(&store, &which).await.unwrap();
    let (file, part) = first_file(&mut work, &store).await;
    // As a compaction makes one: the same rows, in other files.
    store.append(&prices::TABLE, a_price_once_more(), None).await.unwrap();
    let newest = store.snapshot().await.unwrap();
    assert_ne!(version_of_prices(&newest), work.prices);
    assert!(work.write(&file, part).await.unwrap());
    assert_eq!(costs(&store).await, all_at_list(2));
}

/// A price that the table has: one fact, however often it is stored.
fn a_price_once_more() -> RecordBatch {
    super::super::row::to_batch(&PriceBook::bundled().unwrap().rows()[..1]).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn beside_settle_and_upkeep_every_call_stays_once_and_gets_its_price() {
    let (_folder, store) = shop(&[3, 4, 5]).await;
    let settling = {
        let store = store.clone();
        tokio::spawn(async move {
            let mut first = 12;
            for _ in 0..12 {
                // Settles anew what is in one file, and a new call.
                let snapshot = store.snapshot().await.unwrap();
                let file = snapshot.files(&TABLE)[0].clone();
                let table = snapshot.provider_of(&TABLE, std::slice::from_ref(&file));
                let batches =
                    SessionContext::new().read_table(table).unwrap().collect().await.unwrap();
                let schema = TABLE.arrow_schema();
                let plain = |batch: &RecordBatch| {
                    let columns = batch.columns().iter().zip(schema.fields());
                    let columns = columns.map(|(c, f)| cast(c, f.data_type()).unwrap());
                    RecordBatch::try_new(schema.clone(), columns.collect()).unwrap()
                };
                let mut rows: Vec<_> = batches.iter().map(plain).collect();
                rows.push(calls_from(first, &["settled"]));
                let rows = concat_batches(&schema, &rows).unwrap();
                match store.replace(&TABLE, vec![file], rows, None).await {
                    Ok(_) => first += 1,
                    Err(StoreError::FileGone { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            first
        })
    };
    let upkeep = {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..12 {
                store.compact().await.unwrap();
            }
        })
    };
    // Every call changes each time: the sums of a run are at most the calls of its end.
    for amount in ["2", "3", "2", "3"] {
        contract(&store, amount).await;
        let done = reprice(&store, &Reprice::default()).await.unwrap();
        assert!(done.changed <= done.calls, "{done:?}");
    }
    upkeep.await.unwrap();
    let rows = settling.await.unwrap();
    contract(&store, "4").await;
    let done = reprice(&store, &Reprice::default()).await.unwrap();
    assert_eq!((done.calls, done.changed), (rows, rows));
    assert_eq!(costs(&store).await, vec![Some("4".to_owned()); rows]);
}
