//! Questions: a name and parameters in, SQL over `calls` and an answer with its coverage out.
//! Each stands in one file; adding one means adding a file and a line in [`ALL`]. Their SQL is
//! plain, shown with each answer, and the same through every door.

pub mod answer;
pub mod beside;
pub mod commitments;
pub mod counters;
pub mod drift;
pub mod expand;
pub mod latency;
pub mod params;
pub mod spend;
pub(crate) mod time;
pub mod unmapped;
pub mod what_if;

pub use answer::{Answer, Coverage};
pub use beside::PeriodPrice;
pub use params::AskParams;

use crate::error::QueryError;
use params::Ask;

/// One question of the catalogue.
pub struct Question {
    /// Name, at every door.
    pub name: &'static str,
    /// What it answers.
    pub about: &'static str,
    /// What its figures mean: definitions and their sources.
    pub notes: &'static [&'static str],
    /// Columns of its answer after the grouping ones, with their units.
    pub columns: &'static [(&'static str, &'static str)],
    /// Columns it is grouped by when nothing is said.
    pub by: &'static [&'static str],
    /// Whether it can be cut into steps of time.
    pub grain: bool,
    /// Whether it is about whole contracts: it has neither groups nor filters, and begins with a month.
    pub whole: bool,
    /// Its SQL.
    sql: fn(&Ask) -> Result<String, QueryError>,
}

/// The catalogue.
pub static ALL: [&Question; 7] = [
    &spend::QUESTION,
    &latency::QUESTION,
    &drift::QUESTION,
    &what_if::QUESTION,
    &unmapped::QUESTION,
    &commitments::QUESTION,
    &counters::QUESTION,
];

/// The question of that name.
///
/// # Errors
/// [`QueryError::UnknownQuestion`].
pub fn find(name: &str) -> Result<&'static Question, QueryError> {
    let question = ALL.into_iter().find(|q| q.name == name);
    question.ok_or_else(|| QueryError::UnknownQuestion(name.to_owned()))
}

impl Question {
    /// The question as SQL, its parameters resolved at `now`.
    ///
    /// # Errors
    /// When a parameter has no usable value.
    pub fn sql(
        &'static self,
        params: &AskParams,
        now: jiff::Timestamp,
    ) -> Result<String, QueryError> {
        (self.sql)(&self.resolve(params, now)?)
    }

    pub(crate) fn resolve(
        &'static self,
        params: &AskParams,
        now: jiff::Timestamp,
    ) -> Result<Ask, QueryError> {
        Ask::resolve(self, params, now)
    }

    pub(crate) fn sql_of(&self, ask: &Ask) -> Result<String, QueryError> {
        (self.sql)(ask)
    }

    /// Whether it sums what calls cost: then it has to say what they do not.
    pub(crate) fn sums_costs(&self) -> bool {
        self.columns.iter().any(|(name, _)| *name == "cost")
    }

    /// Unit of a column of its answer.
    pub(crate) fn unit(&self, column: &str) -> Option<&'static str> {
        let unit = self.columns.iter().find(|(name, _)| *name == column).map(|(_, unit)| *unit);
        unit.filter(|unit| !unit.is_empty())
    }
}
