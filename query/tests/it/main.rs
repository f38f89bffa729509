//! The way out as its clients see it: real Delta folders, the real doors, real clients.

mod allow_list;
mod fixture;
mod http;
mod limits;
mod pg;
mod plans;
mod questions;
mod slt;
