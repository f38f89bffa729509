//! The way in: OTLP, Prometheus and bills, made durable, normalised, and committed to tables.
//! Modules stand in the order in which data meets them.

pub mod scrape;

pub mod dedup;
pub mod wal;

pub mod billing;

pub mod fault;
pub mod frame;
pub mod human;
pub mod limits;
