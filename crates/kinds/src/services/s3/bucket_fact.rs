//! The fact of a primary bucket, with what replication needs to know.

use drstack_core::kind::{Operation, Place};
use serde::{Deserialize, Serialize};

use crate::facts::FactKind;
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
}

impl FactKind for BucketFact {
    const NAME: &'static str = "bucket";
    const PLACE: Place = Place::Primary;
    const OPERATIONS: &'static [Operation] = &[
        operation("s3", "GetBucketVersioning"),
        operation("s3", "GetEncryptionConfiguration"),
        operation("s3", "GetReplicationConfiguration"),
    ];
}

#[cfg(feature = "aws")]
mod aws;
