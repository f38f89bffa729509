//! The log under crashes and rot: what was acknowledged comes back, or the log says that it cannot.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use bytes::Bytes;
use proptest::prelude::*;
use spanledger_collector::dedup::request_hash;
use spanledger_collector::frame::Signal;
use spanledger_collector::wal::{
    AppendError, OnCorruption, Record, Recovered, Wal, WalError, WalSettings,
};
use spanledger_schemas::ids::LogSeq;

/// Header of a segment and of a record, from the drawing in `wal/segment.rs`.
const SEGMENT_HEADER: usize = 64;
const RECORD_HEADER: usize = 60;
const TENANT: &str = "t";

fn settings(segment_bytes_max: u64) -> WalSettings {
    WalSettings { segment_bytes_max, ..WalSettings::default() }
}

fn open(dir: &Path, settings: &WalSettings) -> Result<(Wal, Recovered), WalError> {
    Wal::open(dir, settings.clone(), LogSeq(0), 0)
}

fn record(body: &[u8]) -> Record {
    Record {
        tenant: TENANT.into(),
        signal: Signal::Traces,
        received_unix_ns: 0,
        hash: request_hash(TENANT, Signal::Traces, body),
        body: Bytes::copy_from_slice(body),
    }
}

fn append(wal: &Wal, body: &[u8]) -> Result<LogSeq, AppendError> {
    let (sender, outcome) = mpsc::channel();
    wal.append(record(body), Box::new(move |result| sender.send(result).unwrap()));
    outcome.recv().unwrap()
}

fn replayed(wal: &Wal, after: u64) -> BTreeMap<u64, Vec<u8>> {
    wal.replay(LogSeq(after))
        .map(|frame| frame.unwrap())
        .map(|frame| (frame.seq.0, frame.body.to_vec()))
        .collect()
}

/// Segments, oldest first.
fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "wal"))
        .collect();
    paths.sort();
    paths
}

/// A log of one segment with these bodies, one group each, and where each record ends.
fn written(dir: &Path, bodies: &[Vec<u8>]) -> (PathBuf, Vec<usize>) {
    let (wal, _) = open(dir, &WalSettings::default()).unwrap();
    for (seq, body) in (1..).zip(bodies) {
        assert_eq!(append(&wal, body), Ok(LogSeq(seq)));
    }
    drop(wal);
    let mut end = SEGMENT_HEADER;
    let ends = bodies.iter().map(|body| {
        end += RECORD_HEADER + TENANT.len() + body.len();
        end
    });
    (segments(dir).remove(0), ends.collect())
}

fn bodies() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 2..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_cut_anywhere_loses_only_the_records_behind_it(
        bodies in bodies(),
        place in any::<prop::sample::Index>(),
        zero_filled in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (path, ends) = written(dir.path(), &bodies);
        let size = *ends.last().unwrap();
        let cut = SEGMENT_HEADER + place.index(size - SEGMENT_HEADER + 1);
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(cut as u64).unwrap();
        if zero_filled {
            file.set_len(size as u64 + 4096).unwrap();
        }
        let whole = ends.iter().filter(|end| **end <= cut).count();

        let (wal, recovered) = open(dir.path(), &WalSettings::default()).unwrap();
        let frames = replayed(&wal, 0);
        prop_assert_eq!(frames.len(), whole);
        for (seq, body) in frames {
            prop_assert_eq!(&body, &bodies[seq as usize - 1]);
        }
        prop_assert_eq!(recovered.last, LogSeq(whole as u64));
        prop_assert_eq!(append(&wal, b"next"), Ok(LogSeq(whole as u64 + 1)));
    }

    #[test]
    fn a_flipped_bit_in_the_middle_is_refused_and_skipping_loses_that_record_only(
        bodies in bodies(),
        place in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (path, ends) = written(dir.path(), &bodies);
        // Up to the last record: what was synced before another one was written.
        let middle = ends[ends.len() - 2] - SEGMENT_HEADER;
        let at = SEGMENT_HEADER + place.index(middle);
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 1 << bit;
        fs::write(&path, &bytes).unwrap();
        let hit = ends.iter().position(|end| at < *end).unwrap();
        let start = if hit == 0 { SEGMENT_HEADER } else { ends[hit - 1] };

        let refused = open(dir.path(), &WalSettings::default()).unwrap_err();
        match &refused {
            WalError::Corrupt { path: named, offset, .. } => {
                prop_assert_eq!(named, &path);
                prop_assert_eq!(*offset, start as u64);
            }
            other => prop_assert!(false, "{other}"),
        }
        prop_assert!(refused.to_string().contains("wal.on_corruption = \"skip\""));

        let skip = WalSettings { on_corruption: OnCorruption::Skip, ..WalSettings::default() };
        let (wal, _) = open(dir.path(), &skip).unwrap();
        let mut expected: BTreeMap<u64, Vec<u8>> = (1..).zip(bodies.iter().cloned()).collect();
        expected.remove(&(hit as u64 + 1));
        prop_assert_eq!(replayed(&wal, 0), expected.clone());
        drop(wal);
        let quarantine = dir.path().join("quarantine");
        let set_aside = fs::read_dir(quarantine).unwrap().next().unwrap().unwrap().path();
        prop_assert_eq!(fs::read(set_aside).unwrap(), &bytes[start..ends[hit]]);

        // Mended: the next start needs no switch.
        let (wal, _) = open(dir.path(), &WalSettings::default()).unwrap();
        prop_assert_eq!(replayed(&wal, 0), expected);
    }
}

#[test]
fn sequences_go_on_over_segments_restarts_and_total_trimming() {
    let dir = tempfile::tempdir().unwrap();
    let small = settings(256);
    for round in 0..3u64 {
        let (wal, recovered) = open(dir.path(), &small).unwrap();
        assert_eq!(recovered.last, LogSeq(round * 10), "round {round}");
        for n in 1..=10 {
            let seq = round * 10 + n;
            assert_eq!(append(&wal, &seq.to_le_bytes()), Ok(LogSeq(seq)));
        }
        // 256 bytes hold two records of 69 bytes behind the header and the one that passes it.
        assert!(segments(dir.path()).len() >= 4);
        wal.trim(LogSeq(round * 10 + 10), 0).unwrap();
        wal.close();
        wal.trim(LogSeq(round * 10 + 10), 0).unwrap();
        assert_eq!(segments(dir.path()).len(), 1, "only an empty segment is left");
    }
    let (wal, recovered) = open(dir.path(), &small).unwrap();
    assert_eq!(recovered.committed, LogSeq(30));
    assert!(replayed(&wal, 0).is_empty());
    assert_eq!(recovered.seen.len(), 30, "retries are known after their segments are gone");
}

#[test]
fn kept_hashes_are_forgotten_after_the_hour() {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = open(dir.path(), &settings(64)).unwrap();
    append(&wal, b"a").unwrap();
    append(&wal, b"b").unwrap();
    wal.trim(LogSeq(2), 0).unwrap();
    drop(wal);
    let hour_ns = 3_600_000_000_000;
    let (_wal, recovered) = Wal::open(dir.path(), settings(64), LogSeq(0), hour_ns + 1).unwrap();
    assert!(recovered.seen.iter().all(|(_, hash)| *hash != record(b"a").hash));
    assert!(
        fs::read_dir(dir.path())
            .unwrap()
            .all(|f| f.unwrap().path().extension() != Some("seen".as_ref()))
    );
}

#[test]
fn sequences_start_above_what_the_tables_have_seen() {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = Wal::open(dir.path(), WalSettings::default(), LogSeq(41), 0).unwrap();
    assert_eq!(append(&wal, b"a"), Ok(LogSeq(42)));
}

#[test]
fn a_full_log_refuses_until_it_is_trimmed() {
    let dir = tempfile::tempdir().unwrap();
    let tight = WalSettings { bytes_max: 2_000, ..settings(500) };
    let (wal, _) = open(dir.path(), &tight).unwrap();
    let body = [7u8; 400];
    let mut logged = 0;
    let refused = loop {
        match append(&wal, &body) {
            Ok(seq) => logged = seq.0,
            Err(error) => break error,
        }
    };
    // Each record of 461 bytes fills a segment and opens one with a header of 64: three take
    // 3 × 525 = 1,575 bytes, the fourth would end at 2,036.
    assert_eq!(logged, 3);
    assert!(matches!(refused, AppendError::Full { bytes_max: 2_000, .. }), "{refused}");
    wal.trim(LogSeq(logged), 0).unwrap();
    assert!(append(&wal, &body).is_ok());
}

#[test]
fn a_log_that_fails_refuses_and_goes_on_in_a_fresh_segment_once_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let (wal_dir, away) = (dir.path().join("wal"), dir.path().join("away"));
    let (wal, _) = open(&wal_dir, &settings(64)).unwrap();
    assert_eq!(append(&wal, b"a"), Ok(LogSeq(1)));
    // Each record needs a new segment, which has no folder now.
    fs::rename(&wal_dir, &away).unwrap();
    assert!(matches!(append(&wal, b"b"), Err(AppendError::Broken(_))));
    assert!(wal.status().broken.is_some());
    assert!(matches!(append(&wal, b"c"), Err(AppendError::Broken(_))));
    fs::rename(&away, &wal_dir).unwrap();
    while wal.status().broken.is_some() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // The sequence of the failed request is not used again.
    assert_eq!(append(&wal, b"d"), Ok(LogSeq(3)));
    drop(wal);
    let (wal, _) = open(&wal_dir, &settings(64)).unwrap();
    let expected = BTreeMap::from([(1, b"a".to_vec()), (3, b"d".to_vec())]);
    assert_eq!(replayed(&wal, 0), expected);
}

#[test]
fn a_missing_segment_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = open(dir.path(), &settings(64)).unwrap();
    for body in [b"a", b"b", b"c"] {
        append(&wal, body).unwrap();
    }
    drop(wal);
    fs::remove_file(&segments(dir.path())[1]).unwrap();
    let error = open(dir.path(), &settings(64)).unwrap_err().to_string();
    assert!(error.contains("00000000000000000002.wal`, is missing"), "{error}");
}

#[test]
fn bytes_behind_the_stated_end_of_a_segment_are_not_data() {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = open(dir.path(), &settings(64)).unwrap();
    append(&wal, b"a").unwrap();
    append(&wal, b"b").unwrap();
    drop(wal);
    // What a failed write may leave behind: the first half of a record.
    let first = segments(dir.path()).remove(0);
    let mut bytes = fs::read(&first).unwrap();
    bytes.extend_from_slice(&[9; 40]);
    fs::write(&first, bytes).unwrap();
    let (wal, _) = open(dir.path(), &settings(64)).unwrap();
    assert_eq!(replayed(&wal, 0).len(), 2);
}
