//! Settings of a bucket, and what becomes of each.

use crate::ledger::Fate::{Irrelevant, Mapped, NotYet, Unasked};
use crate::ledger::{Ledger, Model};

/// The settings, by the operations that read them.
pub const BUCKET: Ledger = Ledger {
    object: "Bucket",
    service: "s3",
    model: Model::Operations(&["GetBucket", "GetObjectLock", "GetPublicAccessBlock"]),
    fields: &[
        ("GetBucketPolicy", NotYet("bucket policy")),
        ("GetBucketCors", NotYet("CORS rule")),
        ("GetBucketLifecycleConfiguration", NotYet("lifecycle rule")),
        ("GetBucketOwnershipControls", NotYet("object ownership")),
        ("GetObjectLockConfiguration", NotYet("Object Lock")),
        ("GetBucketNotificationConfiguration", NotYet("notification")),
        ("GetBucketAcl", NotYet("ACL grant")),
        ("GetBucketTagging", NotYet("tag")),
        ("GetBucketWebsite", NotYet("website")),
        ("GetBucketLogging", NotYet("access logging")),
        ("GetBucketAccelerateConfiguration", NotYet("transfer acceleration")),
        ("GetBucketRequestPayment", Unasked("it sets who pays for requests")),
        ("GetBucketAbac", Unasked("it needs the tags, which are named above")),
        ("GetBucketAnalyticsConfiguration", Unasked(REPORT)),
        ("GetBucketInventoryConfiguration", Unasked(REPORT)),
        ("GetBucketMetricsConfiguration", Unasked(REPORT)),
        ("GetBucketMetadataConfiguration", Unasked(REPORT)),
        ("GetBucketMetadataTableConfiguration", Unasked(REPORT)),
        ("GetBucketIntelligentTieringConfiguration", Unasked("it sets what rarely read objects cost")),
        ("GetBucketEncryption", Mapped("`kms_key`, else keys that S3 manages")),
        ("GetBucketReplication", Mapped("a rule of the stack, beside those of others")),
        ("GetBucketVersioning", Mapped("always on")),
        ("GetPublicAccessBlock", Mapped("always on, all four")),
        ("GetBucketLocation", Mapped("the standby region")),
        ("GetBucketLifecycle", Irrelevant("an older form of GetBucketLifecycleConfiguration")),
        ("GetBucketNotification", Irrelevant("an older form of GetBucketNotificationConfiguration")),
        ("GetBucketPolicyStatus", Irrelevant("follows from the policy")),
    ],
};

/// Reason of what reports on objects.
const REPORT: &str = "it reports on objects, and serves nothing";
