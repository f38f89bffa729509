//! The bytes of a log segment: writes headers and records, reads them back, tells why bytes are
//! not a record. It owns the format; files, fsync and recovery are its neighbours'.
//!
//! A segment is the file `wal/<first sequence, 20 digits>.wal`. Integers are little-endian.
//!
//! ```text
//! header                                     record
//!  0  8  magic "SLEDGWAL"                     0  4  length: bytes from offset 8 to its end
//!  8  4  format version, 1                    4  4  CRC-32 of bytes 0..4 and 8..8+length
//! 12  4  header length, 64                    8  8  sequence
//! 16  8  sequence of the first record        16  8  synced: all up to it were fsynced before
//! 24  8  first sequence of the segment       24  8  committed: all up to it were in the tables
//!        before, or 2^64-1                   32  8  received, ns since the epoch
//! 32  8  where that segment ends, bytes      40 16  hash of tenant, signal and body (xxh3-128)
//! 40  8  committed: all up to it were        56  1  kind: 0 hole, 1 traces, 2 metrics, 3 logs
//!        in the tables                       57  1  body encoding, 0 = as it is
//! 48 12  zero                                58  2  length t of the tenant
//! 60  4  CRC-32 of bytes 0..60               60  t  tenant, UTF-8
//!                                          60+t     body
//! ```
//!
//! Sequences grow by one from record to record. A *hole* stands where `wal.on_corruption = "skip"`
//! has cut broken bytes out; its sequence is that of the record behind it.
//! What lies behind the end that the next segment states was never acknowledged: a write or an
//! fsync failed there, or the machine stopped.
//!
//! How it may grow: a longer header (readers go to `header length`), new kinds and encodings
//! (an old reader refuses them by name). Anything else takes a new version number.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use spanledger_schemas::ids::LogSeq;

use crate::frame::{Frame, Signal};

pub(super) const HEADER_BYTES: usize = 64;
pub(super) const RECORD_HEADER_BYTES: usize = 60;
/// A segment before which there is none.
pub(super) const NO_SEGMENT: u64 = u64::MAX;
const MAGIC: &[u8; 8] = b"SLEDGWAL";
const VERSION: u32 = 1;
const KIND_HOLE: u8 = 0;
const ENCODING_RAW: u8 = 0;

/// The header of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) base: u64,
    pub(super) previous_base: u64,
    pub(super) previous_end: u64,
    pub(super) committed: u64,
}

/// A request on its way into the log.
#[derive(Debug, Clone)]
pub struct Record {
    /// Owner, from the credential.
    pub tenant: Arc<str>,
    /// What the body is.
    pub signal: Signal,
    /// When it was received, nanoseconds since the epoch.
    pub received_unix_ns: i64,
    /// [`crate::dedup::request_hash`] of it.
    pub hash: u128,
    /// The protobuf request.
    pub body: Bytes,
}

/// Where the writer stands; written into every record.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    pub(super) synced: u64,
    pub(super) committed: u64,
}

/// One record read back.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) marks: Marks,
    pub(super) hash: u128,
    pub(super) frame: Frame,
}

/// What stands at an offset of a segment.
#[derive(Debug)]
pub(super) enum Found {
    Record(Box<Entry>, usize),
    /// Broken bytes were cut out here; the next record has this sequence.
    Hole {
        next_seq: u64,
        next: usize,
    },
    End,
    Bad(&'static str),
    /// Whole, but written by a version that knows more.
    Newer(&'static str),
}

/// Why a header cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    Broken(&'static str),
    Newer(&'static str),
}

pub(super) fn path(dir: &Path, base: u64) -> PathBuf {
    dir.join(format!("{base:020}.wal"))
}

/// The first sequence that a file's name states, for names with that extension.
pub(super) fn base_of(path: &Path, extension: &str) -> Option<u64> {
    if path.extension()? != extension {
        return None;
    }
    let stem = path.file_stem()?.to_str()?;
    if stem.len() == 20 { stem.parse().ok() } else { None }
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0u8; HEADER_BYTES];
        out[0..8].copy_from_slice(MAGIC);
        out[8..12].copy_from_slice(&VERSION.to_le_bytes());
        out[12..16].copy_from_slice(&(HEADER_BYTES as u32).to_le_bytes());
        out[16..24].copy_from_slice(&self.base.to_le_bytes());
        out[24..32].copy_from_slice(&self.previous_base.to_le_bytes());
        out[32..40].copy_from_slice(&self.previous_end.to_le_bytes());
        out[40..48].copy_from_slice(&self.committed.to_le_bytes());
        let crc = crc32fast::hash(&out[..60]);
        out[60..64].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// The header and where the records begin.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Header, usize), Unreadable> {
        if bytes.len() < HEADER_BYTES {
            return Err(Unreadable::Broken("the file is shorter than a segment header"));
        }
        if &bytes[0..8] != MAGIC {
            return Err(Unreadable::Broken("the file does not begin with the magic of a segment"));
        }
        if u32_at(bytes, 60) != crc32fast::hash(&bytes[..60]) {
            return Err(Unreadable::Broken("the checksum of the segment header does not match"));
        }
        if u32_at(bytes, 8) != VERSION {
            return Err(Unreadable::Newer(
                "the segment has a format version this one does not know",
            ));
        }
        let header = Header {
            base: u64_at(bytes, 16),
            previous_base: u64_at(bytes, 24),
            previous_end: u64_at(bytes, 32),
            committed: u64_at(bytes, 40),
        };
        Ok((header, u32_at(bytes, 12) as usize))
    }
}

impl Record {
    /// Bytes it takes in the log.
    pub(super) fn log_bytes(&self) -> u64 {
        (RECORD_HEADER_BYTES + self.tenant.len() + self.body.len()) as u64
    }

    /// Appends the record to a buffer. The tenant is no longer than 16 bits can say: the caller
    /// checks that against the limit.
    pub(super) fn encode(&self, seq: u64, marks: Marks, out: &mut Vec<u8>) {
        let fields = Fields {
            seq,
            marks,
            received_unix_ns: self.received_unix_ns,
            hash: self.hash,
            kind: self.signal.code(),
            tenant: &self.tenant,
        };
        fields.encode(&self.body, out);
    }
}

/// The bytes of a hole that fills `bytes` bytes (at least a record header) before the record
/// `next_seq`.
pub(super) fn hole(bytes: usize, next_seq: u64) -> Vec<u8> {
    let fields = Fields {
        seq: next_seq,
        marks: Marks::default(),
        received_unix_ns: 0,
        hash: 0,
        kind: KIND_HOLE,
        tenant: "",
    };
    let mut out = Vec::with_capacity(bytes);
    fields.encode(&vec![0; bytes.saturating_sub(RECORD_HEADER_BYTES)], &mut out);
    out
}

struct Fields<'a> {
    seq: u64,
    marks: Marks,
    received_unix_ns: i64,
    hash: u128,
    kind: u8,
    tenant: &'a str,
}

impl Fields<'_> {
    fn encode(&self, body: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        let length = (RECORD_HEADER_BYTES - 8 + self.tenant.len() + body.len()) as u32;
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.seq.to_le_bytes());
        out.extend_from_slice(&self.marks.synced.to_le_bytes());
        out.extend_from_slice(&self.marks.committed.to_le_bytes());
        out.extend_from_slice(&self.received_unix_ns.to_le_bytes());
        out.extend_from_slice(&self.hash.to_le_bytes());
        out.extend_from_slice(&[self.kind, ENCODING_RAW]);
        out.extend_from_slice(&(self.tenant.len() as u16).to_le_bytes());
        out.extend_from_slice(self.tenant.as_bytes());
        out.extend_from_slice(body);
        let crc = checksum(&out[start..]);
        out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    }
}

/// CRC-32 of a record, without the field that holds it.
fn checksum(record: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&record[..4]);
    crc.update(&record[8..]);
    crc.finalize()
}

/// Reads what stands at `at`, up to where `bytes` ends. `seq` is the sequence it must have.
pub(super) fn read(bytes: &Bytes, at: usize, seq: u64) -> Found {
    let rest = &bytes[at..];
    if rest.is_empty() {
        return Found::End;
    }
    if rest.len() < RECORD_HEADER_BYTES {
        return Found::Bad("the record is cut off");
    }
    let length = u32_at(rest, 0) as usize;
    if length < RECORD_HEADER_BYTES - 8 {
        return Found::Bad("the length is shorter than any record");
    }
    let size = length + 8;
    if size > rest.len() {
        return Found::Bad("the length passes the end of the segment");
    }
    if u32_at(rest, 4) != checksum(&rest[..size]) {
        return Found::Bad("the checksum does not match");
    }
    let next = at + size;
    let found_seq = u64_at(rest, 8);
    let kind = rest[56];
    if kind == KIND_HOLE {
        return Found::Hole { next_seq: found_seq, next };
    }
    if found_seq != seq {
        return Found::Bad("the sequence is not the next one");
    }
    let Some(signal) = Signal::from_code(kind) else {
        return Found::Newer("the kind of record is not known");
    };
    if rest[57] != ENCODING_RAW {
        return Found::Newer("the body's encoding is not known");
    }
    let tenant_end = RECORD_HEADER_BYTES + usize::from(u16_at(rest, 58));
    let tenant = rest.get(RECORD_HEADER_BYTES..tenant_end.min(size));
    let Some(Ok(tenant)) = tenant.map(std::str::from_utf8) else {
        return Found::Bad("the tenant is not text");
    };
    if tenant_end > size {
        return Found::Bad("the tenant passes the end of the record");
    }
    let entry = Entry {
        marks: marks_of(rest),
        hash: hash_of(rest),
        frame: Frame {
            seq: LogSeq(found_seq),
            tenant: Arc::from(tenant),
            signal,
            received_unix_ns: received_of(rest),
            body: bytes.slice(at + tenant_end..next),
        },
    };
    Found::Record(Box::new(entry), next)
}

/// The first whole record behind `at`, at least a record header away, whose sequence is above
/// `seq`: its offset, sequence and marks.
pub(super) fn find_behind(bytes: &Bytes, at: usize, seq: u64) -> Option<(usize, u64, Marks)> {
    let last = bytes.len().checked_sub(RECORD_HEADER_BYTES)?;
    (at + RECORD_HEADER_BYTES..=last).find_map(|offset| {
        let record = &bytes[offset..];
        let found_seq = u64_at(record, 8);
        // A segment never holds this many records, so most offsets are passed by two compares.
        let plausible = found_seq > seq && found_seq - seq < 1 << 32 && record[56] != KIND_HOLE;
        match plausible.then(|| read(bytes, offset, found_seq)) {
            Some(Found::Record(entry, _)) => Some((offset, found_seq, entry.marks)),
            _ => None,
        }
    })
}

/// When it was received, from a record's first bytes.
pub(super) fn received_of(record: &[u8]) -> i64 {
    u64_at(record, 32) as i64
}

/// The request's hash, from a record's first bytes.
pub(super) fn hash_of(record: &[u8]) -> u128 {
    u128::from(u64_at(record, 40)) | u128::from(u64_at(record, 48)) << 64
}

/// Bytes of the whole record, from its first bytes.
pub(super) fn size_of(record: &[u8]) -> u64 {
    u64::from(u32_at(record, 0)) + 8
}

/// Whether it is a hole, from a record's first bytes.
pub(super) fn holds_request(record: &[u8]) -> bool {
    record[56] != KIND_HOLE
}

fn marks_of(record: &[u8]) -> Marks {
    Marks { synced: u64_at(record, 16), committed: u64_at(record, 24) }
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0u8; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(body: &'static [u8]) -> Record {
        Record {
            tenant: "acme".into(),
            signal: Signal::Logs,
            received_unix_ns: -5,
            hash: 1 << 127 | 3,
            body: Bytes::from_static(body),
        }
    }

    #[test]
    fn a_record_is_laid_out_as_drawn() {
        let mut out = Vec::new();
        record(b"xyz").encode(7, Marks { synced: 6, committed: 2 }, &mut out);
        assert_eq!(out.len(), 60 + 4 + 3);
        assert_eq!(out[0..4], [59, 0, 0, 0]);
        assert_eq!(out[8], 7);
        assert_eq!((out[16], out[24]), (6, 2));
        assert_eq!(out[32..40], (-5i64).to_le_bytes());
        assert_eq!((out[40], out[55]), (3, 0x80));
        assert_eq!(out[56..60], [3, 0, 4, 0]);
        assert_eq!(&out[60..], b"acmexyz");
    }

    #[test]
    fn records_and_holes_round_trip() {
        let mut out = Vec::new();
        record(b"a").encode(7, Marks::default(), &mut out);
        out.extend(hole(100, 12));
        record(b"").encode(12, Marks::default(), &mut out);
        let bytes = Bytes::from(out);
        let Found::Record(first, at) = read(&bytes, 0, 7) else { panic!("no record") };
        assert_eq!((first.frame.seq.0, &first.frame.body[..]), (7, &b"a"[..]));
        assert_eq!((&*first.frame.tenant, first.hash), ("acme", 1 << 127 | 3));
        let Found::Hole { next_seq: 12, next } = read(&bytes, at, 8) else { panic!("no hole") };
        assert_eq!(next, at + 100);
        let Found::Record(last, end) = read(&bytes, next, 12) else { panic!("no record") };
        assert!(last.frame.body.is_empty());
        assert!(matches!(read(&bytes, end, 13), Found::End));
    }

    #[test]
    fn headers_round_trip_and_any_flipped_byte_is_seen() {
        let header = Header { base: 9, previous_base: 3, previous_end: 4096, committed: 8 };
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes), Ok((header, HEADER_BYTES)));
        for at in 0..HEADER_BYTES {
            let mut broken = bytes;
            broken[at] ^= 1;
            assert!(Header::decode(&broken).is_err(), "byte {at}");
        }
    }
}
