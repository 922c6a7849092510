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
    /// True if the group names them already: then it does on every rung, because an instance whose
    /// type it no longer names would count as one unit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_use: bool,
}

impl GroupSpec {
    /// Returns the types of the current rung. Usual types that just came short follow the others.
    pub(super) fn types_now(&self) -> Vec<String> {
        let on_rung = self.failover.is_some_and(|it| it.rung.has_other_sizes());
        let others = self.sizes.as_ref().filter(|it| on_rung || it.in_use).map(|it| it.others.clone());
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

    /// Returns this failover with the other sizes that `live` names, in the units in which it counts;
    /// none if it names none.
    ///
    /// A failover that is run again starts on the first rung, which has usual types only. What serves
    /// would then count for less than it does, and serving instances would end.
    pub(super) fn counting_as(&self, live: &GroupLive) -> Option<Self> {
        let mut failover = self.failover?;
        let named = |of: &&String| !self.types.contains(of) && live.weights.contains_key(*of);
        let kept: Vec<&String> = live.types.iter().filter(named).collect();
        if kept.is_empty() {
            return None;
        }
        let (own, unit) = (u64::from(self.unit()), u64::from(live.unit()));
        let counted =
            |amount: u32| u32::try_from((u64::from(amount) * unit).div_ceil(own)).unwrap_or(u32::MAX);
        let usual = self.types.iter().map(|of| (of.clone(), live.unit()));
        let mut sizes = Sizes { others: Vec::new(), units: usual.collect(), in_use: true };
        for of in self.sizes.iter().flat_map(|it| &it.others).chain(kept) {
            let named = live.weights.get(of).copied();
            let in_stack = self.sizes.iter().find_map(|it| it.units.get(of).copied());
            let units = named.or(in_stack.filter(|it| u64::from(*it) * unit % own == 0).map(counted));
            if let Some(units) = units.filter(|_| !sizes.others.contains(of)) {
                sizes.others.push(of.clone());
                sizes.units.insert(of.clone(), units);
            }
        }
        failover.minimum = counted(failover.minimum);
        Some(Self {
            sizes: Some(sizes),
            min: counted(self.min),
            max: counted(self.max),
            desired: counted(self.desired),
            failover: Some(failover),
            ..self.clone()
        })
    }

    /// Returns this failover with no less capacity than serves in `live`; none if it wants as much.
    ///
    /// Spot instances that the failover has still to retire are no capacity of it. Those that serve in the
    /// place of what on-demand lacks are: the minimum that the failover set counts them.
    pub(super) fn not_below(&self, live: &GroupLive) -> Option<Self> {
        self.failover?;
        let live = live.counted_for(self);
        let retires = if self.on_demand_percentage == 100 { live.spot } else { 0 };
        let serving = live.in_service();
        let kept = live.desired.min(serving).saturating_sub(retires).max(live.min.min(serving));
        let (min, max) = (self.min.max(live.min.min(kept)), self.max.max(live.max));
        (kept > self.desired).then(|| Self { min, max, desired: kept, ..self.clone() })
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

    /// Returns this group as Auto Scaling counts it once it has the weights of `spec`, which hold for
    /// running instances, too
    /// (<https://docs.aws.amazon.com/autoscaling/ec2/userguide/asg-instance-weighting.html>).
    ///
    /// A pool that names another smaller type has other units. Compared with amounts in the old ones,
    /// a failover would retire instances too early, or launch some for what serves already.
    pub(super) fn counted_for(&self, spec: &GroupSpec) -> Self {
        let (before, after) = (u64::from(self.unit()), u64::from(spec.unit()));
        if before == after {
            return self.clone();
        }
        // A type of another size is a multiple or a fraction of a usual one, and changes with it.
        let counted = |amount: u32| u32::try_from(u64::from(amount) * after / before).unwrap_or(u32::MAX);
        Self {
            types: spec.types_now(),
            weights: spec.weights(),
            desired: counted(self.desired),
            on_demand: counted(self.on_demand),
            spot: counted(self.spot),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use drstack_core::kind::{Capacity, Kind, Readiness, Revised};
    use serde_json::json;

    use super::*;
    use crate::resources::Group;

    /// Returns the failover to 4 instances of a pool whose usual instances count `unit`.
    fn spec(unit: u32) -> GroupSpec {
        let mut spec = json!({
            "name": "g", "template": "lt-1", "template_version": "1", "subnets": [], "types": ["g5.xlarge"],
            "min": 4 * unit, "max": 4 * unit, "desired": 4 * unit, "on_demand_percentage": 100,
            "failover": { "minimum": 2 * unit },
        });
        if unit > 1 {
            spec["sizes"] = json!({ "others": ["g5.large"], "units": { "g5.xlarge": unit, "g5.large": 1 } });
        }
        serde_json::from_value(spec).unwrap()
    }

    fn live(unit: u32, on_demand: u32, spot: u32) -> GroupLive {
        GroupLive { on_demand: on_demand * unit, spot: spot * unit, ..Group::expect(&spec(unit), "g") }
    }

    #[test]
    fn what_serves_counts_the_same_in_other_units() {
        for (before, after) in [(1, 2), (2, 1), (2, 6), (6, 2), (6, 6)] {
            let (spec, case) = (spec(after), format!("{before} to {after}"));
            // Two of four on-demand instances serve: none of the spot ones may go.
            let half = live(before, 2, 3);
            let there = Group::expect_after(&spec, "g", &half);
            assert_eq!(
                (there.on_demand, there.spot, there.desired),
                (4 * after, 3 * after, 7 * after),
                "{case}"
            );
            let there = Group::during(&spec, "g", &half);
            assert_eq!((there.on_demand, there.spot), (2 * after, 3 * after), "{case}");
            assert!(matches!(Group::ready(&spec, &half), Readiness::Waiting(_)), "{case}");
            let asked = GroupLive { desired: 7 * before, ..half };
            assert_eq!(Group::launches(&spec, Some(&asked)), 0, "{case}: 7 are asked for already");
            // All four serve: the spot ones go, and none is launched.
            let whole = live(before, 4, 3);
            assert_eq!(Group::ready(&spec, &whole), Readiness::Ready, "{case}");
            assert_eq!(Group::launches(&spec, Some(&whole)), 0, "{case}");
            let there = Group::expect_after(&spec, "g", &whole);
            assert_eq!((there.on_demand, there.spot, there.desired), (4 * after, 0, 4 * after), "{case}");
        }
    }
}
