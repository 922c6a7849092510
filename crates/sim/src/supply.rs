//! What the simulated region offers, and what the account may run there.

use std::collections::BTreeMap;

use drstack_core::supply::{Offer, Quota, Supply, Wanted};

use crate::capacity::{add, is_offered, quota};
use crate::config::SimConfig;
use crate::state::State;

/// Answers what `region` has for `wanted`. A quota of the sim is one for each type, in instances, however they are
/// bought: what a failover retires runs until its successors do.
pub(crate) fn supply(config: &SimConfig, state: &State, region: &str, wanted: &[Wanted]) -> Supply {
    let mut runs: BTreeMap<String, u32> = BTreeMap::new();
    for (_, object) in state.world.all().filter(|(key, _)| key.region == region) {
        add(&mut runs, &object.runs);
    }
    let (mut offers, mut quotas) = (BTreeMap::new(), BTreeMap::new());
    for of in wanted.iter().flat_map(|it| &it.types).filter(|of| is_offered(config, of, region)) {
        let limit = quota(config, of, region);
        let code = limit.map(|_| of.clone());
        let offer = Offer { zones: [region.to_owned()].into(), size: 1, on_demand: code.clone(), spot: code };
        offers.insert(of.clone(), offer);
        quotas.extend(limit.map(|limit| {
            let used = runs.get(of).copied().unwrap_or(0);
            (of.clone(), Quota { name: of.clone(), unit: "instances".to_owned(), limit, used, raise: None })
        }));
    }
    Supply { offers: Some(offers), quotas, ..Supply::default() }
}
