//! The fields of a group that are set and not carried.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types::{AutoScalingGroup, InstancesDistribution, LaunchTemplateOverrides};
use drstack_core::cloud::CloudError;

use crate::aws::{NAMES, Target, each_of};
use crate::ledger::{FieldSetting, NotCarried};
use crate::services::autoscaling::group::hooks::{Hook, Hooks, aws as hooks};
use crate::services::autoscaling::group_fact::fields::{BESIDE, DISTRIBUTION, GROUP, HOOK, OVERRIDES};

/// End of the ARN of the role that Auto Scaling uses by default.
const DEFAULT_ROLE: &str = "/AWSServiceRoleForAutoScaling";
/// Types of traffic sources that a group reports in fields of their own too.
const TWICE: [&str; 2] = ["elb", "elbv2"];

/// The number of things that hang on each group, or why they could not be seen.
pub(super) struct Beside {
    hooks: BTreeMap<String, Result<Hooks, CloudError>>,
    policies: Result<BTreeMap<String, usize>, CloudError>,
    notifications: Result<BTreeMap<String, usize>, CloudError>,
}

impl Beside {
    /// Reads what hangs on `groups`: lifecycle hooks one by one, since AWS has no bulk call for
    /// them, the rest in bulk.
    ///
    /// A call that fails holds nothing up: it says only what may be lost.
    pub(super) async fn read(at: &Target<'_>, groups: &[AutoScalingGroup]) -> Self {
        let names: Vec<String> = groups.iter().filter_map(|it| it.auto_scaling_group_name.clone()).collect();
        let hooks = each_of(names.clone(), |name| async move {
            let hooks = hooks::read(at, &name).await;
            (name, hooks)
        });
        let (hooks, policies, notifications) =
            tokio::join!(hooks, policies(at, &names), notifications(at, &names));
        Self { hooks: hooks.into_iter().collect(), policies, notifications }
    }

    /// Returns the fields of [`BESIDE`] for the group of this name.
    fn of(&self, name: &str, scheduled: usize) -> [(&'static str, Option<FieldSetting>); 3] {
        let number = |counted: &Result<BTreeMap<String, usize>, CloudError>| match counted {
            Ok(counted) => FieldSetting::count(counted.get(name).copied().unwrap_or_default()),
            Err(error) => Some(FieldSetting::unseen(error)),
        };
        [
            ("DescribePolicies", number(&self.policies)),
            ("DescribeScheduledActions", FieldSetting::count(scheduled)),
            ("DescribeNotificationConfigurations", number(&self.notifications)),
        ]
    }

    /// Returns the fields of [`HOOK`] for the group of this name.
    fn of_hooks(&self, name: &str) -> [(&'static str, Option<FieldSetting>); 1] {
        let setting = match self.hooks.get(name) {
            Some(Ok(hooks)) => FieldSetting::count(hooks.notifying),
            Some(Err(error)) => match FieldSetting::unseen(error) {
                FieldSetting::Unseen(why) => Some(FieldSetting::Unseen(format!("{why}: no hook is carried"))),
                other => Some(other),
            },
            None => None,
        };
        [("NotificationTargetARN", setting)]
    }

    /// Returns the hooks to carry of the group of this name; none if they could not be read.
    pub(super) fn carried(&self, name: &str) -> Option<Vec<Hook>> {
        self.hooks.get(name)?.as_ref().ok().map(|it| it.carried.clone())
    }
}

/// Counts scaling policies by group: one request for a single group, else one for the region.
async fn policies(at: &Target<'_>, groups: &[String]) -> Result<BTreeMap<String, usize>, CloudError> {
    let only = if let [group] = groups { Some(group.clone()) } else { None };
    let mut counted = BTreeMap::new();
    if groups.is_empty() {
        return Ok(counted);
    }
    let ask = at.autoscaling().describe_policies().set_auto_scaling_group_name(only);
    let mut pages = ask.into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| at.failed("autoscaling:DescribePolicies", error))?;
        for group in
            page.scaling_policies.unwrap_or_default().into_iter().filter_map(|it| it.auto_scaling_group_name)
        {
            *counted.entry(group).or_default() += 1;
        }
    }
    Ok(counted)
}

async fn notifications(at: &Target<'_>, groups: &[String]) -> Result<BTreeMap<String, usize>, CloudError> {
    const OPERATION: &str = "autoscaling:DescribeNotificationConfigurations";
    let mut counted = BTreeMap::new();
    for groups in groups.chunks(NAMES) {
        let ask = at.autoscaling().describe_notification_configurations();
        let ask = ask.set_auto_scaling_group_names(Some(groups.to_vec()));
        let mut pages = ask.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| at.failed(OPERATION, error))?;
            let found = page.notification_configurations.unwrap_or_default();
            for group in found.into_iter().filter_map(|it| it.auto_scaling_group_name) {
                *counted.entry(group).or_default() += 1;
            }
        }
    }
    Ok(counted)
}

/// Returns what is set on a group and not carried, with so many `scheduled` actions.
pub(super) fn not_carried(
    name: &str,
    group: &AutoScalingGroup,
    beside: &Beside,
    scheduled: usize,
) -> NotCarried {
    let mut found = NotCarried::default();
    found.add(&BESIDE, beside.of(name, scheduled));
    found.add(&HOOK, beside.of_hooks(name));
    found.add(&GROUP, traffic(group));
    found.add(&GROUP, behaviour(group));
    let policy = group.mixed_instances_policy();
    found.add(
        &DISTRIBUTION,
        policy.and_then(|it| it.instances_distribution()).map(distribution).unwrap_or_default(),
    );
    let overrides = policy.and_then(|it| it.launch_template()).map(|it| it.overrides()).unwrap_or_default();
    found.add(&OVERRIDES, types(overrides));
    found
}

/// Fields of [`GROUP`]: how traffic reaches the group, and how its instances are judged.
fn traffic(group: &AutoScalingGroup) -> Vec<(&'static str, Option<FieldSetting>)> {
    let sources = group.traffic_sources().iter();
    let others = sources.filter(|it| it.r#type().is_none_or(|of| !TWICE.contains(&of))).count();
    vec![
        ("HealthCheckType", FieldSetting::unless("EC2", group.health_check_type())),
        ("TargetGroupARNs", FieldSetting::count(group.target_group_arns().len())),
        ("LoadBalancerNames", FieldSetting::count(group.load_balancer_names().len())),
        ("TrafficSources", FieldSetting::count(others)),
        ("EnabledMetrics", FieldSetting::count(group.enabled_metrics().len())),
        ("SuspendedProcesses", FieldSetting::count(group.suspended_processes().len())),
    ]
}

/// Fields of [`GROUP`]: what the group does by itself.
fn behaviour(group: &AutoScalingGroup) -> Vec<(&'static str, Option<FieldSetting>)> {
    let role = group.service_linked_role_arn().filter(|it| !it.ends_with(DEFAULT_ROLE));
    let strategy = group.availability_zone_distribution().and_then(|it| it.capacity_distribution_strategy());
    let shift = group.availability_zone_impairment_policy().and_then(|it| it.zonal_shift_enabled());
    vec![
        ("WarmPoolConfiguration", FieldSetting::flag(group.warm_pool_configuration().is_some())),
        ("PlacementGroup", FieldSetting::flag(group.placement_group().is_some_and(|it| !it.is_empty()))),
        (
            "NewInstancesProtectedFromScaleIn",
            FieldSetting::flag(group.new_instances_protected_from_scale_in() == Some(true)),
        ),
        ("InstanceMaintenancePolicy", FieldSetting::flag(group.instance_maintenance_policy().is_some())),
        ("InstanceLifecyclePolicy", FieldSetting::flag(group.instance_lifecycle_policy().is_some())),
        ("ServiceLinkedRoleARN", FieldSetting::flag(role.is_some())),
        (
            "DeletionProtection",
            FieldSetting::unless("none", group.deletion_protection().map(|it| it.as_str())),
        ),
        (
            "AvailabilityZoneDistribution",
            FieldSetting::unless("balanced-best-effort", strategy.map(|it| it.as_str())),
        ),
        ("AvailabilityZoneImpairmentPolicy", FieldSetting::flag(shift == Some(true))),
        ("DesiredCapacityType", FieldSetting::unless("units", group.desired_capacity_type())),
        ("Context", FieldSetting::flag(group.context().is_some_and(|it| !it.is_empty()))),
    ]
}

fn distribution(options: &InstancesDistribution) -> Vec<(&'static str, Option<FieldSetting>)> {
    vec![
        ("SpotMaxPrice", FieldSetting::unless("", options.spot_max_price())),
        ("DistributionSegments", FieldSetting::count(options.distribution_segments().len())),
    ]
}

fn types(overrides: &[LaunchTemplateOverrides]) -> Vec<(&'static str, Option<FieldSetting>)> {
    let with = |is: fn(&LaunchTemplateOverrides) -> bool| {
        FieldSetting::count(overrides.iter().filter(|it| is(it)).count())
    };
    vec![
        // A weight of 1 counts as an instance does.
        ("WeightedCapacity", with(|it| it.weighted_capacity().is_some_and(|weight| weight != "1"))),
        ("LaunchTemplateSpecification", with(|it| it.launch_template_specification().is_some())),
        ("ImageId", with(|it| it.image_id().is_some())),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ledger::Ledger;

    /// Asserts that every field of `ledger` that notes may name is looked at.
    #[track_caller]
    fn expect_all(ledger: &Ledger, looked_at: &[(&'static str, Option<FieldSetting>)]) {
        let looked_at: BTreeSet<&str> = looked_at.iter().map(|(field, _)| *field).collect();
        assert_eq!(looked_at, ledger.not_yet().map(|(field, _)| field).collect(), "{}", ledger.object);
    }

    #[test]
    fn every_field_that_is_not_carried_is_looked_at() {
        let group = AutoScalingGroup::builder().build();
        let beside = Beside {
            hooks: BTreeMap::new(),
            policies: Ok(BTreeMap::new()),
            notifications: Ok(BTreeMap::new()),
        };
        expect_all(&BESIDE, &beside.of("web", 0));
        expect_all(&HOOK, &beside.of_hooks("web"));
        expect_all(&GROUP, &[traffic(&group), behaviour(&group)].concat());
        expect_all(&DISTRIBUTION, &distribution(&InstancesDistribution::builder().build()));
        expect_all(&OVERRIDES, &types(&[]));
    }

    #[test]
    fn a_call_that_failed_is_named_and_the_rest_is_counted() {
        let denied = CloudError::Denied {
            operation: "autoscaling:DescribePolicies".to_owned(),
            message: String::new(),
        };
        let beside = Beside {
            hooks: [("web".to_owned(), Ok(Hooks { carried: Vec::new(), notifying: 2 }))].into(),
            policies: Err(denied),
            notifications: Ok(BTreeMap::new()),
        };
        let group = AutoScalingGroup::builder().health_check_type("ELB").build();
        let found = not_carried("web", &group, &beside, 0);
        assert_eq!(
            found.sentences("group web", &[&BESIDE, &HOOK, &GROUP]),
            [
                "not carried from group web: 2 notifying lifecycle hooks, health check ELB (docs/reference/followed.md)",
                "could not see of group web: scaling policies (autoscaling:DescribePolicies was denied); \
             docs/iam-policy.json lists what drstack needs"
            ]
        );
    }
}
