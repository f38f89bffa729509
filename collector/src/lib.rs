//! The way in: OTLP, Prometheus and bills, made durable, normalised, and committed to tables.
//! Modules stand in the order in which data meets them.

pub mod billing;
pub mod frame;
