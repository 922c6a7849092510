use aws_sdk_ec2::types::{Filter, ResourceType, Subnet as Answer};
use drstack_core::cloud::{Call, CloudError};
use drstack_core::kind::FieldChange;

use super::{Subnet, SubnetLive, SubnetSpec};
use crate::aws::tags::{named, owner};
use crate::aws::{Driver, Looked, Seen, Target, absent, by_id};
use crate::services::ec2::calls::{filter, made, owned, tag, tag_map, tagged};

impl Driver for Subnet {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<SubnetLive> {
        by_id(ids, list(at, filter("subnet-id", ids)).await)
    }

    async fn list_owned(at: &Target<'_>, _: &[String]) -> Result<Vec<Seen<SubnetLive>>, CloudError> {
        list(at, owned(at)).await
    }

    async fn create(at: &Target<'_>, call: &Call, spec: &SubnetSpec) -> Result<Seen<SubnetLive>, CloudError> {
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
