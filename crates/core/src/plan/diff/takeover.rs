//! Taking over and handing back: what is different when the primary is dead, or just back.
//!
//! A takeover calls nothing outside the standby region, replaces nothing and takes nothing away; what is not as it should be
//! and cannot be mended under these rules stays as it is, and is said.

use std::collections::BTreeMap;

use super::Draft;
use super::older::keeps_older;
use crate::address::Address;
use crate::cloud::Found;
use crate::graph::Resource;
use crate::kind::{Action, DataRole, DynKind, Place, Readiness, ShapeError};
use crate::objective::Mode;
use crate::plan::stability::violation;
use crate::plan::{Intent, Remark, Step, StepId};

impl Draft<'_> {
    /// True while taking over.
    pub(super) fn takes_over(&self) -> bool {
        self.options.intent.takes_over()
    }

    /// Whether `kind` moves traffic in a takeover that has both regions, before the switch does for good.
    pub(super) fn moves_by_shares(&self, kind: &'static dyn DynKind) -> bool {
        self.options.intent == Intent::Planned && kind.after_takeover() && kind.switches_traffic()
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
        let text = match self.takes_over() {
            true => format!("{fields}; it stays as it is: a takeover replaces nothing"),
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
        let lacks = self.takes_over() && *ready != Readiness::Ready;
        if lacks && kind.demand(&resource.spec)?.is_some() {
            return Ok(Some("not all of its instances serve"));
        }
        let hands_back = self.options.intent == Intent::Failback;
        let may_leave = hands_back && kind.may_leave_unseen(&resource.spec)?;
        Ok(may_leave.then_some("a takeover may have left instances beside it"))
    }

    /// Takes out the steps that a takeover may not make, with what needs them; each is said.
    pub(super) fn refuse_violations(&mut self) {
        // Steps stand after what they need: one way through them finds all that goes.
        let mut out: Vec<bool> = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let kind = self.kinds.get(&step.kind).filter(|_| step.action == Action::Update);
            let moves = kind.is_some_and(|kind| self.moves_by_shares(kind));
            let found = violation(step, self.kinds).filter(|_| !moves);
            out.push(found.is_some() || step.needs.iter().any(|need| out[*need]));
            if let Some(Remark { address, text }) = found {
                let text = format!("{text}; run `drstack apply` while the primary answers");
                self.report.blocked.push(Remark { address, text });
            }
        }
        let mut renamed = BTreeMap::new();
        let mut kept = Vec::new();
        for (id, step) in std::mem::take(&mut self.steps).into_iter().enumerate() {
            if !out[id] {
                renamed.insert(id, kept.len());
                kept.push(step);
            }
        }
        for step in &mut kept {
            step.needs = step.needs.iter().filter_map(|need| renamed.get(need).copied()).collect();
        }
        self.steps = kept;
    }

    /// Waves: what launches instances for a tier starts once all that launches for the tiers before has ended. Regions run out
    /// of capacity on such days, and the first tier is the one that must have it.
    pub(super) fn in_waves(&mut self) -> Result<(), ShapeError> {
        let mut launching: BTreeMap<u8, Vec<StepId>> = BTreeMap::new();
        for (id, step) in self.steps.iter().enumerate() {
            let Some(kind) = self.kinds.get(&step.kind) else { continue };
            if step.action != Action::Delete
                && step.place == Place::Standby
                && kind.demand(&step.spec)?.is_some()
            {
                launching.entry(step.tier).or_default().push(id);
            }
        }
        let mut before: Vec<StepId> = Vec::new();
        for wave in launching.into_values() {
            for id in &wave {
                self.steps[*id].after = before.clone();
            }
            // The wave before the last one ended before the last one began.
            before = wave;
        }
        Ok(())
    }

    /// Handing back: what moved traffic lets go first, and only then what served shrinks or goes. The edges between changes turn
    /// round.
    pub(super) fn let_go_before_shrinking(&mut self) -> Result<(), ShapeError> {
        let switches = |step: &Step| self.kinds.get(&step.kind).is_some_and(|kind| kind.switches_traffic());
        let of_traffic = |(_, step): &(StepId, &Step)| step.action == Action::Update && switches(step);
        let traffic: Vec<StepId> =
            self.steps.iter().enumerate().filter(of_traffic).map(|(id, _)| id).collect();
        // What was put on the primary after the takeover is lifted before anybody is sent there.
        let lifts = |step: &Step| {
            let kind = self.kinds.get(&step.kind);
            kind.is_some_and(|kind| kind.after_takeover() && !kind.switches_traffic())
        };
        let lifted: Vec<StepId> =
            self.steps.iter().enumerate().filter(|(_, step)| lifts(step)).map(|(id, _)| id).collect();
        for id in &traffic {
            self.steps[*id].needs.extend(lifted.iter().copied());
        }
        for step in self.steps.iter_mut().filter(|step| step.action == Action::Delete) {
            step.needs.extend(traffic.iter().copied());
            step.needs.sort_unstable();
            step.needs.dedup();
        }
        for id in 0..self.steps.len() {
            for need in self.steps[id].needs.clone() {
                let both = [id, need].iter().all(|it| self.steps[*it].action == Action::Update);
                let Some(kind) = self.kinds.get(&self.steps[need].kind) else { continue };
                if both && kind.demand(&self.steps[need].spec)?.is_some() {
                    self.steps[id].needs.retain(|it| *it != need);
                    self.steps[need].needs.push(id);
                }
            }
        }
        Ok(())
    }
}
