//! Tests of the whole product: the house's own rules, and the running binary.

mod dashboards;
mod tidy;
