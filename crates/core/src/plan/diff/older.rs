//! Older copies: data whose ids AWS chooses can exist twice, so a newer copy is created beside the
//! older one, which is kept.
//!
//! A rollout must neither wait for permission to delete data nor grant itself that permission.

use super::Draft;
use super::moved::Moved;
use crate::address::Address;
use crate::cloud::Found;
use crate::graph::Resource;
use crate::kind::{DynKind, KindRegistry, Lookup, Place, ShapeError};
use crate::observe::{Observed, Owned};
use crate::plan::{Remark, StepId};

/// A copy of data that a newer one beside it replaces.
pub(super) struct Older {
    kind: &'static dyn DynKind,
    place: Place,
    address: Address,
    found: Found,
    /// The step that creates the newer copy, if it does not exist yet.
    newer: Option<StepId>,
    /// True if it matches the stack too but is not the copy in use.
    is_twin: bool,
}

impl Older {
    /// Describes `found`, the copy of `resource` until the step `newer` is done.
    pub(super) fn of(
        kind: &'static dyn DynKind,
        resource: &Resource,
        found: &Found,
        newer: Option<StepId>,
    ) -> Self {
        let (address, found) = (resource.address.clone(), found.clone());
        Self { kind, place: resource.place, address, found, newer, is_twin: false }
    }

    /// Describes `found`, which matches `resource` while another copy is in use.
    pub(super) fn twin(kind: &'static dyn DynKind, resource: &Resource, found: &Found) -> Self {
        Self { is_twin: true, ..Self::of(kind, resource, found, None) }
    }
}

/// True for kinds of data of which an older copy can exist beside the newer one.
pub(super) fn keeps_older(kind: &dyn DynKind) -> bool {
    kind.role().holds_data() && kind.lookup() == Lookup::Tag
}

/// Returns the copies that exist beside those that were found first, each with the address that it
/// has after this plan.
pub(super) fn beside<'a>(
    seen: &'a Observed,
    kinds: &KindRegistry,
    moved: &Moved,
) -> Vec<(Address, &'a Found)> {
    let copies = seen.others.iter().filter(|it| kinds.get(it.kind).is_some_and(keeps_older));
    copies.map(|it| (moved.now(&it.address), &it.found)).collect()
}

impl Draft<'_> {
    /// Returns `spare` without the older copies of resources that exist; remembers those copies.
    pub(super) fn without_older<'b>(&mut self, spare: impl Iterator<Item = &'b Owned>) -> Vec<&'b Owned> {
        let mut rest = Vec::new();
        for owned in spare {
            match self.kinds.get(owned.kind) {
                Some(kind) if keeps_older(kind) && self.outputs.contains_key(&owned.address) => {
                    let Owned { place, address, found, .. } = owned.clone();
                    let newer = self.ready_by.get(&address).copied();
                    self.older.push(Older { kind, place, address, found, newer, is_twin: false });
                }
                _ => rest.push(owned),
            }
        }
        rest
    }

    /// Keeps each older copy, unless the operator named its address and no unchanged resource uses
    /// it.
    pub(super) fn settle_older(&mut self) -> Result<(), ShapeError> {
        for Older { kind, place, address, found, newer, is_twin } in std::mem::take(&mut self.older) {
            if !self.is_target(&address) || self.moved.hands_over(&found.id) {
                continue;
            }
            let is_used = self.held.contains(&found.id);
            if is_used || !self.may_delete(&address) {
                let text = match (is_used, is_twin) {
                    (true, _) => format!("`{}` is an older copy, and still in use", found.id),
                    (false, true) => format!(
                        "`{}` is another copy, and not in use: remove its tag `drstack:stack` where it is not the stack's; else \
                         delete it with `--delete-data {address}`",
                        found.id
                    ),
                    (false, false) => {
                        format!("`{}` is an older copy; delete it with `--delete-data {address}`", found.id)
                    }
                };
                self.report.kept.push(Remark { address: address.to_string(), text });
                continue;
            }
            let old = self.delete(kind, place, &address, &found, "a newer copy replaces it", true)?;
            if let Some(new) = newer {
                self.steps[new].replaces = true;
                self.steps[old].needs.push(new);
            }
        }
        Ok(())
    }
}
