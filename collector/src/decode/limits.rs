//! Bounds of the walk (I-9), each with its reason. `DecodeLimits` is what a receiver may set; the
//! constants are fixed, because rows already stored depend on them.

/// Which items of a request are taken. The same values must be used when a request is
/// acknowledged and when its rows are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// How far a span's end may lie before its start. Two clocks of one machine, or a clock set
    /// back while the span ran, differ by milliseconds; a second is beyond any of these.
    pub end_before_start_max_ns: i64,
    /// Oldest time taken. Older than OpenTelemetry itself is a unit mistake: microseconds or
    /// milliseconds sent as nanoseconds fall into January 1970.
    pub time_min_unix_ns: i64,
    /// How far ahead of the collector's clock a time may lie. A day absorbs a wrong time zone;
    /// more would open partitions that no query looks into.
    pub time_ahead_max_ns: i64,
    /// Items of one request. Each row repeats its resource, so this bounds what a small body can
    /// grow to: 100,000 rows × 8 KiB. The OpenTelemetry Collector sends 8,192 by default.
    pub items_max: u64,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self {
            end_before_start_max_ns: 1_000_000_000,
            // 2010-01-01T00:00:00Z
            time_min_unix_ns: 1_262_304_000_000_000_000,
            time_ahead_max_ns: 24 * 3_600 * 1_000_000_000,
            items_max: 100_000,
        }
    }
}

/// Levels of arrays and maps inside one attribute value that are read; what lies deeper is
/// replaced by [`TOO_DEEP`]. Real payloads nest below ten; the walk recurses, so it needs a bound.
pub const VALUE_DEPTH_MAX: usize = 32;

/// Stands in JSON for what lay deeper than [`VALUE_DEPTH_MAX`].
pub const TOO_DEEP: &str = "(not kept: nested deeper than 32 levels)";

/// Levels of groups (a wire type that protobuf gave up) skipped inside unknown fields.
pub(crate) const GROUP_DEPTH_MAX: usize = 16;

/// Characters of the example that stands beside a reason: enough to find the item, bounded
/// because the text goes back in the reply.
pub(crate) const EXAMPLE_CHARS_MAX: usize = 80;

/// Attributes kept for one row. SDKs default to 128 per span; agents flatten messages into many
/// more, but those are content and do not count.
pub const ATTRIBUTES_MAX: usize = 512;

/// Bytes of keys and values kept for one row's attributes. Content is not among them; what is
/// left is names, numbers and stack traces, and 64 KiB is 50 times the usual.
pub const ATTRIBUTE_BYTES_MAX: usize = 64 * 1024;

/// The same for the resource, which is repeated on every row of its group.
pub const RESOURCE_BYTES_MAX: usize = 8 * 1024;

/// Bytes of a span's events, links or exemplars as JSON; exceptions with stack traces fit.
pub const EVENTS_BYTES_MAX: usize = 256 * 1024;

/// Bytes of a log body that is kept in the row.
pub const LOG_BODY_BYTES_MAX: usize = 256 * 1024;

/// Buckets of one distribution. The exponential histogram's default is 160, explicit ones have
/// tens; a list longer than this is a mistake.
pub const BUCKETS_MAX: usize = 16 * 1024;

/// Attribute that says on the row what a cap left out.
pub const DROPPED_MARKER: &str = "spanledger.dropped";
