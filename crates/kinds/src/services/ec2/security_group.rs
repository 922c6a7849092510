//! The security group kind: the standby network accepts only the traffic that the stack allows.

use drstack_core::kind::{
    Capabilities, Erased, FieldChange, Halfway, KeepsName, Kind, Lookup, Operation, Staged,
};
use drstack_core::link::Link;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::services::operation;

/// A door: a TCP port, open for an address range.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ingress {
    /// The TCP port.
    pub port: u16,
    /// Who may come in: `10.0.0.0/8`.
    pub from: String,
}

/// The desired state of a security group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SecurityGroupSpec {
    /// Its name within the VPC.
    pub name: String,
    /// Its VPC.
    pub vpc: Link,
    /// Allowed inbound traffic, sorted.
    pub ingress: Vec<Ingress>,
}

/// A security group as EC2 reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecurityGroupLive {
    /// Its name within the VPC.
    pub name: String,
    /// Its VPC.
    pub vpc: String,
    /// TCP ports by address range, sorted.
    pub ingress: Vec<Ingress>,
    /// Inbound rules of any other form, as EC2 describes them. They were added outside drstack.
    pub other: Vec<String>,
}

/// The security group kind.
pub struct SecurityGroup;

impl Kind for SecurityGroup {
    const NAME: &'static str = "security-group";
    const SUMMARY: &'static str = "security group of the standby region's instances";
    const LOOKUP: Lookup = Lookup::Tag;
    const OPERATIONS: &'static [Operation] = &[
        operation("ec2", "AuthorizeSecurityGroupIngress"),
        operation("ec2", "CreateSecurityGroup"),
        operation("ec2", "CreateTags").also_updates(),
        operation("ec2", "DeleteSecurityGroup"),
        operation("ec2", "DescribeSecurityGroups"),
        operation("ec2", "RevokeSecurityGroupIngress"),
    ];
    const CAPABILITIES: Capabilities = Capabilities {
        keeps_name: Some(&Erased::<Self>::NEW),
        staged: Some(&Erased::<Self>::NEW),
        ..Capabilities::NONE
    };
    type Spec = SecurityGroupSpec;
    type Live = SecurityGroupLive;

    fn diff(spec: &SecurityGroupSpec, live: &SecurityGroupLive) -> Vec<FieldChange> {
        let changes = [
            FieldChange::replacing("name", &live.name, &spec.name),
            FieldChange::replacing("vpc", &live.vpc.as_str(), &spec.vpc.text()),
            FieldChange::of("ingress", &live.ingress, &spec.ingress),
            FieldChange::of("other", &live.other, &Vec::new()),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &SecurityGroupSpec, _id: &str) -> SecurityGroupLive {
        SecurityGroupLive {
            name: spec.name.clone(),
            vpc: spec.vpc.text().to_owned(),
            ingress: spec.ingress.clone(),
            other: Vec::new(),
        }
    }

    fn links(live: &SecurityGroupLive) -> Vec<String> {
        vec![live.vpc.clone()]
    }
}

impl KeepsName for SecurityGroup {
    const NAME_IS_ID: bool = false;
    const IS_UNIQUE: bool = false;

    fn under_its_name(spec: &SecurityGroupSpec, _id: &str, live: &SecurityGroupLive) -> SecurityGroupSpec {
        SecurityGroupSpec { name: live.name.clone(), ..spec.clone() }
    }
}

impl Staged for SecurityGroup {
    /// The group is created without rules; its rules take one more call.
    fn halfway(spec: &SecurityGroupSpec, id: &str) -> Vec<Halfway<SecurityGroupLive>> {
        let shut = SecurityGroupLive { ingress: Vec::new(), ..Self::expect(spec, id) };
        vec![Halfway::tagged(shut)]
    }
}

#[cfg(feature = "aws")]
mod aws;
