use std::collections::BTreeSet;

use drstack_core::cloud::{Call, CloudError, Presence};
use drstack_core::kind::FieldChange;

use super::{Bucket, BucketLive, BucketSpec};
use crate::aws::tags::{SOURCE, Tags, owned, owner};
use crate::aws::{Driver, Looked, Seen, Target, each, each_of};
use crate::services::s3::calls as s3;

impl Driver for Bucket {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<BucketLive> {
        each(ids, |bucket| async move { look(at, &bucket).await }).await
    }

    async fn exist(at: &Target<'_>, ids: &[String]) -> Vec<Result<Presence, CloudError>> {
        let tags = |bucket: String| async move { Ok(s3::tags(at, &bucket).await?.is_some().into()) };
        each_of(ids.to_vec(), tags).await
    }

    async fn list_owned(at: &Target<'_>, except: &[String]) -> Result<Vec<Seen<BucketLive>>, CloudError> {
        let mut names = s3::names(at).await?;
        let except: BTreeSet<&String> = except.iter().collect();
        names.retain(|name| !except.contains(name));
        let tags = each(&names, |bucket| async move {
            let tags = s3::tags(at, &bucket).await?.unwrap_or_default();
            Ok(Some(Seen { id: bucket, owner: owner(&tags, at.scope), live: () }))
        });
        let mut ours = Vec::new();
        for seen in tags.await {
            ours.extend(seen?.filter(is_copy).map(|seen| seen.id));
        }
        each(&ours, |bucket| async move { look(at, &bucket).await })
            .await
            .into_iter()
            .filter_map(Result::transpose)
            .collect()
    }

    async fn create(at: &Target<'_>, call: &Call, spec: &BucketSpec) -> Result<Seen<BucketLive>, CloudError> {
        s3::create(at, &spec.name).await?;
        s3::put_tags(at, &spec.name, &tags(call, spec)).await?;
        s3::put_public_access_block(at, &spec.name).await?;
        s3::put_tls_policy(at, &spec.name).await?;
        s3::put_versioning(at, &spec.name).await?;
        s3::put_encryption(at, &spec.name, spec.kms_key.as_deref()).await?;
        s3::put_old_versions_days(at, &spec.name, spec.old_versions_days).await?;
        let gone = || CloudError::Other {
            operation: "s3:CreateBucket".to_owned(),
            message: format!("`{}` is not there after it was made", spec.name),
        };
        look(at, &spec.name).await?.ok_or_else(gone)
    }

    async fn update(
        at: &Target<'_>,
        call: &Call,
        bucket: &str,
        spec: &BucketSpec,
        changes: &[FieldChange],
    ) -> Result<(), CloudError> {
        for change in changes {
            match change.field.as_str() {
                "versioning" => s3::put_versioning(at, bucket).await?,
                "encryption" => s3::put_encryption(at, bucket, spec.kms_key.as_deref()).await?,
                "tls_policy" => s3::put_tls_policy(at, bucket).await?,
                "public_access_blocked" => s3::put_public_access_block(at, bucket).await?,
                "old_versions_days" => {
                    s3::put_old_versions_days(at, bucket, spec.old_versions_days).await?;
                }
                _ => {}
            }
        }
        // Keep tags that others added.
        let mut all = s3::tags(at, bucket).await?.unwrap_or_default();
        all.extend(tags(call, spec));
        s3::put_tags(at, bucket, &all).await
    }

    async fn delete(at: &Target<'_>, _call: &Call, bucket: &str) -> Result<(), CloudError> {
        s3::empty_and_delete(at, bucket).await
    }
}

fn tags(call: &Call, spec: &BucketSpec) -> Tags {
    let mut tags = owned(call, spec);
    tags.insert(SOURCE.to_owned(), spec.source.clone());
    tags
}

/// True if the bucket is a data copy. The stack also owns the control bucket, which is not one.
fn is_copy(seen: &Seen<()>) -> bool {
    use drstack_core::cloud::Owner;
    matches!(&seen.owner, Owner::Ours(address) | Owner::Unproven(Some(address)) if !address.is_within("control"))
}

async fn look(at: &Target<'_>, bucket: &str) -> Result<Option<Seen<BucketLive>>, CloudError> {
    let Some(tags) = s3::tags(at, bucket).await? else { return Ok(None) };
    let (versioning, encryption, public_access_blocked, tls_policy, old_versions_days) = tokio::try_join!(
        s3::versioning(at, bucket),
        s3::encryption(at, bucket),
        s3::public_access_blocked(at, bucket),
        s3::has_policy(at, bucket),
        s3::old_versions_days(at, bucket),
    )?;
    let live = BucketLive {
        versioning: versioning == Some(true),
        encryption,
        public_access_blocked,
        tls_policy,
        old_versions_days,
        source: tags.get(SOURCE).cloned().unwrap_or_default(),
    };
    Ok(Some(Seen { id: bucket.to_owned(), owner: owner(&tags, at.scope), live }))
}
