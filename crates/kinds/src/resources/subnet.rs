//! A subnet of the standby network, one a zone.

use drstack_core::kind::{FieldChange, Kind, Lookup, Operation};
use drstack_core::link::Link;
use serde::{Deserialize, Serialize};

use super::operation;

/// What is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SubnetSpec {
    /// Its VPC.
    pub vpc: Link,
    /// Its part of the VPC's range.
    pub cidr: String,
    /// Its availability zone.
    pub zone: String,
}

/// What EC2 reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubnetLive {
    /// Its VPC.
    pub vpc: String,
    /// Its part of the VPC's range.
    pub cidr: String,
    /// Its availability zone.
    pub zone: String,
}

/// See the module.
pub struct Subnet;

impl Kind for Subnet {
    const NAME: &'static str = "subnet";
    const SUMMARY: &'static str = "private subnet in one zone of the standby region";
    const LOOKUP: Lookup = Lookup::Tag;
    const OPERATIONS: &'static [Operation] = &[
        operation("ec2", "CreateSubnet"),
        operation("ec2", "CreateTags"),
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
mod aws {
    use aws_sdk_ec2::types::{Filter, ResourceType, Subnet as Answer};
    use drstack_core::cloud::{Call, CloudError};
    use drstack_core::kind::FieldChange;

    use super::{Subnet, SubnetLive, SubnetSpec};
    use crate::aws::ec2::{filter, made, owned, tag, tag_map, tagged};
    use crate::aws::tags::{named, owner};
    use crate::aws::{Driver, Looked, Seen, Target, absent, by_id};

    impl Driver for Subnet {
        async fn read(at: &Target<'_>, ids: &[String]) -> Looked<SubnetLive> {
            by_id(ids, list(at, filter("subnet-id", ids)).await)
        }

        async fn list_owned(at: &Target<'_>, _: &[String]) -> Result<Vec<Seen<SubnetLive>>, CloudError> {
            list(at, owned(at)).await
        }

        async fn create(
            at: &Target<'_>,
            call: &Call,
            spec: &SubnetSpec,
        ) -> Result<Seen<SubnetLive>, CloudError> {
            const OPERATION: &str = "ec2:CreateSubnet";
            let tags = tagged(ResourceType::Subnet, &named(call, spec));
            let make = at.ec2().create_subnet().vpc_id(spec.vpc.text()).cidr_block(&spec.cidr);
            let answer = make.availability_zone(&spec.zone).tag_specifications(tags).send().await;
            let subnet = made(OPERATION, answer.map_err(|error| at.failed(OPERATION, error))?.subnet)?;
            Ok(seen(at, subnet))
        }

        async fn update(
            at: &Target<'_>,
            call: &Call,
            id: &str,
            spec: &SubnetSpec,
            _: &[FieldChange],
        ) -> Result<(), CloudError> {
            tag(at, id, &named(call, spec)).await
        }

        async fn delete(at: &Target<'_>, _: &Call, id: &str) -> Result<(), CloudError> {
            let gone = at.ec2().delete_subnet().subnet_id(id).send().await;
            absent(at, "ec2:DeleteSubnet", &["InvalidSubnetID.NotFound"], gone).map(drop)
        }
    }

    async fn list(at: &Target<'_>, which: Filter) -> Result<Vec<Seen<SubnetLive>>, CloudError> {
        let mut found = Vec::new();
        let mut pages = at.ec2().describe_subnets().filters(which).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| at.failed("ec2:DescribeSubnets", error))?;
            found.extend(page.subnets.unwrap_or_default().into_iter().map(|subnet| seen(at, subnet)));
        }
        Ok(found)
    }

    fn seen(at: &Target<'_>, subnet: Answer) -> Seen<SubnetLive> {
        let live = SubnetLive {
            vpc: subnet.vpc_id.unwrap_or_default(),
            cidr: subnet.cidr_block.unwrap_or_default(),
            zone: subnet.availability_zone.unwrap_or_default(),
        };
        Seen { id: subnet.subnet_id.unwrap_or_default(), owner: owner(&tag_map(subnet.tags), at.scope), live }
    }
}
