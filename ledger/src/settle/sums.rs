//! Calls that tell a running sum: their usage contains that of the calls before them below one
//! span, as long as these ask for tools, or tools are called in between. Takes traces whose other
//! rules are applied, gives for each such call the one before it, whose counts are to be taken off.
//! What it tells stays in its row of `spans`; the difference is in `calls`.

use spanledger_schemas::running_sum::RunningSum;

use super::HashMap;
use super::trace::{InTrace, Mark};
use super::twins::Told;
use super::view::RowRef;

/// The row of the call before, by place in the tree.
pub(super) fn told_before(trace: &InTrace<'_>) -> HashMap<usize, RowRef> {
    let mut sums: HashMap<(u64, u32), Below> = HashMap::default();
    for (i, mark) in trace.marks.iter().enumerate() {
        let told = trace.told(i);
        if told.facts.sum.is_none() || told.view.parent == 0 {
            continue;
        }
        let below = sums.entry((told.view.parent, told.facts.scope)).or_default();
        match mark {
            Mark::Call if told.view.usage => below.calls.push((i, told)),
            Mark::Other => below.tools.push(told),
            _ => {}
        }
    }
    let mut before = HashMap::default();
    for Below { mut calls, mut tools } in sums.into_values() {
        calls.sort_by_key(|(i, told)| (told.facts.start_ns, *i));
        tools.sort_by_key(|told| told.facts.start_ns);
        for pair in calls.windows(2) {
            let ((_, first), (i, next)) = (pair[0], pair[1]);
            let goes_on = first.facts.sum == Some(RunningSum::GoesOn)
                || one_between(&tools, first.end_ns(), next.facts.start_ns);
            if let Some(row) = first.view.row.filter(|_| goes_on && contains(&next, &first)) {
                before.insert(i, row);
            }
        }
    }
    before
}

/// What one library tells below one span.
#[derive(Default)]
struct Below {
    /// By place in the tree.
    calls: Vec<(usize, Told)>,
    tools: Vec<Told>,
}

/// Whether one of these tools, by rising start, was called and done between two instants.
fn one_between(tools: &[Told], from_ns: i64, to_ns: i64) -> bool {
    let first = tools.partition_point(|tool| tool.facts.start_ns < from_ns);
    tools.get(first).is_some_and(|tool| tool.end_ns() <= to_ns)
}

/// Whether a call may tell the usage of the one before it, too.
fn contains(next: &Told, first: &Told) -> bool {
    let at_least = |next: Option<i64>, first: Option<i64>| {
        first.is_none_or(|first| next.is_some_and(|next| next >= first))
    };
    first.end_ns() <= next.facts.start_ns
        && at_least(next.facts.input, first.facts.input)
        && at_least(next.facts.output, first.facts.output)
}
