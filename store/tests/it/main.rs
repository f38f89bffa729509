//! Claims about the store as its callers see it, on real folders.

mod reading;
mod rows;
mod writing;
