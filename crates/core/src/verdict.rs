//! The verdict on a failover, from what serves and what was checked; pure.
//!
//! A verdict is earned: recovered means that all that serves was asked and answered. What nothing
//! asks is only capacity, and with nothing in service the failover is not complete.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::{Address, ComponentAddress};
use crate::engine::execute::RunSummary;
use crate::graph::{Graph, Resource};
use crate::kind::{DynKind, KindRegistry, Readiness, ShapeError};
use crate::minimum::Minimum;
use crate::objective::{Mode, Standing};
use crate::observe::Look;
use crate::part::Sequence;
use crate::plan::{Plan, PlanReport};

#[cfg(test)]
mod tests;

/// Outcome of a failover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Everything that serves was asked and answered, with all that the stack wants: exit 0 within
    /// the RTO.
    Recovered,
    /// As `recovered`, for the part that was asked for; the rest still is in the primary region:
    /// exit 0 within the part's RTO.
    Partial,
    /// What serves was asked and answered, but is less than the stack wants: exit 3, or 0 if the
    /// operator accepted it.
    Degraded,
    /// The capacity is up, but not all of it was asked if it answers, or nobody knows whether users are led there: exit 3.
    Capacity,
    /// Nothing had to change: exit 0 if what serves was asked and answered, otherwise exit 3.
    NothingToDo,
    /// Steps failed, were stopped or could not start, or a pool that should serve has nothing in
    /// service or could not be observed: exit 1, or 130 if the run was stopped.
    NotComplete,
}

impl Verdict {
    /// Derives the verdict from the evidence.
    pub fn of(evidence: &Evidence) -> Self {
        if !evidence.complete || evidence.pools.iter().any(Pool::is_empty) {
            Self::NotComplete
        } else if evidence.steps == 0 || (evidence.served && evidence.changes == 0) {
            Self::NothingToDo
        } else if !evidence.is_asked() {
            Self::Capacity
        } else if evidence.is_degraded() {
            Self::Degraded
        } else if !evidence.in_primary.is_empty() {
            Self::Partial
        } else {
            Self::Recovered
        }
    }

    /// Its name in a list of runs; the report says it in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::Partial => "recovered in part",
            Self::Degraded => "degraded",
            Self::Capacity => "not recovered yet, no check asked",
            Self::NothingToDo => "nothing to do",
            Self::NotComplete => "not complete",
        }
    }

    /// True if all that was asked for serves in the standby region because of this run, and
    /// answered.
    pub fn is_recovery(self) -> bool {
        matches!(self, Self::Recovered | Self::Partial | Self::Degraded)
    }
}

/// A pool that should serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pool {
    /// Resource that runs its instances.
    pub address: Address,
    /// Number of usual instances that the stack wants.
    pub wanted: u32,
    /// Number of instances that serve; null if it could not be observed.
    pub in_service: Option<u32>,
    /// True if a failover accepts that number.
    #[serde(skip)]
    pub is_up: bool,
}

impl Pool {
    /// Returns its component.
    pub fn component(&self) -> ComponentAddress {
        self.address.component()
    }

    /// True if nothing is known to be in service.
    pub fn is_empty(&self) -> bool {
        self.in_service.unwrap_or(0) == 0
    }

    /// Returns the minimum with which a failover could continue; `None` if the pool is up or
    /// nothing serves.
    pub fn acceptable(&self) -> Option<Minimum> {
        let short = self.in_service.filter(|_| !self.is_up);
        short.and_then(|in_service| Minimum::met_by(in_service, self.wanted))
    }

    /// Returns `21 of 40 instances in service` if that is less than the stack wants.
    pub fn shortfall(&self) -> Option<String> {
        let Self { wanted, in_service, .. } = self;
        match in_service {
            Some(serving) if serving >= wanted => None,
            Some(serving) => Some(format!("{serving} of {wanted} instances in service")),
            None => Some("could not see how many instances are in service".to_owned()),
        }
    }
}

/// Input of a verdict.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// True if every step is done and nothing was blocked.
    pub complete: bool,
    /// True if the failover, of the same part or another, was complete and no outage open before
    /// this run.
    pub served: bool,
    /// Number of steps of the run.
    pub steps: usize,
    /// Steps that changed something, so not checks.
    pub changes: usize,
    /// Pools that should serve.
    pub pools: Vec<Pool>,
    /// What stays in the primary region, since only a part of the stack was asked for.
    pub in_primary: BTreeSet<ComponentAddress>,
    /// True if there is something that users call: a pool, or a name that leads to one.
    pub has_service: bool,
    /// What users call and no check has asked.
    pub unasked: BTreeSet<ComponentAddress>,
    /// What users call by a name of which nobody knows whether it leads to the standby region.
    pub unled: BTreeSet<ComponentAddress>,
    /// Number of checks of data only.
    pub asked_data: usize,
    /// Number of steps done with less than the stack wants.
    pub degraded: usize,
}

impl Evidence {
    /// Collects the evidence after `plan` was executed for `graph` in `standing`.
    ///
    /// `served` tells if the failover was complete before; `sequence` is the order of the stack,
    /// which knows what a check asks, and `only` the part that the run was asked for; `seen` is the last observed state of what runs instances.
    ///
    /// # Errors
    /// A spec or live value that does not have its kind's shape.
    pub fn of(
        graph: &Graph,
        standing: &Standing,
        served: bool,
        (sequence, only): (&Sequence, &[String]),
        (plan, summary, report): (&Plan, &RunSummary, &PlanReport),
        kinds: &KindRegistry,
        seen: &BTreeMap<Address, Look>,
    ) -> Result<Self, ShapeError> {
        let stays = |component: &ComponentAddress| standing.mode_of(component) == Mode::Standby;
        let holds_data = |it: &&Resource| kinds.get(&it.kind).is_some_and(|kind| kind.role().holds_data());
        let data = graph.resources.values().filter(holds_data).map(|it| it.address.component());
        let mut evidence = Self {
            complete: summary.is_complete() && report.blocked.is_empty(),
            served,
            steps: plan.steps.len(),
            degraded: summary.degraded.len(),
            pools: pools(graph, standing, kinds, seen)?,
            in_primary: sequence.all().cloned().chain(data).filter(stays).collect(),
            ..Self::default()
        };
        let moves_traffic = |it: &Resource| {
            kinds.get(&it.kind).is_some_and(|kind| kind.traffic().is_some()) && serves(it, standing)
        };
        evidence.has_service = !evidence.pools.is_empty() || graph.resources.values().any(moves_traffic);
        let mut asked = BTreeSet::new();
        for step in &plan.steps {
            match kinds.get(&step.kind).and_then(|kind| kind.check()) {
                None => evidence.changes += 1,
                Some(check) if check.asks_service(&step.spec)? => {
                    asked.insert(step.address.component());
                }
                Some(_) => evidence.asked_data += 1,
            }
        }
        evidence.unasked = sequence.unasked(&asked);
        let is_asked_for =
            |it: &ComponentAddress| only.is_empty() || only.iter().any(|name| it.is_within(name));
        let is_of_run = |it: &ComponentAddress| standing.mode_of(it) == Mode::Active && is_asked_for(it);
        evidence.unasked.retain(is_of_run);
        evidence.unled = report.unled.iter().filter(|it| is_of_run(it)).cloned().collect();
        Ok(evidence)
    }

    /// True if all that serves was asked, and users are led there: a check of data says nothing about a service.
    pub fn is_asked(&self) -> bool {
        let is_asked = if self.has_service { self.unasked.is_empty() } else { self.asked_data > 0 };
        is_asked && self.unled.is_empty()
    }

    /// True if there is less than the stack wants.
    pub fn is_degraded(&self) -> bool {
        self.degraded > 0 || self.pools.iter().any(|pool| pool.shortfall().is_some())
    }
}

fn serves(resource: &Resource, standing: &Standing) -> bool {
    standing.mode_of(&resource.address.component()) == Mode::Active
}

/// Returns the resources that run instances and should serve in `standing`.
pub fn groups<'a>(
    graph: &'a Graph,
    standing: &'a Standing,
    kinds: &'a KindRegistry,
) -> impl Iterator<Item = &'a Resource> {
    graph.resources.values().filter(move |it| {
        let runs = kinds.get(&it.kind).is_some_and(|kind| kind.capacity().is_some());
        serves(it, standing) && runs
    })
}

/// Returns the pools that should serve in `standing`, from what was `seen`.
///
/// # Errors
/// As [`Evidence::of`].
pub fn pools(
    graph: &Graph,
    standing: &Standing,
    kinds: &KindRegistry,
    seen: &BTreeMap<Address, Look>,
) -> Result<Vec<Pool>, ShapeError> {
    let mut pools = Vec::new();
    for resource in groups(graph, standing, kinds) {
        let Some(kind) = kinds.get(&resource.kind) else { continue };
        let Some(capacity) = kind.capacity() else { continue };
        let demand = capacity.demand(&resource.spec)?;
        let (in_service, is_up) = match seen.get(&resource.address) {
            Some(Look::Present(found)) => {
                (Some(capacity.serving(&found.live)?), is_up(kind, &resource.spec, &found.live)?)
            }
            Some(Look::Absent) => (Some(0), false),
            Some(Look::Unknown(_)) | None => (None, false),
        };
        let wanted = demand.instances(demand.count);
        pools.push(Pool { address: resource.address.clone(), wanted, in_service, is_up });
    }
    Ok(pools)
}

/// True if a failover accepts `live`, at least on the last rung.
fn is_up(kind: &dyn DynKind, spec: &Value, live: &Value) -> Result<bool, ShapeError> {
    let ladder = kind.capacity().map_or(Ok(Vec::new()), |it| it.ladder(spec))?;
    let last = ladder.last().map_or(spec, |rung| &rung.spec);
    Ok(kind.ready(last, live)? == Readiness::Ready)
}
