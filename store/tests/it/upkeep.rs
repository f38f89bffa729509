//! Claims about upkeep: rows stay, files go, readers go on.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::compute::concat_batches;
use arrow::record_batch::RecordBatch;
use proptest::prelude::*;
use spanledger_schemas::Table;
use spanledger_schemas::tables::{metric_points, prices, spans};
use spanledger_store::{Store, StoreOptions};

use crate::rows::{DAY, in_order, lines, read, rows};

/// No waiting: removed files and leftovers go at once.
fn at_once() -> StoreOptions {
    StoreOptions {
        removed_file_retention: Duration::ZERO,
        leftover_grace: Duration::ZERO,
        ..StoreOptions::default()
    }
}

fn data_files(dir: &Path, table: &Table) -> usize {
    let days = fs::read_dir(dir.join(table.name)).unwrap().map(|e| e.unwrap().path());
    days.filter(|p| p.is_dir() && !p.ends_with("_delta_log"))
        .map(|day| fs::read_dir(day).unwrap().count())
        .sum()
}

/// Rows without the columns named, each line once.
fn distinct(batches: &[RecordBatch], without: &str) -> BTreeSet<String> {
    let project = |batch: &RecordBatch| {
        let keep: Vec<usize> = (0..batch.num_columns())
            .filter(|&i| batch.schema().field(i).name() != without)
            .collect();
        batch.project(&keep).unwrap()
    };
    lines(&batches.iter().map(project).collect::<Vec<_>>()).into_iter().collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    /// Appends with repetitions, then merges until nothing is left to merge.
    #[test]
    fn merging_keeps_every_row_once_and_the_order(
        appends in prop::collection::vec((1usize..40, 0u64..3, any::<bool>()), 2..6),
    ) {
        runtime().block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open_with(dir.path(), at_once()).await.unwrap();
            let table = &spans::TABLE;
            let mut written = Vec::new();
            for (count, seed, twice) in appends {
                // Equal seeds give equal rows: a client that retried in another request.
                for _ in 0..=u8::from(twice) {
                    let batch = rows(table, count, 2, seed);
                    store.append(table, batch.clone(), None).await.unwrap();
                    written.push(batch);
                }
            }
            store.compact().await.unwrap();
            let snapshot = store.snapshot().await.unwrap();
            prop_assert!(snapshot.files(table).len() <= 2, "one file a day");

            let found = read(table, snapshot.provider(table)).await;
            let expected = distinct(&written, "received_at");
            prop_assert_eq!(&distinct(&found, "received_at"), &expected);
            let count: usize = found.iter().map(RecordBatch::num_rows).sum();
            prop_assert_eq!(count, expected.len(), "each row once");

            for file in snapshot.files(table).iter() {
                let one = read(table, snapshot.provider_of(table, std::slice::from_ref(file))).await;
                let one = concat_batches(&table.arrow_schema(), &one).unwrap();
                prop_assert_eq!(file.rows, one.num_rows() as u64);
                let indices: Vec<usize> = table
                    .sort_by
                    .iter()
                    .map(|name| one.schema().index_of(name).unwrap())
                    .collect();
                let keys = one.project(&indices).unwrap();
                let sort: Vec<_> = keys
                    .columns()
                    .iter()
                    .map(|c| arrow::compute::SortColumn { values: c.clone(), options: None })
                    .collect();
                let order = arrow::compute::lexsort_to_indices(&sort, None).unwrap();
                let sorted = arrow::compute::take_record_batch(&keys, &order).unwrap();
                prop_assert_eq!(in_order(&[keys]), in_order(&[sorted]), "sorted");
            }
            Ok(())
        })?;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_without_a_key_keep_equal_rows() {
    let dir = tempfile::tempdir().unwrap();
    let table = &metric_points::TABLE;
    let store = Store::open_with(dir.path(), at_once()).await.unwrap();
    for _ in 0..3 {
        store.append(table, rows(table, 20, 1, 1), None).await.unwrap();
    }
    store.compact().await.unwrap();
    let snapshot = store.snapshot().await.unwrap();
    assert_eq!(snapshot.files(table).iter().map(|f| f.rows).collect::<Vec<_>>(), [60]);
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_survive_merges_and_removed_files_go() {
    let dir = tempfile::tempdir().unwrap();
    let table = &spans::TABLE;
    let store = Store::open_with(dir.path(), at_once()).await.unwrap();
    for i in 0..12 {
        let txn = spanledger_store::Txn { app: "collector/spans".to_owned(), version: i };
        store.append(table, rows(table, 5, 1, i as u64), Some(txn)).await.unwrap();
    }
    assert_eq!(data_files(dir.path(), table), 12);
    store.maintain().await.unwrap();
    assert_eq!(data_files(dir.path(), table), 1, "eight and more files of one class are merged");
    let store = Store::open(dir.path()).await.unwrap();
    assert_eq!(store.txn_version(table, "collector/spans").await.unwrap(), Some(11));
    assert_eq!(store.snapshot().await.unwrap().files(table)[0].rows, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_reads_the_same_rows_while_files_are_merged_under_it() {
    let dir = tempfile::tempdir().unwrap();
    let table = &spans::TABLE;
    let store = Store::open(dir.path()).await.unwrap();
    for i in 0..10 {
        store.append(table, rows(table, 30, 1, i), None).await.unwrap();
    }
    let old = store.snapshot().await.unwrap();
    let before = lines(&read(table, old.provider(table)).await);
    store.maintain().await.unwrap();
    assert_eq!(store.snapshot().await.unwrap().files(table).len(), 1);
    assert_eq!(old.files(table).len(), 10);
    assert_eq!(lines(&read(table, old.provider(table)).await), before);
    // The removed files stay for ten minutes: nothing was deleted yet.
    assert_eq!(data_files(dir.path(), table), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_always_see_whole_appends_beside_a_writer_and_two_maintainers() {
    const APPENDS: u64 = 40;
    const ROWS: usize = 7;
    let dir = tempfile::tempdir().unwrap();
    let table = &metric_points::TABLE;
    let store = Store::open(dir.path()).await.unwrap();
    let other = Store::open(dir.path()).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));

    let writer = async {
        for i in 0..APPENDS {
            store.append(table, rows(table, ROWS, 1, i), None).await.unwrap();
        }
        done.store(true, Ordering::Release);
    };
    let maintainer = |store: Store| {
        let done = done.clone();
        async move {
            while !done.load(Ordering::Acquire) {
                store.maintain().await.unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            store.compact().await.unwrap();
        }
    };
    let reader = async {
        let mut last = 0;
        while !done.load(Ordering::Acquire) {
            // An empty table is read without waiting: let the others run.
            tokio::task::yield_now().await;
            let snapshot = other.snapshot().await.unwrap();
            let found = read(table, snapshot.provider(table)).await;
            let count: usize = found.iter().map(RecordBatch::num_rows).sum();
            assert_eq!(count % ROWS, 0, "an append is seen whole or not at all");
            assert!(count >= last, "rows do not vanish");
            last = count;
        }
    };
    tokio::join!(writer, maintainer(store.clone()), maintainer(other.clone()), reader);
    for store in [store.clone(), other.clone(), Store::open(dir.path()).await.unwrap()] {
        let snapshot = store.snapshot().await.unwrap();
        let found = read(table, snapshot.provider(table)).await;
        let written: Vec<_> = (0..APPENDS).map(|i| rows(table, ROWS, 1, i)).collect();
        assert_eq!(lines(&found), lines(&written));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leftovers_of_a_crash_are_swept_after_their_grace() {
    let dir = tempfile::tempdir().unwrap();
    let table = &spans::TABLE;
    let store = Store::open(dir.path()).await.unwrap();
    store.append(table, rows(table, 5, 1, 1), None).await.unwrap();
    // What a kill between the data file and its commit leaves, and a half-written log entry.
    let active = store.snapshot().await.unwrap().files(table)[0].path.clone();
    let leftover = dir.path().join("spans/date=2026-11-25/part-leftover.zstd.parquet");
    fs::copy(dir.path().join("spans").join(active), &leftover).unwrap();
    let staged = dir.path().join("spans/_delta_log/.00000000000000000002.json.x.tmp");
    fs::write(&staged, "{").unwrap();

    let store = Store::open(dir.path()).await.unwrap();
    assert_eq!(read(table, store.snapshot().await.unwrap().provider(table)).await[0].num_rows(), 5);
    store.maintain().await.unwrap();
    assert!(leftover.exists() && staged.exists(), "young files may belong to a running writer");
    let store = Store::open_with(dir.path(), at_once()).await.unwrap();
    store.maintain().await.unwrap();
    assert!(!leftover.exists() && !staged.exists());
    assert_eq!(read(table, store.snapshot().await.unwrap().provider(table)).await[0].num_rows(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_removes_whole_old_days_of_what_was_received_only() {
    let dir = tempfile::tempdir().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let today = (now.as_secs() / 86_400) as i32;
    let options = StoreOptions { retention_days: Some(u32::MAX), ..at_once() };
    let store = Store::open_with(dir.path(), options).await.unwrap();
    for table in [&spans::TABLE, &prices::TABLE] {
        store.append(table, rows(table, 40, 5, 1), None).await.unwrap();
    }
    store.maintain().await.unwrap();
    assert_eq!(store.snapshot().await.unwrap().files(&spans::TABLE).len(), 5);

    // Keep from the second-newest of the five days on.
    let days = u32::try_from(today - (DAY - 1)).unwrap();
    let options = StoreOptions { retention_days: Some(days), ..at_once() };
    let store = Store::open_with(dir.path(), options).await.unwrap();
    store.maintain().await.unwrap();
    let snapshot = store.snapshot().await.unwrap();
    let kept: BTreeSet<i32> = snapshot.files(&spans::TABLE).iter().map(|f| f.date).collect();
    assert_eq!(kept, BTreeSet::from([DAY - 1, DAY]));
    assert_eq!(data_files(dir.path(), &spans::TABLE), 2);
    assert_eq!(snapshot.files(&prices::TABLE).len(), 5, "prices are no received rows");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_give_every_new_row_also_after_its_file_was_merged() {
    let table = &metric_points::TABLE;
    for retention in [Duration::from_secs(600), Duration::ZERO] {
        let dir = tempfile::tempdir().unwrap();
        let options = StoreOptions { removed_file_retention: retention, ..at_once() };
        let store = Store::open_with(dir.path(), options).await.unwrap();
        let since = store.append(table, rows(table, 9, 1, 1), None).await.unwrap();
        store.append(table, rows(table, 5, 1, 2), None).await.unwrap();
        store.append(table, rows(table, 4, 1, 3), None).await.unwrap();
        store.compact().await.unwrap();
        store.append(table, rows(table, 3, 1, 4), None).await.unwrap();

        let changes = store.changes(table, Some(since)).await.unwrap();
        let snapshot = store.snapshot().await.unwrap();
        let found = lines(&read(table, snapshot.provider_of(table, &changes.files)).await);
        let new = lines(&[rows(table, 5, 1, 2), rows(table, 4, 1, 3), rows(table, 3, 1, 4)]);
        let missed: Vec<_> = new.iter().filter(|line| !found.contains(line)).collect();
        assert!(missed.is_empty(), "{missed:?}");
        // Exactly the new rows while the merged files stay; the older ones too when they went.
        let expected = if retention.is_zero() { 9 + 5 + 4 + 3 } else { 5 + 4 + 3 };
        assert_eq!(found.len(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_slept_past_the_cleaned_log_catches_up() {
    let dir = tempfile::tempdir().unwrap();
    let table = &spans::TABLE;
    let sleeper = Store::open(dir.path()).await.unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    for i in 0..31 {
        store.append(table, rows(table, 1, 1, i), None).await.unwrap();
    }
    store.maintain().await.unwrap();
    let version = store.snapshot().await.unwrap().versions()["spans"];
    // What log cleanup does to the entries before the oldest kept checkpoint.
    for old in 0..10 {
        fs::remove_file(dir.path().join(format!("spans/_delta_log/{old:020}.json"))).unwrap();
    }
    let snapshot = sleeper.snapshot().await.unwrap();
    assert_eq!(snapshot.versions()["spans"], version);
    let changes = sleeper.changes(table, Some(2)).await.unwrap();
    assert_eq!(changes.files.iter().map(|f| f.rows).sum::<u64>(), 31, "everything, then");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_keeps_three_checkpoints_and_opens_from_the_newest() {
    let dir = tempfile::tempdir().unwrap();
    let table = &spans::TABLE;
    let store = Store::open(dir.path()).await.unwrap();
    for i in 0..6 {
        for j in 0..10 {
            store.append(table, rows(table, 1, 1, i * 10 + j), None).await.unwrap();
        }
        store.maintain().await.unwrap();
    }
    let names = fs::read_dir(dir.path().join("spans/_delta_log")).unwrap();
    let checkpoints = names
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().contains(".checkpoint."))
        .count();
    assert_eq!(checkpoints, 3);
    let rows = Store::open(dir.path()).await.unwrap().status().tables[0].rows;
    assert_eq!(rows, 60);
}
