//! The switch of traffic: a metric of the standby region, 1 once that region serves. Writing it is an act of the data
//! plane there; no call to Route 53 is needed for DNS to follow.
//!
//! Nobody has written it before the first failover: no datapoint means 0, and the health check that watches the alarm
//! begins as healthy. A minute counts as 1 once it holds a 1: a 0 is written only in a minute that does not.

use std::time::Duration;

use drstack_core::kind::{Action, FieldChange, Kind, Lookup, Operation, Readiness, Wait, Witness};
use serde::{Deserialize, Serialize};

use super::operation;

/// What is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrafficSwitchSpec {
    /// Name of the alarm that reads it, by which it is looked up.
    pub alarm: String,
    /// Traffic goes to the standby region.
    pub active: bool,
}

/// What CloudWatch reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrafficSwitchLive {
    /// The newest datapoint is a 1.
    pub active: bool,
    /// The alarm is in alarm.
    pub alarm: bool,
}

/// The value of the dimension `traffic`: what the alarm's name says beside the stack.
pub fn dimension<'a>(stack: &str, alarm: &'a str) -> &'a str {
    alarm.strip_prefix(&format!("drstack-{stack}-")).unwrap_or(alarm)
}

/// See the module.
pub struct TrafficSwitch;

impl Kind for TrafficSwitch {
    const NAME: &'static str = "traffic-switch";
    const SUMMARY: &'static str = "metric that moves traffic to the standby region; written, never removed";
    const LOOKUP: Lookup = Lookup::Name;
    const SETTING: bool = true;
    const SWITCHES_TRAFFIC: bool = true;
    const WAIT: Wait = Wait {
        // A datapoint is to be read within two minutes, and the alarm looks once a minute; twice that, and some more.
        deadline: Duration::from_secs(10 * 60),
        first: Duration::from_secs(1),
        slowest: Duration::from_secs(5),
    };
    const OPERATIONS: &'static [Operation] = &[
        operation("cloudwatch", "DescribeAlarms"),
        operation("cloudwatch", "GetMetricData"),
        operation("cloudwatch", "PutMetricData"),
    ];
    type Spec = TrafficSwitchSpec;
    type Live = TrafficSwitchLive;

    fn diff(spec: &TrafficSwitchSpec, live: &TrafficSwitchLive) -> Vec<FieldChange> {
        let changes = [
            FieldChange::of("active", &live.active, &spec.active),
            FieldChange::of("alarm", &live.alarm, &spec.active),
        ];
        changes.into_iter().flatten().collect()
    }

    fn expect(spec: &TrafficSwitchSpec, _id: &str) -> TrafficSwitchLive {
        TrafficSwitchLive { active: spec.active, alarm: spec.active }
    }

    fn ready(spec: &TrafficSwitchSpec, live: &TrafficSwitchLive) -> Readiness {
        let state = if spec.active { "in alarm" } else { "out of alarm" };
        match (live.active == spec.active, live.alarm == spec.active) {
            (true, true) => Readiness::Ready,
            (false, _) => Readiness::Waiting("CloudWatch does not show the new datapoint yet".to_owned()),
            (true, false) => Readiness::Waiting(format!("`{}` is not {state} yet", spec.alarm)),
        }
    }

    fn prior(_action: Action) -> Duration {
        // The alarm looks once a minute, and the datapoint has to be there by then.
        Duration::from_secs(90)
    }

    fn witness(_id: &str, live: &TrafficSwitchLive) -> Option<Witness> {
        live.active.then_some(Witness::Traffic)
    }
}

#[cfg(feature = "aws")]
mod aws {
    use std::collections::BTreeSet;

    use aws_sdk_cloudwatch::types::{MetricDatum, StandardUnit, StateValue};
    use aws_smithy_types::DateTime;
    use drstack_core::cloud::{Call, CloudError, Owner};
    use drstack_core::kind::FieldChange;

    use super::{TrafficSwitch, TrafficSwitchLive, TrafficSwitchSpec, dimension};
    use crate::aws::cloudwatch::{PERIOD, alarms_by_name, dimensions, newest, now};
    use crate::aws::{Driver, Looked, Seen, Target};
    use crate::names::{METRIC, NAMESPACE};

    const PUT: &str = "cloudwatch:PutMetricData";

    impl Driver for TrafficSwitch {
        async fn read(at: &Target<'_>, ids: &[String]) -> Looked<TrafficSwitchLive> {
            match look(at, ids).await {
                Ok(seen) => seen.into_iter().map(|seen| Ok(Some(seen))).collect(),
                Err(error) => ids.iter().map(|_| Err(error.clone())).collect(),
            }
        }

        async fn list_owned(
            _: &Target<'_>,
            _: &[String],
        ) -> Result<Vec<Seen<TrafficSwitchLive>>, CloudError> {
            Ok(Vec::new())
        }

        async fn create(
            at: &Target<'_>,
            _: &Call,
            spec: &TrafficSwitchSpec,
        ) -> Result<Seen<TrafficSwitchLive>, CloudError> {
            put(at, spec).await?;
            let nothing = || CloudError::Other { operation: PUT.to_owned(), message: "no answer".to_owned() };
            look(at, std::slice::from_ref(&spec.alarm)).await?.into_iter().next().ok_or_else(nothing)
        }

        async fn update(
            at: &Target<'_>,
            _: &Call,
            _: &str,
            spec: &TrafficSwitchSpec,
            _: &[FieldChange],
        ) -> Result<(), CloudError> {
            put(at, spec).await
        }

        async fn delete(_: &Target<'_>, _: &Call, _: &str) -> Result<(), CloudError> {
            Ok(())
        }
    }

    async fn look(at: &Target<'_>, ids: &[String]) -> Result<Vec<Seen<TrafficSwitchLive>>, CloudError> {
        let stack = &at.scope.stack;
        let metrics: Vec<&str> = ids.iter().map(|id| dimension(stack, id)).collect();
        let (points, alarms) = tokio::try_join!(newest(at, stack, &metrics), alarms_by_name(at, ids))?;
        let raised: BTreeSet<String> = alarms
            .into_iter()
            .filter(|alarm| alarm.state_value() == Some(&StateValue::Alarm))
            .filter_map(|alarm| alarm.alarm_name)
            .collect();
        let seen = |(id, point): (&String, Option<(i64, f64)>)| {
            let live = TrafficSwitchLive {
                active: point.is_some_and(|(_, value)| value >= 1.0),
                alarm: raised.contains(id),
            };
            Seen { id: id.clone(), owner: Owner::Setting, live }
        };
        Ok(ids.iter().zip(points).map(seen).collect())
    }

    /// Whether a 0 written now would be lost: the minute holds a 1, and its maximum counts.
    fn drowns(point: Option<(i64, f64)>, now: i64) -> bool {
        let minute = now - now % i64::from(PERIOD);
        point.is_some_and(|(second, value)| value >= 1.0 && second >= minute)
    }

    async fn put(at: &Target<'_>, spec: &TrafficSwitchSpec) -> Result<(), CloudError> {
        let (stack, now) = (&at.scope.stack, now());
        let traffic = dimension(stack, &spec.alarm);
        if !spec.active {
            let point = newest(at, stack, &[traffic]).await?.into_iter().next().flatten();
            if drowns(point, now) {
                return Err(CloudError::Conflict {
                    operation: PUT.to_owned(),
                    message: "this minute holds a 1; a 0 counts from the next minute on".to_owned(),
                });
            }
        }
        let datum = MetricDatum::builder()
            .metric_name(METRIC)
            .set_dimensions(Some(dimensions(stack, traffic)))
            .timestamp(DateTime::from_secs(now))
            .value(if spec.active { 1.0 } else { 0.0 })
            .unit(StandardUnit::None)
            .storage_resolution(PERIOD)
            .build();
        let put = at.cloudwatch().put_metric_data().namespace(NAMESPACE).metric_data(datum).send().await;
        put.map(drop).map_err(|error| at.failed(PUT, error))
    }

    #[cfg(test)]
    mod tests {
        use super::drowns;

        #[test]
        fn a_zero_waits_for_a_minute_without_a_one() {
            let minute = 60 * 1000;
            assert!(drowns(Some((minute, 1.0)), minute) && drowns(Some((minute, 1.0)), minute + 59));
            assert!(!drowns(Some((minute, 1.0)), minute + 60));
            assert!(!drowns(Some((minute, 0.0)), minute + 1) && !drowns(None, minute));
        }
    }
}
