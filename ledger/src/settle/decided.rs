//! What is to be written: the rows of a table that traces shall have, against those they have.
//! Takes both, gives the rows to add and the traces whose rows are outdated. Pure.

use ahash::RandomState;
use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use spanledger_schemas::Table;

use super::SettleError;
use super::content::contents;
use super::open::{TraceKey, Written};
use super::{HashMap, HashSet};

/// The rows of a table that traces shall have, against those they have.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) table: &'static Table,
    /// Rows to write.
    pub(super) rows: RecordBatch,
    /// What each trace will have then.
    pub(super) traces: Vec<(TraceKey, Vec<Written>)>,
    /// Traces that have rows which are no longer right: all their rows are written anew.
    pub(super) outdated: HashSet<TraceKey>,
    /// The days they are on.
    pub(super) outdated_dates: HashSet<i32>,
    /// How many they are.
    pub(super) outdated_rows: usize,
}

impl Decided {
    /// Compares the rows of all `due` traces, each row with its trace in `owners`, with `before`.
    pub(super) fn against(
        table: &'static Table,
        rows: RecordBatch,
        owners: &[TraceKey],
        due: &[TraceKey],
        mut before: HashMap<TraceKey, Vec<Written>>,
    ) -> Result<Decided, SettleError> {
        let mut after: HashMap<TraceKey, Vec<Written>> =
            HashMap::with_capacity_and_hasher(due.len(), RandomState::default());
        let contents = contents(table, &rows)?;
        for (key, written) in owners.iter().zip(&contents) {
            after.entry(*key).or_default().push(*written);
        }
        let mut decided = Decided {
            table,
            rows,
            traces: Vec::with_capacity(due.len()),
            outdated: HashSet::default(),
            outdated_dates: HashSet::default(),
            outdated_rows: 0,
        };
        let mut known: HashMap<TraceKey, HashSet<u64>> = HashMap::default();
        for key in due {
            let was = before.remove(key).unwrap_or_default();
            let will = after.remove(key).unwrap_or_default();
            // Most are new and have none.
            if !was.is_empty() {
                let right: HashSet<u64> = will.iter().map(|w| w.content).collect();
                if was.iter().all(|w| right.contains(&w.content)) {
                    known.insert(*key, was.iter().map(|w| w.content).collect());
                } else {
                    decided.outdated.insert(*key);
                    decided.outdated_dates.extend(was.iter().map(|w| w.date));
                    decided.outdated_rows += was.len();
                }
            }
            decided.traces.push((*key, will));
        }
        let is_new = |(key, written): (&TraceKey, &Written)| {
            !known.get(key).is_some_and(|k| k.contains(&written.content))
        };
        let new: BooleanArray = owners.iter().zip(&contents).map(|p| Some(is_new(p))).collect();
        decided.rows = filter_record_batch(&decided.rows, &new)?;
        Ok(decided)
    }

    /// Whether all that is to be written is there already.
    pub(super) fn nothing_to_do(&self) -> bool {
        self.rows.num_rows() == 0 && self.outdated.is_empty()
    }
}
