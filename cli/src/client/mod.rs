//! Commands that talk to a running server over its HTTP door.

pub mod ask;
mod http;
pub mod import;
pub mod sql;
pub mod table;
