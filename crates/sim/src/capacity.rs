//! Capacity: how many instances a region has to give, and an account may take.

use std::collections::BTreeMap;

use drstack_core::kind::Demand;

use crate::config::SimConfig;

/// Why instances were not to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shortfall {
    /// The region has no more of them; the sentence says how many there are.
    Capacity(String),
    /// The account may not have more of them.
    Quota(String),
}

/// Which instances serve `demand`, best type first, beside those that `taken` of each type run already.
pub(crate) fn allocate(
    config: &SimConfig,
    region: &str,
    demand: &Demand,
    taken: &BTreeMap<String, u32>,
) -> Result<BTreeMap<String, u32>, Shortfall> {
    let spread = |limit: &dyn Fn(&str) -> Option<u32>| {
        let mut given: BTreeMap<String, u32> = BTreeMap::new();
        let mut wanted = demand.count;
        for kind in &demand.types {
            let used = [taken, &given].iter().filter_map(|by_type| by_type.get(kind)).sum();
            let free = limit(kind).map_or(wanted, |limit| limit.saturating_sub(used).min(wanted));
            if free > 0 {
                *given.entry(kind.clone()).or_insert(0) += free;
                wanted -= free;
            }
        }
        if wanted == 0 { Ok(given) } else { Err(demand.count - wanted) }
    };
    let wanted = || format!("{} of {}", demand.count, demand.types.join(", "));
    let capacity = |kind: &str| limit(&config.capacity, kind, region);
    let quota = |kind: &str| limit(&config.quota, kind, region);
    if let Err(there) = spread(&capacity) {
        return Err(Shortfall::Capacity(format!("{} wanted in {region}, {there} to be had", wanted())));
    }
    spread(&|kind| capacity(kind).into_iter().chain(quota(kind)).min()).map_err(|there| {
        Shortfall::Quota(format!("{} wanted in {region}, the account may have {there}", wanted()))
    })
}

/// What the settings say about a type in a region: of the region itself, else of its zones together, else of the type.
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
        Demand { types: vec!["g5.xlarge".to_owned(), "g4dn.xlarge".to_owned()], count, on_demand: 0 }
    }

    #[test]
    fn types_are_filled_in_order_and_zones_add_up() {
        let config = SimConfig::from_toml(
            "capacity = { 'g5.xlarge@us-west-2a' = 2, 'g5.xlarge@us-west-2b' = 3, 'g4dn.xlarge' = 4 }",
        )
        .unwrap();
        let taken = BTreeMap::from([("g5.xlarge".to_owned(), 1)]);
        let given = allocate(&config, "us-west-2", &demand(6), &taken).unwrap();
        assert_eq!(given, BTreeMap::from([("g5.xlarge".to_owned(), 4), ("g4dn.xlarge".to_owned(), 2)]));
        let short = allocate(&config, "us-west-2", &demand(9), &taken).unwrap_err();
        assert_eq!(
            short,
            Shortfall::Capacity("9 of g5.xlarge, g4dn.xlarge wanted in us-west-2, 8 to be had".to_owned())
        );
        // Nothing is said of g5.xlarge in another region.
        assert!(allocate(&config, "eu-west-1", &demand(9), &taken).is_ok());
    }

    #[test]
    fn a_quota_is_told_apart_from_capacity() {
        let config = SimConfig::from_toml("quota = { 'g5.xlarge' = 2, 'g4dn.xlarge' = 2 }").unwrap();
        assert!(allocate(&config, "us-west-2", &demand(4), &BTreeMap::new()).is_ok());
        let short = allocate(&config, "us-west-2", &demand(5), &BTreeMap::new());
        assert!(matches!(short, Err(Shortfall::Quota(_))), "{short:?}");
    }
}
