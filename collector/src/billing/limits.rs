//! Every bound of the billing import, with its reason (I-9).

use std::time::Duration;

/// Bytes of an uploaded or named file as it lies. A month of a large cloud account is a few
/// hundred megabytes compressed; beyond this the file is better delivered in parts.
pub const FILE_BYTES_MAX: u64 = 1 << 30;

/// Bytes after decompression: a gzip bomb expands a thousandfold, a real bill about tenfold.
pub const TEXT_BYTES_MAX: u64 = 8 << 30;

/// Bytes of one CSV record. Stops a quote that is never closed from pulling the rest of the file
/// into one field; real records with long tags stay under 64 KiB.
pub const RECORD_BYTES_MAX: u64 = 1 << 20;

/// Columns of a file: FOCUS 1.4 has 65, providers add up to about a hundred `x_` columns.
pub const COLUMNS_MAX: usize = 1_000;

/// Rows of a file.
pub const ROWS_MAX: u64 = 5_000_000;

/// Arrow bytes held of one file while it is read. The lines of one import go into one commit, so
/// they must be in memory together; joining the batches and sorting them takes twice this again.
pub const LINES_BYTES_MAX: usize = 1 << 30;

/// Rows per Arrow batch while reading.
pub const BATCH_ROWS: usize = 8_192;

/// Problems reported of one file before reading stops: enough to mend a file in one go, few
/// enough to read.
pub const PROBLEMS_MAX: usize = 20;

/// Characters of a broken cell that an error quotes.
pub const QUOTED_CHARS_MAX: usize = 80;

/// Billing periods in one file: ten years of months. More means that the period columns hold
/// something else.
pub const PERIODS_MAX: usize = 120;

/// Characters of a source's name.
pub const SOURCE_CHARS_MAX: usize = 200;

/// Tries to commit when others (compaction, another import) change the same files meanwhile.
pub const COMMIT_TRIES_MAX: u32 = 8;

/// Uploads taken at the same time. One is imported after another, since each may hold
/// [`LINES_BYTES_MAX`]; those that wait hold [`FILE_BYTES_MAX`] of temporary disk each.
pub const REQUESTS_MAX: usize = 4;

/// What a client is told to wait when uploads are at their bound.
pub const RETRY_AFTER_S: u64 = 10;

/// How long an upload may stand still before its place is given away.
pub const BODY_IDLE_MAX: Duration = Duration::from_secs(30);
