use drstack_core::cloud::CloudError;

use super::{BucketVersioning, BucketVersioningLive};
use crate::aws::{SwitchDriver, Target};
use crate::services::s3::calls as s3;
use crate::services::s3::calls::Versioning;

impl SwitchDriver for BucketVersioning {
    async fn look(at: &Target<'_>, bucket: &str) -> Result<Option<BucketVersioningLive>, CloudError> {
        let enabled = match at.aws.told.get::<Versioning>().0.take(bucket) {
            Some(enabled) => Some(enabled),
            None => s3::versioning(at, bucket).await?,
        };
        Ok(enabled.map(|enabled| BucketVersioningLive { enabled }))
    }

    async fn switch_on(at: &Target<'_>, bucket: &str) -> Result<(), CloudError> {
        s3::put_versioning(at, bucket).await
    }
}
