use aws_sdk_autoscaling::types::{LifecycleHook, LifecycleHookSpecification};
use drstack_core::cloud::CloudError;

use super::{Hook, HookChanges, Hooks};
use crate::aws::{Target, absent};
use crate::services::autoscaling::group::GroupSpec;

/// Heartbeat of a hook that sets none, in seconds (API reference, `HeartbeatTimeout`).
const HEARTBEAT: i32 = 3600;
/// Result of a hook that sets none (API reference, `DefaultResult`).
const RESULT: &str = "ABANDON";
/// Error codes of a hook that is gone already.
const GONE: &[&str] = &["ValidationError"];

/// Reads the hooks of a group.
pub(crate) async fn read(at: &Target<'_>, group: &str) -> Result<Hooks, CloudError> {
    let answer = at.autoscaling().describe_lifecycle_hooks().auto_scaling_group_name(group).send().await;
    let answer = answer.map_err(|error| at.failed("autoscaling:DescribeLifecycleHooks", error))?;
    Ok(Hooks::of(answer.lifecycle_hooks.unwrap_or_default().into_iter().map(hook)))
}

/// Returns a hook, and the ARN that it notifies.
fn hook(answer: LifecycleHook) -> (Hook, Option<String>) {
    let hook = Hook {
        name: answer.lifecycle_hook_name.unwrap_or_default(),
        transition: answer.lifecycle_transition.unwrap_or_default(),
        heartbeat: answer.heartbeat_timeout.unwrap_or(HEARTBEAT),
        default_result: answer.default_result.unwrap_or_else(|| RESULT.to_owned()),
        metadata: answer.notification_metadata.filter(|it| !it.is_empty()),
    };
    (hook, answer.notification_target_arn)
}

/// Returns the hooks with which a group is created; none if it has none.
pub(crate) fn in_create(spec: &GroupSpec) -> Option<Vec<LifecycleHookSpecification>> {
    let made = |hook: &Hook| {
        LifecycleHookSpecification::builder()
            .lifecycle_hook_name(&hook.name)
            .lifecycle_transition(&hook.transition)
            .heartbeat_timeout(hook.heartbeat)
            .default_result(&hook.default_result)
            .set_notification_metadata(hook.metadata.clone())
            .build()
    };
    let hooks: Vec<_> = spec.hooks.iter().flatten().map(made).collect();
    (!hooks.is_empty()).then_some(hooks)
}

/// Changes the hooks of a group before it launches anything; none if the `live` ones are not known.
pub(crate) async fn change(
    at: &Target<'_>,
    group: &str,
    spec: &GroupSpec,
    live: Option<&[Hook]>,
) -> Result<(), CloudError> {
    let (Some(wanted), Some(live)) = (&spec.hooks, live) else { return Ok(()) };
    let HookChanges { put, delete } = HookChanges::between(wanted, live);
    for hook in put {
        let put = at.autoscaling().put_lifecycle_hook().auto_scaling_group_name(group);
        let put = put
            .lifecycle_hook_name(&hook.name)
            .lifecycle_transition(&hook.transition)
            .heartbeat_timeout(hook.heartbeat)
            .default_result(&hook.default_result)
            .set_notification_metadata(hook.metadata.clone());
        put.send().await.map_err(|error| at.failed("autoscaling:PutLifecycleHook", error))?;
    }
    for name in delete {
        let delete = at.autoscaling().delete_lifecycle_hook().auto_scaling_group_name(group);
        let gone = delete.lifecycle_hook_name(name).send().await;
        absent(at, "autoscaling:DeleteLifecycleHook", GONE, gone)?;
    }
    Ok(())
}
