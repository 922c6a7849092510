//! What a failover would begin with, where that is not what stands.

use std::collections::BTreeSet;

use drstack_core::address::ComponentAddress;
use drstack_core::bundle::Bundle;
use drstack_core::compile::compile;
use drstack_core::control::StoreError;
use drstack_core::control::published::bundle;
use drstack_core::control::records;
use drstack_core::graph::Resource;
use drstack_core::objective::Mode;

use crate::session::Session;
use crate::text::listed;

impl Session {
    /// Warns if there is nothing that a failover could begin with but these files, since whoever starts
    /// it at three in the morning may not have them; or what there is is of other files, although they
    /// are in place.
    pub(crate) async fn warn_of_bundle(&self, is_in_place: bool) {
        let control = &self.stack.facts.control;
        let why = match bundle(&*self.store).await {
            Ok(Some(bytes)) => match Bundle::from_bytes(&bytes) {
                Ok(bundle) if !is_in_place || self.stack.resolve().differences(&bundle.stack).is_empty() => {
                    return;
                }
                Ok(bundle) => format!(
                    "the bundle in `{control}` is of other files, {:.0}, and a failover begins with those",
                    bundle.applied_at
                ),
                Err(error) => format!("the bundle in `{control}` cannot be used ({error})"),
            },
            Ok(None) => format!(
                "there is no bundle in `{control}`, and a failover from a machine without these files needs one"
            ),
            Err(StoreError::NoBucket { .. }) => format!(
                "control bucket `{control}` does not exist: a failover needs `--without-control`, and files that leave nothing of a pool to the primary (no `follows`)"
            ),
            Err(error) => {
                return self.warn(&format!("warning: could not look for the bundle in `{control}`: {error}"));
            }
        };
        self.warn(&format!("warning: {why}; `drstack apply STACK` puts it in place"));
    }
}

impl Session {
    /// Warns of what the primary had become by the last look at it, and no complete run has brought over: a
    /// failover starts what was applied.
    pub(crate) async fn warn_of_what_was_not_brought_over(&self) {
        let Some(alone) = self.alone.as_ref().filter(|_| !self.decisions.files_alone) else { return };
        let kept = match records::facts(&*self.store).await {
            Ok(kept) => kept,
            Err(error) => {
                let text =
                    "nobody knows whether the primary had changed since the last complete apply or sync";
                return self
                    .warn(&format!("warning: {text} ({error}): this failover starts what was applied"));
            }
        };
        let [applied, newer] =
            [&alone.facts, &kept.facts].map(|facts| compile(&self.stack, facts, Mode::Active).graph);
        let differs = |it: &&Resource| applied.resources.get(&it.address) != Some(*it);
        let changed = newer.resources.values().filter(differs).map(|it| it.address.component());
        let components: BTreeSet<ComponentAddress> = changed.collect();
        if kept.facts.answers.is_empty() || components.is_empty() {
            return;
        }
        let all: Vec<&ComponentAddress> = components.iter().collect();
        self.warn(&format!(
            "warning: the primary had changed since the last complete apply or sync, and that was not brought over: {}; this failover starts what was applied",
            listed(&all)
        ));
    }
}
