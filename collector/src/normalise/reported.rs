//! Numbers of one item, read and handed on: tokens to `leaves`, cost with who reckoned it, retries
//! and the finish reason. It decides no basis (that is `usage`) and no price.

use std::borrow::Cow;

use spanledger_schemas::money::Money;

use super::facts::{Reading, Said};
use super::leaves::{Reported, Usage, leaves};
use super::names::Fact;
use super::rules::tells_no_reasoning;
use super::usage::Reporter;
use super::{Fate, loose};
use crate::decode::Value;
use crate::limits::INSIDE_BYTES_MAX;

/// A cost that an item says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportedCost {
    /// How much, in US dollars: every library that says a cost documents it so.
    pub amount: Money,
    /// Who reckoned it.
    pub kind: CostKind,
}

/// Who reckoned a reported cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CostKind {
    /// The provider, in its answer.
    Provider,
    /// A gateway between.
    Gateway,
    /// The library, from a price list of its own.
    Sdk,
}

impl CostKind {
    /// The word of the column `reported_cost_kind`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Gateway => "gateway",
            Self::Sdk => "sdk",
        }
    }
}

/// Usage of the item in tokens. `who` lacks the names of what was read.
pub(super) fn usage(said: &mut Reading<'_, '_>, who: &Reporter<'_>) -> Usage {
    let mut unreadable = false;
    let mut tokens = |fact| match said.count(fact)? {
        Ok(tokens) => Some(tokens),
        Err(_) => {
            unreadable = true;
            None
        }
    };
    let mut reported = Reported {
        input: tokens(Fact::Input),
        output: tokens(Fact::Output),
        total: tokens(Fact::Total),
        uncached: tokens(Fact::Uncached),
        cache_read: tokens(Fact::CacheRead),
        cache_write: tokens(Fact::CacheWrite),
        cache_write_5m: tokens(Fact::CacheWrite5m),
        cache_write_1h: tokens(Fact::CacheWrite1h),
        output_text: tokens(Fact::OutputText),
        reasoning: tokens(Fact::Reasoning),
        predicted: None,
        audio_in: tokens(Fact::AudioIn),
        audio_out: tokens(Fact::AudioOut),
        image_in: tokens(Fact::ImageIn),
        image_out: tokens(Fact::ImageOut),
        unreadable: false,
    };
    if tells_no_reasoning(who) {
        reported.reasoning = reported.reasoning.filter(|tokens| *tokens > 0);
    }
    let predicted = [tokens(Fact::Predicted), tokens(Fact::Mispredicted)];
    reported.unreadable = unreadable;
    if predicted.iter().any(Option::is_some) {
        reported.predicted = Some(predicted.iter().flatten().sum());
    }
    if reported == Reported::default() {
        return Usage::default();
    }
    let cache = match reported.cache_read {
        Some(_) => Fact::CacheRead,
        None => Fact::CacheWrite,
    };
    let who = Reporter {
        input_name: said.name(Fact::Input),
        cache_name: said.name(cache),
        write_name: said.name(Fact::CacheWrite),
        total_told: reported.total.is_some(),
        ..*who
    };
    let usage = leaves(&reported, &who);
    for (fact, column) in [
        (Fact::Input, usage.reported_input),
        (Fact::Output, usage.reported_output),
        (Fact::CacheRead, usage.cache_read),
        (Fact::CacheWrite, usage.cache_write),
        (Fact::CacheWrite5m, usage.cache_write_5m),
        (Fact::CacheWrite1h, usage.cache_write_1h),
        (Fact::Reasoning, usage.reasoning),
        (Fact::AudioIn, usage.audio_in),
        (Fact::AudioOut, usage.audio_out),
        (Fact::ImageIn, usage.image_in),
        (Fact::ImageOut, usage.image_out),
    ] {
        if column.is_some() {
            said.in_full(fact);
        }
    }
    usage
}

/// The cost the item says. `reckons` is whether the library reckons even what stands where a
/// provider's cost would.
pub(super) fn cost(said: &mut Reading<'_, '_>, reckons: bool) -> Option<ReportedCost> {
    if !reckons && let Some(amount) = said.amount(Fact::ProviderCost) {
        return Some(ReportedCost { amount, kind: CostKind::Provider });
    }
    if let Some(amount) = said.amount(Fact::GatewayCost) {
        return Some(ReportedCost { amount, kind: CostKind::Gateway });
    }
    let amount = said.amount(Fact::Cost).or_else(|| {
        let parts = [said.amount(Fact::CostInput), said.amount(Fact::CostOutput)];
        parts.into_iter().flatten().reduce(|a, b| a + b)
    });
    let kind = match said.text(Fact::GatewayKey, false) {
        Some(_) => CostKind::Gateway,
        None => CostKind::Sdk,
    };
    // A library that knows no price says zero; that is unknown, not free (I-6).
    amount.filter(|amount| *amount > Money::ZERO).map(|amount| ReportedCost { amount, kind })
}

/// Requests made before this one.
pub(super) fn retries(said: &mut Reading<'_, '_>) -> Option<i64> {
    if let Some(resends) = said.count(Fact::Resends) {
        let resends = resends.ok()?;
        said.in_full(Fact::Resends);
        return Some(resends);
    }
    // The first attempt is number 1.
    let retries = said.count(Fact::Attempt)?.ok()? - 1;
    said.tell(Fact::Attempt);
    Some(retries).filter(|n| *n >= 0)
}

/// The first of a list, of a list written as JSON or by Python, or the text itself.
pub(super) fn finish_reason<'a>(said: &mut Reading<'a, '_>) -> Option<Cow<'a, str>> {
    let fact = Fact::FinishReason;
    let Said::Attribute(i, value) = said.said(fact)? else { return said.column(fact) };
    let text = value.first_text().filter(|t| !t.is_empty())?;
    if text.starts_with('[') {
        let mut first = None;
        loose::leaves(text, INSIDE_BYTES_MAX, |_, item| {
            if let (None, loose::Scalar::Text(reason)) = (&first, item) {
                first = Some(reason).filter(|r| !r.is_empty());
            }
        });
        said.tell(fact);
        return first;
    }
    if said.json_values && text.starts_with('"') {
        said.tell(fact);
        return Some(loose::unquoted(text)).filter(|t| !t.is_empty());
    }
    said.tell(fact);
    // As Python prints a member of an enumeration.
    if let Some(member) = text.strip_prefix("FinishReason.") {
        return Some(Cow::Owned(member.to_lowercase()));
    }
    if matches!(value, Value::Text(_)) {
        said.fates[i] = Fate::InColumn;
    }
    Some(Cow::Borrowed(text))
}
