//! Commands that talk to a running server over its HTTP door; some work on a data folder too.

pub mod ask;
pub mod doctor;
pub mod explain;
pub mod http;
pub mod import;
pub mod out;
pub mod prices;
pub mod sql;
pub mod table;
