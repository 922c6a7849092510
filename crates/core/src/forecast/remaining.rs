//! What remains of a plan while it is executed.

use std::time::Duration;

use super::Forecast;
use crate::plan::{Gate, Plan, StepId, gate};

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// It has not started.
    Ahead,
    /// It has run for this long.
    Running(Duration),
    /// It has ended, done or not.
    Ended,
}

/// The predicted durations of a plan's steps, and what each waits for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remaining {
    /// Each step's duration with the waits of its launches, and its own dependencies.
    steps: Vec<(Duration, Vec<StepId>)>,
    /// What each gate waits for.
    gates: Vec<Vec<StepId>>,
    /// The gates that hold each step.
    behind: Vec<Vec<usize>>,
    slots: usize,
}

impl Remaining {
    /// Takes the durations of `plan` from its `forecast` with `slots` steps at once.
    pub fn of(plan: &Plan, forecast: &Forecast, slots: usize) -> Self {
        let steps = plan.steps.iter().zip(&forecast.steps);
        Self {
            steps: steps
                .map(|(step, timed)| (timed.end.saturating_sub(timed.start), step.before().collect()))
                .collect(),
            gates: plan.gates.iter().map(|it| Gate::before(it).collect()).collect(),
            behind: gate::of_each(plan.steps.len(), &plan.gates),
            slots: slots.max(1),
        }
    }

    /// Returns the time that the rest takes: its critical path, or its work shared out over the
    /// slots if that is longer.
    ///
    /// A step that runs longer than predicted counts as if it ended now, and delays what waits
    /// for it. One that ended early brings that forward. Nothing is predicted once all that runs takes
    /// twice as long as predicted: zero.
    pub fn left(&self, course: impl Fn(StepId) -> Course) -> Duration {
        let mut running = self.steps.iter().enumerate().filter_map(|(id, (takes, _))| match course(id) {
            Course::Running(elapsed) => Some(elapsed > takes.saturating_mul(2)),
            Course::Ahead | Course::Ended => None,
        });
        if running.next().is_some_and(|first| first && running.all(|it| it)) {
            return Duration::ZERO;
        }
        let mut ends: Vec<Duration> = Vec::with_capacity(self.steps.len());
        let mut opens: Vec<Option<Duration>> = vec![None; self.gates.len()];
        let mut work = Duration::ZERO;
        for (id, (takes, before)) in self.steps.iter().enumerate() {
            let last = |ids: &[StepId]| ids.iter().map(|id| ends[*id]).max().unwrap_or_default();
            for gate in &self.behind[id] {
                opens[*gate].get_or_insert_with(|| last(&self.gates[*gate]));
            }
            let gates = self.behind[id].iter().filter_map(|gate| opens[*gate]);
            let ready = gates.chain([last(before)]).max().unwrap_or_default();
            let rest = match course(id) {
                Course::Ahead => *takes,
                Course::Running(elapsed) => takes.saturating_sub(elapsed),
                Course::Ended => Duration::ZERO,
            };
            work += rest;
            ends.push(match course(id) {
                Course::Ahead => ready + rest,
                Course::Running(_) | Course::Ended => rest,
            });
        }
        let path = ends.into_iter().max().unwrap_or_default();
        path.max(work / u32::try_from(self.slots).unwrap_or(u32::MAX))
    }
}
