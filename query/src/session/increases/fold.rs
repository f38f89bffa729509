//! What a counter increased by, point after point. Takes the points of one series after the other,
//! each series ordered by start, time and arrival; gives for each what it adds and why. It holds one
//! point and knows no table.
//!
//! The rules are those of the OpenTelemetry metrics data model (temporality, resets and gaps,
//! overlap); where a start is not told, those of Prometheus' `increase`, without its extrapolation.
//! Points of one start are one run of the counter: a restart begins another run, and so does a
//! second process that writes the same series, whose points then lie between those of the first.

/// How an increase came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Basis {
    /// The point itself tells it: delta temporality.
    Delta,
    /// The difference to the point before.
    Cumulative,
    /// The counter began anew at zero: a new start, or a value below the one before.
    Reset,
    /// The first point of the series: all since its start.
    First,
    /// The same point once more: it adds nothing.
    Duplicate,
    /// Another value for an instant or an interval that has one: not counted.
    Overlap,
    /// Not known.
    Unknown,
}

impl Basis {
    /// Every basis.
    #[cfg(test)]
    pub(crate) const ALL: [Basis; 7] = [
        Basis::Delta,
        Basis::Cumulative,
        Basis::Reset,
        Basis::First,
        Basis::Duplicate,
        Basis::Overlap,
        Basis::Unknown,
    ];

    /// Its one spelling.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Basis::Delta => "delta",
            Basis::Cumulative => "cumulative",
            Basis::Reset => "reset",
            Basis::First => "first",
            Basis::Duplicate => "duplicate",
            Basis::Overlap => "overlap",
            Basis::Unknown => "unknown",
        }
    }
}

/// Why an increase is not known, or what is odd about one that is.
pub(crate) mod reason {
    pub(crate) const NO_VALUE: &str = "the point says that no value was recorded";
    pub(crate) const NO_NUMBER: &str = "the value is none that a counter can have";
    pub(crate) const NO_TEMPORALITY: &str =
        "the metric does not say whether it is delta or cumulative";
    pub(crate) const NO_START: &str =
        "the first point that was read, and it tells no start: what it counts from is not known";
    pub(crate) const UNKNOWN_START: &str =
        "its start is its own time: the point resumes a counter whose start is not known";
    pub(crate) const LATER_START: &str = "its start lies after its time";
    pub(crate) const NOT_READ: &str = "it counts from before the points that were read, and the one \
        before it was not among them; ask for a longer window";
    pub(crate) const MIXED_STARTS: &str = "other points of the series, between its start and itself, \
        tell no start: part of it may be counted with them";
    pub(crate) const OTHER_VALUE: &str =
        "another point of the series has the same time and another value";
    pub(crate) const FELL: &str = "the value fell: the counter began anew at zero, and what it counted \
        between the point before and that is not known";
    pub(crate) const SEVERAL_WRITERS: &str = "its interval begins before that of an earlier point ends: \
        several processes write this series, and each is counted";
}

/// One point of a counter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    /// Start of the period it covers, nanoseconds since the epoch.
    pub(crate) start: Option<i64>,
    /// Its time, nanoseconds since the epoch.
    pub(crate) time: i64,
    /// What it tells; none where it says that no value was recorded.
    pub(crate) told: Option<Told>,
}

/// What a point tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Told {
    /// A sum, which may be a whole number.
    Number {
        /// As a float.
        value: f64,
        /// As it came, when it came as an integer.
        int: Option<i64>,
    },
    /// The count of a distribution, and its sum where it has one.
    Distribution {
        /// Observations.
        count: i64,
        /// Their sum.
        sum: Option<f64>,
    },
}

impl Told {
    /// Whether a counter can have it.
    fn is_countable(self) -> bool {
        match self {
            Told::Number { value, .. } => value.is_finite() && value >= 0.0,
            Told::Distribution { count, sum } => count >= 0 && sum.is_none_or(f64::is_finite),
        }
    }

    /// What it is above an earlier value of the same run; none when it is below.
    fn above(self, before: Told) -> Option<Told> {
        match (self, before) {
            (Told::Number { int: Some(now), .. }, Told::Number { int: Some(before), .. }) => {
                // Neither is negative, so the difference is no larger than either.
                let more = now.checked_sub(before).filter(|more| *more >= 0)?;
                Some(Told::Number { value: more as f64, int: Some(more) })
            }
            (Told::Number { value: now, .. }, Told::Number { value: before, .. }) => {
                (now >= before).then_some(Told::Number { value: now - before, int: None })
            }
            (
                Told::Distribution { count: now, sum },
                Told::Distribution { count: before, sum: sum_before },
            ) => {
                let count = now.checked_sub(before).filter(|more| *more >= 0)?;
                // The sum may fall, where observations are negative; the count never does.
                let sum = sum.zip(sum_before).map(|(now, before)| now - before);
                Some(Told::Distribution { count, sum })
            }
            _ => None,
        }
    }

    /// Nothing, of the same kind.
    fn none(self) -> Told {
        match self {
            Told::Number { int, .. } => Told::Number { value: 0.0, int: int.map(|_| 0) },
            Told::Distribution { sum, .. } => {
                Told::Distribution { count: 0, sum: sum.map(|_| 0.0) }
            }
        }
    }
}

/// What a point adds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Increase {
    /// How it came about.
    pub(crate) basis: Basis,
    /// Why it is not known, or what is odd about it.
    pub(crate) reason: Option<&'static str>,
    /// Start of the interval it is for; the interval ends with the point.
    pub(crate) start: Option<i64>,
    /// Time of the point it is counted from.
    pub(crate) previous: Option<i64>,
    /// How much; none where it is not known.
    pub(crate) more: Option<Told>,
}

impl Increase {
    fn unknown(reason: &'static str) -> Increase {
        Increase {
            basis: Basis::Unknown,
            reason: Some(reason),
            start: None,
            previous: None,
            more: None,
        }
    }

    /// The same instant or interval once more: nothing when it says the same.
    fn again(last: &Point, same: bool) -> Increase {
        let (start, previous) = (Some(last.time), Some(last.time));
        match last.told.filter(|_| same) {
            Some(told) => Increase {
                basis: Basis::Duplicate,
                reason: None,
                start,
                previous,
                more: Some(told.none()),
            },
            None => Increase {
                basis: Basis::Overlap,
                reason: Some(reason::OTHER_VALUE),
                start,
                previous,
                more: None,
            },
        }
    }
}

/// One series while its points go by.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    /// Points before this instant were not read; none when all were.
    read_from: Option<i64>,
    /// The last point that told a value.
    last: Option<Point>,
    /// The latest time of a point with a value.
    latest: Option<i64>,
    /// First and last time of the points that tell no start.
    without_start: Option<(i64, i64)>,
}

impl Fold {
    /// A series of which points before `read_from` were not read.
    pub(crate) fn new(read_from: Option<i64>) -> Fold {
        Fold { read_from, ..Fold::default() }
    }

    /// Another series begins.
    pub(crate) fn restart(&mut self) {
        *self = Fold::new(self.read_from);
    }

    /// The next point of the series; `delta` says its temporality, none where the metric does not.
    pub(crate) fn step(&mut self, delta: Option<bool>, point: Point) -> Increase {
        let Some(told) = point.told else { return Increase::unknown(reason::NO_VALUE) };
        if !told.is_countable() {
            return Increase::unknown(reason::NO_NUMBER);
        }
        let increase = match delta {
            None => return Increase::unknown(reason::NO_TEMPORALITY),
            Some(true) => self.delta(&point, told),
            Some(false) => self.cumulative(&point, told),
        };
        if increase.basis != Basis::Overlap {
            self.last = Some(point);
            self.latest = self.latest.max(Some(point.time));
        }
        if point.start.is_none() {
            let first = self.without_start.map_or(point.time, |(first, _)| first);
            self.without_start = Some((first, point.time));
        }
        increase
    }

    fn delta(&self, point: &Point, told: Told) -> Increase {
        let same_interval = |last: &&Point| last.start == point.start && last.time == point.time;
        if let Some(last) = self.last.as_ref().filter(same_interval) {
            return Increase::again(last, last.told == point.told);
        }
        let overlaps = point.start.is_some_and(|start| self.latest.is_some_and(|t| start < t));
        Increase {
            basis: Basis::Delta,
            reason: overlaps.then_some(reason::SEVERAL_WRITERS),
            start: point.start,
            previous: None,
            more: Some(told),
        }
    }

    fn cumulative(&self, point: &Point, told: Told) -> Increase {
        match self.last.as_ref().filter(|last| last.start == point.start) {
            Some(last) if last.time == point.time => Increase::again(last, last.told == point.told),
            Some(last) => {
                let more = last.told.and_then(|before| told.above(before));
                Increase {
                    basis: if more.is_some() { Basis::Cumulative } else { Basis::Reset },
                    reason: more.is_none().then_some(reason::FELL),
                    start: Some(last.time),
                    previous: Some(last.time),
                    more: more.or(Some(told)),
                }
            }
            None => self.begins(point, told),
        }
    }

    /// The first point of a run.
    fn begins(&self, point: &Point, told: Told) -> Increase {
        let Some(start) = point.start else { return Increase::unknown(reason::NO_START) };
        let mixed = |(first, last): (i64, i64)| start < last && first < point.time;
        if start > point.time {
            Increase::unknown(reason::LATER_START)
        } else if start == point.time {
            Increase::unknown(reason::UNKNOWN_START)
        } else if self.read_from.is_some_and(|from| start < from) {
            Increase::unknown(reason::NOT_READ)
        } else if self.without_start.is_some_and(mixed) {
            Increase::unknown(reason::MIXED_STARTS)
        } else {
            let overlaps = self.latest.is_some_and(|latest| start < latest);
            Increase {
                basis: if self.last.is_some() { Basis::Reset } else { Basis::First },
                reason: overlaps.then_some(reason::SEVERAL_WRITERS),
                start: Some(start),
                previous: None,
                more: Some(told),
            }
        }
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
