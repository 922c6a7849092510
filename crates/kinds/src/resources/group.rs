//! A pool's Auto Scaling group: types in the stack's order, spot or on-demand, at the size the posture wants.

use std::time::Duration;

use drstack_core::kind::{Action, Demand, FieldChange, Kind, Lookup, Operation, Readiness, Wait};
use drstack_core::link::Link;
use serde::{Deserialize, Serialize};

use super::{operation, texts};

/// What is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GroupSpec {
    /// Its name.
    pub name: String,
    /// Id of the launch template.
    pub template: Link,
    /// Number of the template's version: a name such as `$Latest` would change instances without a step.
    pub template_version: Link,
    /// Subnets.
    pub subnets: Vec<Link>,
    /// Instance types, best first.
    pub types: Vec<String>,
    /// Fewest instances.
    pub min: u32,
    /// Most instances.
    pub max: u32,
    /// Instances wanted now.
    pub desired: u32,
    /// Per cent of the instances that are on-demand; the rest is spot.
    pub on_demand_percentage: u32,
}

/// What Auto Scaling reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupLive {
    /// Id of the launch template.
    pub template: String,
    /// Number of the template's version.
    pub template_version: String,
    /// Subnets, sorted.
    pub subnets: Vec<String>,
    /// Instance types, best first.
    pub types: Vec<String>,
    /// Fewest instances.
    pub min: u32,
    /// Most instances.
    pub max: u32,
    /// Instances wanted now.
    pub desired: u32,
    /// Per cent of the instances that are on-demand.
    pub on_demand_percentage: u32,
    /// Instances that serve: in service and healthy.
    pub in_service: u32,
    /// `Delete in progress`, while it is being deleted.
    pub status: Option<String>,
}

/// See the module.
pub struct Group;

impl Kind for Group {
    const NAME: &'static str = "group";
    const SUMMARY: &'static str = "Auto Scaling group with a mixed-instances policy, spot or on-demand";
    const LOOKUP: Lookup = Lookup::Tag;
    const WAIT: Wait = Wait {
        // An instance boots, and loads its models, within minutes; a region short of spot takes longer or fails.
        deadline: Duration::from_secs(15 * 60),
        first: Duration::from_secs(1),
        slowest: Duration::from_secs(10),
    };
    const OPERATIONS: &'static [Operation] = &[
        operation("autoscaling", "CreateAutoScalingGroup"),
        operation("autoscaling", "CreateOrUpdateTags"),
        operation("autoscaling", "DeleteAutoScalingGroup"),
        operation("autoscaling", "DescribeAutoScalingGroups"),
        operation("autoscaling", "UpdateAutoScalingGroup"),
        operation("ec2", "RunInstances"),
        operation("iam", "CreateServiceLinkedRole"),
        operation("iam", "PassRole"),
    ];
    type Spec = GroupSpec;
    type Live = GroupLive;

    fn diff(spec: &GroupSpec, live: &GroupLive) -> Vec<FieldChange> {
        let changes = [
            FieldChange::of("template", &live.template.as_str(), &spec.template.text()),
            FieldChange::of(
                "template_version",
                &live.template_version.as_str(),
                &spec.template_version.text(),
            ),
            FieldChange::of("subnets", &live.subnets, &texts(&spec.subnets)),
            FieldChange::of("types", &live.types, &spec.types),
            FieldChange::of("min", &live.min, &spec.min),
            FieldChange::of("max", &live.max, &spec.max),
            FieldChange::of("desired", &live.desired, &spec.desired),
            FieldChange::of("on_demand_percentage", &live.on_demand_percentage, &spec.on_demand_percentage),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &GroupSpec, _id: &str) -> GroupLive {
        GroupLive {
            template: spec.template.text().to_owned(),
            template_version: spec.template_version.text().to_owned(),
            subnets: texts(&spec.subnets),
            types: spec.types.clone(),
            min: spec.min,
            max: spec.max,
            desired: spec.desired,
            on_demand_percentage: spec.on_demand_percentage,
            in_service: spec.desired,
            status: None,
        }
    }

    fn ready(spec: &GroupSpec, live: &GroupLive) -> Readiness {
        match &live.status {
            Some(status) => Readiness::Waiting(format!("the group says: {status}")),
            None if live.in_service >= spec.desired => Readiness::Ready,
            None => {
                Readiness::Waiting(format!("{} of {} instances in service", live.in_service, spec.desired))
            }
        }
    }

    fn links(live: &GroupLive) -> Vec<String> {
        [vec![live.template.clone()], live.subnets.clone()].concat()
    }

    fn prior(action: Action) -> Duration {
        // Launching and booting; the SDK's users see 2 to 4 minutes for GPU images.
        if action == Action::Delete { Duration::from_secs(120) } else { Duration::from_secs(180) }
    }

    fn demand(spec: &GroupSpec) -> Option<Demand> {
        let on_demand = u64::from(spec.desired) * u64::from(spec.on_demand_percentage) / 100;
        let on_demand = u32::try_from(on_demand).unwrap_or(spec.desired);
        Some(Demand { types: spec.types.clone(), count: spec.desired, on_demand })
    }
}

#[cfg(feature = "aws")]
mod aws {
    use aws_sdk_autoscaling::types::{
        AutoScalingGroup as Answer, Filter, InstancesDistribution, LaunchTemplate as Choice,
        LaunchTemplateOverrides, LaunchTemplateSpecification, LifecycleState, MixedInstancesPolicy, Tag,
    };
    use drstack_core::cloud::{Call, CloudError};
    use drstack_core::kind::FieldChange;

    use super::{Group, GroupLive, GroupSpec, texts};
    use crate::aws::tags::{STACK, Tags, named, owner};
    use crate::aws::{Driver, Looked, Seen, Target, by_id, has_code, passing};

    /// Names that one question may hold.
    const NAMES: usize = 50;

    /// What Auto Scaling answers when a group is not there, among other things; reading tells.
    const INVALID: &[&str] = &["ValidationError"];

    impl Target<'_> {
        fn autoscaling(&self) -> &aws_sdk_autoscaling::Client {
            &self.aws.at(self.place).autoscaling
        }
    }

    impl Driver for Group {
        async fn read(at: &Target<'_>, ids: &[String]) -> Looked<GroupLive> {
            let mut found = Vec::new();
            for names in ids.chunks(NAMES) {
                let ask = at.autoscaling().describe_auto_scaling_groups();
                match ask.set_auto_scaling_group_names(Some(names.to_vec())).send().await {
                    Ok(answer) => found.extend(answer.auto_scaling_groups.unwrap_or_default()),
                    Err(error) => {
                        let error = at.failed("autoscaling:DescribeAutoScalingGroups", error);
                        return by_id(ids, Err(error));
                    }
                }
            }
            by_id(ids, Ok(found.into_iter().map(|group| seen(at, group)).collect()))
        }

        async fn list_owned(at: &Target<'_>, _: &[String]) -> Result<Vec<Seen<GroupLive>>, CloudError> {
            let owned = Filter::builder().name(format!("tag:{STACK}")).values(&*at.scope.stack).build();
            let mut found = Vec::new();
            let mut pages =
                at.autoscaling().describe_auto_scaling_groups().filters(owned).into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| at.failed("autoscaling:DescribeAutoScalingGroups", error))?;
                found.extend(page.auto_scaling_groups.unwrap_or_default());
            }
            Ok(found.into_iter().map(|group| seen(at, group)).collect())
        }

        async fn create(
            at: &Target<'_>,
            call: &Call,
            spec: &GroupSpec,
        ) -> Result<Seen<GroupLive>, CloudError> {
            const OPERATION: &str = "autoscaling:CreateAutoScalingGroup";
            let make = at
                .autoscaling()
                .create_auto_scaling_group()
                .auto_scaling_group_name(&spec.name)
                .mixed_instances_policy(policy(spec))
                .min_size(size(spec.min))
                .max_size(size(spec.max))
                .desired_capacity(size(spec.desired))
                .vpc_zone_identifier(texts(&spec.subnets).join(","))
                .capacity_rebalance(true)
                .set_tags(Some(tags(&spec.name, &named(call, spec))));
            match make.send().await {
                Ok(_) => {}
                Err(error) if has_code(&error, &["AlreadyExists", "AlreadyExistsFault"]) => {}
                // A template or a profile that was just made is not known everywhere yet.
                Err(error) if has_code(&error, INVALID) => {
                    return Err(passing(OPERATION, &error));
                }
                Err(error) => return Err(at.failed(OPERATION, error)),
            }
            let names = [spec.name.clone()];
            let found = Self::read(at, &names).await.into_iter().next();
            let found = found.transpose()?.flatten().ok_or_else(|| CloudError::Conflict {
                operation: OPERATION.to_owned(),
                message: format!("`{}` is not to be seen yet", spec.name),
            })?;
            match &found.owner {
                drstack_core::cloud::Owner::Ours(_) => Ok(found),
                _ => Err(CloudError::Invalid {
                    operation: OPERATION.to_owned(),
                    code: "AlreadyExists".to_owned(),
                    message: format!("group `{}` exists and is not this stack's", spec.name),
                }),
            }
        }

        async fn update(
            at: &Target<'_>,
            call: &Call,
            name: &str,
            spec: &GroupSpec,
            _: &[FieldChange],
        ) -> Result<(), CloudError> {
            let put = at
                .autoscaling()
                .update_auto_scaling_group()
                .auto_scaling_group_name(name)
                .mixed_instances_policy(policy(spec))
                .min_size(size(spec.min))
                .max_size(size(spec.max))
                .desired_capacity(size(spec.desired))
                .vpc_zone_identifier(texts(&spec.subnets).join(","))
                .capacity_rebalance(true);
            put.send().await.map_err(|error| at.failed("autoscaling:UpdateAutoScalingGroup", error))?;
            let tagged = at.autoscaling().create_or_update_tags();
            let tagged = tagged.set_tags(Some(tags(name, &named(call, spec)))).send().await;
            tagged.map(drop).map_err(|error| at.failed("autoscaling:CreateOrUpdateTags", error))
        }

        async fn delete(at: &Target<'_>, _: &Call, name: &str) -> Result<(), CloudError> {
            let gone = at.autoscaling().delete_auto_scaling_group().auto_scaling_group_name(name);
            let Err(error) = gone.force_delete(true).send().await else { return Ok(()) };
            let names = [name.to_owned()];
            let left = Self::read(at, &names).await.into_iter().next().transpose()?.flatten();
            match left {
                None => Ok(()),
                Some(left) if left.live.status.is_some() => Ok(()),
                Some(_) => Err(at.failed("autoscaling:DeleteAutoScalingGroup", error)),
            }
        }
    }

    fn size(count: u32) -> i32 {
        i32::try_from(count).unwrap_or(i32::MAX)
    }

    fn policy(spec: &GroupSpec) -> MixedInstancesPolicy {
        let template = LaunchTemplateSpecification::builder()
            .launch_template_id(spec.template.text())
            .version(spec.template_version.text());
        let overrides =
            spec.types.iter().map(|kind| LaunchTemplateOverrides::builder().instance_type(kind).build());
        let choice = Choice::builder()
            .launch_template_specification(template.build())
            .set_overrides(Some(overrides.collect()));
        let distribution = InstancesDistribution::builder()
            .on_demand_base_capacity(0)
            .on_demand_percentage_above_base_capacity(size(spec.on_demand_percentage))
            // The stack's order is the ladder; for spot, AWS recommends to weigh price and depth of the pools.
            .on_demand_allocation_strategy("prioritized")
            .spot_allocation_strategy("price-capacity-optimized");
        MixedInstancesPolicy::builder()
            .launch_template(choice.build())
            .instances_distribution(distribution.build())
            .build()
    }

    fn tags(name: &str, tags: &Tags) -> Vec<Tag> {
        let tag = |(key, value): (&String, &String)| {
            Tag::builder()
                .key(key)
                .value(value)
                .resource_id(name)
                .resource_type("auto-scaling-group")
                .propagate_at_launch(true)
                .build()
        };
        tags.iter().map(tag).collect()
    }

    fn seen(at: &Target<'_>, group: Answer) -> Seen<GroupLive> {
        let tags: Tags = group
            .tags
            .unwrap_or_default()
            .into_iter()
            .filter_map(|tag| Some((tag.key?, tag.value?)))
            .collect();
        let serves = |it: &&aws_sdk_autoscaling::types::Instance| {
            it.lifecycle_state == Some(LifecycleState::InService)
                && it.health_status.as_deref().is_some_and(|it| it.eq_ignore_ascii_case("healthy"))
        };
        let in_service = group.instances.as_deref().unwrap_or_default().iter().filter(serves).count();
        let mixed = group.mixed_instances_policy;
        let distribution = mixed.as_ref().and_then(|it| it.instances_distribution.clone());
        let choice = mixed.and_then(|it| it.launch_template);
        let template = choice.as_ref().and_then(|it| it.launch_template_specification.clone());
        let overrides = choice.and_then(|it| it.overrides).unwrap_or_default();
        let text = group.vpc_zone_identifier.unwrap_or_default();
        let mut subnets: Vec<String> =
            text.split(',').map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect();
        subnets.sort();
        let count = |number: Option<i32>| number.and_then(|it| u32::try_from(it).ok()).unwrap_or(0);
        let live = GroupLive {
            template: template.as_ref().and_then(|it| it.launch_template_id.clone()).unwrap_or_default(),
            template_version: template.and_then(|it| it.version).unwrap_or_default(),
            subnets,
            types: overrides.into_iter().filter_map(|it| it.instance_type).collect(),
            min: count(group.min_size),
            max: count(group.max_size),
            desired: count(group.desired_capacity),
            on_demand_percentage: count(
                distribution.and_then(|it| it.on_demand_percentage_above_base_capacity),
            ),
            in_service: u32::try_from(in_service).unwrap_or(u32::MAX),
            status: group.status,
        };
        Seen { id: group.auto_scaling_group_name.unwrap_or_default(), owner: owner(&tags, at.scope), live }
    }
}
