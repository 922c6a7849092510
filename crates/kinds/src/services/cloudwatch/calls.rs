//! Calls of CloudWatch that several kinds share: alarms with their tags, and the newest datapoints
//! of metrics.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricAlarm, MetricDataQuery, MetricStat, ScanBy, Tag};
use aws_smithy_types::DateTime;
use drstack_core::cloud::CloudError;
use jiff::Timestamp;

use crate::aws::Target;
use crate::aws::tags::Tags;
use crate::names::{METRIC, NAMESPACE};

/// Seconds per datapoint: the standard resolution, the only one that Route 53 evaluates.
pub(crate) const PERIOD: i32 = 60;
/// Maximum number of names in one `DescribeAlarms`, by its API reference.
const NAMES: usize = 100;
/// Maximum number of metrics in one `GetMetricData`, by its API reference.
const QUERIES: usize = 500;
/// Retention of datapoints in days, and the seconds of each datapoint then (`GetMetricData`).
///
/// The newest datapoint is searched among single minutes first, then among hours.
const KEPT: [(i64, i32); 2] = [(15, PERIOD), (455, 3600)];
/// Seconds per day.
const DAY: i64 = 24 * 3600;

/// Returns the seconds since 1970.
pub(crate) fn now() -> i64 {
    Timestamp::now().as_second()
}

/// Returns the dimensions of a switch's metric.
pub(crate) fn dimensions(stack: &str, traffic: &str) -> Vec<Dimension> {
    let dimension = |(name, value): (&str, &str)| Dimension::builder().name(name).value(value).build();
    [("stack", stack), ("traffic", traffic)].map(dimension).into()
}

/// Reads the metric alarms of these names that exist.
pub(crate) async fn alarms_by_name(
    at: &Target<'_>,
    names: &[String],
) -> Result<Vec<MetricAlarm>, CloudError> {
    let mut found = Vec::new();
    for names in names.chunks(NAMES) {
        let ask = at.cloudwatch().describe_alarms().set_alarm_names(Some(names.to_vec()));
        let mut pages = ask.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| at.failed("cloudwatch:DescribeAlarms", error))?;
            found.extend(page.metric_alarms.unwrap_or_default());
        }
    }
    Ok(found)
}

/// Returns the error for an alarm that was just created and is not visible.
pub(crate) fn no_alarm(name: &str) -> CloudError {
    CloudError::Conflict {
        operation: "cloudwatch:PutMetricAlarm".to_owned(),
        message: format!("`{name}` is not to be seen yet"),
    }
}

/// Reads the tags of an alarm.
pub(crate) async fn tags_of(at: &Target<'_>, arn: &str) -> Result<Tags, CloudError> {
    let answer = at.cloudwatch().list_tags_for_resource().resource_arn(arn).send().await;
    let answer =
        crate::aws::absent(at, "cloudwatch:ListTagsForResource", &["ResourceNotFoundException"], answer)?;
    let tags = answer.and_then(|answer| answer.tags).unwrap_or_default();
    Ok(tags.into_iter().filter_map(|tag| Some((tag.key?, tag.value?))).collect())
}

/// Adds these tags to an alarm and keeps its others.
pub(crate) async fn put_tags(at: &Target<'_>, arn: &str, tags: &Tags) -> Result<(), CloudError> {
    let put = at.cloudwatch().tag_resource().resource_arn(arn).set_tags(Some(tag_list(tags))).send().await;
    put.map(drop).map_err(|error| at.failed("cloudwatch:TagResource", error))
}

/// Converts tags to CloudWatch's type.
pub(crate) fn tag_list(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Reads the newest datapoint of each switch's metric, with its second; none if it never had one.
pub(crate) async fn newest(
    at: &Target<'_>,
    stack: &str,
    traffic: &[&str],
) -> Result<Vec<Option<(i64, f64)>>, CloudError> {
    let mut found: Vec<Option<(i64, f64)>> = vec![None; traffic.len()];
    for (days, period) in KEPT {
        let open: Vec<usize> = (0..traffic.len()).filter(|at| found[*at].is_none()).collect();
        for open in open.chunks(QUERIES) {
            let queries: Vec<_> = open.iter().map(|at| query(*at, stack, traffic[*at], period)).collect();
            for (id, point) in within(at, days, period, queries).await? {
                if let Some(slot) = id.strip_prefix('m').and_then(|id| id.parse::<usize>().ok())
                    && let Some(slot) = found.get_mut(slot)
                {
                    *slot = Some(point);
                }
            }
        }
    }
    Ok(found)
}

/// Builds query `m3` for the metric of the fourth switch.
fn query(index: usize, stack: &str, traffic: &str, period: i32) -> MetricDataQuery {
    let metric = Metric::builder().namespace(NAMESPACE).metric_name(METRIC);
    let metric = metric.set_dimensions(Some(dimensions(stack, traffic))).build();
    let stat = MetricStat::builder().metric(metric).period(period).stat("Maximum").build();
    MetricDataQuery::builder().id(format!("m{index}")).metric_stat(stat).return_data(true).build()
}

/// A metric that AWS publishes.
pub(crate) struct ServiceMetric<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) dimensions: &'a [(&'a str, &'a str)],
}

/// Reads the newest datapoint within a day of each of these metrics, at most [`QUERIES`], with its
/// second.
///
/// Its value is the maximum of its minute.
pub(crate) async fn lately(
    at: &Target<'_>,
    metrics: &[ServiceMetric<'_>],
) -> Result<Vec<Option<(i64, f64)>>, CloudError> {
    let queries = metrics.iter().enumerate().map(|(index, it)| {
        let dimensions =
            it.dimensions.iter().map(|(name, value)| Dimension::builder().name(*name).value(*value).build());
        let metric = Metric::builder().namespace(it.namespace).metric_name(it.name);
        let metric = metric.set_dimensions(Some(dimensions.collect())).build();
        let stat = MetricStat::builder().metric(metric).period(PERIOD).stat("Maximum").build();
        MetricDataQuery::builder().id(format!("m{index}")).metric_stat(stat).return_data(true).build()
    });
    let mut found = within(at, 1, PERIOD, queries.collect()).await?;
    Ok((0..metrics.len()).map(|index| found.remove(&format!("m{index}"))).collect())
}

/// Reads the newest datapoint within these days of each query that has one.
async fn within(
    at: &Target<'_>,
    days: i64,
    period: i32,
    queries: Vec<MetricDataQuery>,
) -> Result<BTreeMap<String, (i64, f64)>, CloudError> {
    let (start, end) = window(now(), days, period);
    let ask = at
        .cloudwatch()
        .get_metric_data()
        .set_metric_data_queries(Some(queries))
        .start_time(DateTime::from_secs(start))
        .end_time(DateTime::from_secs(end))
        .scan_by(ScanBy::TimestampDescending);
    let mut found: BTreeMap<String, (i64, f64)> = BTreeMap::new();
    let mut pages = ask.into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| at.failed("cloudwatch:GetMetricData", error))?;
        for result in page.metric_data_results.unwrap_or_default() {
            let points = result.timestamps().iter().map(DateTime::secs).zip(result.values().iter().copied());
            let newest = points.max_by_key(|(second, _)| *second);
            let Some((id, (second, value))) = result.id().map(str::to_owned).zip(newest) else { continue };
            if found.get(&id).is_none_or(|(before, _)| *before < second) {
                found.insert(id, (second, value));
            }
        }
    }
    Ok(found)
}

/// Returns start and end of the request for these days, in seconds.
///
/// Both lie on the bounds of a period, as `GetMetricData` advises, so that datapoints of two
/// minutes never fall into one. The start is never more than `days` back, because older datapoints
/// have longer periods. The end is exclusive, and a clock may be behind.
fn window(now: i64, days: i64, period: i32) -> (i64, i64) {
    let period = i64::from(period);
    let up = |second: i64| second + (period - second.rem_euclid(period)) % period;
    (up(now - days * DAY), up(now + 1) + period)
}

#[cfg(test)]
mod tests {
    use super::{DAY, PERIOD, window};

    #[test]
    fn the_bounds_of_a_query_are_those_of_its_periods() {
        for now in [1_800_000_000, 1_800_000_001, 1_800_000_059] {
            let (start, end) = window(now, 15, PERIOD);
            assert_eq!((start % 60, end % 60), (0, 0), "{now}");
            assert!(start >= now - 15 * DAY && start < now - 15 * DAY + 60, "{now}: {start}");
            assert!(end > now + 60 && end <= now + 120, "{now}: {end}");
        }
    }
}
