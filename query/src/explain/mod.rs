//! Explain: how one figure came about, from the attributes a library sent to the price row, with
//! the name of each rule. Takes the id of a span, a call or a billing line, gives an
//! [`Explanation`] read from one snapshot (I-7, I-12). It decides nothing: it shows what normalise
//! and settle decided, as the tables have it, and says where they do not tell.
//!
//! The modules stand in the order of the way: an [`id`] is read, `read` fetches rows, `span` and
//! `line` make the steps, `verdict`, `owner` and `price` one step each, `text` writes for a
//! terminal.

pub mod id;

mod read;

mod span;

mod verdict;

mod owner;

mod price;

mod line;

mod text;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub use id::Subject;

use crate::error::QueryError;
use crate::questions::answer::milliseconds;
use crate::service::{Caller, QueryService};
use id::Id;
pub(crate) use read::Reader;

/// How a figure came about.
#[derive(Debug)]
pub struct Explanation {
    /// What is explained.
    pub subject: Subject,
    /// Its id in full.
    pub id: String,
    /// What it is, in a line.
    pub title: String,
    /// The way, step by step.
    pub steps: Vec<Step>,
    /// What is not known, and why.
    pub unknown: Vec<Unknown>,
}

/// One step of the way.
#[derive(Debug, Default)]
pub struct Step {
    /// Its name: received, dialect, columns, usage, trace, owner, price.
    pub name: &'static str,
    /// What happened, in a sentence.
    pub says: String,
    /// The rule that decided, by its name.
    pub rule: Option<String>,
    /// Single values.
    pub facts: Vec<Fact>,
    /// Rows, where the step has several alike.
    pub columns: Vec<&'static str>,
    /// The rows, in the order of `columns`.
    pub rows: Vec<Vec<Value>>,
}

/// One value and where it came from.
#[derive(Debug)]
pub struct Fact {
    /// Column or attribute.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// What filled it.
    pub from: Option<String>,
}

/// Something that is not known.
#[derive(Debug, PartialEq, Eq)]
pub struct Unknown {
    /// What.
    pub what: &'static str,
    /// Why.
    pub why: String,
    /// What would tell it.
    pub mend: Option<String>,
}

/// An answer: one explanation, or the things that the id may mean.
#[derive(Debug)]
pub struct Answer {
    /// What was found.
    pub found: Found,
    /// Versions of the tables it was read from.
    pub tables: BTreeMap<&'static str, i64>,
    /// Calls that started before this instant are settled; null when that is not known.
    pub settled_until: Option<String>,
    elapsed: std::time::Duration,
}

/// What an id led to.
#[derive(Debug)]
pub enum Found {
    /// One thing.
    One(Box<Explanation>),
    /// Several, to choose from.
    Several {
        /// Their ids, and what tells them apart.
        matches: Vec<Map<String, Value>>,
        /// Whether there are more than are listed.
        more: bool,
    },
}

impl QueryService {
    /// Explains a span, a call or a billing line.
    ///
    /// # Errors
    /// When the id has no usable form, nothing has it, or the tables cannot be read.
    pub async fn explain(
        &self,
        caller: &Caller,
        subject: Subject,
        id: &str,
    ) -> Result<Answer, QueryError> {
        let id = Id::parse(subject, id)?;
        let settled_until = (self.inner.settled_until)()
            .and_then(|us| jiff::Timestamp::from_microsecond(us).ok())
            .map(|at| at.to_string());
        let reader = Reader::new(self.pin(caller).await?);
        let found = match &id {
            Id::Span { .. } => span::explain(&reader, subject, &id, settled_until.as_deref()).await,
            Id::Line { import, number } => line::explain(&reader, import, *number).await,
        };
        let (tables, elapsed, found) = reader.end(found)?;
        Ok(Answer { found, tables, settled_until, elapsed })
    }
}

impl Step {
    fn new(name: &'static str, says: impl Into<String>) -> Self {
        Self { name, says: says.into(), ..Self::default() }
    }

    fn fact(&mut self, name: impl Into<String>, value: Value, from: Option<String>) {
        self.facts.push(Fact { name: name.into(), value, from });
    }

    fn to_json(&self) -> Value {
        let fact = |f: &Fact| json!({"name": f.name, "value": f.value, "from": f.from});
        let row = |row: &Vec<Value>| {
            let cells = self.columns.iter().zip(row);
            Value::Object(cells.map(|(name, cell)| ((*name).to_owned(), cell.clone())).collect())
        };
        json!({
            "step": self.name,
            "says": self.says,
            "rule": self.rule,
            "facts": self.facts.iter().map(fact).collect::<Vec<_>>(),
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
        })
    }
}

impl Answer {
    /// The answer as one JSON object.
    pub fn to_json(&self) -> Value {
        let mut body = match &self.found {
            Found::One(one) => {
                let unknown = |u: &Unknown| json!({"what": u.what, "why": u.why, "mend": u.mend});
                json!({
                    "subject": one.subject.word(),
                    "id": one.id,
                    "title": one.title,
                    "steps": one.steps.iter().map(Step::to_json).collect::<Vec<_>>(),
                    "unknown": one.unknown.iter().map(unknown).collect::<Vec<_>>(),
                })
            }
            Found::Several { matches, more } => json!({"matches": matches, "more": more}),
        };
        if let Some(body) = body.as_object_mut() {
            body.insert("tables".to_owned(), json!(self.tables));
            body.insert("settled_until".to_owned(), json!(self.settled_until));
            body.insert("elapsed_ms".to_owned(), milliseconds(self.elapsed));
        }
        body
    }
}
