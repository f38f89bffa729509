//! Claims about the store as its callers see it, on real folders.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail the test")]

mod opening;
mod reading;
mod rows;
mod upkeep;
mod writing;
