//! Failover and failback: what changes in planning when the primary is lost, or just back.
//!
//! During a failover the planner emits steps in the standby region only, and never a replace or
//! delete. Drift that would need one is left in place and reported as a note.

use super::older::keeps_older;
use super::{Draft, Stays};
use crate::address::Address;
use crate::cloud::Found;
use crate::graph::Resource;
use crate::kind::{Action, DynKind, Place, Readiness, Role, ShapeError};
use crate::link::KNOWN_LATER;
use crate::objective::Mode;
use crate::plan::stability::violation;
use crate::plan::without::without;
use crate::plan::{Intent, Remark, order};

impl Draft<'_> {
    /// True during a failover, planned or not.
    pub(super) fn fails_over(&self) -> bool {
        self.options.intent.fails_over()
    }

    /// True if a failover leaves `resource`, which exists, as it is, because what it needs cannot be had
    /// now.
    ///
    /// Example: a launch template, where the bundle that knows of the instance profile is lost. What
    /// runs on it is raised all the same.
    pub(super) fn stays_in_failover(&mut self, kind: &'static dyn DynKind, resource: &Resource) -> bool {
        let moves = kind.capacity().is_some() || kind.traffic().is_some() || kind.check().is_some();
        if !self.fails_over() || moves || resource.place != Place::Standby {
            return false;
        }
        let Some(need) = resource.needed().filter(|need| self.blocked.contains(*need)).min() else {
            return false;
        };
        let text = format!("it stays as it is: it needs {need}");
        self.report.notes.push(Remark { address: resource.address.to_string(), text });
        true
    }

    /// True if `kind` moves shares of traffic in a planned failover, before the switch moves it for
    /// good.
    pub(super) fn moves_by_shares(&self, kind: &'static dyn DynKind) -> bool {
        self.options.intent == Intent::PlannedFailover
            && kind.needs_both_regions()
            && kind.traffic().is_some()
    }

    /// Uses the last recorded state of a resource outside the standby region, without comparing it.
    pub(super) fn elsewhere(
        &mut self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        found: Option<&Found>,
    ) -> Result<(), ShapeError> {
        let address = resource.address.clone();
        let Some(found) = found else {
            if kind.leads_users() && self.options.intent == Intent::PlannedFailover {
                let text = "no name leads users without it, and it was not found or could not be looked at: run `drstack apply STACK` first";
                self.block(&address, text.to_owned());
                return Ok(());
            }
            let text = match kind.leads_users() {
                true => {
                    self.report.unled.insert(address.component());
                    format!(
                        "it is not in what was last seen of the primary: nobody knows whether users are led to {}",
                        self.stack.standby
                    )
                }
                false => "it is not in what was last seen of the primary".to_owned(),
            };
            self.report.notes.push(Remark { address: address.to_string(), text });
            self.blocked.insert(address);
            return Ok(());
        };
        if kind.leads_users() || self.is_asked_by_a_name(kind, resource) {
            let compared = self.compare(kind, resource, found)?;
            let differs = compared.changes.iter().filter(|it| !it.to.to_string().contains(KNOWN_LATER));
            let differs: Vec<&str> = differs.map(|it| it.field.as_str()).collect();
            if !differs.is_empty() {
                let text = format!(
                    "it was last seen with another {}, and a failover does not change it: fail over with the stack that was applied",
                    differs.join(" and ")
                );
                self.block(&address, text);
            }
        }
        self.outputs.insert(address, kind.outputs(&found.id, &found.live)?);
        self.report.unchanged += 1;
        Ok(())
    }

    /// True if what leads users may ask it: a health check beside a record.
    fn is_asked_by_a_name(&self, kind: &'static dyn DynKind, resource: &Resource) -> bool {
        let component = resource.address.component();
        let leads = |it: &Resource| self.kinds.get(&it.kind).is_some_and(|kind| kind.leads_users());
        resource.place == Place::Global
            && kind.traffic().is_none()
            && self.want.resources.values().any(|it| leads(it) && it.address.component() == component)
    }

    /// True if `resource` is data that the standby region serves.
    ///
    /// The planner does not replace such data without the operator's permission.
    pub(super) fn serves_data(&self, kind: &'static dyn DynKind, resource: &Resource) -> bool {
        self.options.mode == Mode::Active
            && kind.role().holds_data()
            && !keeps_older(kind)
            && !self.may_delete(&resource.address)
    }

    /// True if what cannot be changed in place is made again.
    ///
    /// A failover replaces nothing. While the standby region serves, an apply replaces nothing there
    /// that may be in use: a network, or data without the operator's permission.
    pub(super) fn may_replace(&self, kind: &'static dyn DynKind, resource: &Resource) -> bool {
        let serves = (self.options.intent, self.options.mode) == (Intent::Converge, Mode::Active);
        let may_be_used = serves && resource.place == Place::Standby && !kind.role().holds_data();
        !self.fails_over() && !may_be_used && !self.serves_data(kind, resource)
    }

    /// True if the object with the name of `resource` is data of the same component and serves as
    /// well. A failback leaves it there, too: the apply after it says how the other comes back.
    ///
    /// Example: a table that another posture has left there.
    pub(super) fn serves_in_its_place(
        &self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        of: &Address,
    ) -> bool {
        let serves = self.options.mode == Mode::Active && !keeps_older(kind);
        let is_left = kind.role().holds_data() && (serves || self.options.intent == Intent::Failback);
        of.component() == resource.address.component() && is_left
    }

    /// True if `found` stands in the place of `resource` and does not serve yet: a replica that is being made
    /// may never get its items once the primary is lost. Reported as blocked.
    pub(super) fn is_unready_in_its_place(
        &mut self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        found: &Found,
        of: &Address,
    ) -> bool {
        if !self.fails_over() || !self.serves_in_its_place(kind, resource, of) {
            return false;
        }
        let Some(lacks) = kind.ready(&resource.spec, &found.live).ok().and_then(|it| it.lacks()) else {
            return false;
        };
        let text = format!("`{}` is there for {of}, and serves nothing yet: {lacks}", found.id);
        self.block(&resource.address, text);
        true
    }

    /// Leaves `found`, which stands for `of`, in the place of `resource`.
    ///
    /// Restored data is no replica, whatever the stack says by now: a report says of when it is, and a
    /// failback that nothing of it is compared.
    pub(super) fn leave_in_place(
        &mut self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        found: &Found,
        of: &Address,
    ) {
        self.stays.push(Stays { kind, found: found.clone(), is_blocked: false });
        let restored = self.kinds.get(of.resource()).filter(|it| it.role() == Role::Restored);
        if let Some(restored) = restored.filter(|_| kind.role() != Role::Restored) {
            let outputs = restored.outputs(&found.id, &found.live);
            self.outputs.insert(of.clone(), outputs.unwrap_or_default());
            if self.options.intent == Intent::Failback {
                let text = format!("`{}` holds data that a failover restored", found.id);
                self.report.kept.push(Remark { address: of.to_string(), text });
            }
            if self.options.intent == Intent::Converge {
                let text = format!(
                    "`{}` was restored for {of}, and serves: it is no replica; write the posture again that it was applied with, fail back, \
                     and change it after that",
                    found.id
                );
                self.block(&resource.address, text);
                return;
            }
        }
        let text = format!("`{}` is there for {of}: it serves as it is", found.id);
        self.report.notes.push(Remark { address: resource.address.to_string(), text });
        self.report.unchanged += 1;
    }

    /// Notes drift that is left in place because only a replacement could fix it.
    ///
    /// A planned failover would start what was deployed since the last apply on data of before: the new size
    /// and types with the old image. The primary answers, so that an apply can bring it over first.
    pub(super) fn leaves_as_it_is(&mut self, resource: &Resource, fields: &str) {
        if self.options.intent == Intent::PlannedFailover && self.holds_data(&resource.kind) {
            let text = "it is not what the primary has by now: run `drstack sync STACK` or `drstack apply STACK` first";
            return self.block(&resource.address, text.to_owned());
        }
        let why = match self.fails_over() {
            true => "a failover replaces nothing",
            false if self.holds_data(&resource.kind) => "it holds what the standby region serves",
            false => "the standby region serves until the failback",
        };
        let text = format!("{fields}; it stays as it is: {why}");
        self.report.notes.push(Remark { address: resource.address.to_string(), text });
    }

    /// Returns why a resource that matches the stack is updated all the same.
    ///
    /// A failover retries capacity that is not all in service. A failback updates capacity that a
    /// failover may have left unrecorded instances beside.
    pub(super) fn reason_beside_differences(
        &self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        ready: &Readiness,
    ) -> Result<Option<&'static str>, ShapeError> {
        let is_lost =
            self.seen.untagged.contains_key(&resource.address) || self.claim(kind, resource).is_some();
        if self.fails_over() && kind.capacity().is_some() && is_lost {
            return Ok(Some("it has lost its tags"));
        }
        // An earlier run was cut off while it waited for it. What reads it waits for this.
        if self.options.mode == Mode::Active && kind.role() == Role::Restored && *ready != Readiness::Ready {
            return Ok(Some("it is not restored whole yet"));
        }
        let lacks = self.fails_over() && *ready != Readiness::Ready;
        if lacks && kind.capacity().is_some() {
            return Ok(Some("not all of its instances serve"));
        }
        let fails_back = self.options.intent == Intent::Failback;
        let Some(capacity) = kind.capacity().filter(|_| fails_back) else { return Ok(None) };
        let may_leave = capacity.may_leave_unseen(&resource.spec)?;
        Ok(may_leave.then_some("a failover may have left instances beside it"))
    }

    /// Drops the steps that a failover may not take, and reports each as blocked.
    pub(super) fn refuse_violations(&mut self) {
        for (id, step) in self.steps.iter().enumerate() {
            let kind = self.kinds.get(&step.kind).filter(|_| step.action == Action::Update);
            let moves = kind.is_some_and(|kind| self.moves_by_shares(kind));
            if let Some(Remark { address, text }) = violation(step, self.kinds).filter(|_| !moves) {
                self.out.insert(id);
                self.blocked.insert(step.address.clone());
                let text = format!("{text}; run `drstack apply STACK` while the primary answers");
                self.report.blocked.push(Remark { address, text });
            }
        }
        self.spread();
    }

    /// Drops the steps that need a dropped step.
    pub(super) fn spread(&mut self) {
        for id in order::of_steps(&self.steps) {
            if self.steps[id].needs.iter().any(|need| self.out.contains(need)) && self.out.insert(id) {
                self.blocked.insert(self.steps[id].address.clone());
            }
        }
    }

    /// Removes the dropped steps and renumbers the rest.
    pub(super) fn leave_out(&mut self) {
        if self.out.is_empty() {
            return;
        }
        self.keep_what_is_used();
        let steps = std::mem::take(&mut self.steps);
        (self.steps, self.gates) = without(steps, &self.gates, &self.out);
    }

    /// Drops the deletions that come after a dropped step: what that would have changed uses them still.
    ///
    /// Example: the alarm of a renamed name, which the health check asks until traffic can be handed over.
    fn keep_what_is_used(&mut self) {
        for id in order::of_steps(&self.steps) {
            let step = &self.steps[id];
            let waits =
                step.action == Action::Delete && step.needs.iter().any(|need| self.out.contains(need));
            if !waits || !self.out.insert(id) {
                continue;
            }
            let gone = step.id.as_deref().unwrap_or_default();
            let text = format!("`{gone}` is or may be in use, and what uses it is not changed now");
            let address = step.address.to_string();
            self.report.kept.push(Remark { address, text });
        }
    }
}
