//! The binary.

mod demo;

fn main() {}
