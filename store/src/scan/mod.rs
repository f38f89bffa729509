//! From a snapshot to plans: which files a query has to open, and a plain `ParquetSource` plan
//! over them. Takes views of the log, gives DataFusion providers; it knows no SQL.

pub(crate) mod blooms;
pub(crate) mod plan;
pub(crate) mod provider;
mod prune;
pub(crate) mod rows;
