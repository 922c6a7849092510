//! Why a group launches nothing: the failures of its last launches.

use std::time::{Duration, SystemTime};

use aws_sdk_autoscaling::types::{Activity, ScalingActivityStatusCode};
use drstack_core::cloud::CloudError;
use drstack_core::kind::Shortage;

use crate::aws::Target;
use crate::aws::once::LastChanged;
use crate::services::ec2::limits::limit_in;

/// Number of a group's newest activities that are read to see how its last launches went.
const ACTIVITIES: i32 = 20;

/// How long a failed launch counts as current if the time of the group's last change is unknown.
///
/// Auto Scaling tries again within minutes.
const LATELY: Duration = Duration::from_secs(10 * 60);

/// Returns why the newest launch failed; none if it did not fail.
pub(super) async fn shortage(at: &Target<'_>, name: &str) -> Result<Option<Shortage>, CloudError> {
    let ask = at.autoscaling().describe_scaling_activities().auto_scaling_group_name(name);
    let answer = ask.max_records(ACTIVITIES).send().await;
    let answer = answer.map_err(|error| at.failed("autoscaling:DescribeScalingActivities", error))?;
    let since = at.aws.shared.get::<LastChanged>().of(name).or_else(|| SystemTime::now().checked_sub(LATELY));
    let activities = answer.activities.unwrap_or_default().into_iter();
    let mut newest: Vec<Activity> = activities.filter(|it| is_after(it, since)).collect();
    newest.sort_by_key(|it| std::cmp::Reverse(it.start_time));
    // If the newest activity is in progress or succeeded, there is no shortage yet.
    let failed = match newest.first().and_then(|it| it.status_code.as_ref()) {
        Some(ScalingActivityStatusCode::Failed | ScalingActivityStatusCode::Cancelled) => newest.first(),
        _ => None,
    };
    let message = failed.and_then(|it| it.status_message.clone().or(it.description.clone()));
    Ok(message.and_then(|message| limit_in(&message).map(|limit| Shortage { limit, message })))
}

/// True if the activity began at or after `since`, in whole seconds, as activities report them.
fn is_after(activity: &Activity, since: Option<SystemTime>) -> bool {
    let start = activity.start_time.map_or(0, |it| it.secs());
    let since = since.and_then(|it| it.duration_since(SystemTime::UNIX_EPOCH).ok());
    since.is_none_or(|since| u64::try_from(start).is_ok_and(|start| start >= since.as_secs()))
}
