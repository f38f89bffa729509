//! The doors. Each module knows one protocol: it reads what comes, asks the service, and writes
//! what the service gives. No query is planned here.

pub mod http;
pub mod openapi;
pub mod pg;
