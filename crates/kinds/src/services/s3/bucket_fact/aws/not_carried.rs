//! The settings of a bucket that are set and not carried.

use std::pin::Pin;

use aws_sdk_s3::types::{BucketAccelerateStatus, Permission};
use drstack_core::cloud::CloudError;
use futures_util::future::join_all;

use crate::aws::{Target, absent};
use crate::ledger::{FieldSetting, NotCarried};
use crate::services::s3::bucket_fact::fields::BUCKET;
use crate::services::s3::calls as s3;
use crate::services::s3::calls::NO_BUCKET;

type Answer = Result<Option<FieldSetting>, CloudError>;
/// A question about one setting.
type Question<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// Ownership of objects in a new bucket, the standby's too (S3 User Guide, "Controlling ownership of
/// objects").
const OWNERSHIP: &str = "BucketOwnerEnforced";
/// Prefixes of the tags that AWS and drstack put on buckets by themselves.
const OTHERS: [&str; 2] = ["aws:", "drstack:"];

/// Returns what is set on a bucket and not carried. A call that fails holds nothing up.
pub(super) async fn not_carried(at: &Target<'_>, bucket: &str) -> NotCarried {
    let (fields, questions): (Vec<_>, Vec<_>) = questions(at, bucket).into_iter().unzip();
    let answers = join_all(questions).await.into_iter();
    let settings = answers.map(|answer| answer.unwrap_or_else(|error| Some(FieldSetting::unseen(&error))));
    let mut found = NotCarried::default();
    found.add(&BUCKET, fields.into_iter().zip(settings));
    found
}

/// Returns a question for each field of [`BUCKET`] that notes may name.
fn questions<'a>(at: &'a Target<'a>, bucket: &'a str) -> [(&'static str, Question<'a>); 11] {
    [
        ("GetBucketPolicy", Box::pin(policy(at, bucket)) as Question<'a>),
        ("GetBucketCors", Box::pin(cors(at, bucket))),
        ("GetBucketLifecycleConfiguration", Box::pin(lifecycle(at, bucket))),
        ("GetBucketOwnershipControls", Box::pin(ownership(at, bucket))),
        ("GetObjectLockConfiguration", Box::pin(object_lock(at, bucket))),
        ("GetBucketNotificationConfiguration", Box::pin(notifications(at, bucket))),
        ("GetBucketAcl", Box::pin(acl(at, bucket))),
        ("GetBucketTagging", Box::pin(tags(at, bucket))),
        ("GetBucketWebsite", Box::pin(website(at, bucket))),
        ("GetBucketLogging", Box::pin(logging(at, bucket))),
        ("GetBucketAccelerateConfiguration", Box::pin(acceleration(at, bucket))),
    ]
}

async fn policy(at: &Target<'_>, bucket: &str) -> Answer {
    let answer = at.s3().get_bucket_policy().bucket(bucket).send().await;
    let answer = absent(at, "s3:GetBucketPolicy", &["NoSuchBucketPolicy"], answer)?;
    Ok(FieldSetting::flag(answer.and_then(|it| it.policy).is_some_and(|it| !it.is_empty())))
}

async fn cors(at: &Target<'_>, bucket: &str) -> Answer {
    let answer = at.s3().get_bucket_cors().bucket(bucket).send().await;
    let answer = absent(at, "s3:GetBucketCORS", &["NoSuchCORSConfiguration"], answer)?;
    Ok(FieldSetting::count(answer.map_or(0, |it| it.cors_rules().len())))
}

async fn lifecycle(at: &Target<'_>, bucket: &str) -> Answer {
    Ok(FieldSetting::count(s3::lifecycle(at, bucket).await?.len()))
}

async fn ownership(at: &Target<'_>, bucket: &str) -> Answer {
    let answer = at.s3().get_bucket_ownership_controls().bucket(bucket).send().await;
    let none = &["OwnershipControlsNotFoundError"];
    let rules =
        absent(at, "s3:GetBucketOwnershipControls", none, answer)?.and_then(|it| it.ownership_controls);
    let first = rules.as_ref().and_then(|it| it.rules().first());
    Ok(FieldSetting::unless(OWNERSHIP, first.map(|it| it.object_ownership().as_str())))
}

async fn object_lock(at: &Target<'_>, bucket: &str) -> Answer {
    let answer = at.s3().get_object_lock_configuration().bucket(bucket).send().await;
    let none = &["ObjectLockConfigurationNotFoundError"];
    let answer = absent(at, "s3:GetBucketObjectLockConfiguration", none, answer)?;
    Ok(FieldSetting::flag(answer.and_then(|it| it.object_lock_configuration).is_some()))
}

async fn notifications(at: &Target<'_>, bucket: &str) -> Answer {
    let answer = at.s3().get_bucket_notification_configuration().bucket(bucket).send().await;
    let Some(it) = absent(at, "s3:GetBucketNotification", NO_BUCKET, answer)? else { return Ok(None) };
    let targets = it.topic_configurations().len()
        + it.queue_configurations().len()
        + it.lambda_function_configurations().len();
    Ok(FieldSetting::count(targets + usize::from(it.event_bridge_configuration().is_some())))
}

async fn acl(at: &Target<'_>, bucket: &str) -> Answer {
    let answer = at.s3().get_bucket_acl().bucket(bucket).send().await;
    let Some(acl) = absent(at, "s3:GetBucketAcl", NO_BUCKET, answer)? else { return Ok(None) };
    let owner = acl.owner().and_then(|it| it.id());
    // Every bucket has this one.
    let is_owners = |grantee: Option<&str>, permission| {
        grantee.is_some() && grantee == owner && permission == Some(&Permission::FullControl)
    };
    let grants = acl.grants().iter();
    let others = grants.filter(|it| !is_owners(it.grantee().and_then(|it| it.id()), it.permission()));
    Ok(FieldSetting::count(others.count()))
}

async fn tags(at: &Target<'_>, bucket: &str) -> Answer {
    let tags = s3::tags(at, bucket).await?.unwrap_or_default();
    Ok(FieldSetting::count(tags.keys().filter(|key| !OTHERS.iter().any(|it| key.starts_with(it))).count()))
}

async fn website(at: &Target<'_>, bucket: &str) -> Answer {
    let answer = at.s3().get_bucket_website().bucket(bucket).send().await;
    let answer = absent(at, "s3:GetBucketWebsite", &["NoSuchWebsiteConfiguration"], answer)?;
    Ok(FieldSetting::flag(answer.is_some()))
}

async fn logging(at: &Target<'_>, bucket: &str) -> Answer {
    let answer = at.s3().get_bucket_logging().bucket(bucket).send().await;
    let answer = absent(at, "s3:GetBucketLogging", NO_BUCKET, answer)?;
    Ok(FieldSetting::flag(answer.is_some_and(|it| it.logging_enabled().is_some())))
}

async fn acceleration(at: &Target<'_>, bucket: &str) -> Answer {
    let answer = at.s3().get_bucket_accelerate_configuration().bucket(bucket).send().await;
    let answer = absent(at, "s3:GetAccelerateConfiguration", NO_BUCKET, answer)?;
    Ok(FieldSetting::flag(answer.and_then(|it| it.status) == Some(BucketAccelerateStatus::Enabled)))
}
