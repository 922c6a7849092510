//! Capacity: how many instances a region has available, and an account may run.

use std::collections::BTreeMap;

use drstack_core::kind::{Demand, Limit, Shortage};

use crate::config::SimConfig;

/// The instances that serve a demand.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Given {
    /// Number of instances by type.
    pub(crate) runs: BTreeMap<String, u32>,
    /// Their total weight, as far as the demand wants it.
    pub(crate) count: u32,
    /// Why there are fewer than demanded.
    pub(crate) short: Option<Shortage>,
}

impl Given {
    /// Adds `more`, whose shortage counts from then on.
    pub(crate) fn join(&mut self, more: Self) {
        add(&mut self.runs, &more.runs);
        (self.count, self.short) = (self.count + more.count, more.short);
    }
}

/// Instances that run already, by type.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Taken {
    /// All of them, however they were bought.
    pub(crate) all: BTreeMap<String, u32>,
    /// On-demand instances, which take no spot capacity: those in `all`, and those of the
    /// requesting resource that keep serving.
    pub(crate) on_demand: BTreeMap<String, u32>,
}

impl Taken {
    /// Adds these instances.
    pub(crate) fn add(&mut self, all: &BTreeMap<String, u32>, on_demand: &BTreeMap<String, u32>) {
        add(&mut self.all, all);
        add(&mut self.on_demand, on_demand);
    }
}

/// Adds the instances of each type.
pub(crate) fn add(to: &mut BTreeMap<String, u32>, more: &BTreeMap<String, u32>) {
    for (of, count) in more {
        *to.entry(of.clone()).or_insert(0) += count;
    }
}

/// Subtracts `less`.
pub(crate) fn subtract(from: &mut BTreeMap<String, u32>, less: &BTreeMap<String, u32>) {
    for (of, count) in less {
        if let Some(left) = from.get_mut(of) {
            *left = left.saturating_sub(*count);
        }
    }
    from.retain(|_, left| *left > 0);
}

/// Chooses the instances that serve `demand`, best type first, beside those that already run.
pub(crate) fn allocate(config: &SimConfig, region: &str, demand: &Demand, taken: &Taken) -> Given {
    let spread = |limit: &dyn Fn(&str) -> Option<u32>| {
        let mut given: BTreeMap<String, u32> = BTreeMap::new();
        let mut wanted = demand.count;
        for kind in &demand.types {
            let used = [&taken.all, &given].iter().filter_map(|by_type| by_type.get(kind)).sum();
            let weight = demand.weight(kind);
            let most = wanted.div_ceil(weight);
            let free = limit(kind).map_or(most, |limit| limit.saturating_sub(used).min(most));
            if free > 0 {
                *given.entry(kind.clone()).or_insert(0) += free;
                wanted = wanted.saturating_sub(free.saturating_mul(weight));
            }
        }
        (given, demand.count - wanted)
    };
    let wanted = || format!("{} of {}", demand.count, demand.types.join(", "));
    let capacity = |kind: &str| {
        let on_demand = limit(&config.on_demand, kind, region).filter(|_| demand.on_demand > 0);
        let spot = limit(&config.spot, kind, region).filter(|_| demand.on_demand == 0);
        let beside = taken.on_demand.get(kind).copied().unwrap_or(0);
        let spot = spot.map(|most| most.saturating_add(beside));
        let offered = (!is_offered(config, kind, region)).then_some(0);
        limit(&config.capacity, kind, region).into_iter().chain(on_demand).chain(spot).chain(offered).min()
    };
    let (_, there) = spread(&capacity);
    let (runs, got) = spread(&|kind| capacity(kind).into_iter().chain(quota(config, kind, region)).min());
    let short = match (there < demand.count, got < demand.count) {
        (true, _) => {
            let message = format!("{} wanted in {region}, {there} to be had", wanted());
            Some(Shortage { limit: Limit::Capacity, message })
        }
        (false, true) => {
            let message = format!("{} wanted in {region}, the account may have {got}", wanted());
            Some(Shortage { limit: Limit::Quota, message })
        }
        (false, false) => None,
    };
    Given { runs, count: got, short }
}

/// True if the region offers the type.
pub(crate) fn is_offered(config: &SimConfig, kind: &str, region: &str) -> bool {
    ![kind, &format!("{kind}@{region}")].iter().any(|it| config.not_offered.contains(*it))
}

/// Returns how many instances of a type the account may run in a region.
pub(crate) fn quota(config: &SimConfig, kind: &str, region: &str) -> Option<u32> {
    limit(&config.quota, kind, region)
}

/// Returns the instances among `runs` that make up `count`, best type first.
pub(crate) fn there(wanted: &Demand, runs: &BTreeMap<String, u32>, count: u32) -> Given {
    let mut types = wanted.types.clone();
    types.extend(runs.keys().filter(|of| !wanted.types.contains(of)).cloned());
    let runs = types.iter().map(|of| (of.clone(), runs.get(of).copied().unwrap_or(0)));
    let there = SimConfig { capacity: runs.collect(), ..SimConfig::default() };
    allocate(&there, "", &Demand { types, count, on_demand: 0, ..wanted.clone() }, &Taken::default())
}

/// Returns the limit of a type in a region: that of the region, otherwise the sum of its zones,
/// otherwise that of the type.
fn limit(limits: &BTreeMap<String, u32>, kind: &str, region: &str) -> Option<u32> {
    if let Some(limit) = limits.get(&format!("{kind}@{region}")) {
        return Some(*limit);
    }
    let zone = format!("{kind}@{region}");
    let zones: Vec<u32> = limits.iter().filter(|(key, _)| key.starts_with(&zone)).map(|(_, n)| *n).collect();
    if zones.is_empty() { limits.get(kind).copied() } else { Some(zones.iter().sum()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(count: u32) -> Demand {
        let types = vec!["g5.xlarge".to_owned(), "g4dn.xlarge".to_owned()];
        Demand { types, weights: BTreeMap::new(), count, on_demand: 0 }
    }

    #[test]
    fn types_are_filled_in_order_and_zones_add_up() {
        let config = SimConfig::from_toml(
            "capacity = { 'g5.xlarge@us-west-2a' = 2, 'g5.xlarge@us-west-2b' = 3, 'g4dn.xlarge' = 4 }",
        )
        .unwrap();
        let taken = Taken { all: BTreeMap::from([("g5.xlarge".to_owned(), 1)]), ..Taken::default() };
        let given = allocate(&config, "us-west-2", &demand(6), &taken);
        assert_eq!(given.runs, BTreeMap::from([("g5.xlarge".to_owned(), 4), ("g4dn.xlarge".to_owned(), 2)]));
        assert_eq!(given.short, None);
        let given = allocate(&config, "us-west-2", &demand(9), &taken);
        let short = given.short.clone().unwrap();
        assert_eq!((short.limit, given.count), (Limit::Capacity, 8));
        assert_eq!(short.message, "9 of g5.xlarge, g4dn.xlarge wanted in us-west-2, 8 to be had");
        // There is no limit for g5.xlarge in another region.
        assert_eq!(allocate(&config, "eu-west-1", &demand(9), &taken).short, None);
    }

    #[test]
    fn on_demand_may_be_shorter_than_the_rest() {
        let config = SimConfig::from_toml("on_demand = { 'g5.xlarge' = 1, 'g4dn.xlarge' = 0 }").unwrap();
        let none = Taken::default();
        let on_demand = Demand { on_demand: 4, ..demand(4) };
        assert_eq!(allocate(&config, "us-west-2", &on_demand, &none).count, 1);
        assert_eq!(allocate(&config, "us-west-2", &demand(4), &none).count, 4);
    }

    #[test]
    fn spot_may_be_shorter_than_the_rest_and_on_demand_instances_take_none_of_it() {
        let config = SimConfig::from_toml("spot = { 'g5.xlarge' = 2, 'g4dn.xlarge@us-west-2' = 0 }").unwrap();
        let on_demand = Demand { on_demand: 4, ..demand(4) };
        assert_eq!(allocate(&config, "us-west-2", &on_demand, &Taken::default()).count, 4);
        assert_eq!(allocate(&config, "us-west-2", &demand(4), &Taken::default()).count, 2);
        let by_type = |count| BTreeMap::from([("g5.xlarge".to_owned(), count)]);
        let taken = Taken { all: by_type(4), on_demand: by_type(3) };
        assert_eq!(allocate(&config, "us-west-2", &demand(4), &taken).count, 1);
    }

    #[test]
    fn a_larger_type_counts_for_several() {
        let config = SimConfig::from_toml("capacity = { 'g5.xlarge' = 3, 'g4dn.xlarge' = 2 }").unwrap();
        let weighted =
            |count| Demand { weights: BTreeMap::from([("g4dn.xlarge".to_owned(), 4)]), ..demand(count) };
        let given = |count| allocate(&config, "us-west-2", &weighted(count), &Taken::default());
        // One more than wanted, since an instance cannot be split.
        assert_eq!((given(10).runs["g4dn.xlarge"], given(10).count, given(10).short), (2, 10, None));
        assert_eq!((given(12).count, given(12).short.map(|it| it.limit)), (11, Some(Limit::Capacity)));
    }

    #[test]
    fn a_quota_is_told_apart_from_capacity() {
        let config = SimConfig::from_toml("quota = { 'g5.xlarge' = 2, 'g4dn.xlarge' = 2 }").unwrap();
        let short = |count| allocate(&config, "us-west-2", &demand(count), &Taken::default()).short;
        assert_eq!(short(4), None);
        assert_eq!(short(5).map(|it| it.limit), Some(Limit::Quota));
    }
}
