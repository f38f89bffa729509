//! Tests of the whole product: the house's own rules, and the running binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers of tests fail the test, and say why"
)]

mod binary;
mod contents;
mod counters;
mod crash;
mod dashboards;
mod explain;
mod pipes;
mod prices;
mod suites;
mod tidy;
