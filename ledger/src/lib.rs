//! What AI calls cost. Modules in the order in which data meets them: counts become usage, usage
//! meets the price book, and settle turns the spans of finished traces into priced calls.
//! Rules are pure; only `prices::import`, `prices::reprice` and `settle::job` read and write tables, and
//! only `prices::http` knows a wire.

pub mod usage;

pub mod prices;

pub mod settle;

pub mod limits;
