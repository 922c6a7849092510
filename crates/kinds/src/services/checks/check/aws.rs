use drstack_core::cloud::{Call, CloudError, Owner};
use drstack_core::kind::FieldChange;

use super::{Check, CheckLive, CheckSpec};
use crate::aws::{Driver, Looked, Seen, Target};
use crate::services::checks::probe;

impl Driver for Check {
    async fn read(_: &Target<'_>, ids: &[String]) -> Looked<CheckLive> {
        ids.iter().map(|_| Ok(None)).collect()
    }

    async fn list_owned(_: &Target<'_>, _: &[String]) -> Result<Vec<Seen<CheckLive>>, CloudError> {
        Ok(Vec::new())
    }

    async fn create(at: &Target<'_>, call: &Call, spec: &CheckSpec) -> Result<Seen<CheckLive>, CloudError> {
        probe::look(at, spec).await?;
        let owner = Owner::Ours(call.address.clone());
        Ok(Seen { id: call.address.to_string(), owner, live: CheckLive { held: spec.clone() } })
    }

    /// A check that holds needs no update.
    async fn update(
        at: &Target<'_>,
        _: &Call,
        _: &str,
        spec: &CheckSpec,
        _: &[FieldChange],
    ) -> Result<(), CloudError> {
        probe::look(at, spec).await
    }

    async fn delete(_: &Target<'_>, _: &Call, _: &str) -> Result<(), CloudError> {
        Ok(())
    }
}
