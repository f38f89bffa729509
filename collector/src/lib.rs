//! The way in: OTLP, Prometheus and bills, made durable, normalised, and committed to tables.
//! Modules stand in the order in which data meets them; `collector` puts them together.

pub mod collector;

pub mod scrape;

pub mod receive;

pub mod intake;

pub mod decode;

pub mod dedup;

pub mod wal;

pub mod normalise;

pub mod redact;

pub mod buffer;

pub mod flush;

pub mod billing;

mod budget;
pub mod fault;
pub mod frame;
pub mod human;
pub mod limits;
pub mod refusal;
pub mod settings;

pub use collector::{Check, Collector, CollectorError};
pub use intake::Ack;
pub use refusal::Refusal;
pub use settings::CollectorSettings;
