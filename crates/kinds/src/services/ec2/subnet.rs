//! The subnet kind: one subnet per zone of the standby network.

use drstack_core::kind::{FieldChange, Kind, Lookup, Operation};
use drstack_core::link::Link;
use serde::{Deserialize, Serialize};

use crate::services::operation;

/// The desired state of a subnet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SubnetSpec {
    /// Its VPC.
    pub vpc: Link,
    /// Its part of the VPC's range.
    pub cidr: String,
    /// Its availability zone.
    pub zone: String,
}

/// A subnet as EC2 reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubnetLive {
    /// Its VPC.
    pub vpc: String,
    /// Its part of the VPC's range.
    pub cidr: String,
    /// Its availability zone.
    pub zone: String,
}

/// The subnet kind.
pub struct Subnet;

impl Kind for Subnet {
    const NAME: &'static str = "subnet";
    const SUMMARY: &'static str = "private subnet in one zone of the standby region";
    const LOOKUP: Lookup = Lookup::Tag;
    const OPERATIONS: &'static [Operation] = &[
        operation("ec2", "CreateSubnet"),
        operation("ec2", "CreateTags").also_updates(),
        operation("ec2", "DeleteSubnet"),
        operation("ec2", "DescribeSubnets"),
    ];
    type Spec = SubnetSpec;
    type Live = SubnetLive;

    fn diff(spec: &SubnetSpec, live: &SubnetLive) -> Vec<FieldChange> {
        let changes = [
            FieldChange::replacing("vpc", &live.vpc.as_str(), &spec.vpc.text()),
            FieldChange::replacing("cidr", &live.cidr, &spec.cidr),
            FieldChange::replacing("zone", &live.zone, &spec.zone),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &SubnetSpec, _id: &str) -> SubnetLive {
        SubnetLive { vpc: spec.vpc.text().to_owned(), cidr: spec.cidr.clone(), zone: spec.zone.clone() }
    }

    fn links(live: &SubnetLive) -> Vec<String> {
        vec![live.vpc.clone()]
    }
}

#[cfg(feature = "aws")]
mod aws;
