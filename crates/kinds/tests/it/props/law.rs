//! The order of every plan, as a law over its steps and edges: data before what reads it, capacity
//! and checks before traffic, traffic before anything shrinks, the new one before the old one.
//!
//! It knows what kinds can do, and none by name. The planner of every property is held to it, so
//! each plan of each random run is judged, whatever the run is for.

mod bits;
mod lives;
mod restored;

use std::collections::{BTreeMap, BTreeSet};

use drstack_core::address::Address;
use drstack_core::cloud::Found;
use drstack_core::graph::{Graph, Resource, Waits};
use drstack_core::kind::{Action, DynKind, KindRegistry, Lookup, Place};
use drstack_core::objective::Mode;
use drstack_core::observe::{Look, Observed};
use drstack_core::plan::{Intent, Options, Plan, Step, StepId};

use bits::{Bits, ended_before, own_before, succeeded_before};

/// What a step does for the recovery, in the order of a failover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Data,
    Capacity,
    Check,
    Traffic,
}

impl Phase {
    /// Returns the phase of a kind at a place.
    pub(super) fn of(kind: &dyn DynKind, place: Place) -> Option<Self> {
        let here = place == Place::Standby;
        match kind {
            kind if kind.traffic().is_some() => Some(Self::Traffic),
            kind if here && kind.check().is_some() => Some(Self::Check),
            kind if here && kind.capacity().is_some() => Some(Self::Capacity),
            kind if here && kind.role().holds_data() => Some(Self::Data),
            _ => None,
        }
    }

    /// Returns the phase of a step. A change of data that exists is only a setting.
    pub(super) fn of_step(step: &Step, kinds: &KindRegistry) -> Option<Self> {
        let kind = kinds.get(&step.kind).filter(|_| step.action != Action::Delete)?;
        Self::of(kind, step.place).filter(|it| *it != Self::Data || step.action == Action::Create)
    }
}

/// True if `options` lead to the standby region, or keep it serving.
fn leads_there(options: &Options) -> bool {
    options.intent.fails_over() || (options.intent, options.mode) == (Intent::Converge, Mode::Active)
}

struct Law<'a> {
    want: &'a Graph,
    seen: &'a Observed,
    kinds: &'a KindRegistry,
    options: &'a Options,
    steps: &'a [Step],
    /// The resource of each step that creates or updates it.
    wanted: Vec<Option<&'a Resource>>,
    phases: Vec<Option<Phase>>,
    /// The steps that have ended, or succeeded, when each one starts.
    ended: Vec<Bits>,
    succeeded: Vec<Bits>,
    /// The steps in front of each one by its own edges.
    own: Vec<Bits>,
    broken: Vec<String>,
}

/// Returns each pair of steps of `plan` that may come in the wrong order.
pub(super) fn broken(
    want: &Graph,
    seen: &Observed,
    kinds: &KindRegistry,
    options: &Options,
    plan: &Plan,
) -> Vec<String> {
    let phases = plan.steps.iter().map(|step| Phase::of_step(step, kinds)).collect();
    let (ended, succeeded, own) = (ended_before(plan), succeeded_before(plan), own_before(plan));
    let steps = &plan.steps;
    let resource = |step: &Step| want.resources.get(&step.address).filter(|_| step.action != Action::Delete);
    let wanted = steps.iter().map(resource).collect();
    let broken = Vec::new();
    let mut law = Law { want, seen, kinds, options, steps, wanted, phases, ended, succeeded, own, broken };
    law.replaced();
    match options.intent {
        Intent::Destroy => law.destroyed(),
        _ => law.needed(),
    }
    match leads_there(options) {
        true => law.there(),
        false => law.back(),
    }
    law.broken
}

impl<'a> Law<'a> {
    fn ids(&self) -> impl Iterator<Item = StepId> + use<> {
        0..self.steps.len()
    }

    fn kind(&self, id: StepId) -> &'static dyn DynKind {
        self.kinds.get(&self.steps[id].kind).unwrap()
    }

    fn of_phase(&self, phase: Phase) -> Vec<StepId> {
        self.ids().filter(|id| self.phases[*id] == Some(phase)).collect()
    }

    /// `first` must succeed before `then` starts.
    fn must(&mut self, why: &str, first: StepId, then: StepId) {
        let is_kept = self.succeeded[then].has(first);
        self.hold(why, first, then, is_kept);
    }

    /// `first` must end before `then` starts.
    fn must_end(&mut self, why: &str, first: StepId, then: StepId) {
        let is_kept = self.ended[then].has(first);
        self.hold(why, first, then, is_kept);
    }

    fn hold(&mut self, why: &str, first: StepId, then: StepId, is_kept: bool) {
        if first != then && !is_kept {
            let name = |id: StepId| format!("{:?} {}", self.steps[id].action, self.steps[id].address);
            self.broken.push(format!("{why}: {} before {}", name(first), name(then)));
        }
    }

    /// Where the cloud chooses the id, the new one is there before the old one goes; where the name
    /// is fixed, it has to be free first.
    fn replaced(&mut self) {
        for old in self.ids().filter(|id| self.steps[*id].action == Action::Delete) {
            let is_new = |new: &StepId| {
                let (old, new) = (&self.steps[old], &self.steps[*new]);
                let is_pair = (&old.address, &old.kind) == (&new.address, &new.kind);
                is_pair && old.replaces && new.action == Action::Create
            };
            let Some(new) = self.ids().find(is_new) else { continue };
            match self.kind(old).lookup() {
                Lookup::Tag => self.must("new before old", new, old),
                Lookup::Name => self.must("a name once", old, new),
            }
        }
    }

    /// What a resource needs is there before it.
    fn needed(&mut self) {
        let pairs = self.needs();
        for (need, id) in pairs {
            // On the way back capacity shrinks after what relied on it has changed.
            let is_update = |id: StepId| self.steps[id].action == Action::Update;
            let is_turned = !leads_there(self.options)
                && is_update(need)
                && is_update(id)
                && self.phases[need] == Some(Phase::Capacity);
            // Capacity that serves already is exchanged behind checks and traffic.
            let is_late = leads_there(self.options)
                && self.exchanges(need)
                && self.phases[id].is_some_and(|it| it >= Phase::Check);
            if !(is_late || is_turned && self.succeeded[need].has(id)) {
                self.must("what it needs", need, id);
            }
        }
    }

    /// Returns each step beside those on what its resource needs.
    fn needs(&self) -> Vec<(StepId, StepId)> {
        let mut of: BTreeMap<&Address, Vec<StepId>> = BTreeMap::new();
        for (id, resource) in self.wanted.iter().enumerate() {
            resource.iter().for_each(|it| of.entry(&it.address).or_default().push(id));
        }
        let mut pairs = Vec::new();
        for (id, resource) in self.wanted.iter().enumerate() {
            let needs = resource.map(Resource::needs).unwrap_or_default();
            let steps = needs.iter().filter_map(|it| of.get(it)).flatten();
            pairs.extend(steps.map(|need| (*need, id)));
        }
        pairs
    }

    /// What uses a resource goes before it.
    fn destroyed(&mut self) {
        let mut of: BTreeMap<&Address, Vec<StepId>> = BTreeMap::new();
        self.ids().for_each(|id| of.entry(&self.steps[id].address).or_default().push(id));
        let of = |address: &Address| match of.get(address).map(Vec::as_slice) {
            Some([id]) => Some(*id),
            _ => None,
        };
        let mut pairs = Vec::new();
        for (address, resource) in &self.want.resources {
            let carried = self.kinds.get(&resource.kind).unwrap().carries(&resource.spec);
            let needs = resource.needs().into_iter().filter(|it| !carried.contains(&it.as_str()));
            let Some(user) = of(address) else { continue };
            pairs.extend(needs.filter_map(|it| Some((user, of(&it)?))));
        }
        pairs.into_iter().for_each(|(user, used)| self.must("what uses it goes first", user, used));
    }

    /// A step that itself comes after a later phase, or after capacity of a later tier, is not
    /// waited for, as the check that users get answers.
    fn is_bound(&self, id: StepId) -> bool {
        let Some(phase) = self.phases[id].filter(|_| !self.exchanges(id)) else { return false };
        let is_late = |before: StepId| match self.phases[before] {
            Some(Phase::Capacity) if phase == Phase::Capacity => {
                self.steps[before].tier > self.steps[id].tier
            }
            Some(other) => other > phase,
            None => false,
        };
        !self.ids().any(|before| self.own[id].has(before) && is_late(before))
    }

    /// To the standby region: data, capacity, checks, traffic, tier by tier.
    fn there(&mut self) {
        let bound: Vec<StepId> = self.ids().filter(|id| self.is_bound(*id)).collect();
        for then in self.ids() {
            let (Some(phase), tier) = (self.phases[then], self.steps[then].tier) else { continue };
            let is_held = phase == Phase::Traffic || bound.contains(&then);
            for first in bound.iter().copied().filter(|it| self.steps[*it].tier <= tier && is_held) {
                let before = self.phases[first].unwrap();
                match phase {
                    Phase::Traffic if before < phase && self.waits(then, &self.steps[first].address) => {
                        self.must("up before traffic", first, then);
                    }
                    Phase::Check if before < phase => self.must_end("up before it is asked", first, then),
                    Phase::Capacity if before < phase => {
                        self.must_end("data before capacity", first, then);
                    }
                    Phase::Capacity if before == phase && self.steps[first].tier < tier => {
                        self.must_end("the first tier first", first, then);
                    }
                    _ => {}
                }
            }
        }
        self.closed();
    }

    /// True if the traffic of step `id` waits for `address` by its tier.
    fn waits(&self, id: StepId, address: &Address) -> bool {
        match self.wanted[id].map(|it| &it.waits) {
            Some(Waits::ByTier) => true,
            Some(Waits::Except(names)) => !names.iter().any(|it| address.is_within(it)),
            Some(Waits::Named) | None => false,
        }
    }

    /// What traffic waits for exists, or a step of the same plan makes it.
    fn closed(&mut self) {
        let made: BTreeSet<&Address> = self.wanted.iter().flatten().map(|it| &it.address).collect();
        let stands = |it: &Resource| matches!(self.seen.seen.get(&it.address), Some(Look::Present(_)));
        let mut lacking = Vec::new();
        let switches = self.of_phase(Phase::Traffic);
        if switches.is_empty() {
            return;
        }
        let late = self.after_traffic();
        let is_before = |it: &&Resource| {
            let phase = Phase::of(self.kinds.get(&it.kind).unwrap(), it.place);
            phase.is_some_and(|it| it < Phase::Traffic) && !late.contains(&it.address)
        };
        let before: Vec<&Resource> = self.want.resources.values().filter(is_before).collect();
        for traffic in switches {
            let tier = self.steps[traffic].tier;
            let is_meant = |it: &&Resource| it.tier <= tier && self.waits(traffic, &it.address);
            let by_tier = before.iter().copied().filter(is_meant);
            let named = self.wanted[traffic].into_iter().flat_map(|it| &it.after);
            let named = named.filter_map(|it| self.want.resources.get(it));
            let is_missing = |it: &&Resource| !stands(it) && !made.contains(&it.address);
            let missing = by_tier.chain(named).filter(is_missing);
            let name = &self.steps[traffic].address;
            lacking.extend(missing.map(|it| format!("{name} moves without {}", it.address)));
        }
        self.broken.extend(lacking);
    }

    /// The resources that move traffic, and those that need one of them.
    fn after_traffic(&self) -> BTreeSet<&'a Address> {
        let needs: Vec<(&Address, Vec<Address>)> =
            self.want.resources.iter().map(|(address, it)| (address, it.needs())).collect();
        let moves = |it: &&Resource| self.kinds.get(&it.kind).unwrap().traffic().is_some();
        let mut all: BTreeSet<&Address> =
            self.want.resources.values().filter(moves).map(|it| &it.address).collect();
        loop {
            let is_next = |(address, needs): &&(&'a Address, Vec<Address>)| {
                !all.contains(*address) && needs.iter().any(|it| all.contains(it))
            };
            let next: Vec<&Address> = needs.iter().filter(is_next).map(|it| it.0).collect();
            if next.is_empty() {
                return all;
            }
            all.extend(next);
        }
    }

    /// To the primary, or with shares that change: what grows, then traffic, then what shrinks or
    /// goes. A fence is lifted, and writers are told, before traffic comes back.
    fn back(&mut self) {
        let traffic = self.of_phase(Phase::Traffic);
        let switches = traffic.iter().any(|id| !self.kind(*id).needs_both_regions());
        let returns = self.options.intent == Intent::Failback || switches;
        let is_lift = |id: &StepId| {
            let kind = self.kind(*id);
            let tells = kind.tells_who_serves() && self.steps[*id].action == Action::Update;
            returns && (kind.needs_both_regions() || tells) && self.phases[*id].is_none()
        };
        let lifts: Vec<StepId> = self.ids().filter(is_lift).collect();
        let grows: Vec<StepId> = self.ids().filter(|id| !returns && self.grows(*id)).collect();
        let is_named = |id: &StepId| !returns && self.wanted[*id].is_some_and(|it| it.waits == Waits::Named);
        let moves: Vec<StepId> = traffic.into_iter().filter(|id| !is_named(id)).collect();
        let goes = |id: &StepId| {
            let (gone, serves) = (self.steps[*id].action == Action::Delete, self.serves(*id));
            let is_needed = moves.iter().any(|it| self.ended[*it].has(*id));
            !is_needed && (returns && gone || serves && !grows.contains(id))
        };
        let shrinks: Vec<StepId> = self.ids().filter(goes).collect();
        for id in moves {
            lifts.iter().for_each(|lift| self.must("a fence is lifted before traffic", *lift, id));
            grows.iter().for_each(|grown| self.must("growth before traffic", *grown, id));
            shrinks.iter().for_each(|shrunk| self.must("traffic before shrinking", id, *shrunk));
        }
        self.left();
    }

    /// True if the step changes or deletes what serves in the standby region.
    fn serves(&self, id: StepId) -> bool {
        let (kind, step) = (self.kind(id), &self.steps[id]);
        step.place == Place::Standby && kind.capacity().is_some() && step.action != Action::Create
    }

    /// Returns the object that the step changes, which may have had another address.
    fn changed(&self, step: &Step) -> Option<&Found> {
        let is_it = |found: &&Found| step.id.as_ref() == Some(&found.id);
        let own = match self.seen.seen.get(&step.address) {
            Some(Look::Present(found)) => Some(found),
            _ => None,
        };
        let others = self.seen.others.iter().filter(|it| it.kind == step.kind).map(|it| &it.found);
        own.filter(is_it).or_else(|| others.into_iter().find(is_it))
    }

    /// True if the step raises capacity.
    fn grows(&self, id: StepId) -> bool {
        let (kind, step) = (self.kind(id), &self.steps[id]);
        let Some(capacity) = kind.capacity().filter(|_| step.place == Place::Standby) else { return false };
        match (step.action, self.changed(step)) {
            (Action::Create, _) => true,
            (Action::Update, Some(found)) => {
                let has = capacity.bought_as(&step.spec, &found.live).unwrap().map_or(0, |it| it.count);
                capacity.demand(&step.spec).unwrap().count > has
            }
            _ => false,
        }
    }

    /// True if the step changes capacity of which as much serves already as is desired.
    fn exchanges(&self, id: StepId) -> bool {
        let is_update = self.phases[id] == Some(Phase::Capacity) && self.steps[id].action == Action::Update;
        is_update && !self.grows(id)
    }

    /// Users leave before what serves them shrinks or goes.
    fn left(&mut self) {
        let leads = |id: &StepId| self.steps[*id].action == Action::Delete && self.kind(*id).leads_users();
        for leads in self.ids().filter(leads).collect::<Vec<_>>() {
            let goes = |id: &StepId| self.serves(*id) && !self.grows(*id) && !self.ended[leads].has(*id);
            for gone in self.ids().filter(goes).collect::<Vec<_>>() {
                self.must("users leave first", leads, gone);
            }
        }
    }
}
