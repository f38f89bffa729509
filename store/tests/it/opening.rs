//! Tables of another make: evolved where it is safe, refused by name where it is not.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use parquet::arrow::ArrowWriter;
use spanledger_schemas::tables::spans;
use spanledger_store::{Store, StoreError};

use crate::rows::{read, rows};

fn first_entry(dir: &Path) -> PathBuf {
    dir.join("spans/_delta_log/00000000000000000000.json")
}

/// A store whose table `spans` was created with other text in its first log entry.
async fn with_entry(change: impl Fn(String) -> String) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path()).await.unwrap();
    let path = first_entry(dir.path());
    let before = fs::read_to_string(&path).unwrap();
    let after = change(before.clone());
    assert_ne!(before, after, "the case changes something");
    fs::write(path, after).unwrap();
    dir
}

/// Takes a column out of the schema, which is JSON inside JSON.
fn without_column(entry: String, name: &str) -> String {
    let start = entry.find(&format!(r#"{{\"name\":\"{name}\","#)).unwrap();
    let end = start + entry[start..].find(r#"{\"name\":"#).unwrap().max(1);
    let end = end + entry[end + 1..].find(r#"{\"name\":"#).unwrap() + 1;
    format!("{}{}", &entry[..start], &entry[end..])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_added_since_is_added_to_the_table_and_null_in_older_files() {
    let dir = with_entry(|entry| without_column(entry, "team")).await;
    // A file of the older version, as another writer would commit it.
    let old = rows(&spans::TABLE, 4, 1, 1);
    let keep: Vec<usize> =
        (1..old.num_columns()).filter(|&i| old.schema().field(i).name() != "team").collect();
    let old = old.project(&keep).unwrap();
    let path = dir.path().join("spans/date=2026-11-25/part-00000.parquet");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut writer =
        ArrowWriter::try_new(fs::File::create(&path).unwrap(), old.schema(), None).unwrap();
    writer.write(&old).unwrap();
    writer.close().unwrap();
    let size = fs::metadata(&path).unwrap().len();
    let add = format!(
        r#"{{"add":{{"path":"date=2026-11-25/part-00000.parquet","partitionValues":{{"date":"2026-11-25"}},"size":{size},"modificationTime":0,"dataChange":true,"stats":"{{\"numRecords\":4}}"}}}}"#
    );
    fs::write(dir.path().join("spans/_delta_log/00000000000000000001.json"), add).unwrap();

    let store = Store::open(dir.path()).await.unwrap();
    assert_eq!(store.snapshot().await.unwrap().versions()["spans"], 2, "one metadata commit");
    store.append(&spans::TABLE, rows(&spans::TABLE, 6, 1, 2), None).await.unwrap();
    for step in ["appended", "merged"] {
        let found =
            read(&spans::TABLE, store.snapshot().await.unwrap().provider(&spans::TABLE)).await;
        let nulls = |batch: &RecordBatch| batch.column_by_name("team").unwrap().null_count();
        let new = nulls(&rows(&spans::TABLE, 6, 1, 2));
        assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), 10, "{step}");
        assert_eq!(found.iter().map(nulls).sum::<usize>(), 4 + new, "{step}");
        store.compact().await.unwrap();
    }
    assert_eq!(store.snapshot().await.unwrap().files(&spans::TABLE).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_of_another_type_is_refused_by_name() {
    let long = r#"{\"name\":\"duration_ns\",\"type\":\"long\""#;
    let text = r#"{\"name\":\"duration_ns\",\"type\":\"string\""#;
    let dir = with_entry(|entry| entry.replace(long, text)).await;
    let error = Store::open(dir.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::Columns { table: "spans", .. }), "{error}");
    assert!(error.to_string().contains("column `duration_ns` is string, expected long"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_required_column_that_is_missing_is_refused() {
    let dir = with_entry(|entry| without_column(entry, "span_id")).await;
    let error = Store::open(dir.path()).await.unwrap_err();
    assert!(error.to_string().contains("column `span_id` is missing"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_of_a_later_version_is_refused() {
    let ours = r#"{\"name\":\"team\""#;
    let theirs = r#"{\"name\":\"squad\",\"type\":\"string\",\"nullable\":true,\"metadata\":{}},"#;
    let dir = with_entry(|entry| entry.replace(ours, &format!("{theirs}{ours}"))).await;
    let error = Store::open(dir.path()).await.unwrap_err();
    assert!(error.to_string().contains("column `squad` is unknown"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_features_are_refused_by_name() {
    let plain = r#""protocol":{"minReaderVersion":1,"minWriterVersion":2}"#;
    for feature in ["deletionVectors", "columnMapping"] {
        let needs = format!(
            r#""protocol":{{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["{feature}"],"writerFeatures":["{feature}"]}}"#
        );
        let dir = with_entry(|entry| entry.replace(plain, &needs)).await;
        let error = Store::open(dir.path()).await.unwrap_err();
        let found = matches!(&error, StoreError::ForeignFeature { feature: f, .. } if f == feature);
        assert!(found, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_store_stops_when_the_table_changes_under_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let entry = fs::read_to_string(first_entry(dir.path())).unwrap();
    let ours = r#"{\"name\":\"team\""#;
    let theirs = r#"{\"name\":\"squad\",\"type\":\"string\",\"nullable\":true,\"metadata\":{}},"#;
    let metadata = entry.lines().find(|line| line.contains("metaData")).unwrap();
    let later = metadata.replace(ours, &format!("{theirs}{ours}"));
    fs::write(dir.path().join("spans/_delta_log/00000000000000000001.json"), later).unwrap();
    let batch = Arc::new(rows(&spans::TABLE, 1, 1, 1));
    let error = store.append(&spans::TABLE, batch.as_ref().clone(), None).await.unwrap_err();
    assert!(error.to_string().contains("column `squad` is unknown"), "{error}");
    let said = &store.status().tables[0].commit_error;
    assert!(said.as_ref().is_some_and(|s| s.contains("squad")), "health tells: {said:?}");
}
