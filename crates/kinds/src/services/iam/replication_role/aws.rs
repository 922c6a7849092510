use drstack_core::cloud::{Call, CloudError};
use drstack_core::kind::FieldChange;
use serde_json::Value;

use super::{ReplicationRole, ReplicationRoleLive, ReplicationRoleSpec, policy, trust};
use crate::aws::{Looked, Seen, Target};
use crate::services::iam::calls::Role;
use crate::services::iam::own_role::{self, OwnRole, own_role};

own_role!(ReplicationRole);

impl OwnRole for ReplicationRole {
    fn name(spec: &ReplicationRoleSpec) -> &str {
        &spec.name
    }

    fn source(spec: &ReplicationRoleSpec) -> Option<&str> {
        Some(&spec.source)
    }

    fn boundary(spec: &ReplicationRoleSpec) -> Option<&str> {
        spec.permissions_boundary.as_deref()
    }

    fn policies(spec: &ReplicationRoleSpec) -> (Value, Value) {
        (trust(spec), policy(spec))
    }

    fn live(role: Role) -> ReplicationRoleLive {
        ReplicationRoleLive {
            arn: role.arn,
            trust: role.trust,
            policy: role.policy,
            permissions_boundary: role.permissions_boundary,
        }
    }
}
