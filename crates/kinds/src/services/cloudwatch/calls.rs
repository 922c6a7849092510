//! What several kinds ask of CloudWatch: alarms by name with their tags, and the newest datapoint of metrics.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricAlarm, MetricDataQuery, MetricStat, ScanBy, Tag};
use aws_smithy_types::DateTime;
use drstack_core::cloud::CloudError;
use jiff::Timestamp;

use crate::aws::Target;
use crate::aws::tags::Tags;
use crate::names::{METRIC, NAMESPACE};

/// Seconds of one datapoint: the standard resolution, the only one that Route 53 watches.
pub(crate) const PERIOD: i32 = 60;
/// Names in one `DescribeAlarms`, by its API reference.
const NAMES: usize = 100;
/// Metrics in one `GetMetricData`, by its API reference.
const QUERIES: usize = 500;
/// How far back datapoints are kept, in days, and of how many seconds each then is (`GetMetricData`): the newest is
/// looked for among single minutes first, and among hours where it is older than that.
const KEPT: [(i64, i32); 2] = [(15, PERIOD), (455, 3600)];
/// Seconds of a day.
const DAY: i64 = 24 * 3600;

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    Timestamp::now().as_second()
}

/// The dimensions of a switch's metric.
pub(crate) fn dimensions(stack: &str, traffic: &str) -> Vec<Dimension> {
    let dimension = |(name, value): (&str, &str)| Dimension::builder().name(name).value(value).build();
    [("stack", stack), ("traffic", traffic)].map(dimension).into()
}

/// The metric alarms of these names that there are.
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

/// An alarm that was just made and is not to be seen.
pub(crate) fn no_alarm(name: &str) -> CloudError {
    CloudError::Conflict {
        operation: "cloudwatch:PutMetricAlarm".to_owned(),
        message: format!("`{name}` is not to be seen yet"),
    }
}

/// The tags of an alarm.
pub(crate) async fn tags_of(at: &Target<'_>, arn: &str) -> Result<Tags, CloudError> {
    let answer = at.cloudwatch().list_tags_for_resource().resource_arn(arn).send().await;
    let answer =
        crate::aws::absent(at, "cloudwatch:ListTagsForResource", &["ResourceNotFoundException"], answer)?;
    let tags = answer.and_then(|answer| answer.tags).unwrap_or_default();
    Ok(tags.into_iter().filter_map(|tag| Some((tag.key?, tag.value?))).collect())
}

/// Gives an alarm these tags beside those it has.
pub(crate) async fn put_tags(at: &Target<'_>, arn: &str, tags: &Tags) -> Result<(), CloudError> {
    let put = at.cloudwatch().tag_resource().resource_arn(arn).set_tags(Some(tag_list(tags))).send().await;
    put.map(drop).map_err(|error| at.failed("cloudwatch:TagResource", error))
}

/// Tags as CloudWatch takes them.
pub(crate) fn tag_list(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// The newest datapoint of each switch's metric, with its second; none where there was never any.
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

/// Query `m3` for the metric of the fourth switch.
fn query(index: usize, stack: &str, traffic: &str, period: i32) -> MetricDataQuery {
    let metric = Metric::builder().namespace(NAMESPACE).metric_name(METRIC);
    let metric = metric.set_dimensions(Some(dimensions(stack, traffic))).build();
    let stat = MetricStat::builder().metric(metric).period(period).stat("Maximum").build();
    MetricDataQuery::builder().id(format!("m{index}")).metric_stat(stat).return_data(true).build()
}

/// A metric of AWS's own.
pub(crate) struct ServiceMetric<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) dimensions: &'a [(&'a str, &'a str)],
}

/// The newest datapoint within a day of each of these metrics, at most [`QUERIES`], with its second: the largest of its minute.
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

/// The newest datapoint of each query that has any within these days.
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

/// The seconds between which these days are asked for, on the bounds of a period as `GetMetricData` advises: datapoints
/// of two minutes never fall into one. Never more than `days` back, since older datapoints are kept in longer periods;
/// the end is not part of it, and a clock may be behind.
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
