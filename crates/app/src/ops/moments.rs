//! When what was done, while a run goes on.

use std::collections::{BTreeMap, BTreeSet};

use drstack_core::address::ComponentAddress;
use drstack_core::engine::event::{Event, Outcome};
use drstack_core::engine::execute::RunSummary;
use drstack_core::kind::DynKind;
use drstack_core::plan::{Plan, Step};
use jiff::Timestamp;

use crate::report::timeline::{Clock, Ramped};
use crate::session::Session;

/// Records when the latest step of each sort was done: data, capacity, check or traffic; and the same
/// of each component.
pub(super) fn note_moment(
    session: &Session,
    plan: &Plan,
    event: &Event,
    clock: &mut Clock,
    parts: &mut BTreeMap<ComponentAddress, Timestamp>,
) {
    let Event::StepFinished { step, outcome: Outcome::Done, .. } = event else { return };
    let Some(step) = plan.steps.get(*step) else { return };
    let Some(kind) = session.kinds.get(&step.kind) else { return };
    let now = session.now();
    let Some(moment) = moment(kind, clock) else { return };
    *moment = Some(now);
    parts.insert(step.address.component(), now);
}

/// Returns the moment of the clock that steps on `kind` make.
fn moment<'c>(kind: &'static dyn DynKind, clock: &'c mut Clock) -> Option<&'c mut Option<Timestamp>> {
    if kind.check().is_some() {
        Some(&mut clock.checked)
    } else if kind.traffic().is_some() {
        Some(&mut clock.traffic)
    } else if kind.capacity().is_some() {
        Some(&mut clock.capacity)
    } else {
        kind.role().holds_data().then_some(&mut clock.data)
    }
}

/// Sets the moments that a whole run decides. A sort of which a step is not done has none: half of the
/// checks are not "passed".
pub(super) fn conclude(session: &Session, plan: &Plan, summary: &RunSummary, clock: &mut Clock) {
    // Instances that were up stayed up, unless a step had to be repeated.
    if clock.done.is_none() || !summary.redone.is_empty() {
        clock.done = Some(session.now());
    }
    if !summary.redone.is_empty() {
        clock.capacity = clock.done;
    }
    let failed = summary.failed.iter().map(|(step, _)| step);
    let held = summary.held.iter().map(|(step, _)| step);
    for step in failed.chain(held).chain(&summary.unfinished) {
        let kind = plan.steps.get(*step).and_then(|step| session.kinds.get(&step.kind));
        if let Some(moment) = kind.and_then(|kind| moment(kind, clock)) {
            *moment = None;
        }
    }
}

/// Measures the time in which a run only moves traffic share by share.
pub(super) struct Ramps {
    /// The steps that ramp traffic.
    steps: BTreeSet<usize>,
    running: BTreeSet<usize>,
    since: Timestamp,
    pub(super) alone: Ramped,
}

impl Ramps {
    pub(super) fn of(session: &Session, plan: &Plan) -> Self {
        let is_ramp = |step: &Step| {
            let traffic = session.kinds.get(&step.kind).and_then(|kind| kind.traffic());
            traffic.is_some_and(|it| it.holds(&step.spec).is_ok_and(|it| !it.is_zero()))
        };
        let steps =
            plan.steps.iter().enumerate().filter(|(_, step)| is_ramp(step)).map(|(id, _)| id).collect();
        Self { steps, running: BTreeSet::new(), since: session.now(), alone: Ramped::default() }
    }

    pub(super) fn note(&mut self, event: &Event, now: Timestamp) {
        if !self.running.is_empty() && self.running.is_subset(&self.steps) {
            self.alone.0.push((self.since, now));
        }
        self.since = now;
        match event {
            Event::StepStarted { step, .. } => {
                self.running.insert(*step);
            }
            Event::StepFinished { step, .. } => {
                self.running.remove(step);
            }
            _ => {}
        }
    }
}
