//! The graph of wanted resources.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::Address;
use crate::facts::{FactQuery, Facts, Lacking};
use crate::kind::Place;
use crate::link::{Link, targets};

/// One wanted AWS object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// Its address.
    pub address: Address,
    /// Its kind's name.
    pub kind: String,
    /// Where it lives.
    pub place: Place,
    /// The name it is looked up by; `None` for kinds found by tag.
    pub name: Option<String>,
    /// What is wanted, links open.
    pub spec: Value,
    /// Resources that must be live before it, beside those its spec links to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Address>,
    /// The wave of a failover, 1 to 3.
    pub tier: u8,
    /// It is what the answers to its component's questions make of it: without them nothing is changed for it.
    #[serde(skip)]
    pub rests_on_facts: bool,
    /// The answer that it lacks; the plan has no step for it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacking: Option<Lacking>,
    /// What it waits for beside `after`, where it moves traffic.
    #[serde(default, skip_serializing_if = "Waits::is_default")]
    pub waits: Waits,
}

/// What a resource that moves traffic waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Waits {
    /// Restored data, capacity and checks of its tier and of those before it.
    #[default]
    ByTier,
    /// The same but for these addresses: the operator goes without them.
    Except(Vec<String>),
    /// What the stack names, and nothing else.
    Named,
}

impl Waits {
    fn is_default(&self) -> bool {
        *self == Self::ByTier
    }
}

impl Resource {
    /// A resource of kind `K` that is looked up by `name`.
    pub fn named<K: crate::kind::Kind>(
        address: Address,
        place: Place,
        name: impl Into<String>,
        spec: &K::Spec,
    ) -> Self {
        Self { name: Some(name.into()), ..Self::tagged::<K>(address, place, spec) }
    }

    /// A resource of kind `K` that is found by its tag.
    pub fn tagged<K: crate::kind::Kind>(address: Address, place: Place, spec: &K::Spec) -> Self {
        let spec = serde_json::to_value(spec).unwrap_or(Value::Null);
        Self {
            address,
            kind: K::NAME.to_owned(),
            place,
            name: None,
            spec,
            after: Vec::new(),
            tier: 2,
            // What stands outside of the standby region may be somebody else's: nothing there is changed by guess.
            rests_on_facts: place != Place::Standby,
            lacking: None,
            waits: Waits::ByTier,
        }
    }

    /// The same, which is what it is whatever its component's questions are answered.
    #[must_use]
    pub fn whatever_is_answered(self) -> Self {
        Self { rests_on_facts: false, ..self }
    }

    /// The same, which rests on the answer to `query` alone: without one nothing is changed for it.
    #[must_use]
    pub fn resting_on(self, query: &FactQuery, facts: &Facts) -> Self {
        Self { rests_on_facts: false, lacking: facts.lacks(query), ..self }
    }

    /// The same, which the standby region gets by a change of the primary.
    #[must_use]
    pub fn made_through_the_primary(self) -> Self {
        Self { rests_on_facts: true, ..self }
    }

    /// The same, to be made only after `other` is live.
    #[must_use]
    pub fn after(mut self, other: &Address) -> Self {
        self.after.push(other.clone());
        self
    }

    /// Everything that must be live before it, each once, sorted.
    pub fn needs(&self) -> Vec<Address> {
        let mut needs: Vec<Address> = targets(&self.spec).into_iter().filter_map(Address::parse).collect();
        needs.extend(self.after.iter().cloned());
        needs.sort();
        needs.dedup();
        needs
    }

    /// The same as text, in no order, some more than once: for those who only look them up.
    pub(crate) fn needed(&self) -> impl Iterator<Item = &str> {
        targets(&self.spec).into_iter().chain(self.after.iter().map(Address::as_str))
    }
}

/// An output of the resource at `address` as a link list, for exports.
pub fn ids(addresses: &[Address]) -> Vec<Link> {
    addresses.iter().map(Link::id).collect()
}

/// Wanted resources by address. Edges are what [`Resource::needs`] says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    /// The resources.
    pub resources: BTreeMap<Address, Resource>,
}
