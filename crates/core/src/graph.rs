//! The graph of desired resources.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::{Address, ComponentAddress};
use crate::facts::{FactQuery, Facts, Lacking};
use crate::kind::Place;
use crate::link::{Link, targets};

/// One desired AWS object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// Its address.
    pub address: Address,
    /// Name of its kind.
    pub kind: String,
    /// Place of the resource.
    pub place: Place,
    /// The name that it is looked up by; `None` for kinds found by tag.
    pub name: Option<String>,
    /// Desired spec, with unresolved links.
    pub spec: Value,
    /// Resources that must be live before it, beside those that its spec links to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Address>,
    /// The wave of a failover, 1 to 3.
    pub tier: u8,
    /// True if it depends on captured facts: without them the planner changes nothing for it.
    #[serde(skip)]
    pub rests_on_facts: bool,
    /// The missing fact; if set, the plan has no step for this resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacking: Option<Lacking>,
    /// What it waits for beside `after`, if it moves traffic.
    #[serde(default, skip_serializing_if = "Waits::is_default")]
    pub waits: Waits,
}

impl Resource {
    /// Returns its name in AWS: what it is looked up by, or the name that a kind found by tag has all the same.
    pub fn known_name(&self) -> Option<&str> {
        self.name.as_deref().or_else(|| self.spec.get("name").and_then(Value::as_str))
    }
}

/// Dependencies of a resource that moves traffic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Waits {
    /// Restored data, capacity and checks of its tier and of those before it.
    #[default]
    ByTier,
    /// The same, except for these addresses: the operator does not wait for them.
    Except(Vec<String>),
    /// Only what the stack names.
    Named,
}

impl Waits {
    fn is_default(&self) -> bool {
        *self == Self::ByTier
    }
}

impl Resource {
    /// Creates a resource of kind `K` that is looked up by `name`.
    pub fn named<K: crate::kind::Kind>(
        address: Address,
        place: Place,
        name: impl Into<String>,
        spec: &K::Spec,
    ) -> Self {
        Self { name: Some(name.into()), ..Self::tagged::<K>(address, place, spec) }
    }

    /// Creates a resource of kind `K` that is found by its tag.
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
            // Objects outside the standby region may be foreign: the planner changes nothing there
            // by guess.
            rests_on_facts: place != Place::Standby,
            lacking: None,
            waits: Waits::ByTier,
        }
    }

    /// Marks it as independent of the captured facts.
    #[must_use]
    pub fn whatever_is_answered(self) -> Self {
        Self { rests_on_facts: false, ..self }
    }

    /// Makes it depend on the answer to `query` only: without one the planner changes nothing for
    /// it.
    #[must_use]
    pub fn resting_on(self, query: &FactQuery, facts: &Facts) -> Self {
        Self { rests_on_facts: false, lacking: facts.lacks(query), ..self }
    }

    /// Marks it as created in the standby region by a change of the primary.
    #[must_use]
    pub fn made_through_the_primary(self) -> Self {
        Self { rests_on_facts: true, ..self }
    }

    /// Orders it after `other` is live.
    #[must_use]
    pub fn after(mut self, other: &Address) -> Self {
        self.after.push(other.clone());
        self
    }

    /// Returns all that must be live before it, sorted and without duplicates.
    pub fn needs(&self) -> Vec<Address> {
        let mut needs: Vec<Address> = targets(&self.spec).into_iter().filter_map(Address::parse).collect();
        needs.extend(self.after.iter().cloned());
        needs.sort();
        needs.dedup();
        needs
    }

    /// Returns the same as text, unordered and with duplicates: for callers that only look them up.
    pub fn needed(&self) -> impl Iterator<Item = &str> {
        targets(&self.spec).into_iter().chain(self.after.iter().map(Address::as_str))
    }
}

/// Returns the ids of the resources at `addresses` as a link list, for exports.
pub fn ids(addresses: &[Address]) -> Vec<Link> {
    addresses.iter().map(Link::id).collect()
}

/// Desired resources by address. [`Resource::needs`] gives the edges.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    /// The resources.
    pub resources: BTreeMap<Address, Resource>,
    /// What their components were called before, new by old address.
    #[serde(skip)]
    pub moved: BTreeMap<ComponentAddress, ComponentAddress>,
}

impl FromIterator<Resource> for Graph {
    fn from_iter<I: IntoIterator<Item = Resource>>(resources: I) -> Self {
        let by_address = resources.into_iter().map(|it| (it.address.clone(), it));
        Self { resources: by_address.collect(), ..Self::default() }
    }
}
