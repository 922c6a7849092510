//! Failing over and a failback: what is different when the primary is dead, or just back.
//!
//! A failover calls nothing outside the standby region, replaces nothing and takes nothing away; what is not as it should be
//! and cannot be mended under these rules stays as it is, and is said.

use std::collections::BTreeMap;

use super::Draft;
use super::older::keeps_older;
use crate::address::Address;
use crate::cloud::Found;
use crate::graph::Resource;
use crate::kind::{Action, DataRole, DynKind, Readiness, ShapeError};
use crate::objective::Mode;
use crate::plan::stability::violation;
use crate::plan::{Intent, Remark, order};

impl Draft<'_> {
    /// True while failing over.
    pub(super) fn fails_over(&self) -> bool {
        self.options.intent.fails_over()
    }

    /// Whether `kind` moves traffic in a failover that has both regions, before the switch does for good.
    pub(super) fn moves_by_shares(&self, kind: &'static dyn DynKind) -> bool {
        self.options.intent == Intent::Planned && kind.after_failover() && kind.switches_traffic()
    }

    /// Something outside the standby region: the last apply left a record of it, which is taken as it is.
    pub(super) fn elsewhere(
        &mut self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        found: Option<&Found>,
    ) -> Result<(), ShapeError> {
        let address = resource.address.clone();
        let Some(found) = found else {
            let text = "it was not there when the primary was last seen".to_owned();
            self.report.notes.push(Remark { address: address.to_string(), text });
            self.blocked.insert(address);
            return Ok(());
        };
        self.outputs.insert(address, kind.outputs(&found.id, &found.live)?);
        self.report.unchanged += 1;
        Ok(())
    }

    /// Whether it is data that the standby region serves: nobody replaces that without being told to.
    pub(super) fn serves_data(&self, kind: &'static dyn DynKind, resource: &Resource) -> bool {
        self.options.mode == Mode::Active
            && kind.data() == DataRole::Holds
            && !keeps_older(kind)
            && !self.may_delete(&resource.address)
    }

    /// Whether what has the name of `resource` is data of the same component, and serves as well: a table that another posture has
    /// left there.
    pub(super) fn serves_in_its_place(
        &self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        of: &Address,
    ) -> bool {
        of.component() == resource.address.component() && self.serves_data(kind, resource)
    }

    /// What is not mended, since mending it would mean to replace it.
    pub(super) fn leaves_as_it_is(&mut self, resource: &Resource, fields: &str) {
        let text = match self.fails_over() {
            true => format!("{fields}; it stays as it is: a failover replaces nothing"),
            false => format!("{fields}; it stays as it is: it holds what the standby region serves"),
        };
        self.report.notes.push(Remark { address: resource.address.to_string(), text });
    }

    /// Why something that is as wanted has to be pushed once more: what it runs is not there, or more than that may be.
    pub(super) fn reason_beside_differences(
        &self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        ready: &Readiness,
    ) -> Result<Option<&'static str>, ShapeError> {
        let lacks = self.fails_over() && *ready != Readiness::Ready;
        if lacks && kind.demand(&resource.spec)?.is_some() {
            return Ok(Some("not all of its instances serve"));
        }
        let fails_back = self.options.intent == Intent::Failback;
        let may_leave = fails_back && kind.may_leave_unseen(&resource.spec)?;
        Ok(may_leave.then_some("a failover may have left instances beside it"))
    }

    /// Takes out the steps that a failover may not make; each is said.
    pub(super) fn refuse_violations(&mut self) {
        for (id, step) in self.steps.iter().enumerate() {
            let kind = self.kinds.get(&step.kind).filter(|_| step.action == Action::Update);
            let moves = kind.is_some_and(|kind| self.moves_by_shares(kind));
            if let Some(Remark { address, text }) = violation(step, self.kinds).filter(|_| !moves) {
                self.out.insert(id);
                self.blocked.insert(step.address.clone());
                let text = format!("{text}; run `drstack apply` while the primary answers");
                self.report.blocked.push(Remark { address, text });
            }
        }
        self.spread();
    }

    /// What needs a step that is not made is not made either.
    pub(super) fn spread(&mut self) {
        for id in order::of_steps(&self.steps) {
            if self.steps[id].needs.iter().any(|need| self.out.contains(need)) && self.out.insert(id) {
                self.blocked.insert(self.steps[id].address.clone());
            }
        }
    }

    /// Forgets the steps that are not made.
    pub(super) fn leave_out(&mut self) {
        if self.out.is_empty() {
            return;
        }
        let mut renamed = BTreeMap::new();
        let mut kept = Vec::new();
        for (id, step) in std::mem::take(&mut self.steps).into_iter().enumerate() {
            if !self.out.contains(&id) {
                renamed.insert(id, kept.len());
                kept.push(step);
            }
        }
        for step in &mut kept {
            step.needs = step.needs.iter().filter_map(|need| renamed.get(need).copied()).collect();
        }
        self.steps = kept;
        self.gates =
            self.gates.iter().map(|gate| gate.renumbered(|old| renamed.get(&old).copied())).collect();
        self.gates.retain(|gate| !gate.holds.is_empty() && gate.before().next().is_some());
    }
}
