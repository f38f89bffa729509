//! From durable frames to the rows of one flush: Arrow builders, one per column of `spans`,
//! `contents`, `metric_points` and `log_records`. Takes frames in the order of the log, gives
//! record batches in the order of `schemas`, in the types that tables are written or read with. It
//! neither sorts nor writes files; how many frames go into one flush is the caller's choice, by
//! [`Builders::rows`] and [`Builders::bytes`].

mod attribute_maps;
mod call_columns;
mod columns;
mod contents;
mod log_records;
mod metric_points;
mod spans;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::RecordBatch;
use spanledger_schemas::{Table, tables};

use crate::decode::{self, Attribute, DecodeError, DecodeLimits, Item};
use crate::frame::{Frame, Signal};
use crate::normalise::{self, Names};
use contents::ContentColumns;
pub use contents::ContentRules;
use log_records::{LogColumns, LogGroup};
pub use metric_points::MetricPointRow;
use metric_points::{PointColumns, PointGroup};
use spans::{Receipt, SpanColumns, SpanGroup};

/// The rows of one flush.
#[derive(Debug, Default)]
pub struct Builders {
    rules: ContentRules,
    limits: DecodeLimits,
    normalise: normalise::Builder,
    spans: SpanColumns,
    contents: ContentColumns,
    metric_points: PointColumns,
    log_records: LogColumns,
}

impl Builders {
    /// Empty builders, with the limits that receivers check by.
    pub fn new(rules: ContentRules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// The same with other limits; they must be those the frames were checked by.
    pub fn with_limits(rules: ContentRules, limits: DecodeLimits) -> Self {
        Self { rules, limits, ..Self::default() }
    }

    /// The same with attribute names of a user's own.
    #[must_use]
    pub fn with_names(self, names: Arc<Names>) -> Self {
        Self { normalise: normalise::Builder::with(names), ..self }
    }

    /// Appends the rows of a frame: of exactly those items that `decode::check` accepted.
    ///
    /// Fails on a body that `check` would have refused; rows of the part before the fault may
    /// then have been appended, so the builders are to be thrown away.
    pub fn append(&mut self, frame: &Frame) -> Result<(), DecodeError> {
        let receipt = Receipt { tenant: &frame.tenant, received_unix_ns: frame.received_unix_ns };
        let (now, body) = (frame.received_unix_ns, &frame.body[..]);
        let Self { rules, limits, normalise, spans, contents, metric_points, log_records } = self;
        let names = normalise.share_names();
        let walked = match frame.signal {
            Signal::Traces => decode::spans(
                body,
                now,
                limits,
                |g| SpanGroup::of(&names, g),
                |group, item| {
                    if let Item::Taken(span) = item {
                        spans.append(&receipt, group, &span, normalise, rules, contents);
                    }
                },
            ),
            Signal::Metrics => decode::points(
                body,
                now,
                limits,
                |g| PointGroup::of(&names, g),
                |group, metric, item| {
                    if let (Some(metric), Item::Taken(point)) = (metric, item) {
                        metric_points.append_point(&receipt, group, metric, &point);
                    }
                },
            ),
            Signal::Logs => {
                let mut number = 0;
                decode::log_records(
                    body,
                    now,
                    limits,
                    |g| LogGroup::of(&names, g),
                    |group, item| {
                        if let Item::Taken(record) = item {
                            log_records.append(
                                &receipt, group, &record, number, normalise, rules, contents,
                            );
                            number += 1;
                        }
                    },
                )
            }
        };
        walked.map_err(|fault| DecodeError::protobuf(frame.signal, body, fault))
    }

    /// Appends one metric point that did not come by OTLP; `resource` are the attributes of its
    /// source (`job` and `instance` of a scrape).
    pub fn append_metric_point(
        &mut self,
        tenant: &str,
        row: &MetricPointRow<'_>,
        resource: &[Attribute<'_>],
    ) {
        self.metric_points.append_row(tenant, row, resource);
    }

    /// Rows of all tables so far.
    pub fn rows(&self) -> usize {
        self.spans.rows + self.contents.rows + self.metric_points.rows + self.log_records.rows
    }

    /// About how many bytes of memory the rows take.
    pub fn bytes(&self) -> usize {
        self.spans.bytes + self.contents.bytes + self.metric_points.bytes + self.log_records.bytes
    }

    /// The batches, of the tables that got rows only.
    pub fn finish(self) -> Vec<(&'static Table, RecordBatch)> {
        [
            (&tables::spans::TABLE, self.spans.finish()),
            (&tables::contents::TABLE, self.contents.finish()),
            (&tables::metric_points::TABLE, self.metric_points.finish()),
            (&tables::log_records::TABLE, self.log_records.finish()),
        ]
        .into_iter()
        .filter(|(_, batch)| batch.num_rows() > 0)
        .collect()
    }
}
