//! What stays goes on using what it uses now, so that must not change under it.
//!
//! A replication rule that is kept for its data needs the role that allows it; a record that its
//! component cannot have yet is judged by the health checks that it names.

use std::collections::{BTreeMap, BTreeSet};

use super::Draft;
use crate::address::Address;
use crate::cloud::Found;
use crate::kind::{Action, DynKind, FieldChange, Lookup, Role, ShapeError};
use crate::observe::Look;
use crate::plan::{Remark, Step, StepId};

/// An object of the stack that stays as it is.
pub(super) struct Stays {
    pub(super) kind: &'static dyn DynKind,
    pub(super) found: Found,
    /// True if a desired resource cannot have it, or what it feeds; false if it is kept.
    pub(super) is_blocked: bool,
}

/// An object that a step deletes.
#[derive(Default)]
struct Half {
    /// Names that others refer to it by.
    names: BTreeSet<String>,
    /// Names that it refers to.
    links: BTreeSet<String>,
    /// What it carries traffic for.
    carries: BTreeSet<String>,
}

impl Draft<'_> {
    /// Drops each update of what a blocked object uses, with the other steps of its component,
    /// which would be done by half, and the steps that need them. Says what an update ends that
    /// feeds data which is kept.
    pub(super) fn keep_what_stays_whole(&mut self) -> Result<(), ShapeError> {
        let mut stays = std::mem::take(&mut self.stays);
        if stays.is_empty() {
            return Ok(());
        }
        let blocked: BTreeSet<String> =
            stays.iter().filter(|it| it.is_blocked).map(|it| it.found.id.clone()).collect();
        for it in &mut stays {
            it.is_blocked |= it.kind.links(&it.found.live)?.iter().any(|link| blocked.contains(link));
        }
        self.keep_old_halves(&stays)?;
        stays.retain(|it| it.is_blocked || it.kind.role() == Role::Feed);
        let relied = self.relied(&stays)?;
        let mut halves = BTreeSet::new();
        for id in 0..self.steps.len() {
            let step = &self.steps[id];
            if step.action != Action::Update || is_named_anew(step) {
                continue;
            }
            let names = self.outputs.get(&step.address).into_iter().flat_map(BTreeMap::values);
            let Some(user) = names.chain(&step.id).find_map(|name| relied.get(name)) else { continue };
            let (address, by) = (step.address.clone(), &user.found.id);
            if user.is_blocked {
                halves.insert(address.component());
                self.block(
                    &address,
                    format!("`{by}` uses it as it is; this component changes once that has gone"),
                );
            } else {
                let text = format!(
                    "`{by}` relies on it, stays, and no longer works after this change: what it feeds is kept as it is now; to keep \
                     both in step, leave this component as it was, and give the new source one of its own"
                );
                self.report.notes.push(Remark { address: address.to_string(), text });
            }
        }
        for (id, step) in self.steps.iter().enumerate() {
            if halves.contains(&step.address.component()) {
                self.out.insert(id);
                self.blocked.insert(step.address.clone());
            }
        }
        self.spread();
        Ok(())
    }

    /// Keeps what something that stays holds on to, and what carries its traffic: the new one is
    /// made beside it, and the old one goes with its user.
    fn keep_old_halves(&mut self, stays: &[Stays]) -> Result<(), ShapeError> {
        let mut halves: BTreeMap<StepId, Half> = BTreeMap::new();
        for (name, steps) in &self.deletes {
            // One that is named must go before the new one can have its name.
            let is_old = |step: &Step| {
                let kind = self.kinds.get(&step.kind);
                !step.replaces || kind.is_some_and(|kind| kind.lookup() == Lookup::Tag)
            };
            for id in steps.iter().filter(|id| is_old(&self.steps[**id])) {
                halves.entry(*id).or_default().names.insert(name.clone());
            }
        }
        for (id, links) in &self.holders {
            halves.entry(*id).and_modify(|half| half.links.extend(links.iter().cloned()));
        }
        for (id, carried) in &self.carried {
            halves.entry(*id).and_modify(|half| half.carries.extend(carried.iter().cloned()));
        }
        let mut held = BTreeSet::new();
        for it in stays {
            held.extend(it.kind.links(&it.found.live)?);
        }
        let mut ways = BTreeSet::new();
        loop {
            let stays = |half: &Half| {
                let carries = !half.carries.is_disjoint(&held);
                carries || !half.names.is_disjoint(&held) || !half.links.is_disjoint(&ways)
            };
            let more: Vec<StepId> =
                halves.iter().filter(|(_, half)| stays(half)).map(|(id, _)| *id).collect();
            if more.is_empty() {
                return Ok(());
            }
            for id in more {
                let Some(Half { names, links, carries }) = halves.remove(&id) else { continue };
                held.extend(links);
                if !carries.is_empty() {
                    ways.extend(names);
                }
                self.out.insert(id);
                let (address, id) = (&self.steps[id].address, self.steps[id].id.as_deref());
                let text = format!("`{}` stays: what is kept uses it", id.unwrap_or_default());
                self.report.kept.push(Remark { address: address.to_string(), text });
            }
        }
    }

    /// Returns what the objects that stay refer to, directly or through others, each with the
    /// object that stays.
    fn relied<'s>(&self, stays: &'s [Stays]) -> Result<BTreeMap<String, &'s Stays>, ShapeError> {
        let mut relied = BTreeMap::new();
        let by_name = self.live_by_name();
        let mut open: Vec<(&'static dyn DynKind, &Found, &Stays)> =
            stays.iter().map(|it| (it.kind, &it.found, it)).collect();
        while let Some((kind, found, user)) = open.pop() {
            for link in kind.links(&found.live)? {
                if let Some(next) = by_name.get(&*link).filter(|_| !relied.contains_key(&link)) {
                    open.push((next.0, next.1, user));
                }
                relied.entry(link).or_insert(user);
            }
        }
        Ok(relied)
    }

    /// Returns the live objects of desired resources by each name that others refer to them by.
    fn live_by_name(&self) -> BTreeMap<&str, (&'static dyn DynKind, &Found)> {
        let mut all = BTreeMap::new();
        for (address, outputs) in &self.outputs {
            let Some((kind, found)) = self.live(address) else { continue };
            all.insert(&*found.id, (kind, found));
            all.extend(outputs.values().map(|name| (&**name, (kind, found))));
        }
        all
    }

    fn live(&self, address: &Address) -> Option<(&'static dyn DynKind, &Found)> {
        let kind = self.kinds.get(&self.want.resources.get(address)?.kind)?;
        match self.moved.look(address).or_else(|| self.seen.seen.get(address))? {
            Look::Present(found) => Some((kind, found)),
            Look::Absent | Look::Unknown(_) => None,
        }
    }
}

/// True if a step changes nothing but the address in an object's tags.
fn is_named_anew(step: &Step) -> bool {
    step.changes.iter().all(FieldChange::is_of_address)
}
