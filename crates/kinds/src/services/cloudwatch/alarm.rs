//! The alarm of the standby region that takes traffic away from the primary: a Route 53 health check watches it.
//!
//! Route 53 reads the alarm's metric by itself and evaluates no high-resolution metric and no percentile
//! (Route 53 API, `AlarmIdentifier`): so the period is a minute and the statistic the maximum. Missing data is ignored,
//! which keeps the last state (CloudWatch API, `PutMetricAlarm`, `TreatMissingData`): one datapoint is enough, for good.

use drstack_core::kind::{FieldChange, Kind, Lookup, Operation};
use serde::{Deserialize, Serialize};

use crate::names::{METRIC, NAMESPACE};
use crate::services::operation;

/// When it alarms: as soon as one minute holds a 1, whatever else that minute holds.
const CONDITION: &str = "Maximum of 60 s GreaterThanOrEqualToThreshold 1, 1 of 1";
/// What it makes of a minute without data: it stays in the state it is in.
const MISSING: &str = "ignore";

/// What is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AlarmSpec {
    /// Its name.
    pub name: String,
    /// The stack, a dimension of the metric.
    pub stack: String,
    /// Which of the stack's switches, the other dimension.
    pub traffic: String,
}

/// What CloudWatch reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmLive {
    /// Namespace and name of the metric.
    pub metric: String,
    /// Its dimensions, by name.
    pub dimensions: Vec<(String, String)>,
    /// When it alarms.
    pub condition: String,
    /// What it makes of missing data.
    pub missing: String,
}

/// See the module.
pub struct Alarm;

impl Kind for Alarm {
    const NAME: &'static str = "alarm";
    const SUMMARY: &'static str = "CloudWatch alarm of the standby region that takes traffic off the primary";
    const LOOKUP: Lookup = Lookup::Name;
    const OPERATIONS: &'static [Operation] = &[
        operation("cloudwatch", "DeleteAlarms"),
        operation("cloudwatch", "DescribeAlarms"),
        operation("cloudwatch", "ListTagsForResource"),
        operation("cloudwatch", "PutMetricAlarm"),
        operation("cloudwatch", "TagResource"),
    ];
    type Spec = AlarmSpec;
    type Live = AlarmLive;

    fn diff(spec: &AlarmSpec, live: &AlarmLive) -> Vec<FieldChange> {
        let wanted = Self::expect(spec, &spec.name);
        let changes = [
            FieldChange::of("metric", &live.metric, &wanted.metric),
            FieldChange::of("dimensions", &live.dimensions, &wanted.dimensions),
            FieldChange::of("condition", &live.condition, &wanted.condition),
            FieldChange::of("missing", &live.missing, &wanted.missing),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &AlarmSpec, _id: &str) -> AlarmLive {
        let dimension = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        AlarmLive {
            metric: format!("{NAMESPACE}/{METRIC}"),
            dimensions: vec![dimension("stack", &spec.stack), dimension("traffic", &spec.traffic)],
            condition: CONDITION.to_owned(),
            missing: MISSING.to_owned(),
        }
    }
}

#[cfg(feature = "aws")]
mod aws;
