//! Verdict: what a failover has come to, by what serves and by what was asked; pure.
//!
//! A verdict is earned: recovered means that what serves was asked and answered. What nobody asks is capacity, and what has nothing in
//! service is neither.

use std::collections::BTreeMap;

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

/// How a failover ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All that is wanted serves, was asked and answered: exit 0.
    Recovered,
    /// What serves was asked and answered, and is less than wanted: exit 0.
    Degraded,
    /// Every step is done, and a pool that is to serve has nothing in service, or nobody could look: exit 1.
    Partial,
    /// It stands, and nobody asked whether it answers: exit 3.
    Capacity,
    /// There was nothing to do: exit 0 where what serves was asked and answered, else exit 3.
    NothingToDo,
    /// Steps failed, were stopped or could not be begun: exit 1, or 130 where it was stopped.
    NotComplete,
}

impl Verdict {
    /// The verdict by what is known.
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

    /// Whether the standby region serves again because of this run, and answered.
    pub fn is_recovery(self) -> bool {
        matches!(self, Self::Recovered | Self::Degraded)
    }
}

/// A pool that is to serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pool {
    /// What runs its instances.
    pub address: Address,
    /// Usual instances that are wanted.
    pub wanted: u32,
    /// Those that serve; none where nobody could look.
    pub in_service: Option<u32>,
    /// Whether that is as much as a failover accepts.
    #[serde(skip)]
    pub is_up: bool,
}

impl Pool {
    /// The component that it belongs to.
    pub fn component(&self) -> ComponentAddress {
        self.address.component()
    }

    /// The minimum with which a failover would go on from here: none where it is up, or nothing serves.
    pub fn acceptable(&self) -> Option<Minimum> {
        let short = self.in_service.filter(|_| !self.is_up);
        short.and_then(|in_service| Minimum::met_by(in_service, self.wanted))
    }

    /// `21 of 40 instances in service`, where that is less than wanted.
    pub fn shortfall(&self) -> Option<String> {
        let Self { wanted, in_service, .. } = self;
        match in_service {
            Some(serving) if serving >= wanted => None,
            Some(serving) => Some(format!("{serving} of {wanted} instances in service")),
            None => Some("could not see how many instances are in service".to_owned()),
        }
    }
}

/// What a verdict follows from.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Every step is done and nothing was blocked.
    pub complete: bool,
    /// The failover had come to its end before this run.
    pub served: bool,
    /// Steps of the run.
    pub steps: usize,
    /// Steps that changed something, and did not only ask.
    pub changes: usize,
    /// What is to serve.
    pub pools: Vec<Pool>,
    /// Something is there that users ask: a pool, or a name that leads to one.
    pub has_service: bool,
    /// Checks that asked what users ask.
    pub asked_service: usize,
    /// Checks that asked data alone.
    pub asked_data: usize,
    /// Steps that are done with less than was wanted.
    pub degraded: usize,
}

impl Evidence {
    /// What is known once `plan` was executed, which made `graph` true in `standing`. `served` is whether that had been so before, `seen`
    /// what was last seen of what runs instances.
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
            kinds.get(&it.kind).is_some_and(DynKind::switches_traffic) && serves(it, standing)
        };
        evidence.has_service = !evidence.pools.is_empty() || graph.resources.values().any(moves_traffic);
        for step in &plan.steps {
            match kinds.get(&step.kind).filter(|kind| kind.verifies()) {
                None => evidence.changes += 1,
                Some(kind) if kind.asks_service(&step.spec)? => evidence.asked_service += 1,
                Some(_) => evidence.asked_data += 1,
            }
        }
        Ok(evidence)
    }

    /// Whether what serves was asked: data alone says nothing of a service.
    pub fn is_asked(&self) -> bool {
        self.asked_service > 0 || (!self.has_service && self.asked_data > 0)
    }

    /// Whether there is less than was wanted.
    pub fn is_degraded(&self) -> bool {
        self.degraded > 0 || self.pools.iter().any(|pool| pool.shortfall().is_some())
    }
}

fn serves(resource: &Resource, standing: &Standing) -> bool {
    standing.mode_of(&resource.address.component()) == Mode::Active
}

/// What runs the instances that are to serve in `standing`.
pub fn groups<'a>(
    graph: &'a Graph,
    standing: &'a Standing,
    kinds: &'a KindRegistry,
) -> impl Iterator<Item = &'a Resource> {
    graph.resources.values().filter(move |it| {
        let demand = kinds.get(&it.kind).map(|kind| kind.demand(&it.spec));
        // A spec of another shape is told where it is read.
        serves(it, standing) && !matches!(demand, None | Some(Ok(None)))
    })
}

/// The pools that are to serve in `standing`, by what was `seen`.
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
        let demand = kind.demand(&resource.spec)?;
        let (in_service, is_up) = match seen.get(&resource.address) {
            Some(Look::Present(found)) => {
                (kind.serving(&found.live)?, is_up(kind, &resource.spec, &found.live)?)
            }
            Some(Look::Absent) => (Some(0), false),
            Some(Look::Unknown(_)) | None => (None, false),
        };
        let wanted = demand.map_or(0, |it| it.instances(it.count));
        pools.push(Pool { address: resource.address.clone(), wanted, in_service, is_up });
    }
    Ok(pools)
}

/// Whether a failover is content with `live`, on the last rung at least.
fn is_up(kind: &dyn DynKind, spec: &Value, live: &Value) -> Result<bool, ShapeError> {
    let ladder = kind.ladder(spec)?;
    let last = ladder.last().map_or(spec, |rung| &rung.spec);
    Ok(kind.ready(last, live)? == Readiness::Ready)
}
