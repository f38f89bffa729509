//! Why single items of a request are not taken (OTLP partial success): the reasons, their count,
//! and the text that goes back to the client.

use std::fmt;

use super::limits::EXAMPLE_CHARS_MAX;

/// Why one item is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// `trace_id` is not 16 bytes.
    TraceIdLength,
    /// `trace_id` is all zero, which OTLP defines as invalid.
    TraceIdZero,
    /// `span_id` is not 8 bytes.
    SpanIdLength,
    /// `span_id` is all zero, which OTLP defines as invalid.
    SpanIdZero,
    /// `parent_span_id` is neither empty nor 8 bytes.
    ParentSpanIdLength,
    /// The end lies before the start by more than the allowed skew.
    EndBeforeStart,
    /// A time lies outside the range of `DecodeLimits`.
    TimeOutOfRange,
    /// A text of the item is not UTF-8.
    NotUtf8,
    /// A metric has no name.
    MetricName,
    /// A metric has none of the five kinds of data.
    MetricKind,
    /// A histogram's bounds and bucket counts do not fit each other.
    Buckets,
    /// A count is above 2^63 − 1.
    CountTooLarge,
    /// The request has more items than `DecodeLimits::items_max`.
    TooManyItems,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TraceIdLength => "trace_id is not 16 bytes long",
            Self::TraceIdZero => "trace_id is all zero",
            Self::SpanIdLength => "span_id is not 8 bytes long",
            Self::SpanIdZero => "span_id is all zero",
            Self::ParentSpanIdLength => "parent_span_id is neither empty nor 8 bytes long",
            Self::EndBeforeStart => "end lies before start",
            Self::TimeOutOfRange => "time is not between 2010 and tomorrow (nanoseconds expected)",
            Self::NotUtf8 => "a text is not UTF-8",
            Self::MetricName => "metric has no name",
            Self::MetricKind => "metric has no data of a known kind",
            Self::Buckets => "bucket counts do not fit the bounds, or are too many",
            Self::CountTooLarge => "a count is above 2^63-1",
            Self::TooManyItems => "the request has too many items; send smaller batches",
        })
    }
}

/// An item: taken, or not and why.
#[derive(Debug)]
pub enum Item<'a, T> {
    /// To be stored.
    Taken(T),
    /// Not stored.
    Rejected {
        /// Why.
        reason: Reason,
        /// How many items that is: a metric without a name loses all its points.
        count: u64,
        /// Name of the item; empty when it has none that can be read.
        name: &'a str,
    },
}

impl<'a, T> Item<'a, T> {
    pub(crate) fn rejected(reason: Reason, name: &'a str) -> Self {
        Self::Rejected { reason, count: 1, name }
    }
}

/// One reason, how often it came, and the first item that had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Why.
    pub reason: Reason,
    /// How many items.
    pub count: u64,
    /// Name of the first one, cut to 80 characters; empty when it has none.
    pub example: String,
}

/// What [`check`](super::check) found in a well-formed request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Spans, data points or log records that will be stored.
    pub accepted: u64,
    /// Those that will not.
    pub rejected: u64,
    /// Why, one entry per reason met.
    pub reasons: Vec<Rejected>,
}

impl Checked {
    pub(crate) fn count<T>(&mut self, item: &Item<'_, T>) {
        match *item {
            Item::Taken(_) => self.accepted += 1,
            Item::Rejected { reason, count, name } => self.reject(reason, count, name),
        }
    }

    fn reject(&mut self, reason: Reason, count: u64, name: &str) {
        self.rejected += count;
        match self.reasons.iter_mut().find(|r| r.reason == reason) {
            Some(known) => known.count += count,
            None => {
                let example = name.chars().take(EXAMPLE_CHARS_MAX).collect();
                self.reasons.push(Rejected { reason, count, example });
            }
        }
    }

    /// The `error_message` of an OTLP partial success; none when every item was taken.
    pub fn partial_success_message(&self) -> Option<String> {
        if self.rejected == 0 {
            return None;
        }
        let reasons: Vec<_> = self
            .reasons
            .iter()
            .map(|r| match r.example.as_str() {
                "" => format!("{} × {}", r.count, r.reason),
                example => format!("{} × {} (first: `{example}`)", r.count, r.reason),
            })
            .collect();
        let all = self.accepted + self.rejected;
        Some(format!("{} of {all} items not taken: {}", self.rejected, reasons.join("; ")))
    }
}
