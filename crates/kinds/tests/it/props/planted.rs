//! Planted bugs, which the properties have to find.
//!
//! Each is injected into the program from outside, between it and the cloud, so that the product
//! contains none of them. For each one a named property must fail.

use std::sync::Arc;
use std::time::Duration;

use drstack_app::accepted::Accepted;
use drstack_app::app::{Catalog, Core, Planner};
use drstack_app::session::Session;
use drstack_core::address::Address;
use drstack_core::cloud::{Call, Owner, Read, Scope, sha256};
use drstack_core::component::StackFacts;
use drstack_core::control::record;
use drstack_core::graph::Graph;
use drstack_core::kind::{Action, FieldChange, KindRegistry, Place, ShapeError};
use drstack_core::observe::{Claim, Keep, Observed, Owned};
use drstack_core::part::Sequence;
use drstack_core::plan::stability::{Beside, Rehearsal};
use drstack_core::plan::{Intent, Options, Plan, PlanReport};
use drstack_core::sides::Sides;
use drstack_core::stack::Stack;
use drstack_core::verdict::{Evidence, Pool};
use drstack_sim::Sim;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::sleep;

use super::desk::OperatorCloud;
use super::law;

mod edges;
mod store;

pub(crate) use edges::{Edge, When, lack};
pub(super) use store::late;

/// A mistake that drstack does not make.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Flaw {
    /// Creations carry no stable idempotency token, so the cloud takes each one for a new one.
    NoToken,
    /// Calls are sent first, and their intents are stored afterwards.
    LateJournal,
    /// Orphans are not observed.
    NoOrphans,
    /// A replacement deletes the old resource first.
    DeleteFirst,
    /// A run goes on after its lease has expired, because its machine's clock does not show that it
    /// slept.
    NoLease,
    /// A resource of another owner counts as an orphan of this stack.
    TakesOthers,
    /// A lock is held until its holder releases it.
    EndlessLock,
    /// The record of a held lock does not list the resources that earlier runs had begun.
    ForgetfulLock,
    /// A failover observes all regions.
    LooksAtPrimary,
    /// Steps start as if no call was ever throttled.
    Deaf,
    /// A group is raised to its desired size at once.
    AllAtOnce,
    /// Spot instances end when on-demand ones are requested, not once those serve.
    NoHold,
    /// A fact that could not be read counts as read.
    GuessesFacts,
    /// A group's level is its current capacity.
    Momentary,
    /// A failover moves traffic as soon as it can, before its dependencies are up.
    TrafficFirst,
    /// A failback shrinks the standby's capacity as soon as it can, while traffic still arrives
    /// there.
    ShrinksFirst,
    /// The dependencies of a part that fails over stay in standby.
    PartAlone,
    /// An orphan is deleted at once, before its successor is ready.
    GoesAtOnce,
    /// A renamed resource keeps its old tags.
    KeepsTags,
    /// No resource is recognised under another address.
    KnowsNoMoves,
    /// Two tags count as proof of ownership.
    TrustsTags,
    /// Of two resources for one address the first by id is used, and the other one is deleted.
    FirstTwin,
    /// A run checks its permit when a step begins and not at each attempt, and it goes on when its
    /// lock is lost.
    AsksOnce,
    /// A failover is done when its plan is, although calls of earlier runs land afterwards: by its
    /// machine's clock all of them have landed.
    LooksOnce,
    /// A group that goes back to spot ends an instance before it launches the replacement.
    LaunchesLast,
    /// A failover whose steps are done counts as recovered, without a check of what serves.
    Hopeful,
    /// A minimum that the operator accepts is ignored.
    ForgetsMinimum,
    /// A missing mode record counts as that of a stack that never failed over.
    TrustsAbsence,
    /// Calls do not name the account that they expect to own a bucket.
    NamesNoOwner,
    /// A failover stores facts, although it captured none.
    WritesFacts,
    /// A planned failover does not drain replication.
    SkipsDrain,
    /// A violation of static stability blocks no apply.
    BlocksNothing,
    /// An apply publishes the bundle although its lock is lost.
    PublishesLate,
    /// A forecast has a slot for every step.
    EndlessSlots,
    /// A forecast has launches for every step.
    EndlessLaunches,
    /// The plans for one purpose lack one sort of edge.
    Lacks(Edge, When),
}

/// Returns the catalog of a program at `desk`, with a planner that observes and plans as the flaw
/// demands.
pub(super) fn catalog(flaw: Option<Flaw>, desk: &OperatorCloud) -> Catalog {
    let catalog = Catalog::new(drstack_kinds::components(), drstack_kinds::kinds(), keep(flaw));
    Catalog { planner: Arc::new(Flawed { flaw, desk: desk.clone() }), ..catalog }
}

struct Flawed {
    flaw: Option<Flaw>,
    desk: OperatorCloud,
}

impl Planner for Flawed {
    fn plan(
        &self,
        graph: &Graph,
        seen: &Observed,
        kinds: &KindRegistry,
        stack: &StackFacts,
        options: &Options,
    ) -> Result<(Plan, PlanReport), ShapeError> {
        let (flaw, mut graph, mut seen) = (self.flaw, graph.clone(), seen.clone());
        guess(flaw, &mut graph);
        skip_orphans(flaw, &mut seen);
        take_others(flaw, &mut seen, self.desk.others());
        trust_tags(flaw, &mut seen);
        know_no_moves(flaw, &graph, &mut seen);
        take_first_twin(flaw, &graph, &mut seen);
        let (mut plan, report) = Core.plan(&graph, &seen, kinds, stack, options)?;
        delete_first(flaw, &mut plan);
        open_gates(flaw, options.intent, &mut plan);
        goes_at_once(flaw, &mut plan);
        edges::lack(flaw, &graph, kinds, options, &mut plan);
        // The other mistakes are found by what they do.
        if matches!(flaw, None | Some(Flaw::Lacks(..))) {
            assert_eq!(law::broken(&graph, &seen, kinds, options, &plan), [""; 0], "{options:?}");
        }
        Ok((plan, report))
    }

    fn rehearse(
        &self,
        standby: &Graph,
        active: &Graph,
        kinds: &KindRegistry,
        stack: &StackFacts,
        beside: &Beside<'_>,
    ) -> Result<Rehearsal, ShapeError> {
        let mut rehearsal = Core.rehearse(standby, active, kinds, stack, beside)?;
        if self.flaw == Some(Flaw::BlocksNothing) {
            rehearsal.violations.clear();
        }
        Ok(rehearsal)
    }
}

/// Makes a failover's session observe all regions.
pub(super) fn look_everywhere(flaw: Option<Flaw>, session: Session) -> Session {
    match flaw {
        Some(Flaw::LooksAtPrimary) => Session { alone: None, ..session },
        _ => session,
    }
}

/// Returns the names that a failover of a part does not wait for.
pub(super) fn go_alone(flaw: Option<Flaw>, stack: &Stack, only: &[String]) -> Vec<String> {
    if flaw != Some(Flaw::PartAlone) || only.is_empty() {
        return Vec::new();
    }
    let sequence = Sequence::of(stack, &drstack_kinds::kinds());
    sequence.parts().map(ToString::to_string).collect()
}

/// Hides the second mode record from the program.
pub(super) fn trust_absence(
    flaw: Option<Flaw>,
    kind: &str,
    scope: &Scope,
    ids: &[String],
    there: Read,
) -> Read {
    let is_record = kind == "parameter" && ids == [record::name(&scope.stack)];
    if flaw == Some(Flaw::TrustsAbsence) && is_record { vec![Ok(None)] } else { there }
}

/// Returns the time that the machine's clock shows.
///
/// One flawed clock stands still while the machine sleeps, so that a lease never expires. The other
/// one is an hour ahead, so that all calls have landed.
pub(super) fn told_time(flaw: Option<Flaw>, now: Timestamp, slept: Duration) -> Timestamp {
    match flaw {
        Some(Flaw::NoLease) => now - slept,
        Some(Flaw::LooksOnce) => now + SignedDuration::from_hours(1),
        _ => now,
    }
}

/// Returns the comparison of both sides as the program reads it.
pub(super) fn drained(flaw: Option<Flaw>, sides: Sides) -> Sides {
    let all = Sides { is_whole: true, ..Sides::default() };
    if flaw == Some(Flaw::SkipsDrain) { all } else { sides }
}

/// True if the cloud checks the permit before each attempt.
pub(super) fn asks(flaw: Option<Flaw>) -> bool {
    !matches!(flaw, Some(Flaw::AsksOnce | Flaw::NoLease | Flaw::LooksOnce))
}

/// Makes calls on `sim` name no expected owner of a bucket.
pub(super) fn name_no_owner(flaw: Option<Flaw>, sim: &Sim) {
    if flaw == Some(Flaw::NamesNoOwner) {
        sim.trust_names();
    }
}

/// Returns `call` as it is sent.
pub(super) fn without_token(flaw: Option<Flaw>, call: &Call, now: Timestamp) -> Call {
    match flaw {
        Some(Flaw::NoToken) => {
            Call { token: sha256(format!("{now} {}", call.address).as_bytes()), ..call.clone() }
        }
        _ => call.clone(),
    }
}

/// Returns `spec` as it is sent.
pub(super) fn all_at_once(flaw: Option<Flaw>, spec: &Value) -> Value {
    let mut spec = spec.clone();
    if flaw == Some(Flaw::AllAtOnce)
        && let Some(failover) = spec.get_mut("failover").and_then(Value::as_object_mut)
    {
        failover.remove("up_to");
    }
    spec
}

/// Returns the number of throttled calls that the program learns of.
pub(super) fn heard(flaw: Option<Flaw>, throttled: u64) -> u64 {
    if flaw == Some(Flaw::Deaf) { 0 } else { throttled }
}

/// Makes the resources of `graph` depend on no missing fact.
fn guess(flaw: Option<Flaw>, graph: &mut Graph) {
    if flaw == Some(Flaw::GuessesFacts) {
        graph.resources.values_mut().for_each(|it| it.lacking = None);
    }
}

/// Returns the rule that decides which answer to a fact is kept.
fn keep(flaw: Option<Flaw>) -> Keep {
    if flaw == Some(Flaw::Momentary) { |_, _, fact| fact } else { drstack_kinds::facts::keep }
}

/// Returns `evidence` as if all desired instances served and all checks had passed.
pub(super) fn hopeful(flaw: Option<Flaw>, evidence: Evidence) -> Evidence {
    if flaw != Some(Flaw::Hopeful) {
        return evidence;
    }
    let pools = evidence.pools.into_iter().map(|pool| Pool { in_service: Some(pool.wanted.max(1)), ..pool });
    Evidence { pools: pools.collect(), unasked: Default::default(), asked_data: evidence.steps, ..evidence }
}

/// Returns the minimums that reach the program.
pub(super) fn forget_minimum(flaw: Option<Flaw>, accepted: &[Accepted]) -> Vec<Accepted> {
    if flaw == Some(Flaw::ForgetsMinimum) { Vec::new() } else { accepted.to_vec() }
}

/// Returns the plan and the number of slots that a forecast is made of.
pub(super) fn carefree(flaw: Option<Flaw>, plan: &Plan, slots: usize) -> (Plan, usize) {
    let mut plan = plan.clone();
    if flaw == Some(Flaw::EndlessLaunches) {
        plan.steps.iter_mut().for_each(|step| step.raise = None);
    }
    (plan, if flaw == Some(Flaw::EndlessSlots) { usize::MAX } else { slots })
}

/// Removes the orphans from `seen`.
fn skip_orphans(flaw: Option<Flaw>, seen: &mut Observed) {
    if flaw == Some(Flaw::NoOrphans) {
        seen.others.clear();
    }
}

/// Adds other owners' resources to `seen`.
fn take_others(flaw: Option<Flaw>, seen: &mut Observed, others: Vec<Owned>) {
    if flaw == Some(Flaw::TakesOthers) {
        seen.others.extend(others);
    }
}

/// Deletes orphans without waiting for their successors.
fn goes_at_once(flaw: Option<Flaw>, plan: &mut Plan) {
    if flaw == Some(Flaw::GoesAtOnce) {
        plan.steps.iter_mut().filter(|it| it.action == Action::Delete).for_each(|it| it.needs.clear());
    }
}

/// Returns `call` with the address that the live tags already carry.
pub(super) fn with_old_tags(flaw: Option<Flaw>, call: &Call, changes: &[FieldChange]) -> Call {
    let renamed = changes.iter().find(|it| it.is_of_address()).filter(|_| flaw == Some(Flaw::KeepsTags));
    let from = renamed.and_then(|it| Address::parse(it.from.as_str()?));
    Call { address: from.unwrap_or_else(|| call.address.clone()), ..call.clone() }
}

/// Hides the addresses of orphans in `seen`, so that none is recognised as a renamed resource.
fn know_no_moves(flaw: Option<Flaw>, graph: &Graph, seen: &mut Observed) {
    if flaw == Some(Flaw::KnowsNoMoves) {
        for owned in seen.others.iter_mut().filter(|it| !graph.resources.contains_key(&it.address)) {
            owned.address = Address::parse(&format!("orphan.{}/{}", owned.kind, owned.found.id)).unwrap();
        }
    }
}

/// Counts a resource with two tags as the stack's.
fn trust_tags(flaw: Option<Flaw>, seen: &mut Observed) {
    if flaw == Some(Flaw::TrustsTags) {
        for Claim { kind, place, mut found } in std::mem::take(&mut seen.unproven) {
            let Owner::Unproven(Some(address)) = found.owner else { continue };
            found.owner = Owner::Ours(address.clone());
            seen.others.push(Owned { kind, place, address, found });
        }
    }
}

/// Uses the first of two twins by id, and makes the others orphans.
fn take_first_twin(flaw: Option<Flaw>, graph: &Graph, seen: &mut Observed) {
    if flaw == Some(Flaw::FirstTwin) {
        for owned in seen.others.iter_mut().filter(|it| graph.resources.contains_key(&it.address)) {
            owned.address = Address::parse(&format!("orphan.{}/{}", owned.kind, owned.found.id)).unwrap();
        }
    }
}

/// Reverses the edges of replacements.
fn delete_first(flaw: Option<Flaw>, plan: &mut Plan) {
    if flaw != Some(Flaw::DeleteFirst) {
        return;
    }
    let steps = plan.steps.clone();
    for (old, step) in
        steps.iter().enumerate().filter(|(_, step)| step.replaces && step.action == Action::Delete)
    {
        let is_new =
            |need: &usize| steps[*need].address == step.address && steps[*need].action == Action::Create;
        let Some(new) = step.needs.iter().copied().find(is_new) else { continue };
        plan.steps[old].needs.clear();
        plan.steps[new].needs.push(old);
    }
}

/// Opens the gates of a failover or a failback. Each step still waits for its own needs.
fn open_gates(flaw: Option<Flaw>, intent: Intent, plan: &mut Plan) {
    let opens = match flaw {
        Some(Flaw::TrafficFirst) => intent.fails_over(),
        Some(Flaw::ShrinksFirst) => intent == Intent::Failback,
        _ => false,
    };
    if opens {
        plan.gates.clear();
    }
}

/// Makes a change, and ends the spot instances of a group as soon as the change has begun.
pub(super) async fn without_hold<T>(
    flaw: Option<Flaw>,
    sim: &Sim,
    kind: &'static str,
    scope: &Scope,
    id: &str,
    changed: impl Future<Output = T>,
) -> T {
    if flaw != Some(Flaw::NoHold) || kind != "group" {
        return changed.await;
    }
    let is_under_way = || {
        sim.see(|world| {
            let group = world.objects.get("group").and_then(|it| it.get(&*scope.standby)?.get(id));
            group.is_some_and(|it| it.then.is_some())
        })
    };
    let retired = async {
        while !is_under_way() {
            sleep(Duration::from_millis(10)).await;
        }
        sim.interrupt(kind, scope, Place::Standby, id, SignedDuration::from_mins(5), |live| {
            live["spot"] = 0.into();
        })
        .unwrap();
        std::future::pending::<std::convert::Infallible>().await
    };
    tokio::select! {
        done = changed => done,
        never = retired => match never {},
    }
}

/// Ends an instance of a group that was just changed, until the group launches another one.
pub(super) fn launch_last(flaw: Option<Flaw>, sim: &Sim, kind: &'static str, scope: &Scope, id: &str) {
    if flaw == Some(Flaw::LaunchesLast) && kind == "group" {
        sim.interrupt(kind, scope, Place::Standby, id, SignedDuration::from_mins(5), |live| {
            let least = if live["on_demand"] == 0 { "spot" } else { "on_demand" };
            live[least] = live[least].as_u64().unwrap().saturating_sub(1).into();
        })
        .unwrap();
    }
}
