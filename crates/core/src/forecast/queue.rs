//! The queue for launches: the launch budget of each region, as the engine draws on it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::budget::LaunchBudget;
use crate::plan::{Plan, StepId};

/// Something that happens at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// A step has ended.
    Ended(StepId),
    /// The budget of this region has enough for the first in its queue.
    Granted(usize),
    /// A part is asked for, and the step wants its next launches.
    Asked(StepId),
}

/// If a step has all its launches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Launching {
    /// It has.
    Done,
    /// It has to ask for more.
    Left,
}

/// The budgets, and the launches that steps still lack.
pub(super) struct Queue<'a> {
    plan: &'a Plan,
    /// The region of each step, as an index of `budgets`.
    regions: Vec<usize>,
    budgets: Vec<Region>,
    lacking: Vec<u32>,
    numbers: usize,
}

/// One region's budget, with the steps that wait for it and since when. The first one is served.
struct Region {
    budget: LaunchBudget,
    waiting: VecDeque<(StepId, Duration)>,
}

impl<'a> Queue<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let mut known: BTreeMap<&str, usize> = BTreeMap::new();
        let mut number = |region: &'a str| {
            let next = known.len();
            *known.entry(region).or_insert(next)
        };
        let regions: Vec<usize> = plan.steps.iter().map(|step| number(&step.region)).collect();
        let full = || Region { budget: LaunchBudget::full(), waiting: VecDeque::new() };
        let budgets = (0..known.len()).map(|_| full()).collect();
        Self { plan, regions, budgets, lacking: vec![0; plan.steps.len()], numbers: 0 }
    }

    /// Takes all launches of a step that begins, if there are as many.
    pub(super) fn begin(&mut self, id: StepId, now: Duration) -> Launching {
        let Some(raise) = self.plan.steps[id].raise.filter(|it| it.at_most > 0) else {
            return Launching::Done;
        };
        if self.take_at_once(id, now, raise.at_most) {
            return Launching::Done;
        }
        self.lacking[id] = raise.needed;
        self.left(id)
    }

    /// Returns if the step lacks launches.
    pub(super) fn left(&self, id: StepId) -> Launching {
        if self.lacking[id] == 0 { Launching::Done } else { Launching::Left }
    }

    /// Queues the step for what it lacks. Returns the region and when its budget has enough, if no
    /// other step is served before.
    pub(super) fn ask(&mut self, id: StepId, now: Duration) -> Option<(usize, Duration)> {
        let (number, lacking) = (self.regions[id], self.lacking[id]);
        let region = &mut self.budgets[number];
        region.waiting.push_back((id, now));
        (region.waiting.len() == 1).then(|| (number, region.budget.enough_at(now, lacking)))
    }

    /// Serves the first in the queue. Returns the step, how long it waited, and when the budget has
    /// enough for the next one.
    pub(super) fn grant(
        &mut self,
        region: usize,
        now: Duration,
    ) -> Option<(StepId, Duration, Option<Duration>)> {
        let Region { budget, waiting } = &mut self.budgets[region];
        let (id, since) = waiting.pop_front()?;
        self.lacking[id] -= budget.take(now, self.lacking[id]);
        let next = waiting.front().map(|(next, _)| budget.enough_at(now, self.lacking[*next]));
        Some((id, now.saturating_sub(since), next))
    }

    /// Numbers the events.
    pub(super) fn count(&mut self) -> usize {
        self.numbers += 1;
        self.numbers
    }

    /// Takes `wanted` launches if there are as many and no step waits.
    fn take_at_once(&mut self, id: StepId, now: Duration, wanted: u32) -> bool {
        let region = &mut self.budgets[self.regions[id]];
        region.waiting.is_empty() && region.budget.take_at_once(now, wanted)
    }
}
