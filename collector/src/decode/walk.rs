//! The walk over a whole request, one function per signal: groups, then items, each read once
//! and handed over as taken or rejected. Only here items are counted against the request's limit.

use super::limits::DecodeLimits;
use super::log::{LogRecordView, read_log_record};
use super::metric::{MetricView, PointView, read_metric, read_point};
use super::reject::{Item, Reason};
use super::request::{Group, groups};
use super::scratch::Scratch;
use super::span::{SpanView, read_span, text_field};
use super::wire::Fault;

/// Walks an `ExportTraceServiceRequest`: `open` is called once per resource and scope, `each` for
/// every span with what `open` returned. `now_unix_ns` is when the request was received.
pub fn spans<'a, G>(
    body: &'a [u8],
    now_unix_ns: i64,
    limits: &DecodeLimits,
    mut open: impl FnMut(&Group<'a, '_>) -> G,
    mut each: impl FnMut(&mut G, Item<'a, SpanView<'a, '_>>),
) -> Result<(), Fault> {
    let mut scratch = Scratch::default();
    let mut seen = 0;
    groups(body, |group| {
        let mut opened = open(group);
        for message in group.items() {
            let message = message?;
            seen += 1;
            each(
                &mut opened,
                match read_span(message, &mut scratch, now_unix_ns, limits)? {
                    Item::Taken(_) if seen > limits.items_max => {
                        Item::rejected(Reason::TooManyItems, text_field(message, 5))
                    }
                    item => item,
                },
            );
        }
        Ok(())
    })
}

/// Walks an `ExportLogsServiceRequest`, as [`spans`] does.
pub fn log_records<'a, G>(
    body: &'a [u8],
    now_unix_ns: i64,
    limits: &DecodeLimits,
    mut open: impl FnMut(&Group<'a, '_>) -> G,
    mut each: impl FnMut(&mut G, Item<'a, LogRecordView<'a, '_>>),
) -> Result<(), Fault> {
    let mut scratch = Scratch::default();
    let mut seen = 0;
    groups(body, |group| {
        let mut opened = open(group);
        for message in group.items() {
            let item = read_log_record(message?, &mut scratch, now_unix_ns, limits)?;
            seen += 1;
            each(
                &mut opened,
                match item {
                    Item::Taken(view) if seen > limits.items_max => {
                        Item::rejected(Reason::TooManyItems, view.event_name)
                    }
                    item => item,
                },
            );
        }
        Ok(())
    })
}

/// Walks an `ExportMetricsServiceRequest`, as [`spans`] does; `each` gets every data point with
/// its metric, and a metric that is not taken as one rejected item without.
pub fn points<'a, G>(
    body: &'a [u8],
    now_unix_ns: i64,
    limits: &DecodeLimits,
    mut open: impl FnMut(&Group<'a, '_>) -> G,
    mut each: impl FnMut(&mut G, Option<&MetricView<'a>>, Item<'a, PointView<'a, '_>>),
) -> Result<(), Fault> {
    let mut scratch = Scratch::default();
    let mut seen = 0;
    groups(body, |group| {
        let mut opened = open(group);
        for message in group.items() {
            let metric = match read_metric(message?)? {
                Item::Taken(metric) => metric,
                Item::Rejected { reason, count, name } => {
                    each(&mut opened, None, Item::Rejected { reason, count, name });
                    continue;
                }
            };
            for message in metric.points() {
                let item = read_point(&metric, message?, &mut scratch, now_unix_ns, limits)?;
                seen += 1;
                each(
                    &mut opened,
                    Some(&metric),
                    match item {
                        Item::Taken(_) if seen > limits.items_max => {
                            Item::rejected(Reason::TooManyItems, metric.name)
                        }
                        item => item,
                    },
                );
            }
        }
        Ok(())
    })
}
