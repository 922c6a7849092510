//! Amazon S3.

pub mod bucket;
pub mod bucket_fact;
pub mod bucket_versioning;
#[cfg(feature = "aws")]
pub(crate) mod calls;
#[cfg(feature = "aws")]
pub(crate) mod client;
#[cfg(feature = "aws")]
pub(crate) mod objects;
pub mod replication_rule;
#[cfg(feature = "aws")]
pub(crate) mod settings;

#[cfg(feature = "aws")]
pub(crate) const CODES: crate::aws::Codes = crate::aws::Codes {
    throttled: &[],
    no_capacity: &[],
    quota: &["TooManyBuckets"],
    conflict: &["ConditionalRequestConflict", "OperationAborted"],
};

/// Name under which a run keeps when it enabled the versioning of a bucket.
pub(crate) fn versioned(bucket: &str) -> String {
    format!("versioning of {bucket}")
}
