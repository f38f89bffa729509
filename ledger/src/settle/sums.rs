//! Calls that tell a running sum: their usage contains that of the calls before them below one
//! span, as long as these ask for tools. Takes traces whose other rules are applied, gives for each
//! such call the one before it, whose counts are to be taken off. What it tells stays in its row of
//! `spans`; the difference is in `calls`.

use spanledger_schemas::running_sum::RunningSum;

use super::HashMap;
use super::trace::{InTrace, Mark};
use super::twins::Told;
use super::view::RowRef;

/// The row of the call before, by place in the tree.
pub(super) fn told_before(trace: &InTrace<'_>) -> HashMap<usize, RowRef> {
    let mut sums: HashMap<(u64, u32), Vec<(usize, Told)>> = HashMap::default();
    for (i, mark) in trace.marks.iter().enumerate() {
        if *mark != Mark::Call {
            continue;
        }
        let told = trace.told(i);
        if told.facts.sum.is_some() && told.view.usage && told.view.parent != 0 {
            sums.entry((told.view.parent, told.facts.scope)).or_default().push((i, told));
        }
    }
    let mut before = HashMap::default();
    for mut calls in sums.into_values() {
        calls.sort_by_key(|(i, told)| (told.facts.start_ns, *i));
        for pair in calls.windows(2) {
            let ((_, first), (i, next)) = (pair[0], pair[1]);
            if let Some(row) = first.view.row.filter(|_| contains(&next, &first)) {
                before.insert(i, row);
            }
        }
    }
    before
}

/// Whether a call tells the usage of the one before it, too.
fn contains(next: &Told, first: &Told) -> bool {
    let at_least = |next: Option<i64>, first: Option<i64>| {
        first.is_none_or(|first| next.is_some_and(|next| next >= first))
    };
    first.facts.sum == Some(RunningSum::GoesOn)
        && first.end_ns() <= next.facts.start_ns
        && at_least(next.facts.input, first.facts.input)
        && at_least(next.facts.output, first.facts.output)
}
