//! A log record as a borrowed view, and the rule by which it is taken or not. Takes the bytes of
//! an OTLP `LogRecord`; it copies nothing.

use spanledger_schemas::ids::{SpanId, TraceId};

use super::limits::DecodeLimits;
use super::reject::{Item, Reason};
use super::scratch::Scratch;
use super::span::{text_field, time_in_range, u32_of};
use super::value::{Attribute, Value};
use super::wire::{Fault, FaultKind, Fields};

/// One log record.
#[derive(Debug)]
pub struct LogRecordView<'a, 's> {
    /// Time of the record, else when it was observed, else when the request was received.
    pub time_unix_ns: i64,
    /// When the client saw it.
    pub observed_unix_ns: Option<i64>,
    /// OTLP `SeverityNumber`; 0 when not said.
    pub severity_number: u64,
    /// Severity as the source names it.
    pub severity_text: &'a str,
    /// Kind of event, from the field of that name.
    pub event_name: &'a str,
    /// Body.
    pub body: Value<'a>,
    /// Trace; an invalid id counts as none (OTLP `LogRecord.trace_id`).
    pub trace_id: Option<TraceId>,
    /// Span; an invalid id counts as none.
    pub span_id: Option<SpanId>,
    /// Attributes the client dropped.
    pub dropped: u64,
    /// Attributes, in order.
    pub attributes: &'s [Attribute<'a>],
}

/// Number of the field `event_name`.
const EVENT_NAME: u32 = 12;

/// Reads a log record and decides whether it is taken.
pub(super) fn read_log_record<'a, 's>(
    message: &'a [u8],
    scratch: &'s mut Scratch<'a>,
    now_unix_ns: i64,
    limits: &DecodeLimits,
) -> Result<Item<'a, LogRecordView<'a, 's>>, Fault> {
    match read_fields(message, scratch, now_unix_ns, limits) {
        Ok(Ok(view)) => Ok(Item::Taken(view)),
        Ok(Err(reason)) => Ok(Item::rejected(reason, text_field(message, EVENT_NAME))),
        Err(Fault { what: FaultKind::NotUtf8 { .. }, .. }) => {
            Ok(Item::rejected(Reason::NotUtf8, text_field(message, EVENT_NAME)))
        }
        Err(fault) => Err(fault),
    }
}

fn read_fields<'a, 's>(
    message: &'a [u8],
    scratch: &'s mut Scratch<'a>,
    now_unix_ns: i64,
    limits: &DecodeLimits,
) -> Result<Result<LogRecordView<'a, 's>, Reason>, Fault> {
    scratch.clear();
    let (mut time, mut observed) = (0, 0);
    let mut view = LogRecordView {
        time_unix_ns: now_unix_ns,
        observed_unix_ns: None,
        severity_number: 0,
        severity_text: "",
        event_name: "",
        body: Value::Empty,
        trace_id: None,
        span_id: None,
        dropped: 0,
        attributes: &[],
    };
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => time = field.fixed64()?,
            2 => view.severity_number = field.varint()?,
            3 => view.severity_text = field.text()?,
            5 => view.body = Value::read(field.bytes()?)?,
            6 => scratch.attributes.push(Attribute::read(field.bytes()?)?),
            7 => view.dropped = u32_of(field.varint()?),
            9 => view.trace_id = TraceId::from_bytes(field.bytes()?).ok(),
            10 => view.span_id = SpanId::from_bytes(field.bytes()?).ok(),
            11 => observed = field.fixed64()?,
            EVENT_NAME => view.event_name = field.text()?,
            _ => {}
        }
    }
    // Zero means “not known” for both times.
    if observed != 0 {
        match time_in_range(observed, now_unix_ns, limits) {
            Ok(at) => view.observed_unix_ns = Some(at),
            Err(reason) => return Ok(Err(reason)),
        }
    }
    match (time, view.observed_unix_ns) {
        (0, Some(observed)) => view.time_unix_ns = observed,
        (0, None) => {}
        (time, _) => match time_in_range(time, now_unix_ns, limits) {
            Ok(at) => view.time_unix_ns = at,
            Err(reason) => return Ok(Err(reason)),
        },
    }
    view.attributes = &scratch.attributes;
    Ok(Ok(view))
}
