//! Commands that talk to a running server over its HTTP door.

pub mod ask;
pub mod doctor;
pub mod explain;
pub mod http;
pub mod import;
pub mod sql;
pub mod table;
