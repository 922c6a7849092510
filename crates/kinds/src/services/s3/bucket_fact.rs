//! A bucket of the primary, as replication has to know it.

use drstack_core::kind::{Operation, Place};
use serde::{Deserialize, Serialize};

use crate::facts::FactKind;
use crate::services::operation;

/// A bucket of the primary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketFact {
    /// Versioning is on.
    pub versioning: bool,
    /// The role with which replication rules of others run. S3 has one role for all rules of a bucket.
    #[serde(default)]
    pub foreign_role: Option<String>,
    /// The KMS key of its default encryption; objects under such keys are copied only where a rule says so.
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
