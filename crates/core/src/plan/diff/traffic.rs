//! Order of traffic: it moves last and leaves first.
//!
//! Failover order is data, then capacity, then checks, then traffic. On the way back traffic is
//! released before anything shrinks. The operator does not write this order: it follows from what
//! the kinds declare.

use std::collections::{BTreeMap, BTreeSet};

use super::Draft;
use crate::address::Address;
use crate::graph::{Graph, Waits};
use crate::kind::{Action, Place, ShapeError};
use crate::plan::waits::{Order, Part};
use crate::plan::{Gate, Intent, Remark, Step, StepId, order};

/// Names in a sentence before the rest is only counted.
const NAMED: usize = 5;

/// Address of a blocker, and what is known about it beside that it is blocked.
type InTheWay<'a> = (&'a str, Option<&'a str>);

impl Draft<'_> {
    /// Drops traffic steps whose dependencies do not exist and cannot be created now; reports each.
    pub(super) fn hold_traffic_back(&mut self, order: &Order<'_>) {
        let empty = self.empty_pools(order);
        if self.blocked.is_empty() && self.unready.is_empty() && empty.is_empty() {
            return;
        }
        let mut held = Vec::new();
        let by_address = self.steps.iter().enumerate().filter(|(_, step)| step.action != Action::Delete);
        let by_address: BTreeMap<&str, StepId> =
            by_address.map(|(id, step)| (step.address.as_str(), id)).collect();
        for traffic in order.traffic() {
            let Some(step) = by_address.get(traffic.address.as_str()).filter(|it| !self.out.contains(it))
            else {
                continue;
            };
            let waited = order.before(traffic).map(|(address, part)| (address, part == Part::Capacity));
            let named = traffic.after.iter().map(|address| (address, true));
            let mut in_the_way: Vec<InTheWay<'_>> = Vec::new();
            for (address, is_relied_on) in waited.chain(named) {
                let unready = self.unready.get(address).filter(|_| is_relied_on);
                if self.blocked.contains(address) || unready.is_some() {
                    in_the_way.push((address.as_str(), unready.map(String::as_str)));
                } else if empty.contains(address) {
                    in_the_way.push((address.as_str(), Some("it wants no instances")));
                }
            }
            if !in_the_way.is_empty() {
                held.push((*step, traffic.address.to_string(), self.way_on(&traffic.address, &in_the_way)));
            }
        }
        for (step, address, text) in held {
            self.out.insert(step);
            self.report.blocked.push(Remark { address, text });
        }
        self.spread();
    }

    /// Returns what wants no instances, in a planned failover: the primary serves, and users would be led
    /// from it to nothing.
    fn empty_pools<'o>(&self, order: &Order<'o>) -> BTreeSet<&'o Address> {
        if self.options.intent != Intent::PlannedFailover {
            return BTreeSet::new();
        }
        let wants_none = |address: &Address| {
            let resource = self.want.resources.get(address)?;
            let demand = self.kinds.get(&resource.kind)?.capacity()?.demand(&resource.spec).ok()?;
            (demand.count == 0).then_some(())
        };
        let pools =
            order.all().filter(|(address, part)| *part == Part::Capacity && wants_none(address).is_some());
        pools.map(|(address, _)| address).collect()
    }

    /// Formats why `traffic` stays in place, and what to do. It never moves without its own parts.
    pub(super) fn way_on(&self, traffic: &Address, in_the_way: &[InTheWay<'_>]) -> String {
        let said = |(address, why): &InTheWay<'_>| match why {
            Some(why) => format!("{address} ({why})"),
            None => (*address).to_owned(),
        };
        let named: Vec<String> = in_the_way.iter().take(NAMED).map(said).collect();
        let more = match in_the_way.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let own = traffic.component();
        let components = in_the_way.iter().filter_map(|(it, _)| Some(Address::parse(it)?.component()));
        let components: BTreeSet<String> = components.filter(|it| *it != own).map(|it| it.typed()).collect();
        let without: Vec<String> =
            components.iter().take(NAMED).map(|it| format!("--not-waiting-for {it}")).collect();
        // Only a failover can go without. The planner does not know the command with its stack and
        // options: only what to add to it.
        let go_without = match without.is_empty() || !self.fails_over() {
            true => String::new(),
            false => format!(", or add `{}` to go without", without.join(" ")),
        };
        format!(
            "traffic stays where it is: it waits for {}{more}; fix that and run this again{go_without}",
            named.join(", ")
        )
    }

    /// Adds the gates of a failover: data, capacity, checks and traffic of each tier and those
    /// before it.
    ///
    /// If data or capacity fails, the rest of the capacity and the checks still run; traffic does
    /// not move.
    pub(super) fn in_order(&mut self, want: &Graph) -> Result<(), ShapeError> {
        let parts = self.parts();
        self.wait_for_no_exchange(want);
        let of_part = |part: Part, tiers: &dyn Fn(u8) -> bool| -> Vec<StepId> {
            let steps = self.steps.iter().zip(&parts).enumerate();
            steps.filter(|(_, (step, it))| **it == Some(part) && tiers(step.tier)).map(|(id, _)| id).collect()
        };
        let waits = |id: &StepId| want.resources.get(&self.steps[*id].address).map(|it| &it.waits);
        let tiers: BTreeSet<u8> = self.steps.iter().map(|step| step.tier).collect();
        let mut gates = Vec::new();
        for tier in tiers {
            let [data, capacity, checks] =
                [Part::Data, Part::Capacity, Part::Check].map(|part| of_part(part, &|it| it == tier));
            let from = |part, first: u8| of_part(part, &|it| it >= first);
            let later = [from(Part::Capacity, tier), from(Part::Check, tier)].concat();
            gates.push(Gate { after: data.clone(), holds: later, needs: Vec::new() });
            // Regions run out of capacity in a regional outage, and the first tier must get it
            // first.
            let later = [from(Part::Capacity, tier + 1), from(Part::Check, tier)].concat();
            gates.push(Gate { after: capacity.clone(), holds: later, needs: Vec::new() });
            let needs = [data, capacity, checks].concat();
            let mut traffic = from(Part::Traffic, tier);
            while let Some(waits_so) = traffic.first().map(|first| waits(first).cloned().unwrap_or_default())
            {
                let (same, others) =
                    traffic.into_iter().partition(|id| waits(id).cloned().unwrap_or_default() == waits_so);
                traffic = others;
                let is_needed = |id: &StepId| match &waits_so {
                    Waits::ByTier => true,
                    Waits::Except(names) => !names.iter().any(|it| self.steps[*id].address.is_within(it)),
                    Waits::Named => false,
                };
                let needs = needs.iter().copied().filter(is_needed).collect();
                gates.push(Gate { needs, holds: same, after: Vec::new() });
            }
        }
        self.gate(gates);
        Ok(())
    }

    /// Lets checks and traffic go ahead of steps that only exchange capacity that serves already.
    fn wait_for_no_exchange(&mut self, want: &Graph) {
        for step in &mut self.steps {
            let Some(resource) = want.resources.get(&step.address) else { continue };
            let part = self.kinds.get(&resource.kind).and_then(|kind| Part::of(kind, resource.place));
            if matches!(part, Some(Part::Check | Part::Traffic)) {
                step.needs.retain(|need| !self.exchanging.contains(need));
            }
        }
    }

    /// Adds the gates that hold something back.
    fn gate(&mut self, gates: Vec<Gate>) {
        for mut gate in gates {
            gate.holds.sort_unstable();
            if !gate.holds.is_empty() && gate.before().next().is_some() {
                self.gates.push(gate);
            }
        }
    }

    /// Returns the phase of each step that can wait, and be waited for, by phase.
    ///
    /// A step that itself comes after a later phase has none: the check that users get answers
    /// comes after traffic.
    fn parts(&self) -> Vec<Option<Part>> {
        let part = |step: &Step| {
            let kind = self.kinds.get(&step.kind).filter(|_| step.action != Action::Delete)?;
            // Existing data is not waited for: a change of it is only a setting.
            Part::of(kind, step.place).filter(|part| *part != Part::Data || step.action == Action::Create)
        };
        let mut parts: Vec<Option<Part>> = self.steps.iter().map(part).collect();
        // Capacity that serves already is only bought in another way.
        self.exchanging.iter().for_each(|id| parts[*id] = None);
        let mut latest: Vec<Option<(Part, u8)>> = vec![None; parts.len()];
        for id in order::of_steps(&self.steps) {
            let own = parts[id].map(|part| (part, self.steps[id].tier));
            let before = self.steps[id].before().filter_map(|it| latest[it]).max();
            // Capacity of a tier waits for that of the tiers before it.
            if own
                .zip(before)
                .is_some_and(|(own, before)| before.0 > own.0 || before > own && own.0 == Part::Capacity)
            {
                parts[id] = None;
            }
            latest[id] = own.max(before);
        }
        parts
    }

    /// Orders a failback, or any other move of traffic to the primary.
    ///
    /// Traffic is released first, and only then does what served it shrink or go. The edges between
    /// updates are reversed.
    pub(super) fn let_go_before_shrinking(&mut self, want: &Graph) {
        let traffic = self.traffic(|kind_is_for_later| !kind_is_for_later);
        if self.options.intent != Intent::Failback && traffic.is_empty() {
            return self.by_shares(want);
        }
        let traffic = self.moves_users();
        // Lift what was put on the primary after the failover, and tell writers that it serves, before traffic
        // returns to it.
        let lifts = |step: &Step| {
            let kind = self.kinds.get(&step.kind).filter(|kind| kind.traffic().is_none());
            kind.is_some_and(|kind| {
                kind.needs_both_regions() || kind.tells_who_serves() && step.action == Action::Update
            })
        };
        let lifted: Vec<StepId> =
            self.steps.iter().enumerate().filter(|(_, step)| lifts(step)).map(|(id, _)| id).collect();
        self.gate(vec![Gate { needs: lifted, holds: traffic.clone(), after: Vec::new() }]);
        for id in 0..self.steps.len() {
            for need in self.steps[id].needs.clone() {
                let both = [id, need].iter().all(|it| self.steps[*it].action == Action::Update);
                if both && self.runs(need) {
                    self.steps[id].needs.retain(|it| *it != need);
                    self.steps[need].needs.push(id);
                }
            }
        }
        let mut holds = Vec::new();
        for (id, step) in self.steps.iter().enumerate() {
            let shrinks = match step.action {
                Action::Delete => true,
                Action::Update => self.runs(id),
                Action::Create => false,
            };
            holds.extend(shrinks.then_some(id));
        }
        self.leave_first(want, traffic, holds);
    }

    /// Orders changes of traffic shares in standby: grow the capacity they need first, shrink what
    /// they leave after.
    fn by_shares(&mut self, want: &Graph) {
        let named =
            |step: &Step| want.resources.get(&step.address).is_some_and(|it| it.waits == Waits::Named);
        let mut traffic = self.moves_users();
        traffic.retain(|id| !named(&self.steps[*id]));
        let (mut grow, mut shrink) = (Vec::new(), Vec::new());
        for (id, step) in self.steps.iter().enumerate() {
            if self.serves(id) {
                let grows = step.action == Action::Create || self.growing.contains(&id);
                if grows { grow.push(id) } else { shrink.push(id) }
            }
        }
        self.gate(vec![Gate { needs: grow, holds: traffic.clone(), after: Vec::new() }]);
        self.leave_first(want, traffic, shrink);
    }

    /// Orders `traffic` before `holds`, except for what traffic itself needs.
    ///
    /// If the planner cannot tell where traffic is, or cannot move it, `holds` are dropped: users may
    /// still be served there.
    fn leave_first(&mut self, want: &Graph, traffic: Vec<StepId>, mut holds: Vec<StepId>) {
        let needed = self.in_front_of(traffic.clone());
        holds.retain(|id| !needed.contains(id));
        let is_traffic = |kind: &str| self.kinds.get(kind).is_some_and(|kind| kind.traffic().is_some());
        let blocked =
            want.resources.values().find(|it| is_traffic(&it.kind) && self.blocked.contains(&it.address));
        if let Some(blocked) = blocked.filter(|_| !holds.is_empty()) {
            return self.keep_serving(&blocked.address, &holds);
        }
        self.gate(vec![Gate { needs: traffic, holds, after: Vec::new() }]);
    }

    /// Drops `holds`, since `traffic` may still be on what they shrink or delete; reports it.
    fn keep_serving(&mut self, traffic: &Address, holds: &[StepId]) {
        let named: Vec<&str> = holds.iter().take(NAMED).map(|id| self.steps[*id].address.as_str()).collect();
        let more = match holds.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let text = format!(
            "traffic may still be on the standby region, so nothing there shrinks or is deleted: {}{more}",
            named.join(", ")
        );
        self.report.blocked.push(Remark { address: traffic.to_string(), text });
        self.out.extend(holds);
        self.spread();
    }

    /// Deletes what leads users to a region before what serves there shrinks or goes.
    pub(super) fn users_leave_first(&mut self) {
        let leads = |step: &Step| {
            step.action == Action::Delete && self.kinds.get(&step.kind).is_some_and(|it| it.leads_users())
        };
        let all = 0..self.steps.len();
        let leads: Vec<StepId> = all.clone().filter(|id| leads(&self.steps[*id])).collect();
        let before = self.in_front_of(leads.clone());
        let goes = |id: &StepId| {
            let grows = self.steps[*id].action == Action::Create || self.growing.contains(id);
            self.serves(*id) && !grows && !before.contains(id)
        };
        let holds = all.filter(goes).collect();
        self.gate(vec![Gate { needs: leads, holds, after: Vec::new() }]);
    }

    /// Returns `open` and all steps in front of them, directly or not, also by gates.
    pub(super) fn in_front_of(&self, mut open: Vec<StepId>) -> BTreeSet<StepId> {
        let mut all = BTreeSet::new();
        while let Some(id) = open.pop() {
            if all.insert(id) {
                open.extend(self.steps[id].before());
                let gates = self.gates.iter().filter(|gate| gate.holds.binary_search(&id).is_ok());
                open.extend(gates.flat_map(Gate::before));
            }
        }
        all
    }

    /// Returns the steps that move traffic, filtered by whether their kind runs after a failover.
    fn traffic(&self, of: impl Fn(bool) -> bool) -> Vec<StepId> {
        let is_meant = |step: &Step| {
            let kind = self.kinds.get(&step.kind).filter(|kind| kind.traffic().is_some());
            step.action != Action::Delete && kind.is_some_and(|kind| of(kind.needs_both_regions()))
        };
        self.steps.iter().enumerate().filter(|(_, step)| is_meant(step)).map(|(id, _)| id).collect()
    }

    /// Returns the steps that move traffic, and those that change what leads users: a record that gets another
    /// policy has other weights from then on.
    fn moves_users(&self) -> Vec<StepId> {
        let mut all = self.traffic(|_| true);
        let leads = |step: &Step| {
            let kind = self.kinds.get(&step.kind);
            step.action == Action::Update && kind.is_some_and(|kind| kind.leads_users())
        };
        all.extend(self.steps.iter().enumerate().filter(|(_, step)| leads(step)).map(|(id, _)| id));
        all
    }

    /// True if the step creates or updates something that runs instances in the standby region.
    fn runs(&self, id: StepId) -> bool {
        self.steps[id].action != Action::Delete && self.serves(id)
    }

    /// True if the step is on something that runs instances in the standby region.
    fn serves(&self, id: StepId) -> bool {
        let step = &self.steps[id];
        let kind = self.kinds.get(&step.kind).filter(|_| step.place == Place::Standby);
        kind.is_some_and(|kind| kind.capacity().is_some())
    }
}
