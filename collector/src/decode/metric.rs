//! Metrics and their data points as borrowed views, and the rule by which a point is taken or
//! not. Takes the bytes of an OTLP `Metric`; one view serves all five kinds of points.

use super::limits::{BUCKETS_MAX, DecodeLimits};
use super::reject::{Item, Reason};
use super::request::messages;
use super::scratch::Scratch;
use super::span::{text_field, time_in_range};
use super::value::Attribute;
use super::wire::{Fault, FaultKind, Field, Fields, zigzag32};

/// The kinds of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// A value at a time.
    Gauge,
    /// A sum over a period.
    Sum,
    /// A distribution with explicit bounds.
    Histogram,
    /// A distribution with exponential buckets.
    ExponentialHistogram,
    /// Quantiles computed by the source.
    Summary,
}

impl MetricKind {
    /// The word of the column `metric_kind`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Sum => "sum",
            Self::Histogram => "histogram",
            Self::ExponentialHistogram => "exponential-histogram",
            Self::Summary => "summary",
        }
    }
}

/// One metric; its points are read one by one.
#[derive(Debug)]
pub struct MetricView<'a> {
    /// Name.
    pub name: &'a str,
    /// UCUM unit; empty when not said.
    pub unit: &'a str,
    /// What it says it is.
    pub description: &'a str,
    /// Which kind.
    pub kind: MetricKind,
    /// `delta` or `cumulative`; none for gauges, summaries, or when not said.
    pub temporality: Option<&'static str>,
    /// Whether a sum only grows; none for other kinds.
    pub monotonic: Option<bool>,
    data: &'a [u8],
}

impl<'a> MetricView<'a> {
    /// The messages of its points.
    pub fn points(&self) -> impl Iterator<Item = Result<&'a [u8], Fault>> + use<'a> {
        messages(Fields::of(self.data), 1)
    }
}

/// One data point of any kind; what its kind does not have is empty.
#[derive(Debug)]
pub struct PointView<'a, 's> {
    /// Start of the period; none when not said.
    pub start_unix_ns: Option<i64>,
    /// Time of the point.
    pub time_unix_ns: i64,
    /// Value of a gauge or sum.
    pub value: Option<Number>,
    /// Observations of a distribution.
    pub count: Option<i64>,
    /// Their sum.
    pub sum: Option<f64>,
    /// The smallest.
    pub min: Option<f64>,
    /// The largest.
    pub max: Option<f64>,
    /// Upper bounds of a histogram's buckets; none for other kinds.
    pub bounds: Option<&'s [f64]>,
    /// Observations per bucket; each fits an `i64`.
    pub counts: Option<&'s [u64]>,
    /// Of an exponential histogram.
    pub exponential: Option<Exponential<'s>>,
    /// Of a summary.
    pub quantiles: Option<&'s [Quantile]>,
    /// The point says that no value was recorded.
    pub no_value: bool,
    /// Attributes, in order.
    pub attributes: &'s [Attribute<'a>],
    /// Exemplars, in order.
    pub exemplars: &'s [ExemplarView<'a>],
    inner_attributes: &'s [Attribute<'a>],
}

impl<'a, 's> PointView<'a, 's> {
    /// The filtered attributes of an exemplar of this point.
    pub fn exemplar_attributes(&self, exemplar: &ExemplarView<'a>) -> &'s [Attribute<'a>] {
        &self.inner_attributes[exemplar.attributes.0..exemplar.attributes.1]
    }
}

/// A value as it came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// `as_int`
    Int(i64),
    /// `as_double`
    Double(f64),
}

/// Buckets of an exponential histogram.
#[derive(Debug, Clone, Copy)]
pub struct Exponential<'s> {
    /// Resolution: base = 2^(2^-scale).
    pub scale: i32,
    /// Observations in the zero bucket.
    pub zero_count: u64,
    /// Its width.
    pub zero_threshold: f64,
    /// Offset and counts of the buckets above zero.
    pub positive: (i32, &'s [u64]),
    /// Offset and counts of the buckets below zero.
    pub negative: (i32, &'s [u64]),
}

/// One quantile of a summary.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Quantile {
    /// In 0..=1.
    pub quantile: f64,
    /// Value at it.
    pub value: f64,
}

/// One exemplar.
#[derive(Debug, Clone, Copy)]
pub struct ExemplarView<'a> {
    /// The observed value.
    pub value: Option<Number>,
    /// Time, nanoseconds since the epoch.
    pub time_unix_ns: u64,
    /// Trace, as it came.
    pub trace_id: &'a [u8],
    /// Span, as it came.
    pub span_id: &'a [u8],
    attributes: (usize, usize),
}

/// Number of the field `name`.
const NAME: u32 = 1;

/// Reads a metric and decides whether its points are looked at.
pub(super) fn read_metric(message: &[u8]) -> Result<Item<'_, MetricView<'_>>, Fault> {
    let rejected =
        |reason, count| Item::Rejected { reason, count, name: text_field(message, NAME) };
    match read_fields(message) {
        Err(Fault { what: FaultKind::NotUtf8 { .. }, .. }) => {
            Ok(rejected(Reason::NotUtf8, points_in(message)))
        }
        Err(fault) => Err(fault),
        Ok(None) => Ok(rejected(Reason::MetricKind, 1)),
        Ok(Some(metric)) if metric.name.is_empty() => {
            Ok(rejected(Reason::MetricName, points_in(message)))
        }
        Ok(Some(metric)) => Ok(Item::Taken(metric)),
    }
}

/// Points of a metric that is not taken.
fn points_in(message: &[u8]) -> u64 {
    let mut fields = Fields::of(message);
    let mut points = 0;
    while let Ok(Some(field)) = fields.next() {
        if let (5 | 7 | 9 | 10 | 11, Ok(data)) = (field.number, field.bytes()) {
            points = messages(Fields::of(data), 1).filter(Result::is_ok).count() as u64;
        }
    }
    points
}

fn read_fields(message: &[u8]) -> Result<Option<MetricView<'_>>, Fault> {
    let (mut name, mut unit, mut description) = ("", "", "");
    let mut data = None;
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next()? {
        let kind = match field.number {
            NAME => {
                name = field.text()?;
                continue;
            }
            2 => {
                description = field.text()?;
                continue;
            }
            3 => {
                unit = field.text()?;
                continue;
            }
            5 => MetricKind::Gauge,
            7 => MetricKind::Sum,
            9 => MetricKind::Histogram,
            10 => MetricKind::ExponentialHistogram,
            11 => MetricKind::Summary,
            _ => continue,
        };
        data = Some((kind, field.bytes()?));
    }
    let Some((kind, data)) = data else { return Ok(None) };
    let (mut temporality, mut monotonic) = (None, (kind == MetricKind::Sum).then_some(false));
    let mut fields = Fields::of(data);
    while let Some(field) = fields.next()? {
        match (kind, field.number) {
            (MetricKind::Gauge | MetricKind::Summary, _) => {}
            (_, 2) => {
                temporality = match field.varint()? as i32 {
                    1 => Some("delta"),
                    2 => Some("cumulative"),
                    _ => None,
                }
            }
            (MetricKind::Sum, 3) => monotonic = Some(field.varint()? != 0),
            _ => {}
        }
    }
    Ok(Some(MetricView { name, unit, description, kind, temporality, monotonic, data }))
}

/// Reads a data point of `metric` and decides whether it is taken.
pub(super) fn read_point<'a, 's>(
    metric: &MetricView<'a>,
    message: &'a [u8],
    scratch: &'s mut Scratch<'a>,
    now_unix_ns: i64,
    limits: &DecodeLimits,
) -> Result<Item<'a, PointView<'a, 's>>, Fault> {
    scratch.clear();
    let mut raw = Raw::default();
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next()? {
        let read = match metric.kind {
            MetricKind::Gauge | MetricKind::Sum => raw.number(&field, scratch),
            MetricKind::Histogram => raw.histogram(&field, scratch),
            MetricKind::ExponentialHistogram => raw.exponential(&field, scratch),
            MetricKind::Summary => raw.summary(&field, scratch),
        };
        match read {
            Ok(()) => {}
            Err(Fault { what: FaultKind::NotUtf8 { .. }, .. }) => {
                return Ok(Item::rejected(Reason::NotUtf8, metric.name));
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(match raw.take(metric.kind, scratch, now_unix_ns, limits) {
        Ok(view) => Item::Taken(view),
        Err(reason) => Item::rejected(reason, metric.name),
    })
}

#[derive(Default)]
struct Raw {
    start_unix_ns: u64,
    time_unix_ns: u64,
    value: Option<Number>,
    count: u64,
    sum: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    flags: u64,
    scale: i32,
    zero_count: u64,
    zero_threshold: f64,
    positive_offset: i32,
    negative_offset: i32,
}

impl Raw {
    // `NumberDataPoint`
    fn number<'a>(&mut self, field: &Field<'a>, scratch: &mut Scratch<'a>) -> Result<(), Fault> {
        match field.number {
            2 => self.start_unix_ns = field.fixed64()?,
            3 => self.time_unix_ns = field.fixed64()?,
            4 => self.value = Some(Number::Double(field.double()?)),
            5 => read_exemplar(field.bytes()?, scratch)?,
            6 => self.value = Some(Number::Int(field.fixed64()? as i64)),
            7 => scratch.attributes.push(Attribute::read(field.bytes()?)?),
            8 => self.flags = field.varint()?,
            _ => {}
        }
        Ok(())
    }

    // `HistogramDataPoint`
    fn histogram<'a>(&mut self, field: &Field<'a>, scratch: &mut Scratch<'a>) -> Result<(), Fault> {
        match field.number {
            2 => self.start_unix_ns = field.fixed64()?,
            3 => self.time_unix_ns = field.fixed64()?,
            4 => self.count = field.fixed64()?,
            5 => self.sum = Some(field.double()?),
            6 => field.each_fixed64(|count| scratch.counts.push(count))?,
            7 => field.each_fixed64(|bits| scratch.bounds.push(f64::from_bits(bits)))?,
            8 => read_exemplar(field.bytes()?, scratch)?,
            9 => scratch.attributes.push(Attribute::read(field.bytes()?)?),
            10 => self.flags = field.varint()?,
            11 => self.min = Some(field.double()?),
            12 => self.max = Some(field.double()?),
            _ => {}
        }
        Ok(())
    }

    // `ExponentialHistogramDataPoint`
    fn exponential<'a>(
        &mut self,
        field: &Field<'a>,
        scratch: &mut Scratch<'a>,
    ) -> Result<(), Fault> {
        match field.number {
            1 => scratch.attributes.push(Attribute::read(field.bytes()?)?),
            2 => self.start_unix_ns = field.fixed64()?,
            3 => self.time_unix_ns = field.fixed64()?,
            4 => self.count = field.fixed64()?,
            5 => self.sum = Some(field.double()?),
            6 => self.scale = zigzag32(field.varint()?),
            7 => self.zero_count = field.fixed64()?,
            8 => read_buckets(field.bytes()?, &mut self.positive_offset, &mut scratch.positive)?,
            9 => read_buckets(field.bytes()?, &mut self.negative_offset, &mut scratch.negative)?,
            10 => self.flags = field.varint()?,
            11 => read_exemplar(field.bytes()?, scratch)?,
            12 => self.min = Some(field.double()?),
            13 => self.max = Some(field.double()?),
            14 => self.zero_threshold = field.double()?,
            _ => {}
        }
        Ok(())
    }

    // `SummaryDataPoint`
    fn summary<'a>(&mut self, field: &Field<'a>, scratch: &mut Scratch<'a>) -> Result<(), Fault> {
        match field.number {
            2 => self.start_unix_ns = field.fixed64()?,
            3 => self.time_unix_ns = field.fixed64()?,
            4 => self.count = field.fixed64()?,
            5 => self.sum = Some(field.double()?),
            6 => {
                let mut quantile = Quantile::default();
                let mut fields = Fields::of(field.bytes()?);
                while let Some(field) = fields.next()? {
                    match field.number {
                        1 => quantile.quantile = field.double()?,
                        2 => quantile.value = field.double()?,
                        _ => {}
                    }
                }
                scratch.quantiles.push(quantile);
            }
            7 => scratch.attributes.push(Attribute::read(field.bytes()?)?),
            8 => self.flags = field.varint()?,
            _ => {}
        }
        Ok(())
    }

    /// The predicate: acknowledged and stored are the same because both ask here.
    fn take<'a, 's>(
        &self,
        kind: MetricKind,
        scratch: &'s Scratch<'a>,
        now_unix_ns: i64,
        limits: &DecodeLimits,
    ) -> Result<PointView<'a, 's>, Reason> {
        let time_unix_ns = time_in_range(self.time_unix_ns, now_unix_ns, limits)?;
        let start_unix_ns = match self.start_unix_ns {
            0 => None,
            start => Some(time_in_range(start, now_unix_ns, limits)?),
        };
        let lists = [&scratch.counts, &scratch.positive, &scratch.negative];
        if lists.iter().any(|l| l.len() > BUCKETS_MAX) || scratch.bounds.len() > BUCKETS_MAX {
            return Err(Reason::Buckets);
        }
        let singles = [self.count, self.zero_count];
        if singles.iter().chain(lists.into_iter().flatten()).any(|n| *n > i64::MAX as u64) {
            return Err(Reason::CountTooLarge);
        }
        let (counts, bounds) = (scratch.counts.len(), scratch.bounds.len());
        if kind == MetricKind::Histogram && counts != 0 && counts != bounds + 1 {
            return Err(Reason::Buckets);
        }
        let distribution = !matches!(kind, MetricKind::Gauge | MetricKind::Sum);
        let histogram = kind == MetricKind::Histogram;
        let no_value = self.flags & 1 == 1;
        Ok(PointView {
            start_unix_ns,
            time_unix_ns,
            // A value beside “no value recorded” is a filler, not a measurement.
            value: self.value.filter(|_| !no_value),
            count: distribution.then_some(self.count as i64),
            // A summary's sum is not optional on the wire: absent means zero.
            sum: if kind == MetricKind::Summary { self.sum.or(Some(0.0)) } else { self.sum },
            min: self.min,
            max: self.max,
            bounds: histogram.then_some(&scratch.bounds[..]),
            counts: histogram.then_some(&scratch.counts[..]),
            exponential: (kind == MetricKind::ExponentialHistogram).then_some(Exponential {
                scale: self.scale,
                zero_count: self.zero_count,
                zero_threshold: self.zero_threshold,
                positive: (self.positive_offset, &scratch.positive),
                negative: (self.negative_offset, &scratch.negative),
            }),
            quantiles: (kind == MetricKind::Summary).then_some(&scratch.quantiles[..]),
            no_value,
            attributes: &scratch.attributes,
            exemplars: &scratch.exemplars,
            inner_attributes: &scratch.inner_attributes,
        })
    }
}

fn read_buckets(message: &[u8], offset: &mut i32, counts: &mut Vec<u64>) -> Result<(), Fault> {
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => *offset = zigzag32(field.varint()?),
            2 => field.each_varint(|count| counts.push(count))?,
            _ => {}
        }
    }
    Ok(())
}

fn read_exemplar<'a>(message: &'a [u8], scratch: &mut Scratch<'a>) -> Result<(), Fault> {
    let start = scratch.inner_attributes.len();
    let mut exemplar = ExemplarView {
        value: None,
        time_unix_ns: 0,
        trace_id: &[],
        span_id: &[],
        attributes: (start, start),
    };
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next()? {
        match field.number {
            2 => exemplar.time_unix_ns = field.fixed64()?,
            3 => exemplar.value = Some(Number::Double(field.double()?)),
            4 => exemplar.span_id = field.bytes()?,
            5 => exemplar.trace_id = field.bytes()?,
            6 => exemplar.value = Some(Number::Int(field.fixed64()? as i64)),
            7 => scratch.inner_attributes.push(Attribute::read(field.bytes()?)?),
            _ => {}
        }
    }
    exemplar.attributes.1 = scratch.inner_attributes.len();
    scratch.exemplars.push(exemplar);
    Ok(())
}
