//! AWS Identity and Access Management.

#[cfg(feature = "aws")]
pub(crate) mod calls;
pub mod instance_profile;
pub mod instance_role;
pub mod replication_role;
pub mod writer_fence;
