//! The price book. Modules in the order of its life: clauses and rows, the books and contracts they
//! are read from, with providers of the users' own, how belief changes, the import into table
//! `prices`, the book itself, how a call finds its model, what a quantity and what the call costs, what is worked out
//! once for all calls alike, and the two fronts for many calls: Arrow columns and JSON lines. Then
//! what is asked of it: whether another book agrees, what is near a name it lacks, what settled
//! calls would cost now, what contracts came to; and the door through which all of it is written.

mod clause;

mod row;

mod genai;

mod entries;

mod contract;

mod own_providers;

mod history;

mod bundled;

mod findings;

mod import;

mod models;

mod book;

mod providers;

mod matching;

mod itemise;

mod quote;

mod counts;

mod split;

mod listed;

mod shapes;

mod pricer;

mod allowance;

mod groups;

mod answers;

pub(crate) mod columns;

mod jsonl;

mod litellm;

mod check;

mod nearest;

mod reprice;

mod periods;

pub mod http;

#[cfg(test)]
mod golden;

#[cfg(test)]
mod hard_cases;

#[cfg(test)]
mod own_cases;

#[cfg(test)]
mod counted_cases;

#[cfg(test)]
mod properties;

#[cfg(test)]
mod batches;

pub use allowance::Allowances;
pub use answers::PricedColumns;
pub use book::{CallFacts, PriceBook};
pub use bundled::{BOOKS, BundledBook};
pub use check::{Difference, Standing, Used, check};
pub use clause::{Clause, ClauseError};
pub use columns::{deciding_columns, price_columns, usage_at};
pub use contract::{Contract, Form};
pub use findings::{Finding, findings};
pub use import::{
    FileKind, ImportOutcome, ImportReport, PriceFile, import_bundled, import_file, load, rows,
};
pub use itemise::itemise;
pub use jsonl::{quote_jsonl, quote_jsonl_in_order};
pub use litellm::{LiteLlmPrice, read as read_litellm};
pub use nearest::nearest;
pub use periods::{
    ContractBooks, PeriodRow, Periods, month_start, period_columns, period_fields, period_price,
    periods_batch,
};
pub use pricer::{Pricer, UnitRows};
pub use quote::{LACKS_USAGE, Line, PriceState, Quote};
pub use reprice::{Reprice, Repriced, RepricedModel, reprice};
pub use row::{Kind, Micros, PriceRow};

/// Owner of prices that hold for everybody.
pub const SHARED_TENANT: &str = "*";

/// Whose prices are meant where nothing is said: the tenant of a server without credentials.
pub const DEFAULT_TENANT: &str = "default";

/// Stands for a calendar month in UTC where a period is given in seconds: months differ in length.
pub(crate) const MONTH: i64 = 0;

/// First word of the source of the user's own prices.
pub(crate) const CONTRACT: &str = "contract";

/// A draft of a contract: the text of a `prices.toml`, or of the CSV that is taken for one.
///
/// # Errors
/// As a contract that is imported.
pub fn read_draft(text: &str, tenant: &str) -> Result<Contract, PriceError> {
    contract::read(text.as_bytes(), Form::of(text), tenant, "draft", Micros::MIN)
}

/// Why prices could not be read, written or applied.
#[derive(Debug, thiserror::Error)]
pub enum PriceError {
    /// A book is not what we expect of it.
    #[error("price book, {place}: {reason}")]
    Book {
        /// Provider, model and price key, or the book.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// A match clause cannot be used.
    #[error("price book, {place}: {source}")]
    Clause {
        /// Provider and model.
        place: String,
        /// What is wrong with it.
        source: ClauseError,
    },
    /// An amount cannot be read exactly.
    #[error("price book, {place}: {source}")]
    Amount {
        /// Provider, model and price key.
        place: String,
        /// What is wrong with it.
        source: spanledger_schemas::money::MoneyError,
    },
    /// Table `prices` has a unit this version does not know.
    #[error("price of `{model}`: unit `{unit}` is unknown, expected a unit of the price table")]
    UnknownUnit {
        /// The unit.
        unit: String,
        /// The model.
        model: String,
    },
    /// A batch lacks a column, or has it in another type.
    #[error("column `{column}` is missing or of an unexpected type")]
    Column {
        /// Its name.
        column: String,
    },
    /// Others change the same files all the time.
    #[error("table {table}: {attempts} attempts lost against other writers")]
    Contended {
        /// The table that was to be written.
        table: &'static str,
        /// How often it was tried.
        attempts: u32,
    },
    /// Prices changed while calls were priced again.
    #[error(
        "pricing calls again: prices changed meanwhile; {written} calls have those believed before, \
         the others were left as they were"
    )]
    Moved {
        /// Calls that were written by then.
        written: usize,
    },
    /// A line of a quote request is not one.
    #[error("quote request: {reason}")]
    Request {
        /// What is wrong.
        reason: String,
    },
    /// Arrow refuses the columns.
    #[error("price columns: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// Reading table `prices` failed.
    #[error("reading table prices: {0}")]
    Read(#[from] datafusion::error::DataFusionError),
    /// The store refuses.
    #[error("table prices: {0}")]
    Store(#[from] spanledger_store::StoreError),
}
