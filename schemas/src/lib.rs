//! What the other rooms agree on: tables and their columns, identifiers, exact money, names of
//! OpenTelemetry attributes and of metrics of usage, marks of usage, how an HTTP door says an error. A leaf: no I/O,
//! and it knows no other room.

pub mod ids;
pub mod money;
pub mod problem;
pub mod running_sum;
pub mod semconv;
pub mod table;
pub mod tables;
pub mod time;
pub mod usage_marks;
pub mod usage_metrics;

pub use money::Money;
pub use problem::Problem;
pub use table::{Column, Kind, Table};
