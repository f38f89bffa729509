//! The price book. Modules in the order of its life: clauses and rows, the bundled books they
//! are read from, the import into table `prices`, the book itself, how a call finds its model,
//! what the call costs, and the two fronts for many calls: Arrow columns and JSON lines.

mod clause;

mod row;

mod genai;

mod bundled;

mod import;

mod book;

mod providers;

mod quote;

mod pricer;

pub(crate) mod columns;

mod jsonl;

#[cfg(test)]
mod golden;

#[cfg(test)]
mod hard_cases;

pub use book::{CallFacts, PriceBook};
pub use bundled::{BOOKS, BundledBook};
pub use clause::{Clause, ClauseError};
pub use columns::{PricedColumns, price_columns, usage_at};
pub use import::{ImportOutcome, import_bundled, load};
pub use jsonl::quote_jsonl;
pub use pricer::Pricer;
pub use quote::{Line, PriceState, Quote, itemise};
pub use row::{Micros, PriceRow};

/// Owner of prices that hold for everybody.
pub const SHARED_TENANT: &str = "*";

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
