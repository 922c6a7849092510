//! Again: what calls in flight undid after a change of mode was made, seen once they must have landed, and done once more.
//!
//! A change of mode seals the run that it takes the lock from, which sends nothing more. What that run had sent by then may land at any moment
//! until [`FLIGHT`] after its lease, and would leave the world of a run that is no more. So the change of mode is not complete before that.
//!
//! [`FLIGHT`]: crate::control::in_flight::FLIGHT

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::event::{Event, StepError};
use super::execute::{ExecuteOptions, RunSummary, execute};
use super::journal::{Journal, JournalError};
use crate::address::Address;
use crate::cloud::{Cloud, CloudError, Found, Scope};
use crate::component::StackFacts;
use crate::control::in_flight::InFlight;
use crate::graph::Graph;
use crate::kind::{Action, KindRegistry, Place};
use crate::link::resolve;
use crate::observe::{Look, Observed, observe, observe_alone};
use crate::plan::{Options, Plan, Step, StepId, plan};

/// How often what was undone is done again. Once does: nothing lands any more by then. What differs even after that is something else's work.
const ROUNDS: usize = 3;

/// How often looks are repeated that fail, and the pause between.
const LOOKS: usize = 4;
const PAUSE: Duration = Duration::from_secs(2);

/// A plan that was executed, and what is needed to make it again.
pub struct Again<'a> {
    /// The cloud.
    pub cloud: Arc<dyn Cloud>,
    /// Kinds.
    pub kinds: &'a KindRegistry,
    /// The stack's scope.
    pub scope: &'a Scope,
    /// The stack's name and regions.
    pub stack: &'a StackFacts,
    /// What was wanted.
    pub graph: &'a Graph,
    /// What the plan was asked for.
    pub options: &'a Options,
    /// What was done.
    pub plan: &'a Plan,
    /// What is not looked at, where the standby region stands alone.
    pub known: Option<&'a BTreeMap<Address, Found>>,
}

impl Again<'_> {
    /// What of `in_flight` can be looked at, and what cannot, since it stands where this run may not look.
    fn within_sight(&self, in_flight: &InFlight) -> (InFlight, InFlight) {
        let wanted = |address: &Address| self.graph.resources.get(address);
        let is_seen = |address: &Address| {
            let is_elsewhere = self.known.is_some_and(|known| {
                known.contains_key(address) || wanted(address).is_some_and(|it| it.place != Place::Standby)
            });
            wanted(address).is_some() && !is_elsewhere
        };
        (in_flight.clone().only(is_seen), in_flight.clone().only(|address| !is_seen(address)))
    }

    /// Whether no step failed, or only such as a call in flight may have undermined: it may have deleted what the step was to change. A
    /// shortage, a denial and a missed deadline have other causes, and would only be waited for twice.
    fn may_go_on(&self, in_flight: &InFlight, summary: &RunSummary) -> bool {
        let in_flight: BTreeSet<&Address> = in_flight.addresses().collect();
        let is_undermined = |(step, error): &(StepId, StepError)| {
            let is_gone = match error {
                StepError::NeverReady { .. } => true,
                StepError::Cloud { error } => matches!(
                    error,
                    CloudError::Conflict { .. } | CloudError::Invalid { .. } | CloudError::Other { .. }
                ),
                StepError::Deadline { .. } | StepError::Internal { .. } => false,
            };
            is_gone && in_flight.contains(&self.plan.steps[*step].address)
        };
        summary.unfinished.is_empty() && summary.failed.iter().all(is_undermined)
    }

    /// Executes the plan, and does again what calls that are in flight from `earlier` runs undo. Once the plan is done, `waits` is told what is waited
    /// for, and what of it nobody will see.
    ///
    /// # Errors
    /// As [`execute`].
    pub async fn execute(
        &self,
        earlier: &InFlight,
        journal: &mut Journal,
        options: &ExecuteOptions,
        rest: impl AsyncFn(Duration),
        waits: impl FnOnce(&InFlight, &InFlight),
        sink: &mut (dyn FnMut(Event) + Send),
    ) -> Result<RunSummary, JournalError> {
        let cloud = Arc::clone(&self.cloud);
        let summary = execute(self.plan, cloud, self.kinds, self.scope, journal, options, sink).await?;
        let (seen, unseen) = self.within_sight(earlier);
        if earlier.is_empty() || !self.may_go_on(&seen, &summary) {
            return Ok(summary);
        }
        waits(&seen, &unseen);
        self.settle(summary, &seen, journal, options, rest, sink).await
    }

    /// Waits until `in_flight` must have landed, and does again what of the plan it undid; returns `summary` with what came of that. Nothing is
    /// waited for where nothing is in flight. `rest` pauses on the machine's own clock.
    async fn settle(
        &self,
        summary: RunSummary,
        in_flight: &InFlight,
        journal: &mut Journal,
        options: &ExecuteOptions,
        rest: impl AsyncFn(Duration),
        sink: &mut (dyn FnMut(Event) + Send),
    ) -> Result<RunSummary, JournalError> {
        let Some(until) = in_flight.until() else { return Ok(summary) };
        let mut summary = summary;
        // Looks may lag behind what lands last, and behind what this run has just made.
        let left = Duration::try_from(until.duration_since(self.cloud.now())).unwrap_or(Duration::ZERO);
        let landed = rest(left + self.cloud.consistency());
        tokio::select! {
            () = landed => {}
            () = options.drain.cancelled() => {}
            () = options.stop.cancelled() => {}
        }
        let open = |summary: RunSummary| {
            let in_flight = in_flight.addresses().cloned().collect();
            Ok(RunSummary { in_flight, ..summary })
        };
        for round in 0..=ROUNDS {
            if options.drain.is_cancelled() || options.stop.is_cancelled() {
                return open(summary);
            }
            let undone = self.undone(in_flight, &summary, journal, &rest).await;
            let Some(undone) = undone else { return open(summary) };
            if undone.is_empty() {
                return Ok(summary);
            }
            if round == ROUNDS {
                break;
            }
            let known = self.numbers();
            let first = self.plan.steps.len();
            let mut retell = |event| retold(event, &undone, &known, first).into_iter().for_each(&mut *sink);
            let cloud = Arc::clone(&self.cloud);
            let redone =
                execute(&undone, cloud, self.kinds, self.scope, journal, options, &mut retell).await?;
            if !redone.is_complete() {
                return open(merged(summary, redone, &undone, &known));
            }
            summary = merged(summary, redone, &undone, &known);
        }
        open(summary)
    }

    /// The steps that bring back what `in_flight` undid, with the checks of what needs it, and all that is left of a plan that is not done;
    /// `None` where nobody could look.
    async fn undone(
        &self,
        in_flight: &InFlight,
        summary: &RunSummary,
        journal: &Journal,
        rest: &impl AsyncFn(Duration),
    ) -> Option<Plan> {
        let around = self.around(in_flight);
        let options = match summary.is_complete() {
            true => {
                Options { targets: around.iter().map(ToString::to_string).collect(), ..self.options.clone() }
            }
            false => self.options.clone(),
        };
        let (cloud, kinds, scope) = (&*self.cloud, self.kinds, self.scope);
        for look in 0..LOOKS {
            if look > 0 {
                rest(PAUSE).await;
            }
            let mut seen = match self.known {
                Some(known) => observe_alone(cloud, kinds, scope, self.graph, known).await,
                None => observe(cloud, kinds, scope, self.graph).await,
            };
            if around.iter().any(|it| matches!(seen.seen.get(*it), Some(Look::Unknown(_)))) {
                continue;
            }
            seen.begun = journal.begun();
            let (mut plan, report) = plan(self.graph, &seen, kinds, self.stack, &options).ok()?;
            if report.blocked.iter().any(|it| around.iter().any(|address| it.address == address.as_str())) {
                return None;
            }
            // A check is asked each time, and says nothing of what is undone; nor does an update without a difference.
            let is_check = |step: &Step| kinds.get(&step.kind).is_some_and(|kind| kind.verifies());
            let differs = |step: &Step| step.action != Action::Update || !step.changes.is_empty();
            let is_as_it_was = |step: &Step| {
                is_check(step) || !differs(step) || self.is_degraded_as_before(step, &plan, &seen, summary)
            };
            if plan.steps.iter().all(is_as_it_was) {
                plan.steps.clear();
            }
            return Some(plan);
        }
        None
    }

    /// Whether `step` is there for nothing but what this run could not have, and said so: it was as it is now.
    fn is_degraded_as_before(&self, step: &Step, plan: &Plan, seen: &Observed, summary: &RunSummary) -> bool {
        let is_degraded = summary.degraded.iter().any(|(id, _)| self.plan.steps[*id].address == step.address);
        let (Some(kind), Some(left)) = (self.kinds.get(&step.kind), summary.left.get(&step.address)) else {
            return false;
        };
        let Some(Look::Present(now)) = seen.seen.get(&step.address) else { return false };
        let mut spec = step.spec.clone();
        resolve(&mut spec, &|address, output| plan.outputs.get(address)?.get(output).cloned());
        let serving = |found: &Found| kind.serving(&found.live).ok().flatten();
        let changes = |found: &Found| kind.diff(&spec, &found.live).ok();
        is_degraded
            && serving(now) >= serving(left)
            && changes(now).is_some()
            && changes(now) == changes(left)
    }

    /// What is in flight, and what needs it: that may be gone with it.
    fn around(&self, in_flight: &InFlight) -> BTreeSet<&Address> {
        let mut needed_by: BTreeMap<Address, Vec<&Address>> = BTreeMap::new();
        for (address, resource) in &self.graph.resources {
            for need in resource.needs() {
                needed_by.entry(need).or_default().push(address);
            }
        }
        let known =
            |address: &Address| self.graph.resources.get_key_value(address).map(|(address, _)| address);
        let mut open: Vec<&Address> = in_flight.addresses().filter_map(known).collect();
        let mut around = BTreeSet::new();
        while let Some(address) = open.pop() {
            if around.insert(address) {
                open.extend(needed_by.get(address).into_iter().flatten());
            }
        }
        around
    }

    /// The numbers that the steps on each resource have in the plan.
    fn numbers(&self) -> BTreeMap<&Address, StepId> {
        self.plan.steps.iter().enumerate().map(|(id, step)| (&step.address, id)).collect()
    }
}

/// `event` of doing `undone` again as one of the plan that was executed first; steps which that did not have come after its own.
fn retold(event: Event, undone: &Plan, known: &BTreeMap<&Address, StepId>, first: usize) -> Option<Event> {
    let of = |step: StepId| known.get(&undone.steps[step].address).copied().unwrap_or(first + step);
    Some(match event {
        Event::RunStarted { .. } | Event::RunFinished { .. } => return None,
        Event::Draining { .. } => event,
        Event::StepStarted { step, address, action, id } => {
            Event::StepStarted { step: of(step), address, action, id }
        }
        Event::StepWaiting { step, waiting_for } => Event::StepWaiting { step: of(step), waiting_for },
        Event::StepDegraded { step, address, rung } => Event::StepDegraded { step: of(step), address, rung },
        Event::StepFinished { step, address, action, id, outcome, elapsed } => {
            Event::StepFinished { step: of(step), address, action, id, outcome, elapsed }
        }
    })
}

/// The first run's end with that of the second, which did `undone` again, in the first one's numbers.
fn merged(
    first: RunSummary,
    second: RunSummary,
    undone: &Plan,
    known: &BTreeMap<&Address, StepId>,
) -> RunSummary {
    let of = |step: StepId| known.get(&undone.steps[step].address).copied();
    let mut all = first;
    // What failed before, and what that held up, was tried again.
    let open: BTreeSet<StepId> = all.failed.drain(..).map(|(step, _)| step).collect();
    let open: BTreeSet<StepId> = all.held.drain(..).map(|(step, _)| step).chain(open).collect();
    all.failed.extend(second.failed.into_iter().filter_map(|(step, error)| Some((of(step)?, error))));
    all.held.extend(second.held.into_iter().filter_map(|(step, by)| Some((of(step)?, of(by)?))));
    all.unfinished.extend(second.unfinished.into_iter().filter_map(of));
    all.skipped = all.held.len();
    let is_open =
        |step: &StepId| all.failed.iter().any(|it| it.0 == *step) || all.held.iter().any(|it| it.0 == *step);
    all.done += open.iter().filter(|step| !is_open(step)).count();
    all.elapsed += second.elapsed;
    all.left.extend(second.left);
    let again: BTreeSet<StepId> = (0..undone.steps.len()).filter_map(of).collect();
    all.degraded.retain(|(step, _)| !again.contains(step));
    all.degraded.extend(second.degraded.into_iter().filter_map(|(step, rung)| Some((of(step)?, rung))));
    all.redone.extend(undone.steps.iter().map(|step| step.address.clone()));
    all
}
