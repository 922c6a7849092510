//! Versioning of a primary bucket: what replication needs. Switched on, never off.

use drstack_core::kind::{FieldChange, Kind, Lookup, Operation, Place};
use serde::{Deserialize, Serialize};

use super::operation;

/// What is wanted: versioning.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BucketVersioningSpec {
    /// The primary bucket.
    pub bucket: String,
}

/// What S3 reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketVersioningLive {
    /// Versioning is enabled.
    pub enabled: bool,
}

/// See the module.
pub struct BucketVersioning;

impl Kind for BucketVersioning {
    const NAME: &'static str = "bucket-versioning";
    const SUMMARY: &'static str = "versioning of a primary bucket; switched on, never off";
    const LOOKUP: Lookup = Lookup::Name;
    const PLACES: &'static [Place] = &[Place::Primary];
    const SETTING: bool = true;
    const OPERATIONS: &'static [Operation] =
        &[operation("s3", "GetBucketVersioning"), operation("s3", "PutBucketVersioning")];
    type Spec = BucketVersioningSpec;
    type Live = BucketVersioningLive;

    fn diff(_spec: &BucketVersioningSpec, live: &BucketVersioningLive) -> Vec<FieldChange> {
        FieldChange::of("enabled", &live.enabled, &true).into_iter().collect()
    }

    fn expect(_spec: &BucketVersioningSpec, _id: &str) -> BucketVersioningLive {
        BucketVersioningLive { enabled: true }
    }
}

#[cfg(feature = "aws")]
mod aws {
    use drstack_core::cloud::{Call, CloudError, Owner};
    use drstack_core::kind::FieldChange;

    use super::{BucketVersioning, BucketVersioningLive, BucketVersioningSpec};
    use crate::aws::{Driver, Looked, Seen, Target, each, s3};

    impl Driver for BucketVersioning {
        async fn read(at: &Target<'_>, ids: &[String]) -> Looked<BucketVersioningLive> {
            each(ids, |bucket| async move {
                let enabled = match at.aws.told.versioning.take(&bucket) {
                    Some(enabled) => Some(enabled),
                    None => s3::versioning(at, &bucket).await?,
                };
                Ok(enabled.map(|enabled| seen(&bucket, enabled)))
            })
            .await
        }

        async fn list_owned(
            _: &Target<'_>,
            _: &[String],
        ) -> Result<Vec<Seen<BucketVersioningLive>>, CloudError> {
            Ok(Vec::new())
        }

        async fn create(
            at: &Target<'_>,
            _: &Call,
            spec: &BucketVersioningSpec,
        ) -> Result<Seen<BucketVersioningLive>, CloudError> {
            s3::put_versioning(at, &spec.bucket).await?;
            Ok(seen(&spec.bucket, true))
        }

        async fn update(
            at: &Target<'_>,
            _: &Call,
            bucket: &str,
            _: &BucketVersioningSpec,
            _: &[FieldChange],
        ) -> Result<(), CloudError> {
            s3::put_versioning(at, bucket).await
        }

        async fn delete(_: &Target<'_>, _: &Call, _: &str) -> Result<(), CloudError> {
            Ok(())
        }
    }

    fn seen(bucket: &str, enabled: bool) -> Seen<BucketVersioningLive> {
        Seen { id: bucket.to_owned(), owner: Owner::Setting, live: BucketVersioningLive { enabled } }
    }
}
