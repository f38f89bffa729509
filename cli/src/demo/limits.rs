//! Bounds of the demo's feeder, each with its reason (I-9).

use std::time::Duration;

/// Spans per request: what the batch processors of the OpenTelemetry SDKs send by default.
pub(super) const SPANS_PER_REQUEST: usize = 512;

/// Data points and log records per request: keeps a request under 2 MiB at about 300 bytes each.
pub(super) const POINTS_PER_REQUEST: usize = 4_096;

/// How often one request is sent while the server answers with a retryable status.
pub(super) const ATTEMPTS: u32 = 8;

/// Pause before the first repeat; it doubles up to the eighth attempt, 12 s in all.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How long one request may take, acknowledged by the log's fsync: generous for a slow disk.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the scraper may take to come round to both endpoints.
pub(super) const SCRAPE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long settling may take after the last request: a debug build on a busy machine.
pub(super) const SETTLE_TIMEOUT: Duration = Duration::from_secs(120);

/// How often the demo's two exporters are scraped: soon enough that loading need not wait long.
pub(super) const SCRAPE_INTERVAL: Duration = Duration::from_secs(2);
