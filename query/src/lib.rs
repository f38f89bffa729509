//! The way out: the only room that plans and runs SQL. Takes snapshots of the store, gives answers
//! over HTTP, over the PostgreSQL wire and to the command line. It writes nothing: every statement
//! passes an allow-list of reading ones, at every door.
//!
//! The modules stand in the order in which a question meets them: a door of [`serve`] hands the
//! text to the [`service`], which opens a [`session`] on one snapshot (I-12), lets [`questions`]
//! expand what it knows, has [`execute`] run the plan inside its [`limits`], and [`render`]
//! writes what comes out. [`explain`] and [`doctor`] ask several things of one snapshot.

pub mod serve;
pub mod service;
pub mod settings;

pub mod session;

pub mod questions;

pub mod explain;

pub mod doctor;

pub mod execute;

pub mod render;

pub mod error;
pub mod limits;

pub use error::QueryError;
pub use questions::{Answer, AskParams};
pub use service::{Caller, QueryService};
pub use settings::QuerySettings;
