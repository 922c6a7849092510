//! Forecast: how long a plan will take, by a simulation of its execution; pure.
//!
//! It drives the engine's own [`Schedule`] and launch budget, step by step: a step waits for what
//! it comes after, then for a slot, and its launches wait for the budget. It knows no throttling,
//! since no service states the rate that it accepts from an account at that moment.

mod prediction;
mod queue;
mod remaining;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use crate::address::ComponentAddress;
use crate::engine::schedule::Schedule;
use crate::kind::Action;
use crate::plan::{Plan, Step, StepId};
pub use prediction::{FailoverForecast, Late, Prediction};
pub use remaining::{Course, Remaining};

use queue::{Event, Launching, Queue};

/// The basis of a forecast from [`Estimates`].
pub const BASIS: &str = "typical AWS times, not measured in your account";

/// Where a forecast has its durations from.
pub trait Durations {
    /// How long `step` takes once it has started and has its launches.
    fn step(&self, step: &Step) -> Duration;

    /// How long the call takes that asks for a part of the launches of `step`.
    ///
    /// The engine does not wait until a part is in service.
    fn part(&self, _step: &Step) -> Duration {
        Duration::ZERO
    }

    /// How long an update of `step` after the first one takes.
    fn round(&self, _step: &Step) -> Duration {
        Duration::ZERO
    }

    /// How long a write of the journal takes: the engine writes before it starts steps.
    fn write(&self) -> Duration {
        Duration::ZERO
    }
}

/// The estimates of the steps, which are the priors of their kinds.
pub struct Estimates;

impl Durations for Estimates {
    fn step(&self, step: &Step) -> Duration {
        Duration::try_from_secs_f64(step.estimate).unwrap_or_default()
    }
}

/// The predicted course of a plan. Times are since its start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forecast {
    /// When each step starts and ends.
    pub steps: Vec<Timed>,
    /// When the last step ends.
    pub total: Duration,
    /// What the end follows from, first to last; its times add up to the total.
    pub path: Vec<Leg>,
    /// When the last step of each component ends, without deletions.
    pub serves: BTreeMap<ComponentAddress, Duration>,
}

/// Start and end of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timed {
    /// When all that it comes after has ended.
    pub ready: Duration,
    /// When it gets a slot.
    pub start: Duration,
    /// How long its launches wait for the budget.
    pub launching: Duration,
    /// When it ends.
    pub end: Duration,
}

/// A step on the path that decides when a plan ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The step.
    pub step: StepId,
    /// Wait for a slot.
    pub queued: Duration,
    /// Wait for launches.
    pub launching: Duration,
    /// The rest of its time.
    pub work: Duration,
}

impl Forecast {
    /// Simulates `plan` with this number of concurrent steps.
    pub fn of(plan: &Plan, slots: usize, durations: &dyn Durations) -> Self {
        let mut run = Run {
            plan,
            durations,
            schedule: Schedule::new(plan),
            // The engine does the same: without any room the run would never end.
            slots: slots.max(1),
            steps: vec![Timed::default(); plan.steps.len()],
            queue: Queue::new(plan),
            events: BinaryHeap::new(),
            ended: Vec::new(),
            now: Duration::ZERO,
        };
        run.simulate();
        run.forecast()
    }

    /// Returns the waits for slots and for launches on the path.
    pub fn waits(&self) -> (Duration, Duration) {
        let queued = self.path.iter().map(|leg| leg.queued).sum();
        (queued, self.path.iter().map(|leg| leg.launching).sum())
    }
}

struct Run<'a> {
    plan: &'a Plan,
    durations: &'a dyn Durations,
    schedule: Schedule,
    slots: usize,
    steps: Vec<Timed>,
    queue: Queue<'a>,
    events: BinaryHeap<Reverse<(Duration, usize, Event)>>,
    /// Steps that have ended and are not joined yet.
    ended: Vec<StepId>,
    now: Duration,
}

impl Run<'_> {
    /// Goes through the engine's loop: take steps, write their intents, start them, and wait until
    /// one ends.
    fn simulate(&mut self) {
        loop {
            let free = self.slots.saturating_sub(self.schedule.running());
            let taken = self.schedule.take_ready(free);
            taken.iter().for_each(|id| self.steps[*id].start = self.now);
            self.now += self.durations.write();
            self.pass();
            taken.into_iter().for_each(|id| self.begin(id));
            while self.ended.is_empty() {
                let Some(Reverse((at, ..))) = self.events.peek() else { return };
                self.now = *at;
                self.pass();
            }
            for id in std::mem::take(&mut self.ended) {
                self.steps[id].end = self.now;
                self.schedule.finish(id, true);
            }
        }
    }

    /// Lets everything happen that is due by now, each at its own time.
    fn pass(&mut self) {
        while let Some(Reverse((at, ..))) = self.events.peek()
            && *at <= self.now
        {
            let Some(Reverse((at, _, event))) = self.events.pop() else { return };
            match event {
                Event::Ended(id) => self.ended.push(id),
                Event::Granted(region) => self.grant(region, at),
                Event::Asked(id) => self.launch(id, at),
            }
        }
    }

    fn begin(&mut self, id: StepId) {
        match self.queue.begin(id, self.now) {
            Launching::Done => self.work(id, self.now),
            Launching::Left => self.launch(id, self.now),
        }
    }

    /// Asks for the launches that `id` still lacks.
    fn launch(&mut self, id: StepId, now: Duration) {
        if let Some((region, at)) = self.queue.ask(id, now) {
            self.at(at, Event::Granted(region));
        }
    }

    /// Serves the first in the queue of `region`, and begins to serve the next one.
    fn grant(&mut self, region: usize, now: Duration) {
        let Some((id, waited, next)) = self.queue.grant(region, now) else { return };
        self.steps[id].launching += waited;
        if let Some(at) = next {
            self.at(at, Event::Granted(region));
        }
        match self.queue.left(id) {
            Launching::Done => self.work(id, now),
            Launching::Left => self.at(now + self.durations.part(&self.plan.steps[id]), Event::Asked(id)),
        }
    }

    /// Lets `id` do its work, now that it has its launches.
    fn work(&mut self, id: StepId, now: Duration) {
        let step = &self.plan.steps[id];
        let rounds = step.raise.map_or(0, |raise| raise.rounds);
        self.at(now + self.durations.step(step) + self.durations.round(step) * rounds, Event::Ended(id));
    }

    fn at(&mut self, at: Duration, event: Event) {
        // Events of one moment happen in the order in which they were decided.
        let number = self.queue.count();
        self.events.push(Reverse((at, number, event)));
    }

    fn forecast(mut self) -> Forecast {
        let before = self.last_before();
        for (id, last) in before.iter().enumerate() {
            self.steps[id].ready = last.map_or(Duration::ZERO, |last| self.steps[last].end);
        }
        let mut at = (0..self.steps.len()).max_by_key(|id| self.steps[*id].end);
        let total = at.map_or(Duration::ZERO, |id| self.steps[id].end);
        let mut path = Vec::new();
        while let Some(step) = at {
            let Timed { ready, start, launching, end } = self.steps[step];
            let work = end.saturating_sub(start + launching);
            path.push(Leg { step, queued: start.saturating_sub(ready), launching, work });
            at = before[step];
        }
        path.reverse();
        let mut serves = BTreeMap::new();
        for (step, timed) in self.plan.steps.iter().zip(&self.steps) {
            if step.action != Action::Delete {
                let at = serves.entry(step.address.component()).or_insert(timed.end);
                *at = timed.end.max(*at);
            }
        }
        Forecast { steps: self.steps, total, path, serves }
    }

    /// Returns, for each step, the one that ended last of those that it comes after.
    fn last_before(&self) -> Vec<Option<StepId>> {
        let last = |ids: &mut dyn Iterator<Item = StepId>| ids.max_by_key(|id| self.steps[*id].end);
        let mut before: Vec<Option<StepId>> =
            self.plan.steps.iter().map(|it| last(&mut it.before())).collect();
        for gate in &self.plan.gates {
            let opens = last(&mut gate.before());
            for held in &gate.holds {
                before[*held] = last(&mut before[*held].into_iter().chain(opens));
            }
        }
        before
    }
}
