//! AWS Identity and Access Management.

#[cfg(feature = "aws")]
pub(crate) mod calls;
pub mod instance_profile;
pub mod instance_role;
#[cfg(feature = "aws")]
pub(crate) mod own_role;
pub mod replication_role;
mod rights;
pub mod writer_fence;

use drstack_core::kind::FieldChange;

/// Returns the change to the boundary that a stack names. A stack that names none leaves the role
/// with the one it has: without it the role could do more.
fn bounded(wanted: &Option<String>, live: &Option<String>) -> Option<FieldChange> {
    wanted.as_ref().and_then(|_| FieldChange::of("permissions_boundary", live, wanted))
}

/// Name under which a run keeps when it made or changed a role.
pub(crate) fn changed(role: &str) -> String {
    format!("role {role}")
}

#[cfg(feature = "aws")]
crate::aws::client!(aws_sdk_iam, "iam", iam);

#[cfg(feature = "aws")]
pub(crate) const CODES: crate::aws::Codes =
    crate::aws::Codes { throttled: &[], no_capacity: &[], quota: &[], conflict: &["DeleteConflict"] };
