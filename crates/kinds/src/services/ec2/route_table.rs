//! The standby network's route table: local routes, and those that the gateway endpoints add.

use drstack_core::kind::{Capabilities, Erased, FieldChange, Halfway, Kind, Lookup, Operation, Staged};
use drstack_core::link::Link;
use serde::{Deserialize, Serialize};

use crate::services::{operation, texts};

/// What is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RouteTableSpec {
    /// Its VPC.
    pub vpc: Link,
    /// The subnets that use it.
    pub subnets: Vec<Link>,
}

/// What EC2 reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteTableLive {
    /// Its VPC.
    pub vpc: String,
    /// The subnets that use it, sorted.
    pub subnets: Vec<String>,
}

/// See the module.
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
        Capabilities { staged: Some(&Erased::<Self>::NEW), ..Capabilities::NONE };
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
        [vec![live.vpc.clone()], live.subnets.clone()].concat()
    }
}

impl Staged for RouteTable {
    /// It is made in its VPC; its subnets take a call each.
    fn halfway(spec: &RouteTableSpec, id: &str) -> Vec<Halfway<RouteTableLive>> {
        let whole = Self::expect(spec, id);
        let with =
            |number: usize| RouteTableLive { subnets: whole.subnets[..number].to_vec(), ..whole.clone() };
        (0..whole.subnets.len()).map(|number| Halfway::tagged(with(number))).collect()
    }
}

#[cfg(feature = "aws")]
mod aws;
