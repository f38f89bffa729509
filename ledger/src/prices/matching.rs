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
//! the providers it resells. Where only the requested one is listed, and the served one is no dated
//! version of it, another model served: the call is part-priced, and the quote says so. If no provider is known at all, the model decides alone when exactly
//! one first party claims its name and lists it; the quote then says so. A provider of the tenant's own
//! is known when a `[[provider]]` states it, not by a price of some model alone.

use std::sync::Arc;

use super::book::{CallFacts, PriceBook};
use super::clause::Clause;
use super::genai::ProviderRule;
use super::models::{Model, OwnModel, PriceSet};
use super::own_providers::OwnProvider;
use super::{SHARED_TENANT, providers};

/// The model a call means.
#[derive(Debug, Clone, Default)]
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
    /// The model that served and is not listed, where the requested one stands for it.
    pub(super) stands_for: Option<String>,
}

impl PriceBook {
    /// Finds the model of a call; the error says why there is none.
    pub(super) fn find(&self, facts: &CallFacts<'_>) -> Result<Found, String> {
        let said = facts.provider.map(|p| p.trim().to_lowercase()).filter(|p| !p.is_empty());
        let served = [facts.response_model, facts.request_model];
        let mut models: Vec<&str> =
            served.into_iter().flatten().filter(|m| !m.is_empty()).collect();
        models.dedup();
        if models.is_empty() {
            return Err("unknown model: the call names none".to_owned());
        }
        let candidates = self.candidates(facts, said.as_deref(), &models);
        let listed = self.find_listed(facts, &candidates, said.as_deref(), &models);
        let own = self.find_own(facts, &candidates, said.as_deref(), &models, listed.as_ref().ok());
        match listed {
            Ok(found) if own.is_empty() => Ok(found),
            // What the user states of either is meant.
            Ok(found) => Ok(Found { own, stands_for: None, ..found }),
            Err(_) if !own.is_empty() => Ok(Found { own, ..Found::default() }),
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
        let id = listed.and_then(|found| Some(&found.model.as_ref()?.name));
        // Where the requested model is another one of the book, it is not what was paid for.
        let is_another = |model: &str| {
            let of = |rule: &&ProviderRule| self.model_of(rule, &[model]).and_then(|f| f.model);
            let named = candidates.iter().find_map(of);
            id.is_some() && named.is_some_and(|named| Some(&named.name) != id)
        };
        let meant = models.iter().filter(|model| !is_another(model));
        let names: Vec<String> = meant.flat_map(|m| providers::model_names(m)).collect();
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
        for (model, name) in named(models) {
            let claims =
                |r: &&ProviderRule| r.model_match.as_ref().is_some_and(|c| c.matches(&name));
            let mut owners = self
                .rules
                .iter()
                .filter(claims)
                .filter_map(|r| self.listed(&r.id, &name).map(|m| (&r.id, m)));
            if let (Some((id, listed)), None) = (owners.next(), owners.next()) {
                let remark = Some(format!("{who}: priced as {id}'s own model"));
                let stands_for = stands_for(model, models);
                return Ok(Found { remark, stands_for, ..Found::listed(listed, id) });
            }
        }
        let model = models.first().copied().unwrap_or_default();
        Err(format!("{who}, and no first party alone lists `{model}`"))
    }

    /// Whether a name is that of a provider of the book.
    pub(super) fn knows_provider(&self, name: &str) -> bool {
        self.provider_named(&name.to_lowercase()).is_some()
    }

    /// Whether a provider of the book lists a model that a clause means, itself or as a reseller.
    pub(super) fn lists(&self, provider: &str, clause: &Clause) -> bool {
        let Some(rule) = self.provider_named(provider) else { return false };
        if let Clause::Equals(name) = clause {
            return self.model_of(rule, &[name]).is_some();
        }
        let of = |provider: &Arc<str>| {
            let models = self.models.get(provider).into_iter().flatten();
            models.into_iter().any(|model| clause.matches(&model.name.to_lowercase()))
        };
        of(&rule.id) || rule.fallback.iter().any(of)
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
        let of = |provider: &str| {
            named(models).find_map(|(model, name)| {
                let listed = self.listed(provider, &name)?;
                let stands_for = stands_for(model, models);
                Some(Found { stands_for, ..Found::listed(listed, &rule.id) })
            })
        };
        of(&rule.id).or_else(|| {
            rule.fallback.iter().find_map(|other| {
                let remark = Some(format!("{} at the price of {other}", rule.id));
                Some(Found { resold: true, remark, ..of(other)? })
            })
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

    fn listed(model: Arc<Model>, provider: &Arc<str>) -> Found {
        Found { model: Some(model), provider: Some(Arc::clone(provider)), ..Found::default() }
    }
}

/// The names under which models are looked up, each with the model it is of.
fn named<'m>(models: &'m [&'m str]) -> impl Iterator<Item = (&'m str, String)> {
    models.iter().flat_map(|m| providers::model_names(m).into_iter().map(|name| (*m, name)))
}

/// The served model of a call whose price was found by another, unless it is a version of that.
fn stands_for(found: &str, models: &[&str]) -> Option<String> {
    let served = models.first().filter(|served| **served != found)?;
    let is_version = named(&[served]).any(|(_, served)| {
        providers::model_names(found).iter().any(|name| {
            served.strip_prefix(name.as_str()).is_some_and(|rest| {
                // `-2026-05-01`, `@20260501`, `-0613`, `-v1:0`: no digit of another version, as in `-4`.
                rest.starts_with(['-', '@', ':'])
                    && (rest.bytes().filter(u8::is_ascii_digit).count() >= 4
                        && rest.bytes().all(|b| b.is_ascii_digit() || b"-@:".contains(&b))
                        || rest.starts_with("-v"))
            })
        })
    });
    (!is_version).then(|| (*served).to_owned())
}
