//! Planted bugs: what the properties are there to find. Each is done to the program from outside, by what stands between
//! it and the cloud, so that nothing of it is in the product. For each a named property must fail.

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
use drstack_core::plan::stability::Rehearsal;
use drstack_core::plan::{Intent, Options, Plan, PlanReport};
use drstack_core::sides::Sides;
use drstack_core::stack::Stack;
use drstack_core::verdict::{Evidence, Pool};
use drstack_sim::Sim;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::sleep;

use super::desk::OperatorCloud;

mod store;

pub(super) use store::late;

/// A mistake that drstack does not make.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Flaw {
    /// Creations carry no idempotency token, so that the cloud takes each for another one.
    NoToken,
    /// Calls are made first, and their intents are written afterwards.
    LateJournal,
    /// What the stack owns and does not name any more is not looked for.
    NoOrphans,
    /// A replacement takes its predecessor away first.
    DeleteFirst,
    /// A run goes on when its lease has run out: its machine's clock does not show that it slept.
    NoLease,
    /// What belongs to somebody else counts as an orphan of this stack.
    TakesOthers,
    /// A lock is held until its holder gives it back.
    EndlessLock,
    /// The record of a lock that is held does not say what was begun before.
    ForgetfulLock,
    /// A failover looks at all regions.
    LooksAtPrimary,
    /// Steps start as if nothing was ever throttled.
    Deaf,
    /// A group is raised to all that it wants in one go.
    AllAtOnce,
    /// Spot instances go when on-demand ones are asked for, not once they serve.
    NoHold,
    /// A fact that could not be read counts as if it was.
    GuessesFacts,
    /// A group's capacity is what it is at the moment.
    Momentary,
    /// A failover moves traffic as soon as it can, whatever is up by then.
    TrafficFirst,
    /// A failback shrinks what served as soon as it can, whatever traffic still arrives there.
    ShrinksFirst,
    /// What a part that fails over waits for stays in standby.
    PartAlone,
    /// What the stack no longer names goes at once, whatever comes in its place.
    GoesAtOnce,
    /// What is recognised under another address keeps its old tags.
    KeepsTags,
    /// Nothing is recognised under another address.
    KnowsNoMoves,
    /// Two tags are proof enough.
    TrustsTags,
    /// Of two that stand for one address the first by id is it, and the other goes.
    FirstTwin,
    /// A run asks whether it may call when a step begins, and not at each attempt; and it goes on when its lock is lost.
    AsksOnce,
    /// A failover is done when its plan is, whatever calls of earlier runs land afterwards: by its machine's clock all of them have landed.
    LooksOnce,
    /// A group that goes back to spot ends an instance before it launches the one in its place.
    LaunchesLast,
    /// A failover whose steps are done counts as recovered, whatever serves and answers.
    Hopeful,
    /// A minimum that an operator accepts is taken note of, and not heeded.
    ForgetsMinimum,
    /// A mode that is not recorded is taken for that of a stack which was never failed over.
    TrustsAbsence,
    /// Calls do not say which account they expect to own a bucket.
    NamesNoOwner,
    /// A failover keeps facts, although it asked nobody.
    WritesFacts,
    /// A planned failover does not wait for replication.
    SkipsDrain,
    /// What a failover would need of the primary stops no apply.
    BlocksNothing,
    /// An apply publishes the bundle although its lock is lost.
    PublishesLate,
}

/// The catalogue of a program at `desk`: a planner that sees the world as the flaw wants it, and whose plans go wrong.
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
        Ok((plan, report))
    }

    fn rehearse(
        &self,
        standby: &Graph,
        active: &Graph,
        kinds: &KindRegistry,
        stack: &StackFacts,
    ) -> Result<Rehearsal, ShapeError> {
        let mut rehearsal = Core.rehearse(standby, active, kinds, stack)?;
        if self.flaw == Some(Flaw::BlocksNothing) {
            rehearsal.violations.clear();
        }
        Ok(rehearsal)
    }
}

/// A session for a failover that knows nothing of other regions, and looks there.
pub(super) fn look_everywhere(flaw: Option<Flaw>, session: Session) -> Session {
    match flaw {
        Some(Flaw::LooksAtPrimary) => Session { alone: None, ..session },
        _ => session,
    }
}

/// What a failover of a part goes without.
pub(super) fn go_alone(flaw: Option<Flaw>, stack: &Stack, only: &[String]) -> Vec<String> {
    if flaw != Some(Flaw::PartAlone) || only.is_empty() {
        return Vec::new();
    }
    let sequence = Sequence::of(stack, &drstack_kinds::kinds());
    sequence.parts().map(ToString::to_string).collect()
}

/// What is `there`, as the program hears of it: the second record of the mode is not.
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

/// The time as the program hears of it: by a clock that stands still while the machine sleeps, so that a lease never ends; or by one that is
/// an hour ahead, so that everything has landed.
pub(super) fn told_time(flaw: Option<Flaw>, now: Timestamp, slept: Duration) -> Timestamp {
    match flaw {
        Some(Flaw::NoLease) => now - slept,
        Some(Flaw::LooksOnce) => now + SignedDuration::from_hours(1),
        _ => now,
    }
}

/// What `sides` of data look like to the program.
pub(super) fn drained(flaw: Option<Flaw>, sides: Sides) -> Sides {
    let all = Sides { is_whole: true, ..Sides::default() };
    if flaw == Some(Flaw::SkipsDrain) { all } else { sides }
}

/// Whether the cloud asks before each attempt whether it may call.
pub(super) fn asks(flaw: Option<Flaw>) -> bool {
    !matches!(flaw, Some(Flaw::AsksOnce | Flaw::NoLease | Flaw::LooksOnce))
}

/// Makes calls on `sim` that do not say whose a bucket has to be.
pub(super) fn name_no_owner(flaw: Option<Flaw>, sim: &Sim) {
    if flaw == Some(Flaw::NamesNoOwner) {
        sim.trust_names();
    }
}

/// `call` as it is sent.
pub(super) fn without_token(flaw: Option<Flaw>, call: &Call, now: Timestamp) -> Call {
    match flaw {
        Some(Flaw::NoToken) => {
            Call { token: sha256(format!("{now} {}", call.address).as_bytes()), ..call.clone() }
        }
        _ => call.clone(),
    }
}

/// `spec` as it is sent.
pub(super) fn all_at_once(flaw: Option<Flaw>, spec: &Value) -> Value {
    let mut spec = spec.clone();
    if flaw == Some(Flaw::AllAtOnce)
        && let Some(failover) = spec.get_mut("failover").and_then(Value::as_object_mut)
    {
        failover.remove("up_to");
    }
    spec
}

/// How often calls were throttled, as the program hears of it.
pub(super) fn heard(flaw: Option<Flaw>, throttled: u64) -> u64 {
    if flaw == Some(Flaw::Deaf) { 0 } else { throttled }
}

/// Makes the resources of `graph` rest on nothing.
fn guess(flaw: Option<Flaw>, graph: &mut Graph) {
    if flaw == Some(Flaw::GuessesFacts) {
        graph.resources.values_mut().for_each(|it| it.lacking = None);
    }
}

/// What is kept of an answer.
fn keep(flaw: Option<Flaw>) -> Keep {
    if flaw == Some(Flaw::Momentary) { |_, _, fact| fact } else { drstack_kinds::facts::keep }
}

/// `evidence` as if all that is wanted served and had been asked.
pub(super) fn hopeful(flaw: Option<Flaw>, evidence: Evidence) -> Evidence {
    if flaw != Some(Flaw::Hopeful) {
        return evidence;
    }
    let pools = evidence.pools.into_iter().map(|pool| Pool { in_service: Some(pool.wanted.max(1)), ..pool });
    Evidence { pools: pools.collect(), asked_service: evidence.steps, asked_data: evidence.steps, ..evidence }
}

/// The minimums that the program hears of.
pub(super) fn forget_minimum(flaw: Option<Flaw>, accepted: &[Accepted]) -> Vec<Accepted> {
    if flaw == Some(Flaw::ForgetsMinimum) { Vec::new() } else { accepted.to_vec() }
}

/// Leaves out of `seen` what the graph does not name.
fn skip_orphans(flaw: Option<Flaw>, seen: &mut Observed) {
    if flaw == Some(Flaw::NoOrphans) {
        seen.others.clear();
    }
}

/// Adds to `seen` what is there of others.
fn take_others(flaw: Option<Flaw>, seen: &mut Observed, others: Vec<Owned>) {
    if flaw == Some(Flaw::TakesOthers) {
        seen.others.extend(others);
    }
}

/// Lets go of `others` without waiting for anything.
fn goes_at_once(flaw: Option<Flaw>, plan: &mut Plan) {
    if flaw == Some(Flaw::GoesAtOnce) {
        plan.steps.iter_mut().filter(|it| it.action == Action::Delete).for_each(|it| it.needs.clear());
    }
}

/// `call` with the address that stands in the tags already.
pub(super) fn with_old_tags(flaw: Option<Flaw>, call: &Call, changes: &[FieldChange]) -> Call {
    let renamed = changes.iter().find(|it| it.is_of_address()).filter(|_| flaw == Some(Flaw::KeepsTags));
    let from = renamed.and_then(|it| Address::parse(it.from.as_str()?));
    Call { address: from.unwrap_or_else(|| call.address.clone()), ..call.clone() }
}

/// Hides from `seen` for which addresses orphans were made, and that they serve: each is one for itself.
fn know_no_moves(flaw: Option<Flaw>, graph: &Graph, seen: &mut Observed) {
    if flaw == Some(Flaw::KnowsNoMoves) {
        for owned in seen.others.iter_mut().filter(|it| !graph.resources.contains_key(&it.address)) {
            owned.address = Address::parse(&format!("orphan.{}/{}", owned.kind, owned.found.id)).unwrap();
        }
    }
}

/// Takes what has two tags for the stack's.
fn trust_tags(flaw: Option<Flaw>, seen: &mut Observed) {
    if flaw == Some(Flaw::TrustsTags) {
        for Claim { kind, place, mut found } in std::mem::take(&mut seen.unproven) {
            let Owner::Unproven(Some(address)) = found.owner else { continue };
            found.owner = Owner::Ours(address.clone());
            seen.others.push(Owned { kind, place, address, found });
        }
    }
}

/// Takes the first of two by its id, and the others away.
fn take_first_twin(flaw: Option<Flaw>, graph: &Graph, seen: &mut Observed) {
    if flaw == Some(Flaw::FirstTwin) {
        for owned in seen.others.iter_mut().filter(|it| graph.resources.contains_key(&it.address)) {
            owned.address = Address::parse(&format!("orphan.{}/{}", owned.kind, owned.found.id)).unwrap();
        }
    }
}

/// Turns the edges of replacements round.
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

/// Opens the gates of a failover, or of the way back: what each step waits for by itself is left.
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

/// `changed`, and the spot instances of a group are gone as soon as the change has begun.
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

/// Ends an instance of a group that was just changed, until another one is launched.
pub(super) fn launch_last(flaw: Option<Flaw>, sim: &Sim, kind: &'static str, scope: &Scope, id: &str) {
    if flaw == Some(Flaw::LaunchesLast) && kind == "group" {
        sim.interrupt(kind, scope, Place::Standby, id, SignedDuration::from_mins(5), |live| {
            let least = if live["on_demand"] == 0 { "spot" } else { "on_demand" };
            live[least] = live[least].as_u64().unwrap().saturating_sub(1).into();
        })
        .unwrap();
    }
}
