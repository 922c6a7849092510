//! Versioning of a primary bucket: what replication needs. Switched on, never off.

use drstack_core::kind::{FieldChange, Kind, Lookup, Operation, Place, Role};
use serde::{Deserialize, Serialize};

use crate::services::operation;

/// What is wanted: versioning.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BucketVersioningSpec {
    /// The primary bucket.
    pub bucket: String,
}

/// What S3 reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketVersioningLive {
    /// Versioning is enabled.
    pub enabled: bool,
}

/// See the module.
pub struct BucketVersioning;

impl Kind for BucketVersioning {
    const NAME: &'static str = "bucket-versioning";
    const SUMMARY: &'static str = "versioning of a primary bucket; switched on, never off";
    const LOOKUP: Lookup = Lookup::Name;
    const PLACES: &'static [Place] = &[Place::Primary];
    const ROLE: Role = Role::Setting;
    const OPERATIONS: &'static [Operation] =
        &[operation("s3", "GetBucketVersioning"), operation("s3", "PutBucketVersioning")];
    type Spec = BucketVersioningSpec;
    type Live = BucketVersioningLive;

    fn diff(_spec: &BucketVersioningSpec, live: &BucketVersioningLive) -> Vec<FieldChange> {
        FieldChange::of("enabled", &live.enabled, &true).into_iter().collect()
    }

    fn expect(_spec: &BucketVersioningSpec, _id: &str) -> BucketVersioningLive {
        BucketVersioningLive { enabled: true }
    }
}

#[cfg(feature = "aws")]
mod aws;
