//! The route table kind: the standby network's local routes, and the routes that gateway endpoints
//! add.

use drstack_core::kind::{Capabilities, Erased, FieldChange, Halfway, Kind, Lookup, Operation, Staged};
use drstack_core::link::Link;
use serde::{Deserialize, Serialize};

use crate::services::{operation, texts};

/// The desired state of a route table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RouteTableSpec {
    /// Its VPC.
    pub vpc: Link,
    /// The subnets that use it.
    pub subnets: Vec<Link>,
}

/// A route table as EC2 reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteTableLive {
    /// Its VPC.
    pub vpc: String,
    /// The subnets that use it, sorted.
    pub subnets: Vec<String>,
}

/// The route table kind.
pub struct RouteTable;

impl Kind for RouteTable {
    const NAME: &'static str = "route-table";
    const SUMMARY: &'static str = "route table of the standby region's subnets";
    const LOOKUP: Lookup = Lookup::Tag;
    const OPERATIONS: &'static [Operation] = &[
        operation("ec2", "AssociateRouteTable"),
        operation("ec2", "CreateRouteTable"),
        operation("ec2", "CreateTags").also_updates(),
        operation("ec2", "DeleteRouteTable"),
        operation("ec2", "DescribeRouteTables"),
        operation("ec2", "DisassociateRouteTable"),
    ];
    const CAPABILITIES: Capabilities =
        Capabilities { staged: Some(&Erased::<Self>::NEW), carries: Some("subnets"), ..Capabilities::NONE };
    type Spec = RouteTableSpec;
    type Live = RouteTableLive;

    fn diff(spec: &RouteTableSpec, live: &RouteTableLive) -> Vec<FieldChange> {
        let changes = [
            FieldChange::replacing("vpc", &live.vpc.as_str(), &spec.vpc.text()),
            FieldChange::of("subnets", &live.subnets, &texts(&spec.subnets)),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &RouteTableSpec, _id: &str) -> RouteTableLive {
        RouteTableLive { vpc: spec.vpc.text().to_owned(), subnets: texts(&spec.subnets) }
    }

    fn links(live: &RouteTableLive) -> Vec<String> {
        // Not its subnets: those are deleted first, and AWS ends the association with them.
        vec![live.vpc.clone()]
    }
}

impl Staged for RouteTable {
    /// The table is created in its VPC; each subnet takes one more call.
    fn halfway(spec: &RouteTableSpec, id: &str) -> Vec<Halfway<RouteTableLive>> {
        let whole = Self::expect(spec, id);
        let with =
            |number: usize| RouteTableLive { subnets: whole.subnets[..number].to_vec(), ..whole.clone() };
        (0..whole.subnets.len()).map(|number| Halfway::tagged(with(number))).collect()
    }
}

#[cfg(feature = "aws")]
mod aws;
