//! Looking before making again: a creation without a clear answer may have had its effect.
//!
//! AWS has no token for some creations, such as that of a VPC: each of them that is repeated makes
//! another one. An object with an id of AWS's choice is therefore looked for by its address first.
//! Capacity is not: it may take several calls to fill, and each of them looks for itself.

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::event::StepError;
use super::step::{Job, Meanwhile, shape};
use super::wait::Pauses;
use crate::cloud::{Cloud, CloudError, Owner};
use crate::kind::{Lookup, Wait};

impl Job {
    /// Returns what became of a creation that ended with `error`.
    ///
    /// # Errors
    /// The same error, if nobody could look, however often.
    pub(super) async fn made_meanwhile(
        &self,
        cloud: &dyn Cloud,
        spec: &Value,
        error: &CloudError,
    ) -> Result<Meanwhile, StepError> {
        let is_unclear = matches!(error, CloudError::Unreachable { .. } | CloudError::Other { .. });
        // A client that repeats a call by itself hears that what the first one made is in the way.
        // A conflict passes by itself.
        let is_refused = matches!(error, CloudError::Invalid { .. });
        let is_filled_later = self.kind.capacity().is_some();
        if self.kind.lookup() != Lookup::Tag || is_filled_later || !(is_unclear || is_refused) {
            return Ok(Meanwhile::AsSaid);
        }
        let is_unanswered = matches!(error, CloudError::Unreachable { .. });
        let (begin, mut pauses) = (Instant::now(), Pauses::of(Wait::SETTLE));
        loop {
            // Reads may lag behind the creation.
            let late = is_refused || begin.elapsed() > cloud.consistency();
            let all = cloud.list_owned(self.kind.name(), &self.scope, self.step.place, &[]).await;
            let (looked, all) = match all {
                Ok(all) => (true, all),
                Err(look) if look.is_transient() => (false, Vec::new()),
                Err(_) => return Err(error.clone().into()),
            };
            for found in all {
                // What a replacement replaces has the same address, and cannot become the new one.
                let is_its = found.owner == Owner::Ours(self.step.address.clone());
                let changes = self.kind.diff(spec, &found.live).map_err(|error| shape(&error))?;
                if is_its && !changes.iter().any(|change| change.replace) {
                    return Ok(Meanwhile::Made(found));
                }
            }
            if late && looked {
                return Ok(if is_unanswered { Meanwhile::NotMade } else { Meanwhile::AsSaid });
            }
            let Some(pause) = pauses.next() else { return Err(error.clone().into()) };
            sleep(pause).await;
        }
    }
}
