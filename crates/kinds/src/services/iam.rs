//! AWS Identity and Access Management.

#[cfg(feature = "aws")]
pub(crate) mod calls;
pub mod instance_profile;
pub mod instance_role;
#[cfg(feature = "aws")]
pub(crate) mod own_role;
pub mod replication_role;
pub mod writer_fence;

#[cfg(feature = "aws")]
crate::aws::client!(aws_sdk_iam, "iam", iam);

#[cfg(feature = "aws")]
pub(crate) const CODES: crate::aws::Codes =
    crate::aws::Codes { throttled: &[], no_capacity: &[], quota: &[], conflict: &["DeleteConflict"] };
