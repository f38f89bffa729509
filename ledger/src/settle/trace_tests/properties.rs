//! What holds for any trace: order, repetition, wrappers and second libraries change no spend.

use proptest::prelude::*;

use super::*;

/// What is spent: input tokens of calls, each by the span or record that tells its usage.
fn spent(traces: &[Vec<S>]) -> i64 {
    let looked: Vec<Spans> = traces.iter().map(|t| trace(t)).collect();
    let settled = settle_together(&looked.iter().collect::<Vec<_>>());
    let told = |row: RowRef| {
        let all = traces.iter().flatten();
        all.filter(|s| s.view.row == Some(row)).find_map(|s| s.facts?.input).unwrap_or_default()
    };
    settled.iter().flat_map(|s| &s.calls).map(|c| told(c.usage)).sum()
}

/// Any forest: each span's parent is an earlier one, or none. Usages are distinct enough that two
/// calls seldom have the same, and calls have ids of their own or none.
fn forest() -> impl Strategy<Value = Vec<S>> {
    let node = (any::<prop::sample::Index>(), 0..5u8, prop::option::of(1..1_000i64), 0..4u16);
    prop::collection::vec((node, any::<bool>()), 1..40).prop_map(|nodes| {
        type Node = ((prop::sample::Index, u8, Option<i64>, u16), bool);
        let node = |(i, ((parent, kind, input, names), id)): (usize, &Node)| {
            let (span_id, parent): (u64, prop::sample::Index) = (i as u64 + 1, *parent);
            let parent = parent.index(i + 1) as u64;
            let s = match kind {
                0 => span(span_id, parent),
                1 => agent(span_id, parent, input.unwrap_or(1)),
                2 => {
                    let mut tool = span(span_id, parent);
                    tool.view.role = Role::Tool;
                    tool
                }
                _ => inference(span_id, parent, *input),
            };
            let response = if *id { span_id + 100 } else { 0 };
            s.names(*names).response(response).library(1)
        };
        nodes.iter().enumerate().map(node).collect()
    })
}

fn shuffled(spans: &[S], seed: u64) -> Vec<S> {
    let mut spans = spans.to_vec();
    spans.sort_by_key(|s| s.view.span.wrapping_mul(seed | 1).rotate_left(17));
    spans
}

proptest! {
    #[test]
    fn arrival_order_and_repetition_do_not_matter(
        spans in forest(), seed in any::<u64>(), again in any::<prop::sample::Index>(),
    ) {
        let mut twice = spans.clone();
        twice.push(spans[again.index(spans.len())]);
        prop_assert_eq!(settle(&shuffled(&twice, seed)), settle(&spans));
    }

    #[test]
    fn adding_a_wrapper_never_changes_spend(
        spans in forest(), under in any::<prop::sample::Index>(), input in 1..2_000i64,
        is_agent in any::<bool>(), library in 1..3u32,
    ) {
        let at = under.index(spans.len());
        // Around something that tells usage; else there is nothing that it could repeat.
        let mut inside = vec![spans[at].view.span];
        for s in &spans {
            if inside.contains(&s.view.parent) {
                inside.push(s.view.span);
            }
        }
        let tells = |s: &S| s.view.role == Role::Inference && s.view.usage;
        prop_assume!(spans.iter().any(|s| inside.contains(&s.view.span) && tells(s)));
        let mut wrapped = spans.clone();
        let parent = spans[at].view.parent;
        let wrapper = if is_agent { agent(1_000, parent, input) } else { inference(1_000, parent, input) };
        wrapped.push(wrapper.library(library));
        wrapped[at].view.parent = 1_000;
        prop_assert_eq!(spent(&[wrapped]), spent(&[spans]));
    }

    #[test]
    fn a_second_library_never_changes_spend(
        spans in forest(), of in any::<prop::sample::Index>(), leaves in 0..9u8,
        place in 0..4u8, seed in any::<u64>(),
    ) {
        let of = of.index(spans.len());
        let it = spans[of];
        prop_assume!(it.view.role == Role::Inference);
        let spans: Vec<S> = spans.iter().map(|s| {
            if s.view.span == it.view.span { s.response(7) } else { *s }
        }).collect();
        let mut second = inference(1_000, 0, it.facts.and_then(|f| f.input));
        second = second.response(7).library(2).leaves(leaves);
        let mut all = spans.clone();
        let mut traces = vec![spans.clone()];
        match place {
            // Around it, in it, in another trace, or a record written in it.
            0 => {
                second.view.parent = it.view.parent;
                all[of].view.parent = 1_000;
                all.push(second);
                traces = vec![all];
            }
            1 => {
                for s in all.iter_mut().filter(|s| s.view.parent == it.view.span) {
                    s.view.parent = 1_000;
                }
                second.view.parent = it.view.span;
                all.push(second);
                traces = vec![all];
            }
            2 => {
                // A roll-up is no call, so what repeats its id in another trace is no twin of one.
                prop_assume!(settle(&spans).calls.iter().any(|c| c.span == it.view.span));
                traces.push(vec![second]);
            }
            _ => {
                prop_assume!(settle(&spans).calls.iter().any(|c| c.span == it.view.span));
                second.view.parent = it.view.span;
                all.push(second.with(|f| f.record = true));
                traces = vec![all];
            }
        }
        let traces: Vec<Vec<S>> = traces.iter().map(|t| shuffled(t, seed)).collect();
        prop_assert_eq!(spent(&traces), spent(&[spans]));
    }

    #[test]
    fn no_call_with_usage_lies_under_another(spans in forest()) {
        let calls: Vec<u64> = called(&spans);
        let told = |s: &&S| calls.contains(&s.view.span) && s.view.usage;
        for s in spans.iter().filter(told) {
            let mut parent = s.view.parent;
            while let Some(p) = spans.iter().find(|p| p.view.span == parent) {
                prop_assert!(!told(&p), "{} under {}", s.view.span, p.view.span);
                parent = p.view.parent;
            }
        }
    }
}
