//! The instance profile kind: it carries a pool's role.

use drstack_core::kind::{
    Capabilities, Erased, FieldChange, Halfway, KeepsName, Kind, Lookup, Operation, Place, Staged,
};
use drstack_core::link::Link;
use serde::{Deserialize, Serialize};

use crate::services::operation;

/// The desired state of an instance profile.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstanceProfileSpec {
    /// Its name.
    pub name: String,
    /// Name of its role.
    pub role: Link,
}

/// An instance profile as IAM reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceProfileLive {
    /// Name of its role; empty if it has none.
    pub role: String,
}

/// The instance profile kind.
pub struct InstanceProfile;

impl Kind for InstanceProfile {
    const NAME: &'static str = "instance-profile";
    const SUMMARY: &'static str = "instance profile that gives a pool's instances their role";
    const LOOKUP: Lookup = Lookup::Name;
    const PLACES: &'static [Place] = &[Place::Global];
    const OPERATIONS: &'static [Operation] = &[
        operation("iam", "AddRoleToInstanceProfile"),
        operation("iam", "CreateInstanceProfile"),
        operation("iam", "DeleteInstanceProfile"),
        operation("iam", "GetInstanceProfile"),
        operation("iam", "ListInstanceProfiles"),
        operation("iam", "PassRole").implied(),
        operation("iam", "RemoveRoleFromInstanceProfile"),
        operation("iam", "TagInstanceProfile"),
    ];
    const CAPABILITIES: Capabilities = Capabilities {
        keeps_name: Some(&Erased::<Self>::NEW),
        staged: Some(&Erased::<Self>::NEW),
        ..Capabilities::NONE
    };
    type Spec = InstanceProfileSpec;
    type Live = InstanceProfileLive;

    fn diff(spec: &InstanceProfileSpec, live: &InstanceProfileLive) -> Vec<FieldChange> {
        FieldChange::of("role", &live.role.as_str(), &spec.role.text()).into_iter().collect()
    }

    fn expect(spec: &InstanceProfileSpec, _id: &str) -> InstanceProfileLive {
        InstanceProfileLive { role: spec.role.text().to_owned() }
    }

    fn links(live: &InstanceProfileLive) -> Vec<String> {
        vec![live.role.clone()]
    }
}

impl KeepsName for InstanceProfile {
    const NAME_IS_ID: bool = true;

    fn under_its_name(
        spec: &InstanceProfileSpec,
        id: &str,
        _live: &InstanceProfileLive,
    ) -> InstanceProfileSpec {
        InstanceProfileSpec { name: id.to_owned(), ..spec.clone() }
    }
}

impl Staged for InstanceProfile {
    /// Its role takes one more call.
    fn halfway(_spec: &InstanceProfileSpec, _id: &str) -> Vec<Halfway<InstanceProfileLive>> {
        vec![Halfway::tagged(InstanceProfileLive { role: String::new() })]
    }
}

#[cfg(feature = "aws")]
mod aws;
