//! A billing file as rows of texts. Takes an open file, tells CSV, CSV in gzip or zstd and Parquet
//! apart by their first bytes (a name may lie), gives a header and one record of texts per row,
//! and a hash of the content. It owns decompression and its bounds; it does not know what the
//! columns mean.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};

use csv::StringRecord;
use flate2::bufread::MultiGzDecoder;
use xxhash_rust::xxh3::Xxh3Default;

use super::csv_rows::CsvRows;
use super::error::{ImportError, Problem};
use super::limits::{FILE_BYTES_MAX, RECORD_BYTES_MAX, TEXT_BYTES_MAX};
use super::parquet_rows::ParquetRows;

/// The rows of one file.
pub(super) enum Rows {
    Csv(Box<CsvRows>),
    Parquet(Box<ParquetRows>),
}

/// Why a row could not be had.
#[derive(Debug)]
pub(super) enum Fault {
    /// This row is broken; the next one can be read.
    Row(Problem),
    /// Nothing more can be read.
    File(ImportError),
}

impl Rows {
    /// Column names, trimmed, in the order of the file.
    pub(super) fn header(&self) -> &[String] {
        match self {
            Rows::Csv(rows) => rows.header(),
            Rows::Parquet(rows) => rows.header(),
        }
    }

    /// Whether a column holds binary floats, whose decimal text is a guess at what was meant.
    pub(super) fn float(&self, column: usize) -> bool {
        match self {
            Rows::Csv(_) => false,
            Rows::Parquet(rows) => rows.float(column),
        }
    }

    /// Reads the next row; false at the end. A null is an empty text.
    pub(super) fn next(&mut self, record: &mut StringRecord) -> Result<bool, Fault> {
        match self {
            Rows::Csv(rows) => rows.next(record),
            Rows::Parquet(rows) => rows.next(record),
        }
    }

    /// Hash of the content: of the text for CSV, however it was compressed; of the bytes for
    /// Parquet. Meaningful once every row was read.
    pub(super) fn content_hash(&self) -> u128 {
        match self {
            Rows::Csv(rows) => rows.content_hash(),
            Rows::Parquet(rows) => rows.content_hash(),
        }
    }
}

/// Opens a file whatever its kind.
///
/// # Errors
/// When it is too large, unreadable, of a kind that is no bill, or has no header.
pub(super) fn open(file: File, name: &str) -> Result<Rows, ImportError> {
    let read_error = |error: io::Error| read_error(name, &error);
    if file.metadata().map_err(read_error)?.len() > FILE_BYTES_MAX {
        return Err(file_too_large(name));
    }
    let mut raw = BufReader::new(file);
    raw.rewind().map_err(read_error)?;
    let head = raw.fill_buf().map_err(read_error)?;
    if head.starts_with(b"PAR1") {
        return ParquetRows::open(raw.into_inner(), name).map(Box::new).map(Rows::Parquet);
    }
    let text: Box<dyn Read + Send> = if head.starts_with(&[0x1f, 0x8b]) {
        Box::new(MultiGzDecoder::new(raw))
    } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Box::new(zstd::Decoder::with_buffer(raw).map_err(read_error)?)
    } else {
        Box::new(raw)
    };
    let mut text = BufReader::new(text);
    let head = text.fill_buf().map_err(read_error)?;
    if let Some((found, hint)) = foreign(head) {
        return Err(ImportError::Unsupported {
            file: name.to_owned(),
            found: found.to_owned(),
            expected: "CSV (plain, gzip or zstd) or Parquet",
            hint,
        });
    }
    let delimiter = delimiter(head);
    CsvRows::open(Guarded::new(text), delimiter, name).map(Box::new).map(Rows::Csv)
}

/// Advice for files beyond a bound.
pub(super) const SPLIT_HINT: &str =
    "split the bill, for example by billing account, and import each part with its own source";

/// The error for a file beyond [`FILE_BYTES_MAX`].
pub(super) fn file_too_large(name: &str) -> ImportError {
    let (file, what, limit) = (name.to_owned(), "bytes", FILE_BYTES_MAX);
    ImportError::TooLarge { file, what, limit, hint: SPLIT_HINT }
}

/// What a file is that is certainly no CSV, with advice; `None` when it may be one.
fn foreign(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let starts = |magic: &[u8]| head.starts_with(magic);
    if head.is_empty() {
        Some(("empty", "export it again"))
    } else if starts(b"PAR1") {
        Some(("a Parquet file inside another compression", "decompress it first"))
    } else if starts(b"PK\x03\x04") {
        Some(("a ZIP archive or a spreadsheet", "unpack it, or save the sheet as CSV"))
    } else if starts(&[0xff, 0xfe]) || starts(&[0xfe, 0xff]) {
        Some(("UTF-16 text", "save it as UTF-8"))
    } else if head.contains(&0) {
        Some(("binary data of an unknown kind", "export it as CSV or Parquet"))
    } else if starts(b"<") {
        Some(("an HTML or XML page", "the download may have been a login page; get it again"))
    } else if starts(b"{") || starts(b"[") {
        Some(("JSON", "export it as CSV or Parquet"))
    } else {
        None
    }
}

/// FOCUS files have commas; spreadsheets of many countries save semicolons, some tools tabs.
fn delimiter(head: &[u8]) -> u8 {
    let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
    let count = |delimiter: &u8| line.iter().filter(|b| *b == delimiter).count();
    // The comma wins ties: `max_by_key` keeps the last of equals.
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

/// An error of the system or a codec while reading.
pub(super) fn read_error(file: &str, error: &dyn std::fmt::Display) -> ImportError {
    ImportError::Read { file: file.to_owned(), cause: error.to_string() }
}

/// A text stream that hashes what passes and stops at the bounds of text and record.
pub(super) struct Guarded {
    inner: BufReader<Box<dyn Read + Send>>,
    hash: Xxh3Default,
    text_bytes: u64,
    record_bytes: u64,
    /// The bound that stopped the stream.
    hit: Option<(&'static str, u64)>,
}

impl Guarded {
    fn new(inner: BufReader<Box<dyn Read + Send>>) -> Guarded {
        Guarded { inner, hash: Xxh3Default::new(), text_bytes: 0, record_bytes: 0, hit: None }
    }

    /// A new record starts: its bytes are counted from here.
    pub(super) fn record_starts(&mut self) {
        self.record_bytes = 0;
    }

    /// The bound that stopped the stream, if one did: what there was too much of, and how many.
    pub(super) fn hit(&self) -> Option<(&'static str, u64)> {
        self.hit
    }

    /// Hash of all bytes that passed.
    pub(super) fn digest(&self) -> u128 {
        self.hash.digest128()
    }
}

impl Read for Guarded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.hit = if self.text_bytes > TEXT_BYTES_MAX {
            Some(("bytes after decompression", TEXT_BYTES_MAX))
        } else if self.record_bytes > RECORD_BYTES_MAX {
            Some(("bytes in one row (is a quote never closed?)", RECORD_BYTES_MAX))
        } else {
            None
        };
        if self.hit.is_some() {
            return Err(io::Error::other("bound hit"));
        }
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.text_bytes += count as u64;
        self.record_bytes += count as u64;
        Ok(count)
    }
}
