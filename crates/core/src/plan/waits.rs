//! Order of a failover: data, capacity, checks, traffic, within a tier and the tiers before it.
//!
//! The order follows from the properties of the kinds.

use std::collections::{BTreeMap, BTreeSet};

use super::order;
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::graph::{Graph, Resource, Waits};
use crate::kind::{DynKind, KindRegistry, Place};

/// Phase of a failover that a resource belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// It holds data.
    Data,
    /// It runs instances.
    Capacity,
    /// It is a check, which must hold before anything counts as up.
    Check,
    /// It moves traffic.
    Traffic,
}

impl Part {
    /// Returns the phase of a resource of `kind` at `place`; `None` if it has none.
    pub fn of(kind: &'static dyn DynKind, place: Place) -> Option<Self> {
        if kind.traffic().is_some() {
            return Some(Self::Traffic);
        }
        if place != Place::Standby {
            return None;
        }
        if kind.check().is_some() {
            return Some(Self::Check);
        }
        if kind.capacity().is_some() {
            return Some(Self::Capacity);
        }
        kind.role().holds_data().then_some(Self::Data)
    }
}

/// Phases of the resources of a graph in mode active.
#[derive(Debug)]
pub struct Order<'a> {
    /// Resources that move traffic, and those that must come after it, such as the check that
    /// traffic arrives.
    traffic: Vec<&'a Resource>,
    /// What traffic waits for, by tier.
    before: BTreeMap<u8, Vec<(&'a Address, Part)>>,
}

impl<'a> Order<'a> {
    /// Computes the order of `graph`.
    pub fn of(graph: &'a Graph, kinds: &KindRegistry) -> Self {
        let mut order = Self { traffic: Vec::new(), before: BTreeMap::new() };
        // Traffic does not wait for resources that themselves come after traffic.
        let mut later: BTreeSet<&str> = BTreeSet::new();
        for resource in order::topological(graph) {
            let Some(kind) = kinds.get(&resource.kind) else { continue };
            let part = Part::of(kind, resource.place);
            let is_later = resource.needed().any(|need| later.contains(need));
            if part == Some(Part::Traffic) || is_later {
                later.insert(resource.address.as_str());
            }
            match part {
                Some(Part::Traffic) => order.traffic.push(resource),
                Some(part) if !is_later => {
                    order.before.entry(resource.tier).or_default().push((&resource.address, part));
                }
                _ => {}
            }
        }
        order
    }

    /// Returns the resources that move traffic.
    pub fn traffic(&self) -> impl Iterator<Item = &'a Resource> + '_ {
        self.traffic.iter().copied()
    }

    /// Returns all resources that traffic may have to wait for.
    pub fn all(&self) -> impl Iterator<Item = (&'a Address, Part)> + '_ {
        self.before.values().flatten().copied()
    }

    /// Returns what `resource`, which moves traffic, waits for beside its needs in the graph.
    pub fn before(&self, resource: &'a Resource) -> impl Iterator<Item = (&'a Address, Part)> + '_ {
        let tiers = match resource.waits {
            Waits::Named => 0,
            Waits::ByTier | Waits::Except(_) => resource.tier,
        };
        let of_tiers = self.before.range(..=tiers).flat_map(|(_, all)| all.iter().copied());
        of_tiers.filter(|(address, _)| !resource.goes_without(address))
    }
}

impl Resource {
    /// True if it may move although `address` is not up.
    pub(crate) fn goes_without(&self, address: &Address) -> bool {
        match &self.waits {
            Waits::Except(names) => names.iter().any(|name| address.is_within(name)),
            Waits::ByTier | Waits::Named => false,
        }
    }
}

/// Lets the traffic resources of `graph` move without waiting for `names`.
pub fn go_without(graph: &mut Graph, kinds: &KindRegistry, names: &[String]) {
    if names.is_empty() {
        return;
    }
    let is_traffic = |it: &&mut Resource| kinds.get(&it.kind).is_some_and(|kind| kind.traffic().is_some());
    for resource in graph.resources.values_mut().filter(is_traffic) {
        let component = resource.address.component();
        let own = |it: &Address| it.component() == component;
        resource.after.retain(|it| own(it) || !names.iter().any(|name| it.is_within(name)));
        if resource.waits == Waits::ByTier {
            resource.waits = Waits::Except(names.to_vec());
        }
    }
}
