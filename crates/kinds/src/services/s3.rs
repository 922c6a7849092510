//! Amazon S3.

pub mod bucket;
pub mod bucket_versioning;
#[cfg(feature = "aws")]
pub(crate) mod calls;
pub mod replication_rule;
