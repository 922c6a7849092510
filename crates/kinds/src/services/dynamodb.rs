//! Amazon DynamoDB.

#[cfg(feature = "aws")]
pub(crate) mod calls;
pub mod global_table;
#[cfg(feature = "aws")]
pub(crate) mod items;
pub mod standby_table;
pub mod table_copy;
pub mod table_export;
pub mod table_fact;
pub mod table_import;
pub mod table_recovery;
pub mod table_replica;
pub mod table_stream;

#[cfg(feature = "aws")]
crate::aws::client!(aws_sdk_dynamodb, "dynamodb", dynamodb);

/// Error codes of DynamoDB. `LimitExceededException` is transient: too many table operations are in
/// progress.
#[cfg(feature = "aws")]
pub(crate) const CODES: crate::aws::Codes = crate::aws::Codes {
    throttled: &["LimitExceededException"],
    no_capacity: &[],
    quota: &[],
    conflict: &["ContinuousBackupsUnavailableException", "ReplicaNotFoundException"],
};
