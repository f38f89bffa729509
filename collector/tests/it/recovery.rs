//! After a crash: what was acknowledged is in the tables once, whatever had been committed.

use spanledger_collector::frame::Signal;
use spanledger_collector::wal::WalSettings;
use spanledger_collector::{Collector, CollectorError, CollectorSettings};
use spanledger_store::Store;

use crate::harness::{Harness, body, flushing, hex, unflushed};

async fn submit(harness: &Harness, ids: &[u64]) -> bool {
    let ack = harness.collector.submit("default".into(), Signal::Traces, body(ids).into()).await;
    ack.unwrap().duplicate
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_and_uncommitted_is_read_back_once() {
    let harness = Harness::start(unflushed()).await;
    for id in 1..=5 {
        submit(&harness, &[id]).await;
    }
    assert!(harness.span_ids().await.is_empty(), "nothing was flushed before the crash");
    let harness = Harness::start_in(harness.crash(), unflushed()).await;
    assert_eq!(harness.span_ids().await, hex(&[1, 2, 3, 4, 5]), "before the doors open");
    let harness = Harness::start_in(harness.crash(), unflushed()).await;
    assert_eq!(harness.finish().await, hex(&[1, 2, 3, 4, 5]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_after_a_crash_or_a_clean_end_is_recognised() {
    let harness = Harness::start(unflushed()).await;
    let request = body(&[1]);
    let send = async |harness: &Harness| {
        let body = request.clone().into();
        harness.collector.submit("default".into(), Signal::Traces, body).await.unwrap().duplicate
    };
    assert!(!send(&harness).await);
    let harness = Harness::start_in(harness.crash(), flushing()).await;
    assert!(send(&harness).await, "known from the log");
    harness.collector.shutdown().await;
    let harness = Harness::start_in(harness.crash(), flushing()).await;
    assert!(send(&harness).await, "known from the kept hashes");
    assert_eq!(harness.finish().await, hex(&[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_log_does_not_make_the_tables_refuse_new_data() {
    let harness = Harness::start(flushing()).await;
    submit(&harness, &[1]).await;
    harness.collector.shutdown().await;
    let dir = harness.crash();
    std::fs::remove_dir_all(dir.path().join("wal")).unwrap();
    let harness = Harness::start_in(dir, flushing()).await;
    submit(&harness, &[2]).await;
    assert_eq!(harness.finish().await, hex(&[1, 2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_store_is_filled_again_from_what_the_log_still_has() {
    let harness = Harness::start(unflushed()).await;
    submit(&harness, &[1]).await;
    let harness = Harness::start_in(harness.crash(), unflushed()).await;
    let dir = harness.crash();
    std::fs::remove_dir_all(dir.path().join("store")).unwrap();
    let harness = Harness::start_in(dir, unflushed()).await;
    submit(&harness, &[2]).await;
    assert!(harness.finish().await.contains(&"0000000000000002".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_trimmed_behind_the_tables() {
    let wal = WalSettings { segment_bytes_max: 1024, ..Default::default() };
    let harness = Harness::start(CollectorSettings { wal, ..flushing() }).await;
    let ids: Vec<u64> = (1..=100).collect();
    for id in &ids {
        submit(&harness, &[*id]).await;
    }
    harness.collector.shutdown().await;
    let logs = std::fs::read_dir(harness.dir.path().join("wal"))
        .unwrap()
        .filter(|file| file.as_ref().unwrap().path().extension() == Some("wal".as_ref()))
        .count();
    assert_eq!(logs, 1, "an empty segment that keeps the sequence");
    assert_eq!(harness.span_ids().await, hex(&ids));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_folder_is_refused() {
    let harness = Harness::start(flushing()).await;
    let store = Store::open(&harness.dir.path().join("store")).await.unwrap();
    let second = Collector::start(flushing(), store, harness.dir.path()).await;
    assert!(matches!(second, Err(CollectorError::InUse(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_well_and_says_so() {
    let harness = Harness::start(flushing()).await;
    submit(&harness, &[1]).await;
    let checks = harness.collector.health();
    assert!(checks.iter().all(|check| check.ok), "{checks:?}");
}
