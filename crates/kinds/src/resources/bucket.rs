//! The standby bucket: versioned, encrypted, closed to the public, old versions expiring.

use drstack_core::kind::{DataRole, FieldChange, Halfway, Kind, Lookup, Operation};
use serde::{Deserialize, Serialize};

use super::operation;

/// What is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BucketSpec {
    /// Its name.
    pub name: String,
    /// The primary bucket it is a copy of; becomes its tag `drstack:source`.
    pub source: String,
    /// Days after which versions that are no longer the latest expire; 0 for never.
    pub old_versions_days: u32,
    /// The KMS key that encrypts it; default: keys that S3 manages, which need no key policy in a failover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
}

/// What S3 reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketLive {
    /// Versioning is enabled.
    pub versioning: bool,
    /// Default encryption: `AES256`, or the KMS key; empty where none is set.
    pub encryption: String,
    /// All four doors of the public access block are shut.
    pub public_access_blocked: bool,
    /// Days after which old versions expire; 0 for never.
    pub old_versions_days: u32,
    /// The primary bucket it is a copy of.
    pub source: String,
}

/// Encryption by keys that S3 manages.
pub const MANAGED: &str = "AES256";

impl BucketSpec {
    fn encryption(&self) -> &str {
        self.kms_key.as_deref().unwrap_or(MANAGED)
    }
}

/// See the module.
pub struct Bucket;

impl Kind for Bucket {
    const NAME: &'static str = "bucket";
    const SUMMARY: &'static str =
        "S3 bucket in the standby region: versioned, encrypted, closed to the public";
    const LOOKUP: Lookup = Lookup::Name;
    const DATA: DataRole = DataRole::Holds;
    const OPERATIONS: &'static [Operation] = &[
        operation("s3", "CreateBucket"),
        operation("s3", "DeleteBucket"),
        operation("s3", "DeleteObjectVersion"),
        operation("s3", "GetBucketPublicAccessBlock"),
        operation("s3", "GetBucketTagging"),
        operation("s3", "GetBucketVersioning"),
        operation("s3", "GetEncryptionConfiguration"),
        operation("s3", "GetLifecycleConfiguration"),
        operation("s3", "ListAllMyBuckets"),
        operation("s3", "ListBucket"),
        operation("s3", "ListBucketVersions"),
        operation("s3", "PutBucketPublicAccessBlock"),
        operation("s3", "PutBucketTagging"),
        operation("s3", "PutBucketVersioning"),
        operation("s3", "PutEncryptionConfiguration"),
        operation("s3", "PutLifecycleConfiguration"),
    ];
    type Spec = BucketSpec;
    type Live = BucketLive;

    fn diff(spec: &BucketSpec, live: &BucketLive) -> Vec<FieldChange> {
        let changes = [
            FieldChange::of("versioning", &live.versioning, &true),
            FieldChange::of("encryption", &live.encryption.as_str(), &spec.encryption()),
            FieldChange::of("public_access_blocked", &live.public_access_blocked, &true),
            FieldChange::of("old_versions_days", &live.old_versions_days, &spec.old_versions_days),
            FieldChange::of("source", &live.source, &spec.source),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &BucketSpec, _id: &str) -> BucketLive {
        BucketLive {
            versioning: true,
            encryption: spec.encryption().to_owned(),
            public_access_blocked: true,
            old_versions_days: spec.old_versions_days,
            source: spec.source.clone(),
        }
    }

    /// Its name alone, then tags, public access block, versioning, encryption, and last the lifecycle of old versions.
    fn halfway(spec: &BucketSpec, _id: &str) -> Vec<Halfway<BucketLive>> {
        let bare = BucketLive {
            versioning: false,
            encryption: MANAGED.to_owned(),
            public_access_blocked: false,
            old_versions_days: 0,
            source: String::new(),
        };
        let tagged = BucketLive { source: spec.source.clone(), ..bare.clone() };
        let closed = BucketLive { public_access_blocked: true, ..tagged.clone() };
        let versioned = BucketLive { versioning: true, ..closed.clone() };
        let encrypted = BucketLive { encryption: spec.encryption().to_owned(), ..versioned.clone() };
        let rest = [tagged, closed, versioned, encrypted].map(Halfway::tagged);
        [Halfway::untagged(bare)].into_iter().chain(rest).collect()
    }
}

#[cfg(feature = "aws")]
mod aws {
    use std::collections::BTreeSet;

    use drstack_core::cloud::{Call, CloudError};
    use drstack_core::kind::FieldChange;

    use super::{Bucket, BucketLive, BucketSpec};
    use crate::aws::tags::{SOURCE, Tags, owned, owner};
    use crate::aws::{Driver, Looked, Seen, Target, each, s3};

    impl Driver for Bucket {
        async fn read(at: &Target<'_>, ids: &[String]) -> Looked<BucketLive> {
            each(ids, |bucket| async move { look(at, &bucket).await }).await
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

        async fn create(
            at: &Target<'_>,
            call: &Call,
            spec: &BucketSpec,
        ) -> Result<Seen<BucketLive>, CloudError> {
            s3::create(at, &spec.name).await?;
            s3::put_tags(at, &spec.name, &tags(call, spec)).await?;
            s3::put_public_access_block(at, &spec.name).await?;
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
                    "public_access_blocked" => s3::put_public_access_block(at, bucket).await?,
                    "old_versions_days" => {
                        s3::put_old_versions_days(at, bucket, spec.old_versions_days).await?;
                    }
                    _ => {}
                }
            }
            // Tags that others gave it stay.
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

    /// The control bucket is the stack's too, and no copy.
    fn is_copy(seen: &Seen<()>) -> bool {
        use drstack_core::cloud::Owner;
        matches!(&seen.owner, Owner::Ours(address) | Owner::Unproven(Some(address)) if !address.is_within("control"))
    }

    async fn look(at: &Target<'_>, bucket: &str) -> Result<Option<Seen<BucketLive>>, CloudError> {
        let Some(tags) = s3::tags(at, bucket).await? else { return Ok(None) };
        let (versioning, encryption, public_access_blocked, old_versions_days) = tokio::try_join!(
            s3::versioning(at, bucket),
            s3::encryption(at, bucket),
            s3::public_access_blocked(at, bucket),
            s3::old_versions_days(at, bucket),
        )?;
        let live = BucketLive {
            versioning: versioning == Some(true),
            encryption,
            public_access_blocked,
            old_versions_days,
            source: tags.get(SOURCE).cloned().unwrap_or_default(),
        };
        Ok(Some(Seen { id: bucket.to_owned(), owner: owner(&tags, at.scope), live }))
    }
}
