use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::types::{AutoScalingGroup, LaunchTemplateSpecification};
use aws_sdk_ec2::types::ResponseLaunchTemplateData;
use drstack_core::cloud::{CloudError, Secrets};

use super::image::{GroupImage, Parameters, ids, parameters};
use super::{GroupFact, types};
use crate::aws::{Asked, BulkAsk, NAMES, Target, each_of};
use crate::ledger::{FieldSetting, NotCarried};
use crate::services::autoscaling::group::aws::carried_of;
use crate::services::autoscaling::group::behaviour::GroupBehaviour;
use crate::services::autoscaling::group::hooks::Hook;
use crate::services::ec2::disk::disks;
use crate::services::ec2::image_fact::ImageFact;
use crate::services::ec2::image_fact::aws::images;
use crate::services::ec2::launch_options::LaunchOptions;
use crate::services::ec2::template_fields::aws::add_not_carried;
use crate::services::ec2::templates;
use crate::services::ec2::user_data;

mod configurations;
mod not_carried;

use not_carried::{Beside, not_carried};

/// A field and how it is set.
type Field = (&'static str, Option<FieldSetting>);

impl BulkAsk for GroupFact {
    async fn ask_all(at: &Target<'_>, names: &[String]) -> Vec<Asked<GroupFact>> {
        match groups_by_name(at, names).await {
            Ok((groups, images)) => {
                let fact =
                    |name: &String| groups.get(name).map(|it| group_fact(name, it, &images)).transpose();
                names.iter().map(fact).collect()
            }
            Err(error) => names.iter().map(|_| Err(error.clone())).collect(),
        }
    }
}

/// Groups by name, and the images that they launch.
type Groups = (BTreeMap<String, Group>, Images);

/// The images of groups by id, and the parameters that name some of them.
struct Images {
    parameters: Parameters,
    images: BTreeMap<String, ImageFact>,
}

impl Images {
    /// Reads the images that launch templates name.
    async fn read(at: &Target<'_>, named: &BTreeSet<String>) -> Result<Self, CloudError> {
        let named = || named.iter().map(String::as_str);
        let wanted: Vec<String> = parameters(named()).into_iter().collect();
        let asked = each_of(wanted, |name| async move {
            let value = parameter(at, &name).await;
            (name, value)
        });
        let parameters: Parameters = asked.await.into_iter().collect();
        let ids: Vec<String> = ids(named(), &parameters).into_iter().collect();
        Ok(Self { images: images(at, &ids).await?, parameters })
    }
}

/// Reads the value of a parameter, by its name, version, label or ARN; none if it does not exist.
async fn parameter(at: &Target<'_>, name: &str) -> Result<Option<String>, CloudError> {
    let answer = at.ssm().get_parameters().names(name).send().await;
    let answer = answer.map_err(|error| at.failed("ssm:GetParameters", error))?;
    Ok(answer.parameters.unwrap_or_default().into_iter().find_map(|it| it.value))
}

/// A group with the data of its template or launch configuration, if that exists.
struct Group {
    group: AutoScalingGroup,
    data: Option<ResponseLaunchTemplateData>,
    /// The highest capacity that its scheduled actions set.
    scheduled: Option<u32>,
    /// Its hooks that are carried, if they could be read.
    hooks: Option<Vec<Hook>>,
    /// What is set on the group itself and not carried.
    not_carried: NotCarried,
}

impl Group {
    fn template(group: &AutoScalingGroup) -> Option<LaunchTemplateSpecification> {
        let mixed = group.mixed_instances_policy.as_ref().and_then(|it| it.launch_template.as_ref());
        let mixed = mixed.and_then(|it| it.launch_template_specification.clone());
        mixed.or_else(|| group.launch_template.clone())
    }
}

async fn groups_by_name(at: &Target<'_>, names: &[String]) -> Result<Groups, CloudError> {
    let mut found = Vec::new();
    for names in names.chunks(NAMES) {
        let ask = at.autoscaling().describe_auto_scaling_groups();
        let answer = ask.set_auto_scaling_group_names(Some(names.to_vec())).send().await;
        let answer = answer.map_err(|error| at.failed("autoscaling:DescribeAutoScalingGroups", error))?;
        found.extend(answer.auto_scaling_groups.unwrap_or_default());
    }
    let wanted: Vec<_> = found.iter().filter_map(Group::template).collect();
    // None of the four needs another's answer.
    let (scheduled, beside, answers, configurations) = tokio::join!(
        scheduled(at, &found),
        Beside::read(at, &found),
        templates::data(at, wanted),
        configurations::read(at, &found)
    );
    let (scheduled, mut answers, configurations) = (scheduled?, answers.into_iter(), configurations?);
    let mut groups = BTreeMap::new();
    for group in found {
        let name = group.auto_scaling_group_name.clone().unwrap_or_default();
        let Scheduled { actions, most } = scheduled.get(&name).copied().unwrap_or_default();
        let mut not_carried = not_carried(&name, &group, &beside, actions);
        let configuration = group.launch_configuration_name().and_then(|it| configurations.get(it));
        let data = if Group::template(&group).is_some() {
            let data = answers.next().transpose()?.flatten();
            data.iter().for_each(|it| add_not_carried(&mut not_carried, it));
            data
        } else {
            configuration.iter().for_each(|it| configurations::add_not_carried(&mut not_carried, it));
            configuration.map(configurations::data)
        };
        let hooks = beside.carried(&name);
        groups.insert(name, Group { group, data, scheduled: most, hooks, not_carried });
    }
    let named = groups.values().filter_map(|it: &Group| it.data.as_ref()?.image_id.clone()).collect();
    let images = Images::read(at, &named).await?;
    Ok((groups, images))
}

/// The scheduled actions of a group.
#[derive(Clone, Copy, Default)]
struct Scheduled {
    /// Their number.
    actions: usize,
    /// The highest capacity that they set.
    most: Option<u32>,
}

/// Reads scheduled actions by group: one request for a single group, else one for the region.
async fn scheduled(
    at: &Target<'_>,
    groups: &[AutoScalingGroup],
) -> Result<BTreeMap<String, Scheduled>, CloudError> {
    let mut by_group: BTreeMap<String, Scheduled> = BTreeMap::new();
    let only = match groups {
        [] => return Ok(by_group),
        [group] => group.auto_scaling_group_name.clone(),
        _ => None,
    };
    let ask = at.autoscaling().describe_scheduled_actions();
    let mut pages = ask.set_auto_scaling_group_name(only).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| at.failed("autoscaling:DescribeScheduledActions", error))?;
        for action in page.scheduled_update_group_actions.unwrap_or_default() {
            let sizes = [action.desired_capacity, action.min_size].into_iter().flatten();
            let most = sizes.filter_map(|it| u32::try_from(it).ok()).max();
            let Some(group) = action.auto_scaling_group_name else { continue };
            let known = by_group.entry(group).or_default();
            known.actions += 1;
            known.most = known.most.max(most);
        }
    }
    Ok(by_group)
}

fn group_fact(
    name: &str,
    Group { group, data, scheduled, hooks, not_carried }: &Group,
    Images { parameters, images }: &Images,
) -> Result<(GroupFact, Secrets), CloudError> {
    // AWS has answered: a retry does not help, and the earlier answer is no longer valid.
    let unusable = |message: String| CloudError::Invalid {
        operation: "follows".to_owned(),
        code: "CannotFollow".to_owned(),
        message,
    };
    let Some(data) = data else {
        let of = if Group::template(group).is_some() { "launch template" } else { "launch configuration" };
        return Err(unusable(format!("the {of} of group `{name}` does not exist")));
    };
    let image = GroupImage::of(data.image_id().unwrap_or_default(), parameters, images)?;
    let overrides = group.mixed_instances_policy.as_ref().and_then(|it| it.launch_template.as_ref());
    let overrides = overrides.and_then(|it| it.overrides.as_deref()).unwrap_or_default();
    let named = overrides.iter().filter_map(|it| it.instance_type.clone()).collect();
    let has_requirements = overrides.iter().any(|it| it.instance_requirements.is_some());
    let types = types(named, has_requirements, data.instance_type.as_ref().map(|it| it.as_str()));
    let mut secrets = Secrets::default();
    let text = data.user_data.as_deref().and_then(user_data::decode);
    let count = |number: Option<i32>| number.and_then(|it| u32::try_from(it).ok());
    let sizes = count(group.desired_capacity).zip(count(group.max_size));
    let Some((capacity, max)) = sizes else {
        return Err(unusable(format!("the sizes of group `{name}` were not answered")));
    };
    let profile = data.iam_instance_profile.as_ref().and_then(|it| {
        let of_arn = || it.arn.as_deref().and_then(|arn| arn.rsplit('/').next()).map(str::to_owned);
        it.name.clone().or_else(of_arn)
    });
    let fact = GroupFact {
        image,
        types,
        capacity,
        lower: None,
        scheduled: *scheduled,
        max,
        user_data_sha256: text.map(|text| secrets.keep(text)),
        profile,
        disks: disks(data.block_device_mappings.as_deref().unwrap_or_default()),
        behaviour: Some(GroupBehaviour::of(group)),
        hooks: hooks.clone(),
        tags: carried_of(group),
        options: LaunchOptions::of(data),
        not_carried: not_carried.clone(),
    };
    Ok((fact, secrets))
}
