use std::collections::BTreeSet;

use aws_sdk_cloudwatch::types::{MetricDatum, StandardUnit, StateValue};
use aws_smithy_types::DateTime;
use drstack_core::cloud::{Call, CloudError};

use super::{TrafficSwitch, TrafficSwitchLive, TrafficSwitchSpec, dimension};
use crate::aws::{Looked, Seen, SettingDriver, Target, setting};
use crate::names::{METRIC, NAMESPACE};
use crate::services::cloudwatch::calls::{PERIOD, alarms_by_name, dimensions, newest, now};

const PUT: &str = "cloudwatch:PutMetricData";

impl SettingDriver for TrafficSwitch {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<TrafficSwitchLive> {
        match look(at, ids).await {
            Ok(seen) => seen.into_iter().map(|seen| Ok(Some(seen))).collect(),
            Err(error) => ids.iter().map(|_| Err(error.clone())).collect(),
        }
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

    async fn update(at: &Target<'_>, _: &Call, _: &str, spec: &TrafficSwitchSpec) -> Result<(), CloudError> {
        put(at, spec).await
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
        setting(id.clone(), live)
    };
    Ok(ids.iter().zip(points).map(seen).collect())
}

/// True if a 0 written now would have no effect: the minute holds a 1, and its maximum counts.
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
