//! Plans that lack one sort of edge.

use std::collections::BTreeMap;

use drstack_core::graph::{Graph, Resource};
use drstack_core::kind::{Action, KindRegistry, Place};
use drstack_core::objective::Mode;
use drstack_core::plan::{Gate, Intent, Options, Plan, Step};

use super::Flaw;
use crate::props::law::Phase;

/// A sort of edge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Edge {
    /// From a step of one phase of a recovery to one of another.
    Phases(Phase, Phase),
    /// From what a resource needs to the resource.
    Need,
    /// From a new resource to the old one that it replaces.
    NewOld,
    /// From a fence that is lifted, or tells who serves, to traffic.
    LiftTraffic,
    /// From traffic to what shrinks or goes.
    TrafficShrink,
    /// From what leads users to a region to what serves them there and shrinks or goes.
    UsersServing,
    /// From the deletion of a resource to that of what it needs.
    UserUsed,
    /// Not an edge, but all steps beside the named ones that these need.
    Along,
}

/// The plans of a stack's life.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum When {
    Standby,
    Active,
    Failover,
    Planned,
    Failback,
    Destroy,
    /// A plan of a part of the stack.
    Part,
}

impl When {
    fn of(options: &Options) -> Self {
        match (options.intent, options.mode) {
            _ if !options.targets.is_empty() => Self::Part,
            (Intent::Converge, Mode::Standby) => Self::Standby,
            (Intent::Converge, Mode::Active) => Self::Active,
            (Intent::Failover, _) => Self::Failover,
            (Intent::PlannedFailover, _) => Self::Planned,
            (Intent::Failback, _) => Self::Failback,
            (Intent::Destroy, _) => Self::Destroy,
        }
    }
}

/// Removes the edges that the flaw names from `plan`.
pub(crate) fn lack(
    flaw: Option<Flaw>,
    want: &Graph,
    kinds: &KindRegistry,
    options: &Options,
    plan: &mut Plan,
) {
    let Some(Flaw::Lacks(edge, when)) = flaw else { return };
    if when != When::of(options) {
        return;
    }
    if edge == Edge::Along {
        return stay_alone(options, plan);
    }
    let steps = plan.steps.clone();
    let is_left = |first: &usize, then: usize| !edge.is(&steps[*first], &steps[then], want, kinds);
    for (id, step) in plan.steps.iter_mut().enumerate() {
        step.needs.retain(|it| is_left(it, id));
        step.after.retain(|it| is_left(it, id));
    }
    let of_one = |gate: &Gate, held: usize| {
        let mut one = Gate { holds: vec![held], ..gate.clone() };
        one.needs.retain(|it| is_left(it, held));
        one.after.retain(|it| is_left(it, held));
        one
    };
    let all = plan.gates.iter().flat_map(|gate| gate.holds.iter().map(|held| of_one(gate, *held)));
    plan.gates = all.collect();
}

impl Edge {
    fn is(self, first: &Step, then: &Step, want: &Graph, kinds: &KindRegistry) -> bool {
        let phase = |step| Phase::of_step(step, kinds);
        let kind = |step: &Step| kinds.get(&step.kind).unwrap();
        let serves = |step: &Step| {
            step.place == Place::Standby && kind(step).capacity().is_some() && step.action != Action::Create
        };
        let goes = |step: &Step| step.action == Action::Delete || serves(step);
        let needs = |user: &Step, used: &Step| {
            let needs = want.resources.get(&user.address).map(Resource::needs);
            needs.is_some_and(|it| it.binary_search(&used.address).is_ok())
        };
        match self {
            Self::Phases(from, to) => phase(first) == Some(from) && phase(then) == Some(to),
            Self::Need => {
                first.action != Action::Delete && then.action != Action::Delete && needs(then, first)
            }
            Self::NewOld => {
                let is_pair = first.address == then.address && first.action == Action::Create;
                is_pair && then.replaces && then.action == Action::Delete
            }
            Self::LiftTraffic => {
                let tells = kind(first).tells_who_serves() && first.action == Action::Update;
                let lifts = kind(first).needs_both_regions() || tells;
                lifts && phase(first).is_none() && phase(then) == Some(Phase::Traffic)
            }
            Self::TrafficShrink => phase(first) == Some(Phase::Traffic) && goes(then),
            Self::UsersServing => first.action == Action::Delete && kind(first).leads_users() && serves(then),
            Self::UserUsed => {
                [first, then].iter().all(|it| it.action == Action::Delete) && needs(first, then)
            }
            Self::Along => false,
        }
    }
}

/// Drops all steps that the operator did not name.
fn stay_alone(options: &Options, plan: &mut Plan) {
    let is_named = |step: &Step| options.targets.iter().any(|it| step.address.is_within(it));
    let named = plan.steps.iter().enumerate().filter(|(_, step)| is_named(step)).map(|(id, _)| id);
    let new: BTreeMap<usize, usize> = named.enumerate().map(|(new, old)| (old, new)).collect();
    let renumber = |ids: &mut Vec<usize>| *ids = ids.iter().filter_map(|it| new.get(it).copied()).collect();
    plan.steps.retain(is_named);
    plan.steps.iter_mut().flat_map(|it| [&mut it.needs, &mut it.after]).for_each(renumber);
    let gates = plan.gates.iter_mut().flat_map(|it| [&mut it.needs, &mut it.after, &mut it.holds]);
    gates.for_each(renumber);
}
