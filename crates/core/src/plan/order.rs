//! Topological orders of resources and steps; the same input always gives the same order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::gate::{self, Gate};
use super::{Step, StepId};
use crate::address::Address;
use crate::graph::{Graph, Resource};

/// Sorts the resources of `graph`: each after what it needs, otherwise by name.
///
/// Needs outside the graph do not count. Resources on a cycle (the compiler makes none) come last.
pub(super) fn topological(graph: &Graph) -> Vec<&Resource> {
    let (addresses, resources): (Vec<&Address>, Vec<&Resource>) = graph.resources.iter().unzip();
    let index = |need: &str| addresses.binary_search_by(|address| address.as_str().cmp(need)).ok();
    let needs: Vec<Vec<usize>> =
        resources.iter().map(|resource| resource.needed().filter_map(index).collect()).collect();
    sort(&needs).into_iter().map(|at| resources[at]).collect()
}

/// Sorts and renumbers `steps` so that each comes after what it needs; `gates` get the new numbers.
pub(super) fn sorted(mut steps: Vec<Step>, gates: &[Gate]) -> (Vec<Step>, Vec<Gate>) {
    for step in &mut steps {
        for before in [&mut step.needs, &mut step.after] {
            before.sort_unstable();
            before.dedup();
        }
    }
    let mut order = sort(&nodes(&steps, gates));
    order.retain(|it| *it < steps.len());
    let mut renamed = vec![0; steps.len()];
    order.iter().enumerate().for_each(|(new, old)| renamed[*old] = new);
    let gates = gates.iter().map(|gate| gate.renumbered(|old| Some(renamed[old]))).collect();
    let mut slots: Vec<Option<Step>> = steps.into_iter().map(Some).collect();
    let steps = order
        .into_iter()
        .filter_map(|old| slots[old].take())
        .map(|mut step| {
            for before in [&mut step.needs, &mut step.after] {
                before.iter_mut().for_each(|it| *it = renamed[*it]);
                before.sort_unstable();
            }
            step
        })
        .collect();
    (steps, gates)
}

/// Returns the dependencies of each step, followed by those of each gate.
///
/// A gate is one more node, so many-to-many dependencies need few edges.
fn nodes(steps: &[Step], gates: &[Gate]) -> Vec<Vec<StepId>> {
    let behind = gate::of_each(steps.len(), gates);
    let of_step = |(step, gates): (&Step, &Vec<usize>)| -> Vec<StepId> {
        step.before().chain(gates.iter().map(|gate| steps.len() + gate)).collect()
    };
    let of_steps = steps.iter().zip(&behind).map(of_step);
    of_steps.chain(gates.iter().map(|gate| gate.before().collect())).collect()
}

/// Returns the step ids, each after what it needs.
pub(super) fn of_steps(steps: &[Step]) -> Vec<StepId> {
    sort(&nodes(steps, &[]))
}

/// Sorts by Kahn's algorithm; among the ready nodes the smallest index goes first.
fn sort(needs: &[Vec<usize>]) -> Vec<usize> {
    let mut left: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut dependents = vec![Vec::new(); needs.len()];
    for (at, needs) in needs.iter().enumerate() {
        needs.iter().for_each(|need| dependents[*need].push(at));
    }
    let mut ready: BinaryHeap<Reverse<usize>> =
        (0..needs.len()).filter(|at| left[*at] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(needs.len());
    while let Some(Reverse(at)) = ready.pop() {
        order.push(at);
        for dependent in &dependents[at] {
            left[*dependent] -= 1;
            if left[*dependent] == 0 {
                ready.push(Reverse(*dependent));
            }
        }
    }
    let done: std::collections::BTreeSet<usize> = order.iter().copied().collect();
    order.extend((0..needs.len()).filter(|at| !done.contains(at)));
    order
}
