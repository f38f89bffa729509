//! The price book in memory: believed rows grouped by model and by the condition they hold
//! under, ready to be asked. Takes price rows, from the bundled books or from table `prices`;
//! finds the model a call means. It does not compute amounts (that is `quote`).
//!
//! How a call finds its model. Candidates for the provider, in this order:
//! 1. the provider whose API answers at `server_address`: the host is who bills, while several
//!    providers are reached through one client that calls them all `openai`;
//! 2. the provider the client names: a book id, then a known spelling (`providers`), then the
//!    book's `provider_match` clauses in its order;
//! 3. if the named one is unknown, the prefix of the model's name: `azure/gpt-4o`.
//!
//! For each candidate the served model is looked up, then the requested one, each under the
//! names of `providers::model_names`, first among the provider's own models, then among those of
//! the providers it resells. If no provider is known at all, the model decides alone when exactly
//! one first party claims its name and lists it; the quote then says so.
//!
//! Which price wins, unit by unit, the first that there is:
//! 1. the user's own price for the call's tier or region;
//! 2. the book's price for the call's tier;
//! 3. the user's own standard price, of any region;
//! 4. the book's price for the call's region, then its standard price.
//!
//! Among the user's own: what `prices set` set, then what contracts state, then list prices less a
//! discount; within each the narrower row (a daily window), then the order of the file. A row of a
//! tenant holds for its calls alone (I-10). Own rows name a provider as the book does, or as the
//! call does where the book knows none; a model by its own clause, or by the id of the book's model
//! that the call was found to mean. A commitment that covers a call goes before all prices.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::record_batch::RecordBatch;

use super::genai::ProviderRule;
use super::models::{Model, OwnModel, PriceSet, group, group_own};
use super::row::{Kind, Micros, PriceRow, from_batch, to_batch};
use super::{
    BundledBook, PriceError, Pricer, Quote, SHARED_TENANT, bundled, history, providers, quote_jsonl,
};
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
    models: HashMap<Arc<str>, Vec<Arc<Model>>>,
    /// The users' own, in the order in which they win.
    own: Vec<OwnModel>,
    /// Places of exchange rates.
    rates: Vec<usize>,
    rules: Arc<[ProviderRule]>,
    /// Providers that have prices and no rule: known by their id.
    unruled: Vec<ProviderRule>,
}

/// The model a call means.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// The user's own prices for it, in the order in which they win.
    pub(super) own: Vec<Arc<Model>>,
    /// What the book lists; none when only the user has prices for it.
    pub(super) model: Option<Arc<Model>>,
    provider: Option<Arc<str>>,
    /// It is another provider's, resold: its tier prices are not the reseller's.
    pub(super) resold: bool,
    /// What a reader should know about the match.
    pub(super) remark: Option<String>,
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

    /// What one bundled book alone says: its prices, and its rules about providers.
    ///
    /// # Errors
    /// When the bundled bytes are not the book we expect.
    pub fn of(book: &BundledBook) -> Result<Arc<PriceBook>, PriceError> {
        let book = book.read()?;
        PriceBook::new(book.rows, Micros::MAX, book.providers.into())
    }

    /// The prices as they would be believed under a draft of a contract, whatever contracts there
    /// are: its rows in place of all own rows of its tenant.
    ///
    /// # Errors
    /// When a clause or window cannot be read.
    pub fn under(
        mut rows: Vec<PriceRow>,
        draft: &super::Contract,
        at: Micros,
    ) -> Result<Arc<PriceBook>, PriceError> {
        rows.retain(|r| r.believed_at(at) && !r.own());
        rows.extend(draft.rows.iter().map(|r| PriceRow { known_from: Micros::MIN, ..r.clone() }));
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
        let ids_of = models.keys().chain(own.iter().map(|o| &o.provider));
        let mut unruled: Vec<Arc<str>> =
            ids_of.filter(|id| !rules.iter().any(|r| r.id == **id)).cloned().collect();
        unruled.sort();
        unruled.dedup();
        let unruled = unruled.into_iter().map(ProviderRule::named).collect();
        Ok(Arc::new(PriceBook { rows, ids, models, own, rates, rules, unruled }))
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

    /// Finds the model of a call; the error says why there is none.
    pub(super) fn find(&self, facts: &CallFacts<'_>) -> Result<Found, String> {
        let said = facts.provider.map(|p| p.trim().to_lowercase()).filter(|p| !p.is_empty());
        let served = [facts.response_model, facts.request_model];
        let models: Vec<&str> = served.into_iter().flatten().filter(|m| !m.is_empty()).collect();
        if models.is_empty() {
            return Err("unknown model: the call names none".to_owned());
        }
        let candidates = self.candidates(facts, said.as_deref(), &models);
        let listed = self.find_listed(&candidates, said.as_deref(), &models);
        let own = self.find_own(facts, &candidates, said.as_deref(), &models, listed.as_ref().ok());
        match listed {
            Ok(found) => Ok(Found { own, ..found }),
            Err(_) if !own.is_empty() => {
                Ok(Found { own, model: None, provider: None, resold: false, remark: None })
            }
            Err(reason) => Err(reason),
        }
    }

    /// The providers a call may be of, the likeliest first.
    fn candidates(
        &self,
        facts: &CallFacts<'_>,
        said: Option<&str>,
        models: &[&str],
    ) -> Vec<&ProviderRule> {
        let mut candidates: Vec<&ProviderRule> = Vec::new();
        candidates.extend(facts.server_address.and_then(|host| self.provider_at(host)));
        match said.and_then(|name| self.provider_named(name)) {
            Some(rule) if candidates.iter().any(|c| c.id == rule.id) => {}
            Some(rule) => candidates.push(rule),
            None => {
                let prefix = models.iter().find_map(|m| m.split_once('/').map(|(p, _)| p));
                let named = prefix.and_then(|p| self.provider_named(&p.to_lowercase()));
                candidates.extend(named.filter(|_| candidates.is_empty()));
            }
        }
        candidates
    }

    fn find_listed(
        &self,
        candidates: &[&ProviderRule],
        said: Option<&str>,
        models: &[&str],
    ) -> Result<Found, String> {
        if let Some(engine) = said.filter(|p| providers::self_hosted(p)) {
            return Err(format!("no list price: {engine} serves models of one's own"));
        }
        for rule in candidates {
            if let Some(found) = self.model_of(rule, models) {
                return Ok(found);
            }
        }
        let (Some(rule), model) = (candidates.first(), models.first().copied().unwrap_or_default())
        else {
            return self.first_party(said, models);
        };
        let as_said = said.filter(|s| **s != *rule.id).map(|s| format!(" (said: {s})"));
        Err(format!("unknown model: {} lists no `{model}`{}", rule.id, as_said.unwrap_or_default()))
    }

    /// The tenant's own prices for a call.
    fn find_own(
        &self,
        facts: &CallFacts<'_>,
        candidates: &[&ProviderRule],
        said: Option<&str>,
        models: &[&str],
        listed: Option<&Found>,
    ) -> Vec<Arc<Model>> {
        if self.own.is_empty() {
            return Vec::new();
        }
        let names: Vec<String> = models.iter().flat_map(|m| providers::model_names(m)).collect();
        let id = listed.and_then(|found| Some(&found.model.as_ref()?.name));
        let of_provider = |provider: &str| {
            provider == "*"
                || Some(provider) == said
                || candidates.iter().any(|rule| &*rule.id == provider)
                || listed.is_some_and(|found| found.provider.as_deref() == Some(provider))
        };
        let fits = |own: &&OwnModel| {
            (&*own.tenant == SHARED_TENANT || Some(&*own.tenant) == facts.tenant)
                && of_provider(&own.provider)
                && (Some(&own.model.name) == id
                    || names.iter().any(|name| own.model.clause.matches(name)))
        };
        self.own.iter().filter(fits).map(|own| Arc::clone(&own.model)).collect()
    }

    /// The model alone decides: exactly one provider claims its name, and lists it.
    fn first_party(&self, said: Option<&str>, models: &[&str]) -> Result<Found, String> {
        let who =
            said.map_or("no provider named".to_owned(), |s| format!("unknown provider `{s}`"));
        for name in models.iter().flat_map(|m| providers::model_names(m)) {
            let claims =
                |r: &&ProviderRule| r.model_match.as_ref().is_some_and(|c| c.matches(&name));
            let mut owners = self
                .rules
                .iter()
                .filter(claims)
                .filter_map(|r| self.listed(&r.id, &name).map(|m| (&r.id, m)));
            if let (Some((id, model)), None) = (owners.next(), owners.next()) {
                let remark = Some(format!("{who}: priced as {id}'s own model"));
                return Ok(Found::listed(model, id, false, remark));
            }
        }
        let model = models.first().copied().unwrap_or_default();
        Err(format!("{who}, and no first party alone lists `{model}`"))
    }

    /// Whether a name is that of a provider of the book.
    pub(super) fn knows_provider(&self, name: &str) -> bool {
        self.provider_named(&name.to_lowercase()).is_some()
    }

    fn provider_at(&self, host: &str) -> Option<&ProviderRule> {
        let url = if host.contains("://") { host.to_owned() } else { format!("https://{host}") };
        self.rules.iter().find(|r| r.api_pattern.as_ref().is_some_and(|p| p.is_match(&url)))
    }

    fn provider_named(&self, name: &str) -> Option<&ProviderRule> {
        let with_id = |id: &str| self.rules.iter().chain(&self.unruled).find(|r| *r.id == *id);
        with_id(name).or_else(|| providers::book_id(name).and_then(with_id)).or_else(|| {
            self.rules.iter().find(|r| r.provider_match.as_ref().is_some_and(|c| c.matches(name)))
        })
    }

    fn model_of(&self, rule: &ProviderRule, models: &[&str]) -> Option<Found> {
        let names: Vec<String> = models.iter().flat_map(|m| providers::model_names(m)).collect();
        let own = names.iter().find_map(|n| self.listed(&rule.id, n));
        if let Some(model) = own {
            return Some(Found::listed(model, &rule.id, false, None));
        }
        rule.fallback.iter().find_map(|other| {
            let model = names.iter().find_map(|n| self.listed(other, n))?;
            let remark = Some(format!("{} at the price of {other}", rule.id));
            Some(Found::listed(model, &rule.id, true, remark))
        })
    }

    fn listed(&self, provider: &str, name: &str) -> Option<Arc<Model>> {
        self.models.get(provider)?.iter().find(|m| m.clause.matches(name)).cloned()
    }
}

impl Found {
    /// The sets of its prices in the order in which they win, the user's own (`true`) first.
    pub(super) fn sets(&self) -> impl Iterator<Item = (bool, &PriceSet)> {
        let own = self.own.iter().flat_map(|model| &model.sets).map(|set| (true, set));
        own.chain(self.model.iter().flat_map(|model| &model.sets).map(|set| (false, set)))
    }

    fn listed(
        model: Arc<Model>,
        provider: &Arc<str>,
        resold: bool,
        remark: Option<String>,
    ) -> Found {
        let provider = Some(Arc::clone(provider));
        Found { own: Vec::new(), model: Some(model), provider, resold, remark }
    }
}
