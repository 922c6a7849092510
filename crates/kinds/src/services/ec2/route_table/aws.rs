use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, ResourceType, RouteTable as Answer};
use drstack_core::cloud::{Call, CloudError};
use drstack_core::kind::FieldChange;

use super::{RouteTable, RouteTableLive, RouteTableSpec, texts};
use crate::aws::tags::{named, owner};
use crate::aws::{Driver, Looked, Seen, Target, absent, by_id};
use crate::services::ec2::calls::{filter, made, owned, tag, tag_map, tagged};

const NONE: &[&str] = &["InvalidRouteTableID.NotFound"];

impl Driver for RouteTable {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<RouteTableLive> {
        let answers = list(at, filter("route-table-id", ids)).await;
        by_id(ids, answers.map(|tables| tables.into_iter().map(|it| seen(at, it)).collect()))
    }

    async fn list_owned(at: &Target<'_>, _: &[String]) -> Result<Vec<Seen<RouteTableLive>>, CloudError> {
        Ok(list(at, owned(at)).await?.into_iter().map(|table| seen(at, table)).collect())
    }

    async fn create(
        at: &Target<'_>,
        call: &Call,
        spec: &RouteTableSpec,
    ) -> Result<Seen<RouteTableLive>, CloudError> {
        const OPERATION: &str = "ec2:CreateRouteTable";
        let tags = tagged(ResourceType::RouteTable, &named(call, spec));
        let make = at.ec2().create_route_table().vpc_id(spec.vpc.text()).client_token(&call.token);
        let answer = make.tag_specifications(tags).send().await;
        let table = made(OPERATION, answer.map_err(|error| at.failed(OPERATION, error))?.route_table)?;
        // The update that follows adds the subnets, where the change is visible.
        Ok(seen(at, table))
    }

    async fn update(
        at: &Target<'_>,
        call: &Call,
        id: &str,
        spec: &RouteTableSpec,
        _: &[FieldChange],
    ) -> Result<(), CloudError> {
        let live = list(at, filter("route-table-id", [id])).await?.into_iter().next();
        let live = associations(live.as_ref());
        let wanted = texts(&spec.subnets);
        for association in live.iter().filter(|(subnet, _)| !wanted.contains(subnet)).map(|(_, it)| it) {
            let gone = at.ec2().disassociate_route_table().association_id(association).send().await;
            let none = &["InvalidAssociationID.NotFound"];
            absent(at, "ec2:DisassociateRouteTable", none, gone)?;
        }
        for subnet in wanted.iter().filter(|subnet| !live.contains_key(*subnet)) {
            let put = at.ec2().associate_route_table().route_table_id(id).subnet_id(subnet).send().await;
            put.map_err(|error| at.failed("ec2:AssociateRouteTable", error))?;
        }
        tag(at, id, &named(call, spec)).await
    }

    async fn delete(at: &Target<'_>, _: &Call, id: &str) -> Result<(), CloudError> {
        let live = list(at, filter("route-table-id", [id])).await?.into_iter().next();
        for association in associations(live.as_ref()).into_values() {
            let gone = at.ec2().disassociate_route_table().association_id(association).send().await;
            let none = &["InvalidAssociationID.NotFound"];
            absent(at, "ec2:DisassociateRouteTable", none, gone)?;
        }
        let gone = at.ec2().delete_route_table().route_table_id(id).send().await;
        absent(at, "ec2:DeleteRouteTable", NONE, gone).map(drop)
    }
}

async fn list(at: &Target<'_>, which: Filter) -> Result<Vec<Answer>, CloudError> {
    let mut found = Vec::new();
    let mut pages = at.ec2().describe_route_tables().filters(which).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| at.failed("ec2:DescribeRouteTables", error))?;
        found.extend(page.route_tables.unwrap_or_default());
    }
    Ok(found)
}

/// Returns the association ids by subnet.
fn associations(table: Option<&Answer>) -> BTreeMap<String, String> {
    let all = table.and_then(|table| table.associations.as_deref()).unwrap_or_default();
    all.iter()
        .filter_map(|it| Some((it.subnet_id.clone()?, it.route_table_association_id.clone()?)))
        .collect()
}

fn seen(at: &Target<'_>, table: Answer) -> Seen<RouteTableLive> {
    let live = RouteTableLive {
        subnets: associations(Some(&table)).into_keys().collect(),
        vpc: table.vpc_id.unwrap_or_default(),
    };
    Seen { id: table.route_table_id.unwrap_or_default(), owner: owner(&tag_map(table.tags), at.scope), live }
}
