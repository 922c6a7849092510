use aws_sdk_ec2::types::{Filter, ResourceType, VpcEndpoint, VpcEndpointType};
use drstack_core::cloud::{Call, CloudError};
use drstack_core::kind::FieldChange;

use super::{GatewayEndpoint, GatewayEndpointLive, GatewayEndpointSpec, texts};
use crate::aws::tags::{named, owner};
use crate::aws::{Driver, Looked, Seen, Target, by_id};
use crate::services::ec2::calls::{filter, made, owned, tag, tag_map, tagged};

const DELETE: &str = "ec2:DeleteVpcEndpoints";

impl Driver for GatewayEndpoint {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<GatewayEndpointLive> {
        by_id(ids, list(at, filter("vpc-endpoint-id", ids)).await)
    }

    async fn list_owned(at: &Target<'_>, _: &[String]) -> Result<Vec<Seen<GatewayEndpointLive>>, CloudError> {
        list(at, owned(at)).await
    }

    async fn create(
        at: &Target<'_>,
        call: &Call,
        spec: &GatewayEndpointSpec,
    ) -> Result<Seen<GatewayEndpointLive>, CloudError> {
        const OPERATION: &str = "ec2:CreateVpcEndpoint";
        let make = at
            .ec2()
            .create_vpc_endpoint()
            .vpc_endpoint_type(VpcEndpointType::Gateway)
            .vpc_id(spec.vpc.text())
            .service_name(&spec.service)
            .set_route_table_ids(Some(texts(&spec.route_tables)))
            .client_token(&call.token)
            .tag_specifications(tagged(ResourceType::VpcEndpoint, &named(call, spec)));
        let answer = make.send().await.map_err(|error| at.failed(OPERATION, error))?;
        Ok(seen(at, made(OPERATION, answer.vpc_endpoint)?))
    }

    async fn update(
        at: &Target<'_>,
        call: &Call,
        id: &str,
        spec: &GatewayEndpointSpec,
        _: &[FieldChange],
    ) -> Result<(), CloudError> {
        let live = list(at, filter("vpc-endpoint-id", [id])).await?.into_iter().next();
        let live = live.map(|seen| seen.live.route_tables).unwrap_or_default();
        let wanted = texts(&spec.route_tables);
        let only = |these: &[String], others: &[String]| -> Option<Vec<String>> {
            let only: Vec<_> = these.iter().filter(|it| !others.contains(it)).cloned().collect();
            (!only.is_empty()).then_some(only)
        };
        let change = at
            .ec2()
            .modify_vpc_endpoint()
            .vpc_endpoint_id(id)
            .set_add_route_table_ids(only(&wanted, &live))
            .set_remove_route_table_ids(only(&live, &wanted));
        change.send().await.map_err(|error| at.failed("ec2:ModifyVpcEndpoint", error))?;
        tag(at, id, &named(call, spec)).await
    }

    async fn delete(at: &Target<'_>, _: &Call, id: &str) -> Result<(), CloudError> {
        let gone = at.ec2().delete_vpc_endpoints().vpc_endpoint_ids(id).send().await;
        let gone = gone.map_err(|error| at.failed(DELETE, error))?;
        let refused = gone.unsuccessful.unwrap_or_default().into_iter().find_map(|it| it.error);
        match refused {
            Some(error) if error.code.as_deref() != Some("InvalidVpcEndpointId.NotFound") => {
                Err(CloudError::Conflict {
                    operation: DELETE.to_owned(),
                    message: error.message.or(error.code).unwrap_or_default(),
                })
            }
            _ => Ok(()),
        }
    }
}

async fn list(at: &Target<'_>, which: Filter) -> Result<Vec<Seen<GatewayEndpointLive>>, CloudError> {
    let mut found = Vec::new();
    let mut pages = at.ec2().describe_vpc_endpoints().filters(which).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| at.failed("ec2:DescribeVpcEndpoints", error))?;
        found.extend(page.vpc_endpoints.unwrap_or_default().into_iter().map(|it| seen(at, it)));
    }
    found.retain(|seen| seen.live.state != "deleted");
    Ok(found)
}

fn seen(at: &Target<'_>, endpoint: VpcEndpoint) -> Seen<GatewayEndpointLive> {
    let mut route_tables = endpoint.route_table_ids.unwrap_or_default();
    route_tables.sort();
    let live = GatewayEndpointLive {
        vpc: endpoint.vpc_id.unwrap_or_default(),
        service: endpoint.service_name.unwrap_or_default(),
        route_tables,
        // EC2 reports `Available` in some answers and `available` in others.
        state: endpoint.state.map(|it| it.as_str().to_lowercase()).unwrap_or_default(),
    };
    Seen {
        id: endpoint.vpc_endpoint_id.unwrap_or_default(),
        owner: owner(&tag_map(endpoint.tags), at.scope),
        live,
    }
}
