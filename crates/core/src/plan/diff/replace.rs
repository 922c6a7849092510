//! Replacement of what cannot be changed in place, and recovery from interrupted replacements.

use serde_json::Value;

use super::older::{Older, keeps_older};
use super::{Draft, Spare, Stays, token};
use crate::address::Address;
use crate::cloud::Found;
use crate::graph::Resource;
use crate::kind::{Action, Compared, DynKind, FieldChange, Lookup, Readiness, ShapeError};
use crate::objective::Mode;
use crate::observe::Owned;
use crate::plan::{Intent, Remark, fields};

/// Field that says of a copy that it will never be one.
const FAILED: &str = "state";

impl Draft<'_> {
    /// Adds the two steps of a replacement.
    ///
    /// Objects whose ids AWS chooses can exist twice, so the new one is created first and the old
    /// one deleted last; a name cannot exist twice. If both hold data, [`super::older`] decides
    /// about the old one.
    pub(super) fn replace(
        &mut self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        found: &Found,
        changes: Vec<FieldChange>,
    ) -> Result<(), ShapeError> {
        let failed = changes.iter().find(|it| it.field == FAILED).and_then(|it| it.from.as_str());
        let reason = match failed {
            Some(text) => text.to_owned(),
            None => fields(&changes, ["cannot be changed in place"; 2]),
        };
        let beside = keeps_older(kind);
        if kind.role().holds_data() && !beside && !self.may_delete(&resource.address) {
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
        let new =
            self.push(kind, resource, Action::Create, reason.clone(), changes, resource.name.clone())?;
        // A spec with open links can be equal for old and new; their creation tokens must differ.
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

    /// Adds the change that makes a copy again which will never be one: while the primary serves, an apply
    /// must not end as if it were there.
    pub(super) fn with_failure(&self, kind: &'static dyn DynKind, mut compared: Compared) -> Compared {
        let is_standing_by = (self.options.intent, self.options.mode) == (Intent::Converge, Mode::Standby);
        if let Readiness::Failed(text) = &compared.ready
            && is_standing_by
            && kind.role().holds_data()
        {
            compared.changes.extend(FieldChange::replacing(FAILED, &text.as_str(), &"whole"));
        }
        compared
    }

    /// Creates `resource` once the data that stands for `of` is deleted, if the operator allows that.
    pub(super) fn instead_of(
        &mut self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        (found, of): (&Found, &Address),
        in_scope: bool,
    ) -> Result<(), ShapeError> {
        if !self.may_delete(of) {
            self.stays.push(Stays { kind, found: found.clone(), is_blocked: true });
            self.kept_data.insert(of.component().to_string());
            let text = format!(
                "`{}` stands for {of}, and making this in its place deletes data; allow it with `--delete-data {}`",
                found.id,
                of.typed()
            );
            self.block(&resource.address, text);
            return Ok(());
        }
        let made = self.steps.len();
        self.create(kind, resource, in_scope, "another posture's goes before it")?;
        if self.steps.len() > made {
            let reason = "its component needs none in this posture and mode";
            let old = self.delete(kind, resource.place, of, found, reason, false)?;
            self.steps[made].needs.push(old);
        }
        Ok(())
    }

    /// Returns the current object and its comparison, chosen from `found` and its twins.
    ///
    /// There are several if a replacement was interrupted or kept the older copy; the one that
    /// needs no replacement wins. `None` if more than one qualifies.
    pub(super) fn better_twin<'b>(
        &mut self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        found: &'b Found,
        in_scope: bool,
        spare: &mut Spare<'b>,
    ) -> Result<Option<(&'b Found, Compared)>, ShapeError> {
        let compared = self.compare(kind, resource, found)?;
        let is_older = must_be_replaced(&compared);
        let key = (resource.address.clone(), kind.name());
        // A name identifies exactly one object.
        if resource.name.is_some() {
            return Ok(Some((found, compared)));
        }
        if keeps_older(kind) && !is_older {
            // Search for users only if there is a choice, since it scans everything that was
            // observed.
            let twins = spare.by_address.get(&key).filter(|twins| !twins.is_empty());
            let used = match twins {
                Some(_) if !self.is_in_use(kind, found)? => self.used_twin(kind, resource, twins)?,
                _ => None,
            };
            let Some((at, compared)) = used else { return Ok(Some((found, compared))) };
            self.older.push(Older::twin(kind, resource, found));
            let twin = spare.by_address.get_mut(&key).map(|twins| twins.remove(at));
            return Ok(Some((twin.map_or(found, |twin| &twin.found), compared)));
        }
        let twins = spare.by_address.remove(&key).unwrap_or_default();
        let (mut alike, mut rest) = (Vec::new(), Vec::new());
        for twin in twins {
            let others = self.compare(kind, resource, &twin.found)?;
            let taken = keeps_older(kind) && !alike.is_empty();
            match must_be_replaced(&others) || taken {
                true => rest.push(twin),
                false => alike.push((&twin.found, others)),
            }
        }
        spare.by_address.insert(key, rest);
        let before = if is_older { None } else { Some((found, compared.clone())) };
        let candidates: Vec<_> = before.into_iter().chain(alike).collect();
        if candidates.is_empty() {
            return Ok(Some((found, compared)));
        }
        let one = self.only_one_in_use(kind, resource, candidates)?;
        if let (true, Some((_, newer))) = (is_older, &one) {
            if keeps_older(kind) {
                self.older.push(Older::of(kind, resource, found, None));
            } else if in_scope && !self.fails_over() {
                self.retire(kind, resource, found, &newer.ready)?;
            }
        }
        Ok(one)
    }

    /// Returns the index of the first of `twins` that matches `resource` and is in use.
    fn used_twin(
        &self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        twins: Option<&Vec<&Owned>>,
    ) -> Result<Option<(usize, Compared)>, ShapeError> {
        for (at, twin) in twins.into_iter().flatten().enumerate() {
            let compared = self.compare(kind, resource, &twin.found)?;
            if !must_be_replaced(&compared) && self.is_in_use(kind, &twin.found)? {
                return Ok(Some((at, compared)));
            }
        }
        Ok(None)
    }

    /// Deletes a replaced object, or keeps it while it serves and its replacement is not ready.
    fn retire(
        &mut self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        old: &Found,
        newer: &Readiness,
    ) -> Result<(), ShapeError> {
        let serves = kind.serving(&old.live)?.is_some_and(|serving| serving > 0);
        if serves && *newer != Readiness::Ready {
            let text = format!("`{}` serves until what replaces it is ready", old.id);
            self.held.extend(kind.links(&old.live)?);
            self.report.kept.push(Remark { address: resource.address.to_string(), text });
            return Ok(());
        }
        self.delete(kind, resource.place, &resource.address, old, "it was replaced", true).map(drop)
    }
}

fn must_be_replaced(compared: &Compared) -> bool {
    compared.changes.iter().any(|change| change.replace)
}
