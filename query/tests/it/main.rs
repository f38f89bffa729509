//! The way out as its clients see it: real Delta folders, the real doors, real clients.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers of tests fail the test, and say why"
)]

mod allow_list;
mod commitments;
mod counters;
mod doctor;
mod explain;
mod fixture;
mod http;
mod increases;
mod limits;
mod pg;
mod pg_parts;
mod pg_values;
mod plans;
mod prices;
mod questions;
mod slt;
mod spill;
mod verdicts;
