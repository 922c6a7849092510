//! The fact of a primary bucket, with what replication needs to know.

use drstack_core::kind::{Operation, Place};
use serde::{Deserialize, Serialize};

use crate::facts::FactKind;
use crate::ledger::{FieldSetting, Ledger, NotCarried};
use crate::services::operation;

/// A bucket of the primary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketFact {
    /// True if versioning is on.
    pub versioning: bool,
    /// The role of other owners' replication rules. S3 has one role for all rules of a bucket.
    #[serde(default)]
    pub foreign_role: Option<String>,
    /// The KMS key of its default encryption. S3 replicates objects under such keys only if a rule
    /// allows it.
    #[serde(default)]
    pub kms_key: Option<String>,
    /// A replication rule of another owner without a filter: the older form, beside which S3 takes no
    /// other rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_rule: Option<String>,
    /// What is set on it and not carried.
    #[serde(default, skip_serializing_if = "NotCarried::is_empty")]
    pub not_carried: NotCarried,
}

/// The tables of a bucket.
pub const LEDGERS: &[&Ledger] = &[&fields::BUCKET];

impl BucketFact {
    /// True if its objects may be locked, which S3 replicates only into a bucket with Object Lock.
    pub fn has_object_lock(&self) -> bool {
        self.not_carried.get(&fields::BUCKET, "GetObjectLockConfiguration") == Some(&FieldSetting::Set)
    }
}

impl FactKind for BucketFact {
    const NAME: &'static str = "bucket";
    const PLACE: Place = Place::Primary;
    const OPERATIONS: &'static [Operation] = &[
        operation("s3", "GetAccelerateConfiguration"),
        operation("s3", "GetBucketAcl"),
        operation("s3", "GetBucketCORS"),
        operation("s3", "GetBucketLogging"),
        operation("s3", "GetBucketNotification"),
        operation("s3", "GetBucketObjectLockConfiguration"),
        operation("s3", "GetBucketOwnershipControls"),
        operation("s3", "GetBucketPolicy"),
        operation("s3", "GetBucketTagging"),
        operation("s3", "GetBucketVersioning"),
        operation("s3", "GetBucketWebsite"),
        operation("s3", "GetEncryptionConfiguration"),
        operation("s3", "GetLifecycleConfiguration"),
        operation("s3", "GetReplicationConfiguration"),
    ];
}

#[cfg(feature = "aws")]
mod aws;
pub mod fields;
