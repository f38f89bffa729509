//! Claims about the store as its callers see it, on real folders.

mod opening;
mod reading;
mod rows;
mod upkeep;
mod writing;
