//! A span as a borrowed view, and the one rule by which a span is taken or not. Takes the bytes of
//! an OTLP `Span`, gives its fields, attributes, events and links; it copies nothing.

use spanledger_schemas::ids::{IdError, SpanId, TraceId};

use super::limits::DecodeLimits;
use super::reject::{Item, Reason};
use super::scratch::Scratch;
use super::value::Attribute;
use super::wire::{Fault, FaultKind, Fields};

/// One span.
#[derive(Debug)]
pub struct SpanView<'a, 's> {
    /// Trace.
    pub trace_id: TraceId,
    /// Span.
    pub span_id: SpanId,
    /// Parent; none for a root.
    pub parent_span_id: Option<SpanId>,
    /// Name.
    pub name: &'a str,
    /// OTLP `SpanKind`.
    pub kind: u64,
    /// Start, nanoseconds since the epoch.
    pub start_unix_ns: i64,
    /// End, nanoseconds since the epoch.
    pub end_unix_ns: i64,
    /// OTLP `StatusCode`.
    pub status_code: u64,
    /// Message of the status.
    pub status_message: &'a str,
    /// W3C trace state, as it came.
    pub trace_state: &'a str,
    /// Attributes, events and links the client dropped.
    pub dropped: u64,
    /// Attributes, in order.
    pub attributes: &'s [Attribute<'a>],
    /// Events, in order.
    pub events: &'s [EventView<'a>],
    /// Links, in order.
    pub links: &'s [LinkView<'a>],
    inner_attributes: &'s [Attribute<'a>],
}

/// One event of a span.
#[derive(Debug, Clone, Copy)]
pub struct EventView<'a> {
    /// Name.
    pub name: &'a str,
    /// Time, nanoseconds since the epoch.
    pub time_unix_ns: u64,
    /// Where its attributes lie in the scratch list.
    pub(crate) attributes: (usize, usize),
}

/// One link of a span.
#[derive(Debug, Clone, Copy, Default)]
pub struct LinkView<'a> {
    /// Trace, as it came.
    pub trace_id: &'a [u8],
    /// Span, as it came.
    pub span_id: &'a [u8],
    /// W3C trace state, as it came.
    pub trace_state: &'a str,
    attributes: (usize, usize),
}

impl<'a, 's> SpanView<'a, 's> {
    /// The attributes of an event of this span.
    pub fn event_attributes(&self, event: &EventView<'a>) -> &'s [Attribute<'a>] {
        &self.inner_attributes[event.attributes.0..event.attributes.1]
    }

    /// The attributes of a link of this span.
    pub fn link_attributes(&self, link: &LinkView<'a>) -> &'s [Attribute<'a>] {
        &self.inner_attributes[link.attributes.0..link.attributes.1]
    }
}

/// Reads a span and decides whether it is taken. `now_unix_ns` is when the request was received.
pub(super) fn read_span<'a, 's>(
    message: &'a [u8],
    scratch: &'s mut Scratch<'a>,
    now_unix_ns: i64,
    limits: &DecodeLimits,
) -> Result<Item<'a, SpanView<'a, 's>>, Fault> {
    let raw = match read_fields(message, scratch) {
        Ok(raw) => raw,
        Err(Fault { what: FaultKind::NotUtf8 { .. }, .. }) => {
            return Ok(Item::rejected(Reason::NotUtf8, text_field(message, 5)));
        }
        Err(fault) => return Err(fault),
    };
    Ok(match take(&raw, now_unix_ns, limits) {
        Err(reason) => Item::rejected(reason, raw.name),
        Ok(ids) => Item::Taken(SpanView {
            trace_id: ids.trace,
            span_id: ids.span,
            parent_span_id: ids.parent,
            name: raw.name,
            kind: raw.kind,
            start_unix_ns: raw.start_unix_ns as i64,
            end_unix_ns: raw.end_unix_ns as i64,
            status_code: raw.status_code,
            status_message: raw.status_message,
            trace_state: raw.trace_state,
            dropped: raw.dropped,
            attributes: &scratch.attributes,
            events: &scratch.events,
            links: &scratch.links,
            inner_attributes: &scratch.inner_attributes,
        }),
    })
}

/// A text field of an item that is not taken, for the example beside the reason; empty when even
/// that cannot be read.
pub(crate) fn text_field(message: &[u8], number: u32) -> &str {
    let mut fields = Fields::of(message);
    while let Ok(Some(field)) = fields.next() {
        if field.number == number {
            return field.text().unwrap_or_default();
        }
    }
    ""
}

#[derive(Default)]
struct Raw<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    parent_span_id: &'a [u8],
    name: &'a str,
    trace_state: &'a str,
    kind: u64,
    start_unix_ns: u64,
    end_unix_ns: u64,
    status_code: u64,
    status_message: &'a str,
    dropped: u64,
}

fn read_fields<'a>(message: &'a [u8], scratch: &mut Scratch<'a>) -> Result<Raw<'a>, Fault> {
    scratch.clear();
    let mut raw = Raw::default();
    let mut dropped = [0; 3];
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => raw.trace_id = field.bytes()?,
            2 => raw.span_id = field.bytes()?,
            3 => raw.trace_state = field.text()?,
            4 => raw.parent_span_id = field.bytes()?,
            5 => raw.name = field.text()?,
            6 => raw.kind = field.varint()?,
            7 => raw.start_unix_ns = field.fixed64()?,
            8 => raw.end_unix_ns = field.fixed64()?,
            9 => scratch.attributes.push(Attribute::read(field.bytes()?)?),
            10 => dropped[0] = u32_of(field.varint()?),
            11 => read_event(field.bytes()?, scratch, &mut raw.dropped)?,
            12 => dropped[1] = u32_of(field.varint()?),
            13 => read_link(field.bytes()?, scratch, &mut raw.dropped)?,
            14 => dropped[2] = u32_of(field.varint()?),
            15 => {
                let mut status = Fields::of(field.bytes()?);
                while let Some(field) = status.next()? {
                    match field.number {
                        2 => raw.status_message = field.text()?,
                        3 => raw.status_code = field.varint()?,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    raw.dropped += dropped.iter().sum::<u64>();
    Ok(raw)
}

fn read_event<'a>(
    message: &'a [u8],
    scratch: &mut Scratch<'a>,
    dropped: &mut u64,
) -> Result<(), Fault> {
    let start = scratch.inner_attributes.len();
    let mut event = EventView { name: "", time_unix_ns: 0, attributes: (start, start) };
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => event.time_unix_ns = field.fixed64()?,
            2 => event.name = field.text()?,
            3 => scratch.inner_attributes.push(Attribute::read(field.bytes()?)?),
            4 => *dropped += u32_of(field.varint()?),
            _ => {}
        }
    }
    event.attributes.1 = scratch.inner_attributes.len();
    scratch.events.push(event);
    Ok(())
}

fn read_link<'a>(
    message: &'a [u8],
    scratch: &mut Scratch<'a>,
    dropped: &mut u64,
) -> Result<(), Fault> {
    let start = scratch.inner_attributes.len();
    let mut link = LinkView { attributes: (start, start), ..Default::default() };
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => link.trace_id = field.bytes()?,
            2 => link.span_id = field.bytes()?,
            3 => link.trace_state = field.text()?,
            4 => scratch.inner_attributes.push(Attribute::read(field.bytes()?)?),
            5 => *dropped += u32_of(field.varint()?),
            _ => {}
        }
    }
    link.attributes.1 = scratch.inner_attributes.len();
    scratch.links.push(link);
    Ok(())
}

struct Ids {
    trace: TraceId,
    span: SpanId,
    parent: Option<SpanId>,
}

/// The predicate: acknowledged and stored are the same because both ask here.
fn take(raw: &Raw<'_>, now_unix_ns: i64, limits: &DecodeLimits) -> Result<Ids, Reason> {
    let trace = TraceId::from_bytes(raw.trace_id).map_err(|e| match e {
        IdError::Zero { .. } => Reason::TraceIdZero,
        _ => Reason::TraceIdLength,
    })?;
    let span = SpanId::from_bytes(raw.span_id).map_err(|e| match e {
        IdError::Zero { .. } => Reason::SpanIdZero,
        _ => Reason::SpanIdLength,
    })?;
    // Some exporters write a root's parent as eight zero bytes.
    let parent = match raw.parent_span_id {
        [] | [0, 0, 0, 0, 0, 0, 0, 0] => None,
        bytes => Some(SpanId::from_bytes(bytes).map_err(|_| Reason::ParentSpanIdLength)?),
    };
    let start = time_in_range(raw.start_unix_ns, now_unix_ns, limits)?;
    let end = i64::try_from(raw.end_unix_ns).map_err(|_| Reason::TimeOutOfRange)?;
    if start - end > limits.end_before_start_max_ns {
        return Err(Reason::EndBeforeStart);
    }
    time_in_range(raw.end_unix_ns, now_unix_ns, limits)?;
    Ok(Ids { trace, span, parent })
}

/// A time as signed nanoseconds, when it lies in the range that is taken.
pub(crate) fn time_in_range(
    unix_ns: u64,
    now_unix_ns: i64,
    limits: &DecodeLimits,
) -> Result<i64, Reason> {
    let latest = now_unix_ns.saturating_add(limits.time_ahead_max_ns);
    i64::try_from(unix_ns)
        .ok()
        .filter(|t| (limits.time_min_unix_ns..=latest).contains(t))
        .ok_or(Reason::TimeOutOfRange)
}

/// A `uint32` as protobuf reads it: the low 32 bits of the varint.
pub(crate) fn u32_of(varint: u64) -> u64 {
    u64::from(varint as u32)
}
