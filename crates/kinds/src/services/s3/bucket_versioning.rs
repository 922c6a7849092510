//! The bucket versioning kind: versioning of a primary bucket, which replication needs. drstack
//! enables it and never disables it.

use crate::services::switch::switch;

switch! {
    BucketVersioning, BucketVersioningSpec {
        /// The primary bucket.
        bucket
    }, BucketVersioningLive:
    "bucket-versioning", "versioning of a primary bucket; switched on, never off",
    [("s3", "GetBucketVersioning"), ("s3", "PutBucketVersioning")]
}

#[cfg(feature = "aws")]
mod aws;
