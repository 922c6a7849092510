use aws_sdk_ec2::types::{Filter, IpPermission, IpRange, ResourceType, SecurityGroup as Answer};
use drstack_core::cloud::{Call, CloudError};
use drstack_core::kind::FieldChange;

use super::{Ingress, SecurityGroup, SecurityGroupLive, SecurityGroupSpec};
use crate::aws::tags::{named, owner_by_name};
use crate::aws::{Driver, Looked, Seen, Target, absent, by_id, has_code};
use crate::services::ec2::calls::{filter, made, owned, tag, tag_map, tagged};

const OPEN: &str = "ec2:AuthorizeSecurityGroupIngress";
const SHUT: &str = "ec2:RevokeSecurityGroupIngress";

impl Driver for SecurityGroup {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<SecurityGroupLive> {
        let answers = list(at, filter("group-id", ids)).await;
        by_id(ids, answers.map(|groups| groups.into_iter().map(|it| seen(at, it)).collect()))
    }

    async fn list_owned(at: &Target<'_>, _: &[String]) -> Result<Vec<Seen<SecurityGroupLive>>, CloudError> {
        Ok(list(at, owned(at)).await?.into_iter().map(|group| seen(at, group)).collect())
    }

    async fn create(
        at: &Target<'_>,
        call: &Call,
        spec: &SecurityGroupSpec,
    ) -> Result<Seen<SecurityGroupLive>, CloudError> {
        const OPERATION: &str = "ec2:CreateSecurityGroup";
        let make = at
            .ec2()
            .create_security_group()
            .group_name(&spec.name)
            .description(format!("{} of drstack stack {}", call.address.component(), call.scope.stack))
            .vpc_id(spec.vpc.text())
            .tag_specifications(tagged(ResourceType::SecurityGroup, &named(call, spec)));
        let id = match make.send().await {
            Ok(answer) => made(OPERATION, answer.group_id)?,
            Err(error) => return Err(at.failed(OPERATION, error)),
        };
        // The update that follows adds the rules, where the change is visible.
        let live = SecurityGroupLive {
            name: spec.name.clone(),
            vpc: spec.vpc.text().to_owned(),
            ingress: Vec::new(),
            other: Vec::new(),
        };
        Ok(Seen { id, owner: owner_by_name(&named(call, spec), at.scope, &spec.name), live })
    }

    async fn update(
        at: &Target<'_>,
        call: &Call,
        id: &str,
        spec: &SecurityGroupSpec,
        _: &[FieldChange],
    ) -> Result<(), CloudError> {
        let live = list(at, filter("group-id", [id])).await?.into_iter().next();
        let live = live.and_then(|group| group.ip_permissions).unwrap_or_default();
        let wanted = |door: &Ingress| spec.ingress.contains(door);
        let surplus: Vec<IpPermission> =
            live.iter().filter(|it| !doors(it).is_some_and(|all| all.iter().all(wanted))).cloned().collect();
        let kept: Vec<Ingress> = live.iter().filter_map(doors).flatten().filter(|it| wanted(it)).collect();
        if !surplus.is_empty() {
            let shut = at.ec2().revoke_security_group_ingress().group_id(id);
            let shut = shut.set_ip_permissions(Some(surplus.clone())).send().await;
            absent(at, SHUT, &["InvalidPermission.NotFound"], shut)?;
        }
        let still_open = |door: &&Ingress| {
            kept.contains(door) && !surplus.iter().filter_map(doors).flatten().any(|it| it == **door)
        };
        let missing: Vec<IpPermission> =
            spec.ingress.iter().filter(|door| !still_open(door)).map(permission).collect();
        if !missing.is_empty() {
            let open = at.ec2().authorize_security_group_ingress().group_id(id);
            match open.set_ip_permissions(Some(missing)).send().await {
                Ok(_) => {}
                Err(error) if has_code(&error, &["InvalidPermission.Duplicate"]) => {}
                Err(error) => return Err(at.failed(OPEN, error)),
            }
        }
        tag(at, id, &named(call, spec)).await
    }

    async fn delete(at: &Target<'_>, _: &Call, id: &str) -> Result<(), CloudError> {
        let gone = at.ec2().delete_security_group().group_id(id).send().await;
        absent(at, "ec2:DeleteSecurityGroup", &["InvalidGroup.NotFound"], gone).map(drop)
    }
}

async fn list(at: &Target<'_>, which: Filter) -> Result<Vec<Answer>, CloudError> {
    let mut found = Vec::new();
    let mut pages = at.ec2().describe_security_groups().filters(which).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| at.failed("ec2:DescribeSecurityGroups", error))?;
        found.extend(page.security_groups.unwrap_or_default());
    }
    Ok(found)
}

fn permission(door: &Ingress) -> IpPermission {
    let port = i32::from(door.port);
    let range = IpRange::builder().cidr_ip(&door.from).description("drstack").build();
    IpPermission::builder().ip_protocol("tcp").from_port(port).to_port(port).ip_ranges(range).build()
}

/// Returns the rules of a permission in drstack's own form: one TCP port, address ranges only.
fn doors(permission: &IpPermission) -> Option<Vec<Ingress>> {
    let port = permission.from_port.and_then(|port| u16::try_from(port).ok())?;
    let others = !permission.ipv6_ranges.as_deref().unwrap_or_default().is_empty()
        || !permission.user_id_group_pairs.as_deref().unwrap_or_default().is_empty()
        || !permission.prefix_list_ids.as_deref().unwrap_or_default().is_empty();
    if permission.ip_protocol.as_deref() != Some("tcp")
        || permission.to_port != permission.from_port
        || others
    {
        return None;
    }
    let ranges = permission.ip_ranges.as_deref().unwrap_or_default();
    Some(ranges.iter().filter_map(|it| Some(Ingress { port, from: it.cidr_ip.clone()? })).collect())
}

fn seen(at: &Target<'_>, group: Answer) -> Seen<SecurityGroupLive> {
    let permissions = group.ip_permissions.unwrap_or_default();
    let mut ingress: Vec<Ingress> = permissions.iter().filter_map(doors).flatten().collect();
    ingress.sort();
    let other = permissions.iter().filter(|it| doors(it).is_none()).map(|it| format!("{it:?}")).collect();
    let live = SecurityGroupLive {
        name: group.group_name.unwrap_or_default(),
        vpc: group.vpc_id.unwrap_or_default(),
        ingress,
        other,
    };
    let owner = owner_by_name(&tag_map(group.tags), at.scope, &live.name);
    Seen { id: group.group_id.unwrap_or_default(), owner, live }
}
