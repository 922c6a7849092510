//! The VPC kind: the standby network.

use drstack_core::kind::{Capabilities, Erased, FieldChange, Halfway, Kind, Lookup, Operation, Staged};
use serde::{Deserialize, Serialize};

use crate::services::operation;

/// The desired state of a VPC.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VpcSpec {
    /// Its address range.
    pub cidr: String,
}

/// A VPC as EC2 reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VpcLive {
    /// Its address range.
    pub cidr: String,
    /// True if instances get DNS names.
    pub dns_names: bool,
}

/// The VPC kind.
pub struct Vpc;

impl Kind for Vpc {
    const NAME: &'static str = "vpc";
    const SUMMARY: &'static str = "VPC of the standby region";
    const LOOKUP: Lookup = Lookup::Tag;
    const OPERATIONS: &'static [Operation] = &[
        operation("ec2", "CreateTags").also_updates(),
        operation("ec2", "CreateVpc"),
        operation("ec2", "DeleteVpc"),
        operation("ec2", "DescribeVpcAttribute"),
        operation("ec2", "DescribeVpcs"),
        operation("ec2", "ModifyVpcAttribute"),
    ];
    const CAPABILITIES: Capabilities =
        Capabilities { staged: Some(&Erased::<Self>::NEW), ..Capabilities::NONE };
    type Spec = VpcSpec;
    type Live = VpcLive;

    fn diff(spec: &VpcSpec, live: &VpcLive) -> Vec<FieldChange> {
        let changes = [
            FieldChange::replacing("cidr", &live.cidr, &spec.cidr),
            FieldChange::of("dns_names", &live.dns_names, &true),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &VpcSpec, _id: &str) -> VpcLive {
        VpcLive { cidr: spec.cidr.clone(), dns_names: true }
    }
}

impl Staged for Vpc {
    /// DNS names take one more call.
    fn halfway(spec: &VpcSpec, _id: &str) -> Vec<Halfway<VpcLive>> {
        vec![Halfway::tagged(VpcLive { cidr: spec.cidr.clone(), dns_names: false })]
    }
}

#[cfg(feature = "aws")]
mod aws;
