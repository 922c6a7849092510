//! Samples of networks.

use drstack_kinds::resources::{GatewayEndpoint, RouteTable, SecurityGroup, Subnet, Vpc};
use drstack_kinds::services::ec2::gateway_endpoint::GatewayEndpointSpec;
use drstack_kinds::services::ec2::route_table::RouteTableSpec;
use drstack_kinds::services::ec2::security_group::{Ingress, SecurityGroupSpec};
use drstack_kinds::services::ec2::subnet::SubnetSpec;
use drstack_kinds::services::ec2::vpc::VpcSpec;

use super::{STATE, Sample, known, sample};

pub(super) fn samples() -> Vec<Sample> {
    let vpc = || known("vpc-1");
    let group = SecurityGroupSpec { name: "drstack-fleet-network".into(), vpc: vpc(), ingress: Vec::new() };
    let ingress = vec![Ingress { port: 443, from: "10.0.0.0/8".into() }];
    vec![
        sample::<Vpc>(&VpcSpec { cidr: "10.64.0.0/16".into() }, &[], &[]),
        sample::<Subnet>(
            &SubnetSpec { vpc: vpc(), cidr: "10.64.0.0/19".into(), zone: "us-west-2a".into() },
            &[],
            &[],
        ),
        sample::<RouteTable>(
            &RouteTableSpec { vpc: vpc(), subnets: vec![known("subnet-2"), known("subnet-1")] },
            &[],
            &[],
        ),
        sample::<GatewayEndpoint>(
            &GatewayEndpointSpec {
                vpc: vpc(),
                service: "com.amazonaws.us-west-2.s3".into(),
                route_tables: vec![known("rtb-1")],
            },
            &[("state", STATE)],
            &[],
        ),
        sample::<SecurityGroup>(&group, &[], &[]),
        sample::<SecurityGroup>(&SecurityGroupSpec { ingress, ..group.clone() }, &[], &[]),
    ]
}
