//! From the bytes of a request to borrowed views of its items, in one walk without intermediate
//! structs. Takes a body that a receiver has decompressed; gives, before the acknowledgement,
//! [`check`], and at flush the views that `buffer` builds rows from. It decides which items are
//! taken; what they mean is `normalise`'s matter.
//!
//! `check` and the builders go through the same walks ([`spans`], [`points`], [`log_records`]) with
//! the same limits and the same time of receipt: what was acknowledged is exactly what is stored
//! (I-1).

mod error;
mod fields;
mod json;
mod limits;
mod log;
mod metric;
mod reject;
mod request;
mod scratch;
mod span;
#[cfg(test)]
mod tests;
mod value;
mod walk;
mod wire;

pub use error::DecodeError;
pub use json::json_to_protobuf;
pub use limits::*;
pub use log::LogRecordView;
pub use metric::{ExemplarView, Exponential, MetricKind, MetricView, Number, PointView, Quantile};
pub use reject::{Checked, Item, Reason, Rejected};
pub use request::{Group, Resource, Scope};
pub use span::{EventView, LinkView, SpanView};
pub use value::{Attribute, Nested, Value, write_json_double, write_json_map, write_json_text};
pub use walk::{log_records, points, spans};
pub use wire::Fault;

use crate::frame::Signal;

/// Reads a request through and through and counts which items will be stored.
///
/// A body that is not the message of its signal is an error, which names the signal whose message it
/// is, if any; an item that cannot be stored is counted with its reason, never a cause to refuse the
/// rest (OTLP partial success). For metrics the items are data points.
pub fn check(
    signal: Signal,
    body: &[u8],
    now_unix_ns: i64,
    limits: &DecodeLimits,
) -> Result<Checked, DecodeError> {
    count(signal, body, now_unix_ns, limits).map_err(|fault| {
        let reads = |other: &Signal| {
            let read = count(*other, body, now_unix_ns, limits);
            read.is_ok_and(|checked| checked.accepted > 0)
        };
        let others = [Signal::Traces, Signal::Metrics, Signal::Logs].into_iter();
        let reads_as = others.filter(|other| *other != signal).find(reads);
        DecodeError::protobuf(signal, body, fault).at_the_wrong_door(reads_as)
    })
}

fn count(
    signal: Signal,
    body: &[u8],
    now_unix_ns: i64,
    limits: &DecodeLimits,
) -> Result<Checked, Fault> {
    let mut checked = Checked::default();
    match signal {
        Signal::Traces => {
            walk::spans(body, now_unix_ns, limits, |_| (), |(), item| checked.count(&item))
        }
        Signal::Metrics => {
            walk::points(body, now_unix_ns, limits, |_| (), |(), _, item| checked.count(&item))
        }
        Signal::Logs => {
            walk::log_records(body, now_unix_ns, limits, |_| (), |(), item| checked.count(&item))
        }
    }?;
    Ok(checked)
}
