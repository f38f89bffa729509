//! Which model a call means, and so which prices: finds its provider by host, name and prefix, then its
//! model, among the tenant's own prices and the book's. Takes the facts of a call, gives the models
//! whose prices may hold for it; which of them wins is written at the top of `book`.
//!
//! How a call finds its model. Candidates for the provider, in this order:
//! 1. the provider whose API answers at `server_address`: the host is who bills, while several
//!    providers are reached through one client that calls them all `openai`;
//! 2. the provider the client names: a book id, then a known spelling (`providers`), then the
//!    book's `provider_match` clauses in its order;
//! 3. if the named one is unknown, the prefix of the model's name: `azure/gpt-4o`.
//!
//! The tenant's own providers (`own_providers`) are asked before the book's, and one that is known by
//! its host is the only candidate.
//!
//! For each candidate the served model is looked up, then the requested one, each under the
//! names of `providers::model_names`, first among the provider's own models, then among those of
//! the providers it resells. If no provider is known at all, the model decides alone when exactly
//! one first party claims its name and lists it; the quote then says so. A provider of the tenant's own
//! is known when a `[[provider]]` states it, not by a price of some model alone.

use std::sync::Arc;

use super::book::{CallFacts, PriceBook};
use super::genai::ProviderRule;
use super::models::{Model, OwnModel, PriceSet};
use super::own_providers::OwnProvider;
use super::{SHARED_TENANT, providers};

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
    /// Finds the model of a call; the error says why there is none.
    pub(super) fn find(&self, facts: &CallFacts<'_>) -> Result<Found, String> {
        let said = facts.provider.map(|p| p.trim().to_lowercase()).filter(|p| !p.is_empty());
        let served = [facts.response_model, facts.request_model];
        let models: Vec<&str> = served.into_iter().flatten().filter(|m| !m.is_empty()).collect();
        if models.is_empty() {
            return Err("unknown model: the call names none".to_owned());
        }
        let candidates = self.candidates(facts, said.as_deref(), &models);
        let listed = self.find_listed(facts, &candidates, said.as_deref(), &models);
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
        let own = facts
            .server_address
            .and_then(|host| self.own_providers(facts).find(|own| own.at(host)));
        if let Some(own) = own {
            // Whatever the client calls what it speaks to: it is theirs.
            return vec![&own.rule];
        }
        let mut candidates: Vec<&ProviderRule> = Vec::new();
        candidates.extend(facts.server_address.and_then(|host| self.provider_at(host)));
        match said.and_then(|name| self.provider_said(facts, name)) {
            Some(rule) if candidates.iter().any(|c| c.id == rule.id) => {}
            Some(rule) => candidates.push(rule),
            None => {
                let prefix = models.iter().find_map(|m| m.split_once('/').map(|(p, _)| p));
                let named = prefix.and_then(|p| self.provider_said(facts, &p.to_lowercase()));
                candidates.extend(named.filter(|_| candidates.is_empty()));
            }
        }
        candidates
    }

    fn find_listed(
        &self,
        facts: &CallFacts<'_>,
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
        let mut known = candidates.iter().filter(|rule| self.answers_for_itself(facts, rule));
        let (Some(rule), model) = (known.next(), models.first().copied().unwrap_or_default())
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

    /// The providers of a call's tenant.
    fn own_providers(&self, facts: &CallFacts<'_>) -> impl Iterator<Item = &OwnProvider> {
        let ours = |own: &&OwnProvider| {
            &*own.tenant == SHARED_TENANT || Some(&*own.tenant) == facts.tenant
        };
        self.own_providers.iter().filter(ours)
    }

    /// Whether a price that it does not have is not looked for elsewhere.
    fn answers_for_itself(&self, facts: &CallFacts<'_>, rule: &ProviderRule) -> bool {
        let of_book = |known: &ProviderRule| known.id == rule.id;
        self.rules.iter().any(of_book)
            || self.unruled.iter().any(of_book)
            || self.own_providers(facts).any(|own| own.declared && own.rule.id == rule.id)
    }

    fn provider_at(&self, host: &str) -> Option<&ProviderRule> {
        let url = if host.contains("://") { host.to_owned() } else { format!("https://{host}") };
        self.rules.iter().find(|r| r.api_pattern.as_ref().is_some_and(|p| p.is_match(&url)))
    }

    /// The provider of a name in lower case: the tenant's own, else the book's.
    fn provider_said(&self, facts: &CallFacts<'_>, name: &str) -> Option<&ProviderRule> {
        let own = self.own_providers(facts).find(|own| own.named(name)).map(|own| &own.rule);
        own.or_else(|| self.provider_named(name))
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

    pub(super) fn listed(&self, provider: &str, name: &str) -> Option<Arc<Model>> {
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
