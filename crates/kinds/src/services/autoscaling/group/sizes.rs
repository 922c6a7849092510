//! Types of other sizes, for the day on which the usual ones are not to be had, and what an instance of each counts.
//!
//! A group with such types counts its capacity in units: Auto Scaling's `WeightedCapacity`, which every override has or none. Sizes, the
//! minimum and what serves are units then, and one usual instance is [`GroupSpec::unit`] of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{GroupLive, GroupSpec};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Types of other sizes, in the order in which they are tried.
    pub others: Vec<String>,
    /// Units that an instance of each type counts, the usual types included.
    pub units: BTreeMap<String, u32>,
}

impl GroupSpec {
    /// Types on the rung it stands on. Usual types that just came short stand behind the others.
    pub(super) fn types_now(&self) -> Vec<String> {
        let with_others = self.failover.is_some_and(|it| it.rung.has_other_sizes());
        let others = self.sizes.as_ref().filter(|_| with_others).map(|it| it.others.clone());
        others.unwrap_or_default().into_iter().chain(self.types.iter().cloned()).collect()
    }

    /// Units of these types; empty where instances are counted.
    pub(super) fn weights(&self) -> BTreeMap<String, u32> {
        let Some(sizes) = &self.sizes else { return BTreeMap::new() };
        let units = |of: String| sizes.units.get(&of).map(|units| (of, *units));
        self.types_now().into_iter().filter_map(units).collect()
    }

    /// Units of one usual instance.
    pub(super) fn unit(&self) -> u32 {
        let first = self.types.first().zip(self.sizes.as_ref());
        first.and_then(|(first, sizes)| sizes.units.get(first).copied()).unwrap_or(1).max(1)
    }

    /// Of `surplus` units, those that go by whole instances, whichever these are.
    pub(super) fn in_whole_instances(&self, surplus: u32) -> u32 {
        let largest = self.weights().into_values().max().unwrap_or(1);
        if surplus < largest { 0 } else { surplus }
    }

    /// An amount of capacity as people say it.
    pub(super) fn words(&self, amount: u32) -> String {
        format!("{amount} {}", self.noun())
    }

    /// What is counted.
    pub(super) fn noun(&self) -> &'static str {
        if self.unit() == 1 { "instances" } else { "units" }
    }
}

impl GroupLive {
    /// Units of one usual instance: of the last type, behind which no other stands.
    pub(super) fn unit(&self) -> u32 {
        self.types.last().and_then(|last| self.weights.get(last).copied()).unwrap_or(1).max(1)
    }
}
