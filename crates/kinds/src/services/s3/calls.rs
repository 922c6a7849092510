//! Calls of S3 that several kinds share.

use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, Delete, ExpirationStatus,
    LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration, ObjectIdentifier,
    PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging, VersioningConfiguration,
};
use drstack_core::cloud::CloudError;

use crate::aws::built;
use crate::aws::once::{Cache, LastChanged};
use crate::aws::tags::{Tags, owner};
use crate::aws::{Target, absent, has_code};
use crate::names::partition;
use crate::services::s3::bucket::tls_policy;
use crate::services::s3::versioned;
use aws_sdk_s3::types::ReplicationRule;

/// Cache of versioning by primary bucket, filled by the facts; the observe that follows uses each
/// entry once.
#[derive(Default)]
pub(crate) struct Versioning(pub(crate) Cache<bool>);

/// Cache of role and rules by primary bucket, used in the same way; none if there is no
/// configuration.
#[derive(Default)]
pub(crate) struct Replication(pub(crate) Cache<Option<(String, Vec<ReplicationRule>)>>);

/// Error codes of S3 for a missing bucket.
pub(crate) const NO_BUCKET: &[&str] = &["NoSuchBucket", "NotFound"];

/// Id of the lifecycle rule that drstack writes.
const LIFECYCLE_RULE: &str = "drstack-old-versions";

/// Days after which S3 deletes an unfinished upload.
const UNFINISHED_DAYS: i32 = 7;

impl Target<'_> {
    /// Returns the client for buckets of this place.
    pub(crate) fn buckets(&self) -> std::sync::Arc<aws_sdk_s3::Client> {
        self.s3()
    }
}

/// Reads the tags of a bucket; `None` if it does not exist.
pub(crate) async fn tags(at: &Target<'_>, bucket: &str) -> Result<Option<Tags>, CloudError> {
    const OPERATION: &str = "s3:GetBucketTagging";
    match at.s3().get_bucket_tagging().bucket(bucket).send().await {
        Ok(answer) => Ok(Some(answer.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect())),
        Err(error) if has_code(&error, &["NoSuchTagSet"]) => Ok(Some(Tags::new())),
        Err(error) if has_code(&error, NO_BUCKET) => Ok(None),
        Err(error) => Err(at.failed(OPERATION, error)),
    }
}

/// Replaces all tags of a bucket.
pub(crate) async fn put_tags(at: &Target<'_>, bucket: &str, tags: &Tags) -> Result<(), CloudError> {
    const OPERATION: &str = "s3:PutBucketTagging";
    let set = tags
        .iter()
        .map(|(key, value)| built(OPERATION, Tag::builder().key(key).value(value).build()))
        .collect::<Result<Vec<_>, _>>()?;
    let tagging = built(OPERATION, Tagging::builder().set_tag_set(Some(set)).build())?;
    let put = at.s3().put_bucket_tagging().bucket(bucket).tagging(tagging).send().await;
    put.map(drop).map_err(|error| at.failed(OPERATION, error))
}

/// Creates a bucket in this region, or reuses an untagged, unused one of this account.
///
/// A run that stopped between create and tagging leaves such a bucket.
pub(crate) async fn create(at: &Target<'_>, bucket: &str) -> Result<(), CloudError> {
    const OPERATION: &str = "s3:CreateBucket";
    // us-east-1 is the one region that must not be named.
    let place = (at.region != "us-east-1").then(|| {
        CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from(at.region))
            .build()
    });
    let made = at.s3().create_bucket().bucket(bucket).set_create_bucket_configuration(place).send().await;
    match made {
        Ok(_) => Ok(()),
        Err(error) if has_code(&error, &["BucketAlreadyOwnedByYou"]) => expect_unused(at, bucket).await,
        Err(error) if has_code(&error, &["BucketAlreadyExists"]) => Err(CloudError::Invalid {
            operation: OPERATION.to_owned(),
            code: "BucketAlreadyExists".to_owned(),
            message: format!("`{bucket}` belongs to another account; choose another name"),
        }),
        Err(error) => Err(at.failed(OPERATION, error)),
    }
}

async fn expect_unused(at: &Target<'_>, bucket: &str) -> Result<(), CloudError> {
    let ours = match tags(at, bucket).await? {
        Some(tags) if tags.is_empty() => is_empty(at, bucket).await?,
        Some(tags) => owner(&tags, at.scope).is_ours(),
        None => true,
    };
    match ours {
        true => Ok(()),
        false => Err(CloudError::Invalid {
            operation: "s3:CreateBucket".to_owned(),
            code: "BucketAlreadyOwnedByYou".to_owned(),
            message: format!(
                "`{bucket}` exists in this account and is not this stack's; choose another name"
            ),
        }),
    }
}

/// True if the bucket holds no version of any object.
pub(crate) async fn is_empty(at: &Target<'_>, bucket: &str) -> Result<bool, CloudError> {
    let page = at.s3().list_object_versions().bucket(bucket).max_keys(1).send().await;
    let page = page.map_err(|error| at.failed("s3:ListBucketVersions", error))?;
    Ok(page.versions.unwrap_or_default().is_empty() && page.delete_markers.unwrap_or_default().is_empty())
}

/// True if versioning is on; `None` if the bucket does not exist.
pub(crate) async fn versioning(at: &Target<'_>, bucket: &str) -> Result<Option<bool>, CloudError> {
    let answer = at.s3().get_bucket_versioning().bucket(bucket).send().await;
    let answer = absent(at, "s3:GetBucketVersioning", NO_BUCKET, answer)?;
    Ok(answer.map(|it| it.status == Some(BucketVersioningStatus::Enabled)))
}

/// Enables versioning.
pub(crate) async fn put_versioning(at: &Target<'_>, bucket: &str) -> Result<(), CloudError> {
    let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let put = at.s3().put_bucket_versioning().bucket(bucket).versioning_configuration(on).send().await;
    put.map_err(|error| at.failed("s3:PutBucketVersioning", error))?;
    at.aws.shared.get::<LastChanged>().now(&versioned(bucket));
    Ok(())
}

/// Reads the default encryption: `AES256`, or the KMS key; empty if none is set.
pub(crate) async fn encryption(at: &Target<'_>, bucket: &str) -> Result<String, CloudError> {
    const NONE: &[&str] = &["ServerSideEncryptionConfigurationNotFoundError"];
    let answer = at.s3().get_bucket_encryption().bucket(bucket).send().await;
    let rules = absent(at, "s3:GetEncryptionConfiguration", NONE, answer)?
        .and_then(|it| it.server_side_encryption_configuration)
        .map(|it| it.rules)
        .unwrap_or_default();
    let first = rules.into_iter().find_map(|rule| rule.apply_server_side_encryption_by_default);
    let said = first.map(|it| it.kms_master_key_id.unwrap_or_else(|| it.sse_algorithm.as_str().to_owned()));
    Ok(said.unwrap_or_default())
}

/// Sets encryption with `kms_key`, else with S3-managed keys.
pub(crate) async fn put_encryption(
    at: &Target<'_>,
    bucket: &str,
    kms_key: Option<&str>,
) -> Result<(), CloudError> {
    const OPERATION: &str = "s3:PutEncryptionConfiguration";
    let algorithm = kms_key.map_or(ServerSideEncryption::Aes256, |_| ServerSideEncryption::AwsKms);
    let by_default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(algorithm)
        .set_kms_master_key_id(kms_key.map(str::to_owned));
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(built(OPERATION, by_default.build())?)
        .set_bucket_key_enabled(kms_key.map(|_| true))
        .build();
    let rules = built(OPERATION, ServerSideEncryptionConfiguration::builder().rules(rule).build())?;
    let put = at.s3().put_bucket_encryption().bucket(bucket);
    let put = put.server_side_encryption_configuration(rules).send().await;
    put.map(drop).map_err(|error| at.failed(OPERATION, error))
}

/// True if all four settings of the public access block are on.
pub(crate) async fn public_access_blocked(at: &Target<'_>, bucket: &str) -> Result<bool, CloudError> {
    const NONE: &[&str] = &["NoSuchPublicAccessBlockConfiguration"];
    let answer = at.s3().get_public_access_block().bucket(bucket).send().await;
    let block = absent(at, "s3:GetBucketPublicAccessBlock", NONE, answer)?
        .and_then(|it| it.public_access_block_configuration);
    Ok(block.is_some_and(|it| {
        [it.block_public_acls, it.block_public_policy, it.ignore_public_acls, it.restrict_public_buckets]
            == [Some(true); 4]
    }))
}

/// Turns on all four settings of the public access block.
pub(crate) async fn put_public_access_block(at: &Target<'_>, bucket: &str) -> Result<(), CloudError> {
    let shut = PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .block_public_policy(true)
        .ignore_public_acls(true)
        .restrict_public_buckets(true)
        .build();
    let put = at.s3().put_public_access_block().bucket(bucket);
    let put = put.public_access_block_configuration(shut).send().await;
    put.map(drop).map_err(|error| at.failed("s3:PutBucketPublicAccessBlock", error))
}

/// True if the bucket has a policy, whoever wrote it.
pub(crate) async fn has_policy(at: &Target<'_>, bucket: &str) -> Result<bool, CloudError> {
    const NONE: &[&str] = &["NoSuchBucketPolicy"];
    let answer = at.s3().get_bucket_policy().bucket(bucket).send().await;
    let policy = absent(at, "s3:GetBucketPolicy", NONE, answer)?.and_then(|it| it.policy);
    Ok(policy.is_some_and(|it| !it.is_empty()))
}

/// Denies calls without TLS, for a bucket without a policy: one of the user's is never overwritten.
pub(crate) async fn put_tls_policy(at: &Target<'_>, bucket: &str) -> Result<(), CloudError> {
    if has_policy(at, bucket).await? {
        return Ok(());
    }
    let policy = tls_policy(bucket, partition(at.region)).to_string();
    let put = at.s3().put_bucket_policy().bucket(bucket).policy(policy).send().await;
    put.map(drop).map_err(|error| at.failed("s3:PutBucketPolicy", error))
}

/// Reads all lifecycle rules.
pub(crate) async fn lifecycle(at: &Target<'_>, bucket: &str) -> Result<Vec<LifecycleRule>, CloudError> {
    const NONE: &[&str] = &["NoSuchLifecycleConfiguration"];
    let answer = at.s3().get_bucket_lifecycle_configuration().bucket(bucket).send().await;
    let answer = absent(at, "s3:GetLifecycleConfiguration", NONE, answer)?;
    Ok(answer.and_then(|it| it.rules).unwrap_or_default())
}

/// Reads the days after which drstack's own rule expires old versions; 0 for never.
pub(crate) async fn old_versions_days(at: &Target<'_>, bucket: &str) -> Result<u32, CloudError> {
    let rules = lifecycle(at, bucket).await?;
    let ours = rules.into_iter().find(|rule| rule.id.as_deref() == Some(LIFECYCLE_RULE));
    let days = ours
        .filter(|rule| rule.status == ExpirationStatus::Enabled)
        .and_then(|rule| rule.noncurrent_version_expiration)
        .and_then(|it| it.noncurrent_days);
    Ok(days.and_then(|days| u32::try_from(days).ok()).unwrap_or(0))
}

/// Sets the days after which old versions expire, 0 for never. Keeps the rules of others.
pub(crate) async fn put_old_versions_days(
    at: &Target<'_>,
    bucket: &str,
    days: u32,
) -> Result<(), CloudError> {
    const OPERATION: &str = "s3:PutLifecycleConfiguration";
    let mut rules = lifecycle(at, bucket).await?;
    rules.retain(|rule| rule.id.as_deref() != Some(LIFECYCLE_RULE));
    if days > 0 {
        let rule = LifecycleRule::builder()
            .id(LIFECYCLE_RULE)
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix("").build())
            .noncurrent_version_expiration(
                NoncurrentVersionExpiration::builder()
                    .noncurrent_days(i32::try_from(days).unwrap_or(i32::MAX))
                    .build(),
            )
            .expiration(LifecycleExpiration::builder().expired_object_delete_marker(true).build())
            .abort_incomplete_multipart_upload(
                aws_sdk_s3::types::AbortIncompleteMultipartUpload::builder()
                    .days_after_initiation(UNFINISHED_DAYS)
                    .build(),
            );
        rules.push(built(OPERATION, rule.build())?);
    }
    if rules.is_empty() {
        let gone = at.s3().delete_bucket_lifecycle().bucket(bucket).send().await;
        return gone.map(drop).map_err(|error| at.failed(OPERATION, error));
    }
    let configuration = aws_sdk_s3::types::BucketLifecycleConfiguration::builder().set_rules(Some(rules));
    let configuration = built(OPERATION, configuration.build())?;
    let put = at.s3().put_bucket_lifecycle_configuration().bucket(bucket);
    let put = put.lifecycle_configuration(configuration).send().await;
    put.map(drop).map_err(|error| at.failed(OPERATION, error))
}

/// Lists the names of the account's buckets in this region.
pub(crate) async fn names(at: &Target<'_>) -> Result<Vec<String>, CloudError> {
    let mut names = Vec::new();
    let mut pages = at.s3().list_buckets().bucket_region(at.region).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| at.failed("s3:ListAllMyBuckets", error))?;
        names.extend(page.buckets.unwrap_or_default().into_iter().filter_map(|it| it.name));
    }
    Ok(names)
}

/// Deletes every version of every object, then the bucket. An absent bucket or version is success.
pub(crate) async fn empty_and_delete(at: &Target<'_>, bucket: &str) -> Result<(), CloudError> {
    const LIST: &str = "s3:ListBucketVersions";
    loop {
        let page = at.s3().list_object_versions().bucket(bucket).send().await;
        let Some(page) = absent(at, LIST, NO_BUCKET, page)? else { return Ok(()) };
        let versions = page.versions.unwrap_or_default().into_iter().map(|it| (it.key, it.version_id));
        let markers = page.delete_markers.unwrap_or_default().into_iter().map(|it| (it.key, it.version_id));
        let all = versions
            .chain(markers)
            .filter_map(|(key, version)| Some((key?, version)))
            .map(|(key, version)| {
                built(LIST, ObjectIdentifier::builder().key(key).set_version_id(version).build())
            })
            .collect::<Result<Vec<_>, _>>()?;
        if all.is_empty() {
            break;
        }
        let delete = built(LIST, Delete::builder().set_objects(Some(all)).quiet(true).build())?;
        let answer = at.s3().delete_objects().bucket(bucket).delete(delete).send().await;
        let answer = answer.map_err(|error| at.failed("s3:DeleteObjectVersion", error))?;
        if let Some(error) = answer.errors.unwrap_or_default().first() {
            return Err(CloudError::Denied {
                operation: "s3:DeleteObjectVersion".to_owned(),
                message: format!(
                    "{}: {}",
                    error.key.as_deref().unwrap_or_default(),
                    error.message.as_deref().or(error.code.as_deref()).unwrap_or_default()
                ),
            });
        }
    }
    let gone = at.s3().delete_bucket().bucket(bucket).send().await;
    absent(at, "s3:DeleteBucket", NO_BUCKET, gone).map(drop)
}
