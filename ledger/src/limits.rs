//! Every bound of the ledger, each with its reason (I-9).

use std::time::Duration;

/// Digits after the point of a published price. With 12, a price per million tokens divides into
/// a price per token without rounding: 12 + 6 = 18, the scale of money.
pub const PRICE_DECIMALS_MAX: u32 = 12;

/// Distinct (provider, models, tier, region, host) combinations whose prices a pricer remembers.
/// Beyond it the memory is emptied before the next batch and fills again: a client that invents
/// model names costs time, never memory.
pub const PRICE_MATCHES_MAX: usize = 10_000;

/// Shapes of calls (which units of a price list are charged, in which band) that a pricer
/// remembers, some 400 bytes each, with the ids of their rows. A model has about ten in practice.
pub const PRICE_SHAPES_MAX: usize = 20_000;

/// Memory for open and lately settled traces. What is kept of a model call takes some 260 bytes, its
/// trace and its links with it, of another span some 120, so this holds 1.1 million calls: eighteen
/// seconds of 60,000 a second, more than a trace of the default quiet time is open; hours of an
/// ordinary load. Above it the oldest traces are settled early, as provisional, and finished from
/// the table.
pub const OPEN_BYTES_MAX: usize = 288 << 20;

/// Above this the oldest settled traces are let go before their time: some 40,000 calls, and a
/// late span of an older trace only costs a look-up in the table.
pub const SETTLED_BYTES_MAX: usize = 8 << 20;

/// How long settled traces stay in memory for late spans: long agent runs pause for minutes.
pub const SETTLED_KEPT: Duration = Duration::from_secs(600);

/// Traces remembered as seen, in each of two generations of 8 bytes each: a late span of an older
/// trace is taken for a new trace, so its calls do not inherit owners from the earlier spans.
pub const RECENT_TRACES_MAX: usize = 1_000_000;

/// How far back the ids of earlier traces are read at a start.
pub const RECENT_TRACES_WINDOW: Duration = Duration::from_secs(24 * 3600);

/// Spans received within this time before the recorded instant are read again at a start: a
/// collector beside the one that was read may commit that much later. Reading again is harmless.
pub const RESTART_OVERLAP: Duration = Duration::from_secs(60);

/// Spans of a backlog that are read before it is looked which of their traces are quiet, and which
/// rows those have: half of what [`OPEN_BYTES_MAX`] holds, and each look is a scan of table `calls`.
pub const RECOVERED_ROWS: u64 = 500_000;

/// Traces settled in one commit: ten thousand calls at four a trace, whose rows are held some four
/// times over while they are made, sorted and encoded (50 MB); commits keep coming.
pub const TRACES_PER_COMMIT_MAX: usize = 2_500;

/// Rows read, of however many files, between two looks at which traces are due, while catching up.
pub const ROWS_PER_STEP: usize = 65_536;

/// Trace ids that are looked up by id, which asks the bloom filters on `trace_id`; more of them
/// are picked out of one scan.
pub const TRACES_PER_LOOKUP: usize = 16;

/// Traces whose spans are read again in one pass over the files of table `spans`: 60 MB at four
/// model calls each. A pass costs the same for one trace as for all of them.
pub const RECALLED_TRACES_MAX: usize = 100_000;

/// Days before the first known span of a trace in which its earlier spans are looked for.
pub const LATE_DAYS: i32 = 7;

/// Attempts of a commit whose files were compacted away meanwhile.
pub const COMMIT_ATTEMPTS: u32 = 5;

/// Distinct model names in the metric of unpriced calls; later ones count under `other`.
pub const UNPRICED_MODEL_LABELS_MAX: usize = 50;

/// How far two spans of one call may lie apart in time: the one around a client ends when its
/// stream is read to the end, the one inside when the request returns.
pub const TWIN_SLACK: Duration = Duration::from_secs(1);

/// How far a log record may lie from the call whose session, model and usage it tells: a machine that
/// stood still, a loop that was busy.
pub const SESSION_SLACK: Duration = Duration::from_secs(30);

/// Spans with one response id in traces that are settled together: more share what is no id (a
/// server that answers every call with the same text), and stay calls of their own.
pub const RESPONSE_SPANS_MAX: usize = 16;

/// Traces that one response id may tie: a request id that a gateway hands on is seen in a few, a
/// constant in all.
pub const LINKED_TRACES_MAX: usize = 16;

/// Traces that service, usage and second may tie, where two libraries tell: twice as many as like
/// requests at once. More stay two calls each.
pub const LIKE_TRACES_MAX: usize = 256;

/// Calls of a service that are linked in every way before it is known who tells of it.
pub const NEW_SERVICE_CALLS: u32 = 1_000;

/// Ends of links by which twins find each other, up to three a call (one more in services of which two
/// libraries tell, and six where one knows only a part of some), in each of two generations: 22 MiB
/// where no two share a link, some 41 where each has two. Twins come within seconds: ten
/// thousand calls a second have theirs for four to thirteen. A twin that comes later than that stays
/// a call of its own.
pub const LINKS_MAX: usize = 200_000;

/// How far the shorter of two spans of one moment may stick out of the longer: LangChain for node
/// tells of what happens from its background, up to some 400 ms late where ten requests come at once.
pub const WITHIN_SLACK: Duration = Duration::from_millis(300);

/// How far apart two spans begin, or end, of which only one knows the answer.
pub const TOGETHER_SLACK: Duration = Duration::from_millis(100);

/// Ancestors that were over before a call began, and are passed by on the way up to what it is a
/// part of. A context that was left behind takes one or two; without a bound a deep trace of many
/// calls would take the product of both.
pub const ANCESTORS_OVER_MAX: usize = 64;

/// Services of which it is remembered who tells of their calls: 24 bytes each, and a third more for
/// what is free. Beyond, all are forgotten and found again.
pub const LINKED_SERVICES_MAX: usize = 100_000;

/// Calls of a moment that the end of a stream is compared with, on either side.
pub const MOMENT_CANDIDATES_MAX: usize = 64;

/// Pairs of calls of one service and usage that are compared by their beginnings, and by their ends:
/// 32 bytes for each that may be one call, 128 MiB while they are no more than half a million. Of ten
/// thousand each is compared with the next 209, of a hundred thousand with the next 20.
pub const MOMENT_PAIRS_MAX: usize = 1 << 21;

/// Traces that are looked at together with those of a commit because they may tell of the same
/// calls. Further ones are left as they are and found again when one of theirs is settled.
pub const LINKED_PER_COMMIT_MAX: usize = 10_000;

/// Calls near in time that a log record is compared with, and records it is compared with: a
/// client writes the record of a call within moments.
pub const RECORD_CANDIDATES_MAX: usize = 64;

/// Bytes of a contract file: some 40,000 entries, far beyond what is negotiated by hand.
pub const CONTRACT_BYTES_MAX: usize = 8 << 20;

/// Entries of a contract file. Order among them is kept in their priority numbers, below this.
pub const CONTRACT_ROWS_MAX: usize = 10_000;

/// Bytes of a price book that is imported, unpacked: the largest known one has 5 MB.
pub const BOOK_BYTES_MAX: usize = 64 << 20;

/// Overlaps and gaps that are named one by one; further ones are counted.
pub const PRICE_FINDINGS_MAX: usize = 100;

/// Rows of `calls` in one file that are priced at a time when calls are repriced.
pub const REPRICE_ROWS: usize = 65_536;

/// Passes over table `calls` in which a file may be lost to settle or upkeep before repricing gives
/// up: each pass looks only at what is new, and upkeep comes once a minute.
pub const REPRICE_PASSES_MAX: u32 = 50;

/// Rows about periods of contracts in one answer: a hundred contract rows by month for eight years.
pub const PERIOD_ROWS_MAX: usize = 10_000;

/// Imports of prices at work at the same time; each rewrites the table.
pub const PRICE_WRITES_MAX: usize = 1;

/// Longest name that is compared with the names of the book; providers' own have below 100.
pub const NEAREST_NAME_BYTES_MAX: usize = 200;
