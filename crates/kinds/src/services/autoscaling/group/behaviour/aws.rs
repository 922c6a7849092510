use aws_sdk_autoscaling::operation::create_auto_scaling_group::builders::CreateAutoScalingGroupFluentBuilder;
use aws_sdk_autoscaling::operation::update_auto_scaling_group::builders::UpdateAutoScalingGroupFluentBuilder;
use aws_sdk_autoscaling::types::AutoScalingGroup;

use super::GroupBehaviour;

/// The cooldown of a group that sets none, in seconds (API reference, `DefaultCooldown`).
const COOLDOWN: i32 = 300;
/// The termination policy of a group that sets none.
const DEFAULT_POLICY: &str = "Default";
/// The value that removes a warmup (API reference, `DefaultInstanceWarmup`).
const NO_WARMUP: i32 = -1;

impl GroupBehaviour {
    /// Returns the behaviour of a group.
    pub(crate) fn of(group: &AutoScalingGroup) -> Self {
        let policies = group.termination_policies();
        Self {
            grace_period: group.health_check_grace_period().filter(|it| *it > 0),
            cooldown: group.default_cooldown().filter(|it| *it != COOLDOWN),
            warmup: group.default_instance_warmup().filter(|it| *it >= 0),
            max_lifetime: group.max_instance_lifetime().filter(|it| *it > 0),
            termination_policies: if policies == [DEFAULT_POLICY] { Vec::new() } else { policies.to_vec() },
        }
    }

    /// Adds what is set to a creation.
    pub(crate) fn in_create(
        &self,
        make: CreateAutoScalingGroupFluentBuilder,
    ) -> CreateAutoScalingGroupFluentBuilder {
        make.set_health_check_grace_period(self.grace_period)
            .set_default_cooldown(self.cooldown)
            .set_default_instance_warmup(self.warmup)
            .set_max_instance_lifetime(self.max_lifetime)
            .set_termination_policies(Some(self.termination_policies.clone()).filter(|it| !it.is_empty()))
    }

    /// Adds what differs from the `live` group to an update.
    pub(crate) fn in_update(
        &self,
        live: &Self,
        put: UpdateAutoScalingGroupFluentBuilder,
    ) -> UpdateAutoScalingGroupFluentBuilder {
        let changed = |wanted: Option<i32>, live: Option<i32>, default: i32| {
            (wanted != live).then(|| wanted.unwrap_or(default))
        };
        let policies = match self.termination_policies.is_empty() {
            true => vec![DEFAULT_POLICY.to_owned()],
            false => self.termination_policies.clone(),
        };
        let differ = self.termination_policies != live.termination_policies;
        put.set_health_check_grace_period(changed(self.grace_period, live.grace_period, 0))
            .set_default_cooldown(changed(self.cooldown, live.cooldown, COOLDOWN))
            .set_default_instance_warmup(changed(self.warmup, live.warmup, NO_WARMUP))
            .set_max_instance_lifetime(changed(self.max_lifetime, live.max_lifetime, 0))
            .set_termination_policies(differ.then_some(policies))
    }
}
