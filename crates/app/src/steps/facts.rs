//! The last captured facts, also where their record is damaged.

use drstack_core::bundle::Bundle;
use drstack_core::control::StoreError;
use drstack_core::control::published::bundle;
use drstack_core::control::records::{self, Kept};
use drstack_core::facts::Facts;

use crate::failure::{Failure, store_failure};
use crate::session::Session;

impl Session {
    /// Returns the facts that the last apply kept; those of its bundle, with a warning, if their record
    /// is damaged.
    ///
    /// # Errors
    /// Returns an error if neither can be read: facts that are lost are no facts that never were.
    pub(crate) async fn kept_facts(&self) -> Result<Kept, Failure> {
        let failed = |error: StoreError| store_failure(&error);
        let damaged = match records::facts(&*self.store).await {
            Err(damaged @ StoreError::Broken { .. }) => damaged,
            other => return other.map_err(failed),
        };
        let Some(bytes) = bundle(&*self.store).await.map_err(failed)? else {
            // No apply was ever complete: nothing rests on the old answers.
            self.warn(&format!(
                "warning: {damaged}, and there is no bundle: it counts for nothing; the primary is asked anew by all but a failover, and the next apply stores what it says"
            ));
            let of = self.stack.facts.clone();
            return records::in_place_of_damaged(&*self.store, Facts::default(), of).await.map_err(failed);
        };
        let Ok(applied) = Bundle::from_bytes(&bytes) else { return Err(failed(damaged)) };
        self.warn(&format!(
            "warning: {damaged}: what the bundle has of it counts, and the next apply stores it anew"
        ));
        records::in_place_of_damaged(&*self.store, applied.facts, applied.stack.facts).await.map_err(failed)
    }
}
