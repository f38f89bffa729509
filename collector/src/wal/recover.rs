//! What a restart makes of the log's folder: reads every segment, cuts an unfinished end off,
//! refuses or sets aside broken bytes, and tells where the next segment goes on.
//! It does not decide what is replayed: that depends on the tables.

use std::fs::{self, File, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::segment::{
    self, Found, HEADER_BYTES, Header, NO_SEGMENT, RECORD_HEADER_BYTES, Unreadable,
};
use super::writer::Previous;
use super::{OnCorruption, Sealed, WalError, io_error, sync_dir};

/// What was left in the folder.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) sealed: Vec<Sealed>,
    /// The next sequence.
    pub(super) next: u64,
    pub(super) committed: u64,
    pub(super) previous: Previous,
    /// Received time and hash of every request.
    pub(super) hashes: Vec<(i64, u128)>,
}

/// A segment whose header was read, and what stands around it.
struct Listed {
    path: PathBuf,
    header: Header,
    /// Base and stated end of this segment, from the header behind it; none for the last one.
    behind: Option<(u64, u64)>,
}

/// Reads the log back and mends what a crash may leave.
pub(super) fn recover(dir: &Path, policy: OnCorruption) -> Result<Left, WalError> {
    for (_, path) in files(dir, "tmp")? {
        fs::remove_file(&path).map_err(io_error("deleting", &path))?;
    }
    let mut left = Left {
        sealed: Vec::new(),
        next: 1,
        committed: 0,
        previous: Previous { base: NO_SEGMENT, end: 0 },
        hashes: Vec::new(),
    };
    for listed in list(dir, policy, &mut left.next)? {
        let is_last = listed.behind.is_none();
        left.committed = left.committed.max(listed.header.committed);
        let before = left.hashes.len();
        let (end, next) = read_segment(dir, policy, &listed, &mut left)?;
        left.next = left.next.max(next);
        let base = listed.header.base;
        if is_last && left.hashes.len() == before && left.next == base {
            // Nothing was written to it: the next segment takes its name and its place.
            let Header { previous_base, previous_end, .. } = listed.header;
            left.previous = Previous { base: previous_base, end: previous_end };
            continue;
        }
        left.previous = Previous { base, end };
        let bytes = file_bytes(&listed.path)?;
        left.sealed.push(Sealed { path: listed.path, base, last: next - 1, end, bytes });
    }
    Ok(left)
}

/// Files of the folder that are named by a sequence, in its order.
pub(super) fn files(dir: &Path, extension: &str) -> Result<Vec<(u64, PathBuf)>, WalError> {
    let entries = fs::read_dir(dir).map_err(io_error("listing", dir))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(io_error("listing", dir))?.path();
        if let Some(base) = segment::base_of(&path, extension) {
            found.push((base, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// A segment's header and the bytes up to `end`, or all of them.
pub(super) fn load(path: &Path, end: Option<u64>) -> Result<(Header, usize, Bytes), WalError> {
    let mut bytes = fs::read(path).map_err(io_error("reading the segment", path))?;
    let (header, start) = header(path, &bytes)?;
    if let Some(end) = end {
        bytes.truncate(end as usize);
    }
    Ok((header, start, Bytes::from(bytes)))
}

/// The header at the beginning of a segment and where its records begin.
pub(super) fn header(path: &Path, bytes: &[u8]) -> Result<(Header, usize), WalError> {
    Header::decode(bytes).map_err(|unreadable| match unreadable {
        Unreadable::Broken(detail) => corrupt(path, 0, detail),
        Unreadable::Newer(detail) => {
            WalError::Newer { path: path.to_owned(), offset: 0, detail: detail.into() }
        }
    })
}

/// Refuses broken bytes of a file, or copies them to the quarantine and says so.
pub(super) fn refuse_or_quarantine(
    dir: &Path,
    policy: OnCorruption,
    path: &Path,
    range: Range<u64>,
    detail: &str,
) -> Result<(), WalError> {
    if policy == OnCorruption::Refuse {
        return Err(corrupt(path, range.start, detail));
    }
    let quarantine = dir.join("quarantine");
    fs::create_dir_all(&quarantine).map_err(io_error("creating", &quarantine))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let copy = quarantine.join(format!("{name}.{}-{}", range.start, range.end));
    let bytes = fs::read(path).map_err(io_error("reading", path))?;
    let (from, to) = (range.start as usize, bytes.len().min(range.end as usize));
    let broken = bytes.get(from..to).unwrap_or_default();
    fs::write(&copy, broken).map_err(io_error("writing", &copy))?;
    File::open(&copy).and_then(|f| f.sync_all()).map_err(io_error("fsyncing", &copy))?;
    sync_dir(&quarantine)?;
    tracing::warn!(
        file = %path.display(),
        offset = range.start,
        bytes = broken.len(),
        quarantine = %copy.display(),
        detail,
        "broken bytes of the log set aside"
    );
    Ok(())
}

/// Reads all headers and checks that none of the segments is missing.
fn list(dir: &Path, policy: OnCorruption, next: &mut u64) -> Result<Vec<Listed>, WalError> {
    let mut listed: Vec<Listed> = Vec::new();
    for (base, path) in files(dir, "wal")? {
        let read = read_header(&path).and_then(|header| {
            if header.base == base {
                return Ok(header);
            }
            Err(corrupt(&path, 16, "the first sequence is not the one of the file's name"))
        });
        let header = match read {
            Ok(header) => header,
            Err(WalError::Corrupt { detail, .. }) => {
                let size = file_bytes(&path)?;
                refuse_or_quarantine(dir, policy, &path, 0..size, &detail)?;
                fs::remove_file(&path).map_err(io_error("deleting", &path))?;
                // As many sequences as it could have used must not be used again.
                *next = (*next).max(base + size / RECORD_HEADER_BYTES as u64 + 1);
                continue;
            }
            Err(other) => return Err(other),
        };
        if let Some(before) = listed.last_mut() {
            before.behind = Some((base, header.previous_end));
            if header.previous_base != before.header.base {
                let missing = segment::path(dir, header.previous_base);
                let detail = format!("the segment before it, `{}`, is missing", missing.display());
                if policy == OnCorruption::Refuse {
                    return Err(corrupt(&path, 24, &detail));
                }
                tracing::warn!(file = %path.display(), detail, "going on without it");
                before.behind = Some((base, file_bytes(&before.path)?));
            }
        }
        listed.push(Listed { path, header, behind: None });
    }
    Ok(listed)
}

/// Reads the records of a segment; gives where they end and the sequence behind them.
fn read_segment(
    dir: &Path,
    policy: OnCorruption,
    listed: &Listed,
    left: &mut Left,
) -> Result<(u64, u64), WalError> {
    let path = &listed.path;
    let stated_end = listed.behind.map(|(_, end)| end);
    let (_, start, bytes) = load(path, stated_end)?;
    if let Some(stated) = stated_end
        && (bytes.len() as u64) < stated
    {
        let size = bytes.len() as u64;
        let detail = format!("the file ends here, the next segment states {stated} bytes");
        refuse_or_quarantine(dir, policy, path, size..size, &detail)?;
    }
    let (mut at, mut seq) = (start, listed.header.base);
    loop {
        match segment::read(&bytes, at, seq) {
            Found::Record(entry, next) => {
                left.committed = left.committed.max(entry.marks.committed);
                left.hashes.push((entry.frame.received_unix_ns, entry.hash));
                (at, seq) = (next, seq + 1);
            }
            Found::Hole { next_seq, next } => (at, seq) = (next, next_seq.max(seq)),
            Found::End => break,
            Found::Newer(detail) => {
                let (path, offset, detail) = (path.clone(), at as u64, detail.into());
                return Err(WalError::Newer { path, offset, detail });
            }
            Found::Bad(detail) => {
                if listed.behind.is_none() && !was_synced(&bytes, at, seq) {
                    cut(path, at, bytes.len(), detail)?;
                    break;
                }
                let (to, next_seq) = match segment::find_behind(&bytes, at, seq - 1) {
                    Some((offset, found_seq, _)) => (offset, found_seq),
                    None => (bytes.len(), listed.behind.map_or(seq, |(base, _)| base)),
                };
                refuse_or_quarantine(dir, policy, path, at as u64..to as u64, detail)?;
                if to - at < RECORD_HEADER_BYTES {
                    break;
                }
                overwrite(path, at, &segment::hole(to - at, next_seq))?;
                (at, seq) = (to, next_seq.max(seq));
            }
        }
    }
    if listed.behind.is_none() {
        // A killed process leaves whole records that were never fsynced; from here on they are
        // replayed and their retries acknowledged.
        File::open(path).and_then(|f| f.sync_all()).map_err(io_error("fsyncing", path))?;
    }
    Ok((at as u64, seq))
}

/// Whether some record behind `at` was written after the record `seq` at `at` was fsynced.
fn was_synced(bytes: &Bytes, mut at: usize, seq: u64) -> bool {
    while let Some((offset, _, marks)) = segment::find_behind(bytes, at, seq - 1) {
        if marks.synced >= seq {
            return true;
        }
        at = offset;
    }
    false
}

fn cut(path: &Path, at: usize, size: usize, detail: &str) -> Result<(), WalError> {
    tracing::warn!(
        file = %path.display(),
        offset = at,
        bytes = size - at,
        detail,
        "an unfinished end of the log is cut off; nothing in it was acknowledged"
    );
    let file = OpenOptions::new().write(true).open(path).map_err(io_error("opening", path))?;
    file.set_len(at as u64).map_err(io_error("cutting", path))?;
    file.sync_all().map_err(io_error("fsyncing", path))
}

fn overwrite(path: &Path, at: usize, bytes: &[u8]) -> Result<(), WalError> {
    let file = OpenOptions::new().write(true).open(path).map_err(io_error("opening", path))?;
    file.write_all_at(bytes, at as u64).map_err(io_error("writing", path))?;
    file.sync_all().map_err(io_error("fsyncing", path))
}

fn read_header(path: &Path) -> Result<Header, WalError> {
    let file = File::open(path).map_err(io_error("opening the segment", path))?;
    let mut bytes = vec![0u8; HEADER_BYTES.min(file_bytes(path)? as usize)];
    file.read_exact_at(&mut bytes, 0).map_err(io_error("reading the segment", path))?;
    Ok(header(path, &bytes)?.0)
}

fn file_bytes(path: &Path) -> Result<u64, WalError> {
    Ok(fs::metadata(path).map_err(io_error("looking at", path))?.len())
}

fn corrupt(path: &Path, offset: u64, detail: &str) -> WalError {
    WalError::Corrupt { path: path.to_owned(), offset, detail: detail.to_owned() }
}
