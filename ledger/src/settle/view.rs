//! What settling keeps of a span: a small view of each, and some facts more of those that speak of
//! a model call. Owns the two shapes and how a trace holds them; it reads no columns and decides
//! nothing.

use spanledger_schemas::running_sum::RunningSum;

/// A row of a chunk of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RowRef {
    pub(super) chunk: u32,
    pub(super) row: u32,
}

/// How many facts of ownership are inherited; their columns are
/// [`OWNER_COLUMNS`](super::chunk::OWNER_COLUMNS).
pub(super) const OWNER_FACTS: usize = 9;

/// What a span is, as seen on it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// None of the others.
    Other,
    /// A tool at work: what a model is asked in it is not part of the call that asked for the tool.
    Tool,
    /// An agent or workflow that may repeat the usage of calls below it.
    Rollup,
    /// An inference.
    Inference,
}

/// What settling needs to know of every span: 56 bytes, because a million may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SpanView {
    pub(super) span: u64,
    /// Zero for a root.
    pub(super) parent: u64,
    /// Where its columns are, for a span that can be a call or names an owner.
    pub(super) row: Option<RowRef>,
    pub(super) role: Role,
    /// It reports usage above zero.
    pub(super) usage: bool,
    /// Which facts of ownership it names itself, one bit each.
    pub(super) names: u16,
    /// Which its resource names.
    pub(super) resource_names: u16,
    /// Place of its [`Facts`] in [`Spans::facts`]; [`NO_FACTS`] when it has none.
    pub(super) facts: u32,
    pub(super) duration_ns: i64,
    /// Microseconds since the epoch.
    pub(super) received: i64,
}

/// The place of facts that are not kept.
pub(super) const NO_FACTS: u32 = u32::MAX;

/// What settling needs to know besides of an inference, of a roll-up with usage, and of a tool in a
/// running sum: by it two spans that tell of one call are recognised. Kept beside the views, because most spans of an
/// agent are neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Facts {
    /// Nanoseconds since the epoch.
    pub(super) start_ns: i64,
    /// Where the two spans meet in which a library tells a stream: the end of one that tells
    /// nothing of the answer, and the beginning of the stream whose end the other tells, both in
    /// nanoseconds since the epoch; zero for all others.
    pub(super) joint_ns: i64,
    /// Hash of the response id; zero when it is not told.
    pub(super) response: u64,
    /// Hashes of the model asked for and of the one that served; zero when not told.
    pub(super) models: [u32; 2],
    /// Hash of the provider; zero when not told.
    pub(super) provider: u32,
    /// Hash of the instrumentation library, and below of the kind of a log record.
    pub(super) scope: u32,
    /// Hash of its name: what libraries of one scope call the same call differs.
    pub(super) name: u32,
    /// Hash of the service that made it; zero when not told.
    pub(super) service: u32,
    /// Hash of the session it names itself; zero when not told.
    pub(super) session: u64,
    /// Total input and output tokens; `None` when not told.
    pub(super) input: Option<i64>,
    pub(super) output: Option<i64>,
    /// How much it tells of its usage: one for each leaf that has a number.
    pub(super) leaves: u8,
    /// What its usage is worth.
    pub(super) trust: Trust,
    /// It names an error.
    pub(super) failed: bool,
    /// Where its usage contains that of the calls before it.
    pub(super) sum: Option<RunningSum>,
    /// It is a log record, not a span; the view's parent is the span it was written in.
    pub(super) record: bool,
}

impl Facts {
    /// How many of the two totals it tells.
    pub(super) fn totals(&self) -> u8 {
        u8::from(self.input.is_some()) + u8::from(self.output.is_some())
    }

    /// Whether it tells no count and did not fail: a stream that a library did not follow.
    pub(super) fn is_bare(&self) -> bool {
        self.totals() == 0 && self.leaves == 0 && self.response == 0 && !self.failed
    }

    /// Whether it knows no count: it tells none, or all that it tells it guessed.
    pub(super) fn knows_no_count(&self) -> bool {
        let guessed = self.trust == Trust::Guessed && self.totals() == 0 && self.leaves == 0;
        self.is_bare() || (guessed && !self.failed)
    }

    /// Whether it tells the output only, or nothing: another library may know more of the call.
    pub(super) fn is_partly_told(&self) -> bool {
        self.knows_no_count() || (self.input.is_none() && self.output.is_some())
    }

    /// Whether both totals are told, and there is an output.
    pub(super) fn is_told_in_full(&self) -> bool {
        self.input.is_some() && self.output.is_some_and(|n| n > 0)
    }

    /// Whether both may be told by one instrumentation. Several may share a scope; then their
    /// spans have other names, or one of them does not tell the answer's id.
    pub(super) fn same_teller(&self, other: &Facts) -> bool {
        let answers = |f: &Facts| f.response != 0;
        self.scope == other.scope && self.name == other.name && answers(self) == answers(other)
    }

    /// Whether both are told by one library, whatever the kind of record.
    pub(super) fn same_library(&self, other: &Facts) -> bool {
        self.scope >> 16 == other.scope >> 16
    }
}

/// What the usage of an item is worth, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Trust {
    /// The library guessed it; what it says elsewhere of the same call is the same guess.
    Guessed,
    /// It is not clear what the numbers contain.
    #[default]
    Unclear,
    /// It was counted, or guessed: the library does not say of which answers it guesses.
    PerhapsGuessed,
    /// It was counted.
    Counted,
}

/// The spans of a trace, in any order, some perhaps more than once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Spans {
    pub(super) views: Vec<SpanView>,
    /// Log records that tell of a call; they are no part of the tree of spans.
    pub(super) records: Vec<SpanView>,
    pub(super) facts: Vec<Facts>,
}

impl Spans {
    /// Adds a span.
    pub(super) fn push(&mut self, mut view: SpanView, facts: Option<Facts>) {
        view.facts = NO_FACTS;
        if let Some(facts) = facts
            && let Ok(place) = u32::try_from(self.facts.len())
        {
            view.facts = place;
            self.facts.push(facts);
        }
        match facts {
            Some(Facts { record: true, .. }) => self.records.push(view),
            _ => self.views.push(view),
        }
    }

    /// Whether there is nothing here.
    pub(super) fn is_empty(&self) -> bool {
        self.views.is_empty() && self.records.is_empty()
    }

    /// What is known besides of a span; nothing in particular when nothing was kept.
    pub(super) fn facts(&self, view: &SpanView) -> Facts {
        self.facts.get(view.facts as usize).copied().unwrap_or_default()
    }

    /// Memory a span takes.
    pub(super) fn bytes_of(facts: bool) -> usize {
        size_of::<SpanView>() + if facts { size_of::<Facts>() } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_open_spans_take_no_more_than_was_measured() {
        // docs/decisions/0003: 56 bytes a span; the facts are kept of inferences only.
        assert_eq!(size_of::<SpanView>(), 56);
        assert!(size_of::<Facts>() <= 96);
    }
}
