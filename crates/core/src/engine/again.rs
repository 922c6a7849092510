//! Repairs what calls in flight undid after a change of mode, once they must have landed.
//!
//! A change of mode seals the journal of the run that it takes the lock from; that run sends
//! nothing more. What it had already sent may land at any moment until [`FLIGHT`] after its lease,
//! and would restore a state that is obsolete. So the change of mode is not complete before that.
//!
//! [`FLIGHT`]: crate::control::in_flight::FLIGHT

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::event::{Event, StepError};
use super::execute::{ExecuteOptions, RunSummary, execute};
use crate::address::Address;
use crate::cloud::{Cloud, CloudError, Found, Scope};
use crate::control::in_flight::InFlight;
use crate::control::journal::{Journal, JournalError};
use crate::graph::Graph;
use crate::kind::{Action, KindRegistry, Place, ShapeError};
use crate::link::resolve;
use crate::observe::{Look, Observed, observe, observe_alone};
use crate::plan::{Options, Plan, PlanReport, Step, StepId};

/// Most rounds of repair. One is enough, since nothing lands after it; what differs even then is
/// the work of another actor.
const ROUNDS: usize = 3;

/// Attempts of an observe that fails, and the pause between them.
const LOOKS: usize = 4;
const PAUSE: Duration = Duration::from_secs(2);

/// Plans for the same desired state again.
pub type Replan<'a> =
    Box<dyn Fn(&Observed, &Options) -> Result<(Plan, PlanReport), ShapeError> + Send + Sync + 'a>;

/// An executed plan, with what is needed to plan it again.
pub struct Again<'a> {
    /// The cloud.
    pub cloud: Arc<dyn Cloud>,
    /// Known kinds.
    pub kinds: &'a KindRegistry,
    /// The stack's scope.
    pub scope: &'a Scope,
    /// The desired state.
    pub graph: &'a Graph,
    /// Plans what makes an observed world match the desired state.
    pub replan: Replan<'a>,
    /// Options of the plan.
    pub options: &'a Options,
    /// The executed plan.
    pub plan: &'a Plan,
    /// Resources that are not observed when only the standby region is reachable.
    pub known: Option<&'a BTreeMap<Address, Found>>,
}

impl Again<'_> {
    /// Splits `in_flight` into what this run can observe and what it cannot.
    fn within_sight(&self, in_flight: &InFlight) -> (InFlight, InFlight) {
        let wanted = |address: &Address| self.graph.resources.get(address);
        let targets = &self.options.targets;
        let is_seen = |address: &Address| {
            // A run of a part does nothing else again: the rest has another mode.
            if !targets.is_empty() && !targets.iter().any(|it| address.is_within(it)) {
                return false;
            }
            let is_elsewhere = self.known.is_some_and(|known| {
                known.contains_key(address) || wanted(address).is_some_and(|it| it.place != Place::Standby)
            });
            wanted(address).is_some() && !is_elsewhere
        };
        (in_flight.clone().only(is_seen), in_flight.clone().only(|address| !is_seen(address)))
    }

    /// True if no step failed, except for steps that a call in flight may have undermined by
    /// deleting their resource.
    ///
    /// A shortage, a denial or a missed deadline has another cause, and waiting for it again would
    /// not help.
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

    /// Executes the plan, and repairs what calls in flight from `earlier` runs undo.
    ///
    /// Once the plan is done, `waits` is called with the resources that are waited for and those
    /// that cannot be observed.
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

    /// Waits until `in_flight` must have landed, and repairs what it undid; returns the merged
    /// summary.
    ///
    /// Returns at once if nothing is in flight. `rest` pauses on the machine's own clock.
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
        // Reads may lag behind what lands last, and behind what this run has just created.
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

    /// Plans the repair of what `in_flight` undid; `None` if the resources could not be observed.
    ///
    /// The plan includes the checks of what needs those resources. If the first plan is not
    /// complete, it includes all that is left of it.
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
            let (mut plan, report) = (self.replan)(&seen, &options).ok()?;
            if report.blocked.iter().any(|it| around.iter().any(|address| it.address == address.as_str())) {
                return None;
            }
            // A check runs each time, so it says nothing about what was undone; neither does an
            // update without a difference.
            let is_check = |step: &Step| kinds.get(&step.kind).is_some_and(|kind| kind.check().is_some());
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

    /// True if `step` only asks for what this run could not get and has already reported as
    /// degraded.
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

    /// Returns what is in flight and what needs it, which may be gone too.
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

    /// Returns the step ids of the plan by resource.
    fn numbers(&self) -> BTreeMap<&Address, StepId> {
        self.plan.steps.iter().enumerate().map(|(id, step)| (&step.address, id)).collect()
    }
}

/// Translates an `event` of the repair to the step ids of the first plan; new steps follow its own.
fn retold(event: Event, undone: &Plan, known: &BTreeMap<&Address, StepId>, first: usize) -> Option<Event> {
    let of = |step: StepId| known.get(&undone.steps[step].address).copied().unwrap_or(first + step);
    Some(match event {
        Event::RunStarted { .. } | Event::RunFinished { .. } => return None,
        Event::Draining { .. } => event,
        Event::StepStarted { step, address, action, id } => {
            Event::StepStarted { step: of(step), address, action, id }
        }
        Event::StepWaiting { step, waiting_for, output } => {
            Event::StepWaiting { step: of(step), waiting_for, output }
        }
        Event::StepDegraded { step, address, rung } => Event::StepDegraded { step: of(step), address, rung },
        Event::StepFinished { step, address, action, id, outcome, elapsed } => {
            Event::StepFinished { step: of(step), address, action, id, outcome, elapsed }
        }
    })
}

/// Merges the summary of the repair `undone` into that of the first run, with the first run's step
/// ids.
fn merged(
    first: RunSummary,
    second: RunSummary,
    undone: &Plan,
    known: &BTreeMap<&Address, StepId>,
) -> RunSummary {
    let of = |step: StepId| known.get(&undone.steps[step].address).copied();
    let mut all = first;
    // The repair retried what had failed before, and what that held up.
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
