//! Launches of a step within the account's budget: if it is short, capacity is raised in parts.

use serde_json::Value;

use super::event::StepError;
use super::step::{Job, shape};
use super::wait::Pauses;
use crate::budget::PER_SECOND;
use crate::cloud::{Call, Cloud, CloudError};
use crate::kind::Wait;

impl Job {
    /// Returns how many instances `spec` may be created with at first; `None` if all can be
    /// launched.
    pub(super) async fn first_part(&self, spec: &Value) -> Result<Option<u32>, StepError> {
        let all = self.launches(spec, None)?;
        if all == 0 || self.budget.take_at_once(all) {
            return Ok(None);
        }
        let some = self.budget.take(all).await;
        Ok((some < all).then_some(some))
    }

    /// Returns `spec` limited to this many launches.
    pub(super) fn part_of(&self, spec: &Value, launches: Option<u32>) -> Result<Value, StepError> {
        launches.map_or_else(|| Ok(spec.clone()), |some| self.up_to(spec, None, some))
    }

    /// Raises the existing capacity until the rest of `spec` can be launched at once.
    ///
    /// The current state is `live`, or is read. Only the budget is waited for: the engine does not
    /// wait until the parts are in service.
    pub(super) async fn raise(
        &self,
        cloud: &dyn Cloud,
        call: &Call,
        id: &str,
        spec: &Value,
        live: Option<&Value>,
    ) -> Result<(), StepError> {
        // Without the live state only the upper bound is known.
        let most = self.launches(spec, live)?;
        if most == 0 || self.budget.take_at_once(most) {
            return Ok(());
        }
        let there = match live {
            Some(live) => live.clone(),
            None => match self.look(cloud, &[id.to_owned()]).await? {
                Some(found) => found.live,
                // The update itself will report that it is absent.
                None => return Ok(()),
            },
        };
        let all = self.launches(spec, Some(&there))?;
        let mut sum = 0;
        while sum < all {
            if sum > 0 {
                self.note(format!("{sum} of {all} instances asked for, {PER_SECOND} a second may follow"));
            }
            sum += self.budget.take(all - sum).await;
            if sum < all {
                let part = self.up_to(spec, Some(&there), sum)?;
                self.raise_to(cloud, call, id, &part).await?;
            }
        }
        Ok(())
    }

    /// Returns the maximum number of launches, 0 for kinds that run no instances.
    fn launches(&self, spec: &Value, live: Option<&Value>) -> Result<u32, StepError> {
        let launches = self.kind.capacity().map_or(Ok(0), |it| it.launches(spec, live));
        launches.map_err(|error| shape(&error))
    }

    fn up_to(&self, spec: &Value, live: Option<&Value>, launches: u32) -> Result<Value, StepError> {
        let part = self.kind.capacity().map_or_else(|| Ok(spec.clone()), |it| it.up_to(spec, live, launches));
        part.map_err(|error| shape(&error))
    }

    async fn raise_to(
        &self,
        cloud: &dyn Cloud,
        call: &Call,
        id: &str,
        part: &Value,
    ) -> Result<(), StepError> {
        self.expect_permit(cloud, id)?;
        let mut pauses = Pauses::of(Wait::SETTLE);
        while let Err(error) = cloud.update(self.kind.name(), call, id, part, &[]).await {
            match error {
                // The full update meets the same limit and handles it with the ladder.
                CloudError::NoCapacity { .. } | CloudError::Quota { .. } => return Ok(()),
                error => self.settle(cloud, error, &mut pauses).await?,
            }
        }
        Ok(())
    }
}
