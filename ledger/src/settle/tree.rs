//! The spans of a trace as a forest: each once, each after its parent. Takes views, gives their
//! order; it does not know what a call is. A span whose parent is not there is taken for a root;
//! of parents that form a circle one is cut off, always the same.

use super::view::{NO_FACTS, SpanView, Spans};
use crate::limits::ANCESTORS_OVER_MAX;

/// Spans by rising id, with what each is a part of, and an order.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) spans: Vec<SpanView>,
    /// Places of what each span is a part of: its parent, but for an inference or sum below one
    /// that was over before it began. Some libraries leave their context behind, and hang each
    /// call below the one before.
    pub(super) within: Vec<Option<usize>>,
    /// Places of all spans, each after its parent.
    pub(super) order: Vec<usize>,
}

impl Tree {
    pub(super) fn of(trace: &Spans) -> Tree {
        let spans = fullest(trace);
        let place = |id: u64| spans.binary_search_by_key(&id, |s| s.span).ok();
        let mut parents: Vec<Option<usize>> =
            spans.iter().enumerate().map(|(i, s)| place(s.parent).filter(|p| *p != i)).collect();
        let order = ancestors_first(&mut parents);
        let within = within(trace, &spans, &parents, &order);
        Tree { spans, within, order }
    }
}

/// For each span what it is a part of.
fn within(
    trace: &Spans,
    spans: &[SpanView],
    parents: &[Option<usize>],
    order: &[usize],
) -> Vec<Option<usize>> {
    // Only these have a known beginning, and only they tell usage.
    let tells = |i: usize| spans[i].facts != NO_FACTS;
    let start_ns = |i: usize| trace.facts(&spans[i]).start_ns;
    let end_ns = |i: usize| start_ns(i).saturating_add(spans[i].duration_ns.max(0));
    let mut within = parents.to_vec();
    // The nearest of them that each span is a part of.
    let mut near: Vec<Option<usize>> = vec![None; spans.len()];
    for &i in order {
        let above = parents[i].and_then(|p| if tells(p) { Some(p) } else { near[p] });
        let mut at = above;
        if tells(i) {
            // What one that is over was itself no part of was over before that. The clocks of two
            // services may differ by more than that.
            let service = |i: usize| trace.facts(&spans[i]).service;
            let over = |a: &usize| service(*a) == service(i) && end_ns(*a) < start_ns(i);
            let mut passed = 0;
            while let Some(over) = at.filter(over).filter(|_| passed < ANCESTORS_OVER_MAX) {
                at = near[over];
                passed += 1;
            }
            if at != above {
                within[i] = at;
            }
        }
        near[i] = at;
    }
    within
}

/// Each span once, by rising id. Of several the one with usage, then the one that tells most of
/// it, then the longest, then the one that names most, then the first received counts.
fn fullest(trace: &Spans) -> Vec<SpanView> {
    let mut spans = trace.views.clone();
    spans.sort_unstable_by_key(|s| {
        let leaves = trace.facts(s).leaves;
        let named = (s.names.count_ones(), s.names, s.resource_names);
        let better = (s.usage, s.role, leaves, s.duration_ns, named, s.parent);
        (s.span, std::cmp::Reverse(better), s.received, s.row)
    });
    spans.dedup_by_key(|s| s.span);
    spans
}

fn ancestors_first(parents: &mut [Option<usize>]) -> Vec<usize> {
    let mut order = Vec::with_capacity(parents.len());
    // In which walk each was met; walks count from one.
    let mut met = vec![0usize; parents.len()];
    let mut path = Vec::new();
    for start in 0..parents.len() {
        let walk = start + 1;
        let mut at = Some(start);
        while let Some(i) = at.filter(|i| met[*i] == 0) {
            met[i] = walk;
            path.push(i);
            at = parents[i];
        }
        if let (Some(end), Some(&last)) = (at, path.last())
            && met[end] == walk
        {
            parents[last] = None;
        }
        order.extend(path.drain(..).rev());
    }
    order
}
