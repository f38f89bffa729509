//! The hashes of requests whose segments are deleted: keeps retries recognised after a restart
//! (I-2). Takes a segment about to be deleted, gives hashes back at start; owns `wal/*.seen`.
//! What counts as a retry is `dedup`'s to say.
//!
//! The file `wal/<first sequence of the segment, 20 digits>.seen`, little-endian:
//!
//! ```text
//!  0  8  magic "SLEDSEEN"
//!  8  4  format version, 1
//! 12  4  CRC-32 of everything from offset 16
//! 16 24  per request: received, ns since the epoch (8) · hash (16)
//! ```
//!
//! It is written whole, fsynced, before its segment is deleted, and deleted itself once its
//! youngest request is out of the window. It grows by a new version.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::segment::{self, HEADER_BYTES, RECORD_HEADER_BYTES};
use super::{OnCorruption, Sealed, WalError, io_error, recover, write_durably};
use crate::limits;

const MAGIC: &[u8; 8] = b"SLEDSEEN";
const VERSION: u32 = 1;
const HEAD_BYTES: usize = 16;
const ENTRY_BYTES: usize = 24;
const EXTENSION: &str = "seen";

/// One file of hashes.
#[derive(Debug)]
pub(super) struct SeenFile {
    path: PathBuf,
    newest: i64,
    requests: usize,
}

/// All hashes that were kept, oldest segment first.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) files: VecDeque<SeenFile>,
    pub(super) hashes: Vec<(i64, u128)>,
}

/// Reads what was kept and is younger than `oldest`.
pub(super) fn load(dir: &Path, policy: OnCorruption, oldest: i64) -> Result<Seen, WalError> {
    let mut seen = Seen::default();
    for (base, path) in recover::files(dir, EXTENSION)? {
        if segment::path(dir, base).exists() {
            // The machine stopped before the segment was deleted: the segment itself knows.
            fs::remove_file(&path).map_err(io_error("deleting", &path))?;
            continue;
        }
        let bytes = fs::read(&path).map_err(io_error("reading", &path))?;
        let entries = match decode(&bytes) {
            Ok(entries) => entries,
            Err(detail) => {
                let end = bytes.len() as u64;
                recover::refuse_or_quarantine(dir, policy, &path, 0..end, detail)?;
                fs::remove_file(&path).map_err(io_error("deleting", &path))?;
                continue;
            }
        };
        let newest = entries.iter().map(|(received, _)| *received).max().unwrap_or(i64::MIN);
        seen.files.push_back(SeenFile { path, newest, requests: entries.len() });
        seen.hashes.extend(entries.into_iter().filter(|(received, _)| *received > oldest));
    }
    expire(&mut seen.files, oldest)?;
    Ok(seen)
}

/// Keeps the hashes of a segment that are younger than `oldest`, durably.
pub(super) fn keep(
    dir: &Path,
    segment: &Sealed,
    oldest: i64,
) -> Result<Option<SeenFile>, WalError> {
    let entries = hashes_of(segment, oldest)?;
    let Some(newest) = entries.iter().map(|(received, _)| *received).max() else {
        return Ok(None);
    };
    let path = dir.join(format!("{:020}.{EXTENSION}", segment.base));
    write_durably(dir, &path, &encode(&entries))?;
    Ok(Some(SeenFile { path, newest, requests: entries.len() }))
}

/// Deletes files that hold nothing younger than `oldest`, and the oldest ones beyond the cap.
pub(super) fn expire(files: &mut VecDeque<SeenFile>, oldest: i64) -> Result<(), WalError> {
    let mut requests: usize = files.iter().map(|file| file.requests).sum();
    while let Some(file) = files.front()
        && (file.newest <= oldest || requests > limits::DEDUP_REQUESTS_MAX + file.requests)
    {
        fs::remove_file(&file.path).map_err(io_error("deleting", &file.path))?;
        requests -= file.requests;
        files.pop_front();
    }
    Ok(())
}

/// Reads only the record headers: the bodies stay on disk.
fn hashes_of(segment: &Sealed, oldest: i64) -> Result<Vec<(i64, u128)>, WalError> {
    let io = |e| io_error("reading the segment", &segment.path)(e);
    let file = File::open(&segment.path).map_err(io)?;
    let mut head = [0u8; HEADER_BYTES];
    file.read_exact_at(&mut head, 0).map_err(io)?;
    let mut at = recover::header(&segment.path, &head)?.1 as u64;
    let mut entries = Vec::new();
    while at < segment.end {
        let mut record = [0u8; RECORD_HEADER_BYTES];
        file.read_exact_at(&mut record, at).map_err(io)?;
        let received = segment::received_of(&record);
        if segment::holds_request(&record) && received > oldest {
            entries.push((received, segment::hash_of(&record)));
        }
        at += segment::size_of(&record);
    }
    Ok(entries)
}

fn encode(entries: &[(i64, u128)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD_BYTES + entries.len() * ENTRY_BYTES);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    for (received, hash) in entries {
        out.extend_from_slice(&received.to_le_bytes());
        out.extend_from_slice(&hash.to_le_bytes());
    }
    let crc = crc32fast::hash(&out[HEAD_BYTES..]);
    out[12..16].copy_from_slice(&crc.to_le_bytes());
    out
}

fn decode(bytes: &[u8]) -> Result<Vec<(i64, u128)>, &'static str> {
    let (Some(head), Some(entries)) = (bytes.get(..HEAD_BYTES), bytes.get(HEAD_BYTES..)) else {
        return Err("the file is shorter than its header");
    };
    if &head[..8] != MAGIC || head[8..12] != VERSION.to_le_bytes() {
        return Err("the file does not begin with the magic and version of kept hashes");
    }
    if head[12..16] != crc32fast::hash(entries).to_le_bytes() {
        return Err("the checksum of the kept hashes does not match");
    }
    if !entries.len().is_multiple_of(ENTRY_BYTES) {
        return Err("the kept hashes are cut off");
    }
    let entry = |bytes: &[u8]| {
        let (mut received, mut hash) = ([0u8; 8], [0u8; 16]);
        received.copy_from_slice(&bytes[..8]);
        hash.copy_from_slice(&bytes[8..]);
        (i64::from_le_bytes(received), u128::from_le_bytes(hash))
    };
    Ok(entries.chunks_exact(ENTRY_BYTES).map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_hashes_round_trip_and_any_flipped_byte_is_seen() {
        let entries = vec![(-1, u128::MAX), (1_795_564_800_000_000_000, 7)];
        let bytes = encode(&entries);
        assert_eq!(bytes.len(), 16 + 2 * 24);
        assert_eq!(decode(&bytes), Ok(entries));
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 0x10;
            assert!(decode(&broken).is_err(), "byte {at}");
        }
    }
}
