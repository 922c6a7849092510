//! Tests of the schedule's guarantees, on plans with only needs and estimates.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::address::Address;
use crate::kind::{Action, Place};
use crate::plan::Step;

/// A plan of steps given by estimate and needs.
fn plan(steps: &[(f64, &[StepId])]) -> Plan {
    let step = |(number, (estimate, needs)): (usize, &(f64, &[StepId]))| Step {
        address: Address::parse(&format!("x.x/s{number}")).unwrap(),
        kind: "toy".to_owned(),
        place: Place::Standby,
        region: "us-west-2".to_owned(),
        action: Action::Create,
        reason: String::new(),
        changes: Vec::new(),
        spec: Value::Null,
        id: None,
        needs: needs.to_vec(),
        after: Vec::new(),
        replaces: false,
        estimate: *estimate,
        raise: None,
        token: String::new(),
        tier: 1,
    };
    Plan { steps: steps.iter().enumerate().map(step).collect(), ..Plan::default() }
}

#[test]
fn the_longest_remaining_path_goes_first() {
    let plan = plan(&[(5.0, &[]), (1.0, &[]), (9.0, &[1]), (7.0, &[])]);
    let mut schedule = Schedule::new(&plan);
    assert_eq!(schedule.take_ready(2), [1, 3]);
    assert_eq!(schedule.finish(1, true), [0; 0]);
    assert_eq!(schedule.take_ready(9), [2, 0]);
    assert_eq!(schedule.running(), 3);
}

#[test]
fn a_failure_ends_what_needs_it_and_nothing_else() {
    let plan = plan(&[(1.0, &[]), (1.0, &[]), (1.0, &[0]), (1.0, &[1, 2]), (1.0, &[1])]);
    let mut schedule = Schedule::new(&plan);
    assert_eq!(schedule.take_ready(9), [0, 1]);
    assert_eq!(schedule.finish(0, false), [2, 3]);
    assert_eq!(schedule.finish(1, true), [0; 0]);
    assert_eq!(schedule.take_ready(9), [4]);
    assert_eq!(schedule.finish(4, true), [0; 0]);
    assert!(schedule.is_done());
}

#[test]
fn what_a_stop_gives_up_is_given_up_once() {
    let plan = plan(&[(3.0, &[]), (2.0, &[]), (1.0, &[0]), (1.0, &[1]), (1.0, &[2, 3])]);
    let mut schedule = Schedule::new(&plan);
    assert_eq!(schedule.take_ready(1), [0]);
    assert_eq!(schedule.stop(), [1, 2, 3, 4]);
    assert_eq!(schedule.stop(), [0; 0]);
    assert!(!schedule.is_done());
    assert_eq!(schedule.finish(0, false), [0; 0]);
    assert_eq!(schedule.stop(), [0; 0]);
    assert_eq!(schedule.take_ready(9), [0; 0]);
    assert!(schedule.is_done());
}

#[test]
fn what_is_done_after_a_stop_starts_nothing() {
    let plan = plan(&[(1.0, &[]), (1.0, &[0])]);
    let mut schedule = Schedule::new(&plan);
    schedule.take_ready(1);
    assert_eq!(schedule.stop(), [1]);
    assert_eq!(schedule.finish(0, true), [0; 0]);
    assert_eq!(schedule.take_ready(1), [0; 0]);
    assert!(schedule.is_done());
}

/// Next operation on a schedule: take up to this many steps, end a running one, or stop.
#[derive(Clone, Debug)]
enum Act {
    Take(usize),
    End(prop::sample::Index, bool),
    Stop,
}

/// Generates an estimate and needs (earlier steps only) for each step.
fn graphs() -> impl Strategy<Value = Vec<(f64, Vec<StepId>)>> {
    let step = (0_u8..20, prop::collection::vec(any::<prop::sample::Index>(), 0..4));
    prop::collection::vec(step, 0..24).prop_map(|steps| {
        let needs = |number: usize, among: &[prop::sample::Index]| {
            let needs = among.iter().filter(|_| number > 0).map(|index| index.index(number));
            needs.collect::<BTreeSet<StepId>>().into_iter().collect()
        };
        let numbered = steps.iter().enumerate();
        numbered.map(|(number, (estimate, among))| (f64::from(*estimate), needs(number, among))).collect()
    })
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0_usize..5).prop_map(Act::Take),
        8 => (any::<prop::sample::Index>(), prop::bool::weighted(0.85)).prop_map(|(which, done)| Act::End(which, done)),
        1 => Just(Act::Stop),
    ];
    prop::collection::vec(act, 0..80)
}

/// Reference model of the schedule: sets, with every answer recomputed from the graph.
#[derive(Default)]
struct Model {
    needs: Vec<Vec<StepId>>,
    estimates: Vec<f64>,
    running: BTreeSet<StepId>,
    done: BTreeSet<StepId>,
    failed: BTreeSet<StepId>,
    impossible: BTreeSet<StepId>,
    stopped: BTreeSet<StepId>,
    draining: bool,
}

impl Model {
    fn of(graph: &[(f64, Vec<StepId>)]) -> Self {
        let (estimates, needs) = graph.iter().cloned().unzip();
        Self { needs, estimates, ..Self::default() }
    }

    fn has_ended(&self, id: StepId) -> bool {
        [&self.done, &self.failed, &self.impossible, &self.stopped].iter().any(|ended| ended.contains(&id))
    }

    fn open(&self) -> Vec<StepId> {
        let open = |id: &StepId| !self.has_ended(*id) && !self.running.contains(id);
        (0..self.needs.len()).filter(open).collect()
    }

    fn ready(&self) -> Vec<StepId> {
        let all_done = |id: &StepId| self.needs[*id].iter().all(|need| self.done.contains(need));
        if self.draining { Vec::new() } else { self.open().into_iter().filter(all_done).collect() }
    }

    fn needs_at_any_distance(&self, id: StepId, what: StepId) -> bool {
        self.needs[id].iter().any(|need| *need == what || self.needs_at_any_distance(*need, what))
    }

    fn remaining(&self, id: StepId) -> f64 {
        let behind = (0..self.needs.len()).filter(|other| self.needs[*other].contains(&id));
        self.estimates[id] + behind.map(|other| self.remaining(other)).fold(0.0, f64::max)
    }

    /// Checks the steps that the schedule handed out.
    fn take(&mut self, at_most: usize, taken: &[StepId]) -> Result<(), TestCaseError> {
        let ready = self.ready();
        prop_assert_eq!(taken.len(), at_most.min(ready.len()));
        prop_assert!(taken.iter().all(|id| ready.contains(id)), "{:?} of {:?}", taken, ready);
        let urgency: Vec<f64> = taken.iter().map(|id| self.remaining(*id)).collect();
        prop_assert!(urgency.is_sorted_by(|a, b| a >= b), "{:?}", urgency);
        let last = urgency.last().copied().unwrap_or(f64::INFINITY);
        let mut left = ready.iter().filter(|id| !taken.contains(id));
        prop_assert!(taken.is_empty() || left.all(|id| self.remaining(*id) <= last));
        self.running.extend(taken);
        Ok(())
    }

    /// Records that a step ended, and checks what became impossible.
    fn end(&mut self, id: StepId, done: bool, impossible: &[StepId]) -> Result<(), TestCaseError> {
        self.running.remove(&id);
        if done {
            self.done.insert(id)
        } else {
            self.failed.insert(id)
        };
        let lost = |other: &StepId| !done && self.needs_at_any_distance(*other, id);
        let expected: Vec<StepId> = self.open().into_iter().filter(lost).collect();
        prop_assert_eq!(impossible, &expected);
        self.impossible.extend(impossible);
        Ok(())
    }

    fn stop(&mut self, stopped: &[StepId]) -> Result<(), TestCaseError> {
        prop_assert_eq!(stopped, &self.open());
        self.stopped.extend(stopped);
        self.draining = true;
        Ok(())
    }

    /// Checks that each step ended in exactly one way, and that the ways are consistent.
    fn check_end(&self) -> Result<(), TestCaseError> {
        let ways = [&self.done, &self.failed, &self.impossible, &self.stopped];
        prop_assert_eq!(ways.iter().map(|way| way.len()).sum::<usize>(), self.needs.len());
        for id in 0..self.needs.len() {
            prop_assert!(self.has_ended(id));
            let lost = self.failed.iter().any(|failed| self.needs_at_any_distance(id, *failed));
            prop_assert!(self.draining || lost == self.impossible.contains(&id), "step {}", id);
        }
        Ok(())
    }
}

/// The schedule and its model, side by side.
struct Pair {
    schedule: Schedule,
    model: Model,
}

impl Pair {
    fn act(&mut self, act: &Act) -> Result<(), TestCaseError> {
        match act {
            Act::Take(at_most) => self.model.take(*at_most, &self.schedule.take_ready(*at_most))?,
            Act::Stop => self.model.stop(&self.schedule.stop())?,
            Act::End(which, done) => {
                let running: Vec<StepId> = self.model.running.iter().copied().collect();
                if !running.is_empty() {
                    let id = *which.get(&running);
                    self.model.end(id, *done, &self.schedule.finish(id, *done))?;
                }
            }
        }
        prop_assert_eq!(self.schedule.running(), self.model.running.len());
        let over = self.model.running.is_empty() && self.model.open().is_empty();
        prop_assert_eq!(self.schedule.is_done(), over);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_step_ends_once_and_none_starts_early(graph in graphs(), acts in acts()) {
        let steps: Vec<(f64, &[StepId])> =
            graph.iter().map(|(estimate, needs)| (*estimate, needs.as_slice())).collect();
        let mut pair = Pair { schedule: Schedule::new(&plan(&steps)), model: Model::of(&graph) };
        for act in &acts {
            pair.act(act)?;
        }
        // Until the schedule is done, taking and ending steps must make progress.
        for _ in 0..=graph.len() {
            pair.act(&Act::Take(graph.len()))?;
            for id in pair.model.running.clone() {
                pair.model.end(id, true, &pair.schedule.finish(id, true))?;
            }
        }
        prop_assert!(pair.schedule.is_done());
        pair.model.check_end()?;
    }
}

/// Two plans of the same steps that wait for the same: one by gates, the other step by step.
fn gated(graph: &[(f64, Vec<StepId>)], gates: &[(usize, Vec<prop::sample::Index>, bool)]) -> (Plan, Plan) {
    let steps: Vec<(f64, &[StepId])> =
        graph.iter().map(|(estimate, needs)| (*estimate, needs.as_slice())).collect();
    let (mut by_gates, mut by_steps) = (plan(&steps), plan(&steps));
    for (at, members, is_needed) in gates.iter().filter(|_| !graph.is_empty()) {
        // Steps in front of a gate have smaller numbers than those it holds, so that there is no
        // cycle.
        let at = at % graph.len();
        let all: BTreeSet<StepId> = members.iter().map(|it| it.index(graph.len())).collect();
        let (front, holds): (Vec<StepId>, Vec<StepId>) = all.into_iter().partition(|it| *it < at);
        for held in &holds {
            let step = &mut by_steps.steps[*held];
            if *is_needed { step.needs.extend(&front) } else { step.after.extend(&front) }
        }
        let (needs, after) = if *is_needed { (front, Vec::new()) } else { (Vec::new(), front) };
        by_gates.gates.push(crate::plan::Gate { needs, after, holds });
    }
    (by_gates, by_steps)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_gate_is_no_more_and_no_less_than_each_two_of_its_steps(
        graph in graphs(),
        gates in prop::collection::vec(
            (0_usize..24, prop::collection::vec(any::<prop::sample::Index>(), 0..8), any::<bool>()), 0..4),
        acts in acts(),
    ) {
        let (by_gates, by_steps) = gated(&graph, &gates);
        prop_assert_eq!(by_gates.critical_path().1, by_steps.critical_path().1);
        let (mut one, mut other) = (Schedule::new(&by_gates), Schedule::new(&by_steps));
        let mut running: Vec<StepId> = Vec::new();
        for act in &acts {
            match act {
                Act::Take(at_most) => {
                    let taken = one.take_ready(*at_most);
                    prop_assert_eq!(&taken, &other.take_ready(*at_most));
                    running.extend(taken);
                }
                Act::Stop => prop_assert_eq!(one.stop(), other.stop()),
                Act::End(which, done) if !running.is_empty() => {
                    let id = running.swap_remove(which.index(running.len()));
                    prop_assert_eq!(one.finish(id, *done), other.finish(id, *done));
                }
                Act::End(..) => {}
            }
            prop_assert_eq!(one.is_done(), other.is_done());
        }
    }
}
