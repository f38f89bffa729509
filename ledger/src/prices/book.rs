//! The price book in memory: believed rows grouped by model and by the condition they hold
//! under, ready to be asked. Takes price rows, from the bundled books or from table `prices`;
//! says what wins among them. It does not know what a call means (that is `matching`) and computes no
//! amounts (that is `quote`).
//!
//! How a call finds its model is written at the top of `matching`.
//!
//! Which price wins, unit by unit, the first that there is:
//! 1. the user's own price for the call's tier, that for its region before that for any;
//! 2. the book's price for the call's tier;
//! 3. the user's own price for any call, that for the call's region first;
//! 4. the book's price for the call's region, then its standard price.
//!
//! A price that begins above some size of the context leaves what is below to the next one. Bands that
//! the user states for the same condition are one price, whenever each began.
//!
//! Among the user's own: what `prices set` set, then what contracts state, then list prices less a
//! discount; within each the narrower row (a daily window, then a model by its name before a pattern),
//! then the order of the file. A row of a tenant holds for its calls alone (I-10). Own rows name a
//! provider as the book does, or as the call does where the book knows none; a model by its own clause,
//! or by the id of the book's model that the call was found to mean. A commitment that covers a call
//! goes before all prices.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::record_batch::RecordBatch;

use super::genai::ProviderRule;
use super::models::{Model, OwnModel, group, group_own};
use super::own_providers::{OwnProvider, own_providers};
use super::row::{Kind, Micros, PriceRow, from_batch, to_batch};
use super::{BundledBook, PriceError, Pricer, Quote, SHARED_TENANT, bundled, history, quote_jsonl};
use crate::usage::Usage;

/// What the price of a call depends on.
#[derive(Debug, Clone, Copy)]
pub struct CallFacts<'a> {
    /// Whose call it is; none: only prices that hold for everybody.
    pub tenant: Option<&'a str>,
    /// Provider, in whatever spelling it came.
    pub provider: Option<&'a str>,
    /// Model asked for.
    pub request_model: Option<&'a str>,
    /// Model that served: looked up before the one asked for.
    pub response_model: Option<&'a str>,
    /// Served tier.
    pub service_tier: Option<&'a str>,
    /// Region.
    pub region: Option<&'a str>,
    /// Host that answered.
    pub server_address: Option<&'a str>,
    /// When the call started.
    pub at: Micros,
    /// What it used.
    pub usage: &'a Usage,
}

/// Prices believed at one instant.
#[derive(Debug)]
pub struct PriceBook {
    rows: Vec<PriceRow>,
    ids: Vec<String>,
    /// By provider, in the order in which names are matched.
    pub(super) models: HashMap<Arc<str>, Vec<Arc<Model>>>,
    /// The users' own, in the order in which they win.
    pub(super) own: Vec<OwnModel>,
    /// Places of exchange rates.
    rates: Vec<usize>,
    pub(super) rules: Arc<[ProviderRule]>,
    /// Providers that the book has prices of and no rule: known by their id.
    pub(super) unruled: Vec<ProviderRule>,
    pub(super) own_providers: Vec<OwnProvider>,
}

impl PriceBook {
    /// The bundled books, as believed now.
    ///
    /// # Errors
    /// When the bundled bytes are not the books we expect.
    pub fn bundled() -> Result<Arc<PriceBook>, PriceError> {
        PriceBook::bundled_at(Micros::MAX)
    }

    /// The bundled books, as believed at an instant.
    ///
    /// # Errors
    /// As [`PriceBook::bundled`].
    pub fn bundled_at(at: Micros) -> Result<Arc<PriceBook>, PriceError> {
        PriceBook::believed_at(bundled::history()?, at)
    }

    /// The prices of batches of table `prices`, as believed now.
    ///
    /// # Errors
    /// When a batch is not of that table, or a clause or window in it cannot be read.
    pub fn from_batches(batches: &[RecordBatch]) -> Result<Arc<PriceBook>, PriceError> {
        let mut rows = Vec::new();
        for batch in batches {
            rows.extend(from_batch(batch)?);
        }
        PriceBook::believed_at(rows, Micros::MAX)
    }

    /// The prices that were believed at an instant.
    ///
    /// # Errors
    /// When a clause or window cannot be read.
    pub fn believed_at(rows: Vec<PriceRow>, at: Micros) -> Result<Arc<PriceBook>, PriceError> {
        PriceBook::new(rows, at, bundled::provider_rules()?)
    }

    /// Rows that are believed together, whatever their known times say.
    ///
    /// # Errors
    /// When a clause or window cannot be read.
    pub(super) fn believed(mut rows: Vec<PriceRow>) -> Result<Arc<PriceBook>, PriceError> {
        for row in &mut rows {
            (row.known_from, row.known_to) = (Micros::MIN, None);
        }
        PriceBook::believed_at(rows, Micros::MAX)
    }

    /// What one bundled book alone says: its prices, and its rules about providers.
    ///
    /// # Errors
    /// When the bundled bytes are not the book we expect.
    pub fn of(book: &BundledBook) -> Result<Arc<PriceBook>, PriceError> {
        let book = book.read()?;
        PriceBook::new(book.rows, Micros::MAX, book.providers.into())
    }

    /// The prices as they would be believed under a draft of a contract: its rows in place of those
    /// that it replaces ([`Contract::replaces`](super::Contract::replaces)), and before all others.
    ///
    /// # Errors
    /// When a clause or window cannot be read.
    pub fn under(
        mut rows: Vec<PriceRow>,
        draft: &super::Contract,
        at: Micros,
    ) -> Result<Arc<PriceBook>, PriceError> {
        rows.retain(|r| r.believed_at(at) && r.kind != Kind::Discounted && !draft.replaces(r));
        rows.extend(draft.rows.iter().map(|r| PriceRow {
            known_from: Micros::MIN,
            // Before what is set by hand, too.
            priority: r.priority - 2 * super::contract::PRIORITIES,
            ..r.clone()
        }));
        rows.iter_mut().for_each(|r| r.known_to = None);
        let rows = history::discount(rows, &bundled::resells()?, Micros::MIN);
        PriceBook::believed_at(rows, at)
    }

    fn new(
        mut rows: Vec<PriceRow>,
        at: Micros,
        rules: Arc<[ProviderRule]>,
    ) -> Result<Arc<PriceBook>, PriceError> {
        rows.retain(|r| r.believed_at(at));
        // One fact imported twice is one price.
        let mut seen = HashSet::with_capacity(rows.len());
        let mut ids = Vec::with_capacity(rows.len());
        rows.retain(|row| {
            let id = row.id();
            let new = seen.insert(id.clone());
            if new {
                ids.push(id);
            }
            new
        });
        let models = group(&rows)?;
        let own = group_own(&rows)?;
        let rates =
            (0..rows.len()).filter(|&place| rows[place].kind == Kind::ExchangeRate).collect();
        let own_providers = own_providers(&rows, &rules)?;
        let mut unruled: Vec<Arc<str>> =
            models.keys().filter(|id| !rules.iter().any(|r| r.id == **id)).cloned().collect();
        unruled.sort();
        let unruled = unruled.into_iter().map(ProviderRule::named).collect();
        Ok(Arc::new(PriceBook { rows, ids, models, own, rates, rules, unruled, own_providers }))
    }

    /// The row that says how many units of `to` one of `from` is at an instant.
    pub(super) fn rate(
        &self,
        tenant: Option<&str>,
        from: &str,
        to: &str,
        at: Micros,
    ) -> Option<usize> {
        let fits = |row: &PriceRow| {
            (&*row.tenant == SHARED_TENANT || Some(&*row.tenant) == tenant)
                && &*row.model_name == from
                && &*row.currency == to
                && row.valid_from.is_none_or(|f| f <= at)
                && row.valid_to.is_none_or(|t| at < t)
        };
        // Rates are stated from a day on: the newest that has begun holds.
        let fitting = self.rates.iter().copied().filter(|&place| fits(&self.rows[place]));
        fitting.max_by_key(|&place| (self.rows[place].valid_from, self.rows[place].known_from))
    }

    /// The rows as a batch of table `prices`.
    ///
    /// # Errors
    /// When the columns do not form the table's schema.
    pub fn to_batch(&self) -> Result<RecordBatch, PriceError> {
        to_batch(&self.rows)
    }

    /// Provider and id of every model that the book lists.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.models.iter().flat_map(|(provider, models)| {
            models.iter().map(move |model| (&**provider, &*model.name))
        })
    }

    /// Every price believed.
    pub fn rows(&self) -> &[PriceRow] {
        &self.rows
    }

    /// The row at a place, as quotes name it, with its id.
    pub fn row(&self, place: usize) -> (&PriceRow, &str) {
        (&self.rows[place], &self.ids[place])
    }

    /// What one call costs. For many calls keep a [`Pricer`], which remembers its matches.
    pub fn quote(self: &Arc<Self>, facts: &CallFacts<'_>) -> Quote {
        Pricer::new(Arc::clone(self)).quote(facts)
    }

    /// Answers one line of `spanledger prices quote --jsonl`; see [`quote_jsonl`] for many.
    ///
    /// # Errors
    /// As [`quote_jsonl`].
    pub fn quote_jsonl(self: &Arc<Self>, line: &str) -> Result<String, PriceError> {
        quote_jsonl(&mut Pricer::new(Arc::clone(self)), line)
    }
}
