//! The price rows of each model, by the condition they hold under: what `book` finds, and `pricer`
//! chooses from. Takes believed rows, gives models with their sets of prices, those of the book by
//! provider, the users' own in the order in which they win. It does not know calls.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::clause::Clause;
use super::row::{Kind, Micros, PriceRow};
use super::{PriceError, history};
use crate::usage::Unit;

/// Prices that a tenant has for a model.
#[derive(Debug)]
pub(super) struct OwnModel {
    pub(super) tenant: Arc<str>,
    pub(super) provider: Arc<str>,
    pub(super) model: Arc<Model>,
}

/// The prices of one model.
#[derive(Debug)]
pub(super) struct Model {
    /// The book's id, or what the contract calls it.
    pub(super) name: Arc<str>,
    pub(super) clause: Clause,
    /// By rising priority number.
    pub(super) sets: Vec<PriceSet>,
}

/// Prices that hold together, under one condition.
#[derive(Debug)]
pub(super) struct PriceSet {
    pub(super) tier: Option<Arc<str>>,
    pub(super) region: Option<Arc<str>>,
    priority: i64,
    valid_from: Option<Micros>,
    valid_to: Option<Micros>,
    window: Option<Window>,
    /// Made by a discount from list prices.
    discounted: bool,
    /// Place of the row, when it is no price but a commitment that covers the call.
    pub(super) commitment: Option<usize>,
    pub(super) prices: Vec<UnitPrice>,
}

/// The price of one unit, by size of the context.
#[derive(Debug, Clone)]
pub(super) struct UnitPrice {
    pub(super) unit: Unit,
    /// (input above which it holds, place of the row), ascending.
    pub(super) bands: Vec<(Option<i64>, usize)>,
}

const MICROS_PER_MINUTE: i64 = 60_000_000;
const MINUTES_PER_DAY: i64 = 1_440;

impl UnitPrice {
    /// Takes in the bands of a price of the same unit that loses against this one: those below all
    /// of its own, for which it says nothing.
    pub(super) fn fill_below(&mut self, other: &UnitPrice) {
        let lowest = self.bands.first().map_or(Some(i64::MAX), |(from, _)| *from);
        let below = other.bands.iter().filter(|(from, _)| *from < lowest).copied();
        self.bands.splice(0..0, below);
    }

    /// Takes in the bands of a price that is stated beside it: those that it does not have.
    pub(super) fn join(&mut self, other: &UnitPrice) {
        for band in &other.bands {
            if let Err(place) = self.bands.binary_search_by_key(&band.0, |(from, _)| *from) {
                self.bands.insert(place, *band);
            }
        }
    }
}

impl PriceSet {
    /// Whether what both state of a unit is one price list: that of the same condition, though one
    /// may have begun later.
    pub(super) fn is_beside(&self, other: &PriceSet) -> bool {
        (&self.tier, &self.region, self.window) == (&other.tier, &other.region, other.window)
            && !self.discounted
            && !other.discounted
    }

    pub(super) fn holds_at(&self, at: Micros) -> bool {
        self.valid_from.is_none_or(|from| from <= at)
            && self.valid_to.is_none_or(|to| at < to)
            && self.window.is_none_or(|window| {
                within(window, at.div_euclid(MICROS_PER_MINUTE).rem_euclid(MINUTES_PER_DAY))
            })
    }

    /// The time around an instant, from and to, in which it does not change whether the set holds.
    pub(super) fn unchanged_around(&self, at: Micros) -> (Micros, Micros) {
        let today = at.div_euclid(MICROS_PER_MINUTE).div_euclid(MINUTES_PER_DAY);
        let turn = |day: i64, minute: i64| {
            (day * MINUTES_PER_DAY + minute).saturating_mul(MICROS_PER_MINUTE)
        };
        let minutes = self.window.into_iter().flat_map(|(from, to)| [from, to]);
        let daily = minutes.flat_map(|minute| [-1, 0, 1].map(|day| turn(today + day, minute)));
        let turns = self.valid_from.into_iter().chain(self.valid_to).chain(daily);
        turns.fold((Micros::MIN, Micros::MAX), |(from, to), turn| {
            if turn <= at { (from.max(turn), to) } else { (from, to.min(turn)) }
        })
    }
}

/// The book's rows by provider, model and condition.
pub(super) fn group(rows: &[PriceRow]) -> Result<HashMap<Arc<str>, Vec<Arc<Model>>>, PriceError> {
    let mut by_model: BTreeMap<(&Arc<str>, &Arc<str>), Vec<usize>> = BTreeMap::new();
    for (place, row) in rows.iter().enumerate().filter(|(_, r)| r.kind.is_price() && !r.own()) {
        by_model.entry((&row.provider, &row.model_name)).or_default().push(place);
    }
    let mut models: HashMap<Arc<str>, Vec<(i64, Arc<Model>)>> = HashMap::new();
    for ((provider, _), places) in by_model {
        let (priority, model) = model(rows, places)?;
        let retired = priority / history::RETIRED_PRIORITY;
        models.entry(Arc::clone(provider)).or_default().push((retired, Arc::new(model)));
    }
    // Within a provider the book matches its models in the order of their ids; retired ones last.
    Ok(models
        .into_iter()
        .map(|(provider, mut models)| {
            models.sort_by_key(|(retired, _)| *retired);
            (provider, models.into_iter().map(|(_, m)| m).collect())
        })
        .collect())
}

/// The users' own rows by tenant, provider and clause, in the order in which they win.
pub(super) fn group_own(rows: &[PriceRow]) -> Result<Vec<OwnModel>, PriceError> {
    let ours = |r: &PriceRow| r.own() && (r.kind.is_price() || r.kind == Kind::Commitment);
    let mut by_model: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (place, row) in rows.iter().enumerate().filter(|(_, r)| ours(r)) {
        // What a discount makes stands apart from what is stated: it comes later.
        let key = (&row.tenant, &row.provider, &row.model_match, row.kind == Kind::Discounted);
        by_model.entry(key).or_default().push(place);
    }
    let mut own = Vec::with_capacity(by_model.len());
    for ((tenant, provider, ..), places) in by_model {
        let (priority, model) = model(rows, places)?;
        let (tenant, provider) = (Arc::clone(tenant), Arc::clone(provider));
        own.push((priority, OwnModel { tenant, provider, model: Arc::new(model) }));
    }
    own.sort_by_key(|(priority, _)| *priority);
    Ok(own.into_iter().map(|(_, own)| own).collect())
}

/// One model of rows that share a clause, with its lowest priority number.
fn model(rows: &[PriceRow], mut places: Vec<usize>) -> Result<(i64, Model), PriceError> {
    places.sort_by_key(|&p| rows[p].priority);
    let first = &rows[places[0]];
    let place = format!("{}/{}", first.provider, first.model_name);
    let json = serde_json::from_str(&first.model_match)
        .map_err(|e| PriceError::Book { place: place.clone(), reason: e.to_string() })?;
    let clause = Clause::from_json(&json)
        .map_err(|source| PriceError::Clause { place: place.clone(), source })?;
    let mut sets: Vec<PriceSet> = Vec::new();
    for at in places.iter().copied() {
        let row = &rows[at];
        let window = window(row, &place)?;
        let commitment = (row.kind == Kind::Commitment).then_some(at);
        // In the book the order tells lists apart; a contract's rows of one condition are one list,
        // whose bands may stand anywhere in the file.
        let same = |s: &PriceSet| {
            (row.own() || s.priority == row.priority)
                && s.tier == row.service_tier
                && s.region == row.region
                && (s.valid_from, s.valid_to) == (row.valid_from, row.valid_to)
                && s.window == window
                && s.commitment.is_none()
                && commitment.is_none()
        };
        let set = match sets.iter().position(same) {
            Some(found) => &mut sets[found],
            None => {
                sets.push(PriceSet {
                    tier: row.service_tier.clone(),
                    region: row.region.clone(),
                    priority: row.priority,
                    valid_from: row.valid_from,
                    valid_to: row.valid_to,
                    window,
                    discounted: row.kind == Kind::Discounted,
                    commitment,
                    prices: Vec::new(),
                });
                let last = sets.len() - 1;
                &mut sets[last]
            }
        };
        if commitment.is_some() {
            continue;
        }
        let band = (row.context_from, at);
        match set.prices.iter_mut().find(|p| p.unit == row.unit) {
            Some(price) if row.own() && price.bands.iter().any(|(from, _)| *from == band.0) => {}
            Some(price) => price.bands.push(band),
            None => set.prices.push(UnitPrice { unit: row.unit, bands: vec![band] }),
        }
    }
    for price in sets.iter_mut().flat_map(|s| &mut s.prices) {
        price.bands.sort_by_key(|(from, _)| *from);
    }
    Ok((first.priority, Model { name: Arc::clone(&first.model_name), clause, sets }))
}

fn window(row: &PriceRow, place: &str) -> Result<Option<Window>, PriceError> {
    let Some((from, to)) = &row.time_window else { return Ok(None) };
    minutes(from, to).map(Some).ok_or_else(|| PriceError::Book {
        place: place.to_owned(),
        reason: format!("window {from} to {to}, expected HH:MM"),
    })
}

/// A daily window in minutes of the day, from and to; it may span midnight.
pub(super) type Window = (i64, i64);

/// A window of clock times, `HH:MM`; none for what is no time.
pub(super) fn minutes(from: &str, to: &str) -> Option<Window> {
    let minutes = |text: &str| {
        let (hours, minutes) = text.split_once(':')?;
        Some(hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?)
    };
    minutes(from).zip(minutes(to))
}

/// Whether a minute of the day is in a window.
pub(super) fn within((from, to): Window, minute: i64) -> bool {
    if from <= to { from <= minute && minute < to } else { minute >= from || minute < to }
}
