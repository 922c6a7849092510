//! Sets of steps: those in front of each step of a plan, directly or not.

use drstack_core::plan::{Gate, Plan, StepId};

/// A set of steps.
#[derive(Clone)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    pub(super) fn has(&self, id: StepId) -> bool {
        self.0[id / 64] >> (id % 64) & 1 == 1
    }
}

/// Returns the gates that hold each step.
fn gates(plan: &Plan) -> Vec<Vec<&Gate>> {
    let mut all = vec![Vec::new(); plan.steps.len()];
    for gate in &plan.gates {
        gate.holds.iter().for_each(|id| all[*id].push(gate));
    }
    all
}

/// The steps that have ended when each one starts.
pub(super) fn ended_before(plan: &Plan) -> Vec<Bits> {
    let gates = gates(plan);
    let of_gates = |id: StepId| gates[id].iter().flat_map(|gate| gate.before());
    closed(plan, |id| plan.steps[id].before().chain(of_gates(id)).collect())
}

/// The steps that have succeeded when each one starts.
pub(super) fn succeeded_before(plan: &Plan) -> Vec<Bits> {
    let gates = gates(plan);
    let of_gates = |id: StepId| gates[id].iter().flat_map(|gate| &gate.needs);
    closed(plan, |id| plan.steps[id].needs.iter().chain(of_gates(id)).copied().collect())
}

/// The steps in front of each one by its own edges, without gates.
pub(super) fn own_before(plan: &Plan) -> Vec<Bits> {
    closed(plan, |id| plan.steps[id].before().collect())
}

/// Closes `before` over the steps, which are in topological order.
fn closed(plan: &Plan, before: impl Fn(StepId) -> Vec<StepId>) -> Vec<Bits> {
    let words = plan.steps.len().div_ceil(64);
    let mut all: Vec<Bits> = Vec::with_capacity(plan.steps.len());
    for id in 0..plan.steps.len() {
        let mut bits = Bits(vec![0; words]);
        for one in before(id) {
            bits.0[one / 64] |= 1 << (one % 64);
            bits.0.iter_mut().zip(&all[one].0).for_each(|(to, from)| *to |= from);
        }
        all.push(bits);
    }
    all
}
