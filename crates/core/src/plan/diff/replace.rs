//! Replacing what cannot be changed in place, and what an interrupted replacement has left.

use serde_json::Value;

use super::older::{Older, keeps_older};
use super::{Draft, Spare, fields, token};
use crate::cloud::Found;
use crate::graph::Resource;
use crate::kind::{Action, Compared, DataRole, DynKind, FieldChange, Lookup, ShapeError};

impl Draft<'_> {
    /// Two steps. What AWS names can stand twice, so the new one comes first and the old one goes last; a name cannot.
    /// Where both hold data the old one is a matter of its own: see [`super::older`].
    pub(super) fn replace(
        &mut self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        found: &Found,
        changes: Vec<FieldChange>,
    ) -> Result<(), ShapeError> {
        let reason = fields(&changes, ["cannot be changed in place"; 2]);
        let beside = keeps_older(kind);
        if kind.data() == DataRole::Holds && !beside && !self.may_delete(&resource.address) {
            self.held.extend(kind.links(&found.live)?);
            let text = format!(
                "{reason}, and replacing it deletes data; allow it with `--delete-data {}`",
                resource.address.typed()
            );
            self.block(&resource.address, text);
            return Ok(());
        }
        if self.waits_for_blocked(resource) {
            self.held.extend(kind.links(&found.live)?);
            return Ok(());
        }
        let new = self.push(kind, resource, Action::Create, reason.clone(), changes, resource.name.clone());
        // A spec with open links can be the same for old and new; their creations must not be.
        let made_anew = Value::from(vec![resource.spec.to_string(), found.id.clone()]);
        self.steps[new].token = token(&self.stack.name, &resource.address, Action::Create, &made_anew);
        if beside {
            self.older.push(Older::of(kind, resource, found, Some(new)));
        } else {
            let old = self.delete(kind, resource.place, &resource.address, found, &reason, true)?;
            self.steps[new].replaces = true;
            match kind.lookup() {
                Lookup::Name => self.steps[new].needs.push(old),
                Lookup::Tag => self.steps[old].needs.push(new),
            }
        }
        self.ready_by.insert(resource.address.clone(), new);
        self.unsure.insert(resource.address.clone(), None);
        Ok(())
    }

    /// `found` and what it says; where there are two (a replacement was interrupted, or kept the older copy), the one
    /// that needs no other.
    pub(super) fn better_twin<'b>(
        &mut self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        found: &'b Found,
        in_scope: bool,
        spare: &mut Spare<'b>,
    ) -> Result<(&'b Found, Compared), ShapeError> {
        let compared = self.compare(kind, resource, found)?;
        if !compared.changes.iter().any(|change| change.replace) {
            return Ok((found, compared));
        }
        let Some(twins) = spare.by_address.get_mut(&(resource.address.clone(), kind.name())) else {
            return Ok((found, compared));
        };
        for at in 0..twins.len() {
            let twin = &twins[at].found;
            let others = self.compare(kind, resource, twin)?;
            if !others.changes.iter().any(|change| change.replace) {
                twins.remove(at);
                if keeps_older(kind) {
                    self.older.push(Older::of(kind, resource, found, None));
                } else if in_scope && !self.takes_over() {
                    self.delete(kind, resource.place, &resource.address, found, "it was replaced", true)?;
                }
                return Ok((twin, others));
            }
        }
        Ok((found, compared))
    }
}
