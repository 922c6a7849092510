//! The driver of the group kind: calls Auto Scaling, and EC2 for the purchase option of its
//! instances.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types::{AutoScalingGroup as Answer, Filter, Instance, LifecycleState, Tag};
use aws_sdk_ec2::types::{InstanceLifecycleType, InstanceStateName};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use drstack_core::cloud::{Call, CloudError, Owner};
use drstack_core::kind::{FieldChange, Shortage};

use super::carried_tags::GroupTags;
use super::hooks::{Hook, aws as hooks};
use super::{Group, GroupBehaviour, GroupLive, GroupSpec, Reserved, SizedFor, texts};
use crate::aws::gather::Batcher;
use crate::aws::once::LastChanged;
use crate::aws::tags::{HOOKS, SPEC, STACK, Tags, owner_by_name};
use crate::aws::{Driver, Looked, Seen, Target, by_id, each_of, has_code, passing};
use crate::services::ec2::calls::filter;

mod fleet;
mod policy;
mod shortage;
mod tags;

use policy::{policy, size, units, weights};
use shortage::shortage;
pub(crate) use tags::carried_of;
use tags::{SIZED_FOR, missing, own, tags, tags_of};

/// Maximum number of names in one request.
const NAMES: usize = 50;

/// Maximum number of instances in one filter of EC2.
const IDS: usize = 200;

/// Maximum number of instances whose protection one call may change.
const PROTECTED: usize = 50;

/// Number of spot instances that are retired before the driver checks again that enough others
/// serve.
const FEW: usize = 5;

/// Error codes for a missing group, among other causes; a read finds out which.
const INVALID: &[&str] = &["ValidationError"];

impl Driver for Group {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<GroupLive> {
        match standing(at, ids).await {
            Ok(found) => by_id(ids, explained(at, found.into_values().collect()).await),
            Err(error) => by_id(ids, Err(error)),
        }
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
        explained(at, with_instances(at, found).await?).await
    }

    async fn create(at: &Target<'_>, call: &Call, spec: &GroupSpec) -> Result<Seen<GroupLive>, CloudError> {
        const OPERATION: &str = "autoscaling:CreateAutoScalingGroup";
        let by_fleet = spec.by_fleet && spec.failover.is_some();
        if by_fleet && let Some(found) = the_one(at, spec).await? {
            // The step continues where an earlier run stopped.
            return filled(at, call, spec, found).await;
        }
        let first = if spec.is_launched_by_fleet() { 0 } else { spec.size_beside(None) };
        let make = at
            .autoscaling()
            .create_auto_scaling_group()
            .auto_scaling_group_name(&spec.name)
            .mixed_instances_policy(policy(spec, None))
            .min_size(size(spec.min.min(first)))
            .max_size(size(spec.max))
            .desired_capacity(size(first))
            .vpc_zone_identifier(texts(&spec.subnets).join(","))
            .capacity_rebalance(true)
            .set_capacity_reservation_specification(Reserved::said(spec.reserved.as_ref(), None))
            .set_lifecycle_hook_specification_list(hooks::in_create(spec))
            .set_tags(Some(all_tags(call, spec)));
        let make = spec.behaviour.iter().fold(make, |make, it| it.in_create(make));
        match make.send().await {
            Ok(_) => {}
            Err(error) if has_code(&error, &["AlreadyExists", "AlreadyExistsFault"]) => {}
            // A template or profile that was just created is not visible everywhere yet.
            Err(error) if has_code(&error, INVALID) => {
                return Err(passing(OPERATION, &error));
            }
            Err(error) => return Err(at.failed(OPERATION, error)),
        }
        let found = the_one(at, spec).await?.ok_or_else(|| CloudError::Conflict {
            operation: OPERATION.to_owned(),
            message: format!("`{}` is not to be seen yet", spec.name),
        })?;
        if by_fleet { filled(at, call, spec, found).await } else { ours(call, spec, found) }
    }

    async fn update(
        at: &Target<'_>,
        call: &Call,
        name: &str,
        spec: &GroupSpec,
        _: &[FieldChange],
    ) -> Result<(), CloudError> {
        // A renamed pool keeps its group, and the group keeps its name.
        let spec = &GroupSpec { name: name.to_owned(), ..spec.clone() };
        let members = Members::of(at, name).await?;
        let live = &members.live.counted_for(spec);
        let mut size_now = Size { min: spec.min, max: spec.max, desired: spec.desired };
        if spec.failover.is_none() {
            members.protect(at, name, false).await?;
        } else if spec.is_served_by(live) {
            let left = members.retire(at, name, spec).await?;
            // Instances still in the group count: a smaller size would remove on-demand instances.
            size_now.desired = size_now.desired.max(left);
            size_now.max = live.max.max(size_now.max);
        } else {
            members.protect(at, name, true).await?;
            if spec.is_launched_by_fleet() {
                fleet::burst(at, call, spec, &members).await?;
            }
            size_now.desired = spec.size_beside(Some(live));
            size_now.min = size_now.min.min(size_now.desired);
            size_now.max = live.max.max(size_now.max).max(size_now.desired);
        }
        // What the update launches has to run through them.
        hooks::change(at, name, spec, members.live.hooks.as_deref()).await?;
        at.aws.shared.get::<LastChanged>().now(name);
        let reserved = Reserved::said(spec.reserved.as_ref(), live.reserved.as_ref());
        let put = at
            .autoscaling()
            .update_auto_scaling_group()
            .auto_scaling_group_name(name)
            .mixed_instances_policy(policy(spec, Some(live)))
            .min_size(size(size_now.min))
            .max_size(size(size_now.max))
            .desired_capacity(size(size_now.desired))
            .vpc_zone_identifier(texts(&spec.subnets).join(","))
            .capacity_rebalance(true)
            .set_capacity_reservation_specification(reserved);
        let put = spec.behaviour.iter().fold(put, |put, it| it.in_update(&live.behaviour, put));
        let put = async {
            let done = put.send().await;
            done.map(drop).map_err(|error| at.failed("autoscaling:UpdateAutoScalingGroup", error))
        };
        // Neither call depends on the other.
        let (put, tagged) = tokio::join!(put, members.tag(at, name, call, spec));
        put.and(tagged)?;
        match spec.by_fleet && spec.failover.is_none() {
            true => fleet::end_loose(at, call, &members.instances).await,
            false => Ok(()),
        }
    }

    async fn delete(at: &Target<'_>, call: &Call, name: &str) -> Result<(), CloudError> {
        // End loose instances before the group is deleted: a run after an interruption comes here
        // again.
        fleet::end_loose(at, call, &[]).await?;
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

/// Returns the tags with which a group is created.
fn all_tags(call: &Call, spec: &GroupSpec) -> Vec<Tag> {
    [tags(&spec.name, &own(call, spec)), missing(&spec.name, &spec.tags, &GroupTags::new())].concat()
}

/// Reads the group of this name, of any owner.
async fn the_one(at: &Target<'_>, spec: &GroupSpec) -> Result<Option<Seen<GroupLive>>, CloudError> {
    let names = [spec.name.clone()];
    Ok(Group::read(at, &names).await.into_iter().next().transpose()?.flatten())
}

/// Returns the group found in place of the one to create, if this stack has it under the address of the
/// call.
fn ours(call: &Call, spec: &GroupSpec, found: Seen<GroupLive>) -> Result<Seen<GroupLive>, CloudError> {
    match &found.owner {
        Owner::Ours(address) if *address == call.address => Ok(found),
        _ => Err(CloudError::Invalid {
            operation: "autoscaling:CreateAutoScalingGroup".to_owned(),
            code: "AlreadyExists".to_owned(),
            message: format!("group `{}` exists and is not {}", spec.name, call.address),
        }),
    }
}

/// Fills a group that was created empty, through EC2 Fleet.
async fn filled(
    at: &Target<'_>,
    call: &Call,
    spec: &GroupSpec,
    found: Seen<GroupLive>,
) -> Result<Seen<GroupLive>, CloudError> {
    let empty = ours(call, spec, found)?;
    Group::update(at, call, &spec.name, spec, &[]).await?;
    Ok(the_one(at, spec).await?.unwrap_or(empty))
}

/// The sizes that an update sets.
struct Size {
    min: u32,
    max: u32,
    desired: u32,
}

/// A group as Auto Scaling reports it, with the purchase option and state of its instances.
#[derive(Clone)]
pub(crate) struct Standing {
    group: Answer,
    lifecycles: BTreeMap<String, Lifecycle>,
    hooks: Option<Vec<Hook>>,
}

/// A group and its instances.
struct Members {
    live: GroupLive,
    tags: Tags,
    instances: Vec<Instance>,
    lifecycles: BTreeMap<String, Lifecycle>,
}

/// Purchase option and state of an instance, as EC2 reports them.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Lifecycle {
    OnDemand,
    Spot,
    /// The instance does not run, so it does not serve, even if its group reports it in service.
    Down,
}

impl Members {
    async fn of(at: &Target<'_>, name: &str) -> Result<Self, CloudError> {
        let found = standing(at, &[name.to_owned()]).await?.remove(name);
        let standing = found.ok_or_else(|| CloudError::Conflict {
            operation: "autoscaling:DescribeAutoScalingGroups".to_owned(),
            message: format!("`{name}` is not to be seen"),
        })?;
        let instances = standing.group.instances.clone().unwrap_or_default();
        let (tags, lifecycles) = (tags_of(&standing.group), standing.lifecycles.clone());
        let live = seen(at, standing, None).live;
        Ok(Self { live, tags, instances, lifecycles })
    }

    /// Adds the tags that the group lacks.
    ///
    /// A failover keeps the earlier tag of the spec: the engine waits for the failover anyway, and
    /// the tag is right again after the failback.
    async fn tag(
        &self,
        at: &Target<'_>,
        name: &str,
        call: &Call,
        spec: &GroupSpec,
    ) -> Result<(), CloudError> {
        let mut wanted = own(call, spec);
        wanted.retain(|key, value| {
            let stays = spec.failover.is_some() && key == SPEC;
            !stays && self.tags.get(key) != Some(value)
        });
        let all = [tags(name, &wanted), missing(name, &spec.tags, &self.live.tags)].concat();
        if all.is_empty() {
            return Ok(());
        }
        let tag = at.autoscaling().create_or_update_tags().set_tags(Some(all));
        tag.send().await.map(drop).map_err(|error| at.failed("autoscaling:CreateOrUpdateTags", error))
    }

    /// Returns the spot instances that serve.
    fn spot(&self) -> Vec<&Instance> {
        let is_spot = |it: &&Instance| serves(it, &self.lifecycles) == Some(Lifecycle::Spot);
        self.instances.iter().filter(is_spot).collect()
    }

    /// Sets protection from scaling in: protects the spot instances, or unprotects all instances.
    async fn protect(&self, at: &Target<'_>, name: &str, protect: bool) -> Result<(), CloudError> {
        let all: Vec<&Instance> = match protect {
            true => self.spot(),
            false => self.instances.iter().collect(),
        };
        let other = all.into_iter().filter(|it| it.protected_from_scale_in != Some(protect));
        let ids: Vec<String> = other.filter_map(|it| it.instance_id.clone()).collect();
        for ids in ids.chunks(PROTECTED) {
            let set = at.autoscaling().set_instance_protection().auto_scaling_group_name(name);
            let set = set.protected_from_scale_in(protect).set_instance_ids(Some(ids.to_vec()));
            let operation = "autoscaling:SetInstanceProtection";
            set.send().await.map_err(|error| gone_meanwhile(at, operation, error))?;
        }
        Ok(())
    }

    /// Retires the spot instances that `spec` can do without, and returns the capacity that is
    /// left.
    ///
    /// It retires a few at a time, and continues only while enough other instances serve.
    async fn retire(&self, at: &Target<'_>, name: &str, spec: &GroupSpec) -> Result<u32, CloudError> {
        const OPERATION: &str = "autoscaling:TerminateInstanceInAutoScalingGroup";
        let live = self.live.counted_for(spec);
        let (mut surplus, mut gone, mut ids) = (spec.surplus(&live), 0, Vec::new());
        for (instance, id) in self.spot().into_iter().filter_map(|it| Some((it, it.instance_id.as_ref()?))) {
            let units = units(instance, &live.weights);
            if units <= surplus {
                (surplus, gone) = (surplus - units, gone + units);
                ids.push(id.clone());
            }
        }
        for (round, few) in ids.chunks(FEW).enumerate() {
            if round > 0 && !spec.is_served_by(&Self::of(at, name).await?.live.counted_for(spec)) {
                let message = format!("`{name}`: others have to serve before more spot instances go");
                return Err(CloudError::Conflict { operation: OPERATION.to_owned(), message });
            }
            for id in few {
                let end = at.autoscaling().terminate_instance_in_auto_scaling_group().instance_id(id);
                let end = end.should_decrement_desired_capacity(live.desired > spec.desired);
                end.send().await.map_err(|error| gone_meanwhile(at, OPERATION, error))?;
            }
        }
        Ok(live.in_service().saturating_sub(gone).min(live.desired.saturating_sub(gone)))
    }
}

/// Maps the error of a call that names an instance interrupted since it was observed.
///
/// Auto Scaling reports such an instance as invalid, so the error is transient: the next observe no
/// longer finds the instance.
fn gone_meanwhile<E>(at: &Target<'_>, operation: &str, error: SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match has_code(&error, INVALID) {
        true => passing(operation, &error),
        false => at.failed(operation, error),
    }
}

/// Reads the groups of these names, batched with the reads of other steps at the same moment.
async fn standing(at: &Target<'_>, names: &[String]) -> Result<BTreeMap<String, Standing>, CloudError> {
    let question = |names: Vec<String>| async move {
        let parts: Vec<Vec<String>> = names.chunks(NAMES).map(<[String]>::to_vec).collect();
        let asked = each_of(parts, |names| async move {
            let ask = at.autoscaling().describe_auto_scaling_groups();
            let answer = ask.set_auto_scaling_group_names(Some(names)).send().await;
            let answer = answer.map_err(|error| at.failed("autoscaling:DescribeAutoScalingGroups", error))?;
            Ok(answer.auto_scaling_groups.unwrap_or_default())
        });
        let groups: Vec<Vec<Answer>> = asked.await.into_iter().collect::<Result<_, CloudError>>()?;
        let found = with_instances(at, groups.into_iter().flatten().collect()).await?;
        let name = |it: &Standing| it.group.auto_scaling_group_name.clone();
        Ok(found.into_iter().filter_map(|it| Some((name(&it)?, it))).collect())
    };
    at.aws.at(at.place).shared.get::<Batcher<Standing>>().ask(names, question).await
}

/// Adds the state of the instances from EC2. Instances that EC2 does not know yet are left out.
async fn with_instances(at: &Target<'_>, groups: Vec<Answer>) -> Result<Vec<Standing>, CloudError> {
    let instances = groups.iter().flat_map(|it| it.instances.iter().flatten());
    let ids: Vec<String> = instances.filter_map(|it| it.instance_id.clone()).collect();
    let parts: Vec<Vec<String>> = ids.chunks(IDS).map(<[String]>::to_vec).collect();
    let asked = each_of(parts, |ids| async move { lifecycles(at, &ids).await }).await;
    let mut known = BTreeMap::new();
    for part in asked {
        known.extend(part?);
    }
    let known = &known;
    let with = |group: Answer| async move {
        let ids = group.instances.iter().flatten().filter_map(|it| it.instance_id.as_ref());
        let lifecycles = ids.filter_map(|id| Some((id.clone(), *known.get(id)?))).collect();
        let hooks = match (tags_of(&group).contains_key(HOOKS), &group.auto_scaling_group_name) {
            // A call that fails holds up no failover: hooks stay as they are.
            (true, Some(name)) => hooks::read(at, name).await.ok().map(|it| it.carried),
            _ => Some(Vec::new()),
        };
        Standing { group, lifecycles, hooks }
    };
    Ok(each_of(groups, with).await)
}

async fn lifecycles(at: &Target<'_>, ids: &[String]) -> Result<Vec<(String, Lifecycle)>, CloudError> {
    let mut found = Vec::new();
    let ask = at.ec2().describe_instances().filters(filter("instance-id", ids.iter().map(String::as_str)));
    let mut pages = ask.into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| at.failed("ec2:DescribeInstances", error))?;
        let reservations = page.reservations.unwrap_or_default().into_iter();
        for instance in reservations.flat_map(|it| it.instances.unwrap_or_default()) {
            let state = instance.state.and_then(|it| it.name);
            let lifecycle = match (state, instance.instance_lifecycle) {
                (
                    Some(InstanceStateName::Pending | InstanceStateName::Running),
                    Some(InstanceLifecycleType::Spot),
                ) => Lifecycle::Spot,
                (Some(InstanceStateName::Pending | InstanceStateName::Running), _) => Lifecycle::OnDemand,
                _ => Lifecycle::Down,
            };
            found.extend(instance.instance_id.map(|id| (id, lifecycle)));
        }
    }
    Ok(found)
}

/// Returns the purchase option of an instance that serves, else none.
fn serves(instance: &Instance, lifecycles: &BTreeMap<String, Lifecycle>) -> Option<Lifecycle> {
    let well = instance.lifecycle_state == Some(LifecycleState::InService)
        && instance.health_status.as_deref().is_some_and(|it| it.eq_ignore_ascii_case("healthy"));
    let lifecycle = lifecycles.get(instance.instance_id.as_deref()?).copied()?;
    (well && lifecycle != Lifecycle::Down).then_some(lifecycle)
}

/// Adds the reason of failed launches to groups with fewer instances in service than desired.
async fn explained(at: &Target<'_>, groups: Vec<Standing>) -> Result<Vec<Seen<GroupLive>>, CloudError> {
    let look = |standing: Standing| async move {
        let found = seen(at, standing.clone(), None);
        if found.live.in_service() >= found.live.desired {
            return Ok(found);
        }
        let short = shortage(at, &found.id).await?;
        Ok(seen(at, standing, short))
    };
    each_of(groups, look).await.into_iter().collect()
}

fn seen(at: &Target<'_>, standing: Standing, short: Option<Shortage>) -> Seen<GroupLive> {
    let Standing { group, lifecycles, hooks } = standing;
    let (tags, carried, behaviour) = (tags_of(&group), carried_of(&group), GroupBehaviour::of(&group));
    let mixed = group.mixed_instances_policy;
    let distribution = mixed.as_ref().and_then(|it| it.instances_distribution.clone());
    let choice = mixed.and_then(|it| it.launch_template);
    let template = choice.as_ref().and_then(|it| it.launch_template_specification.clone());
    let overrides = choice.and_then(|it| it.overrides).unwrap_or_default();
    let weights = weights(&overrides);
    let count_of = |lifecycle: Lifecycle| -> u32 {
        let all = group.instances.as_deref().unwrap_or_default().iter();
        all.filter(|it| serves(it, &lifecycles) == Some(lifecycle)).map(|it| units(it, &weights)).sum()
    };
    let (on_demand, spot) = (count_of(Lifecycle::OnDemand), count_of(Lifecycle::Spot));
    let text = group.vpc_zone_identifier.unwrap_or_default();
    let mut subnets: Vec<String> =
        text.split(',').map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect();
    subnets.sort();
    let count = |number: Option<i32>| number.and_then(|it| u32::try_from(it).ok()).unwrap_or(0);
    let name = group.auto_scaling_group_name.unwrap_or_default();
    let live = GroupLive {
        name: name.clone(),
        template: template.as_ref().and_then(|it| it.launch_template_id.clone()).unwrap_or_default(),
        template_version: template.and_then(|it| it.version).unwrap_or_default(),
        subnets,
        types: overrides.into_iter().filter_map(|it| it.instance_type).collect(),
        weights,
        min: count(group.min_size),
        max: count(group.max_size),
        desired: count(group.desired_capacity),
        on_demand_percentage: count(distribution.and_then(|it| it.on_demand_percentage_above_base_capacity)),
        reserved: group.capacity_reservation_specification.and_then(Reserved::seen),
        behaviour,
        hooks,
        tags: carried,
        on_demand,
        spot,
        short,
        status: group.status,
        sized_for: tags.get(SIZED_FOR).and_then(|text| SizedFor::parse(text)),
    };
    Seen { owner: owner_by_name(&tags, at.scope, &name), id: name, live }
}
