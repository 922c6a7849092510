use drstack_core::cloud::{Call, CloudError, Owner};
use drstack_core::kind::FieldChange;

use super::{BucketVersioning, BucketVersioningLive, BucketVersioningSpec};
use crate::aws::{Driver, Looked, Seen, Target, each};
use crate::services::s3::calls as s3;
use crate::services::s3::calls::Versioning;

impl Driver for BucketVersioning {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<BucketVersioningLive> {
        each(ids, |bucket| async move {
            let enabled = match at.aws.told.get::<Versioning>().0.take(&bucket) {
                Some(enabled) => Some(enabled),
                None => s3::versioning(at, &bucket).await?,
            };
            Ok(enabled.map(|enabled| seen(&bucket, enabled)))
        })
        .await
    }

    async fn list_owned(_: &Target<'_>, _: &[String]) -> Result<Vec<Seen<BucketVersioningLive>>, CloudError> {
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
