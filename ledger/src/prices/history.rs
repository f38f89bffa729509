//! How what we believe changes: a newer book, a contract stated anew, one price set by hand. Takes
//! the rows so far and what is learned, gives the rows after. Nothing is deleted: what is no longer
//! believed gets an end of its known time, so that every earlier belief can be read back (I-8). It
//! reads no files and no tables.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use spanledger_schemas::Money;

use super::bundled::Reseller;
use super::clause::Clause;
use super::genai::price_decimals;
use super::providers::standard_tier;
use super::row::{Kind, Micros, PriceRow};
use crate::usage::Unit;

/// Priority of prices of models that a newer book no longer lists: below every listed one.
pub(super) const RETIRED_PRIORITY: i64 = 1_000;

/// Adds a newer book to the rows of older ones. A price that it repeats keeps its first date; one
/// that it changed or dropped, or finds or orders in another way, ends at the newer date; the prices
/// of a model that it no longer lists stay believed, because calls of its time still need them, but
/// lose against every model that it does list.
pub(super) fn learn(
    older: Vec<PriceRow>,
    newer: Vec<PriceRow>,
    known_from: Micros,
) -> Vec<PriceRow> {
    let listed: HashSet<(Arc<str>, Arc<str>)> =
        newer.iter().map(|r| (Arc::clone(&r.provider), Arc::clone(&r.model_name))).collect();
    let mut news: HashMap<String, PriceRow> = HashMap::with_capacity(newer.len());
    let mut order = Vec::with_capacity(newer.len());
    for row in newer {
        let id = row.id();
        order.push(id.clone());
        news.entry(id).or_insert(row);
    }
    let mut history = Vec::with_capacity(older.len() + order.len());
    let mut retired = Vec::new();
    for mut row in older {
        if row.known_to.is_none() {
            let id = row.id();
            let found = |same: &PriceRow| (Arc::clone(&same.model_match), same.priority);
            match news.get(&id) {
                Some(same) if found(same) == found(&row) => {
                    news.remove(&id);
                }
                Some(_) => row.known_to = Some(known_from),
                None if listed
                    .contains(&(Arc::clone(&row.provider), Arc::clone(&row.model_name))) =>
                {
                    row.known_to = Some(known_from);
                }
                None if row.priority < RETIRED_PRIORITY => {
                    let priority = row.priority + RETIRED_PRIORITY;
                    retired.push(PriceRow { priority, known_from, ..row.clone() });
                    row.known_to = Some(known_from);
                }
                None => {}
            }
        }
        history.push(row);
    }
    history.extend(retired);
    history.extend(order.into_iter().filter_map(|id| news.remove(&id)));
    history
}

/// A contract stated anew: `stated` is all that `source` says for `tenant` from now on. Its rows
/// that are not stated again are no longer believed.
pub(super) fn restate(
    mut history: Vec<PriceRow>,
    stated: Vec<PriceRow>,
    tenant: &str,
    source: &str,
    now: Micros,
) -> Vec<PriceRow> {
    let mut news: HashMap<String, PriceRow> =
        stated.iter().map(|row| (row.id(), row.clone())).collect();
    let of_it = |r: &PriceRow| {
        r.known_to.is_none()
            && &*r.tenant == tenant
            && &*r.source == source
            && r.kind != Kind::Discounted
    };
    for row in history.iter_mut().filter(|r| of_it(r)) {
        match news.get(&row.id()) {
            // The same meaning; found and ordered as the file says now. An order that changed is
            // a new belief: the old one stays readable.
            Some(same) if same.priority == row.priority && same.model_match == row.model_match => {
                news.remove(&row.id());
            }
            _ => row.known_to = Some(now),
        }
    }
    let added = stated.into_iter().filter_map(|row| news.remove(&row.id()));
    history.extend(added.collect::<Vec<_>>());
    history
}

/// One price set by hand: it replaces what the same source says of the same thing while it is
/// valid, and leaves what holds before and after.
pub(super) fn set(mut history: Vec<PriceRow>, new: PriceRow, now: Micros) -> Vec<PriceRow> {
    let about = |r: &PriceRow| {
        (
            r.kind,
            r.unit,
            [&r.tenant, &r.source, &r.provider, &r.model_match].map(Arc::clone),
            [r.service_tier.clone(), r.region.clone()],
            r.context_from,
            r.time_window.clone(),
        )
    };
    let mut rests = Vec::new();
    for row in history.iter_mut().filter(|r| r.known_to.is_none()) {
        if about(row) != about(&new) || !row.overlaps(&new) {
            continue;
        }
        row.known_to = Some(now);
        let rest = PriceRow { known_from: now, known_to: None, ..row.clone() };
        let before = new.valid_from.filter(|from| row.valid_from.is_none_or(|f| f < *from));
        let after = new.valid_to.filter(|to| row.valid_to.is_none_or(|t| *to < t));
        rests.extend(before.map(|to| PriceRow { valid_to: Some(to), ..rest.clone() }));
        rests.extend(after.map(|from| PriceRow { valid_from: Some(from), ..rest.clone() }));
    }
    history.extend(rests);
    history.push(new);
    history
}

/// Brings the prices that discounts make up to date with the list prices and discounts believed
/// now. To be called after every change of either.
///
/// Of several discounts on one price the one with the lowest priority number counts, which is the
/// one that names more: they are never added up. A discounted price is rounded half to even to
/// the digits a price may have. `resells` says whose prices a provider takes for models that it
/// does not list: its discount reduces those too.
pub(super) fn discount(
    mut history: Vec<PriceRow>,
    resells: &[Reseller],
    now: Micros,
) -> Vec<PriceRow> {
    let believed = |kind: Kind| move |r: &&PriceRow| r.known_to.is_none() && r.kind == kind;
    let mut rules: Vec<(Clause, &PriceRow)> = history
        .iter()
        .filter(believed(Kind::Discount))
        // It was read when it was stated; one that cannot be read any more reduces nothing.
        .filter_map(|r| {
            Some((Clause::from_json(&serde_json::from_str(&r.model_match).ok()?).ok()?, r))
        })
        .collect();
    rules.sort_by_key(|(_, r)| r.priority);
    let mut wanted: HashMap<String, PriceRow> = HashMap::new();
    if !rules.is_empty() {
        for list in history.iter().filter(believed(Kind::Price)).filter(|r| !r.own()) {
            let resellers =
                resells.iter().filter(|(_, of)| of.contains(&list.provider)).map(|(p, _)| p);
            let own = history.iter().filter(believed(Kind::Resells));
            let own = own.filter(|r| r.model_name == list.provider).map(|r| &r.provider);
            for seller in std::iter::once(&list.provider).chain(resellers).chain(own) {
                let mut taken: Vec<&PriceRow> = Vec::new();
                let holds = |(names, rule): &&(Clause, &PriceRow)| {
                    reduces(names, rule, list, seller) && rule.overlaps(list)
                };
                for (_, rule) in rules.iter().filter(holds) {
                    // A later rule on the same time of the same tenant gives way.
                    if taken.iter().any(|t| t.tenant == rule.tenant && t.overlaps(rule)) {
                        continue;
                    }
                    taken.push(rule);
                    let row = reduced(rule, list, seller, now);
                    wanted.entry(row.id()).or_insert(row);
                }
            }
        }
    }
    for row in &mut history {
        if row.known_to.is_none() && row.kind == Kind::Discounted {
            match wanted.get(&row.id()) {
                Some(same)
                    if same.source == row.source
                        && same.model_match == row.model_match
                        && same.priority == row.priority =>
                {
                    wanted.remove(&row.id());
                }
                _ => row.known_to = Some(now),
            }
        }
    }
    let mut added: Vec<PriceRow> = wanted.into_values().collect();
    added.sort_by_cached_key(|r| (Arc::clone(&r.provider), Arc::clone(&r.model_name), r.id()));
    history.extend(added);
    history
}

/// Whether a discount holds for a list price, as sold by a provider.
fn reduces(names: &Clause, rule: &PriceRow, list: &PriceRow, seller: &str) -> bool {
    let provider = &*rule.provider == "*" || &*rule.provider == seller;
    let unit = rule.unit == Unit::ANY || rule.unit.contains(list.unit);
    let standard = |tier: &Option<Arc<str>>| tier.as_deref().is_none_or(standard_tier);
    let tier = rule.service_tier.is_none()
        || rule.service_tier == list.service_tier
        || (standard(&rule.service_tier) && standard(&list.service_tier));
    let region = rule.region.is_none() || rule.region == list.region;
    provider && unit && tier && region && names.matches(&list.model_name.to_lowercase())
}

fn reduced(rule: &PriceRow, list: &PriceRow, seller: &Arc<str>, now: Micros) -> PriceRow {
    /// Discounts come behind every price that a contract states.
    const AFTER_STATED: i64 = 1_000_000;
    let hundred = Money::from_whole(100).0;
    // list × (100 − percent) ÷ 100
    let left = hundred - rule.amount.0;
    // A part of a price is in range where the price is.
    let amount = scaled(list.amount, Money(left), hundred).unwrap_or(list.amount);
    PriceRow {
        tenant: Arc::clone(&rule.tenant),
        kind: Kind::Discounted,
        amount: price_decimals(amount),
        valid_from: list.valid_from.max(rule.valid_from),
        valid_to: match (list.valid_to, rule.valid_to) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        },
        provider: Arc::clone(seller),
        // What the seller lists itself goes before what it resells.
        priority: AFTER_STATED * if *seller == list.provider { 1 } else { 2 } + list.priority,
        known_from: now,
        known_to: None,
        source: Arc::clone(&rule.source),
        note: Some(format!("{} % off {}", rule.amount, list.id()).into()),
        ..list.clone()
    }
}

/// amount × factor ÷ whole, half to even on the last digit. `None` outside the range of money.
pub(super) fn scaled(amount: Money, factor: Money, whole: i128) -> Option<Money> {
    let negative = (amount.0 < 0) != (factor.0 < 0);
    let whole = whole.unsigned_abs();
    let (quotient, rest) = share(amount.0.unsigned_abs(), factor.0.unsigned_abs(), whole)?;
    let up = rest * 2 > whole || (rest * 2 == whole && quotient % 2 == 1);
    let magnitude = i128::try_from(quotient + u128::from(up)).ok()?;
    Money(if negative { -magnitude } else { magnitude }).times(1)
}

/// amount × factor ÷ whole and the remainder, for a `whole` above zero and within the range of
/// money. The product is taken in parts, so that amounts up to 10^20 with factors up to `whole`
/// cannot overflow.
pub(super) fn share(amount: u128, factor: u128, whole: u128) -> Option<(u128, u128)> {
    // amount = q·w + r, so amount·f/w = q·f + r·f/w; r·f is taken bit by bit of f, keeping the
    // remainder.
    let (q, r) = (amount / whole, amount % whole);
    let (mut quotient, mut rest) = (0u128, 0u128);
    for bit in (0..128).rev() {
        quotient <<= 1;
        rest <<= 1;
        if factor >> bit & 1 == 1 {
            rest += r;
        }
        quotient += rest / whole;
        rest %= whole;
    }
    Some((q.checked_mul(factor)?.checked_add(quotient)?, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::contract::{self, Form};
    use super::*;

    fn contract(text: &str, now: Micros) -> Vec<PriceRow> {
        contract::read(text.as_bytes(), Form::Toml, "default", "c", now).unwrap().rows
    }

    #[test]
    fn products_are_exact_and_round_half_to_even() {
        let money = |t: &str| Money::parse(t).unwrap();
        let one = Money::from_whole(1).0;
        assert_eq!(scaled(money("2.5"), money("0.8"), one), Some(money("2")));
        assert_eq!(scaled(money("-2.5"), money("0.8"), one), Some(money("-2")));
        // 10^-18 × 0.5 is half of the last digit: to even, which is 0; 3 × 10^-18 × 0.5 → 2.
        assert_eq!(scaled(Money(1), money("0.5"), one), Some(Money(0)));
        assert_eq!(scaled(Money(3), money("0.5"), one), Some(Money(2)));
        // 10^19 × 1.1 = 1.1 × 10^19
        assert_eq!(
            scaled(money("10000000000000000000"), money("1.1"), one),
            Some(money("11000000000000000000"))
        );
        assert_eq!(scaled(money("10000000000000000000"), money("16000"), one), None);
    }

    #[test]
    fn set_price_replaces_its_own_time_and_keeps_the_rest() {
        // $2 for ever; from instant 100 to 200 it is $1: before and after stay $2.
        let row = |amount: &str, from: Option<i64>, to: Option<i64>, now| {
            let text = format!(
                "[[price]]\nprovider = \"openai\"\nmodel = \"gpt-4o\"\nunit = \"input_tokens\"\n\
                 amount = {amount}"
            );
            PriceRow { valid_from: from, valid_to: to, ..contract(&text, now).remove(0) }
        };
        let history = set(Vec::new(), row("2", None, None, 1), 1);
        let history = set(history, row("1", Some(100), Some(200), 2), 2);
        let seen = |at: Micros| {
            let mut rows: Vec<_> = history
                .iter()
                .filter(|r| r.believed_at(at))
                .map(|r| (r.amount.to_string(), r.valid_from, r.valid_to))
                .collect();
            rows.sort_by_key(|r| r.1);
            rows
        };
        assert_eq!(seen(1), [("2".to_owned(), None, None)]);
        let told = |amount: &str, from, to| (amount.to_owned(), from, to);
        assert_eq!(
            seen(2),
            [
                told("2", None, Some(100)),
                told("1", Some(100), Some(200)),
                told("2", Some(200), None)
            ]
        );
    }

    #[test]
    fn discount_follows_the_list_price_and_keeps_what_was_believed() {
        // 20 % off $2.50 is $2.00; when the book corrects to $2.00, it is $1.60 from then on.
        let text = "[[discount]]\nprovider = \"openai\"\npercent = 20";
        let list = |amount: &str, now| PriceRow {
            source: "genai-prices x".into(),
            tenant: "*".into(),
            ..contract(
                &format!(
                    "[[price]]\nprovider = \"openai\"\nmodel = \"gpt-4o\"\n\
                     unit = \"input_tokens\"\namount = {amount}"
                ),
                now,
            )
            .remove(0)
        };
        let mut history = vec![list("2.5", 1)];
        history.extend(contract(text, 1));
        let history = discount(history, &[], 1);
        let history = discount(learn(history, vec![list("2", 5)], 5), &[], 5);
        let at = |t| -> Vec<String> {
            let discounted = history.iter().filter(|r| r.kind == Kind::Discounted);
            discounted.filter(|r| r.believed_at(t)).map(|r| r.amount.to_string()).collect()
        };
        assert_eq!(at(4), ["2"]);
        assert_eq!(at(5), ["1.6"]);
        // Once more changes nothing.
        let again = discount(history.clone(), &[], 9);
        assert!(again == history);
    }

    #[test]
    fn newer_book_that_finds_or_orders_a_model_otherwise_leaves_what_was_believed() {
        let row = |name: &str, clause: &str, priority: i64, now: Micros| PriceRow {
            source: "genai-prices x".into(),
            tenant: "*".into(),
            model_name: name.into(),
            model_match: clause.into(),
            priority,
            ..contract(
                "[[price]]\nprovider = \"openai\"\nmodel = \"m\"\nunit = \"input_tokens\"\n\
                 amount = 1",
                now,
            )
            .remove(0)
        };
        let (equals, starts) = (r#"{"equals":"a"}"#, r#"{"starts_with":"a"}"#);
        let older = vec![row("a", equals, 0, 1), row("b", equals, 0, 1), row("c", equals, 0, 1)];
        let history = learn(older, vec![row("a", starts, 0, 5), row("b", equals, 2, 5)], 5);
        let at = |at: Micros| {
            let believed = history.iter().filter(|r| r.believed_at(at));
            let mut found: Vec<(String, String, i64)> = believed
                .map(|r| (r.model_name.to_string(), r.model_match.to_string(), r.priority))
                .collect();
            found.sort();
            found
        };
        let told =
            |name: &str, clause: &str, priority| (name.to_owned(), clause.to_owned(), priority);
        assert_eq!(at(4), [told("a", equals, 0), told("b", equals, 0), told("c", equals, 0)]);
        let retired = told("c", equals, RETIRED_PRIORITY);
        assert_eq!(at(5), [told("a", starts, 0), told("b", equals, 2), retired]);
    }

    proptest! {
        #[test]
        fn yesterday_is_not_changed_by_what_is_learned_today(
            amounts in proptest::collection::vec(
                (0..50i64, proptest::option::of(0..100i64), proptest::option::of(100..200i64)), 1..8),
            percent in 0..100u32,
        ) {
            // Whatever is stated, set or discounted at instant n, what was believed before n is
            // what it was.
            let text = |a: i64| format!(
                "[[price]]\nprovider = \"openai\"\nmodel = \"gpt-4o\"\nunit = \"input_tokens\"\n\
                 amount = {a}\n[[discount]]\nprovider = \"openai\"\npercent = {percent}");
            let mut history: Vec<PriceRow> = Vec::new();
            let believed = |h: &[PriceRow], at: Micros| {
                let mut ids: Vec<_> = h.iter().filter(|r| r.believed_at(at))
                    .map(|r| (r.id(), r.source.to_string(), r.model_match.to_string(), r.priority))
                    .collect();
                ids.sort();
                ids
            };
            let mut remembered: Vec<Vec<(String, String, String, i64)>> = Vec::new();
            for (n, (amount, from, to)) in amounts.into_iter().enumerate() {
                let now = n as i64 + 1;
                let rows = contract(&text(amount), now);
                history = if n % 2 == 0 {
                    restate(history, rows, "default", "contract c", now)
                } else {
                    let row = PriceRow { valid_from: from, valid_to: to, ..rows[0].clone() };
                    set(history, row, now)
                };
                history = discount(history, &[], now);
                for (earlier, ids) in remembered.iter().enumerate() {
                    prop_assert_eq!(&believed(&history, earlier as i64 + 1), ids);
                }
                remembered.push(believed(&history, now));
            }
        }
    }
}
