//! Instances that keep running through an update, which launches only what they lack.
//!
//! Like Auto Scaling, which ends no instance because it cannot launch another one.

use std::collections::BTreeMap;

use drstack_core::cloud::CloudError;
use drstack_core::kind::Demand;
use serde_json::Value;

use crate::capacity::{Given, add, allocate, subtract, there};
use crate::effect::Effect;
use crate::state::State;
use crate::world::{Key, Object};

impl Effect<'_> {
    /// Returns the instances that run once `before` has become `after`. Its count is that of the
    /// demand, without spot instances that stay beside an on-demand one.
    pub(crate) fn launched(
        &self,
        state: &State,
        key: &Key,
        spec: &Value,
        before: &Object,
        after: &Value,
    ) -> Result<Given, CloudError> {
        let Some(capacity) = self.kind.capacity() else { return Ok(Given::default()) };
        let demand = self.shaped(capacity.demand(spec))?;
        let bought = self.shaped(capacity.bought(&before.live))?;
        let Some((serving, then)) = bought.zip(self.shaped(capacity.bought(after))?) else {
            return self.instances(state, key, spec);
        };
        let (wanted, serving) = recounted(demand, serving, before);
        let on_demand = on_demand(before, &serving);
        let mut runs = before.runs.clone();
        let (mut count, mut beside) = (serving.count, BTreeMap::new());
        if wanted.on_demand > 0 {
            subtract(&mut runs, &on_demand);
            beside = there(&serving, &runs, serving.spot().min(then.spot())).runs;
            (count, runs) = (serving.on_demand, on_demand.clone());
        }
        let mut others = runs.clone();
        runs.retain(|of, _| wanted.types.contains(of));
        subtract(&mut others, &runs);
        let mut given = there(&wanted, &runs, wanted.count.min(count));
        (given.short, count) = (None, count.saturating_sub(given.count));
        if given.count < wanted.count {
            let mut taken = self.shaped(state.taken(key))?;
            taken.add(&given.runs, &on_demand);
            taken.add(&beside, &BTreeMap::new());
            let rest = wanted.count - given.count;
            let rest = Demand { count: rest, on_demand: wanted.on_demand.min(rest), ..wanted.clone() };
            given.join(allocate(self.config, &key.region, &rest, &taken));
            // Instances of other types make room for those that could be launched.
            let stay = there(&wanted, &others, count.min(wanted.count - given.count));
            let short = given.short.take();
            given.join(Given { short: None, ..stay });
            given.short = short.filter(|_| given.count < wanted.count);
        }
        add(&mut given.runs, &beside);
        Ok(given)
    }
}

/// Returns the demand with a weight for every type that serves, and what serves in these weights.
///
/// Auto Scaling counts running instances by the weights that it is given now. One of a type that is
/// no longer named keeps its weight.
pub(crate) fn recounted(demand: Demand, serving: Demand, object: &Object) -> (Demand, Demand) {
    let mut weights = demand.weights.clone();
    if !weights.is_empty() {
        let others = serving.weights.iter().filter(|(of, _)| !demand.types.contains(of));
        weights.extend(others.map(|(of, weight)| (of.clone(), *weight)));
    }
    let demand = Demand { weights, ..demand };
    if object.runs.keys().all(|of| demand.weight(of) == serving.weight(of)) {
        return (demand, serving);
    }
    let on_demand = on_demand(object, &serving);
    let mut spot = object.runs.clone();
    subtract(&mut spot, &on_demand);
    let spot = there(&serving, &spot, serving.spot()).runs;
    let (on_demand, spot) = (demand.weigh(&on_demand), demand.weigh(&spot));
    let serving = Demand { count: on_demand + spot, on_demand, weights: demand.weights.clone(), ..serving };
    (demand, serving)
}

/// Returns the on-demand instances of `object`, by type. It has `bought` these and others.
pub(crate) fn on_demand(object: &Object, bought: &Demand) -> BTreeMap<String, u32> {
    match &object.exchange {
        Some(exchange) => exchange.on_demand.clone(),
        None => there(bought, &object.runs, bought.on_demand).runs,
    }
}
