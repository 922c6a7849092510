//! Remarks on what is as it should be, or could not be looked at.

use super::Draft;
use crate::cloud::Found;
use crate::graph::Resource;
use crate::kind::{DynKind, Readiness, ShapeError};
use crate::observe::{Observed, Owned};
use crate::plan::{Intent, Remark};

impl Draft<'_> {
    pub(super) fn remark_waiting(&mut self, resource: &Resource, ready: Readiness) {
        let Some(text) = ready.lacks() else { return };
        self.unready.insert(resource.address.clone(), text.clone());
        self.report.waiting.push(Remark { address: resource.address.to_string(), text });
    }

    pub(super) fn remark_on_demand(
        &mut self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        found: &Found,
    ) -> Result<(), ShapeError> {
        let left = match kind.capacity() {
            Some(capacity) => capacity.left_on_demand(&resource.spec, &found.live)?,
            None => 0,
        };
        if left > 0 {
            let plural = if left == 1 { "" } else { "s" };
            let text = format!(
                "{left} instance{plural} still on-demand; Auto Scaling replaces them as spot becomes available"
            );
            self.report.notes.push(Remark { address: resource.address.to_string(), text });
        }
        Ok(())
    }

    /// Says of capacity that goes, and nothing in its place, how much of it is in service: other records than the
    /// stack's may lead users there.
    pub(super) fn name_what_serves(&mut self, kind: &dyn DynKind, owned: &Owned) -> Result<(), ShapeError> {
        let goes = match self.options.intent {
            Intent::Destroy => !self.options.targets.is_empty(),
            _ => self.moved.is_gone(&owned.address.component()),
        };
        let serving = kind.serving(&owned.found.live)?.unwrap_or(0);
        if goes && serving > 0 {
            let (are, end, them) = match serving {
                1 => ("instance is", "ends", "it"),
                _ => ("instances are", "end", "them"),
            };
            let text = format!(
                "{serving} {are} in service in `{}` and {end} with it: whoever is led to {them} gets no answer",
                owned.found.id
            );
            self.report.notes.push(Remark { address: owned.address.to_string(), text });
        }
        Ok(())
    }

    pub(super) fn say_unlisted(&mut self, seen: &Observed) {
        for (kind, place, error) in &seen.unlisted {
            let text = format!(
                "could not list what the stack owns in {}: {error}; {}",
                self.region(*place),
                error.hint()
            );
            self.wait_for(error.silent_region(), kind);
            self.report.blocked.push(Remark { address: (*kind).to_owned(), text });
        }
    }
}
