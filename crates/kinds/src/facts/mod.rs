//! Facts: shapes of what the live regions are asked. The asking is under feature `aws`.

use serde::{Deserialize, Serialize};

/// A bucket of the primary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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

/// A table of the primary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableFact {
    /// Pay per request; else provisioned.
    pub on_demand: bool,
    /// Write capacity scales by itself (provisioned tables only).
    pub autoscaled: bool,
    /// The customer-managed key that encrypts it.
    pub kms_key: Option<String>,
}

/// An Auto Scaling group of the primary, with its launch template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupFact {
    /// Its image.
    pub image: String,
    /// The account owns the image, so that it can be copied.
    pub image_owned: bool,
    /// Instance types, best first.
    pub types: Vec<String>,
    /// Desired capacity.
    pub capacity: u32,
    /// SHA-256 of its user data; the text is never kept.
    pub user_data_sha256: Option<String>,
}

/// Availability zones of the standby region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZonesFact(pub Vec<String>);
