//! The schedule: which steps may start now, and which have become impossible; pure and total.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::plan::{Plan, StepId, gate};

#[cfg(test)]
mod tests;

/// State of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// A dependency is not done.
    Waiting,
    /// It may start.
    Ready,
    /// It was handed out.
    Running,
    /// It is done.
    Done,
    /// It failed.
    Failed,
    /// It will never start: this step, which it needs, did not finish.
    Impossible(StepId),
    /// It will never start: the schedule was stopped.
    Stopped,
}

/// A plan in progress.
///
/// Guarantees: every step is handed out at most once, never before all that it needs is done and
/// all that it comes after has ended. A step is impossible if and only if something it needs did
/// not finish. A step behind a gate needs, or comes after, the steps in front of the gate. Each
/// step ends once: by [`Schedule::finish`], in what that returns, or in what [`Schedule::stop`]
/// returns.
pub struct Schedule {
    stands: Vec<Stand>,
    left: Vec<usize>,
    dependents: Vec<Vec<StepId>>,
    /// Steps that come after this one, however it ends.
    followers: Vec<Vec<StepId>>,
    /// Seconds from the start of the step to the end of its longest path.
    remaining: Vec<f64>,
    ready: BinaryHeap<Ready>,
    open: usize,
    running: usize,
    /// Number of nodes that are steps. The gates follow them; a gate is never handed out, and is
    /// done as soon as it may start.
    steps: usize,
}

/// Priority: the longest remaining path first, then the smaller id.
struct Ready(f64, StepId);

impl PartialEq for Ready {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Ready {}
impl PartialOrd for Ready {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Ready {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0).then(other.1.cmp(&self.1))
    }
}

impl Schedule {
    /// Creates the schedule of `plan`, whose steps are in topological order.
    pub fn new(plan: &Plan) -> Self {
        let steps = &plan.steps;
        let count = steps.len() + plan.gates.len();
        let mut dependents = vec![Vec::new(); count];
        let mut followers = vec![Vec::new(); count];
        let mut left = vec![0; count];
        for (id, step) in steps.iter().enumerate() {
            step.needs.iter().for_each(|need| dependents[*need].push(id));
            step.after.iter().for_each(|it| followers[*it].push(id));
            left[id] = step.before().count();
        }
        for (id, gate) in (steps.len()..).zip(&plan.gates) {
            gate.needs.iter().for_each(|need| dependents[*need].push(id));
            gate.after.iter().for_each(|it| followers[*it].push(id));
            left[id] = gate.before().count();
            for held in &gate.holds {
                dependents[id].push(*held);
                left[*held] += 1;
            }
        }
        let mut schedule = Self {
            stands: vec![Stand::Waiting; count],
            left,
            dependents,
            followers,
            remaining: remaining(plan),
            ready: BinaryHeap::new(),
            open: steps.len(),
            running: 0,
            steps: steps.len(),
        };
        for id in 0..count {
            schedule.offer(id);
        }
        schedule
    }

    /// Returns up to `at_most` steps that may start now, most urgent first; they count as running.
    pub fn take_ready(&mut self, at_most: usize) -> Vec<StepId> {
        let mut taken = Vec::new();
        while taken.len() < at_most {
            let Some(Ready(_, id)) = self.ready.pop() else { break };
            self.stands[id] = Stand::Running;
            self.running += 1;
            taken.push(id);
        }
        taken
    }

    /// Ends a running step; returns the steps that have become impossible.
    pub fn finish(&mut self, id: StepId, done: bool) -> Vec<StepId> {
        assert_eq!(self.stands[id], Stand::Running, "step {id} was not running");
        self.running -= 1;
        self.open -= 1;
        self.stands[id] = if done { Stand::Done } else { Stand::Failed };
        if done {
            self.release(self.dependents[id].clone());
            self.release(self.followers[id].clone());
            return Vec::new();
        }
        let mut impossible = Vec::new();
        let mut open = self.dependents[id].clone();
        while let Some(next) = open.pop() {
            if self.stands[next] == Stand::Waiting {
                self.stands[next] = Stand::Impossible(id);
                if next < self.steps {
                    self.open -= 1;
                    impossible.push(next);
                }
                open.extend(&self.dependents[next]);
            }
        }
        impossible.sort_unstable();
        // Only now is it known which followers can start at all.
        for ended in std::iter::once(id).chain(impossible.iter().copied()) {
            self.release(self.followers[ended].clone());
        }
        impossible
    }

    /// Removes one dependency from each of `ids`.
    fn release(&mut self, ids: Vec<StepId>) {
        for id in ids {
            self.left[id] -= 1;
            self.offer(id);
        }
    }

    /// Stops handing out steps; returns each step that was neither handed out nor impossible, once.
    pub fn stop(&mut self) -> Vec<StepId> {
        self.ready.clear();
        let never = |id: &StepId| matches!(self.stands[*id], Stand::Waiting | Stand::Ready);
        let left: Vec<StepId> = (0..self.steps).filter(never).collect();
        left.iter().for_each(|id| self.stands[*id] = Stand::Stopped);
        self.open -= left.len();
        left
    }

    /// Returns the number of running steps.
    pub fn running(&self) -> usize {
        self.running
    }

    /// True if nothing runs and nothing is left to start.
    pub fn is_done(&self) -> bool {
        self.open == 0
    }

    fn offer(&mut self, id: StepId) {
        if self.left[id] != 0 || self.stands[id] != Stand::Waiting {
            return;
        }
        if id < self.steps {
            self.stands[id] = Stand::Ready;
            self.ready.push(Ready(self.remaining[id], id));
        } else {
            self.stands[id] = Stand::Done;
            self.release(self.dependents[id].clone());
        }
    }
}

/// Returns the seconds from the start of each step to the end of its longest path.
fn remaining(plan: &Plan) -> Vec<f64> {
    let behind = gate::of_each(plan.steps.len(), &plan.gates);
    let mut in_front: Vec<Vec<usize>> = vec![Vec::new(); plan.steps.len()];
    for (number, gate) in plan.gates.iter().enumerate() {
        gate.before().for_each(|step| in_front[step].push(number));
    }
    // The longest path behind each gate. The loop runs backwards, so all later steps are known.
    let mut gates = vec![0.0_f64; plan.gates.len()];
    let mut remaining: Vec<f64> = plan.steps.iter().map(|step| step.estimate).collect();
    for (id, step) in plan.steps.iter().enumerate().rev() {
        let later = in_front[id].iter().map(|gate| gates[*gate]).fold(0.0, f64::max);
        remaining[id] = remaining[id].max(step.estimate + later);
        for gate in &behind[id] {
            gates[*gate] = gates[*gate].max(remaining[id]);
        }
        for before in step.before() {
            remaining[before] = remaining[before].max(plan.steps[before].estimate + remaining[id]);
        }
    }
    remaining
}
