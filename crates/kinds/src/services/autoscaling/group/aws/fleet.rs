//! The calls of a burst: EC2 Fleet launches the instances, the group adopts them.

use std::time::SystemTime;

use aws_sdk_autoscaling::types::Instance as Member;
use aws_sdk_ec2::types::{
    DefaultTargetCapacityType, FleetLaunchTemplateConfigRequest, FleetLaunchTemplateOverridesRequest,
    FleetLaunchTemplateSpecificationRequest, FleetOnDemandAllocationStrategy, FleetType, Instance,
    InstanceStateName, InstanceType, OnDemandOptionsRequest, ResourceType,
    TargetCapacitySpecificationRequest,
};
use drstack_core::cloud::{Call, CloudError};
use drstack_core::kind::Limit;

use super::{Lifecycle, Members, has_code, serves, size};
use crate::aws::once::LastAnswers;
use crate::aws::tags::named;
use crate::aws::{Target, passing};
use crate::services::autoscaling::group::fleet::{
    Answer, BURST, Launched, Next, Refusal, Stage, Subnet, next, pools, token,
};
use crate::services::autoscaling::group::{GroupSpec, texts};
use crate::services::ec2::calls::{filter, owned, tagged};
use crate::services::ec2::limits::limit_in;

const CREATE: &str = "ec2:CreateFleet";
const ATTACH: &str = "autoscaling:AttachInstances";
const TERMINATE: &str = "ec2:TerminateInstances";

/// Maximum number of instances that one call attaches
/// (<https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_AttachInstances.html>).
const ATTACHED: usize = 20;

/// Number of instances that one call terminates: EC2 accepts 1,000 and recommends smaller batches
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html>).
const ENDED: usize = 100;

/// The tag that Auto Scaling puts on the instances of a group.
const GROUP: &str = "aws:autoscaling:groupName";

/// Error code of EC2 for an instance that no longer exists.
const GONE: &[&str] = &["InvalidInstanceID.NotFound"];

/// Executes the next action of the burst for the group of `members`.
///
/// The update is called until no action is left; an action that has to be waited for is a conflict.
pub(super) async fn burst(
    at: &Target<'_>,
    call: &Call,
    spec: &GroupSpec,
    members: &Members,
) -> Result<(), CloudError> {
    let fleets = at.aws.shared.get::<LastAnswers<Answer>>();
    let answer = fleets.of(&spec.name);
    let launched = launched(at, call, members, answer.as_ref()).await?;
    let wait =
        |operation: &str, message: String| CloudError::Conflict { operation: operation.to_owned(), message };
    let short = match next(spec.launches_beside(Some(&members.live)), &launched, answer.as_ref()) {
        Next::Launch(count) => {
            let answer = launch(at, call, spec, count).await?;
            let message = format!("{} of {count} instances launched", answer.instances.len());
            fleets.keep(&spec.name, answer);
            return Err(wait(CREATE, message));
        }
        Next::Adopt(ids) => {
            adopt(at, spec, members, &ids).await?;
            return Err(wait(ATTACH, format!("{} instances join `{}`", ids.len(), spec.name)));
        }
        Next::Wait(message) => return Err(wait(ATTACH, message)),
        Next::Short(why) => Some(why),
        Next::Nothing => None,
    };
    fleets.forget(&spec.name);
    let Some(why) = short else { return Ok(()) };
    let (operation, message) = (CREATE.to_owned(), why.message);
    Err(match why.limit {
        Limit::Capacity => CloudError::NoCapacity { operation, message },
        Limit::Quota => CloudError::Quota { operation, message },
        Limit::Never => CloudError::Invalid { operation, code: "no launch can succeed".to_owned(), message },
    })
}

/// Terminates instances that Fleet launched for the group and that no group has.
///
/// An interrupted failover leaves such instances. EC2 may not show yet that the `members` belong to
/// the group.
pub(super) async fn end_loose(at: &Target<'_>, call: &Call, members: &[Member]) -> Result<(), CloudError> {
    let found = of_burst(at, call).await?;
    let ids: Vec<String> =
        found.iter().filter(|it| is_loose(it, members)).filter_map(|it| it.instance_id.clone()).collect();
    for ids in ids.chunks(ENDED) {
        let end = at.ec2().terminate_instances().set_instance_ids(Some(ids.to_vec()));
        match end.send().await {
            Ok(_) => {}
            // It ended since it was observed; the next observe shows it.
            Err(error) if has_code(&error, GONE) => return Err(passing(TERMINATE, &error)),
            Err(error) => return Err(at.failed(TERMINATE, error)),
        }
    }
    Ok(())
}

/// True if the instance has not ended and no group has it.
fn is_loose(instance: &Instance, members: &[Member]) -> bool {
    use InstanceStateName::{ShuttingDown, Terminated};
    let state = instance.state.as_ref().and_then(|it| it.name.as_ref());
    let has_group = instance.tags().iter().any(|it| it.key() == Some(GROUP));
    let is_member = members.iter().any(|it| it.instance_id == instance.instance_id);
    !matches!(state, None | Some(ShuttingDown | Terminated)) && !has_group && !is_member
}

/// Lists the instances that Fleet launched for the group, including those that have ended.
async fn of_burst(at: &Target<'_>, call: &Call) -> Result<Vec<Instance>, CloudError> {
    let of_group = filter(&format!("tag:{BURST}"), [call.address.as_tag()]);
    let ask = at.ec2().describe_instances().filters(owned(at)).filters(of_group);
    let mut pages = ask.into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| at.failed("ec2:DescribeInstances", error))?;
        let reservations = page.reservations.unwrap_or_default().into_iter();
        found.extend(reservations.flat_map(|it| it.instances.unwrap_or_default()));
    }
    Ok(found)
}

/// Lists the instances that Fleet launched for the group, in this run or an earlier one.
async fn launched(
    at: &Target<'_>,
    call: &Call,
    members: &Members,
    answer: Option<&Answer>,
) -> Result<Vec<Launched>, CloudError> {
    let (mut found, mut ended) = (Vec::new(), Vec::new());
    for instance in of_burst(at, call).await? {
        let Some(id) = instance.instance_id else { continue };
        match instance.state.and_then(|it| it.name) {
            Some(InstanceStateName::Pending) => found.push((id, Stage::Starting)),
            Some(InstanceStateName::Running) => found.push((id, Stage::Running)),
            _ => ended.push(id),
        }
    }
    // Instances launched just now may not be visible everywhere yet.
    let answered = answer.iter().flat_map(|it| &it.instances);
    let unseen = answered.filter(|id| !ended.contains(*id) && !found.iter().any(|(seen, _)| seen == *id));
    let unseen: Vec<_> = unseen.map(|id| (id.clone(), Stage::Starting)).collect();
    let stage = |(id, stage): (String, Stage)| {
        let member = members.instances.iter().find(|it| it.instance_id.as_ref() == Some(&id));
        let stage = match member.map(|it| serves(it, &members.lifecycles)) {
            Some(Some(Lifecycle::OnDemand | Lifecycle::Spot)) => Stage::Serving,
            Some(_) => Stage::Joined,
            None => stage,
        };
        Launched { id, stage }
    };
    Ok(found.into_iter().chain(unseen).map(stage).collect())
}

/// Launches up to `count` on-demand instances, with types in the stack's order.
async fn launch(at: &Target<'_>, call: &Call, spec: &GroupSpec, count: u32) -> Result<Answer, CloudError> {
    let pools = pools(&spec.types_now(), &subnets(at, spec).await?);
    let overrides = pools.into_iter().map(|(of, subnet, priority)| {
        FleetLaunchTemplateOverridesRequest::builder()
            .instance_type(InstanceType::from(of.as_str()))
            .subnet_id(subnet)
            .priority(f64::from(priority))
            .build()
    });
    let template = FleetLaunchTemplateSpecificationRequest::builder()
        .launch_template_id(spec.template.text())
        .version(spec.template_version.text());
    let config = FleetLaunchTemplateConfigRequest::builder()
        .launch_template_specification(template.build())
        .set_overrides(Some(overrides.collect()));
    let target = TargetCapacitySpecificationRequest::builder()
        .total_target_capacity(size(count))
        .on_demand_target_capacity(size(count))
        .default_target_capacity_type(DefaultTargetCapacityType::OnDemand);
    let order =
        OnDemandOptionsRequest::builder().allocation_strategy(FleetOnDemandAllocationStrategy::Prioritized);
    let mut tags = named(call, spec);
    tags.insert(BURST.to_owned(), call.address.as_tag());
    let ask = at
        .ec2()
        .create_fleet()
        .r#type(FleetType::Instant)
        .client_token(token(&call.token, spec, count, SystemTime::now()))
        .launch_template_configs(config.build())
        .target_capacity_specification(target.build())
        .on_demand_options(order.build())
        .tag_specifications(tagged(ResourceType::Instance, &tags));
    let answer = ask.send().await.map_err(|error| at.failed(CREATE, error))?;
    let instances = answer.instances.unwrap_or_default().into_iter();
    let errors = answer.errors.unwrap_or_default().into_iter().map(|it| {
        let (code, text) = (it.error_code.unwrap_or_default(), it.error_message.unwrap_or_default());
        let message = format!("{code}: {text}");
        Refusal { limit: limit_in(&message), message }
    });
    Ok(Answer {
        instances: instances.flat_map(|it| it.instance_ids.unwrap_or_default()).collect(),
        errors: errors.collect(),
    })
}

/// Lists the group's subnets with their zones.
async fn subnets(at: &Target<'_>, spec: &GroupSpec) -> Result<Vec<Subnet>, CloudError> {
    let ask = at.ec2().describe_subnets().filters(filter("subnet-id", texts(&spec.subnets)));
    let mut pages = ask.into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| at.failed("ec2:DescribeSubnets", error))?;
        found.extend(page.subnets.unwrap_or_default().into_iter().filter_map(|it| {
            let free = it.available_ip_address_count.unwrap_or_default();
            Some(Subnet { id: it.subnet_id?, zone: it.availability_zone?, free })
        }));
    }
    Ok(found)
}

/// Attaches the instances to the group. This raises its desired capacity by their number, so its
/// maximum must allow that.
async fn adopt(
    at: &Target<'_>,
    spec: &GroupSpec,
    members: &Members,
    ids: &[String],
) -> Result<(), CloudError> {
    let room = members.live.desired.saturating_add(u32::try_from(ids.len()).unwrap_or(u32::MAX));
    if room > members.live.max {
        let grow = at.autoscaling().update_auto_scaling_group().auto_scaling_group_name(&spec.name);
        let grown = grow.max_size(size(room)).send().await;
        grown.map_err(|error| at.failed("autoscaling:UpdateAutoScalingGroup", error))?;
    }
    for ids in ids.chunks(ATTACHED) {
        let attach = at.autoscaling().attach_instances().auto_scaling_group_name(&spec.name);
        match attach.set_instance_ids(Some(ids.to_vec())).send().await {
            Ok(_) => {}
            // It ended since it was observed, or it joined and reads do not show it yet; the next
            // read shows it.
            Err(error) if has_code(&error, super::INVALID) => return Err(passing(ATTACH, &error)),
            Err(error) => return Err(at.failed(ATTACH, error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{InstanceState, Tag};

    use super::*;

    #[test]
    fn only_what_goes_on_and_no_group_has_is_loose() {
        use InstanceStateName::{Pending, Running, ShuttingDown, Stopped, Stopping, Terminated};
        let tag = |key: &str| Tag::builder().key(key).value("x").build();
        let one = |state: &InstanceStateName, more: Option<Tag>| {
            let state = InstanceState::builder().name(state.clone()).build();
            let tags = [tag(BURST)].into_iter().chain(more).collect();
            Instance::builder().instance_id("i-1").state(state).set_tags(Some(tags)).build()
        };
        for state in [Pending, Running, Stopping, Stopped] {
            assert!(is_loose(&one(&state, None), &[]), "{state}");
            assert!(!is_loose(&one(&state, Some(tag(GROUP))), &[]), "{state}");
        }
        for state in [ShuttingDown, Terminated] {
            assert!(!is_loose(&one(&state, None), &[]), "{state}");
        }
        // Attached a moment ago; EC2 does not report it yet.
        let member = |id: &str| Member::builder().instance_id(id).build();
        assert!(!is_loose(&one(&Running, None), &[member("i-0"), member("i-1")]));
        assert!(is_loose(&one(&Running, None), &[member("i-0")]));
    }
}
