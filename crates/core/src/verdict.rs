//! The verdict on a failover, from what serves and what was checked; pure.
//!
//! A verdict is earned: recovered means that what serves was checked and answered. Without a check
//! there is only capacity, and with nothing in service there is neither.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::address::{Address, ComponentAddress};
use crate::engine::execute::RunSummary;
use crate::graph::{Graph, Resource};
use crate::kind::{DynKind, KindRegistry, Readiness, ShapeError};
use crate::minimum::Minimum;
use crate::objective::{Mode, Standing};
use crate::observe::Look;
use crate::plan::Plan;

#[cfg(test)]
mod tests;

/// Outcome of a failover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Everything desired serves, was checked and answered: exit 0.
    Recovered,
    /// What serves was checked and answered, but is less than the stack wants: exit 0.
    Degraded,
    /// Every step is done, but a pool that should serve has nothing in service, or could not be
    /// observed: exit 1.
    Partial,
    /// The capacity is up, but nothing checked if it answers: exit 3.
    Capacity,
    /// There was nothing to do: exit 0 if what serves was checked and answered, otherwise exit 3.
    NothingToDo,
    /// Steps failed, were stopped or could not start: exit 1, or 130 if the run was stopped.
    NotComplete,
}

impl Verdict {
    /// Derives the verdict from the evidence.
    pub fn of(evidence: &Evidence) -> Self {
        let is_empty = |pool: &Pool| pool.in_service.unwrap_or(0) == 0;
        if !evidence.complete {
            Self::NotComplete
        } else if evidence.pools.iter().any(is_empty) {
            Self::Partial
        } else if evidence.steps == 0 || (evidence.served && evidence.changes == 0) {
            Self::NothingToDo
        } else if !evidence.is_asked() {
            Self::Capacity
        } else if evidence.is_degraded() {
            Self::Degraded
        } else {
            Self::Recovered
        }
    }

    /// True if the standby region serves because of this run, and answered.
    pub fn is_recovery(self) -> bool {
        matches!(self, Self::Recovered | Self::Degraded)
    }
}

/// A pool that should serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
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
    /// True if the failover was complete before this run.
    pub served: bool,
    /// Number of steps of the run.
    pub steps: usize,
    /// Steps that changed something, so not checks.
    pub changes: usize,
    /// Pools that should serve.
    pub pools: Vec<Pool>,
    /// True if there is something that users call: a pool, or a name that leads to one.
    pub has_service: bool,
    /// Number of checks that called what users call.
    pub asked_service: usize,
    /// Number of checks of data only.
    pub asked_data: usize,
    /// Number of steps done with less than the stack wants.
    pub degraded: usize,
}

impl Evidence {
    /// Collects the evidence after `plan` was executed for `graph` in `standing`.
    ///
    /// `served` tells if the failover was complete before; `seen` is the last observed state of
    /// what runs instances.
    ///
    /// # Errors
    /// A spec or live value that does not have its kind's shape.
    pub fn of(
        graph: &Graph,
        standing: &Standing,
        served: bool,
        (plan, summary, blocked): (&Plan, &RunSummary, bool),
        kinds: &KindRegistry,
        seen: &BTreeMap<Address, Look>,
    ) -> Result<Self, ShapeError> {
        let mut evidence = Self {
            complete: summary.is_complete() && !blocked,
            served,
            steps: plan.steps.len(),
            degraded: summary.degraded.len(),
            pools: pools(graph, standing, kinds, seen)?,
            ..Self::default()
        };
        let moves_traffic = |it: &Resource| {
            kinds.get(&it.kind).is_some_and(|kind| kind.traffic().is_some()) && serves(it, standing)
        };
        evidence.has_service = !evidence.pools.is_empty() || graph.resources.values().any(moves_traffic);
        for step in &plan.steps {
            match kinds.get(&step.kind).and_then(|kind| kind.check()) {
                None => evidence.changes += 1,
                Some(check) if check.asks_service(&step.spec)? => evidence.asked_service += 1,
                Some(_) => evidence.asked_data += 1,
            }
        }
        Ok(evidence)
    }

    /// True if what serves was checked: a check of data says nothing about a service.
    pub fn is_asked(&self) -> bool {
        self.asked_service > 0 || (!self.has_service && self.asked_data > 0)
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
