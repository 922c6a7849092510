use std::collections::BTreeSet;

use aws_sdk_cloudwatch::types::{ComparisonOperator, MetricAlarm, Statistic};
use drstack_core::cloud::{Call, CloudError};
use drstack_core::kind::FieldChange;

use super::{Alarm, AlarmLive, AlarmSpec, MISSING};
use crate::aws::tags::{owned, owner_by_name};
use crate::aws::{Driver, LOOKS, Looked, Seen, Target, absent, by_id};
use crate::names::{METRIC, NAMESPACE};
use crate::services::cloudwatch::calls::{
    PERIOD, alarms_by_name, dimensions, no_alarm, put_tags, tag_list, tags_of,
};
use futures_util::{StreamExt, TryStreamExt};

/// The value from which the alarm is raised.
const THRESHOLD: f64 = 1.0;

impl Driver for Alarm {
    async fn read(at: &Target<'_>, ids: &[String]) -> Looked<AlarmLive> {
        let found = async { seen_all(at, alarms_by_name(at, ids).await?).await };
        by_id(ids, found.await)
    }

    async fn list_owned(at: &Target<'_>, except: &[String]) -> Result<Vec<Seen<AlarmLive>>, CloudError> {
        let except: BTreeSet<&str> = except.iter().map(String::as_str).collect();
        let prefix = format!("drstack-{}-", at.scope.stack);
        let mut found = Vec::new();
        let ask = at.cloudwatch().describe_alarms().alarm_name_prefix(prefix);
        let mut pages = ask.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| at.failed("cloudwatch:DescribeAlarms", error))?;
            found.extend(page.metric_alarms.unwrap_or_default());
        }
        found.retain(|alarm| !except.contains(alarm.alarm_name().unwrap_or_default()));
        let mut seen = seen_all(at, found).await?;
        seen.retain(|alarm| alarm.owner.claims());
        Ok(seen)
    }

    async fn create(at: &Target<'_>, call: &Call, spec: &AlarmSpec) -> Result<Seen<AlarmLive>, CloudError> {
        put(at, call, spec).await?;
        let names = [spec.name.clone()];
        let found = Self::read(at, &names).await.into_iter().next();
        found.transpose()?.flatten().ok_or_else(|| no_alarm(&spec.name))
    }

    async fn update(
        at: &Target<'_>,
        call: &Call,
        _: &str,
        spec: &AlarmSpec,
        _: &[FieldChange],
    ) -> Result<(), CloudError> {
        put(at, call, spec).await?;
        // The put does not change the tags of an existing alarm.
        let alarms = alarms_by_name(at, std::slice::from_ref(&spec.name)).await?;
        let arn = alarms.into_iter().next().and_then(|alarm| alarm.alarm_arn);
        put_tags(at, &arn.ok_or_else(|| no_alarm(&spec.name))?, &owned(call, spec)).await
    }

    async fn delete(at: &Target<'_>, _: &Call, name: &str) -> Result<(), CloudError> {
        let gone = at.cloudwatch().delete_alarms().alarm_names(name).send().await;
        absent(at, "cloudwatch:DeleteAlarms", &["ResourceNotFound"], gone).map(drop)
    }
}

async fn put(at: &Target<'_>, call: &Call, spec: &AlarmSpec) -> Result<(), CloudError> {
    let put = at
        .cloudwatch()
        .put_metric_alarm()
        .alarm_name(&spec.name)
        .alarm_description(
            "Takes traffic off the primary; drstack writes its metric when the standby region serves",
        )
        .actions_enabled(false)
        .namespace(NAMESPACE)
        .metric_name(METRIC)
        .set_dimensions(Some(dimensions(&spec.stack, &spec.traffic)))
        .statistic(Statistic::Maximum)
        .period(PERIOD)
        .evaluation_periods(1)
        .datapoints_to_alarm(1)
        .threshold(THRESHOLD)
        .comparison_operator(ComparisonOperator::GreaterThanOrEqualToThreshold)
        .treat_missing_data(MISSING)
        .set_tags(Some(tag_list(&owned(call, spec))));
    put.send().await.map(drop).map_err(|error| at.failed("cloudwatch:PutMetricAlarm", error))
}

async fn seen_all(at: &Target<'_>, alarms: Vec<MetricAlarm>) -> Result<Vec<Seen<AlarmLive>>, CloudError> {
    let looks: Vec<_> = alarms.into_iter().map(|alarm| seen(at, alarm)).collect();
    futures_util::stream::iter(looks).buffered(LOOKS).try_collect().await
}

async fn seen(at: &Target<'_>, alarm: MetricAlarm) -> Result<Seen<AlarmLive>, CloudError> {
    let tags = tags_of(at, alarm.alarm_arn().unwrap_or_default()).await?;
    let periods = alarm.evaluation_periods.unwrap_or_default();
    let condition = format!(
        "{} of {} s {} {}, {} of {periods}",
        alarm.statistic().map_or("-", Statistic::as_str),
        alarm.period.unwrap_or_default(),
        alarm.comparison_operator().map_or("-", ComparisonOperator::as_str),
        alarm.threshold.unwrap_or_default(),
        alarm.datapoints_to_alarm.unwrap_or(periods),
    );
    let text = |it: &Option<String>| it.clone().unwrap_or_default();
    let mut dimensions: Vec<_> =
        alarm.dimensions().iter().map(|it| (text(&it.name), text(&it.value))).collect();
    dimensions.sort();
    let live = AlarmLive {
        metric: format!("{}/{}", text(&alarm.namespace), text(&alarm.metric_name)),
        dimensions,
        condition,
        missing: text(&alarm.treat_missing_data),
    };
    let name = text(&alarm.alarm_name);
    Ok(Seen { owner: owner_by_name(&tags, at.scope, &name), id: name, live })
}
