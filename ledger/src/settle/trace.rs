//! Which spans of one trace are billable calls, and whose. Takes a trace's spans as small views,
//! gives its calls; the order of the spans does not matter. Pure: no clock, no columns, no I/O.
//!
//! Rules:
//! 1. Of spans with the same id the fullest counts, once.
//! 2. Only inference spans (`span_role = call`) can be calls; agents and workflows that repeat
//!    usage never are.
//! 3. An inference span with usage is a call unless an inference span below it has usage too:
//!    then it is a wrapper that repeats it. So adding a wrapper never changes spend.
//! 4. An inference span without usage is a call (it failed, or was cut) unless an inference span
//!    lies below it, or one of its ancestors is the call by rule 3: then it is part of that one.
//! 5. Team, user, session, feature and agent are those of the nearest of the span and its
//!    ancestors that names one; the span's own columns already fall back on its resource.
//!
//! A span whose parent is not there is taken for a root. Of parents that form a circle one is cut
//! off, always the same.

/// A row of a chunk of span columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RowRef {
    pub(super) chunk: u32,
    pub(super) row: u32,
}

/// How many facts of ownership are inherited: team, user, session, feature, agent.
pub(super) const OWNER_FACTS: usize = 5;

/// What settling needs to know of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SpanView {
    pub(super) span: u64,
    /// Zero for a root.
    pub(super) parent: u64,
    /// Where its columns are, for a span that can be a call or names an owner.
    pub(super) row: Option<RowRef>,
    /// An inference span.
    pub(super) inference: bool,
    /// It reports usage above zero.
    pub(super) usage: bool,
    /// Which facts of ownership it names, one bit each.
    pub(super) names: u8,
    pub(super) duration_ns: i64,
    /// Microseconds since the epoch.
    pub(super) received: i64,
}

/// A billable call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) span: u64,
    pub(super) row: RowRef,
    /// The spans that name its team, user, session, feature and agent.
    pub(super) owners: [Option<RowRef>; OWNER_FACTS],
}

/// The calls of a trace, by rising span id.
pub(super) fn settle_trace(spans: &[SpanView]) -> Vec<Call> {
    let spans = fullest(spans);
    let place = |id: u64| spans.binary_search_by_key(&id, |s| s.span).ok();
    let mut parents: Vec<Option<usize>> =
        spans.iter().enumerate().map(|(i, s)| place(s.parent).filter(|p| *p != i)).collect();
    let order = ancestors_first(&mut parents);

    // From below: whether an inference span, one with usage, lies under each span.
    let mut below = vec![Below::default(); spans.len()];
    for &i in order.iter().rev() {
        let Some(parent) = parents[i] else { continue };
        let (span, under) = (&spans[i], below[i]);
        below[parent].inference |= under.inference || span.inference;
        below[parent].usage |= under.usage || (span.inference && span.usage);
    }

    // From above: whether an ancestor is the call, and who owns it.
    let mut above = vec![Above::default(); spans.len()];
    let mut calls = Vec::new();
    for &i in &order {
        let span = &spans[i];
        let mut here = parents[i].map_or_else(Above::default, |p| above[p]);
        for (fact, owner) in here.owners.iter_mut().enumerate() {
            if span.names & 1 << fact != 0 {
                *owner = span.row;
            }
        }
        let is_call = span.inference
            && if span.usage { !below[i].usage } else { !below[i].inference && !here.within_call };
        here.within_call |= is_call && span.usage;
        above[i] = here;
        if let (true, Some(row)) = (is_call, span.row) {
            calls.push(Call { span: span.span, row, owners: here.owners });
        }
    }
    calls.sort_unstable_by_key(|c| c.span);
    calls
}

#[derive(Clone, Copy, Default)]
struct Below {
    inference: bool,
    usage: bool,
}

#[derive(Clone, Copy, Default)]
struct Above {
    within_call: bool,
    owners: [Option<RowRef>; OWNER_FACTS],
}

/// Each span once, by rising id. Of several the one with usage, then the longest, then the one
/// that names most, then the first received counts.
fn fullest(spans: &[SpanView]) -> Vec<SpanView> {
    let mut spans = spans.to_vec();
    spans.sort_unstable_by_key(|s| {
        let better = (s.usage, s.inference, s.duration_ns, s.names.count_ones(), s.names, s.parent);
        (s.span, std::cmp::Reverse(better), s.received, s.row)
    });
    spans.dedup_by_key(|s| s.span);
    spans
}

/// Places of all spans, each after its parent. Circles are opened.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEAM: u8 = 1;

    fn span(id: u64, parent: u64) -> SpanView {
        SpanView {
            span: id,
            parent,
            row: Some(RowRef { chunk: 0, row: id as u32 }),
            inference: false,
            usage: false,
            names: 0,
            duration_ns: 1,
            received: 0,
        }
    }
    fn inference(id: u64, parent: u64, usage: bool) -> SpanView {
        SpanView { inference: true, usage, ..span(id, parent) }
    }
    fn called(spans: &[SpanView]) -> Vec<u64> {
        settle_trace(spans).iter().map(|c| c.span).collect()
    }

    #[test]
    fn wrapper_that_repeats_usage_is_no_call() {
        assert_eq!(called(&[inference(1, 0, true), inference(2, 1, true)]), [2]);
        // With an agent and a tool between them.
        let spans = [span(1, 0), inference(2, 1, true), span(3, 2), inference(4, 3, true)];
        assert_eq!(called(&spans), [4]);
    }

    #[test]
    fn failed_inference_is_a_call_unless_it_is_part_of_one() {
        assert_eq!(called(&[inference(1, 0, false)]), [1]);
        // A wrapper and its only attempt, both failed: one call.
        assert_eq!(called(&[inference(1, 0, false), inference(2, 1, false)]), [2]);
        // The wrapper knows the usage, the span of the transport does not: one call.
        assert_eq!(called(&[inference(1, 0, true), inference(2, 1, false)]), [1]);
        // A retry inside a wrapper: the failed attempt and the one that worked.
        let spans = [inference(1, 0, true), inference(2, 1, false), inference(3, 1, true)];
        assert_eq!(called(&spans), [2, 3]);
    }

    #[test]
    fn nearest_owner_wins() {
        let spans = [
            SpanView { names: TEAM, ..span(1, 0) },
            SpanView { names: TEAM, ..span(2, 1) },
            inference(3, 2, true),
            inference(4, 1, true),
        ];
        let teams: Vec<_> = settle_trace(&spans).iter().map(|c| c.owners[0].unwrap().row).collect();
        assert_eq!(teams, [2, 1]);
    }

    #[test]
    fn span_seen_twice_counts_once_and_the_fuller_one() {
        let short = inference(1, 0, false);
        let long = SpanView { row: Some(RowRef { chunk: 9, row: 9 }), ..inference(1, 0, true) };
        for spans in [[short, long], [long, short]] {
            let calls = settle_trace(&spans);
            assert_eq!(calls.len(), 1);
            assert_eq!(calls[0].row, long.row.unwrap());
        }
    }

    #[test]
    fn circles_and_missing_parents_end() {
        assert_eq!(called(&[inference(1, 2, true), inference(2, 1, true)]), [1]);
        assert_eq!(called(&[inference(1, 1, true)]), [1]);
        assert_eq!(called(&[inference(1, 77, true)]), [1]);
    }

    #[test]
    fn chain_of_a_hundred_thousand_spans_is_settled() {
        let spans: Vec<_> = (1..=100_000).map(|i| inference(i, i - 1, i == 100_000)).collect();
        assert_eq!(called(&spans), [100_000]);
    }

    /// Any forest: each span's parent is an earlier one, or none.
    fn forest() -> impl Strategy<Value = Vec<SpanView>> {
        let node = (any::<prop::sample::Index>(), any::<bool>(), any::<bool>(), 0..4u8);
        prop::collection::vec(node, 1..40).prop_map(|nodes| {
            nodes
                .iter()
                .enumerate()
                .map(|(i, (parent, inference, usage, names))| SpanView {
                    inference: *inference,
                    usage: *usage,
                    names: *names,
                    ..span(i as u64 + 1, parent.index(i + 1) as u64)
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn arrival_order_and_repetition_do_not_matter(
            spans in forest(), seed in any::<u64>(), again in any::<prop::sample::Index>(),
        ) {
            let expected = settle_trace(&spans);
            let mut shuffled = spans.clone();
            shuffled.push(spans[again.index(spans.len())]);
            shuffled.sort_by_key(|s| s.span.wrapping_mul(seed | 1).rotate_left(17));
            prop_assert_eq!(settle_trace(&shuffled), expected);
        }

        #[test]
        fn adding_a_wrapper_never_changes_spend(
            spans in forest(), under in any::<prop::sample::Index>(),
        ) {
            let spending = |spans: &[SpanView]| -> Vec<u64> {
                let with_usage = |id: &u64| spans.iter().any(|s| s.span == *id && s.usage);
                called(spans).into_iter().filter(with_usage).collect()
            };
            let expected = spending(&spans);
            // Wrap a span that is, or contains, a call with usage.
            let at = under.index(spans.len());
            let wrapped_has_usage = {
                let mut inside = vec![spans[at].span];
                for s in &spans {
                    if inside.contains(&s.parent) {
                        inside.push(s.span);
                    }
                }
                spans.iter().any(|s| inside.contains(&s.span) && s.inference && s.usage)
            };
            prop_assume!(wrapped_has_usage);
            let mut wrapped = spans.clone();
            wrapped.push(inference(1_000, spans[at].parent, true));
            wrapped[at].parent = 1_000;
            prop_assert_eq!(spending(&wrapped), expected);
        }

        #[test]
        fn no_call_with_usage_lies_under_another(spans in forest()) {
            let calls: Vec<u64> = called(&spans);
            for s in spans.iter().filter(|s| calls.contains(&s.span) && s.usage) {
                let mut parent = s.parent;
                while let Some(p) = spans.iter().find(|p| p.span == parent) {
                    prop_assert!(!(calls.contains(&p.span) && p.usage), "{} under {}", s.span, p.span);
                    parent = p.parent;
                }
            }
        }
    }
}
