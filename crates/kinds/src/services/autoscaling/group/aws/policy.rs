//! The mixed-instances policy of a group: types, weights and purchase options.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types::{
    Instance, InstancesDistribution, LaunchTemplate as Choice, LaunchTemplateOverrides,
    LaunchTemplateSpecification, MixedInstancesPolicy,
};

use crate::services::autoscaling::group::{GroupLive, GroupSpec, Step};

/// Converts a number of instances to Auto Scaling's type.
pub(super) fn size(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Builds the policy for `spec`, given the instances that already exist.
pub(super) fn policy(spec: &GroupSpec, live: Option<&GroupLive>) -> MixedInstancesPolicy {
    let template = LaunchTemplateSpecification::builder()
        .launch_template_id(spec.template.text())
        .version(spec.template_version.text());
    let weights = spec.weights();
    let overrides = spec.types_now().into_iter().map(|kind| {
        let weight = weights.get(&kind).map(u32::to_string);
        LaunchTemplateOverrides::builder().instance_type(kind).set_weighted_capacity(weight).build()
    });
    let choice = Choice::builder()
        .launch_template_specification(template.build())
        .set_overrides(Some(overrides.collect()));
    let (base, percentage) = shares(spec, live);
    let distribution = InstancesDistribution::builder()
        .on_demand_base_capacity(size(base))
        .on_demand_percentage_above_base_capacity(size(percentage))
        // The stack's order is the ladder. For spot, AWS recommends weighing price against depth of
        // the pools.
        .on_demand_allocation_strategy("prioritized")
        .spot_allocation_strategy("price-capacity-optimized");
    MixedInstancesPolicy::builder()
        .launch_template(choice.build())
        .instances_distribution(distribution.build())
        .build()
}

/// Returns the on-demand base capacity, and the on-demand percentage above it.
fn shares(spec: &GroupSpec, live: Option<&GroupLive>) -> (u32, u32) {
    let (on_demand, spot) = live.map_or((0, 0), |live| (live.on_demand, live.spot));
    match spec.failover.map(|it| it.rung) {
        None | Some(Step::Whole) => (0, spec.on_demand_percentage),
        // On-demand instances of another size cover the missing spot capacity; the spot instances
        // stay.
        Some(Step::Sizes) if spec.on_demand_percentage > 0 => (spec.desired.saturating_sub(spot), 0),
        // Existing on-demand instances stay, and spot fills the rest.
        Some(Step::Spot | Step::Sizes | Step::Fewer) => (on_demand, 0),
    }
}

/// Returns the weight of each type that has one.
pub(super) fn weights(overrides: &[LaunchTemplateOverrides]) -> BTreeMap<String, u32> {
    let weight = |it: &LaunchTemplateOverrides| {
        Some((it.instance_type.clone()?, it.weighted_capacity.as_ref()?.parse().ok()?))
    };
    overrides.iter().filter_map(weight).collect()
}

/// Returns the units of an instance under these weights.
///
/// An instance of a type that the group no longer names keeps its own weight.
pub(super) fn units(instance: &Instance, weights: &BTreeMap<String, u32>) -> u32 {
    if weights.is_empty() {
        return 1;
    }
    let of_group = instance.instance_type.as_ref().and_then(|of| weights.get(of).copied());
    let own = || instance.weighted_capacity.as_ref().and_then(|it| it.parse().ok());
    of_group.or_else(own).unwrap_or(1)
}
