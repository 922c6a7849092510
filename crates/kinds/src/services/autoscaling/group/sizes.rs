//! Instance types of other sizes, used when the usual types have no capacity, and their weights.
//!
//! A group with such types counts its capacity in units: Auto Scaling's `WeightedCapacity`, which
//! every override has or none. Sizes, minimum and serving capacity are then units, and one usual
//! instance is [`GroupSpec::unit`] of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{GroupLive, GroupSpec};

/// Types of other sizes and the units of every type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Types of other sizes, in the order in which they are tried.
    pub others: Vec<String>,
    /// Units of an instance of each type, including the usual types.
    pub units: BTreeMap<String, u32>,
}

impl GroupSpec {
    /// Returns the types of the current rung. Usual types that just came short follow the others.
    pub(super) fn types_now(&self) -> Vec<String> {
        let with_others = self.failover.is_some_and(|it| it.rung.has_other_sizes());
        let others = self.sizes.as_ref().filter(|_| with_others).map(|it| it.others.clone());
        others.unwrap_or_default().into_iter().chain(self.types.iter().cloned()).collect()
    }

    /// Returns the units of these types; empty if the group counts instances.
    pub(super) fn weights(&self) -> BTreeMap<String, u32> {
        let Some(sizes) = &self.sizes else { return BTreeMap::new() };
        let units = |of: String| sizes.units.get(&of).map(|units| (of, *units));
        self.types_now().into_iter().filter_map(units).collect()
    }

    /// Returns the units of one usual instance.
    pub(super) fn unit(&self) -> u32 {
        let first = self.types.first().zip(self.sizes.as_ref());
        first.and_then(|(first, sizes)| sizes.units.get(first).copied()).unwrap_or(1).max(1)
    }

    /// Returns the part of `surplus` that can be retired in whole instances of any type.
    pub(super) fn in_whole_instances(&self, surplus: u32) -> u32 {
        let largest = self.weights().into_values().max().unwrap_or(1);
        if surplus < largest { 0 } else { surplus }
    }

    /// Formats an amount of capacity for a message.
    pub(super) fn words(&self, amount: u32) -> String {
        format!("{amount} {}", self.noun())
    }

    /// Returns the unit of counting.
    pub(super) fn noun(&self) -> &'static str {
        if self.unit() == 1 { "instances" } else { "units" }
    }
}

impl GroupLive {
    /// Returns the units of one usual instance: of the last type, because usual types come last.
    pub(super) fn unit(&self) -> u32 {
        self.types.last().and_then(|last| self.weights.get(last).copied()).unwrap_or(1).max(1)
    }
}
