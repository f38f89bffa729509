//! What is to be written: the rows of a table that traces shall have, against those they have.
//! Takes both, gives the rows to add and the traces whose rows are outdated. Pure.

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
    /// Compares the rows of traces with what each has in `before`. `owners` says of each row which
    /// of the traces it belongs to.
    pub(super) fn against(
        table: &'static Table,
        rows: RecordBatch,
        owners: &[usize],
        traces: &[TraceKey],
        before: Vec<Vec<Written>>,
    ) -> Result<Decided, SettleError> {
        let contents = contents(table, &rows)?;
        let mut after: Vec<Vec<Written>> = vec![Vec::new(); traces.len()];
        for (owner, written) in owners.iter().zip(&contents) {
            after[*owner].push(*written);
        }
        let mut decided = Decided {
            table,
            rows,
            traces: Vec::new(),
            outdated: HashSet::default(),
            outdated_dates: HashSet::default(),
            outdated_rows: 0,
        };
        let mut known: HashMap<usize, HashSet<u64>> = HashMap::default();
        // Most are new and have none.
        for (at, was) in before.iter().enumerate().filter(|(_, was)| !was.is_empty()) {
            let right: HashSet<u64> = after[at].iter().map(|w| w.content).collect();
            if was.iter().all(|w| right.contains(&w.content)) {
                known.insert(at, was.iter().map(|w| w.content).collect());
            } else {
                decided.outdated.insert(traces[at]);
                decided.outdated_dates.extend(was.iter().map(|w| w.date));
                decided.outdated_rows += was.len();
            }
        }
        decided.traces = traces.iter().copied().zip(after).collect();
        if !known.is_empty() {
            let is_new = |(owner, written): (&usize, &Written)| {
                !known.get(owner).is_some_and(|k| k.contains(&written.content))
            };
            let new: BooleanArray =
                owners.iter().zip(&contents).map(|row| Some(is_new(row))).collect();
            decided.rows = filter_record_batch(&decided.rows, &new)?;
        }
        Ok(decided)
    }

    /// Whether all that is to be written is there already.
    pub(super) fn nothing_to_do(&self) -> bool {
        self.rows.num_rows() == 0 && self.outdated.is_empty()
    }
}
