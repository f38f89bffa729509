//! Every bound of a scrape, with its reason (I-9).

use std::time::Duration;

/// Time between scrapes when a target says none: Prometheus' own exporters are made for 15 s.
pub const INTERVAL: Duration = Duration::from_secs(15);

/// Shortest interval: below it a scrape costs the target more than it tells.
pub const INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Time a scrape may take when a target says none; never longer than its interval.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of an answer after decompression. A vLLM server exposes 50 KB, a dcgm-exporter of eight
/// GPUs 100 KB, a large cluster's kube-state-metrics some tens of megabytes.
pub const BODY_BYTES_MAX: usize = 32 << 20;

/// Samples of an answer.
pub const SAMPLES_MAX: usize = 500_000;

/// Labels of a sample; dcgm-exporter in Kubernetes has about fifteen.
pub const LABELS_MAX: usize = 64;

/// Targets of one process: each is a task with a connection and an answer in memory.
pub const TARGETS_MAX: usize = 1_000;

/// Scrapes at work at the same time: each may hold [`BODY_BYTES_MAX`] and its parsed form.
pub const SCRAPES_AT_ONCE: usize = 8;

/// Characters of a malformed line that an error quotes.
pub const QUOTED_CHARS_MAX: usize = 120;
