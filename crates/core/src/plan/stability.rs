//! Static stability: a failover must not need what failed with the primary.
//!
//! Checked while the primary is healthy; pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Intent, Options, Plan, PlanReport, Remark, Step, order, plan};
use crate::address::Address;
use crate::cloud::{Found, Owner};
use crate::component::StackFacts;
use crate::graph::Graph;
use crate::kind::{Action, DynKind, KindRegistry, Lookup, Place, ShapeError, Side};
use crate::link::{KNOWN_LATER, resolve};
use crate::objective::Mode;
use crate::observe::{Look, Observed, Owned};

/// Result of rehearsing a failover from the state that `standby` describes.
#[derive(Clone, Debug, Default)]
pub struct Rehearsal {
    /// The failover plan; its estimates are the predicted time.
    pub plan: Plan,
    /// What the planner reported beside the plan.
    pub report: PlanReport,
    /// Steps that the failover would need outside the standby region; empty if the stack can fail
    /// over.
    pub violations: Vec<Remark>,
    /// True if a pool wants no instances even then: it does not serve, however fast the rest is.
    pub leaves_idle: bool,
}

/// What is in the standby region beside what a stack wants there while the primary serves.
#[derive(Default)]
pub struct Beside<'a> {
    /// Data that an earlier failover, or another posture, has left: it serves in the place of what has its name.
    pub left: Vec<&'a Owned>,
    /// What has a name that only a failover would use.
    pub named: BTreeMap<Address, Look>,
    /// What an earlier run began to make: a failover goes on with it.
    pub begun: BTreeSet<Address>,
}

/// Plans a failover from the state that `standby` describes, and what is `beside` it.
///
/// # Errors
/// A spec that does not have its kind's shape.
pub fn rehearse(
    standby: &Graph,
    active: &Graph,
    kinds: &KindRegistry,
    stack: &StackFacts,
    beside: &Beside<'_>,
) -> Result<Rehearsal, ShapeError> {
    let mut seen = as_wanted(standby, active, kinds)?;
    seen.begun.clone_from(&beside.begun);
    let by_name: BTreeMap<&str, &Owned> = beside.left.iter().map(|it| (it.found.id.as_str(), *it)).collect();
    for resource in active.resources.values().filter(|it| it.place == Place::Standby) {
        let is_data = kinds.get(&resource.kind).is_some_and(|it| it.role().holds_data());
        let owned = resource.name.as_deref().filter(|_| is_data).and_then(|name| by_name.get(name));
        let Some(look @ Look::Absent) = seen.seen.get_mut(&resource.address) else { continue };
        match (owned, beside.named.get(&resource.address)) {
            (Some(owned), _) => *look = Look::Present(owned.found.clone()),
            // Its tags lead to what is the stack's, and its name to what is in the way.
            (None, Some(Look::Present(found))) if resource.name.is_none() => {
                let is_in_the_way = matches!(found.owner, Owner::Foreign | Owner::Stack(_));
                let in_the_way = is_in_the_way.then(|| (resource.address.clone(), vec![found.clone()]));
                seen.untagged.extend(in_the_way);
            }
            (None, Some(named)) => look.clone_from(named),
            (None, None) => {}
        }
    }
    let with =
        |intent| Options { intent, mode: Mode::Active, targets: Vec::new(), delete_data: Default::default() };
    // The steps of an apply in mode active are all that a failover needs, in whatever region.
    let (whole, _) = plan(active, &seen, kinds, stack, &with(Intent::Converge))?;
    let needed =
        whole.steps.iter().filter(|step| !kinds.get(&step.kind).is_some_and(|it| it.needs_both_regions()));
    let violations = needed.filter_map(|step| violation(step, kinds)).collect();
    let (plan, report) = plan(active, &seen, kinds, stack, &with(Intent::Failover))?;
    let mut leaves_idle = false;
    for resource in active.resources.values() {
        if let Some(capacity) = kinds.get(&resource.kind).and_then(|kind| kind.capacity()) {
            leaves_idle |= capacity.demand(&resource.spec)?.count == 0;
        }
    }
    Ok(Rehearsal { plan, report, violations, leaves_idle })
}

/// Returns why `step` cannot be part of a failover, if it cannot.
pub fn violation(step: &Step, kinds: &KindRegistry) -> Option<Remark> {
    let kind = kinds.get(&step.kind)?;
    let why = match step.place {
        Place::Primary => format!("it is in the primary region, {}", step.region),
        Place::Global => {
            let home = kind.operations().iter().find_map(|it| it.home());
            format!("it calls {}", home.unwrap_or("a service of the whole partition"))
        }
        Place::Standby => {
            let operations = kind.operations_of(step.action);
            let makes = step.action == Action::Create;
            match operations.iter().find_map(|it| it.home()) {
                Some(home) => format!("it calls {home}"),
                None if makes && operations.iter().any(|it| it.side() == Side::ThroughPrimary) => {
                    "the primary region makes it".to_owned()
                }
                None => return None,
            }
        }
    };
    let text = format!("a failover would have to {} it ({}), and {why}", step.action.verb(), step.reason);
    Some(Remark { address: step.address.to_string(), text })
}

/// Simulates an observe of `wanted` in a cloud where all of `graph` matches.
fn as_wanted(graph: &Graph, wanted: &Graph, kinds: &KindRegistry) -> Result<Observed, ShapeError> {
    let mut outputs: BTreeMap<_, BTreeMap<String, String>> = BTreeMap::new();
    let mut seen = Observed::default();
    for resource in order::topological(graph) {
        let address = &resource.address;
        let Some(kind) = kinds.get(&resource.kind).filter(|kind| kind.check().is_none()) else { continue };
        let mut spec = resource.spec.clone();
        resolve(&mut spec, &|of, output| {
            let known = outputs.get(of).and_then(|outputs| outputs.get(output));
            Some(known.cloned().unwrap_or_else(|| KNOWN_LATER.to_owned()))
        });
        let found = made(kind, address, resource.name.as_deref(), &spec)?;
        outputs.insert(address.clone(), kind.outputs(&found.id, &found.live)?);
        seen.seen.insert(address.clone(), Look::Present(found));
    }
    seen.seen.retain(|address, _| wanted.resources.contains_key(address));
    for address in wanted.resources.keys() {
        seen.seen.entry(address.clone()).or_insert(Look::Absent);
    }
    Ok(seen)
}

fn made(
    kind: &dyn DynKind,
    address: &Address,
    name: Option<&str>,
    spec: &Value,
) -> Result<Found, ShapeError> {
    // Any id will do where AWS would choose one.
    let id = match (kind.lookup(), name) {
        (Lookup::Name, Some(name)) => name.to_owned(),
        _ => format!("({address})"),
    };
    let owner =
        if kind.role() == crate::kind::Role::Setting { Owner::Setting } else { Owner::Ours(address.clone()) };
    let live = kind.expect(spec, &id)?;
    Ok(Found { id, owner, live })
}
