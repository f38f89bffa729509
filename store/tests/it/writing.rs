//! Rows in, rows out; marks; replacement; changes.

use arrow::array::{ArrayRef, AsArray as _, BooleanArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use parquet::file::metadata::ParquetMetaDataReader;
use spanledger_schemas::Table;
use spanledger_schemas::tables::{self, calls, metric_points, span_verdicts, spans};
use spanledger_store::{DataFile, FileRows, Store, StoreError, Txn};

use crate::rows::{in_order, lines, read, read_in_order, rows};

fn mark(version: i64) -> Option<Txn> {
    Some(Txn { app: "collector/spans".to_owned(), version })
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_every_table_come_back_as_they_were_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    for (i, table) in tables::ALL.into_iter().enumerate() {
        let written = rows(table, 300, 3, i as u64);
        store.append(table, written.clone(), None).await.unwrap();
        for store in [store.clone(), Store::open(dir.path()).await.unwrap()] {
            let snapshot = store.snapshot().await.unwrap();
            assert_eq!(snapshot.files(table).len(), 3, "{}: a file per day", table.name);
            let found = read(table, snapshot.provider(table)).await;
            assert_eq!(lines(&found), lines(std::slice::from_ref(&written)), "{}", table.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_commit_counts_once() {
    let dir = tempfile::tempdir().unwrap();
    let table = &spans::TABLE;
    let store = Store::open(dir.path()).await.unwrap();
    assert_eq!(store.txn_version(table, "collector/spans").await.unwrap(), None);
    let first = store.append(table, rows(table, 10, 1, 1), mark(7)).await.unwrap();
    // The same process and a restarted one replay it, and something older.
    for store in [store.clone(), Store::open(dir.path()).await.unwrap()] {
        for version in [7, 3] {
            let again = store.append(table, rows(table, 10, 1, 1), mark(version)).await.unwrap();
            assert_eq!(again, first);
        }
        assert_eq!(store.txn_version(table, "collector/spans").await.unwrap(), Some(7));
        assert_eq!(store.snapshot().await.unwrap().files(table).len(), 1);
    }
    // Another application is another count.
    let other = Some(Txn { app: "settle".to_owned(), version: 1 });
    assert_eq!(store.append(table, rows(table, 5, 1, 2), other).await.unwrap(), first + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_without_rows_is_kept_across_checkpoints() {
    let dir = tempfile::tempdir().unwrap();
    let table = &spans::TABLE;
    let store = Store::open(dir.path()).await.unwrap();
    let none = rows(table, 0, 1, 0);
    let version = store.append(table, none.clone(), mark(41)).await.unwrap();
    assert_eq!(store.append(table, none.clone(), None).await.unwrap(), version, "nothing to say");
    for i in 0..25 {
        store.append(table, rows(table, 2, 1, i), None).await.unwrap();
    }
    store.maintain().await.unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    assert_eq!(store.txn_version(table, "collector/spans").await.unwrap(), Some(41));
}

// delta-rs reads a log in work that holds a thread for blocking work and waits for another one, and
// the binary has few. Collectors commit to several tables at once, so their tenth versions come at once.
#[test]
fn tables_come_to_a_checkpoint_together_on_two_threads() {
    let two = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let done = two.block_on(async {
        let store = Store::open(dir.path()).await.unwrap();
        let commits = async {
            for version in 1..=60 {
                let commits = tables::ALL.map(|t| store.append(t, rows(t, 0, 1, 0), mark(version)));
                for committed in futures::future::join_all(commits).await {
                    committed.unwrap();
                }
            }
            store.maintain().await.unwrap();
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), commits).await
    });
    // What hangs would hold up its end, too.
    two.shutdown_background();
    assert!(done.is_ok(), "commits wait for a thread that never comes");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_do_not_fit_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let wrong = rows(&calls::TABLE, 3, 1, 0);
    let error = store.append(&spans::TABLE, wrong, None).await.unwrap_err();
    assert!(matches!(error, StoreError::Rows { table: "spans", .. }), "{error}");
    assert!(store.status().tables.iter().all(|t| t.commit_error.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn replacing_takes_out_and_puts_in_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let table = &calls::TABLE;
    let store = Store::open(dir.path()).await.unwrap();
    store.append(table, rows(table, 10, 1, 1), None).await.unwrap();
    let old = store.snapshot().await.unwrap();
    let files = old.files(table).as_ref().clone();
    let fresh = rows(table, 12, 1, 2);
    store.replace(table, files.clone(), fresh.clone(), None).await.unwrap();

    let snapshot = store.snapshot().await.unwrap();
    assert_eq!(lines(&read(table, snapshot.provider(table)).await), lines(&[fresh]));
    assert_eq!(read(table, old.provider(table)).await[0].num_rows(), 10, "old readers go on");

    let again = store.replace(table, files.clone(), rows(table, 1, 1, 3), None).await.unwrap_err();
    assert!(matches!(&again, StoreError::FileGone { path, .. } if *path == files[0].path));
    let after = store.snapshot().await.unwrap();
    assert_eq!(after.versions(), snapshot.versions());
    let on_disk = std::fs::read_dir(dir.path().join("calls/date=2026-11-25")).unwrap().count();
    assert_eq!(on_disk, 2, "the file of the refused commit is gone");
}

/// Eight files of a tier become one, whose row groups are theirs.
#[tokio::test(flavor = "multi_thread")]
async fn rows_taken_out_of_a_file_leave_the_others_in_their_place() {
    const GROUP: u32 = 9_000;
    let dir = tempfile::tempdir().unwrap();
    let table = &span_verdicts::TABLE;
    let store = Store::open(dir.path()).await.unwrap();
    for seed in 1..=8 {
        store.append(table, rows(table, GROUP as usize, 1, seed), None).await.unwrap();
    }
    store.maintain().await.unwrap();
    let before = store.snapshot().await.unwrap();
    let files = before.files(table);
    let [file] = files.as_slice() else { panic!("{} files", files.len()) };
    assert_eq!(row_groups(dir.path(), table, file), [9_000; 8]);

    // The first row, three of the third row group with its last, all of the fifth, and the last.
    let third = [2 * GROUP + 1, 2 * GROUP + 5_000, 3 * GROUP - 1];
    let places: Vec<u32> = [0].into_iter().chain(third).chain(4 * GROUP..5 * GROUP).collect();
    let places = [places, vec![8 * GROUP - 1]].concat();
    let put_in = rows(table, 5, 1, 99);
    let taken_out = vec![FileRows { file: file.clone(), places: places.clone() }];
    store.replace_rows(table, taken_out.clone(), put_in.clone(), None).await.unwrap();

    let all = read_in_order(table, before.provider_of(table, std::slice::from_ref(file))).await;
    let mut expected = in_order(&all);
    assert_eq!(expected.len(), 8 * GROUP as usize);
    for place in places.iter().rev() {
        expected.remove(*place as usize);
    }
    let after = store.snapshot().await.unwrap();
    let of = |rows| after.files(table).iter().find(|f| f.rows == rows).cloned().unwrap();
    let left = of(8 * u64::from(GROUP) - places.len() as u64);
    let found = read_in_order(table, after.provider_of(table, std::slice::from_ref(&left))).await;
    assert!(in_order(&found) == expected, "other rows, or in another order");
    let new = read(table, after.provider_of(table, &[of(5)])).await;
    assert_eq!(lines(&new), lines(&[put_in]));
    assert_eq!(
        row_groups(dir.path(), table, &left),
        [8_999, 9_000, 8_997, 9_000, 9_000, 9_000, 8_999]
    );

    let again = store.replace_rows(table, taken_out, rows(table, 1, 1, 3), None).await.unwrap_err();
    assert!(matches!(&again, StoreError::FileGone { path, .. } if *path == file.path), "{again}");
    let all = (0..left.rows as u32).collect();
    let nothing = rows(table, 0, 1, 3);
    let taken_out = vec![FileRows { file: left, places: all }];
    store.replace_rows(table, taken_out, nothing, None).await.unwrap();
    let files = store.snapshot().await.unwrap().files(table);
    assert_eq!(files.iter().map(|f| f.rows).collect::<Vec<_>>(), [5]);
}

/// As above; what is changed is a column that is in no sort order.
#[tokio::test(flavor = "multi_thread")]
async fn rows_are_changed_where_they_are() {
    const GROUP: u32 = 9_000;
    let dir = tempfile::tempdir().unwrap();
    let table = &span_verdicts::TABLE;
    let store = Store::open(dir.path()).await.unwrap();
    for seed in 1..=8 {
        store.append(table, rows(table, GROUP as usize, 1, seed), None).await.unwrap();
    }
    store.maintain().await.unwrap();
    let before = store.snapshot().await.unwrap();
    let file = before.files(table)[0].clone();

    let places = vec![3 * GROUP, 3 * GROUP + 7, 8 * GROUP - 1];
    let mut seen = 0;
    let change = |batch: &RecordBatch, meant: &BooleanArray| {
        seen += batch.num_rows();
        let at = batch.schema().index_of("rule").unwrap();
        let old = as_text(batch.column(at));
        let new = (0..batch.num_rows()).map(|i| match meant.value(i) {
            true => Some("changed"),
            false => old[i].as_deref(),
        });
        let new = cast(&new.collect::<StringArray>(), batch.column(at).data_type()).unwrap();
        let mut columns = batch.columns().to_vec();
        columns[at] = new;
        Ok::<_, StoreError>(RecordBatch::try_new(batch.schema(), columns).unwrap())
    };
    let rows = FileRows { file: file.clone(), places: places.clone() };
    let files = store.change_rows(table, rows.clone(), change).await.unwrap();
    assert_eq!(seen, 2 * GROUP as usize, "the row groups of those rows alone are read");

    let rules = |batches: &[RecordBatch]| -> Vec<Option<String>> {
        batches.iter().flat_map(|b| as_text(b.column_by_name("rule").unwrap())).collect()
    };
    let all = read_in_order(table, before.provider_of(table, std::slice::from_ref(&file))).await;
    let mut expected = rules(&all);
    places.iter().for_each(|place| expected[*place as usize] = Some("changed".to_owned()));
    let after = store.snapshot().await.unwrap();
    assert_eq!(after.files(table).as_slice(), files.as_slice());
    let found = read_in_order(table, after.provider_of(table, &files)).await;
    assert!(rules(&found) == expected, "other rows, or in another order");
    assert_eq!(row_groups(dir.path(), table, &files[0]), [9_000; 8]);

    // What gives other rows than it was given changes nothing.
    let rows_there = FileRows { file: files[0].clone(), places: vec![7] };
    let fewer = |batch: &RecordBatch, _: &BooleanArray| Ok::<_, StoreError>(batch.slice(1, 1));
    let refused = store.change_rows(table, rows_there.clone(), fewer).await.unwrap_err();
    assert!(matches!(refused, StoreError::Rows { .. }), "{refused}");
    let falling = FileRows { places: vec![7, 7], ..rows_there };
    let nothing = |batch: &RecordBatch, _: &BooleanArray| Ok::<_, StoreError>(batch.clone());
    let refused = store.change_rows(table, falling, nothing).await.unwrap_err();
    assert!(matches!(refused, StoreError::Rows { .. }), "{refused}");
    assert_eq!(store.snapshot().await.unwrap().files(table).as_slice(), files.as_slice());

    let again = store.change_rows(table, rows, nothing).await.unwrap_err();
    assert!(matches!(&again, StoreError::FileGone { path, .. } if *path == file.path), "{again}");
}

fn as_text(column: &ArrayRef) -> Vec<Option<String>> {
    let text = cast(column, &DataType::Utf8).unwrap();
    text.as_string::<i32>().iter().map(|t| t.map(str::to_owned)).collect()
}

/// A store with fifty calls in a file of another writer: its name says whose a file is, and so whether
/// the order of its rows is known.
async fn of_another_writer(dir: &std::path::Path, table: &'static Table) -> (Store, DataFile) {
    let store = Store::open(dir).await.unwrap();
    store.append(table, rows(table, 50, 1, 1), None).await.unwrap();
    let ours = store.snapshot().await.unwrap().files(table)[0].path.clone();
    drop(store);
    let name = ours.rsplit('/').next().unwrap();
    let other = ours.replace(name, "other-writer.parquet");
    let root = dir.join(table.name);
    std::fs::rename(root.join(&ours), root.join(&other)).unwrap();
    for entry in std::fs::read_dir(root.join("_delta_log")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "json") {
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, text.replace(name, "other-writer.parquet")).unwrap();
        }
    }
    let store = Store::open(dir).await.unwrap();
    let file = store.snapshot().await.unwrap().files(table)[0].clone();
    assert_eq!(file.path, other);
    (store, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_taken_out_of_a_file_of_another_writer() {
    let dir = tempfile::tempdir().unwrap();
    let table = &calls::TABLE;
    let (store, file) = of_another_writer(dir.path(), table).await;
    let before = store.snapshot().await.unwrap();
    let mut expected = in_order(&read_in_order(table, before.provider(table)).await);
    let places = vec![0, 7, 49];
    for place in places.iter().rev() {
        expected.remove(*place as usize);
    }
    expected.sort_unstable();
    let nothing = rows(table, 0, 1, 3);
    let other = file.path.clone();
    let taken_out = vec![FileRows { file, places }];
    store.replace_rows(table, taken_out, nothing, None).await.unwrap();
    let after = store.snapshot().await.unwrap();
    assert_eq!(lines(&read(table, after.provider(table)).await), expected);
    assert!(after.files(table).iter().all(|f| f.path != other), "{:?}", after.files(table));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_changed_in_a_file_of_another_writer() {
    let dir = tempfile::tempdir().unwrap();
    let table = &calls::TABLE;
    let (store, file) = of_another_writer(dir.path(), table).await;
    let before = store.snapshot().await.unwrap();
    let expected = lines(&read(table, before.provider(table)).await);
    let mut meant_at = Vec::new();
    let mut first = 0;
    let same = |batch: &RecordBatch, meant: &BooleanArray| {
        meant_at.extend((0..batch.num_rows()).filter(|i| meant.value(*i)).map(|i| first + i));
        first += batch.num_rows();
        Ok::<_, StoreError>(batch.clone())
    };
    let places = FileRows { file: file.clone(), places: vec![0, 7, 49] };
    let files = store.change_rows(table, places, same).await.unwrap();
    assert_eq!(meant_at, [0, 7, 49]);
    assert!(files.iter().all(|f| f.path != file.path), "{files:?}");
    let after = store.snapshot().await.unwrap();
    assert_eq!(after.files(table).as_slice(), files.as_slice());
    assert_eq!(lines(&read(table, after.provider(table)).await), expected);
}

/// Rows of each row group of a data file.
fn row_groups(root: &std::path::Path, table: &Table, file: &DataFile) -> Vec<i64> {
    let file = std::fs::File::open(root.join(table.name).join(&file.path)).unwrap();
    let footer = ParquetMetaDataReader::new().parse_and_finish(&file).unwrap();
    footer.row_groups().iter().map(|group| group.num_rows()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_the_files_added_since() {
    let dir = tempfile::tempdir().unwrap();
    let table = &metric_points::TABLE;
    let store = Store::open(dir.path()).await.unwrap();
    let first = store.append(table, rows(table, 4, 1, 1), None).await.unwrap();
    store.append(table, rows(table, 5, 2, 2), None).await.unwrap();
    let last = store.append(table, rows(table, 6, 1, 3), None).await.unwrap();

    let counts = async |since| {
        let changes = store.changes(table, since).await.unwrap();
        assert_eq!(changes.version, last);
        changes.files.iter().map(|f| f.rows).sum::<u64>()
    };
    assert_eq!(counts(None).await, 4 + 5 + 6);
    assert_eq!(counts(Some(first)).await, 5 + 6);
    assert_eq!(counts(Some(last)).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_append_to_one_table() {
    let dir = tempfile::tempdir().unwrap();
    let table = &spans::TABLE;
    let (a, b) = (Store::open(dir.path()).await.unwrap(), Store::open(dir.path()).await.unwrap());
    let writer = |store: Store, seed: u64| async move {
        for i in 0..15 {
            let txn = Txn { app: format!("collector-{seed}"), version: i };
            store.append(table, rows(table, 3, 1, seed + i as u64), Some(txn)).await.unwrap();
        }
    };
    tokio::join!(writer(a.clone(), 100), writer(b.clone(), 200));
    for store in [a, b] {
        let snapshot = store.snapshot().await.unwrap();
        assert_eq!(snapshot.versions()["spans"], 30);
        let found = read(table, snapshot.provider(table)).await;
        assert_eq!(found.iter().map(|r| r.num_rows()).sum::<usize>(), 2 * 15 * 3);
    }
}
