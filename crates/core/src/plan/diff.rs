//! The diff of desired and observed state, as steps with edges; pure.

mod as_it_runs;
mod blocked;
mod carriers;
mod claims;
mod copies;
mod failover;
mod fed;
mod kept_names;
mod literal;
mod moved;
mod names;
mod older;
mod reach;
mod relied;
mod remarks;
mod remove;
mod replace;
mod succession;
mod tied;
mod traffic;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use self::claims::Whose;
pub use self::claims::tags;
use self::moved::Moved;
use self::names::Names;
use self::older::Older;
use self::reach::Reach;
use self::relied::Stays;
use super::waits::Order;
use super::{Gate, Intent, Options, Plan, PlanReport, Raise, Step, StepId, differ, fields, order};
use crate::address::Address;
use crate::cloud::{Found, sha256};
use crate::component::StackFacts;
use crate::graph::{Graph, Resource};
use crate::kind::{Action, Compared, DynKind, FieldChange, KindRegistry, Place, Readiness, ShapeError};
use crate::link::{KNOWN_LATER, has_links, resolve};
use crate::objective::Mode;
use crate::observe::{Look, Observed, Owned};

/// Time until instances that go no longer serve: one call, and one look.
const LETS_GO: Duration = Duration::from_secs(5);

/// Plans the steps that make `seen` match `want` (or delete it), and reports the rest.
///
/// # Errors
/// A spec or live value that does not have its kind's shape: made by another version of drstack.
pub fn plan(
    want: &Graph,
    seen: &Observed,
    kinds: &KindRegistry,
    stack: &StackFacts,
    options: &Options,
) -> Result<(Plan, PlanReport), ShapeError> {
    let moved = match options.intent {
        Intent::Destroy => Moved::default(),
        _ => Moved::find(want, seen, kinds)?,
    };
    let runs = as_it_runs::Runs::of(want, seen, kinds, &moved, options.intent)?;
    let want = &*runs.graph;
    let mut draft = Draft::new(want, seen, &moved, kinds, stack, options);
    draft.unlisted_data = seen.unlisted.iter().any(|(kind, ..)| draft.holds_data(kind));
    let forward = options.mode == Mode::Active || options.intent.fails_over();
    let in_order = forward && options.intent != Intent::Destroy;
    let order = in_order.then(|| Order::of(want, kinds));
    let scope = Reach::of(want, kinds, options, order.as_ref());
    let mut spare = Spare::of(moved.rest(&seen.others));
    match options.intent {
        Intent::Destroy => {
            draft.destroy(want, seen, &scope)?;
            draft.name_untagged();
        }
        Intent::Converge | Intent::Failover | Intent::PlannedFailover | Intent::Failback => {
            for resource in order::topological(want) {
                let address = &resource.address;
                let look = moved.look(address).or_else(|| seen.seen.get(address));
                draft.converge(resource, look, scope.contains(address), &mut spare)?;
            }
            if draft.fails_over() {
                draft.refuse_violations();
            } else {
                draft.feed_what_is_there();
                let rest = draft.without_older(spare.rest());
                let (owned, apart) = rest.into_iter().partition(|owned| draft.is_target(&owned.address));
                draft.remove(owned, apart)?;
                draft.settle_older()?;
                draft.keep_what_stays_whole()?;
                draft.moves_traffic_first();
                draft.report.notes.extend(moved.questions());
            }
            match &order {
                Some(order) => {
                    draft.hold_traffic_back(order);
                    draft.in_order(want)?;
                }
                None => draft.let_go_before_shrinking(want),
            }
        }
    }
    draft.report.notes.extend(runs.remarks.iter().cloned());
    draft.name_claims();
    draft.say_unlisted(seen);
    draft.let_go_first(want);
    draft.carriers_first(want);
    if order.is_none() {
        draft.users_leave_first();
    }
    draft.leave_out();
    // Nothing is asked again for an apply that changes nothing.
    let is_check = |step: &Step| kinds.get(&step.kind).is_some_and(|kind| kind.check().is_some());
    if options.intent == Intent::Converge && draft.steps.iter().all(is_check) {
        draft.steps.clear();
        draft.gates.clear();
    }
    let (steps, gates) = order::sorted(draft.steps, &draft.gates);
    Ok((Plan { steps, outputs: draft.outputs, gates }, draft.report))
}

/// Returns the objects that `plan` uses and that were not the ones found for their address: renames,
/// capacity that has lost its tags, and of several copies the newest.
///
/// # Errors
/// As [`plan()`].
pub fn used(
    want: &Graph,
    seen: &Observed,
    kinds: &KindRegistry,
    plan: &Plan,
) -> Result<BTreeMap<Address, Look>, ShapeError> {
    let moved = Moved::find(want, seen, kinds)?;
    let copies: Vec<(Address, &Found)> = older::beside(seen, kinds, &moved);
    let mut looks = moved.into_looks();
    let is_used = |address: &Address, found: &Found| {
        plan.outputs.get(address).and_then(|outputs| outputs.get("id")) == Some(&found.id)
    };
    let used = copies.into_iter().filter(|(address, found)| is_used(address, found));
    looks.extend(used.map(|(address, found)| (address, Look::Present(found.clone()))));
    for resource in want.resources.values().filter(|it| seen.seen.get(&it.address) == Some(&Look::Absent)) {
        let kind = kinds.get(&resource.kind).filter(|kind| kind.capacity().is_some());
        let found = match kind.and_then(|_| claims::of_its_name(resource, seen)) {
            Some(found) => Some(found),
            None => as_it_runs::without_tags(resource, seen, kinds)?,
        };
        looks.extend(found.map(|found| (resource.address.clone(), Look::Present(found.clone()))));
    }
    Ok(looks)
}

/// Owned resources that no desired resource has claimed yet, by address.
struct Spare<'a> {
    by_address: BTreeMap<(Address, &'static str), Vec<&'a Owned>>,
}

impl<'a> Spare<'a> {
    fn of(others: impl Iterator<Item = &'a Owned>) -> Self {
        let mut by_address: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for owned in others {
            by_address.entry((owned.address.clone(), owned.kind)).or_default().push(owned);
        }
        Self { by_address }
    }

    fn rest(self) -> impl Iterator<Item = &'a Owned> {
        self.by_address.into_values().flatten()
    }
}

struct Draft<'a> {
    want: &'a Graph,
    seen: &'a Observed,
    /// Resources that exist under another address.
    moved: &'a Moved,
    kinds: &'a KindRegistry,
    stack: &'a StackFacts,
    options: &'a Options,
    steps: Vec<Step>,
    /// Step after which a desired resource matches the stack.
    ready_by: BTreeMap<Address, usize>,
    /// Desired resources that cannot be created or changed now.
    blocked: BTreeSet<Address>,
    /// Desired resources that exist but are not ready yet.
    not_ready: BTreeSet<Address>,
    /// Outputs of the desired resources that are live.
    outputs: BTreeMap<Address, BTreeMap<String, String>>,
    /// Outputs that a step of this plan will change; `None` means all of them.
    unsure: BTreeMap<Address, Option<&'static [&'static str]>>,
    /// Delete steps by the id or output of the deleted object (ids are unique per place, so no kind
    /// is needed).
    deletes: BTreeMap<String, Vec<usize>>,
    /// Steps on live resources, with the ids that the live object refers to now.
    holders: Vec<(usize, Vec<String>)>,
    /// Ids that desired resources refer to and that no step of this plan changes.
    held: BTreeSet<String>,
    /// Copies that newer copies replace.
    older: Vec<Older>,
    /// Components that keep some of their data.
    kept_data: BTreeSet<String>,
    /// Delete steps of carriers, with the ids of what they carry traffic for.
    carried: Vec<(StepId, Vec<String>)>,
    /// Objects, by kind and id, that block a resource, since nothing proves whose they are.
    claimed: BTreeSet<(String, String)>,
    /// Objects of the stack that stay as they are, in use.
    stays: Vec<Stays>,
    /// True if a failed listing may have hidden data.
    unlisted_data: bool,
    /// Resources that match the stack but are not ready yet, and why.
    unready: BTreeMap<Address, String>,
    /// Steps that raise capacity.
    growing: BTreeSet<StepId>,
    /// Steps on capacity that serves as much as is desired already: they only exchange it.
    exchanging: BTreeSet<StepId>,
    gates: Vec<Gate>,
    /// The stack's objects by name, once somebody asks.
    names: OnceCell<Names<'a>>,
    /// Steps that are dropped from the plan.
    out: BTreeSet<StepId>,
    report: PlanReport,
}

impl<'a> Draft<'a> {
    fn new(
        want: &'a Graph,
        seen: &'a Observed,
        moved: &'a Moved,
        kinds: &'a KindRegistry,
        stack: &'a StackFacts,
        options: &'a Options,
    ) -> Self {
        Self {
            want,
            seen,
            moved,
            kinds,
            stack,
            options,
            steps: Vec::new(),
            ready_by: BTreeMap::new(),
            blocked: BTreeSet::new(),
            not_ready: BTreeSet::new(),
            outputs: BTreeMap::new(),
            unsure: BTreeMap::new(),
            deletes: BTreeMap::new(),
            holders: Vec::new(),
            held: BTreeSet::new(),
            older: Vec::new(),
            kept_data: BTreeSet::new(),
            carried: Vec::new(),
            claimed: BTreeSet::new(),
            stays: Vec::new(),
            unlisted_data: false,
            unready: BTreeMap::new(),
            growing: BTreeSet::new(),
            exchanging: BTreeSet::new(),
            gates: Vec::new(),
            names: OnceCell::new(),
            out: BTreeSet::new(),
            report: PlanReport::default(),
        }
    }

    fn converge(
        &mut self,
        resource: &Resource,
        look: Option<&'a Look>,
        in_scope: bool,
        spare: &mut Spare<'a>,
    ) -> Result<(), ShapeError> {
        let Some(kind) = self.kinds.get(&resource.kind) else {
            self.block(&resource.address, format!("this build knows no kind `{}`", resource.kind));
            return Ok(());
        };
        if kind.check().is_some() {
            return self.create(kind, resource, in_scope, "it has to hold");
        }
        if self.fails_over() && resource.place != Place::Standby && !self.moves_by_shares(kind) {
            let found =
                look.and_then(|look| if let Look::Present(found) = look { Some(found) } else { None });
            return self.elsewhere(kind, resource, found);
        }
        let Some(found) = self.present(kind, resource, look, in_scope)? else { return Ok(()) };
        let from = match self.whose(kind, resource, found) {
            Whose::Its => None,
            // A failover uses what exists, under whatever address; the next apply rewrites the
            // tags.
            Whose::Moved(from) => Some(from).filter(|_| !self.fails_over()),
            Whose::Begun => {
                return self.create(kind, resource, in_scope, "a run was cut off while making it");
            }
            Whose::Instead(of) => return self.instead_of(kind, resource, (found, of), in_scope),
            Whose::Others => return Ok(()),
        };
        let as_named = resource;
        let resource = &self.as_it_stays(kind, resource, found)?;
        let Some((found, compared)) = self.better_twin(kind, resource, found, in_scope, spare)? else {
            return Ok(());
        };
        let Compared { changes, ready, outputs, links } = compared;
        if ready != Readiness::Ready {
            self.not_ready.insert(resource.address.clone());
        }
        let address = from.map(|from| FieldChange::of_address(from, &resource.address)).into_iter();
        let changes: Vec<_> = address.chain(changes).collect();
        self.outputs.insert(resource.address.clone(), outputs);
        if in_scope && (self.stays_as_data(resource) || self.lacks_its_fact(resource, changes.is_empty())) {
            self.held.extend(links);
            return Ok(());
        }
        let beside = match in_scope && changes.is_empty() {
            true => self.reason_beside_differences(kind, resource, &ready)?,
            false => None,
        };
        if (changes.is_empty() && beside.is_none()) || !in_scope {
            self.report.unchanged += usize::from(changes.is_empty());
            self.held.extend(links);
            self.remark_waiting(resource, ready);
            self.remark_on_demand(kind, resource, found)?;
            return Ok(());
        }
        if changes.iter().any(|change| change.replace) {
            if self.may_replace(kind, resource) {
                return self.replace(kind, as_named, found, changes);
            }
            self.held.extend(links);
            self.leaves_as_it_is(resource, &fields(&changes, ["cannot be changed in place"; 2]));
            return Ok(());
        }
        if self.stays_in_failover(kind, resource) || self.waits_for_blocked(resource) {
            self.held.extend(links);
            return Ok(());
        }
        let reason = match (from, beside) {
            (Some(from), _) if self.moved.is_handed(&resource.address) => {
                format!("taken over: it was {from}")
            }
            (Some(from), _) => format!("renamed: it was {from}"),
            (None, Some(beside)) => beside.to_owned(),
            (None, None) => differ(&changes),
        };
        self.update(kind, resource, found, (reason, changes), links)
    }

    fn update(
        &mut self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        found: &Found,
        (reason, changes): (String, Vec<FieldChange>),
        links: Vec<String>,
    ) -> Result<(), ShapeError> {
        let id = self.push(kind, resource, Action::Update, reason, changes, Some(found.id.clone()))?;
        self.steps[id].raise = Raise::of(kind, &resource.spec, Some(found))?;
        if let Some(traffic) = kind.traffic() {
            self.steps[id].estimate += traffic.holds(&resource.spec)?.as_secs_f64();
        }
        if let Some(capacity) = kind.capacity()
            && let Some(live) = capacity.bought_as(&resource.spec, &found.live)?
        {
            let grows = capacity.demand(&resource.spec)?.count > live.count;
            if grows {
                self.growing.insert(id)
            } else {
                self.exchanging.insert(id)
            };
            if !grows && capacity.launches(&resource.spec, Some(&found.live))? == 0 {
                // Nothing is launched that it would wait for.
                self.steps[id].estimate = self.steps[id].estimate.min(LETS_GO.as_secs_f64());
            }
        }
        self.holders.push((id, links));
        self.ready_by.insert(resource.address.clone(), id);
        self.unsure.insert(resource.address.clone(), Some(kind.volatile()));
        Ok(())
    }

    fn create(
        &mut self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        in_scope: bool,
        reason: &str,
    ) -> Result<(), ShapeError> {
        if !in_scope
            || self.lacks_its_fact(resource, false)
            || self.waits_for_blocked(resource)
            || self.serves_already(kind, resource)
            || self.is_read_by_nothing(kind, resource)
            || self.is_never_found(resource)
            || self.is_name_taken(kind, resource)
        {
            self.blocked.insert(resource.address.clone());
            return Ok(());
        }
        let id =
            self.push(kind, resource, Action::Create, reason.to_owned(), Vec::new(), resource.name.clone())?;
        self.ready_by.insert(resource.address.clone(), id);
        self.unsure.insert(resource.address.clone(), None);
        Ok(())
    }

    fn compare(
        &self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        found: &Found,
    ) -> Result<Compared, ShapeError> {
        if !has_links(&resource.spec) {
            let compared = kind.compare(&resource.spec, &found.id, &found.live)?;
            return Ok(self.with_failure(kind, compared));
        }
        let mut spec = resource.spec.clone();
        resolve(&mut spec, &|address, output| {
            let unsure = match self.unsure.get(address) {
                Some(None) => true,
                Some(Some(volatile)) => volatile.contains(&output),
                None => false,
            };
            match self.outputs.get(address).and_then(|outputs| outputs.get(output)) {
                Some(text) if !unsure => Some(text.clone()),
                _ => Some(KNOWN_LATER.to_owned()),
            }
        });
        Ok(self.with_failure(kind, kind.compare(&spec, &found.id, &found.live)?))
    }

    fn push(
        &mut self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        action: Action,
        reason: String,
        changes: Vec<FieldChange>,
        id: Option<String>,
    ) -> Result<usize, ShapeError> {
        let mut needs: Vec<usize> =
            resource.needed().filter_map(|need| self.ready_by.get(need).copied()).collect();
        needs.sort_unstable();
        needs.dedup();
        self.steps.push(Step {
            address: resource.address.clone(),
            kind: resource.kind.clone(),
            place: resource.place,
            region: self.region(resource.place).to_owned(),
            action,
            reason,
            changes,
            spec: resource.spec.clone(),
            id,
            needs,
            after: Vec::new(),
            replaces: false,
            estimate: kind.prior(action).as_secs_f64(),
            // An update's depends on what it finds.
            raise: if action == Action::Create { Raise::of(kind, &resource.spec, None)? } else { None },
            token: token(&self.stack.name, &resource.address, action, &resource.spec),
            tier: resource.tier,
        });
        Ok(self.steps.len() - 1)
    }

    fn holds_data(&self, kind: &str) -> bool {
        self.kinds.get(kind).is_some_and(|kind| kind.role().holds_data())
    }

    fn may_delete(&self, address: &Address) -> bool {
        self.options.delete_data.iter().any(|named| address.is_named_by(named))
    }

    fn is_target(&self, address: &Address) -> bool {
        self.options.targets.is_empty() || self.options.targets.iter().any(|target| address.is_within(target))
    }

    fn region(&self, place: Place) -> &'a str {
        match place {
            Place::Primary => &self.stack.primary,
            Place::Standby => &self.stack.standby,
            Place::Global => "global",
        }
    }
}

/// Returns 64 hex digits that are equal exactly if stack, address, action and spec are equal.
fn token(stack: &str, address: &Address, action: Action, spec: &Value) -> String {
    sha256(format!("{stack}\n{address}\n{action:?}\n{spec}").as_bytes())
}
