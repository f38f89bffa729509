//! Words of the column `running_sum`: whether the usage of a call contains that of the calls before it
//! below the same span. Owns their spelling; which library adds up is `normalise`'s matter, and what
//! is taken off settle's.

/// A call whose usage contains that of the calls before it below the same span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunningSum {
    /// It asks for tools, or is one: the next call contains the one before.
    GoesOn,
    /// It is the last.
    Ends,
}

impl RunningSum {
    /// The word of the column.
    pub fn word(self) -> &'static str {
        match self {
            Self::GoesOn => "goes-on",
            Self::Ends => "ends",
        }
    }

    /// What a word says; `None` for another.
    pub fn of(word: &str) -> Option<RunningSum> {
        [Self::GoesOn, Self::Ends].into_iter().find(|sum| sum.word() == word)
    }
}
