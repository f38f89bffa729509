//! Tests of the way in, against its public face.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers of tests fail the test, and say why"
)]

mod grpc;
mod harness;
mod http;
mod recovery;
mod wal;
