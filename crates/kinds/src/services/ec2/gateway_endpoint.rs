//! The gateway endpoint kind: access from the standby network to S3 or DynamoDB without the
//! internet, at no cost.

use drstack_core::kind::{FieldChange, Kind, Lookup, Operation, Readiness};
use drstack_core::link::Link;
use serde::{Deserialize, Serialize};

use crate::services::{operation, texts};

/// The desired state of a gateway endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GatewayEndpointSpec {
    /// Its VPC.
    pub vpc: Link,
    /// `com.amazonaws.REGION.s3` or `.dynamodb`.
    pub service: String,
    /// The route tables it adds routes to.
    pub route_tables: Vec<Link>,
}

/// A gateway endpoint as EC2 reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GatewayEndpointLive {
    /// Its VPC.
    pub vpc: String,
    /// Its service.
    pub service: String,
    /// The route tables it adds routes to, sorted.
    pub route_tables: Vec<String>,
    /// `available` when it can be relied on.
    pub state: String,
}

/// The gateway endpoint kind.
pub struct GatewayEndpoint;

impl Kind for GatewayEndpoint {
    const NAME: &'static str = "gateway-endpoint";
    const SUMMARY: &'static str = "way from the standby network to S3 or DynamoDB without the internet";
    const LOOKUP: Lookup = Lookup::Tag;
    const OPERATIONS: &'static [Operation] = &[
        operation("ec2", "CreateTags").also_updates(),
        operation("ec2", "CreateVpcEndpoint"),
        operation("ec2", "DeleteVpcEndpoints"),
        operation("ec2", "DescribeVpcEndpoints"),
        operation("ec2", "ModifyVpcEndpoint"),
    ];
    type Spec = GatewayEndpointSpec;
    type Live = GatewayEndpointLive;

    fn diff(spec: &GatewayEndpointSpec, live: &GatewayEndpointLive) -> Vec<FieldChange> {
        let changes = [
            FieldChange::replacing("vpc", &live.vpc.as_str(), &spec.vpc.text()),
            FieldChange::replacing("service", &live.service, &spec.service),
            FieldChange::of("route_tables", &live.route_tables, &texts(&spec.route_tables)),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &GatewayEndpointSpec, _id: &str) -> GatewayEndpointLive {
        GatewayEndpointLive {
            vpc: spec.vpc.text().to_owned(),
            service: spec.service.clone(),
            route_tables: texts(&spec.route_tables),
            state: "available".to_owned(),
        }
    }

    fn ready(_spec: &GatewayEndpointSpec, live: &GatewayEndpointLive) -> Readiness {
        match live.state.as_str() {
            "available" => Readiness::Ready,
            "failed" | "rejected" | "expired" => Readiness::Failed(format!("endpoint is {}", live.state)),
            other => Readiness::Waiting(format!("endpoint is {other}")),
        }
    }

    fn links(live: &GatewayEndpointLive) -> Vec<String> {
        [vec![live.vpc.clone()], live.route_tables.clone()].concat()
    }
}

#[cfg(feature = "aws")]
mod aws;
