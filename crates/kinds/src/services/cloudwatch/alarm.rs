//! The alarm kind: a Route 53 health check reads it to move traffic away from the primary.
//!
//! Route 53 evaluates the alarm's metric itself, and supports no high-resolution metric and no
//! percentile (Route 53 API, `AlarmIdentifier`): so the period is a minute and the statistic the
//! maximum. Missing data is ignored, which keeps the last state (CloudWatch API, `PutMetricAlarm`,
//! `TreatMissingData`): one datapoint is enough, for good.

use drstack_core::kind::{Capabilities, FieldChange, Kind, Lookup, Operation};
use serde::{Deserialize, Serialize};

use crate::names::{METRIC, NAMESPACE};
use crate::services::operation;

/// The alarm's condition: one minute holds a 1, whatever else it holds.
const CONDITION: &str = "Maximum of 60 s GreaterThanOrEqualToThreshold 1, 1 of 1";
/// Treatment of a minute without data: the alarm keeps its state.
const MISSING: &str = "ignore";

/// The desired state of an alarm.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AlarmSpec {
    /// Its name.
    pub name: String,
    /// The stack, a dimension of the metric.
    pub stack: String,
    /// The stack's switch, the other dimension.
    pub traffic: String,
}

/// An alarm as CloudWatch reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmLive {
    /// Namespace and name of the metric.
    pub metric: String,
    /// Its dimensions, by name.
    pub dimensions: Vec<(String, String)>,
    /// The condition of the alarm.
    pub condition: String,
    /// The treatment of missing data.
    pub missing: String,
}

/// The alarm kind.
pub struct Alarm;

impl Kind for Alarm {
    const NAME: &'static str = "alarm";
    const SUMMARY: &'static str = "CloudWatch alarm of the standby region that takes traffic off the primary";
    const LOOKUP: Lookup = Lookup::Name;
    const CAPABILITIES: Capabilities = Capabilities { is_read_elsewhere: true, ..Capabilities::NONE };
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
