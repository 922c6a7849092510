//! Exchange of on-demand instances for spot ones, one by one, as Auto Scaling does it: launch
//! before terminate.
//!
//! If no more spot capacity is available, the exchange stops and the remaining instances keep
//! serving.

use std::collections::BTreeMap;

use drstack_core::cloud::CloudError;
use drstack_core::kind::{Demand, DynCapacity, ShapeError};
use serde_json::Value;

use crate::capacity::{Given, Taken, allocate, subtract, there};
use crate::config::{SimConfig, millis};
use crate::effect::{Effect, LETTING_GO};
use crate::keep::{on_demand, recounted};
use crate::state::State;
use crate::world::{Change, Exchange, Key, Object};

/// Limit of instances in an exchange: no group has so many, and a damaged world would otherwise
/// loop forever on opening.
const MOST: u32 = 100_000;

/// An update from on-demand to spot.
pub(crate) struct Swap {
    /// Live value before the first exchange.
    pub(crate) after: Value,
    pub(crate) given: Given,
    /// True if fewer instances serve than desired.
    pub(crate) launches: bool,
    pub(crate) exchange: Exchange,
}

impl Effect<'_> {
    /// Plans an update that wants fewer on-demand instances than serve, with what stays on-demand
    /// at first.
    ///
    /// Serving instances are kept, except for surplus ones.
    pub(crate) fn swap(
        &self,
        state: &State,
        key: &Key,
        spec: &Value,
        before: &Object,
        after: &Value,
    ) -> Result<Option<Swap>, CloudError> {
        let Some(capacity) = self.kind.capacity() else { return Ok(None) };
        let demand = self.shaped(capacity.demand(spec))?;
        let serving = self.shaped(capacity.bought(&before.live))?;
        let Some((serving, then)) = serving.zip(self.shaped(capacity.bought(after))?) else {
            return Ok(None);
        };
        let (mut wanted, serving) = recounted(demand, serving, before);
        let spot = serving.spot().min(then.spot());
        let on_demand = serving.on_demand.min(then.count - spot);
        if on_demand <= then.on_demand {
            return Ok(None);
        }
        wanted.count = then.count;
        let launches = serving.count < then.count;
        let mut given = there(&wanted, &before.runs, then.count);
        given = Given { count: serving.count.min(then.count), short: None, ..given };
        let on_demand_runs = least_wanted(&wanted, &given.runs, on_demand);
        if launches {
            let mut taken = self.shaped(state.taken(key))?;
            taken.add(&given.runs, &on_demand_runs);
            let rest = Demand { count: then.count - given.count, on_demand: 0, ..wanted.clone() };
            given.join(allocate(self.config, &key.region, &rest, &taken));
        }
        let after = self.shaped(capacity.exchanged(after, on_demand, then.count - on_demand))?;
        let exchange = Exchange { next: 0, takes: 0, wanted, on_demand: on_demand_runs };
        Ok(Some(Swap { after, given, launches, exchange }))
    }
}

impl State {
    /// Returns the instances of others in the region of `key`. Skips the count if nothing is
    /// limited.
    pub(crate) fn taken(&self, key: &Key) -> Result<Taken, ShapeError> {
        let SimConfig { capacity, on_demand, spot, quota, .. } = &self.terms.config;
        let mut taken = Taken::default();
        if [capacity, on_demand, spot, quota].iter().all(|limits| limits.is_empty()) {
            return Ok(taken);
        }
        for (other, object) in self.world.all() {
            if other.region != key.region || other == *key || object.runs.is_empty() {
                continue;
            }
            let on_demand = match spot.is_empty() {
                true => BTreeMap::new(),
                false => self.on_demand(&other, object)?,
            };
            taken.add(&object.runs, &on_demand);
        }
        Ok(taken)
    }

    /// Returns its on-demand instances by type, with those that are being launched.
    fn on_demand(&self, key: &Key, object: &Object) -> Result<BTreeMap<String, u32>, ShapeError> {
        let kind = self.terms.kinds.get(&key.kind);
        let live = object.then.as_ref().unwrap_or(&object.live);
        let bought = kind.map(|kind| kind.bought(live)).transpose()?.flatten();
        Ok(bought.map(|it| on_demand(object, &it)).unwrap_or_default())
    }

    /// Resumes stopped exchanges, if possible after a change.
    pub(crate) fn wake(&mut self, now: u64) {
        for key in std::mem::take(&mut self.stuck) {
            let Some(object) = self.world.get(&key).cloned() else { continue };
            if let Some(exchange) = object.exchange.clone() {
                let next = now.saturating_add(exchange.takes);
                self.go_on(key, object, Exchange { next, ..*exchange });
            }
        }
    }

    /// Performs the step of an exchange that is due now, if any.
    pub(crate) fn exchange(&mut self, at: u64, key: &Key) {
        let Some(object) = self.world.get(key) else { return };
        let Some(exchange) = object.exchange.clone().filter(|it| it.next == at) else { return };
        let mut object = object.clone();
        if object.then.is_some() {
            // Other work on it comes first.
            let next = object.ready.saturating_add(exchange.takes);
            return self.go_on(key.clone(), object, Exchange { next, ..*exchange });
        }
        let Some(capacity) = self.terms.kinds.get(&key.kind).and_then(|kind| kind.capacity()) else { return };
        match self.step(capacity, key, &mut object, *exchange) {
            Ok(Step::Done(exchange)) => {
                self.go_on(key.clone(), object, exchange);
                self.wake(at);
            }
            Ok(Step::Last) => {
                self.world.apply(Change::Put { key: key.clone(), object: Box::new(object) });
                self.wake(at);
            }
            Ok(Step::Stuck(exchange)) => {
                object.exchange = Some(Box::new(Exchange { next: self.world.age, ..exchange }));
                self.world.apply(Change::Put { key: key.clone(), object: Box::new(object) });
                self.stuck.insert(key.clone());
            }
            // The next reader gets the same error.
            Err(error) => {
                tracing::warn!(target: "drstack", %error, "{} is not exchanged any further", key.id);
            }
        }
    }

    /// Terminates a surplus on-demand instance, or else launches a spot one.
    fn step(
        &self,
        capacity: &dyn DynCapacity,
        key: &Key,
        object: &mut Object,
        mut exchange: Exchange,
    ) -> Result<Step, ShapeError> {
        let bought = capacity.bought(&object.live)?;
        let (spot, on_demand) = bought.map_or((0, 0), |it| (it.spot(), it.on_demand));
        // All of a spot instance takes the place of others, also what it has beyond the lack that it
        // was launched for.
        let mut spot_runs = object.runs.clone();
        subtract(&mut spot_runs, &exchange.on_demand);
        let spot = spot.max(exchange.wanted.weigh(&spot_runs));
        let over = spot.saturating_add(on_demand).saturating_sub(exchange.wanted.count);
        if on_demand > MOST {
            return Ok(Step::Stuck(exchange));
        }
        if let Some(weight) = exchange.ends(over, on_demand, &mut object.runs) {
            let on_demand = on_demand.saturating_sub(weight);
            object.live = capacity.exchanged(&object.live, on_demand, spot)?;
            if on_demand > 0 {
                exchange.next = exchange.next.saturating_add(exchange.takes);
                return Ok(Step::Done(exchange));
            }
        } else if on_demand > 0 {
            let one = Demand { count: 1, on_demand: 0, ..exchange.wanted.clone() };
            let mut taken = self.taken(key)?;
            taken.add(&object.runs, &exchange.on_demand);
            let Some((of, _)) = allocate(&self.terms.config, &key.region, &one, &taken).runs.pop_first()
            else {
                return Ok(Step::Stuck(exchange));
            };
            let spot = spot.saturating_add(exchange.wanted.weight(&of));
            object.live = capacity.exchanged(&object.live, on_demand, spot)?;
            *object.runs.entry(of).or_insert(0) += 1;
            exchange.next = exchange.next.saturating_add(millis(LETTING_GO));
            return Ok(Step::Done(exchange));
        }
        // None is left; the surplus weight of larger types does not count.
        object.live = capacity.exchanged(&object.live, 0, spot.min(exchange.wanted.count))?;
        subtract(&mut object.runs, &exchange.on_demand);
        object.exchange = None;
        Ok(Step::Last)
    }

    fn go_on(&mut self, key: Key, object: Object, exchange: Exchange) {
        self.working.insert((exchange.next, key.clone()));
        let object = Box::new(Object { exchange: Some(Box::new(exchange)), ..object });
        self.world.apply(Change::Put { key, object });
    }
}

/// Result of one step of an exchange.
enum Step {
    Done(Exchange),
    Last,
    /// No spot instance is available, or too many are desired.
    Stuck(Exchange),
}

impl Exchange {
    /// Starts the exchange at `ready`, when the update itself is done.
    pub(crate) fn begun(self, ready: u64, takes: u64) -> Self {
        Self { next: ready.saturating_add(takes), takes, ..self }
    }

    /// Terminates one of `on_demand` if the surplus allows it; returns its weight.
    fn ends(&mut self, over: u32, on_demand: u32, runs: &mut BTreeMap<String, u32>) -> Option<u32> {
        let order = least_first(&self.wanted, &self.on_demand);
        let Some(of) = order.into_iter().find(|of| self.wanted.weight(of) <= over) else {
            // An instance that was not recorded under any type.
            let weight = self.wanted.types.first().map_or(1, |of| self.wanted.weight(of));
            return (self.on_demand.is_empty() && on_demand > 0 && weight <= over).then_some(weight);
        };
        let one = BTreeMap::from([(of.clone(), 1)]);
        subtract(&mut self.on_demand, &one);
        subtract(runs, &one);
        Some(self.wanted.weight(&of))
    }
}

/// Returns the instances among `runs` that make up `count`, least wanted type first.
fn least_wanted(wanted: &Demand, runs: &BTreeMap<String, u32>, count: u32) -> BTreeMap<String, u32> {
    let types = least_first(wanted, runs);
    there(&Demand { types, ..wanted.clone() }, runs, count).runs
}

/// Returns the types of `runs`: unwanted ones first, the best one last.
fn least_first(wanted: &Demand, runs: &BTreeMap<String, u32>) -> Vec<String> {
    let mut types: Vec<String> = runs.keys().cloned().collect();
    let rank = |of: &String| wanted.types.iter().position(|it| it == of).unwrap_or(usize::MAX);
    types.sort_by_key(|of| std::cmp::Reverse(rank(of)));
    types
}
