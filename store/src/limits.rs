//! Every number that bounds the store, each with its reason (I-9).

use std::time::Duration;

/// Rows of a row group in a file that is done: the unit of pruning and of a reader's memory. At 56
/// bytes per span a group is 7 MB compressed; smaller groups cost dictionaries, larger ones skip
/// less.
pub(crate) const ROW_GROUP_ROWS_KEPT: usize = 128 * 1024;

/// Rows of a row group in a file that will be merged: 2 MB, so that a merge can hold one of each
/// of sixteen files.
pub(crate) const ROW_GROUP_ROWS_PASSING: usize = 32 * 1024;

/// Bytes of a row group in a file that is done, reached before its rows where rows are long
/// (contents): what the writer and each reader hold at once.
pub(crate) const ROW_GROUP_BYTES_KEPT: usize = 16 * 1024 * 1024;

/// The same in a file that will be merged.
pub(crate) const ROW_GROUP_BYTES_PASSING: usize = 4 * 1024 * 1024;

/// How many times its bytes a row group has before it is encoded, at least: texts come to a third to a
/// tenth, and a flush of 10 MiB of spans, 18 MiB in memory, stays in one.
pub(crate) const ENCODED_PART: usize = 6;

/// A row group with this part of the rows or bytes that one shall have is taken over into a merged
/// file as it is encoded: 8 k rows in a file that will be merged again, 32 k in one that is done,
/// where they were written to stay before.
/// Smaller ones would make footers long: an entry for each column of each row group.
pub(crate) const TAKEN_OVER_PART: usize = 4;

/// False positives of a bloom filter. One in a hundred costs a look-up one needless row group
/// in a hundred; each further tenth costs 4.8 bits per value.
pub(crate) const BLOOM_FALSE_POSITIVES: f64 = 0.01;

/// zstd level of rows that stay: measured 25 % dearer to write than level 1 and the last level
/// whose cost is small beside decoding the inputs. A flush is compressed with LZ4: its rows are
/// written anew to stay, and a zstd context for each page is memory and time for nothing.
pub(crate) const ZSTD_KEPT: i32 = 3;

/// zstd level of rows that are merged again: 4 % larger than level 3.
pub(crate) const ZSTD_PASSING: i32 = 1;

/// Rows of a page in a file that will be merged. A merge holds one decoded page per column and
/// input: 2 MB an input at [`ROW_BYTES`], against 20 with the usual 20,000 rows.
pub(crate) const PAGE_ROWS_PASSING: usize = 2 * 1024;

/// Rows of a page in a file that is done: each page costs a zstd context.
pub(crate) const PAGE_ROWS_KEPT: usize = 8 * 1024;

/// Memory of a decoded row of the widest table, about.
pub(crate) const ROW_BYTES: u64 = 1024;

/// Bytes of text kept in the bounds of a column: a UUID (36) and a trace id (32) fit whole, long
/// texts are cut so that a log entry of the widest table stays under about 6 KB.
pub(crate) const BOUND_TEXT_BYTES: usize = 36;

/// How often a commit is tried when other processes commit first. With eight writers on one
/// table 4 % of single tries fail; twenty in a row mean something else is wrong.
pub(crate) const COMMIT_ATTEMPTS: u32 = 20;

/// Commits between checkpoints: measured cheapest of 10 and 100 (4.1 against 9.1 ms a commit).
pub(crate) const CHECKPOINT_INTERVAL: i64 = 10;

/// Log entries kept for [`crate::Store::changes`]. At one commit a second 83 minutes, about
/// 25 MB and a folder that lists in a few milliseconds. Consumers further behind are told to
/// read everything.
pub(crate) const LOG_ENTRIES_KEPT: i64 = 5_000;

/// Checkpoints kept: the newest, and two older for readers that are opening the table.
pub(crate) const CHECKPOINTS_KEPT: usize = 3;

/// Below this many rows a file is in the lowest tier of compaction.
pub(crate) const TIER_BASE_ROWS: u64 = 4 * 1024;

/// Rows longer than this, compressed, count as several in the choice of a tier: contents.
pub(crate) const LONG_ROW_BYTES: u64 = 256;

/// Size ratio of neighbouring tiers, and how many files of one tier are merged into one file of
/// the next: 4 k rows → 32 k → 256 k → done.
pub(crate) const TIER_FANOUT: usize = 8;

/// The tier of files from 256 k rows on, whose next merge writes rows to stay.
pub(crate) const TOP_TIER: u32 = 3;

/// How long a file waits in the top tier. Late rows and spans that are settled again find smaller
/// files, and what it costs to write rows to stay (about as much as to take them in) does not
/// fall together with the load that brought them. At 60,000 rows a second, 13 k a row group,
/// the footers of ten minutes are 2,800 row groups long.
pub(crate) const TOP_TIER_AGE: Duration = Duration::from_secs(10 * 60);

/// A merge makes no larger file.
pub(crate) const FILE_TARGET_BYTES: u64 = 128 * 1024 * 1024;

/// A merge makes no file of more rows, however well they compress: what 128 MiB hold at 64 bytes a
/// row. One that will be merged again has at most half of them, so that its footer stays under
/// 128 row groups.
pub(crate) const FILE_TARGET_ROWS: u64 = 2 * 1024 * 1024;

/// A file of this size that was written to stay is done: while its day is written it is merged no more, since it would be
/// rewritten for the sake of what little fits beside it.
///
/// Active files of a table at one flush a second and a round of upkeep a minute, per day: at most
/// 60 flushed since the last round, 7 in each of the 4 tiers, and the finished ones. A merge is
/// finished at half the target at least, so 86,400 flushes of 1,000 spans (4.8 GB) leave at most
/// 76 finished files: the open day has under 170 files, a quiet one under 80, and 20 such days
/// under 2,000. Ten times the rows, 10,000 spans a second, reach 2,000 after two to three days:
/// then retention or more machines are due, since every query plans over all of them.
pub(crate) const FILE_DONE_BYTES: u64 = FILE_TARGET_BYTES / 2;

/// The same in rows.
pub(crate) const FILE_DONE_ROWS: u64 = FILE_TARGET_ROWS / 2;

/// A day that got no file for this long is merged down to as few files as the targets allow.
pub(crate) const QUIET_DAY: Duration = Duration::from_secs(60 * 60);

/// Files one merge reads at once.
pub(crate) const MERGE_INPUTS: usize = 64;

/// Memory that the row groups that are merged into one may take together, compressed, and a
/// decoded page of each. With the writer's row group a merge stays under about 100 MB.
pub(crate) const MERGE_OPEN_BYTES: u64 = 64 * 1024 * 1024;

/// A file in no known order that is larger is not merged: its rows are sorted in memory.
pub(crate) const UNORDERED_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Rows per batch in a merge: 64 inputs of 1,024 rows of 1 KB are 64 MB.
pub(crate) const MERGE_BATCH_ROWS: usize = 1024;

/// Rows copied into order at once while a flush is encoded: 2,048 of a kilobyte stay in a
/// processor's second cache.
pub(crate) const PIECE_ROWS: usize = 2 * 1024;

/// Rows of equal sort key among which a merge looks for duplicates. Beyond, duplicates further
/// apart than this stay; the ledger resolves those by key when it settles.
pub(crate) const DEDUP_RUN_ROWS: usize = 8 * 1024;

/// How long a removed file stays on disk so that running readers can finish.
pub(crate) const REMOVED_FILE_RETENTION: Duration = Duration::from_secs(10 * 60);

/// Age at which a data file that no log entry names is taken for a leftover of a crash. No flush
/// and no merge takes that long between its last write and its commit.
pub(crate) const LEFTOVER_GRACE: Duration = Duration::from_secs(60 * 60);

/// Value of `delta.deletedFileRetentionDuration`: how long checkpoints carry tombstones. Longer
/// than any retention of removed files; at one flush a second 3,600 tombstones per checkpoint.
pub(crate) const TOMBSTONE_RETENTION: &str = "interval 1 hours";

/// Bytes of Parquet footers kept in memory for all tables, shared by all readers.
pub(crate) const FOOTER_CACHE_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of bloom filters kept in memory: those of fifty million traces, at 1.2 bytes each.
pub(crate) const BLOOM_CACHE_BYTES: usize = 64 * 1024 * 1024;

/// Ids that are looked for in bloom filters. Of more some are in nearly every row group.
pub(crate) const BLOOM_VALUES_MAX: usize = 32;

/// Row groups of which all have no more rows are read without the index of their pages: it is that
/// of the whole file, some 500 pages of each of 70 columns.
pub(crate) const ROWS_WITHOUT_PAGE_INDEX: usize = 48 * 1024;

/// Bytes read from the end of a data file to get its footer in one go.
pub(crate) const FOOTER_HINT_BYTES: usize = 64 * 1024;

/// Tables whose whole days are removed after `retention_days`: what was received. The ledger's
/// own tables stay: prices are dated in the past and statements must stay reproducible (I-8).
pub(crate) const EXPIRING_TABLES: [&str; 4] = ["spans", "contents", "metric_points", "log_records"];
