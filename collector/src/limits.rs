//! Every bound of the way in, each with its reason (I-9). Those that users may move are defaults
//! of [`crate::settings::CollectorSettings`]; the rest are fixed here.

use std::time::Duration;

/// One kibibyte.
pub const KIB: u64 = 1024;
/// One mebibyte.
pub const MIB: u64 = 1024 * KIB;
/// One gibibyte.
pub const GIB: u64 = 1024 * MIB;

/// Largest request after decompression. The usual 4 MiB default refuses batches of LLM spans,
/// whose average passes 100 KB when prompts are captured; clients drop a refused batch for good.
pub const MESSAGE_BYTES_MAX: u64 = 64 * MIB;
/// Bytes of requests being received and decoded at one moment, over all connections. One of the
/// largest as it is, decompressed, and turned from JSON into protobuf; or some four hundred usual
/// ones of half a mebibyte.
pub const IN_FLIGHT_BYTES_MAX: u64 = 3 * MESSAGE_BYTES_MAX + MIB;
/// Bytes of durable requests waiting for their commit: about two seconds at 60,000 spans of one
/// kilobyte a second, so that one slow commit is not felt by clients.
pub const QUEUE_BYTES_MAX: u64 = 128 * MIB;
/// What a queued frame costs beyond its body: the struct, its tenant, the list slot.
pub const FRAME_OVERHEAD_BYTES: usize = 256;

/// How old the oldest queued frame may become before a flush: half the promised freshness.
pub const FLUSH_INTERVAL: Duration = Duration::from_secs(1);
/// Request bytes in one flush. The builders hold twice as much; beyond this, files grow no better
/// and memory only rises.
pub const FLUSH_BYTES_MAX: u64 = 10 * MIB;
/// Spans, points or records in one flush: one full row group of the store's files.
pub const FLUSH_ITEMS_MAX: u64 = 128 * 1024;
/// Bytes that the rows of one commit take in the builders. A resource is repeated on each of its
/// rows, so that a small request may grow a hundredfold.
pub const ROWS_BYTES_MAX: usize = 128 * MIB as usize;
/// First and longest pause before a failed commit is tried again.
pub const COMMIT_RETRY_FIRST: Duration = Duration::from_millis(100);
/// See [`COMMIT_RETRY_FIRST`].
pub const COMMIT_RETRY_MAX: Duration = Duration::from_secs(10);
/// How long a shutdown waits for the last commit; what is left is replayed from the log.
pub const SHUTDOWN_WAIT: Duration = Duration::from_secs(30);

/// A commit that takes longer is reported as a failure of health.
pub const COMMIT_STALLED: Duration = Duration::from_secs(60);
/// Free disk below which the collector calls itself not ready, before writes begin to fail.
pub const DISK_FREE_BYTES_MIN: u64 = 256 * MIB;

/// A segment is closed once it is this long. It bounds what recovery reads into memory at once
/// (a segment and one group) and how much log stays behind the commit.
pub const SEGMENT_BYTES_MAX: u64 = 64 * MIB;
/// All segments together: four hours at 500 KB/s with the store away. Beyond it requests are
/// refused with a delay.
pub const WAL_BYTES_MAX: u64 = 8 * GIB;
/// Requests waiting for the log's writer. It takes all of them in one group, so the list is only
/// as long as one fdatasync lasts.
pub const APPENDS_WAITING_MAX: usize = 4096;
/// Bytes written before a group is fsynced: bounds the write buffer and the wait of the first.
pub const GROUP_BYTES_MAX: usize = 8 * MIB as usize;
/// Longest tenant name; the record has a 16-bit length, and names are for people.
pub const TENANT_BYTES_MAX: usize = 256;
/// How often a failed log tries to open a fresh segment.
pub const LOG_MEND_INTERVAL: Duration = Duration::from_secs(1);

/// How long an identical request is taken for a retry. OTLP clients give up after minutes; a
/// collector in between may hold its queue for longer.
pub const DEDUP_WINDOW: Duration = Duration::from_secs(3600);
/// Requests remembered for that: an hour of 145 requests a second; about 35 MB. Beyond it the
/// oldest are forgotten, so a retry later than that would be counted again.
pub const DEDUP_REQUESTS_MAX: usize = 1 << 19;

/// Below this a body is decompressed and checked where it arrives; above, on a thread of its own
/// so that other connections are not held up (a check costs about 0.75 ns a byte).
pub const INLINE_BYTES_MAX: usize = 128 * KIB as usize;
/// Connections per door. A connection costs some tens of kilobytes.
pub const CONNECTIONS_MAX: usize = 1024;
/// Concurrent requests on one HTTP/2 connection; exporters use a handful.
pub const STREAMS_PER_CONNECTION_MAX: u32 = 128;
/// Header bytes of one request.
pub const HEADER_BYTES_MAX: u32 = 16 * KIB as u32;
/// Read buffer of an HTTP/1 connection; headers must fit in it.
pub const HTTP1_BUFFER_BYTES_MAX: usize = 256 * KIB as usize;
/// HTTP/2 flow-control windows: a usual request of half a mebibyte comes in without a stall.
pub const STREAM_WINDOW_BYTES: u32 = MIB as u32;
/// See [`STREAM_WINDOW_BYTES`].
pub const CONNECTION_WINDOW_BYTES: u32 = 4 * MIB as u32;
/// HTTP/2 ping after this silence; finds peers that vanished.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// And how long its answer may take.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// HTTP/1: from the end of one request to the end of the next one's headers. Exporters that send
/// once a minute keep their connection.
pub const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(90);
/// Longest pause between two pieces of a body; a client slower than that holds memory for nothing.
pub const BODY_PAUSE_MAX: Duration = Duration::from_secs(20);
/// How long open requests may take to end once a door closes.
pub const DRAIN_WAIT: Duration = Duration::from_secs(10);

/// Room made for a body before it is there: twice a usual request. A client that only says that
/// its body is large gets no more for it.
pub const BODY_ROOM_BYTES_MAX: usize = MIB as usize;

/// Delay told to clients when queues are full: one flush.
pub const RETRY_BUSY: Duration = Duration::from_secs(1);
/// Delay told to clients when the log or the disk is not able to take data.
pub const RETRY_UNAVAILABLE: Duration = Duration::from_secs(5);

/// Rules of redaction; each expression looks at every byte of every piece of content.
pub const REDACTION_RULES_MAX: usize = 64;
/// Memory of one compiled expression, and again of its cache: 64 of them stay below 128 MiB. The
/// usual ones (mail addresses, keys, card numbers) take a few tens of kilobytes.
pub const REDACTION_PATTERN_BYTES_MAX: usize = MIB as usize;
/// How deep JSON inside strings of JSON is followed: messages hold tool calls, whose arguments
/// are JSON as text, which may quote another answer. Each level reads its text once more.
pub const REDACTION_DEPTH_MAX: usize = 4;
/// A replacement is put once for each match, so its length bounds how a text can grow.
pub const REDACTION_REPLACEMENT_BYTES_MAX: usize = 64;
/// A shorter secret could be found by trying.
pub const REDACTION_HASH_KEY_BYTES_MIN: usize = 16;

/// Bytes read of one attribute whose value holds others (usage, metadata as JSON). The facts
/// stand at the beginning or are small; what follows is content.
pub const INSIDE_BYTES_MAX: usize = 16 * KIB as usize;
/// The same of request parameters, where instructions and messages stand before facts: a whole
/// context window of them.
pub const BAG_BYTES_MAX: usize = MIB as usize;
/// Levels read of such a value; usage objects have three.
pub const INSIDE_DEPTH_MAX: usize = 12;
/// Attributes of one item that are read so; real ones have at most four.
pub const INSIDE_ATTRIBUTES_MAX: usize = 8;
/// Shapes of `column_sources` remembered; a shape is a set of attribute names, so a service has a
/// few. Beyond it they are forgotten and made again.
pub const SOURCE_SHAPES_MAX: usize = 1024;
/// Names of attributes in no list of which it is kept what they say; a library has some tens.
pub const NAMES_LATELY_MAX: usize = 512;
/// Longest of them.
pub const NAMES_LATELY_BYTES_MAX: usize = 256;
/// Texts among which one is looked for that was there before in a flush: more take turns in nothing
/// that was met, and one that is not found is there twice.
pub const SHARED_TEXTS_LATELY_MAX: usize = 64;
/// Bytes searched for the provider's id in an answer that tells it nowhere else.
pub const ANSWER_SEARCH_BYTES_MAX: usize = 64 * KIB as usize;
/// Attribute names a user may add for one owner; ranks must stay below those of the defaults.
pub const OWNER_NAMES_MAX: usize = 60;
/// The longest text of an attribute of AI that is kept where no list has its name: ids, labels and
/// links are shorter, and what is longer was said.
pub const PLAIN_TEXT_BYTES_MAX: usize = KIB as usize;
