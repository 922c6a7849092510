//! What a failover would begin with, where that is not what stands.

use drstack_core::bundle::Bundle;
use drstack_core::control::StoreError;
use drstack_core::control::published::bundle;

use crate::session::Session;

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
                "control bucket `{control}` does not exist: a failover needs `--without-control`, and these files"
            ),
            Err(error) => {
                return self.warn(&format!("warning: could not look for the bundle in `{control}`: {error}"));
            }
        };
        self.warn(&format!("warning: {why}; `drstack apply STACK` puts it in place"));
    }
}
