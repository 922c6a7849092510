//! Remarks on what is as it should be, or could not be looked at.

use super::Draft;
use crate::cloud::Found;
use crate::graph::Resource;
use crate::kind::{DynKind, Readiness, ShapeError};
use crate::observe::Observed;
use crate::plan::Remark;

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
