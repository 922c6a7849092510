//! Succession: what the stack no longer names is deleted only once its successor exists.

use std::collections::BTreeSet;

use super::Draft;
use crate::cloud::Found;
use crate::graph::Resource;
use crate::kind::{Action, DynKind, Place, Role, ShapeError};
use crate::link::KNOWN_LATER;
use crate::objective::Mode;
use crate::observe::{Look, Owned};
use crate::plan::{Intent, StepId};

/// Condition for deleting an object.
pub(super) enum Succession {
    /// Delete after these steps.
    After(Vec<StepId>),
    /// Keep it, for this reason.
    Stays(String),
}

impl Draft<'_> {
    /// Returns the condition for deleting each of `owned`.
    pub(super) fn succession(&self, owned: &[&Owned]) -> Result<Vec<Succession>, ShapeError> {
        let data = self.data_that_stays(owned);
        let of = |it: &&Owned| match self.kinds.get(it.kind) {
            Some(kind) if self.options.intent != Intent::Destroy => self.succession_of(kind, it, &data),
            _ => Ok(Succession::After(Vec::new())),
        };
        owned.iter().map(of).collect()
    }

    /// Returns the names of the data that exists after this plan.
    fn data_that_stays(&self, owned: &[&Owned]) -> BTreeSet<String> {
        let wanted = self.want.resources.iter().filter(|(_, it)| self.holds_data(&it.kind));
        let wanted = wanted.filter_map(|(address, it)| match self.seen.seen.get(address) {
            Some(Look::Present(Found { id, .. })) => Some(id.clone()),
            _ => it.name.clone(),
        });
        let kept = owned.iter().filter(|it| self.holds_data(it.kind) && !self.may_delete(&it.address));
        wanted.chain(kept.map(|it| it.found.id.clone())).collect()
    }

    fn succession_of(
        &self,
        kind: &'static dyn DynKind,
        owned: &Owned,
        data: &BTreeSet<String>,
    ) -> Result<Succession, ShapeError> {
        let feeds = match kind.role() {
            Role::Feed => kind.links(&owned.found.live)?.into_iter().find(|link| data.contains(link)),
            _ => None,
        };
        let serves = kind.serving(&owned.found.live)?.is_some_and(|serving| serving > 0);
        let (mut steps, mut fed) = (Vec::new(), false);
        // Where two components exchange what they feed, another one feeds the data from then on.
        let feeds_too = |it: &&Resource| feeds.is_some() && it.kind == owned.kind && it.place == owned.place;
        let candidates = self.want.resources.values();
        for resource in candidates.filter(|it| self.succeeds(it, owned) || feeds_too(it)) {
            // An object that only got another name or id within its component waits only if it
            // serves or feeds data meanwhile.
            if resource.address == owned.address && feeds.is_none() && !serves {
                continue;
            }
            let address = &resource.address;
            if let Some(data) = &feeds {
                if !feeds_the_same(kind, resource, data)? {
                    continue;
                }
                fed = true;
            }
            if self.blocked.contains(address) {
                return Ok(Succession::Stays(format!("`{}` goes once {address} is there", owned.found.id)));
            }
            let not_ready = self.not_ready.contains(address);
            match self.ready_by.get(address) {
                Some(step) if not_ready || self.steps[*step].action == Action::Create => steps.push(*step),
                None if not_ready && (serves || feeds.is_some()) => {
                    return Ok(Succession::Stays(format!(
                        "`{}` goes once {address} is ready",
                        owned.found.id
                    )));
                }
                _ => {}
            }
        }
        Ok(match feeds {
            Some(data) if !fed => Succession::Stays(format!("it feeds `{data}`, which stays")),
            _ => Succession::After(steps),
        })
    }

    /// Moves traffic by a renamed switch before anything relies on the new switch alone.
    ///
    /// Applies while traffic is on the standby region (mode active).
    pub(super) fn moves_traffic_first(&mut self) {
        if self.options.mode != Mode::Active {
            return;
        }
        for switch in 0..self.steps.len() {
            let step = &self.steps[switch];
            let component = step.address.component();
            let switches = self.kinds.get(&step.kind).is_some_and(|kind| kind.traffic().is_some());
            if !switches || step.place != Place::Standby || !self.moved.is_renamed(&component) {
                continue;
            }
            let before = self.before(switch);
            for (id, step) in self.steps.iter_mut().enumerate() {
                let heeds = step.action == Action::Update && step.place != Place::Standby;
                if heeds && step.address.component() == component && !before.contains(&id) {
                    step.needs.push(switch);
                }
            }
        }
    }

    /// Returns all steps, direct or not, that must have ended before this one starts.
    fn before(&self, id: StepId) -> BTreeSet<StepId> {
        let mut all = BTreeSet::new();
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            open.extend(self.steps[id].before().filter(|it| all.insert(*it)));
        }
        all
    }

    /// True if `resource` takes the place of `owned`.
    pub(super) fn succeeds(&self, resource: &Resource, owned: &Owned) -> bool {
        let is_same_sort = resource.kind == owned.kind && resource.place == owned.place;
        is_same_sort
            && (resource.address == owned.address
                || self.moved.may_succeed(&owned.address, &resource.address))
    }

    /// Keeps those of `owned` that a kept one refers to, and those that carry traffic for a kept one.
    pub(super) fn stay_with(&self, owned: &[&Owned], all: &mut [Succession]) -> Result<(), ShapeError> {
        let stays = |it: &Succession| matches!(it, Succession::Stays(_));
        let mut open: Vec<usize> = (0..all.len()).filter(|at| stays(&all[*at])).collect();
        while let Some(at) = open.pop() {
            let Some(kind) = self.kinds.get(owned[at].kind) else { continue };
            let links = kind.links(&owned[at].found.live)?;
            let (id, is_carrier) =
                (&owned[at].found.id, kind.carried(&owned[at].found.live).next().is_some());
            for (other, it) in owned.iter().enumerate().filter(|(other, _)| *other != at) {
                let Some(kind) = self.kinds.get(it.kind) else { continue };
                let mut names = kind.outputs(&it.found.id, &it.found.live)?.into_values();
                if stays(&all[other]) {
                    continue;
                }
                let carries = kind.carried(&it.found.live).any(|carried| carried == id);
                if carries || is_carrier && kind.links(&it.found.live)?.contains(id) {
                    let why = format!("`{}` carries traffic of what stays: `{id}`", it.found.id);
                    all[other] = Succession::Stays(why);
                    open.push(other);
                } else if names.any(|name| links.contains(&name)) {
                    let why = format!("`{}` is held on to by `{}`", it.found.id, owned[at].found.id);
                    all[other] = Succession::Stays(why);
                    open.push(other);
                }
            }
        }
        Ok(())
    }
}

/// True if `resource`, once created, feeds the data of this name.
fn feeds_the_same(kind: &'static dyn DynKind, resource: &Resource, data: &str) -> Result<bool, ShapeError> {
    let live = kind.expect(&resource.spec, resource.name.as_deref().unwrap_or(KNOWN_LATER))?;
    Ok(kind.links(&live)?.iter().any(|link| link == data))
}
