use drstack_core::cloud::{Call, CloudError};
use drstack_core::kind::FieldChange;
use serde_json::Value;

use super::{InstanceRole, InstanceRoleLive, InstanceRoleSpec, policy, trust};
use crate::aws::{Looked, Seen, Target};
use crate::services::iam::calls::Role;
use crate::services::iam::own_role::{self, OwnRole, own_role};

own_role!(InstanceRole);

impl OwnRole for InstanceRole {
    fn name(spec: &InstanceRoleSpec) -> &str {
        &spec.name
    }

    fn source(_: &InstanceRoleSpec) -> Option<&str> {
        None
    }

    fn boundary(spec: &InstanceRoleSpec) -> Option<&str> {
        spec.permissions_boundary.as_deref()
    }

    fn policies(spec: &InstanceRoleSpec) -> (Value, Value) {
        (trust(), policy(spec))
    }

    fn live(role: Role) -> InstanceRoleLive {
        InstanceRoleLive {
            trust: role.trust,
            policy: role.policy,
            permissions_boundary: role.permissions_boundary,
        }
    }
}
