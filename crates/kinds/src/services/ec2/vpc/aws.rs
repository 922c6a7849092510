use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType, Vpc as Answer, VpcAttributeName};
use drstack_core::cloud::{Call, CloudError};
use drstack_core::kind::FieldChange;

use super::{Vpc, VpcLive, VpcSpec};
use crate::aws::tags::{named, owner};
use crate::aws::{Driver, Looked, Seen, Target, absent, by_id};
use crate::services::ec2::calls::{filter, made, owned, tag, tag_map, tagged};

impl Driver for Vpc {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<VpcLive> {
        by_id(ids, list(at, filter("vpc-id", ids)).await)
    }

    async fn list_owned(at: &Target<'_>, _: &[String]) -> Result<Vec<Seen<VpcLive>>, CloudError> {
        list(at, owned(at)).await
    }

    async fn create(at: &Target<'_>, call: &Call, spec: &VpcSpec) -> Result<Seen<VpcLive>, CloudError> {
        const OPERATION: &str = "ec2:CreateVpc";
        let tags = tagged(ResourceType::Vpc, &named(call, spec));
        let make = at.ec2().create_vpc().cidr_block(&spec.cidr).tag_specifications(tags);
        // Each call makes a VPC, and none has a token: the engine looks before it repeats one.
        let once = aws_sdk_ec2::config::Builder::new().retry_config(RetryConfig::disabled());
        let answer = make.customize().config_override(once).send().await;
        let vpc = made(OPERATION, answer.map_err(|error| at.failed(OPERATION, error))?.vpc)?;
        // The update that follows enables DNS names, where the change is visible.
        Ok(seen(at, vpc, false))
    }

    async fn update(
        at: &Target<'_>,
        call: &Call,
        id: &str,
        spec: &VpcSpec,
        _: &[FieldChange],
    ) -> Result<(), CloudError> {
        let on = AttributeBooleanValue::builder().value(true).build();
        let put = at.ec2().modify_vpc_attribute().vpc_id(id).enable_dns_hostnames(on).send().await;
        put.map_err(|error| at.failed("ec2:ModifyVpcAttribute", error))?;
        tag(at, id, &named(call, spec)).await
    }

    async fn delete(at: &Target<'_>, _: &Call, id: &str) -> Result<(), CloudError> {
        let gone = at.ec2().delete_vpc().vpc_id(id).send().await;
        absent(at, "ec2:DeleteVpc", &["InvalidVpcID.NotFound"], gone).map(drop)
    }
}

async fn list(at: &Target<'_>, which: aws_sdk_ec2::types::Filter) -> Result<Vec<Seen<VpcLive>>, CloudError> {
    let mut found = Vec::new();
    let mut pages = at.ec2().describe_vpcs().filters(which).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| at.failed("ec2:DescribeVpcs", error))?;
        for vpc in page.vpcs.unwrap_or_default() {
            let names = dns_names(at, vpc.vpc_id.as_deref().unwrap_or_default()).await?;
            found.push(seen(at, vpc, names));
        }
    }
    Ok(found)
}

async fn dns_names(at: &Target<'_>, id: &str) -> Result<bool, CloudError> {
    let ask = at.ec2().describe_vpc_attribute().vpc_id(id);
    let answer = ask.attribute(VpcAttributeName::EnableDnsHostnames).send().await;
    let answer = answer.map_err(|error| at.failed("ec2:DescribeVpcAttribute", error))?;
    Ok(answer.enable_dns_hostnames.and_then(|it| it.value) == Some(true))
}

fn seen(at: &Target<'_>, vpc: Answer, dns_names: bool) -> Seen<VpcLive> {
    let live = VpcLive { cidr: vpc.cidr_block.unwrap_or_default(), dns_names };
    Seen { id: vpc.vpc_id.unwrap_or_default(), owner: owner(&tag_map(vpc.tags), at.scope), live }
}
