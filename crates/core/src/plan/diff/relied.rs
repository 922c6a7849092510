//! What stays goes on using what it uses now, so that must not change under it.
//!
//! A replication rule that is kept for its data needs the role that allows it; a record that its
//! component cannot have yet is judged by the health checks that it names.

use std::collections::{BTreeMap, BTreeSet};

use super::Draft;
use crate::address::Address;
use crate::cloud::Found;
use crate::kind::{Action, DynKind, ShapeError};
use crate::observe::Look;
use crate::plan::Step;

impl Draft<'_> {
    /// Drops each update of what an object uses that stays as it is, with the other steps of its
    /// component, which would be done by half, and the steps that need them.
    pub(super) fn keep_what_stays_whole(&mut self) -> Result<(), ShapeError> {
        if self.stays.is_empty() {
            return Ok(());
        }
        let relied = self.relied()?;
        let mut halves = BTreeSet::new();
        for id in 0..self.steps.len() {
            let step = &self.steps[id];
            if step.action != Action::Update || is_named_anew(step) {
                continue;
            }
            let names = self.outputs.get(&step.address).into_iter().flat_map(BTreeMap::values);
            let Some(user) = names.chain(&step.id).find_map(|name| relied.get(name)) else { continue };
            let text = format!(
                "`{user}` uses it as it is, and stays: leave this component as it was, and give the new one a component of its own"
            );
            let address = step.address.clone();
            halves.insert(address.component());
            self.block(&address, text);
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

    /// Returns what the objects that stay refer to, directly or through others, each with the
    /// object that stays.
    fn relied(&self) -> Result<BTreeMap<String, String>, ShapeError> {
        let mut relied = BTreeMap::new();
        let by_name = self.live_by_name();
        let mut open: Vec<(&'static dyn DynKind, &Found, &str)> =
            self.stays.iter().map(|(kind, found)| (*kind, found, &*found.id)).collect();
        while let Some((kind, found, user)) = open.pop() {
            for link in kind.links(&found.live)? {
                if let Some(next) = by_name.get(&*link).filter(|_| !relied.contains_key(&link)) {
                    open.push((next.0, next.1, user));
                }
                relied.entry(link).or_insert_with(|| user.to_owned());
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
    step.changes.iter().all(crate::kind::FieldChange::is_of_address)
}
