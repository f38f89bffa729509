//! What a resource says about all its items: service, host and owners, the environment among them. Takes its
//! attributes once per group; gives the facts that items inherit.

use std::borrow::Cow;

use spanledger_schemas::semconv;

use super::facts::{Reading, is_nothing, text_of};
use super::names::{Fact, Meaning};
use super::{Names, Normalised};
use crate::decode::{Resource, Value};

/// What a resource says about all its items; worked out once per group.
#[derive(Debug, Default)]
pub struct ResourceFacts<'a> {
    /// `service.name`
    pub service_name: Option<Cow<'a, str>>,
    /// `service.version`
    pub service_version: Option<Cow<'a, str>>,
    /// `host.name`
    pub host: Option<Cow<'a, str>>,
    /// Owners, in the order of [`INHERITED`].
    owners: [Option<Owner<'a>>; INHERITED.len()],
    /// Number of the set of the keys that named them.
    shape: u64,
}

#[derive(Debug, Clone)]
struct Owner<'a> {
    key: &'a str,
    rank: u8,
    value: Option<Cow<'a, str>>,
}

/// What an item inherits where it says nothing itself.
const INHERITED: [Fact; 8] = [
    Fact::Environment,
    Fact::Region,
    Fact::Agent,
    Fact::Workflow,
    Fact::Team,
    Fact::User,
    Fact::Session,
    Fact::Feature,
];

fn place(fact: Fact) -> Option<usize> {
    INHERITED.iter().position(|f| *f == fact)
}

impl<'a> ResourceFacts<'a> {
    /// The facts of a resource.
    pub fn of(names: &Names, resource: &Resource<'a>) -> Self {
        let named = |key: &str| {
            resource.attributes.iter().find(|a| a.key == key).and_then(|a| text_of(a.value))
        };
        let mut facts = Self {
            service_name: named(semconv::SERVICE_NAME),
            service_version: named(semconv::SERVICE_VERSION),
            host: named("host.name"),
            ..Self::default()
        };
        for attribute in &resource.attributes {
            let Some(Meaning::Fact(fact, rank, number)) = names.plain.find(attribute.key) else {
                continue;
            };
            let Some(place) = place(fact) else { continue };
            // As on an item: what says nothing hides no name of a lower rank.
            if matches!(attribute.value, Value::Text(t) if is_nothing(fact, t)) {
                continue;
            }
            let best = &mut facts.owners[place];
            if best.as_ref().is_none_or(|known| rank < known.rank) {
                let value = text_of(attribute.value);
                *best = Some(Owner { key: attribute.key, rank, value });
                facts.shape = facts.shape.rotate_left(9) ^ u64::from(number);
            }
        }
        facts
    }

    /// The attribute that says the environment, if its value is one.
    pub fn environment_key(&self) -> Option<&'a str> {
        let owner = self.owners[place(Fact::Environment)?].as_ref()?;
        owner.value.as_ref().map(|_| owner.key)
    }

    /// An owner.
    pub(super) fn owner(&self, fact: Fact) -> Option<Cow<'a, str>> {
        self.owners[place(fact)?].as_ref()?.value.clone()
    }

    /// Which owners an item took from the resource.
    pub(super) fn inherited(
        &self,
        said: &Reading<'_, '_>,
        normal: &Normalised<'_>,
    ) -> Inherited<'_, 'a> {
        let filled = [
            normal.environment.is_some(),
            normal.region.is_some(),
            normal.agent.is_some(),
            normal.workflow.is_some(),
            normal.team.is_some(),
            normal.user.is_some(),
            normal.session.is_some(),
            normal.feature.is_some(),
        ];
        let taken = |i: usize| filled[i] && !said.is_told(INHERITED[i]);
        let bits = (0..INHERITED.len()).filter(|i| taken(*i)).map(|i| 1 << i).sum();
        Inherited { resource: self, bits }
    }
}

/// The owners that come from the resource.
#[derive(Debug)]
pub(super) struct Inherited<'r, 'a> {
    resource: &'r ResourceFacts<'a>,
    bits: u64,
}

impl<'a> Inherited<'_, 'a> {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.bits == 0
    }

    /// Number of the set of attributes behind them.
    pub(super) fn key(&self) -> u64 {
        if self.bits == 0 { 0 } else { self.resource.shape << 8 | self.bits }
    }

    /// The attribute behind an owner.
    pub(super) fn of(&self, fact: Fact) -> Option<&'a str> {
        let place = place(fact).filter(|place| self.bits & (1 << place) != 0)?;
        Some(self.resource.owners[place].as_ref()?.key)
    }
}
