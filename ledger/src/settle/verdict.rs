//! What the trace says of a span that is no call of its own: a roll-up or a duplicate, of which
//! call, and by which rule. Owns the rules' names; `trace` decides by them, `writing` stores them.

/// What a span turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It repeats, or only surrounds, what calls below it say.
    Rollup(Rule),
    /// It tells of a call that another span tells better.
    Duplicate(Rule, Of),
}

/// The span that a duplicate tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Of {
    /// Place of its trace among those that are settled together.
    pub(super) trace: usize,
    pub(super) span: u64,
}

/// Why. The words are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Another span has the same response id, model and time.
    SameResponse,
    /// The span above or below has the same usage, model and time.
    SameUsage,
    /// Elsewhere a span of the same service has the same usage, model and moment, and one of the
    /// two has no response id.
    SameMoment,
    /// The same where one of them does not know the input, and the output is the same.
    SameOutput,
    /// The same where it knows no count of the answer: a stream that its library did not follow, or
    /// whose usage it guessed.
    NotFollowed,
    /// Without a length, after a span of the same library and model that tells no usage: the end of
    /// its stream.
    EndOfStream,
    /// No usage of its own, below a span that has it: a part of that call.
    PartOfCall,
    /// No usage of its own, around a single call.
    AroundCall,
    /// No usage of its own, around several calls.
    AroundCalls,
    /// Its usage is that of the calls below, or less.
    RepeatsCalls,
    /// Its usage is more than that of the calls below: the rest is told, never charged, because
    /// nothing shows that it is not a sum of another kind.
    MoreThanItsCalls,
    /// An agent with usage and no call below that has any: told, never charged, because its calls
    /// may be in traces of their own.
    UsageWithoutCall,
}

impl Rule {
    /// Its word in the table.
    pub(super) fn word(self) -> &'static str {
        match self {
            Rule::SameResponse => "same-response-id",
            Rule::SameUsage => "same-usage-nested",
            Rule::SameMoment => "same-usage-and-moment",
            Rule::SameOutput => "same-output-and-moment",
            Rule::NotFollowed => "stream-not-followed",
            Rule::EndOfStream => "end-of-stream",
            Rule::PartOfCall => "part-of-call",
            Rule::AroundCall => "around-call",
            Rule::AroundCalls => "around-calls",
            Rule::RepeatsCalls => "repeats-calls",
            Rule::MoreThanItsCalls => "more-than-its-calls",
            Rule::UsageWithoutCall => "usage-without-call",
        }
    }
}

/// Tokens that a roll-up tells beyond those of the calls below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Uncounted {
    pub(super) input: i64,
    pub(super) output: i64,
}

/// A verdict on a span, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) span: u64,
    pub(super) start_ns: i64,
    pub(super) verdict: Verdict,
    pub(super) uncounted: Uncounted,
}
